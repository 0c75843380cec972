//! Exceptions go to the innermost handler of their tag, and nowhere else.

use std::sync::Arc;

use vivarium_artifact::{ExportedItem, FunctionType, Setting, TrapKind, ValueType};
use vivarium_runtime::exceptions::EXCEPTION_BYTES_MAX;
use vivarium_runtime::{Exit, Instance, LoadedModule};
use vivarium_tests::engine::{call, limits, load, load_wat, policy, pool, run};

/// Runs a test on an instance in each setting.
fn check(wat: &str, test: impl Fn(&mut Instance)) {
    let pool = pool(1);
    for setting in [Setting::Fast, Setting::Best] {
        test(&mut pool.acquire(&load_wat(wat, setting), limits()).unwrap());
    }
}

/// Throws from the bottom of a recursion, with more values than registers hold; everything that is alive in the frames above must survive.
const DEEP: &str = r#"(module
    (tag $many (param i32 i64 f32 f64 i64 i64 i64 i64 i64 i64))
    (tag $other)
    (global $touched (mut i32) (i32.const 0))
    (func $down (param $depth i32) (result i64) (local $kept i64)
        (local.set $kept (i64.extend_i32_u (local.get $depth)))
        (if (i32.eqz (local.get $depth))
            (then (throw $many (i32.const 1) (i64.const 2) (f32.const 4) (f64.const 8)
                (i64.const 16) (i64.const 32) (i64.const 64) (i64.const 128) (i64.const 256) (i64.const 512))))
        (i64.add (call $down (i32.sub (local.get $depth) (i32.const 1))) (local.get $kept)))
    (func $catch (param $depth i32) (result i64)
        (local $a i32) (local $b i64) (local $c f32) (local $d f64) (local $sum i64)
        (block $other
            (block $caught (result i32 i64 f32 f64 i64 i64 i64 i64 i64 i64)
                (try_table (result i64) (catch $other $other) (catch $many $caught) (call $down (local.get $depth)))
                (return))
            (i64.add) (i64.add) (i64.add) (i64.add) (i64.add)
            (local.set $sum) (local.set $d) (local.set $c) (local.set $b) (local.set $a)
            (global.set $touched (i32.add (global.get $touched) (i32.const 1)))
            (return (i64.add (local.get $sum)
                (i64.add (i64.add (i64.extend_i32_u (local.get $a)) (local.get $b))
                    (i64.add (i64.trunc_f32_u (local.get $c)) (i64.trunc_f64_u (local.get $d)))))))
        (unreachable))
    (func $around (export "around") (param $depth i32) (param $x i64) (result i64)
        (local $a i64) (local $b i64) (local $c i64) (local $d i64) (local $e i64) (local $f i64) (local $g i64)
        (local.set $a (i64.mul (local.get $x) (i64.const 3)))
        (local.set $b (i64.mul (local.get $x) (i64.const 5)))
        (local.set $c (i64.mul (local.get $x) (i64.const 7)))
        (local.set $d (i64.mul (local.get $x) (i64.const 11)))
        (local.set $e (i64.mul (local.get $x) (i64.const 13)))
        (local.set $f (i64.mul (local.get $x) (i64.const 17)))
        (local.set $g (i64.mul (local.get $x) (i64.const 19)))
        (i64.add (call $catch (local.get $depth))
            (i64.add (i64.add (i64.add (local.get $a) (local.get $b)) (i64.add (local.get $c) (local.get $d)))
                (i64.add (i64.add (local.get $e) (local.get $f)) (local.get $g)))))
    (func (export "touched") (result i32) (global.get $touched)))"#;

#[test]
fn what_an_exception_carries_arrives_and_what_is_alive_elsewhere_stays() {
    check(DEEP, |instance| {
        for (round, depth) in [0, 1, 100, 3000].into_iter().enumerate() {
            assert_eq!(call(instance, "around", &[depth, 1000]).unwrap(), [1023 + 75_000], "from depth {depth}");
            assert_eq!(call(instance, "touched", &[]).unwrap(), [round as u128 + 1]);
        }
    });
}

#[test]
fn an_exception_that_nothing_catches_is_a_trap_of_its_own_with_the_frames_of_the_throw() {
    let wat = r#"(module (tag $a) (tag $b)
        (func $thrower (throw $a))
        (func $holder (block (try_table (catch $b 0) (call $thrower))))
        (func (export "f") (call $holder))
        (func (export "g") (result i32) (i32.const 7)))"#;
    check(wat, |instance| {
        let trap = call(instance, "f", &[]).unwrap_err();
        let names: Vec<&str> = trap.frames.iter().map(|frame| frame.function.as_str()).collect();
        assert_eq!((trap.kind, &names[..]), (TrapKind::UncaughtException, &["thrower", "holder", "f"][..]));
        assert_eq!(trap.message(), "an exception was thrown and nothing caught it");
        assert_eq!(call(instance, "g", &[]).unwrap(), [7], "the instance may be called again");
    });
}

/// A call in tail position leaves its caller's handlers; of two handlers the inner one has an exception, and what it throws again goes to the outer one.
#[test]
fn handlers_nest_and_a_handler_may_throw_again() {
    let wat = r#"(module (tag $e (param i32))
        (func $throws (param i32) (throw $e (local.get 0)))
        (func $again (param i32) (local $caught exnref)
            (block $inner (result exnref)
                (try_table (catch_all_ref $inner) (call $throws (local.get 0)))
                (return))
            (local.set $caught)
            (throw_ref (local.get $caught)))
        (func (export "f") (param i32) (result i32)
            (block $outer (result i32)
                (try_table (catch $e $outer) (call $again (local.get 0)))
                (i32.const -1)))
        (func (export "null") (throw_ref (ref.null exn))))"#;
    check(wat, |instance| {
        assert_eq!(call(instance, "f", &[42]).unwrap(), [42]);
        assert_eq!(call(instance, "null", &[]).unwrap_err().kind, TrapKind::NullReference);
    });
}

const LOOP: &str = r#"(module (tag $e (param i64))
    (global $last (mut exnref) (ref.null exn))
    (func $throws (param i64) (throw $e (local.get 0)))
    (func (export "by_value") (param $n i64) (result i64) (local $sum i64)
        (loop $more
            (block $caught (result i64)
                (try_table (catch $e $caught) (call $throws (local.get $n)))
                (unreachable))
            (local.set $sum (i64.add (local.get $sum)))
            (local.set $n (i64.sub (local.get $n) (i64.const 1)))
            (br_if $more (i64.ne (local.get $n) (i64.const 0))))
        (local.get $sum))
    (func (export "by_reference") (param $n i64) (result i64)
        (loop $more
            (block $caught (result exnref)
                (try_table (catch_all_ref $caught) (call $throws (local.get $n)))
                (unreachable))
            (global.set $last)
            (local.set $n (i64.sub (local.get $n) (i64.const 1)))
            (br_if $more (i64.ne (local.get $n) (i64.const 0))))
        (local.get $n)))"#;

#[test]
fn only_what_is_caught_by_reference_is_kept_and_that_is_bounded() {
    check(LOOP, |instance| {
        let more = EXCEPTION_BYTES_MAX as u128 / 8;
        assert_eq!(call(instance, "by_value", &[more]).unwrap(), [more * (more + 1) / 2], "through preemptions too");
        assert_eq!(call(instance, "by_reference", &[1000]).unwrap(), [0]);
        let trap = call(instance, "by_reference", &[more]).unwrap_err();
        assert_eq!((trap.kind, trap.frames[0].function.as_str()), (TrapKind::TooManyExceptions, "throws"));
    });
}

/// `outer` catches whatever comes out of `ask`; the host answers that by calling `inner`, which throws.
const NESTED: &str = r#"(module
    (import "env" "ask" (func $ask))
    (tag $e)
    (func (export "outer") (result i32)
        (block $caught
            (try_table (catch_all $caught) (call $ask))
            (return (i32.const 1)))
        (i32.const 2))
    (func $inner (export "inner") (throw $e))
    (func (export "careful") (result i32)
        (block $caught
            (try_table (catch $e $caught) (call $inner))
            (return (i32.const 3)))
        (i32.const 4)))"#;

fn nested() -> [Arc<LoadedModule>; 2] {
    let wasm = wat::parse_str(NESTED).unwrap();
    [Setting::Fast, Setting::Best].map(|setting| load(&wasm, &policy([("env", "ask", FunctionType::default())]), setting).unwrap())
}

fn invoke(instance: &mut Instance, export: &str) {
    let Some(ExportedItem::Function(function)) = instance.module().contract().export(export) else { panic!("no export {export}") };
    instance.invoke(function, &[]).unwrap();
}

#[test]
fn an_exception_does_not_cross_the_host() {
    let pool = pool(1);
    for module in nested() {
        let mut instance = pool.acquire(&module, limits()).unwrap();
        invoke(&mut instance, "outer");
        assert_eq!(run(&mut instance), Exit::Hostcall { import: 0 });
        invoke(&mut instance, "careful");
        assert_eq!(run(&mut instance), Exit::Done);
        assert_eq!(instance.result(0), 4, "within the nested call it is caught");
        invoke(&mut instance, "inner");
        let Exit::Trapped(trap) = run(&mut instance) else { panic!("it is not caught by the waiting call") };
        let names: Vec<&str> = trap.frames.iter().map(|frame| frame.function.as_str()).collect();
        assert_eq!((trap.kind, &names[..]), (TrapKind::UncaughtException, &["inner", "ask", "outer"][..]));
        assert_eq!(instance.depth(), 0);
    }
}

#[test]
fn the_host_hands_in_no_exception_that_there_is_not() {
    let wat = r#"(module (tag $e)
        (func (export "make") (result exnref)
            (block $caught (result exnref) (try_table (catch_all_ref $caught) (throw $e)) (unreachable)))
        (func (export "throw") (param exnref) (throw_ref (local.get 0))))"#;
    check(wat, |instance| {
        let Some(ExportedItem::Function(throw)) = instance.module().contract().export("throw") else { panic!("throw is exported") };
        assert!(instance.invoke(throw, &[1]).is_err(), "none was thrown yet");
        assert_eq!(call(instance, "make", &[]).unwrap(), [1]);
        assert_eq!(call(instance, "throw", &[1]).unwrap_err().kind, TrapKind::UncaughtException);
        assert!(instance.invoke(throw, &[2]).is_err());
        assert_eq!(instance.exception(1).map(|exception| exception.payload.len()), Some(0));
        assert_eq!(instance.module().contract().function_type(throw).unwrap().parameters, [ValueType::EXN_REF]);
    });
}
