//! The official test suite, folder by folder, against the checked-in list of known failures.
//!
//! `tests/spec/known_failures.txt` has a line for each directive that is known to fail. Another failure fails the test, and so does a directive that
//! passes although it is listed; `SPEC_BLESS=1` writes the list anew (`spec/known.rs` says what it may add). `SPEC_SUITE=DIR` runs any folder of
//! `.wast` files instead, with every feature that is not refused by policy, and prints `N passed, M failed` for each. `SPEC_SETTING=best` runs
//! optimised code.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use vivarium_compiler::Features;
use vivarium_tests::engine;
use vivarium_tests::spec::folders::{Folder, Rules, Terms, folders};
use vivarium_tests::spec::known::{KnownFailures, Place};
use vivarium_tests::spec::{FileReport, run_file};

/// Instances of one file that are alive at once, at most.
const SLOTS: u32 = 256;
/// Threads that take files, each with a pool of its own.
const THREADS: usize = 2;
/// Fewer directives than this hold only if folders were not run.
const PASSED_MIN: usize = 139_000;

/// A file to run.
struct Job {
    folder: String,
    file: String,
    text: String,
    rules: Rules,
}

#[test]
fn the_suite_passes_but_for_what_is_known() {
    if let Ok(folder) = std::env::var("SPEC_SUITE") {
        // Tests run in their crate's folder; who says the name stands in the workspace's.
        return run_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder));
    }
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("spec/known_failures.txt");
    let text = std::fs::read_to_string(&list).expect("the list can be read");
    let mut known = KnownFailures::parse(&text).expect("the list is well-formed");
    let mut jobs = Vec::new();
    for Folder { name, files, terms } in folders() {
        match terms {
            Terms::RefusedByPolicy(reason) => println!("{name}: {} files, refused by policy: {reason}", files.len()),
            Terms::By(rules) => jobs.extend(files.iter().map(|file| Job {
                folder: name.clone(),
                file: file.name().to_owned(),
                text: file.raw().to_owned(),
                rules,
            })),
        }
    }
    let reports = run_all(&jobs);
    let run: BTreeSet<String> = jobs.iter().map(|job| job.folder.clone()).collect();
    let passed = summarise(&jobs, &reports);
    let failures = failures(&jobs, &reports);
    if std::env::var_os("SPEC_BLESS").is_some() {
        known = known.bless(&run, &failures);
        std::fs::write(list, known.to_string()).expect("the list can be written");
    }
    let surprises = known.surprises(&run, &failures);
    assert!(passed > PASSED_MIN, "only {passed} directives passed");
    assert!(surprises.is_empty(), "{} surprises:\n{}", surprises.len(), surprises.join("\n"));
}

/// Files of our own, about what the suite leaves out.
#[test]
fn what_the_suite_leaves_out_holds_too() {
    let jobs = jobs_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("spec"));
    let reports = run_all(&jobs);
    assert!(summarise(&jobs, &reports) > 0);
    assert_eq!(failures(&jobs, &reports), BTreeMap::new());
}

/// Runs files on some threads; the reports are in the order of the files.
fn run_all(jobs: &[Job]) -> Vec<FileReport> {
    let next = AtomicUsize::new(0);
    let reports: Vec<Mutex<FileReport>> = jobs.iter().map(|_| Mutex::default()).collect();
    let work = || {
        let mut pool = engine::pool(SLOTS);
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let (Some(job), Some(report)) = (jobs.get(index), reports.get(index)) else { break };
            let ran = catch_unwind(AssertUnwindSafe(|| run_file(&job.text, job.rules, &pool)));
            *report.lock().expect("no thread panics with it") = ran.unwrap_or_else(|_| {
                // The other files have a pool that the panic has not touched.
                pool = engine::pool(SLOTS);
                FileReport::panicked()
            });
        }
    };
    thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(work))));
    reports.into_iter().map(|report| report.into_inner().expect("no thread panics with it")).collect()
}

/// Prints a line for each folder; gives how many directives passed in all.
fn summarise(jobs: &[Job], reports: &[FileReport]) -> usize {
    let mut folders: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (job, report) in jobs.iter().zip(reports) {
        let (passed, failed) = folders.entry(&job.folder).or_default();
        *passed += report.passed;
        *failed += report.failures.len();
    }
    for (folder, (passed, failed)) in &folders {
        println!("{folder}: {passed} passed, {failed} failed");
    }
    folders.values().map(|(passed, _)| passed).sum()
}

fn failures(jobs: &[Job], reports: &[FileReport]) -> BTreeMap<Place, String> {
    let all = jobs.iter().zip(reports).flat_map(|(job, report)| report.failures.iter().map(move |failure| (job, failure)));
    all.map(|(job, failure)| {
        let place = Place { folder: job.folder.clone(), file: job.file.clone(), line: failure.line };
        (place, failure.reason.clone())
    })
    .collect()
}

/// The files of a folder and its subfolders, with every feature.
fn jobs_in(folder: &Path) -> Vec<Job> {
    let mut files = Vec::new();
    collect(folder, &mut files);
    files.sort();
    let job = |file: &PathBuf| Job {
        folder: file.parent().unwrap_or(folder).display().to_string(),
        file: file.display().to_string(),
        text: String::from_utf8_lossy(&std::fs::read(file).expect("the file reads")).into_owned(),
        rules: Features::EVERY.into(),
    };
    files.iter().map(job).collect()
}

fn run_folder(folder: &Path) {
    let jobs = jobs_in(folder);
    let reports = run_all(&jobs);
    for (job, report) in jobs.iter().zip(&reports) {
        println!("{}: {} passed, {} failed", job.file, report.passed, report.failures.len());
        for failure in &report.failures {
            println!("  {}:{}  {}", job.file, failure.line, failure.reason);
        }
    }
    summarise(&jobs, &reports);
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("SPEC_SUITE is a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "wast") {
            files.push(path);
        }
    }
}
