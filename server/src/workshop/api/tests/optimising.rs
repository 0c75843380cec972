//! When a program is compiled again, optimised, and when not.

use super::deployments::wait_for_told;
use super::*;

/// Reloads a program, as after the end of its gateway, and waits until that is done.
async fn reload(server: &Server, slug: &str) {
    server.stand.told();
    server.observer.wanted(Wanted { slug: slug.to_owned(), revision: None });
    wait_for_told(server, 1).await;
    // Longer than it takes to begin with what follows.
    tokio::time::sleep(Duration::from_millis(100)).await;
}

fn compilations(server: &Server) -> usize {
    server.stand.compilations.load(Ordering::Relaxed)
}

async fn deployed(server: &Server, text: &str) -> String {
    server.post("/api/v1/deployments", None, program(text)).await.json()["slug"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_could_not_be_optimised_is_not_tried_at_each_reload() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits { optimise_after_ms: 0, ..Limits::default() }).await;
    let slug = deployed(&server, "plain").await;
    let logs = format!("/api/v1/deployments/{slug}/logs");
    while !server.get(&logs).await.body.contains("stays on the code that was compiled first: the compiler ended without an answer") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for _ in 0..3 {
        reload(&server, &slug).await;
    }
    assert_eq!(compilations(&server), 2, "once for each setting");
    let other = deployed(&server, "another").await;
    wait_for_told(&server, 2).await;
    reload(&server, &other).await;
    assert_eq!(compilations(&server), 4, "others are optimised");
    server.end().await;
}

#[tokio::test]
async fn optimised_code_outlasts_a_gateway_that_has_no_room_for_it() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits { optimise_after_ms: 200, ..Limits::default() }).await;
    let slug = deployed(&server, "fern").await;
    server.stand.told();
    server.stand.no_room.store(2, Ordering::Relaxed);
    let told = wait_for_told(&server, 3).await;
    assert_eq!(told, vec![format!("load {slug} r1 current=false signed=true next=1"); 3], "asked until it had room");
    assert_eq!(server.stand.no_room.load(Ordering::Relaxed), 0);
    reload(&server, &slug).await;
    assert_eq!(compilations(&server), 2, "it is there");
    let logs = server.get(&format!("/api/v1/deployments/{slug}/logs")).await;
    assert!(!logs.body.contains("stays on"), "{}", logs.body);
    server.end().await;
}
