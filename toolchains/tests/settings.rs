//! `vivarium.json`: what a project says about its build reaches the compilers of each language.

mod support;

use support::node;
use support::{build, wasm_of};
use vivarium_toolchains::{Language, SETTINGS_FILE};

const PROGRAMS: &[(Language, &str)] = &[
    (
        Language::C,
        "#include <stdio.h>\nint main(void) {\n#if defined TRACE && defined __OPTIMIZE_SIZE__\nputs(\"small\");\n#elif defined __OPTIMIZE__\nputs(\"quick\");\n#else\nputs(\"plain\");\n#endif\n}\n",
    ),
    (
        Language::Cpp,
        "#include <iostream>\nint main() {\n#if defined TRACE && defined __OPTIMIZE_SIZE__\nstd::cout << \"small\\n\";\n#elif defined __OPTIMIZE__\nstd::cout << \"quick\\n\";\n#else\nstd::cout << \"plain\\n\";\n#endif\n}\n",
    ),
    (Language::Rust, "fn main() {\n    println!(\"{}\", if cfg!(trace) { \"small\" } else { \"quick\" });\n}\n"),
    (Language::AssemblyScript, "console.log(isDefined(TRACE) && ASC_SHRINK_LEVEL == 2 ? \"small\" : \"quick\");\n"),
];

fn printed(language: Language, text: &str, settings: &str) -> String {
    let report = build(language, &[(language.main_file(), text), (SETTINGS_FILE, settings)]);
    assert!(report.diagnostics.is_empty(), "{language}: {:?}", report.diagnostics);
    String::from_utf8(node::run(&wasm_of(report), "", &[], "").stdout).unwrap()
}

#[test]
fn optimisation_and_defines_reach_the_compilers() {
    for &(language, text) in PROGRAMS {
        assert_eq!(printed(language, text, r#"{"optimise":"size","defines":["TRACE"]}"#), "small\n", "{language}");
        assert_eq!(printed(language, text, "{}"), "quick\n", "{language}");
    }
}

#[test]
fn speed_is_optimised_and_none_is_not() {
    for &(language, text) in &PROGRAMS[..2] {
        assert_eq!(printed(language, text, r#"{"optimise":"speed"}"#), "quick\n", "{language}");
        assert_eq!(printed(language, text, r#"{"optimise":"none"}"#), "plain\n", "{language}");
    }
    let text = "console.log(ASC_OPTIMIZE_LEVEL == 3 ? \"quick\" : ASC_OPTIMIZE_LEVEL == 0 ? \"plain\" : \"odd\");\n";
    assert_eq!(printed(Language::AssemblyScript, text, r#"{"optimise":"speed"}"#), "quick\n");
    assert_eq!(printed(Language::AssemblyScript, text, r#"{"optimise":"none"}"#), "plain\n");
}

#[test]
fn optimised_rust_is_smaller() {
    let text = "fn main() {\n    let leaves: Vec<u32> = (0..9).map(|leaf| leaf * leaf).collect();\n    println!(\"{leaves:?}\");\n}\n";
    let bytes = |settings: &str| wasm_of(build(Language::Rust, &[("main.rs", text), (SETTINGS_FILE, settings)])).len();
    let plain = bytes(r#"{"optimise":"none"}"#);
    assert_eq!(plain, bytes("{}"));
    for wish in [r#"{"optimise":"size"}"#, r#"{"optimise":"speed"}"#] {
        let optimised = bytes(wish);
        assert!(optimised < plain, "{wish}: {optimised} of {plain} bytes");
    }
}
