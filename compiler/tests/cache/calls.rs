//! Bodies that call: the code of one is another's exactly when their callees, signatures and the rest are of one kind.

use vivarium_artifact::Setting;

use super::relocated;
use super::{cache_of, check};

/// A module whose last function has this body, behind `others` that differ from module to module. Its linker kept relocations, though there are none.
fn module(others: u32, declarations: &str, body: &str) -> Vec<u8> {
    let before: String = (0..others).map(|number| format!("(func (param f64) (result i64) (i64.const {}))", 1000 + number)).collect();
    let text = format!(
        r#"(module
            (type $one (func (param i32) (result i32)))
            (type $other (func (param i64) (result i32)))
            {before} {declarations}
            (func $callee (param i32) (result i32) (local.get 0))
            (func $wide (param i64) (result i32) (i32.const 1))
            (table funcref (elem $callee $wide))
            (func $f {body}))"#
    );
    let mut wasm = wat::parse_str(text).expect("the test's WAT is right");
    relocated::custom(&mut wasm, "reloc.CODE", &[vec![7], relocated::vector(vec![])].concat());
    wasm
}

/// Whether the code of the last function of the second module is found among that of the first.
fn is_shared(first: (&str, &str), second: (&str, &str)) -> bool {
    let (first, second) = (module(0, first.0, first.1), module(3, second.0, second.1));
    let cache = cache_of(&[&first], Setting::Fast);
    // The three other functions are never found.
    match check(&second, Setting::Fast, &cache).1 {
        3 => true,
        4 => false,
        missing => panic!("{missing} functions are missing"),
    }
}

#[test]
fn calls_are_shared_by_what_their_callees_are_and_not_by_their_numbers() {
    for (body, different) in [
        ("(result i32) (call $callee (i32.const 1))", "(result i32) (return_call $callee (i32.const 1))"),
        ("(result i32) (return_call $callee (i32.const 1))", "(result i32) (return_call $wide (i64.const 1))"),
        (
            "(result i32) (call_indirect (type $one) (i32.const 1) (i32.const 0))",
            "(result i32) (return_call_indirect (type $one) (i32.const 1) (i32.const 0))",
        ),
        (
            "(result i32) (return_call_indirect (type $one) (i32.const 1) (i32.const 0))",
            "(result i32) (return_call_indirect (type $other) (i64.const 1) (i32.const 0))",
        ),
        (
            "(param (ref null $one)) (result i32) (call_ref $one (i32.const 1) (local.get 0))",
            "(param (ref null $one)) (result i32) (return_call_ref $one (i32.const 1) (local.get 0))",
        ),
        (
            "(param (ref null $one)) (result i32) (call_ref $one (i32.const 1) (local.get 0))",
            "(param (ref null $other)) (result i32) (call_ref $other (i64.const 1) (local.get 0))",
        ),
        (
            "(param externref) (result externref) (ref.as_non_null (local.get 0))",
            "(param externref) (result externref) (block (drop (br_on_null 0 (local.get 0)))) (local.get 0)",
        ),
    ] {
        assert!(is_shared(("", body), ("", body)), "{body}");
        assert!(!is_shared(("", body), ("", different)), "{body} and {different}");
    }
}

/// Tags of two modules in another order, and what else a key must tell apart.
#[test]
fn handlers_are_shared_by_what_they_catch_and_not_by_their_numbers() {
    const TAGS: &str = "(tag $a (param i32)) (tag $b (param i64))";
    const SWAPPED: &str = "(tag $spare (param i32)) (tag $b (param i64)) (tag $a (param i32))";
    let catch = |clauses: &str, block: &str| {
        format!(
            "(result i32) (block $h {block} (try_table {clauses} (drop (call $callee (i32.const 1)))) (return (i32.const 2))) drop (i32.const 3)"
        )
    };
    let body = catch("(catch $a $h)", "(result i32)");
    assert!(is_shared((TAGS, &body), (SWAPPED, &body)));
    let both = "(result i32) (block $h (result exnref) (try_table (catch_all_ref $h) (throw $a (i32.const 1))) (unreachable)) (throw_ref)";
    assert!(is_shared((TAGS, both), (SWAPPED, both)));
    for (first, second) in [
        (catch("(catch $a $h)", "(result i32)"), catch("(catch $b $h)", "(result i64)")),
        (catch("(catch $a $h)", "(result i32)"), catch("(catch_all_ref $h)", "(result exnref)")),
        (
            "(block (block (try_table (catch_all 0) (drop (call $callee (i32.const 1))))))".into(),
            "(block (block (try_table (catch_all 1) (drop (call $callee (i32.const 1))))))".into(),
        ),
        ("(throw $a (i32.const 1))".into(), "(throw $b (i64.const 1))".into()),
        ("(throw_ref (ref.null exn))".into(), "(ref.null exn) (drop)".into()),
    ] {
        assert!(!is_shared((TAGS, &first), (SWAPPED, &second)), "{first} and {second}");
    }
    assert!(
        !is_shared((TAGS, "(throw_ref (ref.null exn))"), ("", "(throw_ref (ref.null exn))")),
        "where nothing can be thrown it is a trap"
    );
}
