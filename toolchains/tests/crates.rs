//! Each crate of the set, named in a program of its own (`crates/NAME.rs`): it builds in the jail, and prints or imports what its first line says.

mod support;

use std::fs;
use std::path::Path;

use support::node;
use support::{JAILS, build, contains, toolchains, try_build, wasm_of};
use vivarium_toolchains::{BuildLimits, JailKind, Language};

fn names() -> Vec<String> {
    let libraries = toolchains(JailKind::Bwrap).libraries(Language::Rust);
    assert!(!libraries.is_empty(), "there are no crates: run toolchains/crates/install {}", support::folder().display());
    libraries.into_iter().map(|library| library.name).collect()
}

#[test]
fn a_program_with_each_crate_builds_and_runs() {
    for name in names() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/crates/{name}.rs"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (promise, said) = text.lines().next().unwrap().strip_prefix("//! ").unwrap().split_once(": ").unwrap();
        let report = build(Language::Rust, &[("main.rs", &text)]);
        println!("{name}: {} ms", report.build_us / 1000);
        let wasm = wasm_of(report);
        match promise {
            "prints" => {
                let output = node::run(&wasm, "", &[], "");
                assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), said, "{name}: {}", String::from_utf8_lossy(&output.stderr));
            }
            "imports" => assert!(contains(&wasm, said), "{name} does not import {said}"),
            other => panic!("{name} promises to {other}"),
        }
    }
}

/// The set has what it was made for.
#[test]
fn the_set_is_complete() {
    let names = names();
    let wanted =
        "anyhow base64 bytes fastly hashbrown hmac http itertools png pulldown_cmark rand regex serde serde_json sha2 thiserror time url";
    for wanted in wanted.split(' ') {
        assert!(names.iter().any(|name| name == wanted), "{wanted} is not in {names:?}");
    }
}

/// A macro is code that the compiler loads; it does in the weaker jail too.
#[test]
fn macros_load_in_both_jails() {
    let text = include_str!("crates/serde.rs");
    for jail in JAILS {
        let report = try_build(jail, Language::Rust, &[("main.rs", text)], &BuildLimits::default()).unwrap();
        assert!(report.wasm.is_some(), "{jail}: {:?}", report.diagnostics);
    }
}

#[test]
fn a_crate_that_is_not_there_is_told_with_those_that_are() {
    for text in ["use tokio::task;\nfn main() {}\n", "extern crate tokio;\nfn main() {}\n", "fn main() {\n    tokio::spawn(());\n}\n"] {
        let report = build(Language::Rust, &[("main.rs", text)]);
        let notes: Vec<&str> = report.diagnostics[0].notes.iter().map(|note| note.message.as_str()).collect();
        assert!(notes[0].starts_with("the crates that programs may use here are ") && notes[0].contains(" serde_json,"), "{notes:?}");
        assert!(report.output.contains("note: the crates that programs may use here are "), "{}", report.output);
    }
    let own = build(Language::Rust, &[("main.rs", "use crate::leaf::Fern;\nfn main() {}\n")]);
    assert!(!own.output.contains("crates that programs may use"), "{}", own.output);
}
