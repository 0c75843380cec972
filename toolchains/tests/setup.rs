//! The set-up is up to date, and says nothing then; an unfinished one is never taken for a whole one.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

use support::folder;
use vivarium_toolchains::Toolchains;

fn install(folder: &Path, path: &str) -> Output {
    let setup = concat!(env!("CARGO_MANIFEST_DIR"), "/setup/install");
    Command::new(setup).arg(folder).env("PATH", path).output().unwrap()
}

#[test]
fn the_toolchains_are_those_of_this_version() {
    let stamp = fs::read_to_string(folder().join("stamp")).unwrap_or_default();
    assert!(!stamp.is_empty(), "there are no toolchains: run toolchains/setup/install {}", folder().display());
    let output = install(&folder(), "/usr/bin:/bin");
    assert!(output.status.success() && output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Tools that the set-up needs are missing here, so it stops in its first step.
#[test]
fn a_set_up_that_stopped_leaves_no_toolchains_and_says_what_is_missing() {
    let parent = tempfile::tempdir().unwrap();
    let tools = parent.path().join("bin");
    fs::create_dir(&tools).unwrap();
    for tool in ["bash", "cat", "cut", "dirname", "flock", "head", "mkdir", "realpath", "rm", "sed", "sha256sum", "tail"] {
        std::os::unix::fs::symlink(Path::new("/usr/bin").join(tool), tools.join(tool)).unwrap();
    }
    let target = parent.path().join("toolchains");
    let output = install(&target, tools.to_str().unwrap());
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("apt-get is missing") && told.contains("Run the same command again"), "{told}");
    assert!(!target.exists());
    assert!(!Toolchains::open(&target).status()[0].available);
}

/// Stand-ins for what the set-up fetches with: there is one package with one file, and it is there only where the lists are. `touch`
/// makes the marks of finished steps; here it kills the set-up with one mark to go, or with the mark just made.
const STAND_INS: &[(&str, &str)] = &[
    (
        "apt-get",
        "[[ $1 != download ]] || [[ -e $APT_CONFIG ]] || exit 1; case \"$*\" in *print-uris*) echo \"'uri' leaf.deb 4\";; download*) echo leaf >leaf.deb;; esac",
    ),
    ("apt-cache", "case $2 in libstd-rust-web-dev) echo '  Depends: libstd-rust-web-1';; *) echo '  Depends: libllvm9';; esac"),
    ("dpkg-deb", "case $1 in -x) cat \"$2\" >\"$3/unpacked\";; -W) echo leaf 1;; esac"),
    ("touch", "[[ $1 != */done/$KILL_BEFORE ]] || { kill -9 $PPID; exit; }; : >\"$1\"; [[ $1 != */done/$KILL_AFTER ]] || kill -9 $PPID"),
    ("cargo", "echo 'the stand-in builds nothing' >&2; exit 1"),
    ("gcc", ""),
    ("node", ""),
    ("npm", ""),
    ("rustup", "exit 1"),
    ("setpriv", ""),
];

/// The set-up with stand-ins, killed with SIGKILL just before or after each mark; each time it goes on, and in the end it has come as
/// far as the first step that no stand-in does.
#[test]
fn a_set_up_that_is_killed_between_two_steps_goes_on() {
    let parent = tempfile::tempdir().unwrap();
    for (name, script) in STAND_INS {
        let path = parent.path().join(name);
        fs::write(&path, format!("#!/bin/bash\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let target = parent.path().join("toolchains");
    let run = |variable: &str, mark: &str| {
        let setup = concat!(env!("CARGO_MANIFEST_DIR"), "/setup/install");
        let path = format!("{}:/usr/bin:/bin", parent.path().display());
        Command::new(setup).arg(&target).env("PATH", path).env(variable, mark).output().unwrap()
    };
    for mark in ["lists", "packages", "unpack"] {
        for variable in ["KILL_BEFORE", "KILL_AFTER"] {
            let output = run(variable, mark);
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.signal(), Some(9), "{variable} {mark}: {told}");
        }
    }
    let output = run("KILL_BEFORE", "none");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("the stand-in builds nothing") && told.contains("step 4 of 10"), "{told}");
    assert!(!target.exists());
}
