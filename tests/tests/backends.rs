//! Requests of programs to backends, through a real server and its fetch proxy, to a backend on loopback that the server's configuration names.

use serde_json::{Value, json};
use vivarium_tests::backend::Backend;
use vivarium_tests::server::{Answer, Server, eventually};

macro_rules! guest {
    ($name:literal) => {
        include_str!(concat!("../guests/compute/", $name))
    };
}

/// A program says which version it means by a line of its own; without one it gets the newest.
const VERSIONS: [&str; 3] = ["", "extern crate fastly_0_12 as fastly;\n", "extern crate fastly_0_11 as fastly;\n"];

fn server(backend: &Backend) -> Server {
    Server::start_with(&["--backend", &format!("origin={}", backend.origin())])
}

fn log_of(server: &Server, deployment: &Value) -> String {
    server.get(&format!("/api/v1/deployments/{}/logs", deployment["slug"].as_str().unwrap())).text()
}

fn check(answer: &Answer, status: u16, body: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (status, body));
}

#[test]
fn a_request_goes_to_the_backend_and_its_answer_to_the_visitor() {
    let backend = Backend::start();
    let server = server(&backend);
    for version in VERSIONS {
        let proxy = server.deployed("rust", "main.rs", &format!("{version}{}", guest!("proxy.rs")));
        let answer = server.visit(&proxy, "/a/b?c");
        // Whatever host the visitor asked, the backend sees its own.
        check(&answer, 200, &format!("GET /a/b?c 127.0.0.1:{} ", backend.port()));
        assert_eq!((answer.header("x-backend"), answer.header("x-through")), (Some("seen"), Some("proxy")));
        let parallel = server.deployed("rust", "main.rs", &format!("{version}{}", guest!("parallel.rs")));
        let of = |path| format!("GET {path} 127.0.0.1:{} ", backend.port());
        check(&server.visit(&parallel, "/"), 200, &[of("/1"), of("/2"), of("/3")].join("|"));
        let upload = server.deployed("rust", "main.rs", &format!("{version}{}", guest!("upload.rs")));
        let pieces: String = (0..100).map(|piece| format!("{piece} ")).collect();
        check(&server.visit(&upload, "/up"), 200, &format!("POST /up 127.0.0.1:{} {pieces}", backend.port()));
    }
}

#[test]
fn answers_are_streamed_bounded_and_never_followed() {
    let (backend, victim) = (Backend::start(), Backend::start());
    let server = server(&backend);
    let proxy = server.deployed("rust", "main.rs", guest!("proxy.rs"));
    let limit = server.get("/api/v1/limits").json()["fetch_bytes_max"].as_u64().unwrap();
    for path in ["/bytes/0".to_owned(), "/bytes/100000".to_owned(), format!("/bytes/{limit}")] {
        let answer = server.visit(&proxy, &path);
        assert_eq!((answer.status, format!("/bytes/{}", answer.body.len())), (200, path));
    }
    assert_eq!(server.visit(&proxy, "/drip/500").body.len(), 500 << 10);
    check(&server.visit(&proxy, &format!("/bytes/{}", limit + 1)), 502, "no origin: HttpResponseBodyTooLarge");
    let moved = server.visit(&proxy, &format!("/redirect/{}/", victim.origin()));
    assert_eq!((moved.status, moved.header("location"), victim.visits()), (302, Some(format!("{}/", victim.origin()).as_str()), 0));
    eventually("the reason in the log", || log_of(&server, &proxy).contains("fetch_bytes_max").then_some(()));
}

#[test]
fn what_a_deployment_does_not_name_is_out_of_reach() {
    let backend = Backend::start();
    let server = Server::start();
    let deploy = |backends: Value| {
        let files = json!({ "main.rs": guest!("proxy.rs") });
        server.post("/api/v1/deployments", &json!({ "language": "rust", "files": files, "backends": backends }))
    };
    let none = deploy(json!({})).json();
    check(&server.visit(&none, "/"), 502, "no origin: DestinationNotFound");
    // Named by its deployment, but nobody configured the server to let programs reach this machine.
    let loopback = deploy(json!({ "origin": { "origin": backend.origin() } })).json();
    assert_eq!(loopback["backends"], json!({ "origin": { "origin": backend.origin() } }));
    check(&server.visit(&loopback, "/"), 502, "no origin: DestinationIpUnroutable");
    eventually("the reason in the log", || log_of(&server, &loopback).contains("an address that no program may reach").then_some(()));
    let refused = deploy(json!({ "origin": { "origin": "http://0x7f000001" } }));
    assert!(refused.status == 400 && refused.text().contains("as they are usually written"), "{}", refused.text());
    assert_eq!(backend.visits(), 0);

    let (slug, token) = (loopback["slug"].as_str().unwrap(), loopback["owner_token"].as_str().unwrap());
    let changed =
        server.call("PATCH", &format!("/api/v1/deployments/{slug}"), Some(&json!({ "backends": { "origin": null } })), Some(token));
    assert_eq!((changed.status, &changed.json()["backends"]), (200, &json!({})));
    eventually("the change", || server.visit(&loopback, "/").text().contains("DestinationNotFound").then_some(()));
}

#[test]
fn waiting_for_a_backend_keeps_nobody_else_waiting() {
    let backend = Backend::start();
    let server = server(&backend);
    let proxy = server.deployed("rust", "main.rs", guest!("proxy.rs"));
    let hello = server.deployed("rust", "main.rs", guest!("hello.rs"));
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..20).map(|_| scope.spawn(|| server.visit(&proxy, "/held"))).collect();
        eventually("all of them at the backend", || (backend.visits() >= 20).then_some(()));
        for _ in 0..20 {
            check(&server.visit(&hello, "/"), 200, "hello");
        }
        backend.release();
        for waiter in waiting {
            check(&waiter.join().unwrap(), 200, &format!("GET /held 127.0.0.1:{} ", backend.port()));
        }
    });
}

#[test]
fn a_backend_that_does_not_answer_in_time_is_given_up() {
    let backend = Backend::start();
    let server = server(&backend);
    let proxy = server.deployed("rust", "main.rs", guest!("proxy.rs"));
    check(&server.visit(&proxy, "/held"), 502, "no origin: HttpResponseTimeout");
}

#[test]
fn a_proxy_that_ends_is_started_again() {
    let backend = Backend::start();
    let server = server(&backend);
    let proxy = server.deployed("rust", "main.rs", guest!("proxy.rs"));
    assert_eq!(server.visit(&proxy, "/").status, 200);
    let first = server.fetch_pid().expect("a fetch proxy lives");
    assert!(std::process::Command::new("kill").args(["-9", &first.to_string()]).status().unwrap().success());
    eventually("another one", || server.fetch_pid().filter(|pid| *pid != first));
    eventually("an answer", || (server.visit(&proxy, "/").status == 200).then_some(()));
    let health = server.get("/healthz").json();
    assert!(health["fetch"]["restarts"].as_u64() >= Some(1) && health["fetch"]["walls"]["seccomp"] == true, "{health}");
}

#[test]
fn a_server_without_backends_sends_nothing() {
    let server = Server::start_with(&["--no-backends"]);
    let files = json!({ "main.rs": guest!("proxy.rs") });
    let backends = json!({ "origin": { "origin": "https://example.org" } });
    let made = server.post("/api/v1/deployments", &json!({ "language": "rust", "files": files, "backends": backends })).json();
    check(&server.visit(&made, "/"), 502, "no origin: InternalError(Some(FastlyStatus::ERROR))");
    assert_eq!(server.fetch_pid(), None);
}
