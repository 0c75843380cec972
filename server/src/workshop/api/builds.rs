//! `/api/v1/builds`

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::bearer_token;
use super::program::{Program, unknown_build};
use crate::workshop::Workshop;
use crate::workshop::builds::{Build, Product};
use crate::workshop::pace::Client;
use crate::workshop::problem::Problem;

#[derive(Deserialize)]
pub(super) struct Wait {
    /// Seconds.
    wait: Option<f64>,
}

pub(super) async fn create(
    State(workshop): State<Arc<Workshop>>,
    Query(Wait { wait }): Query<Wait>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    Json(program): Json<Program>,
) -> Result<Response, Problem> {
    let build = program.by(bearer_token(&headers)).for_client(client).enqueue(&workshop)?;
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
        "wat" => wat(product, workshop.limits.wat_bytes_max).await,
        _ => Err(Problem::new(StatusCode::NOT_FOUND, format!("a build has no artifact {name:?}: use wasm or wat"))),
    }
}

pub(super) fn wasm(id: &str, product: &Product) -> Response {
    let headers = [(CONTENT_TYPE, "application/wasm".to_owned()), (CONTENT_DISPOSITION, format!("attachment; filename=\"{id}.wasm\""))];
    (headers, product.wasm.to_vec()).into_response()
}

pub(super) async fn wat(product: Product, wat_bytes_max: usize) -> Result<Response, Problem> {
    // A thread of its own: a panic of the printer ends that one only.
    let printed = tokio::task::spawn_blocking(move || print(&product.wasm, wat_bytes_max)).await;
    let text = printed.unwrap_or_else(|_| Err(Problem::internal("Vivarium itself failed while it showed this wasm as text")))?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// The text can be far longer than the binary, so the printer is stopped when it has written too much.
fn print(wasm: &[u8], wat_bytes_max: usize) -> Result<Vec<u8>, Problem> {
    let mut text = wasmprinter::PrintIoWrite(BoundedText { bytes: Vec::new(), bytes_max: wat_bytes_max, full: false });
    let printed = wasmprinter::Config::new().print(wasm, &mut text);
    let BoundedText { bytes, full, .. } = text.0;
    match printed {
        _ if full => {
            let detail = format!("the program's wasm as text is longer than the limit wat_bytes_max of {wat_bytes_max} bytes");
            Err(Problem::limit(StatusCode::PAYLOAD_TOO_LARGE, "wat_bytes_max", detail))
        }
        Ok(()) => Ok(bytes),
        Err(error) => Err(Problem::internal(format!("the wasm cannot be shown as text: {error}"))),
    }
}

struct BoundedText {
    bytes: Vec<u8>,
    bytes_max: usize,
    full: bool,
}

impl io::Write for BoundedText {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + more.len() > self.bytes_max {
            self.full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_printed_up_to_a_limit_that_is_named() {
        let wasm = wat::parse_str("(module (func (export \"fern\") (result i32) (i32.const 7)))").unwrap();
        let text = print(&wasm, 10_000).unwrap();
        assert!(String::from_utf8(text.clone()).unwrap().contains("i32.const 7"));
        assert_eq!(print(&wasm, text.len()).unwrap(), text);
        let refused = print(&wasm, text.len() - 1).unwrap_err();
        assert_eq!((refused.status(), refused.limit), (StatusCode::PAYLOAD_TOO_LARGE, Some("wat_bytes_max")));
        // Many locals take a few bytes in the binary and a line each as text.
        let many = wat::parse_str(format!("(module (func (local {})))", "i32 ".repeat(40_000))).unwrap();
        assert!(many.len() < 100 && print(&many, 10_000).is_err());
        assert_eq!(print(b"fern", 10_000).unwrap_err().status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
