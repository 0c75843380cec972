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

#[derive(Deserialize)]
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
        Ok(Snapshot { project, name, kind, arguments, stdin, path, requests })
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

/// What anybody may read, pages of others too, with the snapshot's id as its tag. `If-None-Match` is answered for.
pub(super) fn readable(headers: &HeaderMap, id: &str, body: impl IntoResponse) -> Response {
    let mut response = match tags(headers, IF_NONE_MATCH).iter().any(|known| known == id || known == "*") {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => body.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    tagged(response, id)
}

/// The answer of something stored: 201 when it is new.
pub(super) fn stored<View: Serialize>(new: bool, id: &str, view: View) -> Response {
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    tagged((status, Json(view)).into_response(), id)
}

fn tagged(mut response: Response, id: &str) -> Response {
    // Ids are letters, digits, '-' and '_'.
    if let Ok(tag) = HeaderValue::try_from(format!("\"{id}\"")) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// The snapshot that a client began with. `*` is whichever there is.
pub(super) fn if_match(headers: &HeaderMap) -> Option<String> {
    tags(headers, IF_MATCH).into_iter().next().filter(|tag| tag != "*")
}

/// The tags of a header, without quotes. A weak one is as good here: our tags name bytes.
fn tags(headers: &HeaderMap, name: HeaderName) -> Vec<String> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let parts = values.flat_map(|value| value.split(',')).map(str::trim);
    parts.map(|tag| tag.trim_start_matches("W/").trim_matches('"').to_owned()).filter(|tag| !tag.is_empty()).collect()
}
