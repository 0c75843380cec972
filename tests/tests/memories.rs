//! Several memories of one module, 64-bit addresses and pages of one byte: each ends where it says, and each begins anew in the next instance.

use vivarium_artifact::{Setting, TrapKind};
use vivarium_runtime::{Instance, InstanceLimits};
use vivarium_tests::engine::{call, limits, load_wat, pool};

const SETTINGS: [Setting; 2] = [Setting::Fast, Setting::Best];

/// Two guarded memories, one with 64-bit addresses, one of three bytes.
const FOUR: &str = r#"(module
  (memory $a 1 3) (memory $b 1 3) (memory $wide i64 1 3) (memory $bytes 3 9000 (pagesize 1))
  (data (memory $a) (i32.const 0) "first") (data (memory $b) (i32.const 0) "other") (data (memory $bytes) (i32.const 0) "abc")
  (func (export "load a") (param i32) (result i32) local.get 0 i32.load8_u $a)
  (func (export "load b") (param i32) (result i32) local.get 0 i32.load8_u $b)
  (func (export "load wide") (param i64) (result i32) local.get 0 i32.load8_u $wide)
  (func (export "load far") (param i64) (result i32) local.get 0 i32.load8_u $wide offset=65536)
  (func (export "load bytes") (param i32) (result i32) local.get 0 i32.load8_u $bytes)
  (func (export "store b") (param i32 i32) local.get 0 local.get 1 i32.store8 $b)
  (func (export "store wide") (param i64 i32) local.get 0 local.get 1 i32.store8 $wide)
  (func (export "store bytes") (param i32 i32) local.get 0 local.get 1 i32.store8 $bytes)
  (func (export "grow b") (param i32) (result i32) local.get 0 memory.grow $b)
  (func (export "grow wide") (param i64) (result i64) local.get 0 memory.grow $wide)
  (func (export "grow bytes") (param i32) (result i32) local.get 0 memory.grow $bytes)
  (func (export "copy") (param i64 i32 i32) local.get 0 local.get 1 local.get 2 memory.copy $wide $a))"#;

fn instance(setting: Setting, bytes_max: u64) -> (vivarium_runtime::Pool, Instance) {
    let pool = pool(1);
    let instance = pool.acquire(&load_wat(FOUR, setting), InstanceLimits { memory_bytes_max: bytes_max }).unwrap();
    (pool, instance)
}

fn value(instance: &mut Instance, export: &str, arguments: &[u128]) -> u128 {
    call(instance, export, arguments).unwrap_or_else(|trap| panic!("{export}: {}", trap.kind))[0]
}

#[test]
fn each_memory_has_its_own_bytes_and_its_own_end() {
    for setting in SETTINGS {
        let (_pool, mut instance) = instance(setting, limits().memory_bytes_max);
        for (export, first, end) in [("load a", b'f', 65536), ("load b", b'o', 65536), ("load wide", 0, 65536), ("load bytes", b'a', 3)] {
            assert_eq!(value(&mut instance, export, &[0]), u128::from(first), "{export}");
            let last = call(&mut instance, export, &[end - 1]);
            assert!(last.is_ok(), "{export}: {last:?}");
            let past = call(&mut instance, export, &[end]).expect_err("past the end");
            assert_eq!(past.kind, TrapKind::MemoryOutOfBounds, "{export}");
        }
        for (export, address) in
            [("load a", u32::MAX.into()), ("load b", u32::MAX.into()), ("load wide", u64::MAX.into()), ("load bytes", u32::MAX.into())]
        {
            assert_eq!(call(&mut instance, export, &[address]).unwrap_err().kind, TrapKind::MemoryOutOfBounds, "{export} {address:#x}");
        }
        for address in [0, u64::MAX - 65535, u64::MAX] {
            assert_eq!(call(&mut instance, "load far", &[address.into()]).unwrap_err().kind, TrapKind::MemoryOutOfBounds, "{address:#x}");
        }
    }
}

#[test]
fn each_memory_grows_by_itself_and_all_share_one_limit() {
    for setting in SETTINGS {
        let (_pool, mut instance) = instance(setting, 4 * 65536);
        assert_eq!(value(&mut instance, "grow bytes", &[5000]), 3);
        assert_eq!(value(&mut instance, "load bytes", &[5002]), 0);
        assert_eq!(call(&mut instance, "load bytes", &[5003]).unwrap_err().kind, TrapKind::MemoryOutOfBounds);
        assert_eq!(value(&mut instance, "grow b", &[1]) as i32, -1, "3 pages and 5003 bytes are there, a fourth page is too much");
        assert_eq!(value(&mut instance, "grow wide", &[0]), 1);
    }
    let (_pool, mut instance) = instance(Setting::Fast, limits().memory_bytes_max);
    assert_eq!(value(&mut instance, "grow b", &[2]), 1);
    assert_eq!(value(&mut instance, "grow b", &[1]) as i32, -1, "its own maximum");
    assert_eq!(value(&mut instance, "grow wide", &[u64::MAX.into()]) as i64, -1);
    assert_eq!(value(&mut instance, "load b", &[3 * 65536 - 1]), 0);
}

#[test]
fn a_copy_between_memories_of_different_widths_checks_both() {
    for setting in SETTINGS {
        let (_pool, mut instance) = instance(setting, limits().memory_bytes_max);
        call(&mut instance, "copy", &[65531, 0, 5]).unwrap();
        assert_eq!(value(&mut instance, "load wide", &[65535]), u128::from(b't'));
        for arguments in [[65532, 0, 5], [u64::MAX.into(), 0, 5], [0, 65532, 5], [0, 0, u32::MAX.into()]] {
            assert_eq!(call(&mut instance, "copy", &arguments).unwrap_err().kind, TrapKind::MemoryOutOfBounds, "{arguments:?}");
        }
    }
}

/// The engine compares every byte with the image after each reset.
#[test]
fn the_next_instance_has_no_byte_of_the_last_in_any_memory() {
    for setting in SETTINGS {
        let pool = pool(1);
        let module = load_wat(FOUR, setting);
        for _ in 0..3 {
            let mut instance = pool.acquire(&module, limits()).unwrap();
            value(&mut instance, "grow b", &[2]);
            value(&mut instance, "grow wide", &[1]);
            value(&mut instance, "grow bytes", &[8000]);
            for (export, address) in
                [("store b", 1), ("store b", 131071), ("store wide", 131071), ("store bytes", 1), ("store bytes", 8000)]
            {
                call(&mut instance, export, &[address, 7]).unwrap();
            }
            drop(instance);
            assert_eq!(pool.discarded(), 0);
            let mut next = pool.acquire(&module, limits()).unwrap();
            assert_eq!(value(&mut next, "load b", &[1]), u128::from(b't'));
            assert_eq!(call(&mut next, "load b", &[65536]).unwrap_err().kind, TrapKind::MemoryOutOfBounds);
            assert_eq!(value(&mut next, "load bytes", &[1]), u128::from(b'b'));
        }
    }
}

#[test]
fn a_slot_serves_one_memory_and_several_in_turn() {
    let pool = pool(1);
    let one = load_wat(r#"(module (memory 1) (func (export "load") (param i32) (result i32) local.get 0 i32.load8_u))"#, Setting::Fast);
    let four = load_wat(FOUR, Setting::Fast);
    for _ in 0..2 {
        let mut instance = pool.acquire(&four, limits()).unwrap();
        assert_eq!(value(&mut instance, "load a", &[0]), u128::from(b'f'));
        drop(instance);
        let mut instance = pool.acquire(&one, limits()).unwrap();
        assert_eq!(value(&mut instance, "load", &[65535]), 0);
        assert_eq!(call(&mut instance, "load", &[65536]).unwrap_err().kind, TrapKind::MemoryOutOfBounds);
    }
    assert_eq!((pool.in_use(), pool.discarded()), (0, 0));
}

/// Mappings of this process.
fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

#[test]
fn a_slot_with_many_memories_gives_its_mappings_back_when_its_instance_ends() {
    let memories: String =
        (0..16).map(|memory| format!(r#"(memory $m{memory} 65) (data (memory $m{memory}) (i32.const 0) "x")"#)).collect();
    let module = load_wat(&format!(r#"(module {memories} (func (export "run")))"#), Setting::Fast);
    let pool = pool(2);
    // What the process itself takes for its first instance stays.
    drop(pool.acquire(&load_wat(FOUR, Setting::Fast), limits()).unwrap());
    let before = mappings();
    for _ in 0..3 {
        let mut instances = [(); 2].map(|()| pool.acquire(&module, limits()).unwrap());
        instances.iter_mut().for_each(|instance| drop(call(instance, "run", &[]).unwrap()));
        assert!(mappings() > before + 40, "{} and {before} before", mappings());
        drop(instances);
        assert!(mappings() < before + 10, "{} and {before} before", mappings());
    }
    assert_eq!(pool.discarded(), 0);
}
