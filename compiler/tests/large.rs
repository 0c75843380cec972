//! Functions that take too long to optimise: with either setting their code is the same.

use vivarium_artifact::{Artifact, Setting};
use vivarium_compiler::{Policy, compile};

/// As the compiler has it, in operators.
const OPTIMISED_MAX: usize = 200_000;
/// `local.get`, `i64.const`, `i64.add`, `local.set`; and what a function has besides: `local.get`, `end`.
const STEP: &str = "local.get 0 i64.const 3 i64.add local.set 0 ";
const STEP_OPERATORS: usize = 4;
const OTHER_OPERATORS: usize = 2;

/// A function of exactly so many operators, and a small one.
fn module(operators: usize) -> Vec<u8> {
    let steps = (operators - OTHER_OPERATORS) / STEP_OPERATORS;
    let (steps, nops) = (STEP.repeat(steps), "nop ".repeat((operators - OTHER_OPERATORS) % STEP_OPERATORS));
    let wat = format!(
        "(module
            (func $large (param i64) (result i64) {steps} {nops} local.get 0)
            (func $small (param i64) (result i64) {STEP} {STEP} local.get 0))"
    );
    wat::parse_str(wat).expect("the test's WAT is right")
}

fn artifact(wasm: &[u8], setting: Setting) -> Artifact {
    compile(wasm, &Policy::default(), setting, &|_, _, _| {}).expect("it is within the limits").artifact
}

fn code<'a>(artifact: &'a Artifact, name: &str) -> &'a [u8] {
    let record = artifact.functions.records().iter().find(|record| record.name.as_deref() == Some(name)).expect("the module has it");
    &artifact.text[record.text_offset as usize..][..record.text_bytes as usize]
}

#[test]
fn functions_of_too_many_operators_are_not_optimised() {
    for (operators, is_optimised) in [(OPTIMISED_MAX, true), (OPTIMISED_MAX + 1, false)] {
        let wasm = module(operators);
        let [fast, best] = [Setting::Fast, Setting::Best].map(|setting| artifact(&wasm, setting));
        assert_eq!(code(&fast, "large") != code(&best, "large"), is_optimised, "{operators} operators");
        assert_ne!(code(&fast, "small"), code(&best, "small"), "what is small is optimised wherever it is");
    }
}

/// Loads that stay on the stack until all are added up: so many, as often as is said.
fn crowded(values: usize, times: usize) -> Vec<u8> {
    let (loads, adds) = ("local.get 0 i64.load ".repeat(values), "i64.add ".repeat(values - 1));
    let groups = format!("{loads} {adds} i64.add ").repeat(times);
    wat::parse_str(format!(r#"(module (memory 1) (func $f (param i32) (result i64) i64.const 0 {groups}))"#))
        .expect("the test's WAT is right")
}

#[test]
fn functions_that_keep_too_many_values_at_once_are_not_optimised() {
    for (values, times, is_optimised) in [(10, 400, true), (4_000, 1, false)] {
        let wasm = crowded(values, times);
        let [fast, best] = [Setting::Fast, Setting::Best].map(|setting| artifact(&wasm, setting));
        assert_eq!(code(&fast, "f") != code(&best, "f"), is_optimised, "{values} values, {times} times");
    }
}

/// What a target finds in its locals is handed on by the branch, and whoever adds a value to it looks at all labels.
#[test]
fn targets_of_a_long_table_have_blocks_of_their_own() {
    let table = |labels: usize| {
        let opened: String = (0..labels).map(|_| "(block ").collect();
        let closed: String = (0..labels).map(|label| format!(") (local.set 1 (i32.add (local.get 1) (i32.const {label})))")).collect();
        let depths: String = (0..labels).map(|depth| format!("{depth} ")).collect();
        let wat = format!(
            "(module (func (export \"f\") (param i32) (result i32) (local i32)
                {opened} (br_table {depths} (local.get 0)) {closed} (local.get 1)))"
        );
        let wasm = wat::parse_str(wat).expect("the test's WAT is right");
        let shown = vivarium_compiler::clif(&wasm, &Policy::default(), Setting::Fast).expect("it compiles");
        shown[0].1.lines().filter(|line| line.contains(" jump block")).count()
    };
    // Each block goes on to the next one; of the labels the last stands for all that follow.
    let (short, long) = (table(65), table(66));
    assert!(short < 70, "a short table leads to its targets itself: {short} jumps");
    assert!(long > 130, "a long one through a block for each: {long} jumps");
}
