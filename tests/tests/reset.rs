//! What one request wrote, the next cannot read: by every reset method, over every part of a slot, slots are compared byte for byte with the image.
//!
//! The comparisons are this file's own; the pools that it tests do not verify their resets.

use std::io::{Read as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use vivarium_artifact::{Setting, TrapKind};
use vivarium_compiler::Policy;
use vivarium_runtime::{Instance, LoadedModule, Pool, ResetMethod, Runtime, RuntimeSettings};
use vivarium_tests::engine::{call, limits, load, policy};
use vivarium_tests::requests::Requests;

/// Requests that write at random places, over all methods and modules.
const REQUESTS: u64 = 100_000;
const SECRET: u64 = 0xa7c3_5e91_d24b_680f;

/// Writes wherever a guest can: memory, a table, globals, memory that grew, and by recursion the stack.
fn scribbler(memory_pages: u32) -> String {
    format!(
        r#"(module
    (memory (export "memory") {memory_pages} 200)
    (data (i32.const 100) "image") (data (i32.const 5000) "more of it")
    (data $passive "passive")
    (table $t 4 20 funcref) (elem (i32.const 0) $f)
    (global $g (mut i64) (i64.const 77)) (global $h (mut f64) (f64.const 7))
    (func $f)
    (func (export "store") (param i32 i64) (i64.store (local.get 0) (local.get 1)))
    (func (export "fill") (param i64) (local $p i32)
        (loop $next
            (i64.store (local.get $p) (local.get 0))
            (br_if $next (i32.lt_u (local.tee $p (i32.add (local.get $p) (i32.const 8))) (i32.mul (memory.size) (i32.const 65536))))))
    (func (export "grow") (param i32 i64) (local $end i32)
        (if (i32.eq (memory.grow (local.get 0)) (i32.const -1)) (then unreachable))
        (local.set $end (i32.mul (memory.size) (i32.const 65536)))
        (i64.store (i32.sub (local.get $end) (i32.const 8)) (local.get 1))
        (i64.store (i32.sub (local.get $end) (i32.const 65536)) (local.get 1)))
    (func (export "change") (param i64)
        (global.set $g (local.get 0)) (global.set $h (f64.reinterpret_i64 (local.get 0)))
        (drop (table.grow $t (ref.func $f) (i32.const 3)))
        (table.set $t (i32.const 3) (ref.func $f))
        (data.drop $passive))
    (func $deep (export "deep") (param i64 i64) (result i64)
        (if (result i64) (i64.eqz (local.get 1))
            (then (local.get 0))
            (else (i64.add (local.get 0) (call $deep (i64.xor (local.get 0) (i64.const 3)) (i64.sub (local.get 1) (i64.const 1)))))))
    (func (export "look") (result i64 f64 i32 i32 i32 i32)
        (global.get $g) (global.get $h) (i32.load (i32.const 100)) (memory.size) (table.size $t) (ref.is_null (table.get $t (i32.const 3))))
    (func (export "past") (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "after_grow") (param i32) (result i64) (local $p i32) (local $or i64)
        (local.set $p (i32.mul (memory.grow (local.get 0)) (i32.const 65536)))
        (loop $next
            (local.set $or (i64.or (local.get $or) (i64.load (local.get $p))))
            (br_if $next (i32.lt_u (local.tee $p (i32.add (local.get $p) (i32.const 8))) (i32.mul (memory.size) (i32.const 65536)))))
        (local.get $or)))"#
    )
}

/// A module with a small stack, so that comparing all of it is quick.
fn scribbling_module(memory_pages: u32) -> Arc<LoadedModule> {
    let wasm = wat::parse_str(scribbler(memory_pages)).unwrap();
    load(&wasm, &Policy { stack_bytes: 32 << 10, ..policy([]) }, Setting::Fast).unwrap()
}

/// Runs a test by each method that works here, and once with all of them together.
fn by_each_method(test: impl Fn(&Pool, Option<ResetMethod>)) {
    for reset in [None].into_iter().chain(ResetMethod::ALL.map(Some)) {
        match reset.and_then(Runtime::obstacle) {
            Some(obstacle) => println!("{reset:?} was not run: {obstacle}"),
            None => {
                let settings = RuntimeSettings { reset, ..RuntimeSettings::default() };
                test(&Runtime::start(settings).unwrap().pool(1).unwrap(), reset);
            }
        }
    }
}

/// A fresh instance, after its slot was compared byte for byte with what it must begin with.
fn fresh(pool: &Pool, module: &Arc<LoadedModule>) -> Instance {
    let instance = pool.acquire(module, limits()).unwrap();
    let (image, memory) = (module.image_view(), module.contract().memories[0].image_bytes as usize);
    let differs = instance.image().iter().zip(image).position(|(found, wanted)| found != wanted);
    assert_eq!(differs.map(|at| (at, instance.image()[at])), None, "a byte of the image was not given back");
    assert_eq!(instance.memory().len() as u64, module.contract().memories[0].minimum_bytes(), "the memory's first length");
    let behind = instance.memory()[memory..].iter().position(|byte| *byte != 0);
    assert_eq!(behind, None, "a byte behind the image was not given back");
    instance
}

/// Numbers that are the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

/// One request's writes: by the guest itself, then at places that only a wild or miscompiled guest would reach.
fn scribble(instance: &mut Instance, numbers: &mut Numbers) {
    let memory_bytes = instance.memory().len() as u64;
    for _ in 0..numbers.below(4) {
        let value = numbers.0 as u128 & u128::from(u64::MAX);
        match numbers.below(12) {
            0 => drop(call(instance, "change", &[value])),
            1 => drop(call(instance, "grow", &[1 + u128::from(numbers.below(20)), value])),
            2 => drop(call(instance, "deep", &[value, u128::from(numbers.below(400))])),
            3 => instance.memory_mut(numbers.below(memory_bytes - 500), numbers.below(500)).unwrap().fill(value as u8),
            _ => drop(call(instance, "store", &[u128::from(numbers.below(memory_bytes - 8)), value])),
        }
    }
    // Most requests write little and in few places; some write more than a set holds.
    let writes = [0, 0, 0, 1, 2, 5, 12, 200][numbers.below(8) as usize];
    let places = [2, 5, 20, u64::MAX][numbers.below(4) as usize];
    let slot = instance.spoil();
    let length = slot.len() as u64;
    for _ in 0..writes {
        let at = numbers.below(places).wrapping_mul(0x9e37_79b9_7f4a_7c15) % length;
        slot[at as usize] ^= numbers.0 as u8 | 1;
    }
}

#[test]
fn bytes_written_at_random_in_a_hundred_thousand_requests_are_given_back() {
    // Most requests to small slots; behind the image of the last lies memory that is in no image.
    let modules = [(1, 24_000), (16, 940), (70, 60)].map(|(pages, requests)| (scribbling_module(pages), requests));
    let served = std::cell::Cell::new(0);
    by_each_method(|pool, method| {
        for (module, requests) in &modules {
            served.set(served.get() + requests);
            let mut numbers = Numbers(0x2545_f491_4f6c_dd1d ^ *requests);
            for _ in 0..*requests {
                scribble(&mut fresh(pool, module), &mut numbers);
            }
            drop(fresh(pool, module));
        }
        assert_eq!(pool.discarded(), 0, "{method:?}");
    });
    let all_work = ResetMethod::ALL.into_iter().all(|method| Runtime::obstacle(method).is_none());
    println!("{} requests", served.get());
    assert!(served.get() >= REQUESTS || !all_work, "{} requests", served.get());
}

#[test]
fn what_a_guest_sees_of_itself_is_the_same_in_every_instance() {
    let module = scribbling_module(2);
    by_each_method(|pool, _| {
        let before = call(&mut fresh(pool, &module), "look", &[]).unwrap();
        for round in 0..200u128 {
            let mut instance = fresh(pool, &module);
            call(&mut instance, "change", &[round]).unwrap();
            call(&mut instance, "grow", &[1 + round % 3, round]).unwrap();
            call(&mut instance, "store", &[(round * 777) % 120_000, u128::from(u64::MAX)]).unwrap();
            drop(instance);
            assert_eq!(call(&mut fresh(pool, &module), "look", &[]).unwrap(), before);
        }
    });
}

/// More than a slot keeps populated after a reset: what is beyond is dropped, and nothing of it stays.
#[test]
fn memory_beyond_what_is_kept_is_given_back_too() {
    const KEPT_PAGES: u128 = 16 << 4;
    let wat = |pages: u128| scribbler(pages as u32).replace(" 200)", " 700)");
    let module =
        |pages| load(&wat::parse_str(wat(pages)).unwrap(), &Policy { stack_bytes: 32 << 10, ..policy([]) }, Setting::Fast).unwrap();
    let (large, small) = (module(KEPT_PAGES + 64), module(1));
    by_each_method(|pool, _| {
        for _ in 0..3 {
            call(&mut fresh(pool, &large), "fill", &[u128::from(SECRET)]).unwrap();
            assert_eq!(secrets(&fresh(pool, &large)), 0);
            // In two pieces, of which the second passes the bound.
            let mut instance = fresh(pool, &large);
            for start in [0, 9 << 20] {
                instance.memory_mut(start, 8 << 20).unwrap().fill(SECRET as u8);
            }
            drop(instance);
            fresh(pool, &large);
            // And behind the first length.
            let mut instance = fresh(pool, &small);
            call(&mut instance, "grow", &[KEPT_PAGES + 64, 1]).unwrap();
            call(&mut instance, "fill", &[u128::from(SECRET)]).unwrap();
            drop(instance);
            assert_eq!(call(&mut fresh(pool, &small), "after_grow", &[KEPT_PAGES + 64]).unwrap(), [0]);
        }
    });
}

/// How often the secret stands in what an instance can reach.
fn secrets(instance: &Instance) -> usize {
    let of = |bytes: &[u8]| bytes.chunks_exact(8).filter(|word| *word == SECRET.to_le_bytes()).count();
    of(instance.image()) + of(instance.memory())
}

#[test]
fn a_secret_is_not_seen_by_the_next_request_nor_by_the_next_deployment_in_that_slot() {
    let (first, second) = (scribbling_module(2), scribbling_module(3));
    by_each_method(|pool, method| {
        for round in 0..20 {
            let mut instance = fresh(pool, &first);
            call(&mut instance, "grow", &[[1, 90][round % 2], u128::from(SECRET)]).unwrap();
            call(&mut instance, "fill", &[u128::from(SECRET)]).unwrap();
            call(&mut instance, "change", &[u128::from(SECRET)]).unwrap();
            instance.spoil().chunks_exact_mut(8).for_each(|word| word.copy_from_slice(&SECRET.to_le_bytes()));
            assert!(secrets(&instance) > 30_000, "it was there");
            drop(instance);
            for module in [&first, &second, &first] {
                let mut instance = fresh(pool, module);
                assert_eq!(secrets(&instance), 0, "{method:?}");
                assert_eq!(call(&mut instance, "after_grow", &[100]).unwrap(), [0], "{method:?}: what is grown is empty");
            }
        }
    });
}

#[test]
fn memory_that_grew_is_closed_and_empty_again() {
    let module = scribbling_module(2);
    by_each_method(|pool, method| {
        for pages in [1, 2, 90, 1] {
            call(&mut fresh(pool, &module), "grow", &[pages, u128::from(SECRET)]).unwrap();
            for address in [131_072, 131_072 + 65_536 * pages - 4] {
                let trap = call(&mut fresh(pool, &module), "past", &[address]).expect_err("past the first length again");
                assert_eq!(trap.kind, TrapKind::MemoryOutOfBounds, "{method:?}");
            }
            assert_eq!(call(&mut fresh(pool, &module), "after_grow", &[pages]).unwrap(), [0], "{method:?}");
        }
    });
}

#[test]
fn what_the_host_writes_for_a_guest_is_given_back_and_reaches_it() {
    let module = scribbling_module(2);
    by_each_method(|pool, method| {
        for round in 0..100u64 {
            // The kernel refuses to write to a protected page: the host must have asked first.
            let (mut from, to) = std::os::unix::net::UnixStream::pair().unwrap();
            (&to).write_all(&[7; 300]).unwrap();
            let mut instance = fresh(pool, &module);
            let place = instance.memory_mut((round * 4_099) % 130_000, 300).unwrap();
            from.read_exact(place).unwrap_or_else(|error| panic!("{method:?}: {error}"));
            assert_eq!(instance.memory().iter().filter(|byte| **byte == 7).count(), 300);
        }
        let mut instance = fresh(pool, &module);
        assert!(instance.memory_mut(0, 131_072).is_some() && instance.memory_mut(1, 131_072).is_none());
        instance.memory_mut(0, 131_072).unwrap().fill(9);
        drop(instance);
        fresh(pool, &module);
    });
}

#[test]
fn a_module_is_reset_by_what_suits_its_writes() {
    let below = if Runtime::obstacle(ResetMethod::PageScan).is_none() { ResetMethod::PageScan } else { ResetMethod::Madvise };
    let best = Runtime::start(RuntimeSettings::default()).unwrap();
    let pool = best.pool(2).unwrap();
    // Where there is no write set, everything is reset by what is below it.
    let within_a_set = best.reset_method();
    for (pages, method) in [(3, within_a_set), (40, within_a_set), (200, below)] {
        let requests = Requests::new(16, 4096, "run");
        (0..500).for_each(|x| assert_eq!(requests.serve(&pool, x, pages), Requests::expected(x, pages)));
        assert_eq!(pool.reset_method(&requests.module), Some(method), "{pages} pages");
    }
}

#[test]
fn a_slot_whose_reset_was_interrupted_is_never_used_again() {
    let module = scribbling_module(1);
    let pool = Runtime::start(RuntimeSettings::default()).unwrap().pool(2).unwrap();
    let mut instance = fresh(&pool, &module);
    call(&mut instance, "store", &[64, u128::from(SECRET)]).unwrap();
    pool.interrupt_next_reset();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(instance))).is_err());
    assert_eq!((pool.discarded(), pool.in_use()), (1, 0));
    let held = fresh(&pool, &module);
    assert_eq!(pool.acquire(&module, limits()).unwrap_err().to_string(), "all 2 slots of this thread are in use");
    assert_eq!(secrets(&held), 0);
}

#[test]
fn warm_slots_are_counted_and_can_be_cooled() {
    let modules = [scribbling_module(1), scribbling_module(2)];
    let pool = Runtime::start(RuntimeSettings::default()).unwrap().pool(8).unwrap();
    for module in &modules {
        let held: Vec<Instance> = (0..3).map(|_| fresh(&pool, module)).collect();
        for mut instance in held {
            call(&mut instance, "fill", &[u128::from(SECRET)]).unwrap();
        }
    }
    let warm = pool.warm_bytes();
    assert!(warm <= 6 * (2 * 65_536 + (64 << 10)), "{warm} bytes");
    pool.cool(warm / 2);
    assert!(pool.warm_bytes() <= warm / 2);
    pool.cool(0);
    assert_eq!(pool.warm_bytes(), 0);
    modules.iter().for_each(|module| drop(fresh(&pool, module)));
}

#[test]
fn slots_are_reused_when_all_hold_other_modules() {
    by_each_method(|pool, _| {
        for round in 0..6 {
            let wat = format!(
                "(module (memory 1) (data (i32.const 0) \"{round}\") (func (export \"f\") (result i32) (i32.load8_u (i32.const 0))))"
            );
            let module = load(&wat::parse_str(&wat).unwrap(), &policy([]), Setting::Fast).unwrap();
            for _ in 0..3 {
                assert_eq!(call(&mut fresh(pool, &module), "f", &[]).unwrap(), [u128::from(b'0' + round)]);
            }
        }
        assert_eq!(pool.in_use(), 0);
    });
}

#[test]
fn a_pool_whose_slots_are_all_in_use_says_so() {
    let module = scribbling_module(1);
    let pool = Runtime::start(RuntimeSettings::default()).unwrap().pool(1).unwrap();
    let _held = fresh(&pool, &module);
    assert_eq!(pool.acquire(&module, limits()).unwrap_err().to_string(), "all 1 slots of this thread are in use");
}

#[test]
fn a_pool_larger_than_the_address_space_is_refused_with_a_sentence() {
    let runtime = Runtime::start(RuntimeSettings::default()).unwrap();
    let error = runtime.pool(60_000).unwrap_err().to_string();
    assert!(error.contains("address space for") && error.contains("not for 60000"), "{error}");
}
