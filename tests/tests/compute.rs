//! Guests built with the unmodified `fastly` crate, in each version of the set, and one in C: what each answers.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Version};
use vivarium_abi::{KvEntry, Stores, VisitorRequest};
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
    let entry = KvEntry { value: Bytes::from_static(b"first"), metadata: String::new(), generation: 7, expires_at_unix_ms: None };
    let leaves = [("oak".to_owned(), "lobed".to_owned()), ("long".to_owned(), "x".repeat(5000))];
    Arc::new(Stores {
        config: [("leaves".to_owned(), leaves.into())].into(),
        secrets: [("roots".to_owned(), [("key".to_owned(), Bytes::from_static(b"deep"))].into())].into(),
        kv: [("nuts".to_owned(), [("a".to_owned(), entry)].into())].into(),
    })
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
    for version in VERSIONS {
        let source = match source.strip_prefix("#![allow(deprecated)]\n") {
            Some(rest) => format!("#![allow(deprecated)]\n{version}{rest}"),
            None => format!("{version}{source}"),
        };
        println!("{version}");
        check(serve(&build(Language::Rust, &source), request.clone(), body, &stores()));
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
    in_each_version(guest!("kv.rs"), &request(Method::GET, "/path"), b"", |served| {
        assert_eq!(served.body, "first /path true [\"b\"] true");
        let kept: Vec<(&str, Option<&[u8]>)> =
            served.kept.iter().map(|change| (change.key.as_str(), change.entry.as_ref().map(|entry| &entry.value[..]))).collect();
        assert_eq!(kept, [("b", Some(&b"/path"[..])), ("a", None)]);
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
    let served = serve(&build(Language::C, guest!("hello_c.c")), request(Method::GET, "/"), b"", &stores());
    assert_eq!((served.status, served.body.as_str(), served.complete), (200, "hello from C", true));
}

#[test]
fn services_are_deployed_and_answer_at_their_address() {
    let server = Server::start();
    let about = server.deployed("rust", "main.rs", guest!("about.rs"));
    let answer = server.visit(&about, "/a?name=moss");
    assert_eq!((answer.status, answer.text().as_str()), (201, "GET /a moss  true Some(true)"));
    let stream = server.deployed("rust", "main.rs", guest!("stream.rs"));
    let answer = server.visit(&stream, "/?pieces=2");
    assert_eq!((answer.status, answer.text().as_str(), answer.header("x-pieces")), (200, "piece 0\npiece 1\n", Some("2")));
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
