//! What is stored of a program: its files and every setting, in one canonical form, so that the same content has the same name.

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use http::{HeaderName, HeaderValue, Method};
use serde::{Deserialize, Serialize};
use vivarium_toolchains::ProgramKind;

use super::error::FiddleError;
use crate::assertions;
use crate::limits::Limits;
use crate::project::Project;
use crate::workshop::blobs::BlobHash;

/// 132 bits, so that nobody finds a second content for an address; longer where two contents begin alike all the same.
const ID_CHARACTERS_MIN: usize = 22;
/// Addresses that were given before had 66 bits. They answer as long as they are held, and none is given again.
const KNOWN_ID_CHARACTERS_MIN: usize = 11;
/// All of a hash.
const ID_CHARACTERS_MAX: usize = 43;

const USUAL_METHOD: &str = "GET";
const USUAL_PATH: &str = "/";
/// What of a path is shown to whom it is refused.
const PATH_SHOWN_CHARACTERS_MAX: usize = 80;

/// A program with its settings. The order of the fields, and that what is empty is left out, is what the hash is made of: a new field goes
/// to the end and is left out when empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    #[serde(flatten)]
    pub project: Project,
    /// What the program is called.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Overrides what the program's imports say it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ProgramKind>,
    /// The line of arguments of a command, as it was typed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub arguments: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stdin: String,
    /// Path and query that the preview shows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<SavedRequest>,
}

/// A request that is kept with a program, and what its answer must be like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SavedRequest {
    pub name: String,
    /// Empty is GET.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// Path and query; empty is "/".
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Names and values, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// Assertions, one a line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tests: String,
}

impl Snapshot {
    /// A program without any settings.
    pub fn of(project: Project) -> Snapshot {
        Snapshot {
            project,
            name: String::new(),
            kind: None,
            arguments: String::new(),
            stdin: String::new(),
            path: String::new(),
            requests: vec![],
        }
    }

    /// The bytes that are stored and hashed.
    pub fn canonical(&self) -> Vec<u8> {
        // Maps with text for keys, text and lists: nothing of it can fail to be JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Whether it may be stored; `bytes` is the length of its canonical form. Source and assets were checked when the project was made.
    pub fn check(&self, bytes: usize, limits: &Limits) -> Result<(), FiddleError> {
        if bytes > limits.share_bytes_max {
            return Err(FiddleError::TooLarge { bytes, share_bytes_max: limits.share_bytes_max });
        }
        if self.name.len() > limits.file_name_bytes_max {
            return Err(FiddleError::NameTooLong { file_name_bytes_max: limits.file_name_bytes_max });
        }
        if self.requests.len() > limits.saved_requests_max {
            let (count, saved_requests_max) = (self.requests.len(), limits.saved_requests_max);
            return Err(FiddleError::TooManyRequests { count, saved_requests_max });
        }
        if !self.path.is_empty() && !is_own_path(&self.path) {
            return Err(FiddleError::Path(self.path.chars().take(PATH_SHOWN_CHARACTERS_MAX).collect()));
        }
        self.requests.iter().try_for_each(|request| request.check(limits))
    }

    /// The same content in the same bytes: what is left out and what is said to be as usual are one.
    pub fn in_short(mut self) -> Snapshot {
        self.path = said(self.path, USUAL_PATH);
        for request in &mut self.requests {
            request.method = said(std::mem::take(&mut request.method), USUAL_METHOD);
            request.path = said(std::mem::take(&mut request.path), USUAL_PATH);
        }
        self
    }

    /// Text of each source file.
    pub fn files(&self) -> &BTreeMap<String, String> {
        &self.project.files
    }
}

impl SavedRequest {
    pub fn method(&self) -> &str {
        if self.method.is_empty() { USUAL_METHOD } else { &self.method }
    }

    pub fn path(&self) -> &str {
        if self.path.is_empty() { USUAL_PATH } else { &self.path }
    }

    /// Whether it can be sent as it is, and its answer be looked at.
    pub fn check(&self, limits: &Limits) -> Result<(), FiddleError> {
        let refused = |reason| Err(FiddleError::Request { name: self.name.chars().take(80).collect(), reason });
        if self.method().parse::<Method>().is_err() || self.method() == "CONNECT" {
            return refused("its method is no word that a request can begin with");
        }
        if !is_path(self.path()) {
            return refused("its path does not begin with '/', or holds what an address cannot hold as it is: write it with %");
        }
        let sendable = |(name, value): &(String, String)| name.parse::<HeaderName>().is_ok() && HeaderValue::try_from(value).is_ok();
        if !self.headers.iter().all(sendable) {
            return refused("the name or value of a header holds what a header cannot hold");
        }
        let (count, assertions_max) = (assertions::count(&self.tests), limits.assertions_max);
        if count > assertions_max {
            return Err(FiddleError::TooManyAssertions { count, assertions_max });
        }
        Ok(())
    }
}

/// Empty where it is the usual.
fn said(text: String, usual: &str) -> String {
    if text == usual { String::new() } else { text }
}

/// What can stand in the first line of a request as it is.
fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(|byte| byte > b' ' && byte < 0x7f)
}

/// A path that stays with the program's own origin. Browsers take `//` and `/\` at its beginning for the name of another host.
fn is_own_path(text: &str) -> bool {
    is_path(text) && !text[1..].starts_with(['/', '\\'])
}

/// The addresses that a snapshot may have, shortest first. None ends on a character that some sites cut off from a link.
pub fn ids_of(hash: BlobHash) -> impl Iterator<Item = String> {
    let whole = BASE64URL_NOPAD.encode(&hash.0);
    (ID_CHARACTERS_MIN..=ID_CHARACTERS_MAX)
        .filter_map(move |length| whole.get(..length).map(str::to_owned))
        .filter(|id| id.len() == ID_CHARACTERS_MAX || !id.ends_with(['_', '-']))
}

/// Whether this could be the address of a snapshot; nothing else is looked up.
pub fn is_snapshot_id(text: &str) -> bool {
    (KNOWN_ID_CHARACTERS_MIN..=ID_CHARACTERS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(json: serde_json::Value) -> Snapshot {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_same_content_has_the_same_bytes_in_whatever_order_it_came() {
        let one: Snapshot = serde_json::from_str(r#"{"language":"c","files":{"main.c":"x","a.h":"y"},"name":"fern"}"#).unwrap();
        let other: Snapshot =
            serde_json::from_str(r#"{"stdin":"","name":"fern","files":{"a.h":"y","main.c":"x"},"requests":[],"language":"c"}"#).unwrap();
        assert_eq!(one.canonical(), other.canonical());
        assert_eq!(
            String::from_utf8(one.canonical()).unwrap(),
            r#"{"language":"c","files":{"a.h":"y","main.c":"x"},"name":"fern"}"#,
            "links that exist are made of these bytes"
        );
    }

    #[test]
    fn every_setting_is_part_of_the_content() {
        let plain = serde_json::json!({ "language": "c", "files": { "main.c": "x" } });
        let mut seen = std::collections::HashSet::from([snapshot(plain.clone()).canonical()]);
        for (name, value) in [
            ("name", serde_json::json!("fern")),
            ("kind", serde_json::json!("service")),
            ("arguments", serde_json::json!("-x")),
            ("stdin", serde_json::json!("in")),
            ("path", serde_json::json!("/?seed=3")),
            ("assets", serde_json::json!({ "logo.png": "AP8=" })),
            ("requests", serde_json::json!([{ "name": "first", "tests": "status is 200" }])),
        ] {
            let mut with = plain.clone();
            with[name] = value;
            let with = snapshot(with);
            assert!(seen.insert(with.canonical()), "{name} is left out");
            assert_eq!(serde_json::from_slice::<Snapshot>(&with.canonical()).unwrap(), with);
        }
    }

    #[test]
    fn addresses_grow_where_they_must_and_end_on_nothing_that_is_cut_off() {
        let ids: Vec<String> = ids_of(BlobHash([0xff; 32])).collect();
        assert_eq!(ids.len(), 1, "all of them are underscores until the last: {ids:?}");
        let ids: Vec<String> = ids_of(BlobHash([1; 32])).collect();
        assert_eq!((ids[0].len(), ids[1].len(), ids.last().unwrap().len()), (22, 23, 43));
        assert!(ids.iter().all(|id| is_snapshot_id(id)));
        assert!(
            is_snapshot_id("Qm3xV7kT2dA")
                && !is_snapshot_id("short")
                && !is_snapshot_id("../../../etc")
                && !is_snapshot_id(&"x".repeat(44))
        );
    }

    #[test]
    fn a_request_that_cannot_be_sent_is_not_kept() {
        let fine = SavedRequest { path: "/a?b=%20".into(), headers: vec![("Accept".into(), "text/html".into())], ..Default::default() };
        let limits = Limits { assertions_max: 2, ..Limits::default() };
        assert!(fine.check(&limits).is_ok());
        for broken in [
            SavedRequest { method: "GE T".into(), ..fine.clone() },
            SavedRequest { method: "CONNECT".into(), ..fine.clone() },
            SavedRequest { path: "fern".into(), ..fine.clone() },
            SavedRequest { path: "/a b".into(), ..fine.clone() },
            SavedRequest { path: "/a\r\nx: y".into(), ..fine.clone() },
            SavedRequest { headers: vec![("a b".into(), String::new())], ..fine.clone() },
            SavedRequest { headers: vec![("a".into(), "b\r\nc: d".into())], ..fine.clone() },
            SavedRequest { tests: "status is 200\n\nbody exists\nlog exists".into(), ..fine.clone() },
        ] {
            assert!(broken.check(&limits).is_err(), "{broken:?}");
        }
    }
}
