//! Fiddles: one revision after the other, each kept; only by their owner, and never over somebody's work.

use super::*;

async fn put(server: &Server, id: &str, headers: &str, body: Value) -> Answer {
    server.ask("PUT", &format!("/api/v1/fiddles/{id}"), &format!("Content-Type: application/json\r\n{headers}"), &body.to_string()).await
}

#[tokio::test]
async fn a_fiddle_goes_on_and_every_revision_of_it_stays() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let made = server.post("/api/v1/fiddles", None, program("fern")).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let first = made.json();
    let (id, token) = (first["id"].as_str().unwrap(), first["owner_token"].as_str().unwrap());
    assert_eq!((&first["revision"], &first["revision_url"]), (&json!(1), &json!(format!("http://{}/f/{id}/r/1", server.address))));
    let bearer = format!("Authorization: Bearer {token}\r\n");

    assert_eq!(put(&server, id, "", program("moss")).await.status, 401);
    assert_eq!(put(&server, id, "Authorization: Bearer wrong\r\n", program("moss")).await.status, 403);
    let second = put(&server, id, &bearer, program("moss")).await;
    assert_eq!((second.status, &second.json()["revision"]), (201, &json!(2)), "{}", second.body);
    let same = put(&server, id, &bearer, program("moss")).await;
    assert_eq!((same.status, &same.json()["revision"]), (200, &json!(2)), "the same text is no revision");

    let began_with = first["share_id"].as_str().unwrap();
    let stale = put(&server, id, &format!("{bearer}If-Match: \"{began_with}\"\r\n"), program("reed")).await;
    assert_eq!(stale.status, 412, "{}", stale.body);
    assert!(stale.json()["detail"].as_str().unwrap().contains("revision 2"));
    let began_with = same.json()["share_id"].as_str().unwrap().to_owned();
    let fresh = put(&server, id, &format!("{bearer}If-Match: \"{began_with}\"\r\n"), program("reed")).await;
    assert_eq!((fresh.status, &fresh.json()["revision"]), (201, &json!(3)), "{}", fresh.body);

    let revisions = server.get(&format!("/api/v1/fiddles/{id}/revisions")).await.json();
    let numbers: Vec<_> = revisions["revisions"].as_array().unwrap().iter().map(|one| one["revision"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [3, 2, 1]);
    for (path, text) in [
        (format!("/api/v1/fiddles/{id}"), "reed"),
        (format!("/api/v1/fiddles/{id}/revisions/1"), "fern"),
        (format!("/f/{id}/raw/main.c"), "reed"),
        (format!("/f/{id}/r/1/raw/main.c"), "fern"),
        (format!("/f/{id}/r/2"), "moss"),
        (format!("/f/{id}/r/2.wasm"), "moss"),
        (format!("/f/{id}.zip"), "reed"),
        (format!("/f/{id}"), "reed"),
        (format!("/s/{}/raw/main.c", first["share_id"].as_str().unwrap()), "fern"),
    ] {
        let answer = server.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert!(answer.body.contains(text), "{path}: {}", answer.body);
    }
    for path in [format!("/f/{id}/r/9"), format!("/f/{id}/r/first"), "/f/nothing".into(), format!("/api/v1/fiddles/{id}/revisions/9")] {
        assert_eq!(server.get(&path).await.status, 404, "{path}");
    }
    server.end().await;
}

#[tokio::test]
async fn a_fork_is_its_own_and_survives_what_it_came_from() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let first = server.post("/api/v1/fiddles", None, program("fern")).await.json();
    let (id, token) = (first["id"].as_str().unwrap(), first["owner_token"].as_str().unwrap());
    let forked = server.post(&format!("/api/v1/fiddles/{id}/fork"), None, json!({ "revision": 1 })).await;
    assert_eq!(forked.status, 201, "{}", forked.body);
    let fork = forked.json();
    assert_eq!((&fork["forked_from"], &fork["share_id"]), (&json!(id), &first["share_id"]), "the same text is stored once");
    let (fork_id, fork_token) = (fork["id"].as_str().unwrap(), fork["owner_token"].as_str().unwrap());
    assert!(fork_id != id && fork_token != token);
    assert_eq!(put(&server, fork_id, &format!("Authorization: Bearer {token}\r\n"), program("moss")).await.status, 403);

    let path = format!("/api/v1/fiddles/{id}");
    assert_eq!(server.ask("DELETE", &path, "Authorization: Bearer wrong\r\n", "").await.status, 403);
    assert_eq!(server.ask("DELETE", &path, &format!("Authorization: Bearer {token}\r\n"), "").await.status, 204);
    assert_eq!(server.get(&path).await.status, 404);
    assert_eq!(server.get(&format!("/f/{fork_id}/raw/main.c")).await.body, "fern");
    let bearer = format!("Authorization: Bearer {fork_token}\r\n");
    assert_eq!(server.ask("DELETE", &format!("/api/v1/fiddles/{fork_id}"), &bearer, "").await.status, 204);
    let share = format!("/api/v1/shares/{}", first["share_id"].as_str().unwrap());
    assert_eq!(server.get(&share).await.status, 404, "nobody holds its text any more");
    server.end().await;
}

#[tokio::test]
async fn a_tag_tells_revisions_of_the_same_text_apart() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let first = server.post("/api/v1/fiddles", None, program("fern")).await;
    let (id, share) = (first.json()["id"].as_str().unwrap().to_owned(), first.json()["share_id"].as_str().unwrap().to_owned());
    let bearer = format!("Authorization: Bearer {}\r\n", first.json()["owner_token"].as_str().unwrap());
    let (path, old) = (format!("/api/v1/fiddles/{id}"), format!("/api/v1/fiddles/{id}/revisions/1"));
    let known = format!("If-None-Match: \"{share}.1.1\"\r\n");
    assert_eq!((server.ask("GET", &path, &known, "").await.status, server.ask("GET", &old, &known, "").await.status), (304, 304));
    assert_eq!(put(&server, &id, &bearer, program("moss")).await.status, 201);
    assert_eq!(put(&server, &id, &bearer, program("fern")).await.status, 201);
    let now = server.ask("GET", &path, &known, "").await;
    assert_eq!((now.status, &now.json()["revision"], &now.json()["share_id"]), (200, &json!(3), &json!(share)), "{}", now.body);
    let then = server.ask("GET", &old, &known, "").await;
    assert_eq!((then.status, &then.json()["newest_revision"]), (200, &json!(3)), "{}", then.body);

    for (status, tags, text) in [
        (412, format!("\"{share}.1.1\""), "reed"),
        (400, "\u{e9}".to_owned(), "reed"),
        (400, String::new(), "reed"),
        (201, format!("\"else\", \"{share}.3.3\""), "reed"),
        (412, format!("\"else\", \"{share}\""), "leaf"),
        (201, "*".to_owned(), "leaf"),
    ] {
        let answer = put(&server, &id, &format!("{bearer}If-Match: {tags}\r\n"), program(text)).await;
        assert_eq!(answer.status, status, "{tags}: {}", answer.body);
    }
    server.end().await;
}

#[tokio::test]
async fn fiddles_have_an_end_and_say_what_they_came_from() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits { fiddles_max: 2, ..Limits::default() }).await;
    let first = server.post("/api/v1/fiddles", None, with(program("fern"), "forked_from", json!("moss"))).await.json();
    assert_eq!(first["forked_from"], json!("moss"));
    assert_eq!(server.post("/api/v1/fiddles", None, with(program("fern"), "colour", json!("green"))).await.status, 400);
    let fork = format!("/api/v1/fiddles/{}/fork", first["id"].as_str().unwrap());
    assert_eq!(server.post(&fork, None, json!({})).await.status, 201);
    let refused = server.post(&fork, None, json!({})).await;
    assert_eq!((refused.status, &refused.json()["limit"]), (507, &json!("fiddles_max")));
    server.end().await;
}

#[tokio::test]
async fn revisions_have_an_end() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits { fiddle_revisions_max: 2, ..Limits::default() }).await;
    let first = server.post("/api/v1/fiddles", None, program("fern")).await.json();
    let (id, bearer) = (first["id"].as_str().unwrap(), format!("Authorization: Bearer {}\r\n", first["owner_token"].as_str().unwrap()));
    assert_eq!(put(&server, id, &bearer, program("moss")).await.status, 201);
    let refused = put(&server, id, &bearer, program("reed")).await;
    assert_eq!((refused.status, &refused.json()["limit"]), (409, &json!("fiddle_revisions_max")));
    assert_eq!(server.get(&format!("/f/{id}/raw/main.c")).await.body, "moss");
    server.end().await;
}
