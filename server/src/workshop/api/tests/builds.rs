//! Builds and runs: started, waited for, followed, failed.

use super::*;

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
