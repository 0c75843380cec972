//! `vivarium test`: the requests that are kept with a program, sent to it by a server, judged, and printed.

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;
use vivarium_tests::server::{Server, binary};

const PROGRAM: &str = r#"#include <stdio.h>
int main(void) { puts("Content-Type: text/plain\n\nhello fern"); fprintf(stderr, "grown\n"); }
"#;

fn test(server: &Server, folder: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.arg("test").arg(folder.path()).args(["--server", &server.url]).args(arguments);
    command.output().expect("the binary starts")
}

fn folder_with(requests: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("main.c"), PROGRAM).unwrap();
    fs::write(folder.path().join("requests.json"), requests).unwrap();
    folder
}

#[test]
fn a_program_is_tested_by_the_requests_beside_it() {
    let server = Server::start();
    let whole = r#"[{"name": "leaf", "tests": "status is 200\n[greets] body includes fern\nlog includes grown\noutcome isNot trapped"}]"#;
    let folder = folder_with(whole);
    let listed = test(&server, &folder, &[]);
    let said = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.status.success() && said.contains("leaf\n  holds  status is 200\n  holds  greets\n"), "{listed:?}");
    assert!(said.ends_with("4 hold, 0 fail\n"), "{said}");

    let broken = folder_with(r#"[{"name": "moss", "path": "/x", "tests": "body includes moss"}]"#);
    let tap = test(&server, &broken, &["--tap"]);
    let said = String::from_utf8_lossy(&tap.stdout).into_owned();
    assert_eq!(tap.status.code(), Some(1), "{tap:?}");
    assert!(said.starts_with("TAP version 14\n1..1\nnot ok 1 - moss: body includes moss\n"), "{said}");
    let json = test(&server, &broken, &["--json"]);
    let results: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&results["passed"], &results["failures"]), (&false.into(), &1.into()));

    let nothing = TempDir::new().unwrap();
    fs::write(nothing.path().join("main.c"), PROGRAM).unwrap();
    let refused = test(&server, &nothing, &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("cannot read the requests"), "{refused:?}");
}
