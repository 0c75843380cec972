//! Runs a browser story: node, playwright-core and Debian's Chromium against a server of the test's own.

use std::path::Path;
use std::process::Command;

/// Runs the stories in `tests/browser/` against `url`; `screenshot` is a file that they write.
pub fn run_stories(url: &str, screenshot: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace");
    let status = Command::new("npm")
        .args(["run", "--silent", "stories"])
        .current_dir(root.join("web"))
        .env("VIVARIUM_URL", url)
        .env("VIVARIUM_SCREENSHOT", screenshot)
        .status()
        .expect("npm starts: `make test` needs node and npm");
    assert!(status.success(), "the browser stories failed");
}
