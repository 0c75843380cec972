//! A program with its settings, as requests bring it and as its readers may keep it: what shares and fiddles have in common.

use std::collections::BTreeMap;
use std::time::Instant;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use vivarium_toolchains::{ProgramKind, SourceTree};

use super::program::language_of;
use crate::limits::Limits;
use crate::project::{Assets, Project};
use crate::workshop::Workshop;
use crate::workshop::fiddles::{Client, SavedRequest, Snapshot};
use crate::workshop::problem::Problem;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// A setting that is not known is refused: it would be lost without a word.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSnapshot {
    language: String,
    files: BTreeMap<String, String>,
    #[serde(default)]
    assets: Assets,
    #[serde(default)]
    name: String,
    kind: Option<ProgramKind>,
    #[serde(default)]
    arguments: String,
    #[serde(default)]
    stdin: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    requests: Vec<SavedRequest>,
}

impl NewSnapshot {
    pub fn checked(self, limits: &Limits) -> Result<Snapshot, Problem> {
        let NewSnapshot { language, files, assets, name, kind, arguments, stdin, path, requests } = self;
        let source = SourceTree::new(language_of(&language)?, files, &limits.source())?;
        let project = Project::new(&source, assets, limits)?;
        Ok(Snapshot { project, name, kind, arguments, stdin, path, requests }.in_short())
    }
}

/// Refuses a client that stores too often.
pub(super) fn keep_pace(workshop: &Workshop, Client(address): Client) -> Result<(), Problem> {
    workshop.fiddles.pace.take(address, Instant::now()).map_err(|seconds| {
        let per_minute = workshop.limits.shares_per_minute_max;
        let detail = format!("more programs were stored from here than the limit shares_per_minute_max of {per_minute}: wait {seconds} s");
        Problem::too_often("shares_per_minute_max", seconds, detail)
    })
}

/// What anybody may read, pages of others too, with its tag: a snapshot's id where that says all of it. `If-None-Match` is answered for.
pub(super) fn readable(headers: &HeaderMap, tag: &str, body: impl IntoResponse) -> Response {
    let known = tags(headers, IF_NONE_MATCH).unwrap_or_default();
    let mut response = match known.iter().any(|known| known == tag || known == "*") {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => body.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    tagged(response, tag)
}

/// The answer of something stored: 201 when it is new.
pub(super) fn stored<View: Serialize>(new: bool, tag: &str, view: View) -> Response {
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    tagged((status, Json(view)).into_response(), tag)
}

fn tagged(mut response: Response, tag: &str) -> Response {
    // Tags are letters, digits, '-', '_' and '.'.
    if let Ok(tag) = HeaderValue::try_from(format!("\"{tag}\"")) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// What a client says that it began with, any of it; none where it does not say, or takes whichever there is (`*`). One that cannot be read is
/// refused: it was meant to keep something from being overwritten.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<Vec<String>>, Problem> {
    if !headers.contains_key(IF_MATCH) {
        return Ok(None);
    }
    let unreadable = || Problem::bad_request("If-Match cannot be read: send the ETag that the program was read with, or *");
    let known = tags(headers, IF_MATCH).filter(|known| !known.is_empty()).ok_or_else(unreadable)?;
    Ok(if known.iter().any(|tag| tag == "*") { None } else { Some(known) })
}

/// The tags of a header, without quotes; none where a value is no text. A weak one is as good here: our tags name bytes.
fn tags(headers: &HeaderMap, name: HeaderName) -> Option<Vec<String>> {
    let values = headers.get_all(name).iter().map(|value| value.to_str().ok()).collect::<Option<Vec<_>>>()?;
    let parts = values.into_iter().flat_map(|value| value.split(',')).map(str::trim);
    Some(parts.map(|tag| tag.trim_start_matches("W/").trim_matches('"').to_owned()).filter(|tag| !tag.is_empty()).collect())
}
