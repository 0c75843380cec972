//! What was acknowledged answers again, whatever was killed.

use std::process::Command;

use serde_json::Value;
use vivarium_tests::server::{Server, eventually};

const ANSWER: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 100) "Content-Type: text/plain\n\nnumber NNN\n")
    (func (export "_start")
        (i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const 37))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
"#;

fn deploy_some(server: &Server, count: u32) -> Vec<(Value, String)> {
    (0..count)
        .map(|index| {
            let number = format!("{index:03}");
            (server.deployed("wat", "main.wat", &ANSWER.replace("NNN", &number)), format!("number {number}"))
        })
        .collect()
}

/// Deployments keep their slug; the port is the restarted server's.
fn all_answer(server: &Server, deployments: &[(Value, String)]) {
    for (deployment, expected) in deployments {
        let slug = deployment["slug"].as_str().unwrap();
        let now = server.get(&format!("/api/v1/deployments/{slug}"));
        assert_eq!(now.status, 200, "{slug} is remembered: {}", now.text());
        let answer = eventually("an answer", || {
            let answer = server.visit(&now.json(), "/");
            (answer.status != 503).then_some(answer)
        });
        assert_eq!((answer.status, answer.text().trim()), (200, expected.as_str()));
    }
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

#[test]
fn every_acknowledged_deployment_answers_after_the_workshop_was_killed() {
    let server = Server::start();
    let deployments = deploy_some(&server, 5);
    let gateway = eventually("the gateway", || server.gateway_pid());
    let data = server.kill();
    eventually("the gateway's end", || (!std::path::Path::new(&format!("/proc/{gateway}/cmdline")).exists()).then_some(()));
    let server = Server::start_in(data);
    all_answer(&server, &deployments);
}

#[test]
fn every_deployment_answers_after_the_gateway_was_killed() {
    let server = Server::start();
    let deployments = deploy_some(&server, 3);
    all_answer(&server, &deployments);
    let before = eventually("the gateway", || server.gateway_pid());
    kill(before);
    eventually("another gateway", || server.gateway_pid().filter(|pid| *pid != before));
    all_answer(&server, &deployments);
}

#[test]
fn deployments_answer_after_an_upgrade_of_the_artifact_format() {
    let server = Server::start();
    let deployments = deploy_some(&server, 2);
    let data = server.kill();
    let mut changed = 0;
    for file in files_below(data.path()) {
        let Ok(mut bytes) = std::fs::read(&file) else { continue };
        if bytes.starts_with(b"\x7fELF") && bytes.get(9..12) == Some(b"VIV") {
            // The format version in the artifact's first sixteen bytes: as if an older build had written it.
            bytes[12] ^= 0x55;
            std::fs::write(&file, bytes).unwrap();
            changed += 1;
        }
    }
    assert!(changed >= 2, "{changed} artifacts were found in the cache");
    let server = Server::start_in(data);
    all_answer(&server, &deployments);
}

#[test]
fn deployments_answer_when_all_cached_artifacts_are_gone() {
    let server = Server::start();
    let deployments = deploy_some(&server, 2);
    let data = server.kill();
    for file in files_below(data.path()) {
        if std::fs::read(&file).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF")) {
            std::fs::remove_file(file).unwrap();
        }
    }
    let server = Server::start_in(data);
    all_answer(&server, &deployments);
}

#[test]
fn a_second_server_on_the_same_data_folder_is_refused_with_a_sentence() {
    let server = Server::start();
    let output = Command::new(vivarium_tests::server::binary())
        .args(["serve", "--workshop", "127.0.0.1:0", "--gateway", "127.0.0.1:0", "--data"])
        .arg(server.data())
        .env("VIVARIUM_TOOLCHAINS", vivarium_tests::server::toolchains())
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("another"), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(server.get("/healthz").status, 200);
}

fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}
