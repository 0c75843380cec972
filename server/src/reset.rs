//! How the slots of guests are reset on this machine, and the setting that forces it.

use vivarium_runtime::{ResetMethod, Runtime};

/// Forces one method: `write-set`, `page-scan` or `madvise`. For trying out what a system without the better ones does.
pub const FORCED: &str = "VIVARIUM_RESET";

/// The method that is forced, if one is. The error is a sentence.
pub fn forced() -> Result<Option<ResetMethod>, String> {
    let Ok(name) = std::env::var(FORCED) else { return Ok(None) };
    name.parse().map(Some).map_err(|error| format!("{FORCED}: {error}"))
}

/// The method in words, with what keeps a better one from working here.
pub fn described(method: ResetMethod) -> String {
    let how = match method {
        ResetMethod::WriteSet => "the pages that a program is known to write are copied back",
        ResetMethod::PageScan => "the kernel says which pages were written",
        ResetMethod::Madvise => "all pages are dropped, which is slower",
    };
    let better = ResetMethod::ALL.into_iter().take_while(|other| *other != method);
    let obstacles: Vec<String> =
        better.filter_map(|other| Runtime::obstacle(other).map(|why| format!("; no {other}, for {why}"))).collect();
    format!("slots are reset by {method}: {how}{}", obstacles.concat())
}
