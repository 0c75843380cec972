//! The command line, as a person meets it: what it prints, where, and how it ends.

mod support;

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use support::{Server, run, send, service, vivarium};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn write(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path.display().to_string()
}

#[test]
fn run_passes_on_streams_and_ends_as_the_program_does() {
    let data = tempfile::tempdir().unwrap();
    let fern = write(data.path(), "fern.wat", &service("fern"));
    let ran = run(data.path(), &["run", &fern]);
    assert_eq!(
        (ran.status.code(), text(&ran.stdout), text(&ran.stderr)),
        (Some(0), "Content-Type: text/plain\r\n\r\nfern".into(), "a line\n".into())
    );

    let exit = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const 7))))"#;
    assert_eq!(run(data.path(), &["run", &write(data.path(), "exit.wat", exit)]).status.code(), Some(7));
    let trap = r#"(module (memory (export "memory") 1) (func $frond unreachable) (func (export "_start") (call $frond)))"#;
    let trapped = run(data.path(), &["run", &write(data.path(), "trap.wat", trap)]);
    assert_eq!(trapped.status.code(), Some(134));
    assert!(text(&trapped.stderr).contains("unreachable") && text(&trapped.stderr).contains("in frond"), "{}", text(&trapped.stderr));
}

#[test]
fn a_service_of_the_compute_abi_is_not_run_but_deployed() {
    let data = tempfile::tempdir().unwrap();
    let service = r#"(module (import "fastly_http_req" "body_downstream_get" (func (param i32 i32) (result i32)))
        (memory (export "memory") 1) (func (export "_start") unreachable))"#;
    let refused = run(data.path(), &["run", &write(data.path(), "service.wat", service)]);
    assert_eq!((refused.status.code(), text(&refused.stderr).contains("vivarium deploy")), (Some(2), true), "{refused:?}");
}

#[test]
fn run_invokes_an_exported_function_with_numbers() {
    let data = tempfile::tempdir().unwrap();
    let fern = write(data.path(), "fern.wat", &service("fern"));
    assert_eq!(text(&run(data.path(), &["run", "--invoke", "divide", &fern, "-7", "2"]).stdout), "-3\n");
    let trapped = run(data.path(), &["run", "--invoke", "divide", &fern, "1", "0"]);
    assert_eq!((trapped.status.code(), text(&trapped.stderr).contains("integer divide by zero")), (Some(134), true));
    for wrong in [
        &["run", "--invoke", "nothing", &fern][..],
        &["run", "--invoke", "divide", &fern, "1"],
        &["run", "--invoke", "divide", &fern, "x", "1"],
    ] {
        assert_eq!(run(data.path(), wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn an_artifact_runs_only_where_it_was_made() {
    let (data, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let fern = write(data.path(), "fern.wat", &service("fern"));
    let artifact = data.path().join("fern.viva").display().to_string();
    let compiled = json_of(&run(data.path(), &["compile", &fern, "-o", &artifact, "--json"]));
    assert_eq!(compiled["artifact"], json!(artifact));
    assert!(text(&run(data.path(), &["run", &artifact]).stdout).ends_with("fern"));
    let refused = run(elsewhere.path(), &["run", &artifact]);
    assert_eq!((refused.status.code(), text(&refused.stderr).contains("compile it here")), (Some(1), true));

    let inspected = json_of(&run(elsewhere.path(), &["inspect", "--json", &artifact]));
    assert_eq!((&inspected["signed_here"], &inspected["contract"]["imports"][0]["name"]), (&json!(false), &json!("fd_write")));
    assert!(text(&run(data.path(), &["inspect", &artifact]).stdout).contains("export     divide (i32 i32) -> (i32)"));
}

#[test]
fn what_cannot_be_built_says_why() {
    let data = tempfile::tempdir().unwrap();
    let broken = write(data.path(), "broken.wat", "(module\n  (func (result i32)\n  nonsense))");
    let built = run(data.path(), &["build", "--json", &broken]);
    assert_eq!(built.status.code(), Some(1));
    let diagnostic = json_of(&built)["diagnostics"][0].clone();
    assert_eq!((&diagnostic["file"], &diagnostic["line"], &diagnostic["severity"]), (&json!("broken.wat"), &json!(3), &json!("error")));
    let import = write(data.path(), "import.wat", r#"(module (import "env" "emit" (func)) (func (export "_start")))"#);
    let refused = run(data.path(), &["run", &import]);
    assert_eq!((refused.status.code(), text(&refused.stderr).contains("env.emit")), (Some(1), true), "{}", text(&refused.stderr));
    assert_eq!(run(data.path(), &["run", "nothing.c"]).status.code(), Some(2));
    assert_eq!(run(data.path(), &["fly"]).status.code(), Some(2));
}

#[test]
fn doctor_names_what_is_missing_and_the_command_that_mends_it() {
    let data = tempfile::tempdir().unwrap();
    let output = run(data.path(), &["doctor", "--json"]);
    assert_eq!(output.status.code(), Some(3));
    let told = json_of(&output);
    let c = told["findings"].as_array().unwrap().iter().find(|finding| finding["name"] == "C").cloned().unwrap();
    assert_eq!(c["ok"], json!(false));
    assert!(c["mend"].as_str().unwrap().contains("setup/install"), "{c}");
}

#[test]
fn one_server_for_a_folder_and_no_other_machine_without_being_asked() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let second = run(data.path(), &["serve", "--workshop", "127.0.0.1:0", "--gateway", "127.0.0.1:0"]);
    assert_eq!((second.status.code(), text(&second.stderr).contains("in use by another Vivarium")), (Some(3), true));
    let other = tempfile::tempdir().unwrap();
    let busy = run(other.path(), &["serve", "--workshop", "127.0.0.1:0", "--gateway", &server.guests]);
    assert_eq!((busy.status.code(), text(&busy.stderr).contains("--gateway")), (Some(3), true), "{}", text(&busy.stderr));
    let open = vivarium(other.path()).args(["serve", "--workshop", "0.0.0.0:0", "--gateway", "127.0.0.1:0"]).output().unwrap();
    assert_eq!((open.status.code(), text(&open.stderr).contains("--open")), (Some(2), true));
}

#[test]
fn a_wrong_host_is_misdirected_on_either_port() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    for address in [&server.workshop, &server.guests] {
        assert_eq!(send(address, "evil.com", "GET", "/", "", "").unwrap().status, 421, "{address}");
    }
}
