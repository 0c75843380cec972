//! What is said where the system has no room for one more instance: mappings, address space.

use std::process::Command;

use vivarium_artifact::Setting;
use vivarium_runtime::{AcquireError, Runtime, RuntimeSettings};
use vivarium_tests::engine::{call, limits, load_wat};

/// Runs a test of this file in a process of its own, with so much address space.
const CHILD: &str = "VIVARIUM_TEST_CHILD";
/// In KiB, as `ulimit -v` counts.
const ADDRESS_SPACE_KIB: u64 = 64 << 20;

fn runtime() -> Runtime {
    Runtime::start(RuntimeSettings::default()).unwrap()
}

#[test]
fn one_mapping_too_many_is_refused_with_a_sentence_and_costs_nobody_anything() {
    let mappings_max: u32 = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap().trim().parse().unwrap();
    // Most of this memory lies behind the image: three mappings a slot, so that there are not as many slots as mappings.
    let module = load_wat(
        "(module (memory 100) (data (i32.const 9) \"7\") (func (export \"f\") (result i32) (i32.load8_u (i32.const 9))))",
        Setting::Fast,
    );
    let slots = mappings_max / 3 + 8;
    let Ok(pool) = runtime().pool(slots) else {
        println!("not run: {mappings_max} mappings are more than there is address space for");
        return;
    };
    let mut live = Vec::new();
    let refused = loop {
        match pool.acquire(&module, limits()) {
            Ok(instance) => live.push(instance),
            Err(error) => break error,
        }
    };
    println!("{} instances, then: {refused}", live.len());
    assert!(matches!(refused, AcquireError::Place(_)), "{refused}");
    assert!(refused.to_string().contains("vm.max_map_count"), "{refused}");
    let room_for = live.len();
    for _ in 0..3 {
        assert_eq!(call(live.last_mut().unwrap(), "f", &[]).unwrap(), [u128::from(b'7')]);
        live.truncate(room_for / 2);
        while live.len() < room_for {
            live.push(pool.acquire(&module, limits()).expect("as many as before"));
        }
    }
}

#[test]
fn address_space_that_the_process_may_not_have_is_named() {
    if std::env::var_os(CHILD).is_some() {
        let error = runtime().pool(1_000).unwrap_err().to_string();
        assert!(error.contains("address space for 0 slots, not for 1000") && error.contains("ask for fewer"), "{error}");
        let pool = runtime().pool(4).unwrap();
        let module = load_wat("(module (memory 1) (func (export \"f\") (result i32) (i32.const 5)))", Setting::Fast);
        assert_eq!(call(&mut pool.acquire(&module, limits()).unwrap(), "f", &[]).unwrap(), [5]);
        return;
    }
    let test = std::env::current_exe().unwrap();
    let limited = format!("ulimit -v {ADDRESS_SPACE_KIB} && exec \"$0\" --exact address_space_that_the_process_may_not_have_is_named");
    let status = Command::new("sh").arg("-c").arg(limited).arg(test).env(CHILD, "1").status().unwrap();
    assert!(status.success(), "{status}");
}
