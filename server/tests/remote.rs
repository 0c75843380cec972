//! Commands that talk to a running server: what they print, how they end, and what the server has afterwards.

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use support::{Server, service, vivarium, wait_for};

/// A server, and commands that have its data folder for their tokens and know it by its address.
struct Remote {
    data: tempfile::TempDir,
    server: Server,
}

impl Remote {
    fn start() -> Remote {
        let data = tempfile::tempdir().unwrap();
        let server = Server::start(data.path());
        Remote { data, server }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = vivarium(self.data.path());
        command.env("VIVARIUM_SERVER", format!("http://{}", self.server.workshop)).env_remove("VIVARIUM_TOKEN").args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    /// A process that goes on, and the lines that it prints.
    fn begin(&self, arguments: &[&str]) -> Running {
        let mut child = self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Running { child, lines }
    }

    fn write(&self, name: &str, content: &str) -> String {
        let path = self.data.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }
}

struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Running {
    fn line(&mut self) -> String {
        self.lines.next().expect("it goes on").unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_program_is_deployed_and_revised_by_who_made_it() {
    let remote = Remote::start();
    let fern = remote.write("fern.wat", &service("fern"));
    let deployed = remote.run(&["deploy", &fern]);
    let url = text(&deployed.stdout);
    assert!(deployed.status.success() && url.starts_with("http://") && url.lines().count() == 1, "{deployed:?}");
    let slug = url.trim_start_matches("http://").split('.').next().unwrap().to_owned();
    assert!(text(&deployed.stderr).contains(&format!("{slug} r1 lives until ")));
    assert_eq!(remote.server.visit(&slug, "/").body, "fern");
    let kept = remote.data.path().join("owner_tokens.json");
    assert_eq!(std::fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);

    let moss = remote.write("moss.wat", &service("moss"));
    let revised = remote.json(&["deploy", &moss, "--slug", &slug, "--ttl", "1h"]);
    assert_eq!((&revised["slug"], &revised["revision"]), (&json!(slug), &json!(2)));
    assert_eq!(remote.server.visit(&slug, "/").body, "moss");
    assert_eq!(remote.run(&["deploy", &moss, "--slug", &slug, "--token", "wrong"]).status.code(), Some(2));
}

#[test]
fn commands_end_by_whose_fault_it_is() {
    let remote = Remote::start();
    let fern = remote.write("fern.wat", &service("fern"));
    let broken = remote.run(&["deploy", &remote.write("broken.wat", "(module (func (unknown)))")]);
    assert_eq!(broken.status.code(), Some(1), "{broken:?}");
    assert!(text(&broken.stderr).contains("broken.wat:1:"), "by the name that the user gave: {broken:?}");
    for usage in [
        &["deploy", "nothing.c"][..],
        &["deploy", &fern, "--slug", "never"],
        &["deploy", &fern, "--ttl", "soon"],
        &["deploy", &fern, "--config", "a=b"],
        &["deploy", &fern, "--env", "HTTP_X=1"],
        &["deploy", &fern, "--server", "https://127.0.0.1:1"],
        &["logs", "never"],
        &["kv", "list", "never"],
        &["open", "never"],
    ] {
        let ended = remote.run(usage);
        assert_eq!(ended.status.code(), Some(2), "{usage:?} {ended:?}");
        assert!(ended.stdout.is_empty() && !ended.stderr.is_empty(), "{usage:?} {ended:?}");
    }
    for command in [&["deploy", &fern][..], &["logs", "fern"], &["share", &fern]] {
        let nobody = remote.run(&[command, &["--server", "http://127.0.0.1:1"]].concat());
        assert_eq!(nobody.status.code(), Some(3), "{nobody:?}");
        assert!(text(&nobody.stderr).contains("no server answers at http://127.0.0.1:1"), "{nobody:?}");
    }
    let refused = remote.json(&["logs", "never"]);
    assert!(refused["error"].as_str().unwrap().starts_with("nothing was ever deployed as "), "{refused}");
}

#[test]
fn settings_go_with_a_deployment_and_secrets_come_from_elsewhere() {
    let remote = Remote::start();
    let fern = remote.write("fern.wat", &service("fern"));
    let settings = ["--env", "COLOUR=green", "--secret", "KEY", "--secret", "OTHER", "--config", "leaves/oak=lobed", "--kv", "nuts"];
    let mut command = remote.command(&[&["deploy", &fern, "--json"][..], &settings].concat());
    let mut child = command.env("KEY", "hidden-1").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"hidden-2\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && !text(&output.stdout).contains("hidden"), "{output:?}");
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&made["env"], &made["secrets"]), (&json!({"COLOUR": "green"}), &json!(["KEY", "OTHER"])));
    assert_eq!(made["config"], json!({"leaves": {"oak": "lobed"}}));
    assert_eq!(made["kv_stores"].as_object().unwrap().keys().collect::<Vec<_>>(), ["kv", "nuts"]);
    let none = remote.run(&["deploy", &fern, "--secret", "ABSENT"]);
    assert_eq!(none.status.code(), Some(2), "{none:?}");
}

#[test]
fn key_value_stores_are_read_and_changed() {
    let remote = Remote::start();
    let made = remote.json(&["deploy", &remote.write("fern.wat", &service("fern")), "--kv", "nuts"]);
    let slug = made["slug"].as_str().unwrap();
    assert!(remote.run(&["kv", "set", slug, "a/b", "hazel"]).status.success());
    let mut from_stdin = remote.command(&["kv", "set", slug, "raw"]).stdin(Stdio::piped()).spawn().unwrap();
    from_stdin.stdin.take().unwrap().write_all(b"a\0b\xff").unwrap();
    assert!(from_stdin.wait().unwrap().success());
    assert_eq!(remote.run(&["kv", "get", slug, "raw"]).stdout, b"a\0b\xff");
    assert_eq!(text(&remote.run(&["kv", "list", slug]).stdout), "a/b\nraw\n");
    assert_eq!(remote.json(&["kv", "list", slug, "--prefix", "a"]), json!({"keys": ["a/b"]}));
    let got = remote.json(&["kv", "get", slug, "a/b"]);
    assert_eq!((&got["value"], got["generation"].is_u64()), (&json!("hazel"), true));
    assert!(remote.run(&["kv", "--store", "nuts", "set", slug, "x", "1", "--ttl", "60"]).status.success());
    assert_eq!(text(&remote.run(&["kv", "list", slug, "--store", "nuts"]).stdout), "x\n");
    assert!(remote.run(&["kv", "delete", slug, "a/b"]).status.success());
    let gone = remote.run(&["kv", "get", slug, "a/b"]);
    assert_eq!((gone.status.code(), gone.stdout.is_empty()), (Some(2), true));
    assert_eq!(remote.run(&["kv", "list", slug, "--store", "stones"]).status.code(), Some(2));
}

#[test]
fn logs_are_printed_and_followed_each_line_once() {
    let remote = Remote::start();
    let made = remote.json(&["deploy", &remote.write("fern.wat", &service("fern"))]);
    let slug = made["slug"].as_str().unwrap();
    remote.server.visit(slug, "/");
    wait_for("the line", || text(&remote.run(&["logs", slug]).stdout).contains("stderr #1 a line").then_some(()));
    assert!(remote.json(&["logs", slug])["logs"].as_array().unwrap().iter().any(|line| line["text"] == "a line"));
    let mut following = remote.begin(&["logs", "-f", slug]);
    while !following.line().ends_with("stderr #1 a line") {}
    remote.server.visit(slug, "/");
    assert!(following.line().ends_with("stderr #2 a line"));
}

#[test]
fn a_watched_program_is_deployed_again_when_it_changes() {
    let remote = Remote::start();
    let fern = remote.write("fern.wat", &service("fern"));
    let mut watching = remote.begin(&["deploy", &fern, "--watch"]);
    let url = watching.line();
    let slug = url.trim_start_matches("http://").split('.').next().unwrap().to_owned();
    assert_eq!(remote.server.visit(&slug, "/").body, "fern");
    remote.write("fern.wat", "(module (func (unknown)))");
    let mut said = BufReader::new(watching.child.stderr.take().unwrap()).lines();
    while !said.next().expect("it goes on").unwrap().contains("fern.wat:1:") {}
    remote.write("fern.wat", &service("moss"));
    assert_eq!(watching.line(), url, "the same deployment, mended");
    assert_eq!(remote.server.visit(&slug, "/").body, "moss");
}

#[test]
fn a_program_is_shared_and_a_deployment_opened() {
    let remote = Remote::start();
    let fern = remote.write("fern.wat", &service("fern"));
    let shared = text(&remote.run(&["share", &fern]).stdout);
    let path = shared.trim().strip_prefix(&format!("http://{}", remote.server.workshop)).unwrap_or_else(|| panic!("{shared}"));
    assert_eq!((path.starts_with("/s/"), remote.server.get(path).status), (true, 200));

    let made = remote.json(&["deploy", &fern]);
    let (slug, opened) = (made["slug"].as_str().unwrap(), remote.data.path().join("opened"));
    let browser = remote.write("xdg-open", &format!("#!/bin/sh\necho \"$1\" > {}\n", opened.display()));
    std::fs::set_permissions(Path::new(&browser), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", remote.data.path().display());
    let output = remote.command(&["open", slug]).env("PATH", path).output().unwrap();
    assert_eq!(text(&output.stdout).trim(), made["url"].as_str().unwrap());
    let url = wait_for("the browser", || std::fs::read_to_string(&opened).ok().filter(|url| url.ends_with('\n')));
    assert_eq!(url.trim(), made["url"].as_str().unwrap());
}
