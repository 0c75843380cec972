//! Every operator that the parser knows is either translated or refused by name.

use std::collections::BTreeSet;

use vivarium_artifact::Setting;
use vivarium_compiler::{CompileError, Policy, compile};

/// All operators with the proposal that brought each.
fn operators() -> Vec<(&'static str, &'static str)> {
    macro_rules! list {
        ($(@$proposal:ident $operator:ident $({ $($argument:ident: $ty:ty),* })? => $visit:ident ($($arity:tt)*))*) => {
            vec![$((stringify!($proposal), stringify!($operator))),*]
        };
    }
    wasmparser::for_each_operator!(list)
}

/// Proposals whose operators are translated.
const TRANSLATED: [&str; 12] = [
    "mvp",
    "sign_extension",
    "saturating_float_to_int",
    "bulk_memory",
    "reference_types",
    "multi_value",
    "tail_call",
    "simd",
    "relaxed_simd",
    "wide_arithmetic",
    "function_references",
    "exceptions",
];

/// The validator accepts a typed select of one type only.
const NEVER_VALID: [&str; 1] = ["TypedSelectMulti"];

/// The arms of the one `match`, and those of the table of vector operators, which names operators in rows too.
fn arms() -> BTreeSet<String> {
    let words = |source: &'static str| source.split(|c: char| !c.is_alphanumeric());
    let arms = include_str!("../src/translate/operator.rs").split("Operator::").skip(1).filter_map(|rest| words(rest).next());
    let rows = words(include_str!("../src/translate/simd/operator.rs"));
    arms.chain(rows).map(str::to_owned).collect()
}

#[test]
fn each_operator_has_an_arm_or_belongs_to_a_feature_that_is_refused() {
    let arms = arms();
    let (mut translated, mut refused) = (0, 0);
    for (proposal, operator) in operators() {
        if TRANSLATED.contains(&proposal) && !NEVER_VALID.contains(&operator) {
            assert!(arms.contains(operator), "{operator} of {proposal} has no arm");
            translated += 1;
        } else {
            assert!(!arms.contains(operator), "{operator} of {proposal} has an arm, but its feature is refused");
            refused += 1;
        }
    }
    assert!(translated > 450 && refused > 100, "{translated} translated, {refused} refused");
}

/// One instruction of each feature that is not translated, valid where the feature is on.
#[test]
fn instructions_of_other_features_are_refused_by_the_name_of_the_feature() {
    for (body, feature) in [("i32.const 0 i32.atomic.load drop", "threads"), ("i32.const 1 ref.i31 drop", "gc")] {
        let wasm = wat::parse_str(format!("(module (memory 1) (func {body}))")).expect("the test's WAT is right");
        let error = compile(&wasm, &Policy::default(), Setting::Fast, &|_, _, _| {}).expect_err(body);
        assert!(matches!(error, CompileError::Feature { .. }), "{body}: {error}");
        assert!(error.to_string().to_lowercase().contains(feature), "{body}: {error}");
    }
}
