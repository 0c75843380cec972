//! Programs as people write them, built and run by the binary.

use std::process::{Command, Output};

use tempfile::TempDir;

use crate::server::{binary, toolchains};

/// `vivarium run` on one source file of this name.
pub fn run(name: &str, source: &str) -> Output {
    let folder = TempDir::new().expect("temporary folders can be made");
    std::fs::write(folder.path().join(name), source).expect("the source can be written");
    Command::new(binary())
        .args(["run", name])
        .current_dir(folder.path())
        .env("VIVARIUM_TOOLCHAINS", toolchains())
        .env("VIVARIUM_DATA", folder.path().join("data"))
        .output()
        .expect("the binary starts")
}

/// The program ends well and prints this.
pub fn check(name: &str, source: &str, expected: &str) {
    let output = run(name, source);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!((stdout.as_ref(), output.status.code()), (expected, Some(0)), "{stderr}");
}
