//! What programs keep between requests: there for the next one, whoever serves it, and after any kill.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use vivarium_tests::server::{Answer, Server, eventually};

/// `?add` counts, `?get` tells, `?fill` puts long values until it may not.
const COUNTER: &str = include_str!("../guests/state/counter.c");

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

/// The answer of a deployment whose gateway may have been killed a moment ago.
fn ask(server: &Server, deployment: &Value, path: &str) -> Answer {
    eventually("an answer", || server.try_visit(deployment, path).filter(|answer| answer.status != 503))
}

fn shown(server: &Server, made: &Value) -> Value {
    let (slug, token) = (made["slug"].as_str().unwrap(), made["owner_token"].as_str());
    server.call("GET", &format!("/api/v1/deployments/{slug}"), None, token).json()
}

#[test]
fn what_was_counted_is_counted_on_whatever_is_killed() {
    let server = Server::start();
    let made = server.deployed("c", "main.c", COUNTER);
    assert_eq!((&made["kind"], made["kv_stores"]["kv"]["entries"].as_u64()), (&json!("service"), Some(0)));
    let counted: Vec<String> = (0..3).map(|_| server.visit(&made, "/?add").text()).collect();
    assert_eq!(counted, ["1", "2", "3"]);
    kill(eventually("the gateway", || server.gateway_pid()));
    assert_eq!(ask(&server, &made, "/?add").text(), "4", "after the gateway was killed");
    let server = Server::start_in(server.kill());
    let now = shown(&server, &made);
    assert_eq!(now["kv_stores"]["kv"]["entries"], 1);
    assert_eq!(ask(&server, &now, "/?add").text(), "5", "after the server was killed");
    let slug = made["slug"].as_str().unwrap();
    let next = json!({ "language": "c", "files": { "main.c": COUNTER }, "slug": slug });
    assert_eq!(server.call("POST", "/api/v1/deployments", Some(&next), made["owner_token"].as_str()).status, 200);
    assert_eq!(ask(&server, &now, "/?add").text(), "6", "by the next revision");
    let stopped = server.call("DELETE", &format!("/api/v1/deployments/{slug}"), None, made["owner_token"].as_str());
    assert_eq!((stopped.status, server.visit(&now, "/?get").status), (200, 410));
}

#[test]
fn requests_at_the_same_time_lose_no_count() {
    const REQUESTS: u32 = 40;
    const VISITORS: usize = 4;
    let server = Server::start();
    let made = server.deployed("c", "main.c", COUNTER);
    let left = AtomicU32::new(REQUESTS);
    std::thread::scope(|scope| {
        for _ in 0..VISITORS {
            scope.spawn(|| {
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                    let answer = server.visit(&made, "/?add");
                    assert_eq!(answer.status, 200, "{}", answer.text());
                }
            });
        }
    });
    assert_eq!(server.visit(&made, "/?get").text(), REQUESTS.to_string());
}

#[test]
fn what_was_acknowledged_before_a_kill_in_the_middle_is_there() {
    let server = Server::start();
    let made = server.deployed("c", "main.c", COUNTER);
    for _ in 0..3 {
        let acknowledged = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        // Who was in the middle of it has no answer.
                        let answer = server.try_visit(&made, "/?add").map(|answer| answer.text());
                        if let Some(count) = answer.and_then(|count| count.parse().ok()) {
                            acknowledged.fetch_max(count, Ordering::Relaxed);
                        }
                    }
                });
            }
            eventually("some counts", || (acknowledged.load(Ordering::Relaxed) > 0).then_some(()));
            kill(eventually("the gateway", || server.gateway_pid()));
        });
        let now: u32 = ask(&server, &made, "/?get").text().parse().unwrap();
        let acknowledged = acknowledged.load(Ordering::Relaxed);
        assert!(now >= acknowledged, "{acknowledged} was answered, {now} is there");
    }
}

#[test]
fn full_stores_say_so_to_the_program_and_in_the_log() {
    let server = Server::start();
    let made = server.deployed("c", "main.c", COUNTER);
    assert_eq!(server.visit(&made, "/?fill").text(), "10 of them, then error 5");
    let slug = made["slug"].as_str().unwrap();
    eventually("its log", || {
        let log = server.get(&format!("/api/v1/deployments/{slug}/logs")).text();
        log.contains("the key-value stores are full: all entries together may take kv_bytes_max of 1048576 bytes").then_some(())
    });
    assert_eq!(server.visit(&made, "/?add").text(), "1", "what is short still goes in");
}

#[test]
fn a_run_has_a_store_that_ends_with_it() {
    let server = Server::start();
    for _ in 0..2 {
        let body = json!({ "language": "c", "files": { "main.c": COUNTER }, "env": { "QUERY_STRING": "add" } });
        let run = server.post("/api/v1/runs", &body).json();
        assert_eq!(run["stdout"], "Content-Type: text/plain\n\n1", "{run}");
    }
}

#[test]
fn what_its_owner_puts_is_seen_by_the_next_request_and_the_other_way_round() {
    let server = Server::start();
    let made = server.deployed("c", "main.c", COUNTER);
    let (slug, token) = (made["slug"].as_str().unwrap(), made["owner_token"].as_str());
    assert_eq!(server.visit(&made, "/?add").text(), "1");
    let path = format!("/api/v1/deployments/{slug}/kv/kv/count");
    assert_eq!(server.call("GET", &path, None, token).text(), "1");
    for count in [41, 7] {
        assert_eq!(server.call("PUT", &path, Some(&json!(count)), token).status, 204);
        assert_eq!(server.visit(&made, "/?get").text(), count.to_string());
    }
    assert_eq!(server.call("DELETE", &path, None, token).status, 204);
    assert_eq!(server.visit(&made, "/?add").text(), "1");
}
