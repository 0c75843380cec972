//! `/api/v1/shares`: programs that are kept as they are, each under the address that its content has.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use axum::{Extension, Json};
use http::HeaderMap;
use serde::Serialize;

use super::bearer_token;
use super::snapshot::{NewSnapshot, keep_pace, readable, stored};
use crate::workshop::Workshop;
use crate::workshop::fiddles::Client;
use crate::workshop::problem::Problem;
use crate::workshop::serving::run_to_end;

#[derive(Serialize)]
pub(super) struct Removed {
    id: String,
    /// Somebody else shared the same text: its address still answers.
    held_by_others: bool,
}

pub(super) async fn create(
    State(workshop): State<Arc<Workshop>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    Json(new): Json<NewSnapshot>,
) -> Result<Response, Problem> {
    keep_pace(&workshop, client)?;
    let (snapshot, token) = (new.checked(&workshop.limits)?, bearer_token(&headers).map(str::to_owned));
    let shared = run_to_end(async move { workshop.fiddles.share(snapshot, token.as_deref()).await }).await?;
    let id = shared.view.id.clone();
    Ok(stored(shared.new, &id, shared.view))
}

pub(super) async fn show(State(workshop): State<Arc<Workshop>>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let view = workshop.fiddles.shared(&id).await?;
    Ok(readable(&headers, &id, Json(view)))
}

pub(super) async fn remove(
    State(workshop): State<Arc<Workshop>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Removed>, Problem> {
    let held_by_others = workshop.fiddles.unshare(&id, bearer_token(&headers)).await?;
    Ok(Json(Removed { id, held_by_others }))
}
