//! Errors as `application/problem+json` (RFC 9457): the one place where an error becomes a status. `detail` is a sentence to act on.

use axum::Json;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use vivarium_toolchains::SourceError;

use super::blobs::BlobError;
use super::builds::{Build, EnqueueError, Fault};
use super::checks::CheckError;
use super::database::DatabaseError;
use super::deployments::DeploymentError;
use super::events::SubscribeError;
use super::fiddles::FiddleError;
use super::serving::Interrupted;
use crate::project::AssetError;

const CONTENT: &str = "application/problem+json";
/// Of a plain refusal by the router or an extractor, kept as the detail.
const PLAIN_DETAIL_BYTES_MAX: usize = 4096;

/// An error on its way to the client.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    #[serde(serialize_with = "status_number")]
    status: StatusCode,
    pub detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<&'static str>,
    /// Trying again in a moment does not help.
    #[serde(skip)]
    lasts: bool,
    /// When to try again, where that is known.
    #[serde(skip)]
    retry_after_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<Box<Build>>,
}

fn status_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        let title = status.canonical_reason().unwrap_or("Error");
        Problem {
            kind: "about:blank",
            title,
            status,
            detail: detail.into(),
            limit: None,
            lasts: false,
            retry_after_seconds: None,
            build: None,
        }
    }

    pub fn limit(status: StatusCode, limit: &'static str, detail: impl Into<String>) -> Problem {
        Problem { limit: Some(limit), ..Problem::new(status, detail) }
    }

    pub fn bad_request(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }

    /// One client asked too often.
    pub fn too_often(limit: &'static str, retry_after_seconds: u64, detail: impl Into<String>) -> Problem {
        Problem { retry_after_seconds: Some(retry_after_seconds), ..Problem::limit(StatusCode::TOO_MANY_REQUESTS, limit, detail) }
    }

    /// The host failed; the sentence is for the person who runs the server.
    pub fn internal(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    /// A build that gave nothing to deploy or run.
    pub fn build_failed(build: Build) -> Problem {
        let errors = build.diagnostics.iter().filter(|diagnostic| diagnostic.severity == vivarium_toolchains::Severity::Error).count();
        let detail = match (&build.error, errors) {
            (Some(sentence), _) => sentence.clone(),
            (None, 1) => "the program has 1 error".into(),
            (None, errors) => format!("the program has {errors} errors"),
        };
        let status = match build.fault {
            Fault::Program => StatusCode::UNPROCESSABLE_ENTITY,
            Fault::Setup | Fault::Passing => StatusCode::SERVICE_UNAVAILABLE,
            Fault::Defect => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let (limit, lasts) = (build.limit, build.fault == Fault::Setup);
        Problem { limit, lasts, ..Problem::new(status, detail).with_build(build) }
    }

    pub fn with_build(self, build: Build) -> Problem {
        Problem { build: Some(Box::new(build)), ..self }
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, lasts, retry_after_seconds) = (self.status, self.lasts, self.retry_after_seconds);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT));
        match status {
            StatusCode::UNAUTHORIZED => drop(headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            StatusCode::SERVICE_UNAVAILABLE if !lasts => drop(headers.insert(RETRY_AFTER, HeaderValue::from_static("2"))),
            _ => {}
        }
        if let Some(seconds) = retry_after_seconds {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<SourceError> for Problem {
    fn from(error: SourceError) -> Problem {
        let status = match error {
            SourceError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        };
        Problem { limit: error.limit(), ..Problem::new(status, error.to_string()) }
    }
}

impl From<AssetError> for Problem {
    fn from(error: AssetError) -> Problem {
        let status = match error {
            AssetError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        };
        Problem { limit: error.limit(), ..Problem::new(status, error.to_string()) }
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Problem {
        match error {
            BlobError::QuotaReached { .. } => Problem::limit(StatusCode::INSUFFICIENT_STORAGE, "blob_bytes_max", error.to_string()),
            BlobError::DiskFull => Problem::new(StatusCode::INSUFFICIENT_STORAGE, error.to_string()),
            BlobError::Damaged(_) | BlobError::Io { .. } => Problem::internal(error.to_string()),
        }
    }
}

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Problem {
        let status = match error {
            DatabaseError::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Problem::new(status, error.to_string())
    }
}

impl From<EnqueueError> for Problem {
    fn from(error: EnqueueError) -> Problem {
        match error {
            EnqueueError::Full(full) => Problem::limit(StatusCode::SERVICE_UNAVAILABLE, "build_queue_max", full.to_string()),
            EnqueueError::ClientsFull { .. } => Problem::too_often("builds_queued_per_client_max", 1, error.to_string()),
            EnqueueError::Random(_) => Problem::internal(error.to_string()),
        }
    }
}

impl From<CheckError> for Problem {
    fn from(error: CheckError) -> Problem {
        let detail = error.to_string();
        match error {
            CheckError::QueueFull { .. } => Problem::limit(StatusCode::SERVICE_UNAVAILABLE, "check_queue_max", detail),
            CheckError::TimedOut { .. } => Problem::limit(StatusCode::UNPROCESSABLE_ENTITY, "check_ms", detail),
            CheckError::Failed(error) => Problem { limit: error.limit(), ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail) },
            CheckError::Defect => Problem::internal(detail),
        }
    }
}

impl From<SubscribeError> for Problem {
    fn from(error: SubscribeError) -> Problem {
        Problem::limit(StatusCode::SERVICE_UNAVAILABLE, "event_streams_max", error.to_string())
    }
}

impl From<Interrupted> for Problem {
    fn from(Interrupted(error): Interrupted) -> Problem {
        Problem::internal(error.to_string())
    }
}

impl From<DeploymentError> for Problem {
    fn from(error: DeploymentError) -> Problem {
        let detail = error.to_string();
        match error {
            DeploymentError::Unknown(_) => Problem::new(StatusCode::NOT_FOUND, detail),
            DeploymentError::Expired(_) => Problem::new(StatusCode::GONE, detail),
            DeploymentError::TokenMissing(_) => Problem::new(StatusCode::UNAUTHORIZED, detail),
            DeploymentError::NotOwner(_) => Problem::new(StatusCode::FORBIDDEN, detail),
            DeploymentError::TooMany { .. } => Problem::limit(StatusCode::INSUFFICIENT_STORAGE, "deployments_max", detail),
            DeploymentError::Ttl { .. } => Problem::limit(StatusCode::BAD_REQUEST, "ttl_seconds_max", detail),
            DeploymentError::Variable(error) => Problem { limit: error.limit(), ..Problem::bad_request(detail) },
            DeploymentError::Store(error) => Problem { limit: error.limit(), ..Problem::bad_request(detail) },
            DeploymentError::Load(_) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail),
            DeploymentError::Random(_) | DeploymentError::Sweep(_) | DeploymentError::Interrupted(_) => Problem::internal(detail),
            DeploymentError::Blob(error) => error.into(),
            DeploymentError::Database(error) => error.into(),
        }
    }
}

impl From<FiddleError> for Problem {
    fn from(error: FiddleError) -> Problem {
        let detail = error.to_string();
        match error {
            FiddleError::UnknownShare(_) | FiddleError::UnknownFiddle(_) | FiddleError::UnknownRevision { .. } => {
                Problem::new(StatusCode::NOT_FOUND, detail)
            }
            FiddleError::TokenMissing => Problem::new(StatusCode::UNAUTHORIZED, detail),
            FiddleError::NotOwner => Problem::new(StatusCode::FORBIDDEN, detail),
            FiddleError::Overtaken { .. } => Problem::new(StatusCode::PRECONDITION_FAILED, detail),
            FiddleError::TooLarge { .. } => Problem::limit(StatusCode::PAYLOAD_TOO_LARGE, "share_bytes_max", detail),
            FiddleError::TooManyRequests { .. } => Problem::limit(StatusCode::BAD_REQUEST, "saved_requests_max", detail),
            FiddleError::NameTooLong { .. } => Problem::limit(StatusCode::BAD_REQUEST, "file_name_bytes_max", detail),
            FiddleError::Request { .. } | FiddleError::Path(_) => Problem::bad_request(detail),
            FiddleError::TooManyAssertions { .. } => Problem::limit(StatusCode::BAD_REQUEST, "assertions_max", detail),
            FiddleError::TooManyFiddles { .. } => Problem::limit(StatusCode::INSUFFICIENT_STORAGE, "fiddles_max", detail),
            FiddleError::Full { .. } => Problem::limit(StatusCode::INSUFFICIENT_STORAGE, "shares_bytes_max", detail),
            FiddleError::TooManyRevisions { .. } => Problem::limit(StatusCode::CONFLICT, "fiddle_revisions_max", detail),
            FiddleError::Unreadable(_) | FiddleError::Random(_) | FiddleError::Interrupted(_) => Problem::internal(detail),
            FiddleError::Source(error) => error.into(),
            FiddleError::Assets(error) => error.into(),
            FiddleError::Blob(error) => error.into(),
            FiddleError::Database(error) => error.into(),
        }
    }
}

/// Refusals of the router and of extractors are plain text; here they become problems too.
pub async fn from_plain(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let response = next.run(request).await;
    let status = response.status();
    let plain = response.headers().get(CONTENT_TYPE).is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !(status.is_client_error() || status.is_server_error()) || !plain {
        return response;
    }
    let allow = response.headers().get(ALLOW).cloned();
    let body = to_bytes(response.into_body(), PLAIN_DETAIL_BYTES_MAX).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&body).into_owned();
    let mut problem = match (status, text.is_empty()) {
        (StatusCode::PAYLOAD_TOO_LARGE, _) => {
            Problem::limit(status, "api_body_bytes_max", "the request's body is longer than the limit api_body_bytes_max")
        }
        (StatusCode::NOT_FOUND, true) => Problem::new(status, format!("there is nothing at {path}")),
        (StatusCode::METHOD_NOT_ALLOWED, true) => Problem::new(status, format!("{path} does not answer {method}")),
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, _) => Problem::new(status, "send JSON, with the header Content-Type: application/json"),
        // A body of the wrong shape; 422 is kept for programs that do not build.
        (StatusCode::UNPROCESSABLE_ENTITY, _) => Problem::bad_request(text),
        _ => Problem::new(status, text),
    }
    .into_response();
    if let Some(allow) = allow {
        problem.headers_mut().insert(ALLOW, allow);
    }
    problem
}
