//! Waiting is not resuming yet: thousands of instances wait in hostcalls on one thread, in any order, and one that waits can be killed.

use vivarium_artifact::{ExportedItem, FunctionType, Setting, ValueType};
use vivarium_runtime::{Exit, Instance, InstanceLimits};
use vivarium_tests::engine::{live_instances_max, load, policy, pool, run};

const INSTANCES: u32 = 10_000;
/// Each instance of a multiple of this is killed while it waits.
const KILLED: usize = 7;
const LIMITS: InstanceLimits = InstanceLimits { memory_bytes_max: 64 << 10 };

/// Keeps its argument in a local, in memory and in a global while it waits.
const MODULE: &str = r#"(module
    (import "env" "wait" (func $wait (param i32) (result i64)))
    (memory 1 1)
    (global $kept (mut i32) (i32.const 0))
    (func (export "run") (param $n i32) (result i64)
        (i32.store (i32.const 4096) (local.get $n))
        (global.set $kept (local.get $n))
        (i64.add (call $wait (local.get $n))
            (i64.add (i64.extend_i32_u (i32.load (i32.const 4096)))
                (i64.add (i64.extend_i32_u (global.get $kept)) (i64.extend_i32_u (local.get $n)))))))"#;

#[test]
fn ten_thousand_wait_at_once_and_each_is_answered_right() {
    assert!(live_instances_max() >= INSTANCES, "vm.max_map_count is too small for ten thousand instances");
    let wait = FunctionType { parameters: vec![ValueType::I32], results: vec![ValueType::I64] };
    let module = load(&wat::parse_str(MODULE).unwrap(), &policy([("env", "wait", wait)]), Setting::Fast).unwrap();
    let Some(ExportedItem::Function(function)) = module.contract().export("run") else { panic!("run is exported") };
    let pool = pool(INSTANCES);
    let mut waiting: Vec<Option<Instance>> = (0..INSTANCES)
        .map(|number| {
            let mut instance = pool.acquire(&module, LIMITS).unwrap_or_else(|error| panic!("instance {number}: {error}"));
            instance.invoke(function, &[u128::from(number)]).unwrap();
            assert_eq!(run(&mut instance), Exit::Hostcall { import: 0 });
            Some(instance)
        })
        .collect();
    assert_eq!(pool.in_use(), INSTANCES);

    let killed = waiting.iter_mut().step_by(KILLED).filter_map(Option::take).count();
    assert_eq!(pool.in_use(), INSTANCES - killed as u32);

    // Answered in another order than asked: 7919 has no divisor in common with ten thousand.
    let mut answered = 0;
    for step in 0..INSTANCES as usize {
        let number = step * 7919 % INSTANCES as usize;
        let Some(mut instance) = waiting[number].take() else { continue };
        assert_eq!(instance.argument(0) as u32, number as u32);
        instance.answer(&[1_000_000]);
        assert_eq!(run(&mut instance), Exit::Done);
        assert_eq!(instance.result(0), 1_000_000 + 3 * number as u128);
        answered += 1;
    }
    assert_eq!(answered + killed, INSTANCES as usize);
    assert_eq!((pool.in_use(), pool.discarded()), (0, 0));
}
