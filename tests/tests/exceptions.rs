//! Exceptions go to the innermost handler of their tag, and nowhere else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ed25519_dalek::SigningKey;
use vivarium_artifact::{Clause, ExportedItem, FunctionType, Setting, SignedArtifact, TrapKind, ValueType};
use vivarium_runtime::exceptions::EXCEPTION_BYTES_MAX;
use vivarium_runtime::{Exception, Exit, Instance, LoadedModule, MemoryBudget, SealedFile};
use vivarium_tests::engine::{call, limits, load, load_wat, policy, pool, run, runtime};

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

/// `make` gives a reference to an exception that carries a function and a number; `outer` catches one that `ask` throws and calls that function.
const CARRIES: &str = r#"(module
    (import "env" "ask" (func $ask))
    (type $answers (func (result i32)))
    (tag $e (param funcref i64))
    (table 1 funcref)
    (elem declare func $seven)
    (func $seven (type $answers) (i32.const 7))
    (func (export "make") (result exnref)
        (block $caught (result exnref)
            (try_table (catch_all_ref $caught) (throw $e (ref.func $seven) (i64.const 5)))
            (unreachable)))
    (func (export "outer") (result i32) (local $function funcref)
        (block $caught (result funcref i64)
            (try_table (catch $e $caught) (call $ask))
            (return (i32.const 1)))
        (drop)
        (local.set $function)
        (table.set (i32.const 0) (local.get $function))
        (call_indirect (type $answers) (i32.const 0))))"#;

/// The payload is the embedder's to change: what no longer fits the tag, whatever types it says it has, is refused and nothing has happened.
#[test]
fn the_host_hands_in_no_exception_that_does_not_fit_its_tag() {
    let wasm = wat::parse_str(CARRIES).unwrap();
    let pool = pool(1);
    for setting in [Setting::Fast, Setting::Best] {
        let module = load(&wasm, &policy([("env", "ask", FunctionType::default())]), setting).unwrap();
        let mut instance = pool.acquire(&module, limits()).unwrap();
        assert_eq!(call(&mut instance, "make", &[]).unwrap(), [1]);
        let sound = instance.exception(1).unwrap().clone();
        invoke(&mut instance, "outer");
        assert_eq!(run(&mut instance), Exit::Hostcall { import: 0 });

        let changed = |change: fn(&mut Vec<(ValueType, u128)>)| {
            let mut exception = sound.clone();
            change(&mut exception.payload);
            exception
        };
        let forged: [Exception; 5] = [
            changed(|payload| payload[0].1 += 1 << 32),
            changed(|payload| payload[0] = (ValueType::I64, 0x1234_5678_9abc)),
            changed(|payload| payload.truncate(1)),
            changed(|payload| payload.clear()),
            changed(|payload| payload.resize(1000, (ValueType::I64, 7))),
        ];
        for exception in forged {
            let kept = catch_unwind(AssertUnwindSafe(|| instance.keep_exception(exception.clone())));
            assert!(kept.is_err(), "kept: {exception:?}");
            let answered = catch_unwind(AssertUnwindSafe(|| instance.answer_thrown(exception.clone())));
            assert!(answered.is_err(), "thrown: {exception:?}");
            assert_eq!(instance.waiting_hostcall(), Some(0), "it waits as before");
        }
        assert_eq!(instance.keep_exception(sound.clone()), Some(2));
        instance.answer_thrown(sound);
        assert_eq!(run(&mut instance), Exit::Done);
        assert_eq!(instance.result(0) as u32, 7, "what was left as it was arrives");
    }
}

/// So many bytes are left.
#[derive(Debug)]
struct Budget(AtomicU64);

impl MemoryBudget for Budget {
    fn take(&self, bytes: u64) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[test]
fn what_is_kept_is_taken_of_the_budget_and_refused_when_that_is_spent() {
    for bytes_max in [10_000, 1 << 30] {
        check(LOOP, |instance| {
            let budget = Arc::new(Budget(AtomicU64::new(bytes_max)));
            instance.draw_on(budget.clone());
            let left = || budget.0.load(Ordering::Relaxed);
            assert_eq!(call(instance, "by_reference", &[10]).unwrap(), [0]);
            let ten = instance.exceptions_bytes();
            assert!(ten > 0 && left() == bytes_max - ten, "{ten} bytes");

            let trap = call(instance, "by_reference", &[EXCEPTION_BYTES_MAX as u128]).unwrap_err();
            assert_eq!(trap.kind, TrapKind::TooManyExceptions);
            assert_eq!(left(), bytes_max - instance.exceptions_bytes(), "what was refused, here or there, is not counted");
            let room = left().min(EXCEPTION_BYTES_MAX as u64 - instance.exceptions_bytes());
            assert!(room < ten / 10, "{room} bytes of room are less than one takes");
            let another = instance.exception(1).unwrap().clone();
            assert_eq!(instance.keep_exception(another), None);
            assert_eq!(call(instance, "by_value", &[10]).unwrap(), [55], "what need not be kept needs no room");
        });
    }
}

/// The table is decoded, so it lies besides the file in memory.
#[test]
fn handlers_count_in_what_a_module_costs() {
    const HANDLERS: usize = 500;
    let handler = "(block $b (try_table (catch $e $b) (catch_all $b) (call $f)))";
    let modules = [0, HANDLERS].map(|handlers| format!("(module (tag $e) (func $f) (func (export \"g\") {}))", handler.repeat(handlers)));
    let besides = modules.map(|wat| {
        let compiled = vivarium_compiler::compile(&wat::parse_str(wat).unwrap(), &policy([]), Setting::Fast, &|_, _, _| {}).unwrap();
        let mut file = compiled.artifact.encode().unwrap();
        let key = SigningKey::from_bytes(&[7; 32]);
        SignedArtifact::sign(&mut file, &key);
        let module = runtime().load(SealedFile::from_bytes(&file).unwrap(), &key.verifying_key()).unwrap();
        module.artifact_bytes() - file.len()
    });
    assert!(besides[1] - besides[0] >= HANDLERS * 2 * size_of::<Clause>(), "{besides:?}");
}
