//! HTTP of the workshop: a file for each resource. A handler parses, calls one function and renders.

mod builds;
mod check;
mod deployments;
mod embed;
mod events;
mod fiddles;
mod format;
mod health;
mod kv;
mod languages;
mod limits;
mod page;
mod program;
mod runs;
mod shares;
mod snapshot;
mod starters;
mod stored;
mod visits;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use super::{Workshop, guard, pace, problem};

pub(super) fn router(workshop: Arc<Workshop>) -> Router {
    let api = Router::new()
        .route("/languages", get(languages::list))
        .route("/starters", get(starters::list))
        .route("/limits", get(limits::show))
        .route("/builds", post(builds::create))
        .route("/builds/{id}", get(builds::show).delete(builds::cancel))
        .route("/builds/{id}/artifacts/{name}", get(builds::artifact))
        .route("/check", post(check::create))
        .route("/format", post(format::create))
        .route("/deployments", get(deployments::list).post(deployments::create))
        .route("/deployments/{slug}", get(deployments::show).patch(deployments::change).delete(deployments::stop))
        .route("/deployments/{slug}/requests", get(deployments::requests))
        .route("/deployments/{slug}/logs", get(deployments::logs))
        .route("/deployments/{slug}/kv", get(kv::stores))
        .route("/deployments/{slug}/kv/{store}", get(kv::list))
        .route("/deployments/{slug}/kv/{store}/{*key}", get(kv::get).put(kv::put).delete(kv::delete))
        .route("/deployments/{slug}/tests", post(visits::create))
        .route("/runs", post(runs::create))
        .route("/shares", post(shares::create))
        .route("/shares/{id}", get(shares::show).delete(shares::remove))
        .route("/fiddles", post(fiddles::create))
        .route("/fiddles/{id}", get(fiddles::show).put(fiddles::revise).delete(fiddles::remove))
        .route("/fiddles/{id}/fork", post(fiddles::fork))
        .route("/fiddles/{id}/revisions", get(fiddles::revisions))
        .route("/fiddles/{id}/revisions/{number}", get(fiddles::show_revision))
        .route("/events", get(events::stream));
    Router::new()
        .route("/", get(page::show).post(page::submit).layer(CompressionLayer::new()))
        .merge(stored::routes().layer(CompressionLayer::new()))
        .route("/e/", get(embed::show_empty).layer(CompressionLayer::new()))
        .route("/e/{id}", get(embed::show).layer(CompressionLayer::new()))
        .route("/embed.js", get(embed::script).layer(CompressionLayer::new()))
        .route("/assets/{*name}", get(page::asset).layer(CompressionLayer::new().quality(CompressionLevel::Best)))
        .route("/healthz", get(health::show))
        .nest("/api/v1", api)
        .layer(DefaultBodyLimit::max(workshop.limits.api_body_bytes_max))
        .layer(RequestBodyTimeoutLayer::new(Duration::from_millis(workshop.limits.idle_ms)))
        .layer(from_fn(problem::from_plain))
        .layer(from_fn_with_state(workshop.clone(), pace::keep))
        .layer(from_fn_with_state(workshop.clone(), guard::guard))
        .with_state(workshop)
}

/// The token of `Authorization: Bearer TOKEN`.
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim())
}

#[cfg(test)]
mod tests;
