//! A tail call leaves its caller's frame to its callee, whatever both take and whoever answers.

use vivarium_artifact::{ExportedItem, FunctionType, Setting, TrapKind, ValueType};
use vivarium_runtime::Exit;
use vivarium_tests::engine::{call, limits, load, load_wat, policy, pool, run};

/// `count` turns of two functions that call each other in tail position, one with more arguments than registers hold, one with fewer.
const CHAIN: &str = r#"(module
    (table funcref (elem $few))
    (type $few (func (param i32 i64) (result i64)))
    (func $few (export "few") (type $few)
        (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
        (return_call $many (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6) (i64.const 7)
            (i32.sub (local.get 0) (i32.const 1)) (local.get 1)))
    (func $many (param i64 i64 i64 i64 i64 i64 i64 i32 i64) (result i64)
        (return_call_indirect (type $few)
            (local.get 7)
            (i64.add (local.get 8) (i64.sub (local.get 6) (local.get 5)))
            (i32.const 0)))
    (func $trap (param i32) (result i64) (unreachable))
    (func $middle (param i32) (result i64) (return_call $trap (local.get 0)))
    (func (export "trap") (result i64) (i64.add (call $middle (i32.const 1)) (i64.const 1))))"#;

#[test]
fn a_million_tail_calls_need_one_frame() {
    let pool = pool(1);
    for setting in [Setting::Fast, Setting::Best] {
        let mut instance = pool.acquire(&load_wat(CHAIN, setting), limits()).unwrap();
        assert_eq!(call(&mut instance, "few", &[1_000_000, 5]).unwrap(), [1_000_005], "{setting:?}");
    }
}

#[test]
fn a_trap_tells_the_frames_that_are_left() {
    let pool = pool(1);
    for setting in [Setting::Fast, Setting::Best] {
        let mut instance = pool.acquire(&load_wat(CHAIN, setting), limits()).unwrap();
        let trap = call(&mut instance, "trap", &[]).unwrap_err();
        let names: Vec<&str> = trap.frames.iter().map(|frame| frame.function.as_str()).collect();
        assert_eq!((trap.kind, &names[..]), (TrapKind::Unreachable, &["trap", "trap"][..]), "{setting:?}");
    }
}

#[test]
fn a_hostcall_in_tail_position_answers_for_its_caller() {
    let ask = FunctionType { parameters: vec![ValueType::I32, ValueType::F64], results: vec![ValueType::F64] };
    let wasm = wat::parse_str(
        r#"(module
            (import "env" "ask" (func $ask (param i32 f64) (result f64)))
            (func $through (param f64 i32) (result f64) (return_call $ask (local.get 1) (local.get 0)))
            (func (export "f") (param f64) (result f64) (f64.add (call $through (local.get 0) (i32.const 9)) (f64.const 0.5))))"#,
    )
    .unwrap();
    let pool = pool(1);
    for setting in [Setting::Fast, Setting::Best] {
        let module = load(&wasm, &policy([("env", "ask", ask.clone())]), setting).unwrap();
        let mut instance = pool.acquire(&module, limits()).unwrap();
        let Some(ExportedItem::Function(function)) = module.contract().export("f") else { panic!("f is exported") };
        instance.invoke(function, &[f64::to_bits(2.0).into()]).unwrap();
        assert_eq!(run(&mut instance), Exit::Hostcall { import: 0 });
        assert_eq!((instance.argument(0) as u32, f64::from_bits(instance.argument(1))), (9, 2.0));
        instance.answer(&[f64::to_bits(40.0)]);
        assert_eq!(run(&mut instance), Exit::Done);
        assert_eq!(f64::from_bits(instance.result(0) as u64), 40.5, "{setting:?}");
    }
}
