//! A trap is told by kind and place; a fault of the host is none.

use vivarium_artifact::{Setting, TrapKind};
use vivarium_runtime::Trap;
use vivarium_runtime::trap::TRAP_FRAMES_MAX;
use vivarium_tests::engine::{call, limits, load_wat, pool};

/// Runs the export `f` of a module in both settings; it must trap.
fn trap_of(wat: &str, arguments: &[u128]) -> Trap {
    let pool = pool(1);
    let [fast, best] = [Setting::Fast, Setting::Best].map(|setting| {
        let mut instance = pool.acquire(&load_wat(wat, setting), limits()).unwrap();
        call(&mut instance, "f", arguments).expect_err("the call traps")
    });
    assert_eq!(fast.kind, best.kind);
    fast
}

#[test]
fn each_kind_of_trap_is_told_by_its_name() {
    let table: [(&str, &[u128], TrapKind); 10] = [
        ("(module (func (export \"f\") unreachable))", &[], TrapKind::Unreachable),
        ("(module (memory 1) (func (export \"f\") (result i32) (i32.load (i32.const 65533))))", &[], TrapKind::MemoryOutOfBounds),
        ("(module (memory 1) (func (export \"f\") (i32.store8 (i32.const -1) (i32.const 1))))", &[], TrapKind::MemoryOutOfBounds),
        (
            "(module (memory 1) (func (export \"f\") (result i32) (i32.load offset=4294967295 (i32.const -1))))",
            &[],
            TrapKind::MemoryOutOfBounds,
        ),
        ("(module (table 2 funcref) (func (export \"f\") (call_indirect (i32.const 2))))", &[], TrapKind::TableOutOfBounds),
        ("(module (table 2 funcref) (func (export \"f\") (call_indirect (i32.const 1))))", &[], TrapKind::IndirectCallToNull),
        (
            "(module (table funcref (elem $g)) (func $g (param i32)) (func (export \"f\") (call_indirect (i32.const 0))))",
            &[],
            TrapKind::BadSignature,
        ),
        (
            "(module (func (export \"f\") (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0))))",
            &[0],
            TrapKind::IntegerDivideByZero,
        ),
        (
            "(module (func (export \"f\") (param i32) (result i32) (i32.div_s (i32.const 0x80000000) (local.get 0))))",
            &[0xffff_ffff],
            TrapKind::IntegerOverflow,
        ),
        ("(module (func (export \"f\") (result i32) (i32.trunc_f32_s (f32.const nan))))", &[], TrapKind::BadConversionToInteger),
    ];
    for (wat, arguments, kind) in table {
        assert_eq!(trap_of(wat, arguments).kind, kind, "{wat}");
    }
}

#[test]
fn a_trap_names_the_functions_on_the_stack() {
    let wat = r#"(module
        (func $leaf (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
        (func $middle (param i32) (result i32) (i32.add (call $leaf (local.get 0)) (i32.const 1)))
        (func $outer (export "f") (result i32) (i32.add (call $middle (i32.const 0)) (i32.const 1))))"#;
    let trap = trap_of(wat, &[]);
    let names: Vec<&str> = trap.frames.iter().map(|frame| frame.function.as_str()).collect();
    assert_eq!(names, ["leaf", "middle", "outer"]);
    assert!(trap.frames.iter().all(|frame| frame.wasm_offset.is_some()));
}

/// Ways to call oneself without end, with the functions that a report may name.
const ENDLESS_RECURSIONS: [(&str, &[&str]); 5] = [
    ("(module (func $f (export \"f\") (param i32) (result i32) (i32.add (call $f (local.get 0)) (i32.const 1))))", &["f"]),
    (
        "(module (table funcref (elem $f)) (type $t (func (param i32) (result i32)))
            (func $f (export \"f\") (param i32) (result i32) (i32.add (call_indirect (type $t) (local.get 0) (i32.const 0)) (i32.const 1))))",
        &["f"],
    ),
    (
        "(module (table funcref (elem $f $g)) (type $t (func (param i32) (result i32)))
            (func $g (param i32) (result i32) (i32.add (call_indirect (type $t) (local.get 0) (i32.const 0)) (i32.const 1)))
            (func $f (export \"f\") (param i32) (result i32) (i32.add (call_indirect (type $t) (local.get 0) (i32.const 1)) (i32.const 1))))",
        &["f", "g"],
    ),
    (
        "(module (func $g (param i32) (result i64 i64 f64) (call $f (local.get 0)) (i64.extend_i32_u) (i64.const 1) (f64.const 1))
            (func $f (export \"f\") (param i32) (result i32) (call $g (local.get 0)) drop drop (i32.wrap_i64)))",
        &["f", "g"],
    ),
    (
        "(module (func $f (export \"f\") (param i32) (result i32) (local i64 i64 i64 i64 i64 i64 i64 i64)
            (local.set 1 (i64.extend_i32_u (local.get 0))) (local.set 2 (i64.mul (local.get 1) (local.get 1))) (local.set 3 (i64.mul (local.get 2) (local.get 2)))
            (local.set 4 (i64.mul (local.get 3) (local.get 2))) (local.set 5 (i64.mul (local.get 4) (local.get 2))) (local.set 6 (i64.mul (local.get 5) (local.get 2)))
            (i32.add (call $f (i32.add (local.get 0) (i32.const 1)))
                (i32.wrap_i64 (i64.add (local.get 6) (i64.add (local.get 5) (i64.add (local.get 4) (i64.add (local.get 3) (local.get 2)))))))))",
        &["f"],
    ),
];

#[test]
fn deep_recursion_is_reported_a_thousand_times_over() {
    let pool = pool(1);
    for (wat, functions) in ENDLESS_RECURSIONS {
        for setting in [Setting::Fast, Setting::Best] {
            let module = load_wat(wat, setting);
            for _ in 0..500 {
                let mut instance = pool.acquire(&module, limits()).unwrap();
                let trap = call(&mut instance, "f", &[1]).expect_err("the stack ends");
                assert_eq!(trap.kind, TrapKind::StackOverflow, "{wat}");
                assert_eq!(trap.frames.len(), TRAP_FRAMES_MAX, "{wat}");
                assert!(trap.frames.iter().all(|frame| functions.contains(&frame.function.as_str())), "{wat}: {:?}", trap.frames);
                let innermost = &trap.frames[0].function;
                let message = format!("call stack exhausted: the stack is used up, {innermost} calls itself again and again");
                assert_eq!(trap.message(), message, "{wat}");
            }
        }
    }
    assert_eq!(pool.discarded(), 0);
}

/// Thousands of values, each needed across one call only: giving each a place of its own would make frames of 24 KiB, and 60 of them are too many.
#[test]
fn calls_of_large_functions_nest_in_both_settings() {
    let step = "(local.set $sum (i32.add (local.get $sum) (i32.add (call $same (local.get $sum)) (call $same (local.get $n)))))";
    let wat = format!(
        r#"(module
            (func $same (param i32) (result i32) (local.get 0))
            (func $nest (export "nest") (param $n i32) (result i32) (local $sum i32)
                {}
                (if (local.get $n) (then (drop (call $nest (i32.sub (local.get $n) (i32.const 1))))))
                (local.get $sum)))"#,
        step.repeat(3_000)
    );
    let pool = pool(1);
    for setting in [Setting::Fast, Setting::Best] {
        let module = load_wat(&wat, setting);
        let mut instance = pool.acquire(&module, limits()).unwrap();
        let expected = (0..3_000).fold(0u32, |sum, _| sum.wrapping_add(sum).wrapping_add(60));
        assert_eq!(call(&mut instance, "nest", &[60]), Ok(vec![expected.into()]), "{setting:?}");
    }
}

#[test]
fn an_instance_may_be_called_again_after_a_trap() {
    let wat = r#"(module (global $n (mut i32) (i32.const 0))
        (func (export "f") (global.set $n (i32.const 5)) unreachable)
        (func (export "n") (result i32) (global.get $n)))"#;
    let pool = pool(1);
    let mut instance = pool.acquire(&load_wat(wat, Setting::Fast), limits()).unwrap();
    assert!(call(&mut instance, "f", &[]).is_err());
    assert_eq!(call(&mut instance, "n", &[]).unwrap(), [5]);
}

#[test]
fn the_compiler_makes_no_slot_that_the_runtime_has_no_room_for() {
    assert!(vivarium_compiler::Policy::default().head_bytes_max <= vivarium_runtime::slot::SLOT_HEAD_BYTES_MAX);
}
