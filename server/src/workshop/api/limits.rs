//! `GET /api/v1/limits`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use crate::limits::Limits;
use crate::workshop::Workshop;

pub(super) async fn show(State(workshop): State<Arc<Workshop>>) -> Json<Limits> {
    Json(workshop.limits.as_ref().clone())
}
