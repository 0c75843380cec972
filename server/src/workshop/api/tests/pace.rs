//! What one client may ask for in a minute.

use super::*;

#[tokio::test]
async fn one_client_asks_so_often_for_what_costs_something() {
    let place = tempfile::tempdir().unwrap();
    let limits = Limits {
        builds_per_minute_max: 2,
        deployments_per_minute_max: 2,
        runs_per_minute_max: 2,
        checks_per_minute_max: 2,
        ..Limits::default()
    };
    let server = start(place.path(), limits).await;
    for (path, limit) in [
        ("/api/v1/builds", "builds_per_minute_max"),
        ("/api/v1/deployments", "deployments_per_minute_max"),
        ("/api/v1/runs", "runs_per_minute_max"),
        ("/api/v1/check", "checks_per_minute_max"),
    ] {
        for _ in 0..2 {
            let answer = server.post(path, None, program("fern")).await;
            assert!(answer.status < 300, "{path}: {} {}", answer.status, answer.body);
        }
        let refused = server.post(path, None, program("fern")).await;
        assert_eq!((refused.status, &refused.json()["limit"]), (429, &json!(limit)), "{path}");
        assert!(refused.head.contains("retry-after: 30"), "{}", refused.head);
        let sentence = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(sentence.contains("2 ") && sentence.contains("try again in 30 s"), "{sentence}");
    }
    assert_eq!(server.post("/api/v1/format", None, program("fern")).await.status, 429, "a layout starts a compiler as a check does");
    assert_eq!(server.post("/api/v1/deployments/nothing/tests", None, json!({ "requests": [] })).await.status, 429);
    let form = server.ask("POST", "/", "Content-Type: application/x-www-form-urlencoded\r\n", "language=c&code=fern").await;
    assert_eq!(form.status, 429, "the form deploys too");
    assert_eq!(server.get("/").await.status, 200, "what costs nothing is not counted");
    server.end().await;
}

#[tokio::test]
async fn writes_to_stores_are_counted_and_reads_are_not() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits { kv_changes_per_minute_max: 2, ..Limits::default() }).await;
    let path = "/api/v1/deployments/nothing/kv/kv/a";
    assert_eq!(server.ask("PUT", path, "", "fern").await.status, 404);
    assert_eq!(server.ask("DELETE", path, "", "").await.status, 404);
    for method in ["PUT", "DELETE"] {
        let refused = server.ask(method, path, "", "").await;
        assert_eq!((refused.status, &refused.json()["limit"]), (429, &json!("kv_changes_per_minute_max")), "{method}");
    }
    assert_eq!(server.get(path).await.status, 404);
    server.end().await;
}

#[tokio::test]
async fn what_is_built_when_it_is_looked_at_is_a_build_and_nothing_for_pages_of_others() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits { builds_per_minute_max: 2, ..Limits::default() }).await;
    let made = server.post("/api/v1/shares", None, program("fern")).await.json();
    let path = format!("/s/{}", made["id"].as_str().unwrap());
    let (image, link) =
        ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Dest: image\r\n", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Dest: document\r\n");
    for form in [".wasm", ".wat"] {
        assert_eq!(server.ask("GET", &format!("{path}{form}"), image, "").await.status, 403, "{form}");
    }
    assert_eq!(server.ask("GET", &format!("{path}.wasm"), link, "").await.status, 200);
    assert_eq!(server.get(&format!("{path}.wasm")).await.status, 200);
    for form in [".wasm", "%2Ewasm", ".wat"] {
        let refused = server.get(&format!("{path}{form}")).await;
        assert_eq!((refused.status, &refused.json()["limit"]), (429, &json!("builds_per_minute_max")), "{form}");
    }
    assert_eq!(server.get(&format!("{path}.zip")).await.status, 200, "what is only read is not counted");
    server.end().await;
}
