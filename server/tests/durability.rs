//! What was acknowledged answers again: after `kill -9`, after an upgrade, after the end of a gateway; until it expires.

mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use support::{Server, post, program, service, wait_for};

/// Threads that deploy while the server is killed.
const DEPLOYERS: usize = 3;
/// Each makes the next start of a gateway wait longer.
const GATEWAY_KILLS: usize = 5;

#[test]
fn every_acknowledged_deployment_answers_after_the_server_was_killed_at_any_moment() {
    let data = tempfile::tempdir().unwrap();
    let acknowledged = Mutex::new(Vec::new());
    for (round, killed_after_ms) in [40, 90, 150, 260].into_iter().enumerate() {
        let server = Server::start(data.path());
        let workshop = server.workshop.clone();
        std::thread::scope(|scope| {
            for deployer in 0..DEPLOYERS {
                let (workshop, acknowledged) = (&workshop, &acknowledged);
                scope.spawn(move || deploy_until_killed(workshop, &format!("{round}-{deployer}"), acknowledged));
            }
            std::thread::sleep(Duration::from_millis(killed_after_ms));
            server.kill();
        });
    }
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(acknowledged.len() >= DEPLOYERS, "{} deployments are no storm", acknowledged.len());
    let server = Server::start(data.path());
    for (slug, text) in &acknowledged {
        let answer = server.visit(slug, "/");
        assert_eq!((answer.status, answer.body.contains(text.as_str())), (200, true), "{slug} of {}: {}", acknowledged.len(), answer.body);
    }
}

fn deploy_until_killed(workshop: &str, name: &str, acknowledged: &Mutex<Vec<(String, String)>>) {
    for number in 0.. {
        let text = format!("{name}-{number}.");
        let answer = post(workshop, "/api/v1/deployments", None, &program(&service(&text)));
        let Some(answer) = answer.filter(|answer| answer.status == 201 && answer.body.ends_with('}')) else { return };
        let slug = answer.json()["slug"].as_str().unwrap().to_owned();
        acknowledged.lock().unwrap().push((slug, text));
    }
}

/// A deployment as its owner knows it: what was acknowledged, by revision, and what was refused.
#[derive(Default)]
struct Owned {
    slug: String,
    acknowledged: Vec<(u64, String)>,
    refused: usize,
}

#[test]
fn a_gateway_killed_while_revisions_are_made_leaves_those_that_were_acknowledged_and_no_others() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (over, made) = (AtomicBool::new(false), AtomicUsize::new(0));
    let owned: Vec<Owned> = std::thread::scope(|scope| {
        let (server, over, made) = (&server, &over, &made);
        let revisers: Vec<_> = (0..DEPLOYERS).map(|name| scope.spawn(move || revise_until(server, name, over, made))).collect();
        for kill in 1..=GATEWAY_KILLS {
            // At another moment of a deployment each time.
            wait_for("more revisions", || (made.load(Ordering::Relaxed) >= 4 * kill).then_some(()));
            std::thread::sleep(Duration::from_millis(7 * kill as u64));
            kill_gateway(server);
        }
        over.store(true, Ordering::Relaxed);
        revisers.into_iter().map(|reviser| reviser.join().unwrap()).collect()
    });
    wait_for("the last gateway", || (server.get("/healthz").json()["gateways"][0]["ready"] == true).then_some(()));
    for Owned { slug, acknowledged, refused } in &owned {
        let (last, text) = acknowledged.last().unwrap();
        assert_eq!(server.visit(slug, "/").body, *text, "{slug}: r{last} was acknowledged last, {refused} were refused");
        for (number, text) in acknowledged {
            assert_eq!(server.visit(&format!("{slug}--r{number}"), "/").body, *text, "{slug} r{number}");
        }
    }
}

fn revise_until(server: &Server, name: usize, over: &AtomicBool, made: &AtomicUsize) -> Owned {
    let (mut owned, mut token) = (Owned::default(), None);
    for number in 0.. {
        if over.load(Ordering::Relaxed) && token.is_some() {
            break;
        }
        let text = format!("{name}-{number}.");
        let mut program = program(&service(&text));
        if token.is_some() {
            program["slug"] = json!(owned.slug);
        }
        let answer = server.post("/api/v1/deployments", token.as_deref(), &program);
        if answer.status >= 300 {
            assert_eq!(answer.status, 503, "{}", answer.body);
            owned.refused += 1;
            continue;
        }
        let view = answer.json();
        if let Some(new_token) = view["owner_token"].as_str() {
            (owned.slug, token) = (view["slug"].as_str().unwrap().to_owned(), Some(new_token.to_owned()));
        }
        owned.acknowledged.push((view["revision"].as_u64().unwrap(), text));
        made.fetch_add(1, Ordering::Relaxed);
    }
    owned
}

fn kill_gateway(server: &Server) {
    let pid = wait_for("a gateway", || server.get("/healthz").json()["gateways"][0]["pid"].as_i64());
    // It may have ended by itself meanwhile; the next look finds its successor.
    let _ = rustix::process::kill_process(rustix::process::Pid::from_raw(pid as i32).unwrap(), rustix::process::Signal::KILL);
}

#[test]
fn artifacts_of_another_version_are_compiled_again_at_the_first_request() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let slug = server.post("/api/v1/deployments", None, &program(&service("fern"))).json()["slug"].as_str().unwrap().to_owned();
    assert_eq!(server.visit(&slug, "/").body, "fern");
    assert_eq!(server.terminate(), Some(0));

    let mut flipped = 0;
    for folder in std::fs::read_dir(data.path().join("artifacts")).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[12] ^= 0xff;
            std::fs::write(&path, bytes).unwrap();
            flipped += 1;
        }
    }
    assert_eq!(flipped, 1);
    let server = Server::start(data.path());
    assert_eq!(server.visit(&slug, "/").body, "fern");
    assert_eq!(server.visit(&format!("{slug}--r1"), "/").body, "fern");
    assert_eq!(server.visit(&format!("{slug}--r2"), "/").status, 404);
}

#[test]
fn a_killed_gateway_is_replaced_and_serves_what_the_old_one_served() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let slug = server.post("/api/v1/deployments", None, &program(&service("fern"))).json()["slug"].as_str().unwrap().to_owned();
    assert_eq!(server.visit(&slug, "/").body, "fern");
    kill_gateway(&server);
    // A connection that the old one had taken dies with it; a later one waits in the listener, which the workshop holds open.
    let port = server.guests.rsplit(':').next().unwrap();
    let host = format!("{slug}.localhost:{port}");
    let answer = wait_for("an answer", || support::send(&server.guests, &host, "GET", "/", "", ""));
    assert_eq!(answer.body, "fern");
    let health = server.get("/healthz").json();
    assert_eq!(health["gateways"][0]["restarts"], 1, "{health}");
}

#[test]
fn an_expired_deployment_is_gone_also_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let mut short = program(&service("fern"));
    short["ttl_seconds"] = json!(1);
    let slug = server.post("/api/v1/deployments", None, &short).json()["slug"].as_str().unwrap().to_owned();
    let over = wait_for("its end", || Some(server.visit(&slug, "/").status).filter(|status| *status != 200));
    assert_eq!(over, 410);
    let path = format!("/api/v1/deployments/{slug}");
    wait_for("the state expired", || (server.get(&path).json()["state"] == "expired").then_some(()));
    server.kill();
    let server = Server::start(data.path());
    assert_eq!(server.visit(&slug, "/").status, 410);
    assert_eq!(server.visit("nobodyeverdeployedxx", "/").status, 404);
}

#[test]
fn a_request_is_told_and_a_trap_names_its_function() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let trap = r#"(module (memory (export "memory") 1) (data (i32.const 0) "Content-Type: text/plain")
        (func $frond (drop (i32.div_s (i32.const 1) (i32.load (i32.const 60000))))) (func (export "_start") (call $frond)))"#;
    let slug = server.post("/api/v1/deployments", None, &program(trap)).json()["slug"].as_str().unwrap().to_owned();
    assert_eq!(server.visit(&slug, "/leaf?x=1").status, 500);
    let path = format!("/api/v1/deployments/{slug}");
    let told = || Some(server.get(&format!("{path}/requests")).json()["requests"][0].clone()).filter(|request| request.is_object());
    let request = wait_for("a report of the request", told);
    assert_eq!((&request["path"], &request["status"]), (&json!("/leaf?x=1"), &json!(500)));
    assert_eq!((&request["outcome"]["kind"], &request["outcome"]["trap"]["function"]), (&json!("trapped"), &json!("frond")));
    assert_eq!(server.get(&path).json()["state"], "trapped");
}
