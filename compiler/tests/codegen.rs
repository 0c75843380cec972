//! Golden files: `tests/codegen/<family>.wat` has a module on top and the CLIF that it is translated to below, each line behind `;; `.
//! `UPDATE_EXPECT=1 cargo test` writes what is found instead of comparing. The verifier is on.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use vivarium_artifact::{FunctionType, Setting, ValueType};
use vivarium_compiler::{ImportPolicy, Policy, clif};

const MARK: &str = ";; ";

/// Only the module of `link.wat` may import more than functions.
fn policy(path: &Path) -> Policy {
    let linked = path.ends_with("link.wat");
    let write = FunctionType { parameters: vec![ValueType::I32, ValueType::I64], results: vec![ValueType::I32] };
    Policy { imports: ImportPolicy::new([("host", "write", write)]), linked, ..Policy::default() }
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/codegen");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).expect("the folder exists").map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn found(path: &Path, source: &str) -> String {
    let wasm = wat::parse_str(source).expect("the module on top is right");
    let functions = clif(&wasm, &policy(path), Setting::Fast).expect("the module on top compiles");
    let mut text = String::new();
    for (name, clif) in functions {
        text += &format!("\n{MARK}{name}\n");
        // Every function declares the same alias regions.
        for line in clif.lines().filter(|line| !line.starts_with("    region")) {
            text += format!("{MARK}{line}").trim_end();
            text += "\n";
        }
    }
    text
}

#[test]
fn each_family_is_translated_as_its_golden_file_says() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut different = Vec::new();
    for path in files() {
        let text = std::fs::read_to_string(&path).unwrap();
        let source: String = text.lines().take_while(|line| !line.starts_with(MARK.trim_end())).map(|line| format!("{line}\n")).collect();
        let source = source.trim_end();
        let expected = format!("{source}\n{}", found(&path, source));
        if update {
            std::fs::write(&path, &expected).unwrap();
        } else if text != expected {
            different.push(format!("{}:\n{expected}", path.display()));
        }
    }
    assert!(different.is_empty(), "UPDATE_EXPECT=1 accepts these:\n{}", different.join("\n"));
}

#[test]
fn every_family_has_a_golden_file() {
    let names: Vec<String> = files().iter().map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    let families = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/translate");
    let simd = families_in(&families.join("simd")).into_iter().map(|family| format!("simd_{family}"));
    for family in families_in(&families).into_iter().chain(simd) {
        assert!(names.contains(&family), "tests/codegen/{family}.wat is missing");
    }
}

/// The families whose code a folder has.
fn families_in(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let stems = files.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned());
    stems.filter(|stem| !["mod", "operator", "flags", "foreign", "initialize"].contains(&stem.as_str())).collect()
}

#[test]
fn an_element_of_a_table_is_reached_through_a_spectre_guard_only() {
    let mut accesses = 0;
    for path in files() {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut guarded = HashSet::new();
        for line in text.lines().filter_map(|line| line.strip_prefix(MARK)) {
            if line.starts_with("function") {
                guarded.clear();
            }
            if let Some((value, _)) = line.split_once(" = select_spectre_guard ") {
                guarded.extend(value.split_whitespace().next_back());
            }
            if let Some(address) = address_of_element(line) {
                accesses += 1;
                assert!(guarded.contains(address), "{}: {line}", path.display());
            }
        }
    }
    assert!(accesses > 5, "the golden files hold only {accesses} accesses of elements");
}

/// The value that a line takes an element of a table at: `user3` is the trap of an index that is out of bounds. Checks that trap by themselves take none.
fn address_of_element(line: &str) -> Option<&str> {
    let (_, access) = line.split_once(" user3 ").filter(|(before, _)| before.contains("load.") || before.ends_with("store"))?;
    let address = access.split(';').next()?.split([' ', ',']).rfind(|word| word.starts_with('v'))?;
    Some(address.split('+').next().unwrap_or(address))
}

#[test]
fn the_address_of_an_element_is_found_in_clif() {
    assert_eq!(address_of_element("@0053    v13 = load.i64 user3 aligned little region4 v12"), Some("v12"));
    assert_eq!(address_of_element("@005c    store user3 aligned little region4 v2, v12+8  ; v2 = 0"), Some("v12"));
    assert_eq!(address_of_element("@0078    trapnz v6, user3"), None);
    assert_eq!(address_of_element("@0078    v6 = load.i64 aligned region2 v0-8"), None);
}
