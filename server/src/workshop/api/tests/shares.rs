//! Shares: kept under the address of their content until their owner deletes them, with their files and what they build to.

use super::*;
use crate::workshop::fiddles::ROW_BYTES;

async fn delete(server: &Server, path: &str, token: &str) -> Answer {
    server.ask("DELETE", path, &format!("Authorization: Bearer {token}\r\n"), "").await
}

#[tokio::test]
async fn the_same_text_has_the_same_address_and_goes_with_its_last_owner() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let fern = with(with(program("fern"), "name", json!("fern")), "path", json!("/?seed=3"));
    let made = server.post("/api/v1/shares", None, fern.clone()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let first = made.json();
    let (id, token) = (first["id"].as_str().unwrap(), first["owner_token"].as_str().unwrap());
    assert_eq!((id.len(), &first["url"]), (22, &json!(format!("http://{}/s/{id}", server.address))));
    assert!(made.head.contains(&format!("etag: \"{}\"", id.to_ascii_lowercase())), "{}", made.head);

    let again = server.post("/api/v1/shares", Some(token), fern.clone()).await;
    assert_eq!((again.status, &again.json()["id"], again.json().get("owner_token")), (200, &json!(id), None));
    let other = server.post("/api/v1/shares", Some("made-up"), fern).await;
    assert_eq!((other.status, &other.json()["id"]), (201, &json!(id)), "somebody else shared it too");
    let other_token = other.json()["owner_token"].as_str().unwrap().to_owned();
    assert_ne!(other_token, "made-up", "a token that nothing belongs to is nobody's");

    let path = format!("/api/v1/shares/{id}");
    let shown = server.get(&path).await;
    assert_eq!((&shown.json()["files"]["main.c"], &shown.json()["path"]), (&json!("fern"), &json!("/?seed=3")));
    assert!(shown.head.contains("access-control-allow-origin: *"), "{}", shown.head);
    assert_eq!(server.ask("GET", &path, &format!("If-None-Match: \"{id}\"\r\n"), "").await.status, 304);
    assert_eq!(server.ask("DELETE", &path, "", "").await.status, 401);
    assert_eq!(delete(&server, &path, "wrong").await.status, 403);
    assert_eq!(delete(&server, &path, token).await.json(), json!({ "id": id, "held_by_others": true }));
    assert_eq!(server.get(&path).await.status, 200);
    assert_eq!(delete(&server, &path, &other_token).await.json()["held_by_others"], json!(false));
    assert_eq!(server.get(&path).await.status, 404);
    server.end().await;
}

#[tokio::test]
async fn what_is_said_to_be_as_usual_is_the_same_text() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let short = with(program("fern"), "requests", json!([{ "name": "sow" }]));
    let long = with(program("fern"), "requests", json!([{ "name": "sow", "method": "GET", "path": "/" }]));
    let id = server.post("/api/v1/shares", None, short).await.json()["id"].clone();
    assert_eq!(server.post("/api/v1/shares", None, with(long, "path", json!("/"))).await.json()["id"], id);
    server.end().await;
}

#[tokio::test]
async fn who_holds_a_known_text_takes_room_too() {
    let place = tempfile::tempdir().unwrap();
    let limits = Limits { shares_bytes_max: 250 + 2 * ROW_BYTES, ..Limits::default() };
    let server = start(place.path(), limits).await;
    let made = server.post("/api/v1/shares", None, program("fern")).await.json();
    assert_eq!(server.post("/api/v1/shares", None, program("fern")).await.status, 201, "a second owner");
    assert_eq!(server.post("/api/v1/shares", None, program("fern")).await.status, 507);
    assert_eq!(server.post("/api/v1/fiddles", None, program("fern")).await.status, 507);
    let token = made["owner_token"].as_str().unwrap();
    assert_eq!(server.post("/api/v1/shares", Some(token), program("fern")).await.status, 200, "it takes no more than it had");
    server.end().await;
}

#[tokio::test]
async fn a_share_outlives_the_server_and_every_sweep() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let asset = json!({ "logo.png": "AP8=" });
    let made = server.post("/api/v1/shares", None, with(program("fern"), "assets", asset)).await.json();
    let id = made["id"].as_str().unwrap();
    server.end().await;
    let server = start(place.path(), Limits::default()).await;
    let shown = server.get(&format!("/api/v1/shares/{id}")).await;
    assert_eq!((shown.status, &shown.json()["assets"]["logo.png"]), (200, &json!("AP8=")));
    server.end().await;
}

#[tokio::test]
async fn its_address_answers_with_the_page_its_files_and_what_it_builds_to() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    // Both a program of the stand's language and a module that can be printed.
    let files = json!({ "main.c": "fern </script>", "data/words": "moss" });
    let shared = json!({ "language": "c", "files": files, "name": "fern", "stdin": "in" });
    let id = server.post("/api/v1/shares", None, shared).await.json()["id"].as_str().unwrap().to_owned();

    let page = server.get(&format!("/s/{id}")).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("fern &#60;/script&#62;") || page.body.contains("fern &lt;/script&gt;"), "the code is shown as text");
    assert!(page.body.contains(&format!("name=\"stored\" value=\"{id}\"")) && page.head.contains("x-robots-tag: noindex"));
    for (path, kind, body) in [
        (format!("/s/{id}/raw/main.c"), "text/plain", "fern </script>"),
        (format!("/s/{id}/raw/data/words"), "text/plain", "moss"),
        (format!("/s/{id}.wasm"), "application/wasm", "fern </script>"),
        (format!("/s/{id}.zip"), "application/zip", "data/words"),
    ] {
        let answer = server.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert!(answer.head.contains(kind) && answer.body.contains(body), "{path}: {} {}", answer.head, answer.body);
        assert!(answer.head.contains("nosniff") && answer.head.contains("default-src 'none'"), "{}", answer.head);
    }
    assert!(server.get(&format!("/s/{id}.zip")).await.head.contains("filename=\"fern.zip\""));
    for (path, said) in [
        (format!("/s/{id}/raw/other.c"), "data/words, main.c"),
        ("/s/nothing-here".into(), "its owner deleted it"),
        ("/s/..%2f..%2fetc%2fpasswd".into(), "this name"),
    ] {
        let refused = server.get(&path).await;
        assert_eq!(refused.status, 404, "{path}");
        assert!(refused.body.contains(said), "{path}: {}", refused.body);
    }
    // Without a script the form carries the files that it does not show.
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let built = server.ask("POST", "/", form, &format!("language=c&code=moss&stored={id}")).await;
    assert_eq!(built.status, 200, "{}", built.body);
    server.end().await;
}

#[tokio::test]
async fn what_may_not_be_stored_is_refused_with_its_limit() {
    let place = tempfile::tempdir().unwrap();
    let limits = Limits {
        share_bytes_max: 200,
        shares_bytes_max: 250 + 2 * ROW_BYTES,
        shares_per_minute_max: 9,
        saved_requests_max: 1,
        file_name_bytes_max: 20,
        ..Limits::default()
    };
    let server = start(place.path(), limits).await;
    let fern = program("fern");
    for (status, shared, said) in [
        (413, program(&"x".repeat(300)), "share_bytes_max"),
        (400, with(fern.clone(), "name", json!("a name that is too long")), "file_name_bytes_max"),
        (400, with(fern.clone(), "requests", json!([{ "name": "a" }, { "name": "b" }])), "saved_requests_max"),
        (400, with(fern.clone(), "requests", json!([{ "name": "a", "path": "fern" }])), "cannot be sent"),
        (400, with(fern.clone(), "language", json!("cobol")), "cobol"),
        (201, program(&"fern".repeat(30)), "fern"),
        (507, program(&"moss".repeat(30)), "shares_bytes_max"),
        (201, fern.clone(), "fern"),
        (507, program(&"reed".repeat(30)), "shares_bytes_max"),
    ] {
        let answer = server.post("/api/v1/shares", None, shared).await;
        assert_eq!(answer.status, status, "{said}: {}", answer.body);
        assert!(answer.body.contains(said), "{}", answer.body);
    }
    let refused = server.post("/api/v1/shares", None, fern).await;
    assert_eq!((refused.status, &refused.json()["limit"]), (429, &json!("shares_per_minute_max")));
    assert!(refused.head.contains("retry-after: "), "{}", refused.head);
    server.end().await;
}

#[tokio::test]
async fn what_leads_astray_or_would_be_lost_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits { assertions_max: 1, ..Limits::default() }).await;
    let fern = program("fern");
    for (status, shared, said) in [
        (400, with(fern.clone(), "requests", json!([{ "tests": "status is 200\nlog exists" }])), "assertions_max"),
        (400, with(fern.clone(), "path", json!("//moss.example/x")), "cannot be shown"),
        (400, with(fern.clone(), "path", json!("/\\moss.example/x")), "cannot be shown"),
        (400, with(fern.clone(), "path", json!("//")), "cannot be shown"),
        (400, with(fern.clone(), "path", json!("javascript:alert(1)")), "cannot be shown"),
        (400, with(fern.clone(), "path", json!("/a\tb")), "cannot be shown"),
        (400, with(fern.clone(), "colour", json!("green")), "colour"),
        (400, with(fern.clone(), "forked_from", json!("moss")), "forked_from"),
        (400, with(fern.clone(), "assets", json!({ "..\\..\\x": "AP8=" })), "no name of an asset"),
        (400, with(fern.clone(), "assets", json!({ "C:x": "AP8=" })), "no name of an asset"),
        (400, with(fern.clone(), "assets", json!({ "a\nb": "AP8=" })), "no name of an asset"),
    ] {
        let answer = server.post("/api/v1/shares", None, shared).await;
        assert_eq!(answer.status, status, "{said}: {}", answer.body);
        assert!(answer.body.contains(said), "{}", answer.body);
    }
    server.end().await;
}

#[tokio::test]
async fn only_an_embed_may_stand_within_pages_of_others() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let files = json!({ "main.c": "fern </script><b>", "leaf.h": "moss" });
    let made = server.post("/api/v1/shares", None, json!({ "language": "c", "files": files })).await.json();
    let id = made["id"].as_str().unwrap();
    let page = server.get(&format!("/e/{id}?file=leaf.h&lines=3-9&theme=dark&view=run&ro=1")).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.head.contains("frame-ancestors *") && !page.head.contains("x-frame-options"), "{}", page.head);
    assert!(page.head.contains("cross-origin-resource-policy: cross-origin"), "{}", page.head);
    for part in ["data-theme=\"dark\"", "data-view=\"run\"", "\"lines\":[3,9]", "\"read_only\":true", "tabindex=\"0\">moss</pre>"] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    assert!(!page.body.contains("fern </script>"), "the program is text, in the script's data too");
    assert!(page.head.contains("x-robots-tag: noindex"), "{}", page.head);
    let twice = server.get(&format!("/e/{id}?file=leaf.h&file=main.c")).await;
    assert!(twice.status == 200 && twice.body.contains("tabindex=\"0\">moss</pre>"), "the first counts: {}", twice.body);
    let odd = server.get(&format!("/e/{id}?theme=%22%3E&lines=x&file=other&view=explore")).await;
    assert!(odd.status == 200 && odd.body.contains("data-view=\"code\"") && !odd.body.contains("data-theme"), "{}", odd.body);
    let fiddle = server.post("/api/v1/fiddles", None, program("reed")).await.json();
    assert!(server.get(&format!("/e/{}", fiddle["id"].as_str().unwrap())).await.body.contains("reed"));
    assert_eq!((server.get("/e/").await.status, server.get("/e/nothing-here").await.status), (200, 404));
    for path in ["/".to_owned(), format!("/s/{id}"), format!("/s/{id}/raw/main.c"), "/e/nothing-here".into()] {
        assert!(server.get(&path).await.head.contains("x-frame-options: deny"), "{path}");
    }
    server.end().await;
}
