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
    let form = server.ask("POST", "/", "Content-Type: application/x-www-form-urlencoded\r\n", "language=c&code=fern").await;
    assert_eq!(form.status, 429, "the form deploys too");
    assert_eq!(server.get("/").await.status, 200, "what costs nothing is not counted");
    server.end().await;
}
