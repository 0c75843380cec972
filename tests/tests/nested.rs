//! An instance that waits in a hostcall may be called again; the calls end innermost first.

use std::sync::Arc;
use std::time::Duration;

use vivarium_artifact::{ExportedItem, FunctionType, Setting, TrapKind, ValueType};
use vivarium_runtime::activations::ACTIVATIONS_MAX;
use vivarium_runtime::{Callable, Exit, Instance, InvokeError, LoadedModule};
use vivarium_tests::engine::{limits, load, policy, pool, run};

/// How often what exhausts the stack is repeated.
const RECURSIONS: usize = 1_000;

/// `outer` keeps values of its own across the call of `ask`; the host answers that by calling `inner`, `spin`, `crash` or `outer` again.
const MODULE: &str = r#"(module
    (import "env" "ask" (func $ask (param i32 i64) (result i64)))
    (memory 1)
    (func $outer (export "outer") (param $n i32) (result i64) (local $kept i64)
        (local.set $kept (i64.mul (i64.extend_i32_u (local.get $n)) (i64.const 1000)))
        (i64.add (call $ask (local.get $n) (i64.const -7)) (local.get $kept)))
    (func (export "inner") (param i64 i64 i64) (result i64)
        (i64.sub (i64.add (local.get 0) (local.get 1)) (local.get 2)))
    (func (export "spin") (param $n i32) (result i32)
        (loop $again
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $again (local.get $n)))
        (local.get $n))
    (func $crash (export "crash") (unreachable))
    (func $deep (export "deep") (param i32) (result i32)
        (i32.add (call $deep (local.get 0)) (i32.const 1))))"#;

fn modules() -> [Arc<LoadedModule>; 2] {
    let ask = FunctionType { parameters: vec![ValueType::I32, ValueType::I64], results: vec![ValueType::I64] };
    let wasm = wat::parse_str(MODULE).unwrap();
    [Setting::Fast, Setting::Best].map(|setting| load(&wasm, &policy([("env", "ask", ask.clone())]), setting).unwrap())
}

fn invoke(instance: &mut Instance, export: &str, arguments: &[u128]) {
    let Some(ExportedItem::Function(function)) = instance.module().contract().export(export) else { panic!("no export {export}") };
    instance.invoke(function, arguments).unwrap();
}

/// What is looked up once serves calls of every kind: the first of a turn, those within it, nested ones, and those that trap or are preempted.
#[test]
fn a_function_that_was_looked_up_is_called_as_any_other() {
    let pool = pool(2);
    let [module, other] = modules();
    let mut instance = pool.acquire(&module, limits()).unwrap();
    let callable = |module: &Arc<LoadedModule>, export| {
        let Some(ExportedItem::Function(function)) = module.contract().export(export) else { panic!("no export {export}") };
        Callable::new(module, function).unwrap()
    };
    let [outer, inner, spin, crash] = ["outer", "inner", "spin", "crash"].map(|export| callable(&module, export));
    let mut calls = 0;
    let mut called = |instance: &mut Instance, callable: &Callable, arguments: &[u128]| {
        calls += 1;
        match instance.call(callable, arguments).unwrap() {
            Exit::Preempted => run(instance),
            exit => exit,
        }
    };
    for round in 0..1_000u64 {
        assert_eq!(called(&mut instance, &inner, &[round.into(), 40, 1]), Exit::Done);
        assert_eq!(instance.result(0), u128::from(round + 39));
        assert_eq!(called(&mut instance, &outer, &[5]), Exit::Hostcall { import: 0 });
        assert_eq!((instance.argument(0) as u32, instance.argument(1) as i64), (5, -7));
        assert_eq!(called(&mut instance, &inner, &[1, 2, 3]), Exit::Done, "it nests");
        assert_eq!((instance.result(0), instance.waiting_hostcall()), (0, Some(0)));
        instance.answer(&[round]);
        assert_eq!(run(&mut instance), Exit::Done);
        assert_eq!(instance.result(0), u128::from(round + 5000));
        if round % 100 == 0 {
            assert_eq!(called(&mut instance, &spin, &[u128::from(u32::MAX >> 8)]), Exit::Done, "it takes several slices");
            let Exit::Trapped(trap) = called(&mut instance, &crash, &[]) else { panic!("it traps") };
            assert_eq!((trap.kind, trap.frames[0].function.as_str()), (TrapKind::Unreachable, "crash"));
        }
    }
    assert_eq!(calls, 3_020);
    assert!(matches!(instance.call(&inner, &[1]), Err(InvokeError::Arguments { expected: 3, given: 1, .. })));
    let foreign = callable(&other, "inner");
    assert_eq!(instance.call(&foreign, &[7, 0, 0]), Err(InvokeError::OtherModule));
}

#[test]
fn a_hostcall_is_answered_by_what_the_guest_itself_computes() {
    let pool = pool(1);
    for module in modules() {
        let mut instance = pool.acquire(&module, limits()).unwrap();
        invoke(&mut instance, "outer", &[5]);
        assert_eq!(run(&mut instance), Exit::Hostcall { import: 0 });
        for round in 1..4u64 {
            invoke(&mut instance, "inner", &[u128::from(round), 40, 1]);
            assert_eq!(instance.depth(), 2);
            assert_eq!(run(&mut instance), Exit::Done);
            assert_eq!(instance.result(0), u128::from(round + 39));
            assert_eq!((instance.argument(0) as u32, instance.argument(1) as i64), (5, -7), "the hostcall's own arguments are still there");
            assert_eq!(instance.waiting_hostcall(), Some(0));
        }
        instance.answer(&[42]);
        assert_eq!(run(&mut instance), Exit::Done);
        assert_eq!((instance.result(0), instance.depth()), (5042, 0));
    }
}

#[test]
fn calls_nest_up_to_a_named_depth_and_each_keeps_what_is_its_own() {
    let pool = pool(1);
    for module in modules() {
        let mut instance = pool.acquire(&module, limits()).unwrap();
        for depth in 0..ACTIVATIONS_MAX {
            invoke(&mut instance, "outer", &[depth as u128]);
            assert_eq!(run(&mut instance), Exit::Hostcall { import: 0 }, "call {depth}");
            assert_eq!(instance.argument(0) as u32, depth as u32);
        }
        for depth in (0..ACTIVATIONS_MAX as u64).rev() {
            assert_eq!(instance.argument(0) as u32, depth as u32);
            instance.answer(&[1]);
            assert_eq!(run(&mut instance), Exit::Done);
            assert_eq!(instance.result(0), u128::from(depth * 1000 + 1));
        }
        assert_eq!(instance.depth(), 0);
    }
}

#[test]
fn one_call_too_many_is_an_exhausted_stack() {
    let pool = pool(1);
    let [module, _] = modules();
    let mut instance = pool.acquire(&module, limits()).unwrap();
    for _ in 0..ACTIVATIONS_MAX {
        invoke(&mut instance, "outer", &[1]);
        assert_eq!(run(&mut instance), Exit::Hostcall { import: 0 });
    }
    invoke(&mut instance, "outer", &[1]);
    let Exit::Trapped(trap) = run(&mut instance) else { panic!("there is no room") };
    assert_eq!(trap.kind, TrapKind::StackOverflow);
    assert!(trap.frames.iter().any(|frame| frame.function == "outer"));
    assert_eq!(instance.depth(), 0);
}

#[test]
fn preemption_holds_in_a_nested_call() {
    let pool = pool(1);
    for module in modules() {
        let mut instance = pool.acquire(&module, limits()).unwrap();
        invoke(&mut instance, "outer", &[3]);
        assert_eq!(run(&mut instance), Exit::Hostcall { import: 0 });
        invoke(&mut instance, "spin", &[0]);
        for _ in 0..3 {
            assert_eq!(instance.resume(), Exit::Preempted, "four thousand million rounds take longer than a slice");
        }
        drop(instance);
        let mut instance = pool.acquire(&module, limits()).unwrap();
        invoke(&mut instance, "outer", &[3]);
        assert_eq!(run(&mut instance), Exit::Hostcall { import: 0 });
        invoke(&mut instance, "spin", &[20_000_000]);
        assert_eq!(instance.resume(), Exit::Preempted);
        assert_eq!(run(&mut instance), Exit::Done);
        instance.answer(&[9]);
        assert_eq!(run(&mut instance), Exit::Done);
        assert_eq!(instance.result(0), 3009, "registers of the waiting call are its own");
    }
    assert_eq!(pool.discarded(), 0);
}

#[test]
fn a_trap_in_a_nested_call_ends_all_and_tells_all() {
    let pool = pool(1);
    for module in modules() {
        let mut instance = pool.acquire(&module, limits()).unwrap();
        invoke(&mut instance, "outer", &[1]);
        assert_eq!(run(&mut instance), Exit::Hostcall { import: 0 });
        invoke(&mut instance, "outer", &[2]);
        assert_eq!(run(&mut instance), Exit::Hostcall { import: 0 });
        invoke(&mut instance, "crash", &[]);
        let Exit::Trapped(trap) = run(&mut instance) else { panic!("crash traps") };
        assert_eq!(trap.kind, TrapKind::Unreachable);
        let functions: Vec<&str> = trap.frames.iter().map(|frame| frame.function.as_str()).collect();
        let own: Vec<&str> = functions.into_iter().filter(|name| ["crash", "outer"].contains(name)).collect();
        assert_eq!(own, ["crash", "outer", "outer"]);
        assert_eq!((instance.depth(), instance.waiting_hostcall()), (0, None));
        invoke(&mut instance, "inner", &[1, 2, 3]);
        assert_eq!(run(&mut instance), Exit::Done, "the next call has the whole stack again");
    }
}

#[test]
fn a_nested_call_that_uses_up_the_stack_is_reported() {
    let pool = pool(1);
    for module in modules() {
        let mut instance = pool.acquire(&module, limits()).unwrap();
        for _ in 0..RECURSIONS {
            invoke(&mut instance, "outer", &[1]);
            assert_eq!(run(&mut instance), Exit::Hostcall { import: 0 });
            invoke(&mut instance, "deep", &[1]);
            let Exit::Trapped(trap) = run(&mut instance) else { panic!("the stack ends") };
            assert_eq!(trap.kind, TrapKind::StackOverflow);
            assert_eq!(trap.frames[0].function, "deep");
        }
    }
    assert_eq!(pool.discarded(), 0);
}

/// The guest asks, the host calls it again, and so on: there the recursion is the host's and the guest's together.
#[test]
fn recursion_through_the_host_is_reported_a_thousand_times_over() {
    let pool = pool(1);
    let [module, _] = modules();
    for _ in 0..RECURSIONS {
        let mut instance = pool.acquire(&module, limits()).unwrap();
        let trap = loop {
            invoke(&mut instance, "outer", &[1]);
            match run(&mut instance) {
                Exit::Hostcall { import: 0 } => {}
                Exit::Trapped(trap) => break trap,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(trap.kind, TrapKind::StackOverflow);
        assert!(trap.frames.iter().all(|frame| ["ask", "outer"].contains(&frame.function.as_str())), "{:?}", trap.frames);
    }
    assert_eq!((pool.in_use(), pool.discarded()), (0, 0));
}

/// Nobody can answer the outer call any more, so the deadline of the inner one is that of the whole instance.
#[test]
fn a_deadline_in_a_nested_call_ends_all_calls() {
    const DEADLINE: Duration = Duration::from_millis(5);
    let pool = pool(1);
    for module in modules() {
        let mut instance = pool.acquire(&module, limits()).unwrap();
        invoke(&mut instance, "outer", &[1]);
        assert_eq!(run(&mut instance), Exit::Hostcall { import: 0 });
        invoke(&mut instance, "spin", &[0]);
        let spins_until_the_deadline = |instance: &mut Instance| {
            while instance.ran() < DEADLINE {
                assert_eq!(instance.resume(), Exit::Preempted);
            }
            assert_eq!((instance.depth(), instance.waiting_hostcall()), (2, None), "the inner call runs, the outer one waits below it");
        };
        spins_until_the_deadline(&mut instance);
        instance.abandon();
        assert_eq!((instance.depth(), instance.waiting_hostcall()), (0, None), "neither goes on");
        invoke(&mut instance, "inner", &[1, 2, 3]);
        assert_eq!(run(&mut instance), Exit::Done, "whoever kept the instance may call it anew, on the whole stack");
        drop(instance);

        let mut instance = pool.acquire(&module, limits()).unwrap();
        invoke(&mut instance, "outer", &[1]);
        assert_eq!(run(&mut instance), Exit::Hostcall { import: 0 });
        invoke(&mut instance, "spin", &[0]);
        spins_until_the_deadline(&mut instance);
        drop(instance);
        assert_eq!((pool.in_use(), pool.discarded()), (0, 0), "its slot is pristine again");
    }
}

#[test]
fn an_instance_that_waits_in_nested_calls_can_be_killed() {
    let pool = pool(1);
    for module in modules() {
        for depth in 1..=4 {
            let mut instance = pool.acquire(&module, limits()).unwrap();
            for _ in 0..depth {
                invoke(&mut instance, "outer", &[1]);
                assert_eq!(run(&mut instance), Exit::Hostcall { import: 0 });
            }
            assert_eq!(instance.depth(), depth);
            drop(instance);
            assert_eq!((pool.in_use(), pool.discarded()), (0, 0));
        }
        let mut instance = pool.acquire(&module, limits()).unwrap();
        invoke(&mut instance, "inner", &[1, 2, 3]);
        assert_eq!(run(&mut instance), Exit::Done, "the next one in that slot begins afresh");
    }
}

#[test]
fn abandoned_calls_leave_a_fresh_stack() {
    let pool = pool(1);
    let [module, _] = modules();
    let mut instance = pool.acquire(&module, limits()).unwrap();
    for _ in 0..2 * ACTIVATIONS_MAX {
        invoke(&mut instance, "outer", &[1]);
        assert_eq!(run(&mut instance), Exit::Hostcall { import: 0 });
        instance.abandon();
        assert_eq!(instance.depth(), 0);
    }
}
