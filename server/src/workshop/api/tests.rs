//! A whole workshop on a port of its own, with stand-ins for toolchains, compiler and gateway, asked over real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::control::messages::{Outcome, Wanted};
use crate::data_folder::DataFolder;
use crate::gateway::supervisor::GatewayObserver as _;
use crate::limits::Limits;
use crate::workshop::addresses::{AddressOptions, Addresses};
use crate::workshop::testing::{Stand, log, report};
use crate::workshop::{Observer, Workshop};

struct Server {
    address: SocketAddr,
    stand: Arc<Stand>,
    observer: Arc<Observer>,
    end: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<()>,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

async fn start(folder: &std::path::Path, limits: Limits) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let folder = DataFolder::open(folder).unwrap();
    let addresses = Addresses::new(address, "127.0.0.1:7879".parse().unwrap(), &AddressOptions::default()).unwrap();
    let stand = Arc::new(Stand::default());
    let mut observers = Vec::new();
    let parts = |observer| {
        observers.push(observer);
        Ok(stand.parts())
    };
    let workshop = Workshop::start(&folder, limits, addresses, "1", parts).await.unwrap();
    let (end, ended) = oneshot::channel::<()>();
    let served = tokio::spawn(async move { workshop.serve(listener, async { drop(ended.await) }).await });
    Server { address, stand, observer: observers.remove(0), end, served }
}

impl Server {
    async fn send(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = Vec::new();
        stream.read_to_end(&mut text).await.unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let (host, length) = (self.address, body.len());
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n");
        self.send(&(head + body)).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", "").await
    }

    async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Answer {
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        self.ask("POST", path, &format!("Content-Type: application/json\r\n{token}"), &body.to_string()).await
    }

    async fn end(self) {
        let _ = self.end.send(());
        self.served.await.unwrap();
    }
}

fn program(text: &str) -> Value {
    json!({ "language": "c", "files": { "main.c": text } })
}

fn with(mut program: Value, name: &str, value: Value) -> Value {
    program[name] = value;
    program
}

#[tokio::test]
async fn every_refusal_is_a_problem_with_a_sentence() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let json = "Content-Type: application/json\r\n";
    let large = format!("{{\"language\":\"{}\"}}", "x".repeat(3 << 20));
    let source = program(&"x".repeat(300_000)).to_string();
    let many: Value = (0..40).map(|number| (format!("f{number}.c"), json!(""))).collect::<serde_json::Map<_, _>>().into();
    let many = json!({ "language": "c", "files": many }).to_string();
    for (status, method, path, headers, body, said) in [
        (404, "GET", "/nowhere", "", "", "/nowhere"),
        (404, "GET", "/api/v1/builds/abc", "", "", "abc"),
        (404, "GET", "/api/v1/deployments/abc", "", "", "ever deployed"),
        (404, "GET", "/assets/nothing.js", "", "", "no such file"),
        (405, "DELETE", "/api/v1/limits", "", "", "DELETE"),
        (401, "GET", "/api/v1/deployments", "", "", "Authorization"),
        (400, "GET", "/api/v1/events", "", "", "topics"),
        (400, "GET", "/api/v1/events?topics=fern", "", "", "neither"),
        (400, "GET", "/api/v1/events?topics=build:a&after=x", "", "", ""),
        (415, "POST", "/api/v1/builds", "", "{}", "application/json"),
        (400, "POST", "/api/v1/builds", json, "{", ""),
        (400, "POST", "/api/v1/builds", json, "[]", ""),
        (400, "POST", "/api/v1/builds", json, "{}", "language"),
        (400, "POST", "/api/v1/builds", json, r#"{"language":"cobol","files":{}}"#, "cobol"),
        (400, "POST", "/api/v1/builds", json, r#"{"language":"c","files":{"main.c":"","../x.c":""}}"#, "../x.c"),
        (400, "POST", "/api/v1/builds", json, r#"{"language":"c","files":{"x.c":""}}"#, "main.c"),
        (400, "POST", "/api/v1/builds", json, &many, "files_max"),
        (413, "POST", "/api/v1/builds", json, &source, "source_bytes_max"),
        (413, "POST", "/api/v1/builds", json, &large, "api_body_bytes_max"),
        (400, "POST", "/api/v1/builds?wait=soon", json, &program("x").to_string(), ""),
        (404, "POST", "/api/v1/deployments", json, r#"{"build_id":"abc"}"#, "abc"),
        (404, "POST", "/api/v1/deployments", json, r#"{"build_id":"abc","slug":"fern"}"#, "ever deployed"),
        (403, "POST", "/api/v1/builds", "Origin: http://evil.com\r\n", "{}", "another site"),
    ] {
        let answer = server.ask(method, path, headers, body).await;
        let what = format!("{method} {path} {}: {} {}", &body[..body.len().min(60)], answer.head, answer.body);
        assert_eq!(answer.status, status, "{what}");
        assert!(answer.head.contains("content-type: application/problem+json"), "{what}");
        let problem = answer.json();
        assert_eq!((&problem["status"], &problem["type"]), (&json!(status), &json!("about:blank")), "{what}");
        assert!(problem["title"].is_string() && problem["detail"].as_str().unwrap().contains(said), "{what}");
        let named = problem["limit"].as_str().unwrap_or("");
        assert_eq!(named, if said.ends_with("_max") { said } else { "" }, "{what}");
    }
    let misdirected = server.send("GET / HTTP/1.1\r\nHost: evil.com\r\nConnection: close\r\n\r\n").await;
    assert_eq!((misdirected.status, misdirected.json()["status"].as_u64()), (421, Some(421)));
    server.end().await;
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_others_out() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    for path in ["/", "/healthz", "/nowhere", "/api/v1/limits"] {
        let head = server.get(path).await.head;
        for header in [
            "content-security-policy: default-src '",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(head.contains(header), "{path} lacks {header}: {head}");
        }
        assert!(!head.contains("access-control-allow-origin"));
    }
    let page = server.get("/").await;
    assert!(page.head.contains("frame-src http://*.localhost:7879 http://127.0.0.1:7879"), "{}", page.head);
    server.end().await;
}

#[tokio::test]
async fn a_half_sent_header_is_closed_and_the_server_goes_on() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits { header_read_ms: 100, ..Limits::default() }).await;
    // Ends only because the server closes it: there is no time-out of ours.
    let closed = server.send("GET / HTTP/1.1\r\nHost: 127").await;
    assert!(matches!(closed.status, 0 | 408), "{}", closed.head);
    assert_eq!(server.get("/healthz").await.status, 200);
    server.end().await;
}

#[tokio::test]
async fn what_there_is_to_know_is_told() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let languages = server.get("/api/v1/languages").await.json();
    assert_eq!(languages["languages"][0]["main_file"], "main.c");
    assert_eq!(languages["languages"][1]["reason"], "it is not here: install it");
    let starters = server.get("/api/v1/starters").await.json();
    assert!(starters["starters"][0]["files"].is_object());
    assert_eq!(server.get("/api/v1/limits").await.json()["cpu_ms"], 500);
    let health = server.get("/healthz").await.json();
    assert_eq!((&health["status"], &health["jail"], &health["gateways"][0]["ready"]), (&json!("ok"), &json!("none"), &json!(true)));
    server.end().await;
}

#[tokio::test]
async fn a_build_is_started_waited_for_and_read() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let begun = server.post("/api/v1/builds", None, program("fern")).await;
    assert_eq!(begun.status, 202);
    assert!(begun.head.contains(&format!("location: /api/v1/builds/{}", begun.json()["id"].as_str().unwrap())));
    let build = server.post("/api/v1/builds?wait=20", None, program("fern")).await;
    assert_eq!((build.status, &build.json()["state"]), (200, &json!("ready")));
    let id = build.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(server.get(&format!("/api/v1/builds/{id}/artifacts/wasm")).await.body, "fern");
    assert_eq!(server.get(&format!("/api/v1/builds/{id}/artifacts/asm")).await.status, 404);
    let failed = server.post("/api/v1/builds?wait=20", None, program("error")).await;
    assert_eq!((failed.status, &failed.json()["state"], &failed.json()["diagnostics"][0]["line"]), (200, &json!("failed"), &json!(3)));
    let slow = server.post("/api/v1/builds?wait=0.01", None, program("slow")).await;
    assert_eq!(slow.status, 202);
    let path = format!("/api/v1/builds/{}", slow.json()["id"].as_str().unwrap());
    assert_eq!(server.ask("DELETE", &path, "", "").await.status, 200);
    server.end().await;
}

#[tokio::test]
async fn a_deployment_is_made_revised_kept_and_stopped() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let made = server.post("/api/v1/deployments", None, with(program("fern"), "ttl_seconds", json!(3600))).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    let (slug, token) = (made["slug"].as_str().unwrap().to_owned(), made["owner_token"].as_str().unwrap().to_owned());
    assert_eq!(made["url"], format!("http://{slug}.localhost:7879/"));
    assert_eq!((&made["state"], &made["revision"], &made["timings"]["load"]), (&json!("live"), &json!(1), &json!(5.0)));
    assert_eq!(server.stand.told(), [format!("load {slug} r1 current=true signed=true next=1")]);

    let path = format!("/api/v1/deployments/{slug}");
    let shown = server.get(&path).await.json();
    assert!(shown.get("owner_token").is_none() && shown.get("files").is_none());
    let bearer = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(server.ask("GET", &path, &bearer, "").await.json()["files"]["main.c"], "fern");
    let listed = server.ask("GET", "/api/v1/deployments", &bearer, "").await.json();
    assert_eq!(listed["deployments"][0]["slug"], json!(slug));

    let revise = with(program("moss"), "slug", json!(slug));
    for (status, token) in [(401, None), (403, Some("wrong")), (200, Some(token.as_str()))] {
        assert_eq!(server.post("/api/v1/deployments", token, revise.clone()).await.status, status, "{token:?}");
    }
    let failed = server.post("/api/v1/deployments", Some(&token), with(program("error"), "slug", json!(slug))).await;
    assert_eq!((failed.status, &failed.json()["build"]["state"]), (422, &json!("failed")));
    let shown = server.get(&path).await.json();
    assert_eq!((&shown["revision"], &shown["state"]), (&json!(2), &json!("live")), "a build that fails changes nothing");

    let content = "Content-Type: application/json\r\n";
    let kept = server.ask("PATCH", &path, &format!("{bearer}{content}"), r#"{"ttl_seconds":7200}"#).await;
    assert!(kept.status == 200 && kept.json()["expires_at"].as_str() > shown["expires_at"].as_str());
    let stopped = server.ask("DELETE", &path, &bearer, "").await;
    assert_eq!((stopped.status, &stopped.json()["state"]), (200, &json!("expired")));
    assert!(server.stand.told().contains(&format!("expire {slug} over=true")));
    assert_eq!(server.post("/api/v1/deployments", Some(&token), revise).await.status, 410);
    server.end().await;
}

#[tokio::test]
async fn what_the_gateway_does_not_take_is_not_acknowledged() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let made = server.post("/api/v1/deployments", None, program("fern")).await.json();
    let (slug, token) = (made["slug"].as_str().unwrap(), made["owner_token"].as_str());
    server.stand.refuses_to_load.store(true, Ordering::Relaxed);
    let refused = server.post("/api/v1/deployments", token, with(program("moss"), "slug", json!(slug))).await;
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert_eq!(server.get(&format!("/api/v1/deployments/{slug}")).await.json()["revision"], 1);
    let told = server.stand.told();
    assert_eq!(told[2..], [format!("unload {slug} r2"), format!("current {slug} r1")], "{told:?}");
    server.end().await;
}

#[tokio::test]
async fn a_load_that_got_lost_with_its_gateway_is_tried_again() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    server.stand.loses.store(2, Ordering::Relaxed);
    let made = server.post("/api/v1/deployments", None, program("fern")).await;
    assert_eq!((made.status, &made.json()["revision"]), (201, &json!(1)), "{}", made.body);
    assert_eq!((server.stand.told().len(), server.stand.compilations.load(Ordering::Relaxed)), (3, 1));
    server.end().await;
}

#[tokio::test]
async fn an_end_that_is_set_while_a_revision_is_loaded_holds() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let made = server.post("/api/v1/deployments", None, program("fern")).await.json();
    let (slug, token) = (made["slug"].as_str().unwrap(), made["owner_token"].as_str().unwrap());
    let (release, held) = oneshot::channel();
    *server.stand.held_load.lock().unwrap() = Some(held);
    server.stand.told();
    let revising = server.post("/api/v1/deployments", Some(token), with(program("moss"), "slug", json!(slug)));
    let keeping = async {
        assert_eq!(wait_for_told(&server, 1).await, [format!("load {slug} r2 current=true signed=true next=1")]);
        let headers = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
        let kept = server.ask("PATCH", &format!("/api/v1/deployments/{slug}"), &headers, r#"{"ttl_seconds":7200}"#).await;
        assert_eq!(kept.status, 200);
        assert_eq!(server.stand.told(), [format!("expire {slug} over=false")]);
        release.send(()).unwrap();
    };
    let (revised, ()) = tokio::join!(revising, keeping);
    assert_eq!(revised.status, 200, "{}", revised.body);
    assert_eq!(server.stand.told(), [format!("expire {slug} over=false")], "the load had brought the old end");
    server.end().await;
}

#[tokio::test]
async fn what_was_acknowledged_is_served_again_after_a_restart_even_without_its_artifact() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let slug = server.post("/api/v1/deployments", None, program("fern")).await.json()["slug"].as_str().unwrap().to_owned();
    let Server { served, .. } = server;
    // As after a kill: nothing is told to end.
    served.abort();

    let server = start(place.path(), Limits::default()).await;
    assert_eq!(server.stand.compilations.load(Ordering::Relaxed), 0, "a start compiles nothing");
    server.observer.wanted(Wanted { slug: slug.clone(), revision: None });
    server.observer.wanted(Wanted { slug: "never".into(), revision: None });
    let told = wait_for_told(&server, 2).await;
    assert!(
        told.contains(&format!("load {slug} r1 current=true signed=true next=1")) && told.contains(&"unknown never".into()),
        "{told:?}"
    );
    assert_eq!(server.stand.compilations.load(Ordering::Relaxed), 0, "the artifact was there");
    server.end().await;

    for version in std::fs::read_dir(place.path().join("artifacts")).unwrap() {
        std::fs::remove_dir_all(version.unwrap().path()).unwrap();
    }
    let server = start(place.path(), Limits::default()).await;
    server.stand.refuses_to_load.store(true, Ordering::Relaxed);
    server.observer.wanted(Wanted { slug: slug.clone(), revision: Some(1) });
    let told = wait_for_told(&server, 3).await;
    assert_eq!(server.stand.compilations.load(Ordering::Relaxed), 2, "from its wasm, and once more when it was refused");
    assert_eq!(told[2], format!("failed {slug}: no room"));
    let logs = server.get(&format!("/api/v1/deployments/{slug}/logs")).await.json();
    assert!(logs["logs"][0]["text"].as_str().unwrap().contains("cannot be served"), "{logs}");
    server.end().await;
}

async fn wait_for_told(server: &Server, count: usize) -> Vec<String> {
    let mut told = Vec::new();
    for _ in 0..5_000 {
        told.extend(server.stand.told());
        if told.len() >= count {
            return told;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("the gateway was told only {told:?}")
}

#[tokio::test]
async fn a_command_runs_with_its_arguments_and_input() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let run = with(with(program("command"), "args", json!(["a", "b"])), "stdin", json!("in"));
    let ran = server.post("/api/v1/runs", None, run.clone()).await.json();
    assert_eq!(ran["stdout"], r#"["a", "b"] in"#);
    assert_eq!((&ran["exit_code"], &ran["stderr"], &ran["outcome"]["kind"]), (&json!(3), &json!("\u{fffd}"), &json!("exited")));
    assert_eq!((&ran["timings"]["run"], &ran["timings"]["codegen"]), (&json!(7.0), &json!(3.0)));
    for (status, name, value) in [
        (400, "args", json!(vec!["x"; 65])),
        (400, "args", json!(["\u{0}"])),
        (400, "env", json!({ "A=B": "" })),
        (413, "stdin", json!("x".repeat(1_100_000))),
    ] {
        assert_eq!(server.post("/api/v1/runs", None, with(run.clone(), name, value)).await.status, status, "{name}");
    }
    assert_eq!(server.post("/api/v1/runs", None, program("error")).await.status, 422);
    server.end().await;
}

#[tokio::test]
async fn who_never_reads_does_not_keep_a_connection() {
    let place = tempfile::tempdir().unwrap();
    let limits = Limits { workshop_connections_max: 1, idle_ms: 300, source_bytes_max: 1 << 20, ..Limits::default() };
    let server = start(place.path(), limits).await;
    let build = server.post("/api/v1/builds?wait=20", None, program(&"fern".repeat(50_000))).await.json();
    let path = format!("/api/v1/builds/{}/artifacts/wasm", build["id"].as_str().unwrap());
    let mut greedy = TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    // Together more than the kernel keeps for both ends.
    greedy.write_all(request.repeat(300).as_bytes()).await.unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(60), server.get("/healthz")).await;
    assert_eq!(answer.expect("there is room for one connection again").status, 200);
    drop(greedy);
    server.end().await;
}

#[tokio::test]
async fn whose_fault_a_failed_build_is_shows_in_the_status() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    for (word, status, limit, again) in [
        ("error", 422, None, false),
        ("refuse", 422, None, false),
        ("long", 422, Some("build_wall_ms"), false),
        ("absent", 503, None, false),
        ("busy", 503, None, true),
        ("panic", 500, None, false),
    ] {
        let answer = server.post("/api/v1/deployments", None, program(word)).await;
        let problem = answer.json();
        assert_eq!((answer.status, problem["limit"].as_str(), &problem["build"]["state"]), (status, limit, &json!("failed")), "{word}");
        assert_eq!(answer.head.to_ascii_lowercase().contains("retry-after: "), again, "{word}: {}", answer.head);
        assert_eq!(problem["build"]["limit"].as_str(), limit);
    }
    server.end().await;
}

/// One event of a stream: its id, name and data.
async fn next_event(reader: &mut BufReader<TcpStream>) -> (String, String, Value) {
    let (mut id, mut name) = (String::new(), String::new());
    loop {
        let mut line = String::new();
        let read = tokio::time::timeout(Duration::from_secs(30), reader.read_line(&mut line)).await;
        assert!(read.expect("an event").unwrap() > 0, "the stream ended");
        match line.trim_end().split_once(": ").or(line.trim_end().split_once(':')) {
            Some(("id", value)) => id = value.into(),
            Some(("event", value)) => name = value.into(),
            Some(("data", value)) => return (id, name, serde_json::from_str(value).unwrap()),
            _ => {}
        }
    }
}

async fn listen(server: &Server, query: &str, headers: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!("GET /api/v1/events?{query} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", server.address);
    stream.write_all(head.as_bytes()).await.unwrap();
    BufReader::new(stream)
}

#[tokio::test]
async fn a_stream_begins_with_the_present_state_and_goes_on_where_it_was_left() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let slug = server.post("/api/v1/deployments", None, program("fern")).await.json()["slug"].as_str().unwrap().to_owned();
    server.observer.logs(vec![log(&slug, "before")]);
    let query = format!("topics=build:none,deployment:{slug}");
    let mut stream = listen(&server, &query, "").await;
    let (_, name, data) = next_event(&mut stream).await;
    assert_eq!((name.as_str(), &data["slug"]), ("deployment", &json!(slug)));
    let texts = [next_event(&mut stream).await.2, next_event(&mut stream).await.2, next_event(&mut stream).await.2]
        .map(|log| log["text"].as_str().unwrap().to_owned());
    assert!(texts[0].starts_with("r1 live in") && texts[1].contains("wasi.stub") && texts[2] == "before", "{texts:?}");

    server.observer.reports(vec![report(&slug, 1, 1, Outcome::Finished)]);
    let (id, name, data) = next_event(&mut stream).await;
    assert_eq!((name.as_str(), &data["outcome"]["kind"], &data["timings"]["run"]), ("request", &json!("finished"), &Value::Null));
    let mut other = listen(&server, &query, "").await;
    next_event(&mut other).await;
    drop(stream);
    server.observer.logs(vec![log(&slug, "meanwhile")]);
    for (after, header) in [(format!("&after={id}"), String::new()), (String::new(), format!("Last-Event-ID: {id}\r\n"))] {
        let mut stream = listen(&server, &format!("{query}{after}"), &header).await;
        let (_, name, data) = next_event(&mut stream).await;
        assert_eq!((name.as_str(), &data["text"]), ("log", &json!("meanwhile")));
    }
    server.end().await;
}

#[tokio::test]
async fn a_build_can_be_followed() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits { builds_at_once: 1, ..Limits::default() }).await;
    let slow = server.post("/api/v1/builds", None, program("slow")).await.json();
    let queued = server.post("/api/v1/builds", None, program("fern")).await.json();
    let mut stream = listen(&server, &format!("topics=build:{}", queued["id"].as_str().unwrap()), "").await;
    assert_eq!(next_event(&mut stream).await.2["state"], "queued");
    server.ask("DELETE", &format!("/api/v1/builds/{}", slow["id"].as_str().unwrap()), "", "").await;
    let mut states = Vec::new();
    while states.last() != Some(&json!("ready")) {
        states.push(next_event(&mut stream).await.2["state"].clone());
    }
    assert!(states.contains(&json!("building")));
    server.end().await;
}

#[tokio::test]
async fn a_form_builds_and_deploys_without_javascript() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let page = server.ask("POST", "/", form, "language=c&code=fern%0D%0A").await;
    assert_eq!(page.status, 200, "{}", page.body);
    let told = server.stand.told();
    let slug = told[0].split(' ').nth(1).unwrap();
    assert!(page.body.contains(&format!("http://{slug}.localhost:7879/")));
    let failed = server.ask("POST", "/", form, &format!("language=c&code=error&slug={slug}")).await;
    assert_eq!(failed.status, 422);
    assert!(failed.body.contains("main.c:3") && failed.body.contains("a thing is wrong") && failed.body.contains(slug));
    let foreign = server.ask("POST", "/", form, &format!("language=c&code=moss&slug={slug}&owner_token=wrong")).await;
    assert_eq!(foreign.status, 403);
    let ran = server.ask("POST", "/", form, "language=c&code=command&args=a++b&stdin=in").await;
    assert!(ran.body.contains("exit 3") && ran.body.contains("] in"), "{}", ran.body);
    assert_eq!(server.get("/?language=c&starter=fern").await.status, 200);
    assert_eq!(server.get("/?language=c&starter=nothing").await.status, 404);
    server.end().await;
}
