//! Vectors across every border: into a guest and out of it, through hostcalls, globals and memory, and over preemptions.

use std::sync::Arc;

use vivarium_artifact::{ExportedItem, FunctionType, Setting, ValueType};
use vivarium_runtime::{Exit, LoadedModule};
use vivarium_tests::engine::{call, limits, load, load_wat, policy, pool, run};
use vivarium_tests::programs;

const SETTINGS: [Setting; 2] = [Setting::Fast, Setting::Best];

fn function(module: &LoadedModule, export: &str) -> u32 {
    let Some(ExportedItem::Function(function)) = module.contract().export(export) else { panic!("no function {export}") };
    function
}

/// A vector among narrower values, with more arguments than there are registers for them.
const BORDERS: &str = r#"(module
    (import "env" "ask" (func $ask (param i32 v128 f32 v128) (result v128 i64)))
    (global $kept (mut v128) (v128.const i64x2 0x1111111111111111 0x2222222222222222))
    (func (export "f") (param i32 v128 f32 v128 v128 v128 v128 v128 v128 v128 v128 v128) (result v128 i64 v128)
        (call $ask (local.get 0) (local.get 1) (local.get 2) (local.get 11))
        (i64x2.add (global.get $kept) (local.get 10)))
    (func (export "kept") (result v128)
        (global.set $kept (i8x16.add (global.get $kept) (i8x16.splat (i32.const 1))))
        (global.get $kept)))"#;

#[test]
fn vectors_pass_into_guests_and_hostcalls_and_back() {
    use ValueType::{F32, I32, I64, V128};
    let ask = FunctionType { parameters: vec![I32, V128, F32, V128], results: vec![V128, I64] };
    let wasm = wat::parse_str(BORDERS).unwrap();
    let pool = pool(1);
    for setting in SETTINGS {
        let module = load(&wasm, &policy([("env", "ask", ask.clone())]), setting).unwrap();
        let mut instance = pool.acquire(&module, limits()).unwrap();
        let vector = |number: u128| 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100 * number;
        let mut arguments: Vec<u128> = (1..=12).map(vector).collect();
        (arguments[0], arguments[2]) = (7, u128::from(1.5f32.to_bits()));
        instance.invoke(function(&module, "f"), &arguments).unwrap();
        assert_eq!(run(&mut instance), Exit::Hostcall { import: 0 });
        assert_eq!((instance.argument(0), instance.argument_bits(1)), (7, vector(2)));
        assert_eq!((instance.argument(2) as u32, instance.argument_bits(3)), (1.5f32.to_bits(), vector(12)));
        instance.answer_bits(&[u128::MAX - 1, 5]);
        assert_eq!(run(&mut instance), Exit::Done);
        assert_eq!((instance.result(0), instance.result(1) as u64), (u128::MAX - 1, 5));
        let kept = 0x2222_2222_2222_2222_1111_1111_1111_1111;
        let halves = |bits: u128| [bits as u64, (bits >> 64) as u64];
        let [low, high] = [0, 1].map(|half| halves(kept)[half].wrapping_add(halves(vector(11))[half]));
        assert_eq!(halves(instance.result(2)), [low, high]);
        assert_eq!(call(&mut instance, "kept", &[]).unwrap(), [kept + 0x0101_0101_0101_0101_0101_0101_0101_0101]);
    }
}

/// The dot product of two rows of 16-bit integers, eight at a time.
const DOT: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "fill") (param $count i32) (local $i i32)
        (loop $again
            (i32.store16 (i32.shl (local.get $i) (i32.const 1)) (i32.sub (i32.mul (local.get $i) (i32.const 7)) (i32.const 1000)))
            (i32.store16 offset=32768 (i32.shl (local.get $i) (i32.const 1)) (i32.sub (i32.const 900) (i32.mul (local.get $i) (i32.const 3))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (local.get $count)))))
    (func (export "dot") (param $count i32) (result i32) (local $at i32) (local $sum v128)
        (loop $again
            (local.set $sum (i32x4.add (local.get $sum)
                (i32x4.dot_i16x8_s (v128.load (local.get $at)) (v128.load offset=32768 (local.get $at)))))
            (local.set $at (i32.add (local.get $at) (i32.const 16)))
            (br_if $again (i32.lt_u (local.get $at) (i32.shl (local.get $count) (i32.const 1)))))
        (i32.add
            (i32.add (i32x4.extract_lane 0 (local.get $sum)) (i32x4.extract_lane 1 (local.get $sum)))
            (i32.add (i32x4.extract_lane 2 (local.get $sum)) (i32x4.extract_lane 3 (local.get $sum))))))"#;

#[test]
fn a_kernel_gives_what_the_same_in_rust_gives() {
    let pool = pool(1);
    for setting in SETTINGS {
        for count in [8u32, 800, 16_384] {
            let mut instance = pool.acquire(&load_wat(DOT, setting), limits()).unwrap();
            call(&mut instance, "fill", &[u128::from(count)]).unwrap();
            let [left, right]: [fn(u32) -> i16; 2] = [|i| (i as i32 * 7 - 1000) as i16, |i| (900 - i as i32 * 3) as i16];
            let expected = (0..count).fold(0i32, |sum, i| sum.wrapping_add(i32::from(left(i)) * i32::from(right(i))));
            assert_eq!(call(&mut instance, "dot", &[u128::from(count)]).unwrap()[0] as u32, expected as u32, "{count}");
        }
    }
}

/// How many vectors the computation below keeps: more than there are registers.
const VECTORS: usize = 24;

/// Each vector becomes its sum with the next one, xor what it was shifted, `$n` times; the result is the xor of all.
fn busy() -> String {
    let locals = "v128 ".repeat(VECTORS);
    let begin: String = (0..VECTORS)
        .map(|index| format!("(local.set {} (i32x4.add (local.get 1) (i32x4.splat (i32.const {index}))))", index + 2))
        .collect();
    let step: String = (0..VECTORS)
        .map(|index| {
            let (this, next) = (index + 2, (index + 1) % VECTORS + 2);
            format!("(local.set {this} (v128.xor (i32x4.shl (local.get {this}) (i32.const 3)) (i32x4.add (local.get {this}) (local.get {next}))))")
        })
        .collect();
    let end: String = (1..VECTORS).map(|index| format!("(local.get {}) v128.xor ", index + 2)).collect();
    format!(
        "(module (func (export \"f\") (param $n i32) (param v128) (result v128) (local {locals}) {begin}
            (loop $again {step} (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get 2) {end}))"
    )
}

fn busy_reference(steps: u32, seed: [u32; 4]) -> u128 {
    let mut vectors: Vec<[u32; 4]> = (0..VECTORS as u32).map(|index| seed.map(|lane| lane.wrapping_add(index))).collect();
    for _ in 0..steps {
        for index in 0..VECTORS {
            let next = vectors[(index + 1) % VECTORS];
            for (lane, next) in vectors[index].iter_mut().zip(next) {
                *lane = (*lane << 3) ^ lane.wrapping_add(next);
            }
        }
    }
    vectors.into_iter().map(bits).fold(0, |all, vector| all ^ vector)
}

fn bits(lanes: [u32; 4]) -> u128 {
    lanes.iter().rev().fold(0, |bits, lane| bits << 32 | u128::from(*lane))
}

/// Guests take turns on one thread, so that what preemption does not keep is another guest's.
#[test]
fn vectors_outlive_preemption() {
    const STEPS: u32 = 300_000;
    const SEEDS: [[u32; 4]; 3] = [[1, 2, 3, 4], [0xffff_ffff, 7, 0x8000_0000, 9], [5, 5, 5, 6]];
    let pool = pool(SEEDS.len() as u32);
    for setting in SETTINGS {
        let module: Arc<LoadedModule> = load_wat(&busy(), setting);
        let mut instances = Vec::new();
        for seed in SEEDS {
            let mut instance = pool.acquire(&module, limits()).unwrap();
            instance.invoke(function(&module, "f"), &[u128::from(STEPS), bits(seed)]).unwrap();
            instances.push((seed, instance));
        }
        let mut preempted = 0;
        while !instances.is_empty() {
            instances.retain_mut(|(seed, instance)| match instance.resume() {
                Exit::Done => {
                    assert_eq!(instance.result(0), busy_reference(STEPS, *seed), "{setting:?}");
                    false
                }
                Exit::Preempted => {
                    preempted += 1;
                    true
                }
                other => panic!("{other:?}"),
            });
        }
        assert!(preempted > 2, "preempted {preempted} times");
    }
}

/// The user needs no flag: both languages have an attribute for functions with vectors.
const C: &str = r#"#include <stdio.h>
#include <wasm_simd128.h>

__attribute__((target("simd128")))
static int dot(const short *left, const short *right, int count) {
    v128_t sum = wasm_i32x4_splat(0);
    for (int at = 0; at < count; at += 8)
        sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(wasm_v128_load(left + at), wasm_v128_load(right + at)));
    return wasm_i32x4_extract_lane(sum, 0) + wasm_i32x4_extract_lane(sum, 1) + wasm_i32x4_extract_lane(sum, 2) + wasm_i32x4_extract_lane(sum, 3);
}

static short rows[2][64];

int main(void) {
    int expected = 0;
    for (int i = 0; i < 64; i++) {
        rows[0][i] = i * 7 - 100, rows[1][i] = 90 - i * 3;
        expected += rows[0][i] * rows[1][i];
    }
    printf("%d %d\n", dot(rows[0], rows[1], 64), expected);
}
"#;

#[test]
fn a_c_program_computes_with_vectors() {
    programs::check("main.c", C, "-493344 -493344\n");
}

const RUST: &str = r#"use std::arch::wasm32::*;

#[target_feature(enable = "simd128")]
fn dot(left: &[i16; 64], right: &[i16; 64]) -> i32 {
    let mut sum = i32x4_splat(0);
    for at in (0..64).step_by(8) {
        let eight = |row: &[i16; 64]| i16x8(row[at], row[at + 1], row[at + 2], row[at + 3], row[at + 4], row[at + 5], row[at + 6], row[at + 7]);
        sum = i32x4_add(sum, i32x4_dot_i16x8(eight(left), eight(right)));
    }
    i32x4_extract_lane::<0>(sum) + i32x4_extract_lane::<1>(sum) + i32x4_extract_lane::<2>(sum) + i32x4_extract_lane::<3>(sum)
}

fn main() {
    let left = std::array::from_fn(|i| i as i16 * 7 - 100);
    let right = std::array::from_fn(|i| 90 - i as i16 * 3);
    let expected: i32 = left.iter().zip(&right).map(|(left, right): (&i16, &i16)| i32::from(*left) * i32::from(*right)).sum();
    println!("{} {expected}", dot(&left, &right));
}
"#;

#[test]
fn a_rust_program_computes_with_vectors() {
    programs::check("main.rs", RUST, "-493344 -493344\n");
}
