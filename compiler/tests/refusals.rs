//! What is refused, and the sentence that its author reads.

use vivarium_artifact::{FunctionType, Setting, ValueType};
use vivarium_compiler::{CompileError, Features, ImportPolicy, Policy, compile};

fn refuse(wat: &str, policy: &Policy) -> CompileError {
    let wasm = wat::parse_str(wat).expect("the test's WAT is right");
    compile(&wasm, policy, Setting::Fast, &|_, _, _| {}).expect_err("the module must be refused")
}

/// The refusal of a module is this sentence, up to its offset.
fn check(wat: &str, expected: &str) {
    check_with(&Policy::default(), wat, expected);
}

fn check_with(policy: &Policy, wat: &str, expected: &str) {
    let text = refuse(wat, policy).to_string();
    assert_eq!(text.split(" (at offset").next(), Some(expected));
}

#[test]
fn an_unknown_import_is_named() {
    check(r#"(module (import "env" "emit" (func)))"#, "the program imports env.emit, which no host function answers");
}

#[test]
fn an_import_of_another_type_shows_both() {
    let imports = ImportPolicy::new([("env", "emit", FunctionType { parameters: vec![ValueType::I32], results: vec![] })]);
    check_with(
        &Policy { imports, ..Policy::default() },
        r#"(module (import "env" "emit" (func (param i64))))"#,
        "the program imports env.emit as (i64) -> (), the host function is (i32) -> ()",
    );
}

#[test]
fn only_functions_can_be_imported() {
    for (text, kind) in
        [("(memory 1)", "memory"), ("(table 1 funcref)", "table"), ("(global i32)", "global"), ("(global (mut i32))", "global")]
    {
        check(
            &format!(r#"(module (import "env" "it" {text}))"#),
            &format!("the program imports the {kind} env.it: only functions can be imported, define it in the program"),
        );
    }
}

#[test]
fn drivers_of_test_suites_may_import_everything() {
    let policy = Policy { linked: true, ..Policy::default() };
    for import in ["(func)", "(memory 1)", "(table 1 funcref)", "(global i32)", "(global (mut i32))"] {
        let wasm = wat::parse_str(format!(r#"(module (import "env" "it" {import}))"#)).unwrap();
        assert!(compile(&wasm, &policy, Setting::Fast, &|_, _, _| {}).is_ok(), "{import}");
    }
}

#[test]
fn features_that_programs_may_not_use_are_named() {
    for (wat, feature) in [("(module (type (struct)))", "gc"), ("(module (memory 1 1 shared))", "threads")] {
        let error = refuse(wat, &Policy::default());
        let CompileError::Feature { feature: named, .. } = &error else { panic!("{wat}: {error}") };
        assert_eq!(named, feature, "{wat}: {error}");
    }
}

#[test]
fn features_that_a_policy_leaves_out_are_named() {
    for (left_out, wat, feature) in [
        (Features::SIMD.with(Features::RELAXED_SIMD), "(module (func (param v128)))", "simd"),
        (Features::RELAXED_SIMD, "(module (func (param v128 v128) local.get 0 local.get 1 i8x16.relaxed_swizzle drop))", "relaxed-simd"),
        (
            Features::WIDE_ARITHMETIC,
            "(module (func (param i64 i64) (result i64 i64) local.get 0 local.get 1 i64.mul_wide_u))",
            "wide-arithmetic",
        ),
    ] {
        assert!(compile(&wat::parse_str(wat).unwrap(), &Policy::default(), Setting::Fast, &|_, _, _| {}).is_ok(), "{wat}");
        let error = refuse(wat, &Policy { features: Features::PRODUCT.without(left_out), ..Policy::default() });
        let CompileError::Feature { feature: named, .. } = &error else { panic!("{wat}: {error}") };
        assert_eq!(named, feature, "{wat}: {error}");
    }
}

#[test]
fn what_is_invalid_is_told_with_its_offset() {
    let error = refuse("(module (func (result i32) i64.const 1))", &Policy::default());
    let CompileError::Invalid { offset, message } = error else { panic!("{error}") };
    assert!(message.contains("type mismatch"), "{message}");
    assert!(offset > 8, "{offset}");
}

#[test]
fn that_it_is_invalid_comes_before_what_it_imports() {
    let error = refuse(r#"(module (import "a" "b" (func)) (import "c" "d" (memory 1)) (func (result i32)))"#, &Policy::default());
    assert!(matches!(error, CompileError::Invalid { .. }), "{error}");
}

#[test]
fn every_limit_says_how_much_there_is_and_how_much_may_be() {
    let policy = |change: fn(&mut Policy)| {
        let mut policy = Policy::default();
        change(&mut policy);
        policy
    };
    check("(module (memory 2049))", "initial memory in pages of 64 KiB: 2049, the limit is 2048");
    check("(module (memory 1025) (memory 1024))", "initial memories in bytes: 134283264, the limit is 134217728");
    check("(module (memory 134217729 (pagesize 1)))", "initial memory in pages of 1 byte: 134217729, the limit is 134217728");
    check("(module (memory i64 2049))", "initial memory in pages of 64 KiB: 2049, the limit is 2048");
    check(&format!("(module {})", "(memory 0)".repeat(17)), "memories of the module: 17, the limit is 16");
    check("(module (table 10001 funcref))", "initial elements of a table: 10001, the limit is 10000");
    check_with(&policy(|policy| policy.functions_max = 1), "(module (func) (func))", "functions of the module: 2, the limit is 1");
    check_with(
        &policy(|policy| policy.operators_of_function_max = 3),
        "(module (func $f nop nop nop nop))",
        "instructions of function f: 4, the limit is 3",
    );
    check_with(&policy(|policy| policy.wasm_bytes_max = 8), "(module (func))", "size of the wasm in bytes: 24, the limit is 8");
    check_with(
        &policy(|policy| policy.image_bytes_max = 1 << 20),
        r#"(module (memory 1000) (data (i32.const 3000000) "x"))"#,
        "size of tables, globals and initial data in bytes: 3006464, the limit is 1048576",
    );
    check(
        &format!("(module {})", "(table 10000 funcref)".repeat(30_000)),
        "size of stack, globals and tables in bytes: 2401048576, the limit is 16777216",
    );
    check(
        &format!("(module {})", "(table 10000 funcref)".repeat(300)),
        "size of stack, globals and tables in bytes: 25055232, the limit is 16777216",
    );
}

/// Few instructions can make many values: results of a call, arguments of a branch.
#[test]
fn values_of_a_function_are_limited_whatever_makes_them() {
    let policy = Policy { values_of_function_max: 5_000, ..Policy::default() };
    let many = "i32 ".repeat(100);
    let zeros = "i32.const 0 ".repeat(100);
    for (repeated, rest) in [("call $many ", ""), ("local.get 0 br_if 0 ", &zeros[..0])] {
        let wat = format!(
            "(module (func $many (result {many}) unreachable) (func $f (param i32) (result {many}) {zeros} {} {rest}))",
            repeated.repeat(60)
        );
        let wat = wat.replace("call $many", &format!("(block (result {many}) call $many) {}", "drop ".repeat(100)));
        let error = refuse(&wat, &policy);
        assert!(error.to_string().starts_with("values in function f: "), "{error}");
        assert!(error.to_string().ends_with(", the limit is 5000"), "{error}");
    }
}

/// Each call has an edge to each handler that is open: nested blocks and calls multiply.
#[test]
fn edges_to_handlers_are_limited_too() {
    let policy = Policy { values_of_function_max: 5_000, ..Policy::default() };
    let (open, calls, close) = ("(block (try_table (catch $e 0) ".repeat(40), "(call $g)".repeat(40), "))".repeat(40));
    let error = refuse(&format!("(module (tag $e) (func $g) (func $f {open} {calls} {close}))"), &policy).to_string();
    assert!(error.starts_with("values in function f: ") && error.ends_with(", the limit is 5000"), "{error}");
}

/// A throw looks at all that a call catches, in each frame; a tag that is caught twice is looked at once.
#[test]
fn what_one_call_catches_is_limited() {
    let function = |tags: usize, times: usize| {
        let declared: String = (0..tags).map(|tag| format!("(tag $e{tag})")).collect();
        let catches: String = (0..tags * times).map(|catch| format!("(catch $e{} 0)", catch % tags)).collect();
        format!("(module {declared} (func $g) (func $f (block (try_table {catches} (call $g)))))")
    };
    let error = refuse(&function(65, 1), &Policy::default()).to_string();
    assert_eq!(error, "tags that one call of function f catches: 65, the limit is 64");
    let wasm = wat::parse_str(function(64, 100)).unwrap();
    assert!(compile(&wasm, &Policy::default(), Setting::Fast, &|_, _, _| {}).is_ok());
}

#[test]
fn code_that_grows_too_large_is_refused() {
    let policy = Policy { code_bytes_max: 10, ..Policy::default() };
    let error = refuse("(module (func (result i32) i32.const 1))", &policy).to_string();
    assert!(error.starts_with("size of the compiled code in bytes: ") && error.ends_with(", the limit is 10"), "{error}");
}

/// Each item is a byte of the binary and eight beside the code.
#[test]
fn passive_segments_count_as_code() {
    let policy = Policy { code_bytes_max: 20_000, ..Policy::default() };
    let elements = |count: usize| format!("(module (table 1 funcref) (elem func {}) (func))", "0 ".repeat(count));
    let error = refuse(&elements(2_600), &policy).to_string();
    assert!(error.starts_with("size of the compiled code in bytes: ") && error.ends_with(", the limit is 20000"), "{error}");
    let error = refuse(&format!("(module (memory 1) (data \"{}\"))", "x".repeat(20_000)), &policy).to_string();
    assert!(error.starts_with("size of the compiled code in bytes: "), "{error}");
    for fits in [elements(2_000), format!("(module (memory 1) (data (i32.const 0) \"{}\"))", "x".repeat(20_000))] {
        let wasm = wat::parse_str(fits).unwrap();
        assert!(compile(&wasm, &policy, Setting::Fast, &|_, _, _| {}).is_ok());
    }
}

#[test]
fn a_stack_frame_that_could_jump_over_the_guard_is_refused() {
    let policy = Policy { frame_bytes_max: 1000, ..Policy::default() };
    let many = "i64 ".repeat(200);
    let wat = format!("(module (func $f (result {many}) call $f))");
    let error = refuse(&wat, &policy).to_string();
    assert!(error.starts_with("stack frame of function f in bytes: "), "{error}");
    assert!(error.ends_with(", the limit is 1000"), "{error}");
}

#[test]
fn bytes_that_are_no_module_are_refused() {
    for bytes in [&b""[..], b"\0asm", b"\0asm\x02\0\0\0", b"\x7fELF\x01\0\0\0", &[0; 64]] {
        let error = compile(bytes, &Policy::default(), Setting::Fast, &|_, _, _| {}).unwrap_err();
        assert!(matches!(error, CompileError::Invalid { .. }), "{bytes:?}: {error}");
    }
    let component = b"\0asm\x0d\0\x01\0";
    let error = compile(component, &Policy::default(), Setting::Fast, &|_, _, _| {}).unwrap_err();
    assert!(error.to_string().contains("component"), "{error}");
}
