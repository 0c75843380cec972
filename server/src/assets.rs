//! The files of the front end, as the bundler left them in `web/dist`, embedded by `build.rs`.
//!
//! Every file but the manifest has its content's hash in its name, so it may be cached for ever. The manifest tells the hashed name
//! of each logical one ("main.js" → "main-5XKQ.js"). Without a built front end there is no file and `embedded` says so.

use std::collections::BTreeMap;
use std::sync::OnceLock;

const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/embedded_files.rs"));
const MANIFEST: &str = "manifest.json";
/// The folder of the URLs, with both slashes.
pub const URL_FOLDER: &str = "/assets/";

/// One file to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    pub bytes: &'static [u8],
    pub content_type: &'static str,
    /// The name holds a hash of the content: `Cache-Control: public, max-age=31536000, immutable`.
    pub immutable: bool,
}

/// The file of this name, without the leading `/assets/`. `None`: 404.
pub fn get(name: &str) -> Option<Asset> {
    let (name, bytes) = FILES.iter().find(|(known, _)| *known == name)?;
    Some(Asset { bytes, content_type: content_type(name), immutable: *name != MANIFEST })
}

/// Whether the front end was built when the server was.
pub fn embedded() -> bool {
    !manifest().is_empty()
}

/// The URL of a file by its logical name, such as "main.js". `None`: the front end was not built.
pub fn url(logical_name: &str) -> Option<String> {
    manifest().get(logical_name).map(|name| format!("{URL_FOLDER}{name}"))
}

fn manifest() -> &'static BTreeMap<String, String> {
    static PARSED: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    PARSED.get_or_init(|| {
        let bytes = FILES.iter().find(|(name, _)| *name == MANIFEST).map(|(_, bytes)| *bytes);
        bytes.and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default()
    })
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json" | "map") => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_follow_the_ending() {
        assert_eq!(content_type("main-5XKQ.js"), "text/javascript; charset=utf-8");
        assert_eq!(content_type("mark-1.svg"), "image/svg+xml");
        assert_eq!(content_type("no-ending"), "application/octet-stream");
    }

    #[test]
    fn every_name_in_the_manifest_is_an_embedded_file() {
        for hashed in manifest().values() {
            let asset = get(hashed).unwrap_or_else(|| panic!("{hashed} is in the manifest but not embedded"));
            assert!(asset.immutable, "{hashed} is cached for ever");
        }
    }

    #[test]
    fn an_unknown_name_is_no_file() {
        assert_eq!(get("../Cargo.toml"), None);
        assert_eq!(get(""), None);
    }
}
