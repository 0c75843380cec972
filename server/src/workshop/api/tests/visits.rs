//! Saved requests and their assertions, sent to a stand-in for a gateway.

use super::*;

/// Answers each connection with the same text, and keeps what it was asked.
async fn guests(answer: &'static str) -> (SocketAddr, Arc<std::sync::Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, asked) = (listener.local_addr().unwrap(), Arc::new(std::sync::Mutex::new(Vec::new())));
    let kept = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let length = stream.read(&mut head).await.unwrap();
            kept.lock().unwrap().push(String::from_utf8_lossy(&head[..length]).into_owned());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (address, asked)
}

const ANSWER: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nVivarium-Request-Id: 1\r\nContent-Length: 15\r\n\r\n{\"name\":\"fern\"}";

#[tokio::test]
async fn saved_requests_are_sent_and_their_assertions_judged() {
    let place = tempfile::tempdir().unwrap();
    let (address, asked) = guests(ANSWER).await;
    let server = start_before(place.path(), Limits::default(), address).await;
    let slug = server.post("/api/v1/deployments", None, program("fern")).await.json()["slug"].as_str().unwrap().to_owned();
    server.observer.logs(vec![log(&slug, "grown")]);
    server.observer.reports(vec![report(&slug, 1, 1, Outcome::Finished)]);
    let tests = "status is 200\n[the name] json.name is fern\nlog includes grown\noutcome is finished\nbody is moss";
    let headers = json!([["X-Leaf", "green"]]);
    let sown = json!({ "name": "sow", "method": "POST", "path": "/beds?row=1", "headers": headers, "body": "seed", "tests": tests });
    let path = format!("/api/v1/deployments/{slug}/tests");
    let ran = server.post(&path, None, json!({ "requests": [sown, { "path": "/quiet" }] })).await;
    assert_eq!(ran.status, 200, "{}", ran.body);
    let results = ran.json();
    assert_eq!((&results["passed"], &results["passes"], &results["failures"]), (&json!(false), &json!(4), &json!(1)), "{}", ran.body);
    let first = &results["results"][0];
    assert_eq!((&first["request_id"], &first["assertions"][1]["label"]), (&json!(1), &json!("the name")));
    let failed = json!({ "label": "body is moss", "line": 5, "passed": false, "message": "body is \"{\\\"name\\\":\\\"fern\\\"}\"" });
    assert_eq!(first["assertions"][4], failed);
    assert_eq!((&first["answer"]["status"], &first["answer"]["log"]), (&json!(200), &json!(["grown"])));
    assert_eq!((&results["results"][1]["name"], &results["results"][1]["passed"]), (&json!("GET /quiet"), &json!(true)));
    let sent = asked.lock().unwrap()[0].to_ascii_lowercase();
    assert!(sent.starts_with("post /beds?row=1 http/1.1") && sent.contains("x-leaf: green") && sent.ends_with("seed"), "{sent}");
    assert!(sent.contains(&format!("host: {slug}.localhost:{}", address.port())), "{sent}");

    let body = json!({ "requests": [{ "name": "sow", "tests": "status is 404" }] }).to_string();
    let tap = server.ask("POST", &path, "Content-Type: application/json\r\nAccept: text/plain\r\n", &body).await;
    assert!(tap.head.contains("text/plain") && tap.body.contains("1..1\nnot ok 1 - sow: status is 404\n"), "{} {}", tap.head, tap.body);
    server.end().await;
}

#[tokio::test]
async fn what_cannot_be_sent_or_has_no_answer_says_why() {
    let place = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let server = start_before(place.path(), Limits { saved_requests_max: 1, assertions_max: 1, ..Limits::default() }, closed).await;
    let made = server.post("/api/v1/deployments", None, program("fern")).await.json();
    let slug = made["slug"].as_str().unwrap();
    let path = format!("/api/v1/deployments/{slug}/tests");
    let ran = server.post(&path, None, json!({ "requests": [{ "tests": "status is 200" }] })).await.json();
    assert!(ran["passed"] == false && ran["results"][0]["error"].as_str().unwrap().contains("cannot be reached"), "{ran}");
    for (status, path, body, said) in [
        (400, &*path, json!({ "requests": [{}, {}] }), "saved_requests_max"),
        (400, &*path, json!({ "requests": [{ "path": "/a b" }] }), "its path"),
        (400, &*path, json!({ "requests": [{ "tests": "status is 200\nlog exists" }] }), "assertions_max"),
        (400, &*path, json!({}), "requests"),
        (404, "/api/v1/deployments/nothing/tests", json!({ "requests": [] }), "ever deployed"),
    ] {
        let refused = server.post(path, None, body).await;
        assert_eq!(refused.status, status, "{}", refused.body);
        assert!(refused.body.contains(said), "{}", refused.body);
    }
    let bearer = format!("Authorization: Bearer {}\r\n", made["owner_token"].as_str().unwrap());
    server.ask("DELETE", &format!("/api/v1/deployments/{slug}"), &bearer, "").await;
    assert_eq!(server.post(&path, None, json!({ "requests": [] })).await.status, 410);
    server.end().await;
}

#[tokio::test]
async fn a_round_has_an_end() {
    let place = tempfile::tempdir().unwrap();
    // Connections are taken, and nothing is ever answered.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let limits = Limits { test_round_ms: 50, ..Limits::default() };
    let server = start_before(place.path(), limits, mute.local_addr().unwrap()).await;
    let slug = server.post("/api/v1/deployments", None, program("fern")).await.json()["slug"].as_str().unwrap().to_owned();
    let ran = server.post(&format!("/api/v1/deployments/{slug}/tests"), None, json!({ "requests": [{}, {}] })).await;
    assert_eq!((ran.status, ran.json()["passed"].clone()), (200, json!(false)), "{}", ran.body);
    for result in ran.json()["results"].as_array().unwrap() {
        assert!(result["error"].as_str().unwrap().contains("test_round_ms of 50 ms"), "{result}");
    }
    server.end().await;
}
