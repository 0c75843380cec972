//! The first of the three kinds of fault: a write to a page that is watched. It runs again, by whatever instruction it came, and the guest sees nothing of it.
//! The other two are in `traps.rs` and `host_fault.rs`.

use std::sync::Arc;

use vivarium_artifact::Setting;
use vivarium_runtime::{LoadedModule, Pool, ResetMethod, Runtime};
use vivarium_tests::engine::{call, limits, load_wat, runtime_with};

const MEMORY_BYTES: usize = 4 << 16;
/// The image covers all of memory, so that every page of it can be watched.
const DATA: u8 = b'v';

fn module(setting: Setting) -> Arc<LoadedModule> {
    let data = (DATA as char).to_string().repeat(MEMORY_BYTES);
    load_wat(
        &format!(
            r#"(module (memory 4 4) (data (i32.const 0) "{data}")
            (func (export "byte") (param i32) (i32.store8 (local.get 0) (i32.const 1)))
            (func (export "word") (param i32) (i64.store (local.get 0) (i64.const 0x0807060504030201)))
            (func (export "float") (param i32) (f64.store (local.get 0) (f64.reinterpret_i64 (i64.const 0x0807060504030201))))
            (func (export "vector") (param i32) (v128.store (local.get 0) (v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)))
            (func (export "fill") (param i32) (memory.fill (local.get 0) (i32.const 7) (i32.const 70000)))
            (func (export "copy_up") (param i32) (i64.store (local.get 0) (i64.const 0x0807060504030201))
                (memory.copy (i32.add (local.get 0) (i32.const 3)) (local.get 0) (i32.const 70000)))
            (func (export "copy_down") (param i32) (i64.store (i32.add (local.get 0) (i32.const 69999)) (i64.const 0x0807060504030201))
                (memory.copy (local.get 0) (i32.add (local.get 0) (i32.const 3)) (i32.const 70000)))
            (func $deep (export "deep") (param i32) (result i32)
                (if (result i32) (local.get 0) (then (i32.add (call $deep (i32.sub (local.get 0) (i32.const 1))) (i32.const 1))) (else (i32.const 0)))))"#
        ),
        setting,
    )
}

/// What an export does to memory, in Rust.
fn expected(export: &str, at: usize) -> Vec<u8> {
    let mut memory = vec![DATA; MEMORY_BYTES];
    let counting: Vec<u8> = (1..=16).collect();
    match export {
        "byte" => memory[at] = 1,
        "word" | "float" => memory[at..at + 8].copy_from_slice(&counting[..8]),
        "vector" => memory[at..at + 16].copy_from_slice(&counting),
        "fill" => memory[at..at + 70_000].fill(7),
        "copy_up" => {
            memory[at..at + 8].copy_from_slice(&counting[..8]);
            memory.copy_within(at..at + 70_000, at + 3);
        }
        _ => {
            memory[at + 69_999..at + 70_007].copy_from_slice(&counting[..8]);
            memory.copy_within(at + 3..at + 70_003, at);
        }
    }
    memory
}

fn writes_reach_memory(pool: &Pool, method: ResetMethod, setting: Setting) {
    for export in ["byte", "word", "float", "vector", "fill", "copy_up", "copy_down"] {
        // Inside a page, and across the boundary of two.
        for at in [64, 4096 - 3, 8 * 4096 - 1] {
            // A module each: what is learned of its writes is not watched any more.
            let module = module(setting);
            let mut instance = pool.acquire(&module, limits()).unwrap();
            call(&mut instance, export, &[at as u128]).unwrap();
            assert!(instance.memory() == expected(export, at), "{export} at {at}, {method}, {setting:?}");
            drop(instance);
            pool.forget(&module);
        }
    }
    let deep = module(setting);
    let mut instance = pool.acquire(&deep, limits()).unwrap();
    assert_eq!(call(&mut instance, "deep", &[5_000]).unwrap(), [5_000], "the stack is watched too");
}

#[test]
fn a_first_write_runs_again_and_leaves_what_it_wrote() {
    for method in ResetMethod::ALL {
        if let Some(obstacle) = Runtime::obstacle(method) {
            println!("not run here: {method} ({obstacle})");
            continue;
        }
        for setting in [Setting::Fast, Setting::Best] {
            let pool = runtime_with(Some(method)).unwrap().pool(1).unwrap();
            writes_reach_memory(&pool, method, setting);
            assert_eq!(pool.discarded(), 0);
        }
    }
}
