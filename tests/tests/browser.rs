//! The stories of `tests/browser/` in headless Chromium, against a server of their own.

use tempfile::TempDir;
use vivarium_tests::browser::run_stories;
use vivarium_tests::server::Server;

#[test]
fn a_person_types_runs_sees_the_answer_breaks_it_and_the_old_answer_is_still_served() {
    let server = Server::start();
    let folder = TempDir::new().unwrap();
    let screenshot = folder.path().join("workshop.png");
    run_stories(&server.url, &screenshot);
    let bytes = std::fs::read(&screenshot).expect("the story writes a screenshot");
    assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 20_000, "the screenshot shows something");
}
