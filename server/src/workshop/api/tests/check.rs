//! Checks while somebody types.

use std::sync::atomic::Ordering;

use super::*;

const PATH: &str = "/api/v1/check";

#[tokio::test]
async fn a_check_tells_what_is_wrong_and_remembers_it() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    for _ in 0..2 {
        let checked = server.post(PATH, None, program("error")).await;
        assert_eq!((checked.status, &checked.json()["diagnostics"][0]["line"]), (200, &json!(3)));
    }
    assert_eq!(server.stand.checks.load(Ordering::Relaxed), 1);
    assert_eq!(server.post(PATH, None, program("fern")).await.json()["diagnostics"], json!([]));
    assert_eq!(server.stand.builds.load(Ordering::Relaxed), 0);
    for (text, status, limit) in [("long", 422, Some("check_ms")), ("panic", 500, None)] {
        let refused = server.post(PATH, None, program(text)).await;
        assert_eq!((refused.status, refused.json()["limit"].as_str()), (status, limit), "{}", refused.body);
    }
    assert_eq!(server.post(PATH, None, json!({"language": "cobol", "files": {}})).await.status, 400);
    server.end().await;
}

#[tokio::test]
async fn a_check_ends_when_its_client_goes_and_others_wait_in_a_short_queue() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits { check_queue_max: 0, ..Limits::default() }).await;
    let body = program("slow").to_string();
    let (host, length) = (server.address, body.len());
    let head = format!("POST {PATH} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
    let mut gone = TcpStream::connect(host).await.unwrap();
    gone.write_all(head.as_bytes()).await.unwrap();
    while server.stand.checks.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let refused = server.post(PATH, None, program("fern")).await;
    assert_eq!((refused.status, refused.json()["limit"].as_str()), (503, Some("check_queue_max")));
    drop(gone);
    while server.stand.cancelled_checks.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    while server.post(PATH, None, program("fern")).await.status != 200 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    server.end().await;
}
