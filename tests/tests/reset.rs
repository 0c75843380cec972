//! What one request wrote, the next cannot read: slots are compared byte for byte with the image after each reset.

use std::sync::Arc;

use vivarium_artifact::Setting;
use vivarium_runtime::{LoadedModule, Pool};
use vivarium_tests::engine::{call, limits, load_wat, pool};

const SMALL: &str = r#"(module
    (memory (export "memory") 2 8)
    (data (i32.const 100) "image")
    (table $t 4 20 funcref) (elem (i32.const 0) $f)
    (global $g (mut i64) (i64.const 77))
    (func $f)
    (func (export "scribble") (param i32)
        (global.set $g (i64.const -1))
        (memory.fill (i32.const 0) (i32.const 255) (i32.const 131072))
        (drop (memory.grow (i32.const 1)))
        (memory.fill (i32.const 131072) (local.get 0) (i32.const 65536))
        (drop (table.grow $t (ref.func $f) (i32.const 3)))
        (table.set $t (i32.const 3) (ref.func $f)))
    (func (export "look") (result i64 i32 i32 i32 i32)
        (global.get $g) (i32.load (i32.const 100)) (memory.size) (table.size $t) (ref.is_null (table.get $t (i32.const 3))))
    (func (export "past") (result i32) (i32.load (i32.const 131072)))
    (func (export "after_grow") (result i32) (drop (memory.grow (i32.const 1))) (i32.load (i32.const 131072))))"#;

fn pristine(module: &Arc<LoadedModule>, pool: &Pool) {
    let instance = pool.acquire(module, limits()).unwrap();
    assert_eq!(instance.image(), module.image_view(), "a fresh instance begins with the image");
}

#[test]
fn memory_globals_tables_and_growth_are_given_back() {
    let module = load_wat(SMALL, Setting::Fast);
    let pool = pool(1);
    let before = call(&mut pool.acquire(&module, limits()).unwrap(), "look", &[]).unwrap();
    for round in 0..50 {
        call(&mut pool.acquire(&module, limits()).unwrap(), "scribble", &[round % 256]).unwrap();
        pristine(&module, &pool);
        assert_eq!(call(&mut pool.acquire(&module, limits()).unwrap(), "look", &[]).unwrap(), before);
    }
    assert_eq!(pool.discarded(), 0);
}

#[test]
fn memory_that_grew_is_closed_and_empty_again() {
    let module = load_wat(SMALL, Setting::Fast);
    let pool = pool(1);
    call(&mut pool.acquire(&module, limits()).unwrap(), "scribble", &[9]).unwrap();
    let trap = call(&mut pool.acquire(&module, limits()).unwrap(), "past", &[]).expect_err("past the length again");
    assert_eq!(trap.kind, vivarium_artifact::TrapKind::MemoryOutOfBounds);
    assert_eq!(call(&mut pool.acquire(&module, limits()).unwrap(), "after_grow", &[]).unwrap(), [0]);
}

#[test]
fn bytes_scattered_over_all_of_a_slot_are_given_back() {
    let module = load_wat(SMALL, Setting::Fast);
    let pool = pool(1);
    let mut state = 0x2545_f491_4f6c_dd1du64;
    for _ in 0..300 {
        let mut instance = pool.acquire(&module, limits()).unwrap();
        let image = instance.spoil();
        for _ in 0..50 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let length = image.len();
            image[state as usize % length] ^= (state >> 40) as u8 | 1;
        }
        drop(instance);
        pristine(&module, &pool);
    }
    assert_eq!(pool.discarded(), 0, "the pool verifies resets in tests and found none wanting");
}

#[test]
fn a_secret_is_not_seen_by_the_next_request_nor_by_the_next_deployment_in_that_slot() {
    const SECRET: u8 = 0xa7;
    let first = load_wat(SMALL, Setting::Fast);
    let second = load_wat("(module (memory (export \"memory\") 3 9) (func (export \"f\")))", Setting::Fast);
    let pool = pool(1);
    for _ in 0..20 {
        let mut instance = pool.acquire(&first, limits()).unwrap();
        call(&mut instance, "scribble", &[u128::from(SECRET)]).unwrap();
        instance.spoil().fill(SECRET);
        let length = instance.memory().len() as u64;
        instance.memory_mut(0, length).unwrap().fill(SECRET);
        drop(instance);
        for module in [&first, &second] {
            let instance = pool.acquire(module, limits()).unwrap();
            let found = instance.image().iter().chain(instance.memory()).filter(|byte| **byte == SECRET).count();
            let own = module.image_view().iter().filter(|byte| **byte == SECRET).count();
            assert!(found <= 2 * own, "{found} bytes of the secret were left behind");
        }
    }
}

#[test]
fn slots_are_reused_when_all_hold_other_modules() {
    let pool = pool(2);
    for round in 0..6 {
        let wat =
            format!("(module (memory 1) (data (i32.const 0) \"{round}\") (func (export \"f\") (result i32) (i32.load8_u (i32.const 0))))");
        let module = load_wat(&wat, Setting::Fast);
        let mut instance = pool.acquire(&module, limits()).unwrap();
        assert_eq!(call(&mut instance, "f", &[]).unwrap(), [u128::from(b'0' + round)]);
    }
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn a_pool_whose_slots_are_all_in_use_says_so() {
    let pool = pool(1);
    let module = load_wat("(module (func (export \"f\")))", Setting::Fast);
    let _held = pool.acquire(&module, limits()).unwrap();
    assert_eq!(pool.acquire(&module, limits()).unwrap_err().to_string(), "all 1 slots of this thread are in use");
}
