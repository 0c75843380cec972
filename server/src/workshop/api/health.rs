//! `GET /healthz`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::workshop::Workshop;

pub(super) async fn show(State(workshop): State<Arc<Workshop>>) -> Json<Value> {
    let (queued, building) = workshop.builds.load();
    let (live, kept) = workshop.deployments.count();
    Json(json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": workshop.started_at.elapsed().as_secs(),
        "gateways": workshop.parts.guests.status(),
        "fetch": workshop.parts.fetcher.as_ref().map(|fetcher| fetcher.status()),
        "jail": workshop.parts.builder.jail(),
        "builds": { "queued": queued, "building": building },
        "deployments": { "live": live, "kept": kept },
        "blob_bytes": workshop.blobs.bytes(),
    }))
}
