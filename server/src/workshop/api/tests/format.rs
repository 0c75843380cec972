//! Layout.

use super::*;

#[tokio::test]
async fn a_program_is_laid_out_and_mistakes_are_told() {
    let place = tempfile::tempdir().unwrap();
    let server = start(place.path(), Limits::default()).await;
    let answer = server.post("/api/v1/format", None, program("  error ")).await;
    assert_eq!((answer.status, &answer.json()["files"]), (200, &json!({ "main.c": "error\n" })));
    assert_eq!((&answer.json()["diagnostics"][0]["line"], &answer.json()["format_us"]), (&json!(3), &json!(1)));
    assert_eq!(server.post("/api/v1/format", None, json!({"language": "c", "files": {"../x": ""}})).await.status, 400);
    server.end().await;
}
