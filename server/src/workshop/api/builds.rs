//! `/api/v1/builds`

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION};
use serde::Deserialize;

use super::program::{Program, unknown_build};
use crate::workshop::Workshop;
use crate::workshop::builds::{Build, Product};
use crate::workshop::problem::Problem;

/// A longer binary is not printed as text: the text is some twenty times as long.
const WAT_OF_WASM_BYTES_MAX: usize = 2 << 20;

#[derive(Deserialize)]
pub(super) struct Wait {
    /// Seconds.
    wait: Option<f64>,
}

pub(super) async fn create(
    State(workshop): State<Arc<Workshop>>,
    Query(Wait { wait }): Query<Wait>,
    Json(program): Json<Program>,
) -> Result<Response, Problem> {
    let build = program.enqueue(&workshop)?;
    let build = match wait {
        None => build,
        Some(seconds) => {
            let at_most = seconds.clamp(0.0, workshop.limits.build_wait_seconds_max as f64);
            // NaN passes clamp; it is no time to wait.
            let at_most = Duration::try_from_secs_f64(at_most).map_err(|_| Problem::bad_request("\"wait\" is a number of seconds"))?;
            workshop.builds.wait(&build.id, at_most).await.unwrap_or(build)
        }
    };
    let status = if build.state.is_final() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let location = format!("/api/v1/builds/{}", build.id);
    Ok((status, [(LOCATION, location)], Json(build)).into_response())
}

pub(super) async fn show(State(workshop): State<Arc<Workshop>>, Path(id): Path<String>) -> Result<Json<Build>, Problem> {
    workshop.builds.find(&id).map(Json).ok_or_else(|| unknown_build(&id))
}

pub(super) async fn cancel(State(workshop): State<Arc<Workshop>>, Path(id): Path<String>) -> Result<Json<Build>, Problem> {
    workshop.builds.cancel(&id).map(Json).ok_or_else(|| unknown_build(&id))
}

pub(super) async fn artifact(State(workshop): State<Arc<Workshop>>, Path((id, name)): Path<(String, String)>) -> Result<Response, Problem> {
    let finished = workshop.builds.finished(&id);
    let Some(product) = finished.and_then(|finished| finished.product) else {
        return Err(match workshop.builds.find(&id) {
            Some(_) => Problem::new(StatusCode::NOT_FOUND, format!("the build {id} is not over, or failed, so it has no artifacts")),
            None => unknown_build(&id),
        });
    };
    match name.as_str() {
        "wasm" => Ok(wasm(&id, &product)),
        "wat" => wat(product).await,
        _ => Err(Problem::new(StatusCode::NOT_FOUND, format!("a build has no artifact {name:?}: use wasm or wat"))),
    }
}

fn wasm(id: &str, product: &Product) -> Response {
    let headers = [(CONTENT_TYPE, "application/wasm".to_owned()), (CONTENT_DISPOSITION, format!("attachment; filename=\"{id}.wasm\""))];
    (headers, product.wasm.to_vec()).into_response()
}

async fn wat(product: Product) -> Result<Response, Problem> {
    if product.wasm.len() > WAT_OF_WASM_BYTES_MAX {
        let detail = format!("the program has {} bytes of wasm; as text only up to {WAT_OF_WASM_BYTES_MAX} are shown", product.wasm.len());
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    let printed = tokio::task::spawn_blocking(move || wasmprinter::print_bytes(&product.wasm)).await;
    let text = printed.map_err(|error| Problem::internal(error.to_string()))?;
    let text = text.map_err(|error| Problem::internal(format!("the wasm cannot be shown as text: {error}")))?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}
