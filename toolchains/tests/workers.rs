//! Workers of AssemblyScript that wait, warm, for a program: what befalls them while they wait is no build's fault.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use support::{folder, jail_program, tree};
use vivarium_toolchains::{BuildLimits, Cancel, JailKind, Language, OpenOptions, Toolchains};

/// How long processes may take to die with their jail.
const DEATH_MAX: Duration = Duration::from_secs(10);

/// The numbers of all processes below this one.
fn descendants(number: &str) -> Vec<String> {
    let children = fs::read_to_string(format!("/proc/{number}/task/{number}/children")).unwrap_or_default();
    children.split_whitespace().flat_map(|child| [vec![child.to_owned()], descendants(child)].concat()).collect()
}

/// Whether a process runs: not gone, and not dead with nobody yet told.
fn is_alive(number: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{number}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z') && !line.contains('X'))
}

/// The jail's program here notes the number of each process that becomes a worker, so that the test can kill the ones that it started.
#[test]
fn workers_that_died_while_they_waited_fail_no_build() {
    let notes = tempfile::tempdir().unwrap();
    let (script, numbers) = (notes.path().join("jail"), notes.path().join("numbers"));
    let text =
        format!("#!/bin/bash\n[[ \"$*\" != *worker.mjs* ]] || echo $$ >>{}\nexec {} \"$@\"\n", numbers.display(), jail_program().display());
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let toolchains = Toolchains::open_with(&folder(), &OpenOptions { jail_program: script, jail: Some(JailKind::Bwrap) });
    toolchains.warm().unwrap();
    let waiting = fs::read_to_string(&numbers).unwrap();
    assert!(waiting.lines().count() >= 2, "{waiting}");
    let inside: Vec<String> = waiting.lines().flat_map(descendants).collect();
    assert!(!inside.is_empty(), "no process inside the jails");
    for number in waiting.lines() {
        assert!(Command::new("kill").args(["-9", number]).status().unwrap().success());
    }
    // What is inside a jail dies by its parent's death, a moment later: until then it could still answer.
    let patience = Instant::now() + DEATH_MAX;
    while inside.iter().any(|number| is_alive(number)) {
        assert!(Instant::now() < patience, "a killed jail's processes live on: {inside:?}");
        thread::sleep(Duration::from_millis(5));
    }
    let source = tree(Language::AssemblyScript, &[("main.ts", "console.log(\"leaf\");\n")]);
    let report = toolchains.build(&source, &BuildLimits::default(), &Cancel::new()).unwrap();
    assert!(report.wasm.is_some(), "{report:?}");
    let started = fs::read_to_string(&numbers).unwrap();
    assert!(started.lines().count() > waiting.lines().count(), "no worker was started in the place of the dead");
}
