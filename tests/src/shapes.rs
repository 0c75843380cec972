//! Code that does not end by itself, or not soon, in a hundred shapes. Each is a module whose `f` (or whose start function) must be stopped from outside.
//!
//! Most are one body in an endless loop inside the same [`FRAME`]; the others have a form of their own. Hosts answer `call` at once and `nest` by calling
//! `inner`, in the same instance, while the hostcall waits.

use std::time::Duration;

use vivarium_artifact::{ExportedItem, FunctionType, Setting, TrapKind};
use vivarium_runtime::{Exit, Instance, InstanceLimits, Pool};

use crate::engine::{call, load, policy};

/// What bodies can use: two locals of each type, 16 pages of memory that may grow to 64, a table, globals, functions to call.
const FRAME: &str = r#"(module
    (import "host" "call" (func $host_call))
    (import "host" "nest" (func $host_nest))
    (memory 16 64) (data $bytes "0123456789abcdef")
    (table $table 64 64 funcref) (elem (i32.const 0) $leaf $empty) (elem $functions func $empty $leaf $empty)
    (global $g (mut i32) (i32.const 1)) (global $wide (mut i64) (i64.const 1))
    (func $empty) (func $leaf (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
    (func $chain4 (param i32) (result i32) (call $leaf (call $leaf (call $leaf (call $leaf (local.get 0))))))
    (func $fib (param i32) (result i32)
        (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
            (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
    (func $even (param i32) (result i32) (if (result i32) (local.get 0) (then (call $odd (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 1))))
    (func $odd (param i32) (result i32) (if (result i32) (local.get 0) (then (call $even (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 0))))
    (func (export "inner") INNER)
    (func $f (export "f") (local $i i32) (local $n i32) (local $j i64) (local $m i64) (local $x f64) (local $y f64) (local $p f32) (local $q f32) (local $r funcref)
        (local.set $n (i32.const 7)) (local.set $m (i64.const 7)) (local.set $y (f64.const 1.5)) (local.set $q (f32.const 1.5))
        (loop $again BODY (br $again))))"#;

/// Bodies of the loop that are not one operator on locals.
const BODIES: &[(&str, &str)] = &[
    ("empty loop", ""),
    ("loop that goes on by a condition", "(br_if $again (i32.const 1))"),
    (
        "loop that goes on by either arm",
        "(if (i32.and (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1)) (then (br $again)) (else (br $again)))",
    ),
    ("br_table with one target", "(br_table $again $again (local.get $i))"),
    (
        "br_table that takes turns",
        "(block $b (block $a (br_table $a $b $again (i32.and (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 3)))) (br $again))",
    ),
    ("two nested loops", "(loop $in (br_if $in (i32.and (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 255))))"),
    ("inner loop that never ends", "(loop (br 0))"),
    ("endless loop in blocks", "(block (block (block (br 3))))"),
    ("select", "(local.set $i (select (local.get $n) (local.get $i) (i32.eqz (local.get $i))))"),
    ("call of nothing", "(call $empty)"),
    ("call with a result", "(local.set $i (call $leaf (local.get $i)))"),
    ("chain of calls", "(local.set $i (call $chain4 (local.get $i)))"),
    ("recursion of bounded depth", "(local.set $i (call $fib (i32.const 12)))"),
    ("recursion that takes hours", "(local.set $i (call $fib (i32.const 60)))"),
    ("mutual recursion", "(local.set $i (call $even (i32.const 1000)))"),
    ("indirect call", "(local.set $i (call_indirect (param i32) (result i32) (local.get $i) (i32.const 0)))"),
    ("indirect calls of a table that changes", "(table.set $table (i32.const 1) (ref.func $empty)) (call_indirect (i32.const 1))"),
    ("load", "(local.set $i (i32.load (i32.const 64)))"),
    ("load across pages", "(local.set $j (i64.load (i32.const 4093)))"),
    ("store", "(i32.store (i32.const 64) (local.get $i))"),
    ("store of bytes", "(i32.store8 (i32.const 64) (local.get $i))"),
    (
        "stores all over memory",
        "(i32.store (i32.and (local.tee $i (i32.add (local.get $i) (i32.const 4096))) (i32.const 0xffff0)) (local.get $i))",
    ),
    ("loads of narrow integers", "(local.set $j (i64.load16_s (i32.const 64)))"),
    ("stores of floats", "(f64.store (i32.const 64) (local.get $x)) (f32.store (i32.const 72) (local.get $p))"),
    ("memory.size", "(local.set $i (memory.size))"),
    ("memory.grow by nothing", "(local.set $i (memory.grow (i32.const 0)))"),
    ("memory.grow until it is refused, and on", "(local.set $i (memory.grow (i32.const 1)))"),
    ("memory.grow that is refused", "(local.set $i (memory.grow (i32.const 0x10000)))"),
    ("memory.fill of all memory", "(memory.fill (i32.const 0) (i32.const 1) (i32.const 0x100000))"),
    ("memory.fill of a byte", "(memory.fill (i32.const 0) (i32.const 1) (i32.const 1))"),
    ("memory.fill of nothing", "(memory.fill (i32.const 0) (i32.const 1) (i32.const 0))"),
    ("memory.copy of all memory, upwards", "(memory.copy (i32.const 1) (i32.const 0) (i32.const 0xfffff))"),
    ("memory.copy of all memory, downwards", "(memory.copy (i32.const 0) (i32.const 1) (i32.const 0xfffff))"),
    ("memory.copy onto itself", "(memory.copy (i32.const 0) (i32.const 0) (i32.const 0x100000))"),
    ("memory.copy of halves", "(memory.copy (i32.const 0x80000) (i32.const 0) (i32.const 0x80000))"),
    ("memory.copy that overlaps by a page", "(memory.copy (i32.const 0x1000) (i32.const 0) (i32.const 0xff000))"),
    ("memory.init", "(memory.init $bytes (i32.const 64) (i32.const 0) (i32.const 16))"),
    ("data.drop", "(data.drop $bytes)"),
    ("table.get", "(local.set $r (table.get $table (i32.const 1)))"),
    ("table.set", "(table.set $table (i32.const 2) (ref.func $empty))"),
    ("table.size", "(local.set $i (table.size $table))"),
    ("table.fill", "(table.fill $table (i32.const 2) (ref.null func) (i32.const 62))"),
    ("table.copy upwards", "(table.copy $table $table (i32.const 3) (i32.const 2) (i32.const 61))"),
    ("table.copy downwards", "(table.copy $table $table (i32.const 2) (i32.const 3) (i32.const 61))"),
    ("table.init", "(table.init $table $functions (i32.const 2) (i32.const 0) (i32.const 3))"),
    ("table.grow by nothing", "(local.set $i (table.grow $table (ref.null func) (i32.const 0)))"),
    ("table.grow that is refused", "(local.set $i (table.grow $table (ref.null func) (i32.const 1)))"),
    ("elem.drop", "(elem.drop $functions)"),
    ("references", "(local.set $r (ref.func $leaf)) (local.set $i (ref.is_null (local.get $r)))"),
    ("globals", "(global.set $g (i32.add (global.get $g) (i32.const 1))) (global.set $wide (i64.add (global.get $wide) (i64.const 1)))"),
    ("hostcall", "(call $host_call)"),
    ("hostcall and a little work", "(call $host_call) (local.set $i (call $fib (i32.const 8)))"),
    ("nested calls that end", "(call $host_nest)"),
];

/// Operators that take their type's two locals and leave their result in the first.
const OPERATORS: &[(&str, &[&str])] = &[
    ("i32", &["add", "mul", "div_s", "div_u", "rem_s", "rem_u", "rotl", "shl", "xor"]),
    ("i64", &["add", "mul", "div_s", "div_u", "rem_s", "rem_u", "rotl", "shr_s"]),
    ("f32", &["add", "mul", "div", "min", "copysign"]),
    ("f64", &["add", "sub", "mul", "div", "max", "copysign"]),
];

/// And those that take one.
const UNARY: &[(&str, &[&str])] = &[
    ("i32", &["clz", "popcnt", "extend8_s"]),
    ("i64", &["ctz", "popcnt"]),
    ("f32", &["sqrt", "nearest"]),
    ("f64", &["sqrt", "floor", "trunc"]),
];

const CONVERSIONS: &[(&str, &str)] = &[
    ("truncation that saturates", "(local.set $i (i32.trunc_sat_f64_s (local.get $y)))"),
    ("truncation that may trap", "(local.set $j (i64.trunc_f64_u (local.get $y)))"),
    ("conversion from unsigned", "(local.set $x (f64.convert_i64_u (local.get $m)))"),
    ("reinterpretation", "(local.set $j (i64.reinterpret_f64 (local.get $y)))"),
];

const SIMD: &[(&str, &str)] = &[
    ("vectors of integers", "(local.set $j (i64x2.extract_lane 0 (i32x4.mul (i64x2.splat (local.get $j)) (i64x2.splat (local.get $m)))))"),
    ("vectors of floats", "(local.set $x (f64x2.extract_lane 1 (f64x2.sqrt (f64x2.splat (local.get $y)))))"),
];

/// A loop at the bottom of the stack: `prepare` finds out by its trap how deep that is.
const DEEPEST: &str = r#"(module (global $depth (mut i32) (i32.const 0)) (global $deepest (mut i32) (i32.const -1))
    (func $down (param $limit i32) (result i64) PADDING
        (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
        (if (i32.eq (global.get $depth) (local.get $limit)) (then (loop (br 0))))
        (i64.add (call $down (local.get $limit)) KEPT))
    (func (export "prepare") (drop (call $down (i32.const -1))))
    (func (export "f") (global.set $deepest (global.get $depth)) (global.set $depth (i32.const 0)) (drop (call $down (global.get $deepest)))))"#;

/// A module that does not end by itself.
#[derive(Debug, Clone)]
pub struct Shape {
    pub name: String,
    pub wat: String,
}

/// All of them.
pub fn shapes() -> Vec<Shape> {
    let framed = |name: &str, body: &str| shape(name, &FRAME.replace("INNER", "").replace("BODY", body));
    let mut shapes: Vec<Shape> = BODIES.iter().chain(CONVERSIONS).chain(SIMD).map(|(name, body)| framed(name, body)).collect();
    for (ty, operators) in OPERATORS {
        let [first, second] = locals(ty);
        // The second operand stays what it is, so that nothing divides by zero.
        let body = |operator: &str| format!("(local.set {first} ({ty}.{operator} (local.get {first}) (local.get {second})))");
        shapes.extend(operators.iter().map(|operator| framed(&format!("{ty}.{operator}"), &body(operator))));
    }
    for (ty, operators) in UNARY {
        let [first, second] = locals(ty);
        let body = |operator: &str| format!("(local.set {first} ({ty}.{operator} (local.get {second})))");
        shapes.extend(operators.iter().map(|operator| framed(&format!("{ty}.{operator}"), &body(operator))));
    }
    shapes.extend(of_their_own_form());
    shapes
}

fn locals(ty: &str) -> [&'static str; 2] {
    match ty {
        "i32" => ["$i", "$n"],
        "i64" => ["$j", "$m"],
        "f32" => ["$p", "$q"],
        _ => ["$x", "$y"],
    }
}

fn of_their_own_form() -> Vec<Shape> {
    let add = "(local.set $i (i32.add (local.get $i) (local.get $n)))";
    let nested = |depth: usize| format!("{}{}", "(loop ".repeat(depth), "(br 0)".to_owned() + &")".repeat(depth));
    let targets = "$again ".repeat(2_000);
    let framed = |inner: &str, body: &str| FRAME.replace("INNER", inner).replace("BODY", body);
    let deepest = |padding: &str, kept: &str| DEEPEST.replace("PADDING", padding).replace("KEPT", kept);
    vec![
        shape("twenty nested loops", &framed("", &nested(20))),
        shape("loop of ten thousand instructions", &framed("", &add.repeat(2_500))),
        shape("br_table of two thousand targets", &framed("", &format!("(br_table {targets} (local.get $i))"))),
        shape("loop in a nested call", &framed("(loop (br 0))", "(call $host_nest)")),
        shape(
            "memory.fill in a nested call",
            &framed("(loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x100000)) (br 0))", "(call $host_nest)"),
        ),
        shape("hostcalls in a nested call", &framed("(loop (call $host_call) (br 0))", "(call $host_nest)")),
        shape("start function that loops", "(module (func $s (loop (br 0))) (start $s) (func (export \"f\")))"),
        shape(
            "start function that fills memory",
            "(module (memory 16) (func $s (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x100000)) (br 0))) (start $s) (func (export \"f\")))",
        ),
        shape(
            "fills of eight mebibytes without a loop",
            &straight("(memory.fill (i32.const 0) (i32.const 1) (i32.const 0x800000))", 2_000),
        ),
        shape("recursions one after the other without a loop", &straight("(drop (call $fib (i32.const 25)))", 2_000)),
        shape(
            "large table filled",
            "(module (table 10000 funcref) (func (export \"f\") (loop (table.fill (i32.const 0) (ref.null func) (i32.const 10000)) (br 0))))",
        ),
        shape(
            "large table copied",
            "(module (table 10000 funcref) (func (export \"f\") (loop (table.copy (i32.const 1) (i32.const 0) (i32.const 9999)) (br 0))))",
        ),
        shape(
            "large table grown to its end",
            "(module (table 0 10000 funcref) (func (export \"f\") (loop (drop (table.grow (ref.null func) (i32.const 5000))) (br 0))))",
        ),
        shape(
            "large memory filled",
            "(module (memory 1024) (func (export \"f\") (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x4000000)) (br 0))))",
        ),
        shape("loop above the guard", &deepest("", "(i64.const 1)")),
        shape(
            "loop above the guard, frames of another length",
            &deepest("(local $k i64) (local.set $k (i64.extend_i32_u (global.get $depth)))", "(local.get $k)"),
        ),
        shape(
            "loop above the guard, longer frames",
            &deepest(
                "(local $k i64) (local $l i64) (local.set $k (i64.extend_i32_u (global.get $depth))) (local.set $l (i64.mul (local.get $k) (local.get $k)))",
                "(i64.sub (local.get $k) (local.get $l))",
            ),
        ),
    ]
}

/// A function of so many times the same, which ends after minutes.
fn straight(body: &str, times: usize) -> String {
    let fib = &FRAME[FRAME.find("(func $fib").expect("the frame has it")..FRAME.find("(func $even").expect("the frame has it")];
    format!("(module (memory 128) {fib} (func (export \"f\") {}))", body.repeat(times))
}

fn shape(name: &str, wat: &str) -> Shape {
    Shape { name: name.to_owned(), wat: wat.to_owned() }
}

impl Shape {
    /// An instance that is about to run without an end.
    pub fn begin(&self, pool: &Pool, setting: Setting) -> Instance {
        let wasm = wat::parse_str(&self.wat).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let imports = ["call", "nest"].map(|name| ("host", name, FunctionType::default()));
        let module = load(&wasm, &policy(imports), setting).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let mut instance = pool.acquire(&module, InstanceLimits { memory_bytes_max: 128 << 20 }).expect("a slot is free");
        if module.contract().export("prepare").is_some() {
            let trap = call(&mut instance, "prepare", &[]).expect_err("the stack ends");
            assert_eq!(trap.kind, TrapKind::StackOverflow, "{}", self.name);
        }
        if !instance.initialize().expect("the start function takes nothing") {
            invoke(&mut instance, "f");
        }
        instance
    }
}

/// Runs a guest until it and the answers to its hostcalls have had this much time. It must not end by itself.
pub fn run_until(instance: &mut Instance, deadline: Duration) {
    while instance.ran() <= deadline {
        match instance.resume() {
            Exit::Preempted => {}
            Exit::Hostcall { import } => {
                let nests = instance.module().contract().imports[import as usize].name == "nest";
                if nests && instance.depth() == 1 { invoke(instance, "inner") } else { instance.answer(&[]) }
            }
            Exit::Done if instance.waiting_hostcall().is_some() => instance.answer(&[]),
            other => panic!("it was to run until its deadline: {other:?}"),
        }
    }
}

fn invoke(instance: &mut Instance, export: &str) {
    let Some(ExportedItem::Function(function)) = instance.module().contract().export(export) else { panic!("no export {export}") };
    instance.invoke(function, &[]).expect("the call can begin");
}
