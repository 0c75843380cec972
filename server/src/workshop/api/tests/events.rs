//! The stream of events.

use super::*;

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
