//! Code without a check in it stops when its slice is over, and goes on as if nothing had been.

use std::time::{Duration, Instant};

use vivarium_artifact::{FunctionType, Setting};
use vivarium_runtime::{Exit, Instance, Pool, Runtime, RuntimeSettings};
use vivarium_tests::engine::{call, limits, load, load_wat, policy, pool};

/// Loops that never end by themselves, each of another shape.
const ENDLESS: [&str; 9] = [
    "(module (func (export \"f\") (loop (br 0))))",
    "(module (func (export \"f\") (param i32) (loop (br_table 0 0 (local.get 0)))))",
    "(module (func $g) (func (export \"f\") (loop (call $g) (br 0))))",
    "(module (table funcref (elem $g)) (func $g) (func (export \"f\") (loop (call_indirect (i32.const 0)) (br 0))))",
    "(module (memory 16) (func (export \"f\") (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 1048576)) (br 0))))",
    "(module (memory 16) (func (export \"f\") (loop (memory.copy (i32.const 0) (i32.const 1) (i32.const 1048575)) (br 0))))",
    "(module (memory 16) (func (export \"f\") (loop (memory.copy (i32.const 1) (i32.const 0) (i32.const 1048575)) (br 0))))",
    "(module (memory 1 1) (func (export \"f\") (loop (drop (memory.grow (i32.const 0))) (br 0))))",
    "(module (func (export \"f\") (local f64) (loop (local.set 0 (f64.sqrt (f64.add (local.get 0) (f64.const 1)))) (br 0))))",
];

fn begin(instance: &mut Instance) {
    let Some(vivarium_artifact::ExportedItem::Function(function)) = instance.module().contract().export("f") else { unreachable!() };
    let parameters = instance.module().contract().function_type(function).unwrap().parameters.len();
    instance.invoke(function, &vec![0; parameters]).unwrap();
}

#[test]
fn endless_code_of_every_shape_comes_back_again_and_again() {
    let pool = pool(1);
    for wat in ENDLESS {
        for setting in [Setting::Fast, Setting::Best] {
            let mut instance = pool.acquire(&load_wat(wat, setting), limits()).unwrap();
            begin(&mut instance);
            for _ in 0..5 {
                assert_eq!(instance.resume(), Exit::Preempted, "{wat}");
            }
        }
    }
    assert_eq!(pool.discarded(), 0);
}

/// A computation that keeps many general and vector registers live all the time.
const BUSY: &str = r#"(module
    (func (export "f") (param $n i64) (param $seed i64) (result i64 f64)
        (local $a i64) (local $b i64) (local $c i64) (local $x f64) (local $y f64)
        (local $p f64) (local $q f64) (local $r f64) (local $s f64) (local $t f64) (local $u f64) (local $v f64)
        (local.set $a (local.get $seed)) (local.set $y (f64.const 1))
        (loop $again
            (local.set $a (i64.xor (local.get $a) (i64.shl (local.get $a) (i64.const 13))))
            (local.set $a (i64.xor (local.get $a) (i64.shr_u (local.get $a) (i64.const 7))))
            (local.set $b (i64.add (local.get $b) (i64.extend_i32_u (i64.lt_u (local.get $a) (local.get $b)))))
            (local.set $c (i64.rotl (i64.add (local.get $c) (local.get $a)) (i64.const 5)))
            (local.set $x (f64.add (local.get $x) (f64.convert_i64_s (i64.and (local.get $a) (i64.const 1023)))))
            (local.set $y (f64.sqrt (f64.add (f64.mul (local.get $y) (f64.const 1.25)) (local.get $x))))
            (local.set $p (f64.add (f64.mul (local.get $p) (f64.const 0.5)) (local.get $y)))
            (local.set $q (f64.add (f64.mul (local.get $q) (f64.const 0.5)) (local.get $p)))
            (local.set $r (f64.add (f64.mul (local.get $r) (f64.const 0.5)) (local.get $q)))
            (local.set $s (f64.add (f64.mul (local.get $s) (f64.const 0.5)) (local.get $r)))
            (local.set $t (f64.add (f64.mul (local.get $t) (f64.const 0.5)) (local.get $s)))
            (local.set $u (f64.add (f64.mul (local.get $u) (f64.const 0.5)) (local.get $t)))
            (local.set $v (f64.add (f64.mul (local.get $v) (f64.const 0.5)) (local.get $u)))
            (local.set $n (i64.sub (local.get $n) (i64.const 1)))
            (br_if $again (i64.ne (local.get $n) (i64.const 0))))
        (i64.add (local.get $a) (i64.add (local.get $b) (local.get $c)))
        (f64.add (local.get $x) (local.get $v))))"#;

#[test]
fn interrupted_computations_give_the_results_of_undisturbed_ones() {
    const STEPS: u64 = 8_000_000;
    for setting in [Setting::Fast, Setting::Best] {
        let pool = pool(4);
        let module = load_wat(BUSY, setting);
        let vivarium_artifact::ExportedItem::Function(function) = module.contract().export("f").unwrap() else { unreachable!() };
        // A short run fits a slice and is never disturbed; the long one is the same computation, resumed where it was cut.
        let short: Vec<_> = (1..5).map(|seed| reference(1000, seed)).collect();
        for (index, expected) in short.iter().enumerate() {
            let mut instance = pool.acquire(&module, limits()).unwrap();
            assert_eq!(call(&mut instance, "f", &[1000, index as u128 + 1]).unwrap(), *expected);
        }
        let mut instances: Vec<_> = (0..4u128)
            .map(|index| {
                let mut instance = pool.acquire(&module, limits()).unwrap();
                instance.invoke(function, &[u128::from(STEPS), index + 1]).unwrap();
                (index, instance)
            })
            .collect();
        let mut preempted = 0;
        while !instances.is_empty() {
            instances.retain_mut(|(index, instance)| match instance.resume() {
                Exit::Done => {
                    assert_eq!([instance.result(0), instance.result(1)], *reference(STEPS, *index as u64 + 1));
                    false
                }
                Exit::Preempted => {
                    preempted += 1;
                    true
                }
                other => panic!("{other:?}"),
            });
        }
        assert!(preempted > 8, "the long runs were preempted, {preempted} times");
    }
}

/// The same computation in Rust.
fn reference(mut n: u64, seed: u64) -> Vec<u128> {
    let (mut a, mut b, mut c, mut x, mut y) = (seed, 0u64, 0u64, 0f64, 1f64);
    let mut chain = [0f64; 7];
    while n != 0 {
        a ^= a << 13;
        a ^= a >> 7;
        b = b.wrapping_add(u64::from(a < b));
        c = c.wrapping_add(a).rotate_left(5);
        x += (a & 1023) as f64;
        y = (y * 1.25 + x).sqrt();
        let mut before = y;
        for link in &mut chain {
            *link = *link * 0.5 + before;
            before = *link;
        }
        n -= 1;
    }
    vec![u128::from(a.wrapping_add(b.wrapping_add(c))), u128::from((x + chain[6]).to_bits())]
}

#[test]
fn a_guest_that_was_stopped_can_be_dropped_and_its_slot_used_again() {
    let pool = pool(1);
    let endless = load_wat(ENDLESS[0], Setting::Fast);
    let honest = load_wat("(module (func (export \"f\") (result i32) (i32.const 7)))", Setting::Fast);
    for _ in 0..20 {
        let mut instance = pool.acquire(&endless, limits()).unwrap();
        begin(&mut instance);
        assert_eq!(instance.resume(), Exit::Preempted);
        drop(instance);
        assert_eq!(call(&mut pool.acquire(&honest, limits()).unwrap(), "f", &[]).unwrap(), [7]);
    }
}

/// Calls its import over and over.
const CALLER: &str = "(module (import \"host\" \"call\" (func $call)) (func (export \"f\") (loop (call $call) (br 0))))";

fn caller(pool: &Pool) -> Instance {
    let wasm = wat::parse_str(CALLER).unwrap();
    let module = load(&wasm, &policy([("host", "call", FunctionType::default())]), Setting::Fast).unwrap();
    let mut instance = pool.acquire(&module, limits()).unwrap();
    begin(&mut instance);
    assert_eq!(instance.resume(), Exit::Hostcall { import: 0 });
    instance
}

/// Long beside the pauses that a busy machine makes, so that only the sleeps below outlast it.
const LONG_SLICE: Duration = Duration::from_millis(100);

fn pool_of_long_slices() -> Pool {
    let settings = RuntimeSettings { slice: LONG_SLICE, verify_resets: true, ..RuntimeSettings::default() };
    Runtime::start(settings).unwrap().pool(2).unwrap()
}

#[test]
fn a_guest_that_waited_has_a_whole_turn_afterwards() {
    let pool = pool_of_long_slices();
    let mut instance = caller(&pool);
    for _ in 0..4 {
        instance.end_turn();
        std::thread::sleep(5 * LONG_SLICE / 2);
        instance.answer(&[]);
        assert_eq!(instance.resume(), Exit::Hostcall { import: 0 }, "it went on until its next call");
    }
}

#[test]
fn a_guest_that_is_hardly_ever_in_its_own_code_comes_back_too() {
    let pool = pool_of_long_slices();
    let mut instance = caller(&pool);
    for _ in 0..4 {
        std::thread::sleep(5 * LONG_SLICE / 2);
        instance.answer(&[]);
        assert_eq!(instance.resume(), Exit::Preempted, "its turn was over during the call");
        assert_eq!(instance.resume(), Exit::Hostcall { import: 0 });
    }
}

/// Processor time is one budget, whoever spent it for the guest; time in which somebody else had the processor is nobody's.
#[test]
fn what_the_host_does_for_a_guest_is_the_guests_time() {
    let pool = pool_of_long_slices();
    let mut instance = caller(&pool);
    for _ in 0..3 {
        instance.end_turn();
        instance.begin_turn();
        let before = instance.ran();
        let worked = spend(3 * LONG_SLICE);
        instance.answer(&[]);
        assert_eq!(instance.resume(), Exit::Preempted, "its turn was over during the call");
        let cost = instance.ran() - before;
        assert!(cost >= worked && cost < worked + 2 * LONG_SLICE, "{worked:?} cost {cost:?}");

        assert_eq!(instance.resume(), Exit::Hostcall { import: 0 });
        let before = instance.ran();
        std::thread::sleep(5 * LONG_SLICE);
        assert!(instance.ran() - before < 3 * LONG_SLICE, "it slept");

        instance.end_turn();
        let before = instance.ran();
        spend(LONG_SLICE);
        assert_eq!(instance.ran(), before, "without a turn it spends nothing");
    }
}

/// Whoever looks twice never sees less: not when another guest's turn has ended this one, of which little is known then.
#[test]
fn what_a_guest_was_said_to_have_spent_stays_spent() {
    let pool = pool_of_long_slices();
    let mut instance = caller(&pool);
    instance.end_turn();
    instance.begin_turn();
    let worked = spend(6 * LONG_SLICE);
    let told = instance.ran();
    assert!(told >= worked, "{worked:?} cost {told:?}");
    let _other = caller(&pool);
    assert!(instance.ran() >= told, "another guest has the thread");
    instance.end_turn();
    assert!(instance.ran() >= told, "its turn was ended");
}

/// Works on until the thread has had so much processor time; how much that was.
fn spend(time: Duration) -> Duration {
    let now = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let started = now();
    while now() - started < time {}
    now() - started
}

#[test]
fn two_threads_preempt_their_guests_independently() {
    let threads: Vec<_> = (0..2)
        .map(|_| {
            std::thread::spawn(|| {
                let pool = pool(1);
                let mut instance = pool.acquire(&load_wat(ENDLESS[0], Setting::Best), limits()).unwrap();
                begin(&mut instance);
                let until = Instant::now() + Duration::from_millis(50);
                while Instant::now() < until {
                    assert_eq!(instance.resume(), Exit::Preempted);
                }
                instance.ran()
            })
        })
        .collect();
    for thread in threads {
        assert!(thread.join().unwrap() > Duration::ZERO);
    }
}
