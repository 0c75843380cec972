//! The set-up is up to date, and says nothing then; an unfinished one is never taken for a whole one.

mod support;

use std::fs;
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
