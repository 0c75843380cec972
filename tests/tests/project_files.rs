//! A program finds its project's files under `/`: source and assets, read-only, each time it runs.

use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use vivarium_tests::server::{Server, binary, toolchains};

/// Prints a text file, the bytes of an asset, its own size, and what writing comes to.
const C: &str = r#"#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
int main(void) {
    printf("Content-Type: text/plain\n\n");
    char line[32] = "";
    FILE *file = fopen("/data/words.txt", "r");
    if (file) fgets(line, sizeof line, file);
    printf("%s", line);
    file = fopen("/pixels.bin", "rb");
    for (int byte; file && (byte = fgetc(file)) != EOF;) printf("%02x", byte);
    struct stat status = {0};
    stat("main.c", &status);
    fopen("/data/words.txt", "w");
    printf("\n%lld %s\n", (long long)status.st_size, strerror(errno));
}
"#;

fn expected(words: &str, pixels: &str) -> String {
    format!("{words}\n{pixels}\n{} Read-only file system\n", C.len())
}

fn files(words: &str) -> Value {
    json!({ "main.c": C, "data/words.txt": format!("{words}\n") })
}

#[test]
fn each_revision_has_its_own_files_and_has_them_after_a_restart() {
    let server = Server::start();
    let first = json!({ "language": "c", "files": files("fern"), "assets": { "pixels.bin": "AP+A" } });
    let answer = server.post("/api/v1/deployments", &first);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let deployment = answer.json();
    assert_eq!(server.visit(&deployment, "/").text(), expected("fern", "00ff80"));

    let (slug, token) = (deployment["slug"].as_str().unwrap().to_owned(), deployment["owner_token"].as_str().unwrap().to_owned());
    let path = format!("/api/v1/deployments/{slug}");
    let owners = server.call("GET", &path, None, Some(&token)).json();
    assert_eq!((&owners["files"]["data/words.txt"], &owners["assets"]), (&json!("fern\n"), &json!({ "pixels.bin": 3 })));
    let strangers = server.get(&path).json();
    assert_eq!((&strangers["files"], &strangers["assets"]), (&Value::Null, &Value::Null));

    let second = json!({ "language": "c", "files": files("moss"), "slug": slug });
    assert_eq!(server.call("POST", "/api/v1/deployments", Some(&second), Some(&token)).status, 200);
    let server = Server::start_in(server.kill());
    let served = server.call("GET", &path, None, Some(&token)).json();
    assert_eq!(server.visit(&served, "/").text(), expected("moss", ""));
    let revision = format!("{}r1.", served["revision_url"].as_str().unwrap().split("r2.").next().unwrap());
    let port = Server::guest_port(&served);
    assert_eq!(server.visit_host(&format!("{revision}localhost:{port}/"), "/").text(), expected("fern", "00ff80"));
}

#[test]
fn what_is_no_asset_is_refused_with_a_sentence() {
    let server = Server::start();
    for (assets, status, said) in [
        (json!({ "x": "?" }), 400, "no base64"),
        (json!({ "main.c": "" }), 400, "both a source file and an asset"),
        (json!({ "../x": "" }), 400, "no path of a project file"),
        (json!({ "x": "A".repeat(4 << 18) + "AAAA" + &"A".repeat(1 << 19) }), 413, "assets_bytes_max"),
    ] {
        let body = json!({ "language": "c", "files": { "main.c": "int main(void) {}" }, "assets": assets });
        let answer = server.post("/api/v1/deployments", &body);
        assert!(answer.status == status && answer.text().contains(said), "{} {}", answer.status, answer.text());
    }
}

#[test]
fn a_command_has_them_over_http_and_from_a_folder() {
    let header = "Content-Type: text/plain\n\n";
    let server = Server::start();
    let run = json!({ "language": "c", "files": files("oak"), "assets": { "pixels.bin": "AQI=" } });
    assert_eq!(server.post("/api/v1/runs", &run).json()["stdout"], format!("{header}{}", expected("oak", "0102")));

    let folder = TempDir::new().unwrap();
    std::fs::create_dir_all(folder.path().join("p/data")).unwrap();
    std::fs::write(folder.path().join("p/main.c"), C).unwrap();
    std::fs::write(folder.path().join("p/data/words.txt"), "elm\n").unwrap();
    std::fs::write(folder.path().join("p/pixels.bin"), [0, 255]).unwrap();
    let mut command = Command::new(binary());
    command.args(["run", "p"]).current_dir(folder.path()).env("VIVARIUM_TOOLCHAINS", toolchains());
    let output = command.env("VIVARIUM_DATA", folder.path().join("data")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), header.to_owned() + &expected("elm", "00ff"));
}
