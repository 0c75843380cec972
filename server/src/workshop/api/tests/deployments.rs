//! Deployments: made, revised, kept, stopped, and served again.

use super::*;

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

pub async fn wait_for_told(server: &Server, count: usize) -> Vec<String> {
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
