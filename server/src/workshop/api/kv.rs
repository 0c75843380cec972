//! `/api/v1/deployments/{slug}/kv`: what a deployment's key-value stores hold, for its owner. A value is the body as it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use vivarium_abi::{KvAction, KvChange, KvError, KvInsert, KvMode};

use super::bearer_token;
use crate::control::messages::Timestamp;
use crate::workshop::Workshop;
use crate::workshop::deployments::KvStoreView;
use crate::workshop::identifiers::TokenHash;
use crate::workshop::problem::Problem;

/// Keys of one answer.
const LISTED_DEFAULT: usize = 100;
const LISTED_MAX: usize = 1_000;
/// As for programs, in bytes.
const KEY_BYTES_MAX: usize = 1024;
const METADATA_BYTES_MAX: usize = 2000;

#[derive(Serialize)]
pub(super) struct Stores {
    kv_stores: BTreeMap<String, KvStoreView>,
}

#[derive(Deserialize)]
pub(super) struct Listing {
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    after: String,
    limit: Option<usize>,
}

#[derive(Serialize)]
pub(super) struct Keys {
    keys: Vec<String>,
    /// What to ask for after, when there are more.
    next_after: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Terms {
    #[serde(default)]
    metadata: String,
    ttl_seconds: Option<u64>,
    /// Only if the key has this generation; 0: only if it is not there.
    generation: Option<u64>,
}

pub(super) async fn stores(
    State(workshop): State<Arc<Workshop>>,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Stores>, Problem> {
    check_owner(&workshop, &slug, &headers)?;
    let held = workshop.kv.held(&slug).await?;
    let names = workshop.deployments.settings(&slug).stores.kv_names();
    let kv_stores = names.into_iter().map(|name| (name.clone(), held.get(&name).copied().unwrap_or_default())).collect();
    Ok(Json(Stores { kv_stores }))
}

pub(super) async fn list(
    State(workshop): State<Arc<Workshop>>,
    Path((slug, store)): Path<(String, String)>,
    Query(listing): Query<Listing>,
    headers: HeaderMap,
) -> Result<Json<Keys>, Problem> {
    check_store(&workshop, &slug, &store, &headers)?;
    let limit = listing.limit.unwrap_or(LISTED_DEFAULT).clamp(1, LISTED_MAX);
    let mut keys = workshop.kv.keys(&slug, &store, &listing.prefix, &listing.after, limit + 1).await?;
    let more = keys.len() > limit;
    keys.truncate(limit);
    Ok(Json(Keys { next_after: keys.last().filter(|_| more).cloned(), keys }))
}

pub(super) async fn get(
    State(workshop): State<Arc<Workshop>>,
    Path((slug, store, key)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    check_store(&workshop, &slug, &store, &headers)?;
    let Some(entry) = workshop.kv.get(&slug, &store, &key).await? else { return Err(problem(KvError::NotFound, &key)) };
    let mut response = entry.value.into_response();
    let about = response.headers_mut();
    // Whatever a program has put there is no page of the workshop.
    about.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    about.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    about.insert("vivarium-generation", HeaderValue::from(entry.generation));
    if let Ok(metadata) = HeaderValue::from_str(&entry.metadata) {
        about.insert("vivarium-metadata", metadata);
    }
    if let Some(unix_ms) = entry.expires_at_unix_ms
        && let Ok(at) = HeaderValue::from_str(&Timestamp { unix_ms }.to_string())
    {
        about.insert("vivarium-expires-at", at);
    }
    Ok(response)
}

pub(super) async fn put(
    State(workshop): State<Arc<Workshop>>,
    Path((slug, store, key)): Path<(String, String, String)>,
    Query(terms): Query<Terms>,
    headers: HeaderMap,
    value: Bytes,
) -> Result<StatusCode, Problem> {
    check_store(&workshop, &slug, &store, &headers)?;
    if key.is_empty() || key.len() > KEY_BYTES_MAX || key.contains(char::is_control) || terms.metadata.len() > METADATA_BYTES_MAX {
        let needed =
            format!("a key is 1 to {KEY_BYTES_MAX} bytes without control characters, its metadata at most {METADATA_BYTES_MAX} bytes");
        return Err(Problem::bad_request(needed));
    }
    let ttl_ms = |seconds: u64| seconds.saturating_mul(1000);
    // The database's numbers have a sign.
    let end = |seconds: u64| Timestamp::now().unix_ms.saturating_add(ttl_ms(seconds)).min(i64::MAX as u64);
    let expires_at_unix_ms = terms.ttl_seconds.map(end);
    let (metadata, if_generation) = (terms.metadata, terms.generation);
    let insert = KvInsert { mode: KvMode::Overwrite, value, metadata, expires_at_unix_ms, if_generation };
    change(&workshop, &slug, KvChange { store, key, action: KvAction::Insert(insert) }).await
}

pub(super) async fn delete(
    State(workshop): State<Arc<Workshop>>,
    Path((slug, store, key)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    check_store(&workshop, &slug, &store, &headers)?;
    change(&workshop, &slug, KvChange { store, key, action: KvAction::Delete }).await
}

async fn change(workshop: &Workshop, slug: &str, change: KvChange) -> Result<StatusCode, Problem> {
    let key = change.key.clone();
    workshop.kv.change(slug, change).await.map_err(|error| problem(error, &key))?;
    Ok(StatusCode::NO_CONTENT)
}

fn check_owner(workshop: &Workshop, slug: &str, headers: &HeaderMap) -> Result<(), Problem> {
    Ok(workshop.deployments.check_owner(slug, bearer_token(headers).map(TokenHash::of))?)
}

fn check_store(workshop: &Workshop, slug: &str, store: &str, headers: &HeaderMap) -> Result<(), Problem> {
    check_owner(workshop, slug, headers)?;
    if workshop.deployments.settings(slug).stores.kv_names().contains(store) {
        return Ok(());
    }
    let detail = format!("{slug} has no key-value store {store:?}: name it in \"kv_stores\" of the deployment");
    Err(Problem::new(StatusCode::NOT_FOUND, detail))
}

fn problem(error: KvError, key: &str) -> Problem {
    match error {
        KvError::NotFound => Problem::new(StatusCode::NOT_FOUND, format!("there is nothing under the key {key:?}")),
        KvError::PreconditionFailed => {
            Problem::new(StatusCode::PRECONDITION_FAILED, format!("the key {key:?} has another generation: read it again"))
        }
        KvError::PayloadTooLarge => {
            let full = "the key-value stores are full: delete some keys, or let them expire";
            Problem::limit(StatusCode::INSUFFICIENT_STORAGE, "kv_bytes_max", full)
        }
        KvError::TooManyRequests => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many changes are under way: try again"),
        KvError::Internal => Problem::internal("the change could not be kept: see the server's own output"),
    }
}
