//! Guests built with the unmodified `fastly` crate, in each version of the set, and one in C: what each answers.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Version};
use serde_json::json;
use vivarium_abi::{KvEntry, MemoryKv, Stores, VisitorRequest};
use vivarium_tests::server::{Server, eventually};
use vivarium_tests::services::{Served, build, serve};
use vivarium_toolchains::Language;

/// A program says which version it means by a line of its own; without one it gets the newest.
const VERSIONS: [&str; 3] = ["", "extern crate fastly_0_12 as fastly;\n", "extern crate fastly_0_11 as fastly;\n"];

macro_rules! guest {
    ($name:literal) => {
        include_str!(concat!("../guests/compute/", $name))
    };
}

fn stores() -> Arc<Stores> {
    let leaves = [("oak".to_owned(), "lobed".to_owned()), ("long".to_owned(), "x".repeat(5000))];
    Arc::new(Stores {
        config: [("leaves".to_owned(), leaves.into())].into(),
        secrets: [("roots".to_owned(), [("key".to_owned(), Bytes::from_static(b"deep"))].into())].into(),
    })
}

fn kv() -> Rc<MemoryKv> {
    let entry = KvEntry { value: Bytes::from_static(b"first"), metadata: String::new(), generation: 7, expires_at_unix_ms: None };
    Rc::new(MemoryKv::new(["nuts".to_owned()], 1 << 20).with("nuts", "a", entry))
}

fn request(method: Method, path: &str) -> VisitorRequest {
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("fern.localhost"));
    headers.append("x-leaf", HeaderValue::from_static("lobed"));
    headers.append("x-leaf", HeaderValue::from_static("green"));
    let uri = format!("http://fern.localhost{path}").parse().unwrap();
    let loopback = [127, 0, 0, 1].into();
    VisitorRequest { method, uri, version: Version::HTTP_11, headers, peer: loopback, local: loopback, id: 1 }
}

/// Builds a guest with each version and asks it once.
fn in_each_version(source: &str, request: &VisitorRequest, body: &[u8], check: impl Fn(Served)) {
    in_each_version_with(source, request, body, |served, _| check(served));
}

fn in_each_version_with(source: &str, request: &VisitorRequest, body: &[u8], check: impl Fn(Served, &MemoryKv)) {
    for version in VERSIONS {
        let source = match source.strip_prefix("#![allow(deprecated)]\n") {
            Some(rest) => format!("#![allow(deprecated)]\n{version}{rest}"),
            None => format!("{version}{source}"),
        };
        println!("{version}");
        let kv = kv();
        check(serve(&build(Language::Rust, &source), request.clone(), body, &stores(), &kv), &kv);
    }
}

fn answers(source: &str, method: Method, path: &str, body: &[u8], expected: &str) {
    in_each_version(source, &request(method, path), body, |served| {
        assert_eq!((served.status, served.body.as_str(), served.complete), (200, expected, true), "{served:?}");
    });
}

#[test]
fn hello() {
    answers(guest!("hello.rs"), Method::GET, "/", b"", "hello");
}

#[test]
fn headers_query_and_address() {
    in_each_version(guest!("about.rs"), &request(Method::PUT, "/a/b?name=fern&x"), b"", |served| {
        assert_eq!((served.status, served.body.as_str()), (201, "PUT /a/b fern lobed+green true Some(true)"), "{served:?}");
        let trees: Vec<&str> = served.headers.iter().filter(|(name, _)| name == "x-tree").map(|(_, value)| value.as_str()).collect();
        assert_eq!(trees, ["oak", "beech"]);
    });
}

#[test]
fn a_body_is_sent_back_as_it_arrives() {
    let long = "fern and moss ".repeat(10_000);
    answers(guest!("echo.rs"), Method::POST, "/", long.as_bytes(), &long);
}

#[test]
fn a_body_is_read_as_text() {
    answers(guest!("shout.rs"), Method::POST, "/", "fern".repeat(1000).as_bytes(), &"FERN".repeat(1000));
    in_each_version(guest!("shout.rs"), &request(Method::GET, "/"), b"", |served| {
        assert_eq!((served.status, served.headers), (405, vec![("allow".to_owned(), "POST".to_owned())]));
    });
}

#[test]
fn bodies_are_put_together() {
    answers(guest!("join.rs"), Method::POST, "/", b"fern", "before fern after");
}

#[test]
fn endpoints_and_streams_are_logged() {
    in_each_version(guest!("logs.rs"), &request(Method::GET, "/"), b"", |served| {
        assert_eq!(served.body, "true");
        let mut log = served.log.clone();
        log.sort_unstable();
        assert_eq!(log, ["stderr: noted", "stdout: jay: seen", "stdout: printed"]);
    });
}

#[test]
fn dictionaries() {
    answers(guest!("dictionary.rs"), Method::GET, "/", b"", "Some(\"lobed\") None true");
}

#[test]
fn config_stores() {
    answers(guest!("config.rs"), Method::GET, "/", b"", "Some(\"lobed\") false 5000");
}

#[test]
fn secret_stores() {
    answers(guest!("secrets.rs"), Method::GET, "/", b"", "deep true");
}

#[test]
fn key_value_stores() {
    in_each_version_with(guest!("kv.rs"), &request(Method::GET, "/path"), b"", |served, kv| {
        assert_eq!(served.body, "first /path true [\"b\"] true");
        assert_eq!((kv.now("nuts", "b").unwrap().value.as_ref(), kv.now("nuts", "a")), (&b"/path"[..], None));
    });
}

#[test]
fn sending_to_a_backend_that_is_not_there_is_an_error() {
    in_each_version(guest!("send.rs"), &request(Method::GET, "/"), b"", |served| {
        assert_eq!(served.status, 502);
        assert!(served.body.starts_with("no origin: "), "{}", served.body);
    });
    answers(guest!("send_async.rs"), Method::GET, "/", b"", "true true");
}

#[test]
fn an_answer_is_streamed() {
    in_each_version(guest!("stream.rs"), &request(Method::GET, "/?pieces=2000"), b"", |served| {
        let expected: String = (0..2000).map(|piece| format!("piece {piece}\n")).collect();
        assert_eq!((served.status, served.complete), (200, true));
        assert!(served.body == expected);
        assert_eq!(served.headers, [("x-pieces".to_owned(), "2000".to_owned())]);
    });
}

#[test]
fn both_bodies_are_streamed() {
    let long = "Fern and Moss ".repeat(20_000);
    answers(guest!("rot13.rs"), Method::POST, "/", long.as_bytes(), &"Srea naq Zbff ".repeat(20_000));
}

#[test]
fn a_service_in_c_answers() {
    let served = serve(&build(Language::C, guest!("hello_c.c")), request(Method::GET, "/"), b"", &stores(), &kv());
    assert_eq!((served.status, served.body.as_str(), served.complete), (200, "hello from C", true));
}

/// A guest, how it is asked, and what it answers.
type Asked<'a> = (&'a str, &'a str, &'a str, &'a [u8], u16, &'a str);

#[test]
fn services_are_deployed_and_answer_at_their_address() {
    let server = Server::start();
    let fern = "fern and moss ".repeat(10_000);
    let asked: [Asked<'_>; 9] = [
        (guest!("hello.rs"), "GET", "/", b"", 200, "hello"),
        (guest!("about.rs"), "GET", "/a?name=moss", b"", 201, "GET /a moss  true Some(true)"),
        (guest!("echo.rs"), "POST", "/", fern.as_bytes(), 200, &fern),
        (guest!("shout.rs"), "POST", "/", b"fern", 200, "FERN"),
        (guest!("join.rs"), "POST", "/", b"fern", 200, "before fern after"),
        (guest!("rot13.rs"), "POST", "/", b"Fern and Moss", 200, "Srea naq Zbff"),
        (guest!("stream.rs"), "GET", "/?pieces=2", b"", 200, "piece 0\npiece 1\n"),
        (guest!("send_async.rs"), "GET", "/", b"", 200, "true true"),
        (guest!("shout.rs"), "GET", "/", b"", 405, ""),
    ];
    for (source, method, path, body, status, text) in asked {
        let deployed = server.deployed("rust", "main.rs", source);
        let answer = server.visit_with(&deployed, method, path, body);
        assert_eq!((answer.status, answer.text().as_str()), (status, text), "{source}");
    }
    let send = server.deployed("rust", "main.rs", guest!("send.rs"));
    assert_eq!(server.visit(&send, "/").status, 502);
    let logs = server.deployed("rust", "main.rs", guest!("logs.rs"));
    assert_eq!(server.visit(&logs, "/").text(), "true");
    let slug = logs["slug"].as_str().unwrap();
    eventually("its log", || {
        let log = server.get(&format!("/api/v1/deployments/{slug}/logs")).text();
        ["jay: seen", "printed", "noted"].iter().all(|line| log.contains(line)).then_some(())
    });
    let c = server.deployed("c", "main.c", guest!("hello_c.c"));
    assert_eq!((c["kind"].as_str(), server.visit(&c, "/").text().as_str()), (Some("service"), "hello from C"));
}

#[test]
fn an_answer_without_a_body_is_no_visitor_who_left() {
    let server = Server::start();
    let nothing = server.deployed("rust", "main.rs", guest!("nothing.rs"));
    let slug = nothing["slug"].as_str().unwrap();
    for (number, (method, path, status)) in [("GET", "/", 204), ("GET", "/304", 304), ("HEAD", "/", 204)].into_iter().enumerate() {
        assert_eq!(server.visit_with(&nothing, method, path, b"").status, status);
        let report = eventually("its report", || {
            let reports = server.get(&format!("/api/v1/deployments/{slug}/requests")).json();
            reports["requests"].get(number).cloned()
        });
        assert_eq!((&report["status"], &report["outcome"]["kind"]), (&json!(status), &json!("finished")), "{method} {path}: {report}");
    }
}

#[test]
fn a_service_that_is_run_says_that_it_is_to_be_deployed() {
    let server = Server::start();
    let run = server.post("/api/v1/runs", &json!({ "language": "c", "files": { "main.c": guest!("hello_c.c") } }));
    let outcome = &run.json()["outcome"];
    assert_eq!((run.status, &outcome["kind"]), (200, &json!("failed")));
    assert!(outcome["message"].as_str().unwrap().contains("deploy it, and ask it at its URL"), "{outcome}");
}

#[test]
fn services_find_what_their_deployment_keeps_for_them() {
    let server = Server::start();
    let settings = json!({
        "config": { "leaves": { "oak": "lobed", "long": "x".repeat(5000) } },
        "secret_stores": { "roots": { "key": "deep" } },
        "kv_stores": { "nuts": {} },
    });
    let deploy = |source: &str| {
        let mut program = json!({ "language": "rust", "files": { "main.rs": source } });
        program.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let answer = server.post("/api/v1/deployments", &program);
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()
    };
    assert_eq!(server.visit(&deploy(guest!("config.rs")), "/").text(), "Some(\"lobed\") false 5000");
    assert_eq!(server.visit(&deploy(guest!("dictionary.rs")), "/").text(), "Some(\"lobed\") None true");
    assert_eq!(server.visit(&deploy(guest!("secrets.rs")), "/").text(), "deep true");
    let kv = deploy(guest!("kv.rs"));
    let (slug, token) = (kv["slug"].as_str().unwrap(), kv["owner_token"].as_str());
    for _ in 0..2 {
        assert_eq!(server.call("PUT", &format!("/api/v1/deployments/{slug}/kv/nuts/a"), Some(&json!(1)), token).status, 204);
        assert_eq!(server.visit(&kv, "/path").text(), "1 /path true [\"b\"] true");
    }
    assert_eq!(server.call("GET", &format!("/api/v1/deployments/{slug}/kv/nuts/b"), None, token).text(), "/path");
    assert_eq!(server.call("GET", &format!("/api/v1/deployments/{slug}/kv/nuts/a"), None, token).status, 404);
}
