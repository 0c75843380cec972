//! What a deployment keeps for its program: set, shown, kept over revisions, and gone with it.

use super::*;

/// What a deployment is made with here.
fn with_settings(program: serde_json::Value) -> serde_json::Value {
    let mut program = program;
    let settings = json!({
        "env": {"COLOUR": "green"},
        "secrets": {"KEY": "hidden-a"},
        "config": {"leaves": {"oak": "lobed"}},
        "secret_stores": {"roots": {"deep": "hidden-b"}},
        "kv_stores": {"nuts": {}},
    });
    program.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    program
}

async fn shown(server: &Server, slug: &str, token: &str) -> serde_json::Value {
    let bearer = format!("Authorization: Bearer {token}\r\n");
    server.ask("GET", &format!("/api/v1/deployments/{slug}"), &bearer, "").await.json()
}

fn settings_of(view: &serde_json::Value) -> serde_json::Value {
    json!([view["env"], view["secrets"], view["config"], view["secret_stores"], view["kv_stores"]])
}

#[tokio::test]
async fn settings_are_shown_to_their_owner_without_secrets_and_change_by_name() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let made = server.post("/api/v1/deployments", None, with_settings(program("fern"))).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    let (slug, token) = (made["slug"].as_str().unwrap(), made["owner_token"].as_str().unwrap());
    let nothing = json!({"entries": 0, "bytes": 0});
    let stores = json!({"kv": nothing, "nuts": nothing});
    let expected = json!([{"COLOUR": "green"}, ["KEY"], {"leaves": {"oak": "lobed"}}, {"roots": ["deep"]}, stores]);
    assert_eq!(settings_of(&shown(&server, slug, token).await), expected);
    let public = server.get(&format!("/api/v1/deployments/{slug}")).await;
    assert!(!public.body.contains("lobed") && !public.body.contains("hidden"), "{}", public.body);

    let headers = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
    let path = format!("/api/v1/deployments/{slug}");
    let changes = r#"{"config":{"leaves":{"oak":null,"elm":"rough"}},"secret_stores":{"roots":null},"kv_stores":{"nuts":null}}"#;
    let changed = server.ask("PATCH", &path, &headers, changes).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let expected = json!([{"COLOUR": "green"}, ["KEY"], {"leaves": {"elm": "rough"}}, {}, {"kv": nothing}]);
    assert_eq!(settings_of(&changed.json()), expected);
    let revised = server.post("/api/v1/deployments", Some(token), with(program("moss"), "slug", json!(slug))).await;
    assert_eq!((revised.status, settings_of(&shown(&server, slug, token).await)), (200, expected), "kept over a redeploy");
    assert_eq!(server.ask("PUT", &format!("{path}/kv/kv/key"), &headers, "value").await.status, 204);
    let emptied = server.ask("PATCH", &path, &headers, r#"{"kv_stores":{"kv":null}}"#).await;
    assert_eq!(emptied.status, 200, "{}", emptied.body);
    let gone = server.ask("GET", &format!("{path}/kv/kv/key"), &headers, "").await;
    assert_eq!(gone.status, 404, "a store that is removed is empty when it is there again");
    let refused = server.ask("PATCH", &path, &headers, r#"{"kv_stores":{"":{}}}"#).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    server.end().await;

    let server = start(place.path(), Limits::default()).await;
    assert_eq!(shown(&server, slug, token).await["config"], json!({"leaves": {"elm": "rough"}}), "and over a restart");
    assert_eq!(server.ask("PUT", &format!("{path}/kv/kv/key"), &headers, "value").await.status, 204);
    assert_eq!(server.ask("DELETE", &path, &headers, "").await.status, 200);
    assert_eq!(server.ask("PUT", &format!("{path}/kv/kv/key"), &headers, "value").await.status, 410);
    for _ in 0..5_000 {
        let kept = shown(&server, slug, token).await;
        if settings_of(&kept) == json!([{}, [], {}, {}, {"kv": nothing}]) {
            return server.end().await;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("what an ended deployment kept is still there");
}

#[tokio::test]
async fn a_redeploy_that_fails_changes_no_settings() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let made = server.post("/api/v1/deployments", None, with_settings(program("fern"))).await.json();
    let (slug, token) = (made["slug"].as_str().unwrap(), made["owner_token"].as_str().unwrap());
    let before = settings_of(&shown(&server, slug, token).await);
    let mut revise = with(program("moss"), "slug", json!(slug));
    let other = json!({"env": {"COLOUR": null, "NEW": "1"}, "config": {"leaves": null}, "kv_stores": {"nuts": null}});
    revise.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    server.stand.told();
    server.stand.refuses_to_load.store(true, Ordering::Relaxed);
    assert_eq!(server.post("/api/v1/deployments", Some(token), revise.clone()).await.status, 503);
    assert_eq!(settings_of(&shown(&server, slug, token).await), before);
    let told = server.stand.told();
    assert_eq!(told.last().unwrap(), &format!(r#"environment {slug} [("COLOUR", "green"), ("KEY", "hidden-a")]"#), "{told:?}");
    let failing = with(revise, "files", json!({"main.c": "error"}));
    assert_eq!(server.post("/api/v1/deployments", Some(token), failing).await.status, 422);
    assert_eq!(settings_of(&shown(&server, slug, token).await), before);
    server.end().await;

    let server = start(place.path(), Limits::default()).await;
    assert_eq!(settings_of(&shown(&server, slug, token).await), before);
    server.end().await;
}

#[tokio::test]
async fn key_value_stores_are_read_and_changed_by_their_owner() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits { kv_bytes_max: 200, ..Limits::default() }).await;
    let made = server.post("/api/v1/deployments", None, with_settings(program("fern"))).await.json();
    let (slug, token) = (made["slug"].as_str().unwrap(), made["owner_token"].as_str().unwrap());
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let stores = format!("/api/v1/deployments/{slug}/kv");
    let ask = |method: &'static str, path: &str, body: &'static str| {
        let (path, bearer, server) = (format!("{stores}{path}"), bearer.clone(), &server);
        async move { server.ask(method, &path, &bearer, body).await }
    };
    assert_eq!(ask("PUT", "/nuts/a%2Fb?metadata=about", "hazel").await.status, 204);
    assert_eq!(ask("PUT", "/nuts/z?ttl_seconds=0", "gone").await.status, 204);
    let got = ask("GET", "/nuts/a%2Fb", "").await;
    assert_eq!((got.status, got.body.as_str()), (200, "hazel"));
    for header in ["vivarium-metadata: about", "content-type: application/octet-stream", "x-content-type-options: nosniff"] {
        assert!(got.head.contains(header), "{}", got.head);
    }
    assert_eq!(ask("GET", "/nuts", "").await.json(), json!({"keys": ["a/b"], "next_after": null}));
    assert_eq!(ask("GET", "", "").await.json()["kv_stores"]["nuts"], json!({"entries": 1, "bytes": 64 + 3 + 5 + 5}));
    for (method, path, status) in [
        ("GET", "/nuts/z", 404),
        ("GET", "/other", 404),
        ("DELETE", "/nuts/z", 404),
        ("PUT", "/nuts/a%2Fb?generation=1", 412),
        ("PUT", "/nuts/a%0Ab", 400),
    ] {
        assert_eq!(ask(method, path, "x").await.status, status, "{method} {path}");
    }
    let full = ask("PUT", "/kv/long", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx").await;
    assert_eq!((full.status, &full.json()["limit"]), (507, &json!("kv_bytes_max")));
    let path = format!("{stores}/nuts/a%2Fb");
    assert_eq!(server.get(&path).await.status, 401);
    assert_eq!(server.ask("GET", &path, "Authorization: Bearer other\r\n", "").await.status, 403);
    server.end().await;

    let server = start(place.path(), Limits::default()).await;
    assert_eq!(server.ask("GET", &path, &bearer, "").await.body, "hazel", "it is there after a restart");
    assert_eq!(server.ask("DELETE", &path, &bearer, "").await.status, 204);
    assert_eq!(server.ask("GET", &path, &bearer, "").await.status, 404);
    server.end().await;
}
