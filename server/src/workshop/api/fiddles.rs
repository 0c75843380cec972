//! `/api/v1/fiddles`: programs that go on, one revision after the other, each of them kept.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use axum::{Extension, Json};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bearer_token;
use super::snapshot::{NewSnapshot, if_match, keep_pace, readable, stored};
use crate::workshop::Workshop;
use crate::workshop::fiddles::{Client, RevisionView};
use crate::workshop::problem::Problem;
use crate::workshop::serving::run_to_end;

#[derive(Deserialize)]
#[serde(try_from = "serde_json::Map<String, Value>")]
pub(super) struct NewFiddle {
    snapshot: NewSnapshot,
    /// The fiddle or share that it began as.
    forked_from: Option<String>,
}

/// By hand: beside a flattened field, one that is not known would be dropped without a word.
impl TryFrom<serde_json::Map<String, Value>> for NewFiddle {
    type Error = serde_json::Error;

    fn try_from(mut fields: serde_json::Map<String, Value>) -> Result<NewFiddle, serde_json::Error> {
        let forked_from = serde_json::from_value(fields.remove("forked_from").unwrap_or_default())?;
        Ok(NewFiddle { snapshot: serde_json::from_value(Value::Object(fields))?, forked_from })
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Fork {
    /// None is the newest.
    revision: Option<u32>,
}

#[derive(Serialize)]
pub(super) struct Revisions {
    revisions: Vec<RevisionView>,
}

pub(super) async fn create(
    State(workshop): State<Arc<Workshop>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    Json(new): Json<NewFiddle>,
) -> Result<Response, Problem> {
    keep_pace(&workshop, client)?;
    let (snapshot, token) = (new.snapshot.checked(&workshop.limits)?, bearer_token(&headers).map(str::to_owned));
    let forked_from = new.forked_from.filter(|from| from.len() <= workshop.limits.file_name_bytes_max);
    let made = run_to_end(async move { workshop.fiddles.create(snapshot, forked_from, token.as_deref()).await }).await?;
    Ok(stored(made.new, &made.view.tag(), made.view))
}

pub(super) async fn show(State(workshop): State<Arc<Workshop>>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let view = workshop.fiddles.fiddle(&id, None).await?;
    Ok(readable(&headers, &view.tag(), Json(view)))
}

pub(super) async fn show_revision(
    State(workshop): State<Arc<Workshop>>,
    Path((id, number)): Path<(String, u32)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = workshop.fiddles.fiddle(&id, Some(number)).await?;
    Ok(readable(&headers, &view.tag(), Json(view)))
}

pub(super) async fn revise(
    State(workshop): State<Arc<Workshop>>,
    Extension(client): Extension<Client>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(new): Json<NewSnapshot>,
) -> Result<Response, Problem> {
    keep_pace(&workshop, client)?;
    let (snapshot, token) = (new.checked(&workshop.limits)?, bearer_token(&headers).map(str::to_owned));
    let if_match = if_match(&headers)?;
    let made = run_to_end(async move { workshop.fiddles.revise(&id, token.as_deref(), if_match, snapshot).await }).await?;
    Ok(stored(made.new, &made.view.tag(), made.view))
}

pub(super) async fn fork(
    State(workshop): State<Arc<Workshop>>,
    Extension(client): Extension<Client>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Option<Json<Fork>>,
) -> Result<Response, Problem> {
    keep_pace(&workshop, client)?;
    let (revision, token) = (body.unwrap_or_default().revision, bearer_token(&headers).map(str::to_owned));
    let made = run_to_end(async move { workshop.fiddles.fork(&id, revision, token.as_deref()).await }).await?;
    Ok(stored(made.new, &made.view.tag(), made.view))
}

pub(super) async fn revisions(State(workshop): State<Arc<Workshop>>, Path(id): Path<String>) -> Result<Json<Revisions>, Problem> {
    Ok(Json(Revisions { revisions: workshop.fiddles.revisions(&id).await? }))
}

pub(super) async fn remove(
    State(workshop): State<Arc<Workshop>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let token = bearer_token(&headers).map(str::to_owned);
    run_to_end(async move { workshop.fiddles.remove(&id, token.as_deref()).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}
