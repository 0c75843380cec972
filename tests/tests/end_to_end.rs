//! Press Run, get a URL: each language over HTTP, and what happens when things go wrong.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vivarium_tests::server::{Server, eventually};

const C_ECHO: &str = r#"#include <stdio.h>
#include <stdlib.h>
int main(void) {
    const char *query = getenv("QUERY_STRING");
    fprintf(stderr, "asked for %s\n", query);
    printf("Content-Type: text/plain\r\n\r\nC says %s\n", query);
}
"#;
const CPP_ECHO: &str = r#"#include <cstdlib>
#include <iostream>
int main() {
    std::string query = std::getenv("QUERY_STRING");
    std::clog << "asked for " << query << std::endl;
    std::cout << "Content-Type: text/plain\r\n\r\nC++ says " << query << '\n';
}
"#;
const RUST_ECHO: &str = r#"fn main() {
    let query = std::env::var("QUERY_STRING").unwrap_or_default();
    eprintln!("asked for {query}");
    println!("Content-Type: text/plain\n\nRust says {query}");
}
"#;
const ASSEMBLYSCRIPT_ECHO: &str = r#"console.error("asked for something");
console.log("Content-Type: text/plain\n\nAssemblyScript says hello");
"#;
const WAT_ECHO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 100) "Content-Type: text/plain\n\nWAT says hello\n")
    (data (i32.const 200) "asked for something\n")
    (func (export "_start")
        (i32.store (i32.const 0) (i32.const 200)) (i32.store (i32.const 4) (i32.const 20))
        (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
        (i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const 41))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
"#;
const C_ENDLESS: &str = "#include <stdio.h>\nint main(void) { fprintf(stderr, \"going in\\n\"); for (volatile unsigned i = 0;; i++) ; }\n";

/// Deploys, asks, and finds request and log line in the deployment's record and in its events.
fn deploy_request_log_report(language: &str, file: &str, text: &str, answer: &str, log: &str) {
    let server = Server::start();
    let deployment = server.deployed(language, file, text);
    let slug = deployment["slug"].as_str().unwrap();
    let events = server.events(&format!("deployment:{slug}"));
    let visit = server.visit(&deployment, "/some/path?name=value");
    assert_eq!((visit.status, visit.text().trim()), (200, answer));
    assert!(visit.header("server-timing").is_some_and(|timing| timing.contains("run")), "{:?}", visit.headers);

    let request = events.next("the request", |event| event.name == "request").data;
    assert_eq!(request["path"], "/some/path?name=value");
    assert_eq!(request["status"], 200);
    assert_eq!(request["outcome"]["kind"], "finished");
    for stage in ["instantiate", "run", "reset"] {
        assert!(request["timings"][stage].is_number(), "{stage} was timed: {request}");
    }
    let logs = eventually("the log line", || {
        let logs = server.get(&format!("/api/v1/deployments/{slug}/logs")).json()["logs"].clone();
        logs.as_array().unwrap().iter().any(|line| line["text"] == log && line["stream"] == "stderr").then_some(logs)
    });
    assert!(logs.as_array().unwrap().iter().any(|line| line["request_id"] == request["id"]), "{logs}");
    let path =
        server.visit_host(deployment["path_url"].as_str().unwrap().split("/_d/").next().unwrap(), &format!("/_d/{slug}/?name=value"));
    assert_eq!(path.status, 200, "the path form answers too: {}", path.text());
}

#[test]
fn c_deploys_answers_and_logs() {
    deploy_request_log_report("c", "main.c", C_ECHO, "C says name=value", "asked for name=value");
}

#[test]
fn cpp_deploys_answers_and_logs() {
    deploy_request_log_report("cpp", "main.cpp", CPP_ECHO, "C++ says name=value", "asked for name=value");
}

#[test]
fn rust_deploys_answers_and_logs() {
    deploy_request_log_report("rust", "main.rs", RUST_ECHO, "Rust says name=value", "asked for name=value");
}

#[test]
fn assemblyscript_deploys_answers_and_logs() {
    deploy_request_log_report("assemblyscript", "main.ts", ASSEMBLYSCRIPT_ECHO, "AssemblyScript says hello", "asked for something");
}

#[test]
fn wat_deploys_answers_and_logs() {
    deploy_request_log_report("wat", "main.wat", WAT_ECHO, "WAT says hello", "asked for something");
}

/// Those that want a backend, a key or a question to say yes: `starters.rs` gives them that.
const NEEDY_STARTERS: [&str; 4] = ["proxy", "dns", "access", "json"];

#[test]
fn every_starter_builds_and_answers() {
    let server = Server::start();
    let starters = server.get("/api/v1/starters").json();
    let starters = starters["starters"].as_array().unwrap();
    for language in ["c", "cpp", "rust", "assemblyscript", "wat"] {
        assert!(starters.iter().any(|starter| starter["language"] == language && starter["kind"] == "service"), "{language} has a service");
    }
    for starter in starters {
        let name = &starter["name"];
        if NEEDY_STARTERS.iter().any(|needy| name == needy) {
            continue;
        }
        if starter["kind"] == "service" {
            let answer = server.deploy(starter["language"].as_str().unwrap(), starter["files"].clone());
            assert_eq!(answer.status, 201, "{name}: {}", answer.text());
            let visit = server.visit(&answer.json(), "/");
            assert_eq!(visit.status, 200, "{name}: {}", visit.text());
            assert!(!visit.text().trim().is_empty(), "{name} has something to show");
        } else {
            let run = server
                .post("/api/v1/runs", &json!({"language": starter["language"], "files": starter["files"], "stdin": starter["stdin"]}));
            assert_eq!(run.status, 200, "{name}: {}", run.text());
            assert_eq!(run.json()["exit_code"], 0, "{name}: {}", run.text());
        }
    }
}

#[test]
fn a_failed_build_names_the_place_and_leaves_the_served_revision_alone() {
    let server = Server::start();
    let deployment = server.deployed("c", "main.c", C_ECHO);
    let broken = C_ECHO
        .replace("getenv(\"QUERY_STRING\")", "getenvv(\"QUERY_STRING\")")
        .replace("#include <stdlib.h>\n", "#include <stdlib.h>\nint x = ;\n");
    let next = json!({"language": "c", "files": {"main.c": broken}, "slug": deployment["slug"]});
    let answer = server.call("POST", "/api/v1/deployments", Some(&next), deployment["owner_token"].as_str());
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let diagnostics = answer.json()["build"]["diagnostics"].clone();
    let error = diagnostics.as_array().unwrap().iter().find(|diagnostic| diagnostic["severity"] == "error").expect("an error");
    assert_eq!((&error["file"], &error["line"], &error["column"]), (&json!("main.c"), &json!(3), &json!(9)), "{error}");
    assert_eq!(server.visit(&deployment, "/?still").text().trim(), "C says still");
    assert_eq!(server.get(&format!("/api/v1/deployments/{}", deployment["slug"].as_str().unwrap())).json()["revision"], 1);
}

#[test]
fn a_second_run_serves_at_the_same_url_and_the_old_revision_keeps_its_own() {
    let server = Server::start();
    let first = server.deployed("c", "main.c", C_ECHO);
    let next = json!({"language": "c", "files": {"main.c": C_ECHO.replace("C says", "C now says")}, "slug": first["slug"]});
    let stranger = server.call("POST", "/api/v1/deployments", Some(&next), Some("not-the-token"));
    assert_eq!(stranger.status, 403, "{}", stranger.text());
    let second = server.call("POST", "/api/v1/deployments", Some(&next), first["owner_token"].as_str());
    assert_eq!(second.status, 200, "{}", second.text());
    let second = second.json();
    assert_eq!((&second["url"], &second["revision"]), (&first["url"], &json!(2)));
    assert_eq!(server.visit(&second, "/?x").text().trim(), "C now says x");
    assert_eq!(server.visit_host(first["revision_url"].as_str().unwrap(), "/?x").text().trim(), "C says x");
}

#[test]
fn a_request_in_flight_finishes_on_the_revision_it_began_with() {
    let slow = r#"#include <stdio.h>
#include <unistd.h>
int main(void) { usleep(600000); printf("Content-Type: text/plain\n\nold\n"); }
"#;
    let server = Server::start();
    let first = server.deployed("c", "main.c", slow);
    std::thread::scope(|scope| {
        let in_flight = scope.spawn(|| server.visit(&first, "/"));
        std::thread::sleep(Duration::from_millis(100));
        let next =
            json!({"language": "c", "files": {"main.c": slow.replace("usleep(600000);", "").replace("old", "new")}, "slug": first["slug"]});
        let second = server.call("POST", "/api/v1/deployments", Some(&next), first["owner_token"].as_str());
        assert_eq!(second.status, 200, "{}", second.text());
        assert_eq!(server.visit(&first, "/").text().trim(), "new");
        assert_eq!(in_flight.join().unwrap().text().trim(), "old");
    });
}

#[test]
fn a_trap_names_its_kind_and_function_everywhere() {
    let source = r#"#include <stdio.h>
#include <stdlib.h>
__attribute__((noinline)) int divide(int by) { return 100 / by; }
int main(void) { printf("Content-Type: text/plain\n\n%d\n", divide(atoi(getenv("QUERY_STRING")))); }
"#;
    let server = Server::start();
    let deployment = server.deployed("c", "main.c", source);
    assert_eq!(server.visit(&deployment, "/?5").text().trim(), "20");
    let trapped = server.visit(&deployment, "/?0");
    assert_eq!(trapped.status, 500);
    assert!(trapped.text().contains("divide by zero") && trapped.text().contains("divide"), "{}", trapped.text());
    let slug = deployment["slug"].as_str().unwrap();
    let request = eventually("the report", || {
        let requests = server.get(&format!("/api/v1/deployments/{slug}/requests")).json()["requests"].clone();
        requests.as_array().unwrap().iter().find(|request| request["outcome"]["kind"] == "trapped").cloned()
    });
    assert_eq!(request["outcome"]["trap"]["kind"], "integer_divide_by_zero");
    assert_eq!(request["outcome"]["trap"]["function"], "divide");
    assert_eq!(server.get(&format!("/api/v1/deployments/{slug}")).json()["state"], "trapped");
    assert_eq!(server.visit(&deployment, "/?4").text().trim(), "25", "the next request has a fresh instance");
}

#[test]
fn an_endless_loop_ends_at_its_deadline_while_neighbours_answer() {
    let server = Server::start();
    let endless = server.deployed("c", "main.c", C_ENDLESS);
    let neighbour = server.deployed("c", "main.c", C_ECHO);
    std::thread::scope(|scope| {
        // More loops than the gateway has threads: on each of them the neighbour shares with one.
        let loops: Vec<_> = (0..8).map(|_| scope.spawn(|| server.visit(&endless, "/"))).collect();
        std::thread::sleep(Duration::from_millis(50));
        let mut answered = 0;
        while loops.iter().any(|visit| !visit.is_finished()) && answered < 10_000 {
            assert_eq!(server.visit(&neighbour, "/?n").text().trim(), "C says n");
            answered += 1;
        }
        assert!(answered > 8, "the neighbour answered {answered} times meanwhile");
        for visit in loops {
            let visit = visit.join().unwrap();
            assert_eq!(visit.status, 503, "{}", visit.text());
            assert!(visit.text().contains("processor"), "the page names the limit: {}", visit.text());
        }
    });
    let slug = endless["slug"].as_str().unwrap();
    let deployment = eventually("the state", || {
        let deployment = server.get(&format!("/api/v1/deployments/{slug}")).json();
        (deployment["state"] == "limited").then_some(deployment)
    });
    assert_eq!(deployment["revision"], 1);
}

#[test]
fn a_command_takes_arguments_and_stdin_and_gives_output_and_exit_code() {
    let server = Server::start();
    let source = r#"#include <stdio.h>
int main(int argc, char **argv) {
    char line[64];
    while (fgets(line, sizeof line, stdin)) printf("%s: %s", argv[1], line);
    fprintf(stderr, "%d arguments\n", argc - 1);
    return 7;
}
"#;
    let run = json!({"language": "c", "files": {"main.c": source}, "args": ["hi", "there"], "stdin": "one\ntwo\n"});
    let answer = server.post("/api/v1/runs", &run);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    assert_eq!(answer["exit_code"], 7);
    assert_eq!(answer["stdout"], "hi: one\nhi: two\n");
    assert_eq!(answer["stderr"], "2 arguments\n");
    assert_eq!(answer["outcome"]["kind"], "exited");
}

#[test]
fn output_without_a_header_is_served_as_text_with_a_hint_in_the_log() {
    let server = Server::start();
    let deployment = server.deployed("c", "main.c", "#include <stdio.h>\nint main(void) { printf(\"hello\"); }\n");
    let visit = server.visit(&deployment, "/");
    assert_eq!((visit.status, visit.text().as_str()), (200, "hello"));
    assert!(visit.header("content-type").is_some_and(|ty| ty.starts_with("text/plain")));
    let slug = deployment["slug"].as_str().unwrap();
    eventually("the hint", || {
        let logs = server.get(&format!("/api/v1/deployments/{slug}/logs")).json();
        let hinted = logs["logs"]
            .as_array()?
            .iter()
            .any(|line| line["stream"] == "vivarium" && line["text"].as_str().is_some_and(|text| text.contains("Content-Type")));
        hinted.then_some(())
    });
}

#[test]
fn a_deployment_expires_and_answers_gone() {
    let server = Server::start();
    let body = json!({"language": "c", "files": {"main.c": C_ECHO}, "ttl_seconds": 1});
    let deployment = server.post("/api/v1/deployments", &body);
    assert_eq!(deployment.status, 201, "{}", deployment.text());
    let deployment = deployment.json();
    eventually("the end", || (server.visit(&deployment, "/").status == 410).then_some(()));
    let gone = server.visit(&deployment, "/");
    assert!(gone.text().contains("expired"), "{}", gone.text());
}

#[test]
fn bad_input_gets_a_sentence_that_names_the_limit() {
    let server = Server::start();
    let many: serde_json::Map<String, Value> = (0..33).map(|index| (format!("f{index}.c"), json!(""))).collect();
    let import = "(module (import \"env\" \"emit\" (func)) (func (export \"_start\")))";
    let large = "static char large[17 << 20] = {[(17 << 20) - 1] = 1};\nint main(int count, char **words) { return large[count]; }\n";
    let table: [(&str, Value, &[u16], &str); 7] = [
        ("an unknown language", json!({"language": "cobol", "files": {"main.cob": ""}}), &[400, 422], "cobol"),
        ("a file name with ..", json!({"language": "c", "files": {"../main.c": ""}}), &[400, 422], "../main.c"),
        ("33 files", json!({"language": "c", "files": many}), &[400, 413, 422], "32"),
        ("much source", json!({"language": "c", "files": {"main.c": "x".repeat(256 * 1024 + 1)}}), &[400, 413, 422], "262144"),
        ("17 MiB of wasm", json!({"language": "c", "files": {"main.c": large}}), &[422], "wasm_bytes_max"),
        ("no files", json!({"language": "c"}), &[400, 422], "files"),
        ("an import that no ABI knows", json!({"language": "wat", "files": {"main.wat": import}}), &[422], "env.emit"),
    ];
    for (what, body, statuses, named) in table {
        let answer = server.post("/api/v1/deployments", &body);
        assert!(statuses.contains(&answer.status), "{what}: {} {}", answer.status, answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
        assert!(answer.text().contains(named), "{what} names {named}: {}", answer.text());
    }
}

#[test]
fn a_wrong_host_is_misdirected_on_either_port() {
    let server = Server::start();
    let deployment = server.deployed("wat", "main.wat", WAT_ECHO);
    let workshop = server.url.trim_start_matches("http://").to_string();
    let guests = format!("127.0.0.1:{}", Server::guest_port(&deployment));
    for (address, host) in [(&workshop, "evil.example"), (&guests, "evil.example"), (&guests, "evil.localhost.example")] {
        let answer = raw(address, &format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 421"), "{address} {host}: {answer}");
    }
    let unknown =
        raw(&guests, &format!("GET / HTTP/1.1\r\nhost: nobody.localhost:{}\r\nconnection: close\r\n\r\n", Server::guest_port(&deployment)));
    assert!(unknown.starts_with("HTTP/1.1 404"), "{unknown}");
}

#[test]
fn a_half_sent_header_is_closed_after_its_time() {
    let server = Server::start();
    let deployment = server.deployed("wat", "main.wat", WAT_ECHO);
    for address in [server.url.trim_start_matches("http://").to_string(), format!("127.0.0.1:{}", Server::guest_port(&deployment))] {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: half").unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let started = Instant::now();
        let mut rest = Vec::new();
        let closed = stream.read_to_end(&mut rest);
        assert!(closed.is_ok(), "{address} is still open after {:?}", started.elapsed());
        assert!(started.elapsed() > Duration::from_secs(3), "{address} closed at once: {}", String::from_utf8_lossy(&rest));
    }
    assert_eq!(server.visit(&deployment, "/").status, 200);
}

#[test]
fn the_page_works_without_javascript() {
    let server = Server::start();
    let page = server.get("/");
    assert_eq!(page.status, 200);
    assert!(page.text().contains("<form") && page.text().contains("QUERY_STRING"), "the starter's code is in the page");
    let workshop = server.url.trim_start_matches("http://").to_string();
    let form: String = [("language", "c"), ("code", C_ECHO)]
        .iter()
        .map(|(name, value)| format!("{name}={}", value.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>()))
        .collect::<Vec<_>>()
        .join("&");
    let request = format!(
        "POST / HTTP/1.1\r\nhost: {workshop}\r\norigin: {}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{form}",
        server.url,
        form.len()
    );
    let answer = raw(&workshop, &request);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(".localhost:"), "the page shows the URL: {answer}");
}

fn raw(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}
