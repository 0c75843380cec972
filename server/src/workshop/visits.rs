//! The workshop's own requests to what is deployed: to the gateway it is one more visitor. What is known of a request beside its answer (its
//! log, its timings, its outcome) comes back with the gateway's reports, by the number that the answer names.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::{HeaderName, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::Workshop;
use super::fiddles::SavedRequest;
use crate::assertions::Observed;
use crate::control::messages::Timings;

const REQUEST_ID: HeaderName = HeaderName::from_static("vivarium-request-id");
/// Reports come in batches; a report that is later than this is not waited for.
const REPORT_WAIT: Duration = Duration::from_secs(3);
const REPORT_PACE: Duration = Duration::from_millis(10);

/// Why a request had no answer.
#[derive(Debug, Error)]
pub enum VisitError {
    #[error("the gateway cannot be reached: {0}")]
    Unreachable(std::io::Error),
    #[error("the request cannot be sent: {0}")]
    Request(http::Error),
    #[error("the connection broke off: {0}")]
    Broken(hyper::Error),
    #[error("it was not answered within {seconds} s")]
    TimedOut { seconds: u64 },
}

/// An answer, with what is known of the request.
pub struct Visit {
    pub request_id: Option<u64>,
    pub observed: Observed,
    /// The body went on; what is past the limit was not read.
    pub body_truncated: bool,
}

/// An answer as the API shows it.
#[derive(Debug, Serialize)]
pub struct AnswerView {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// What of it is no UTF-8 is replaced.
    pub body: String,
    pub body_bytes: usize,
    pub body_truncated: bool,
    pub log: Vec<String>,
    pub timings: Option<Timings>,
}

impl Workshop {
    /// Sends one request to a deployment's own URL and waits for its answer and its report.
    pub async fn visit(&self, slug: &str, request: &SavedRequest) -> Result<Visit, VisitError> {
        let limits = &self.limits;
        let within = Duration::from_millis(limits.load_wait_ms + limits.stream_ms + limits.wall_ms);
        let answered = self.ask(slug, request);
        let (parts, body, body_truncated) =
            timeout(within, answered).await.map_err(|_| VisitError::TimedOut { seconds: within.as_secs() })??;
        let request_id = parts.headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()?.parse().ok());
        let (log, report) = match request_id {
            Some(id) => self.report_of(slug, id).await,
            None => (Vec::new(), None),
        };
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        let observed = Observed { status: parts.status.as_u16(), headers, body, log, report };
        Ok(Visit { request_id, observed, body_truncated })
    }

    async fn ask(&self, slug: &str, saved: &SavedRequest) -> Result<(http::response::Parts, Vec<u8>, bool), VisitError> {
        let address: SocketAddr = self.addresses.guest_address();
        let stream = TcpStream::connect(address).await.map_err(VisitError::Unreachable)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(VisitError::Broken)?;
        let connection = tokio::spawn(connection);
        let mut request = Request::builder().method(saved.method()).uri(saved.path());
        if !saved.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(HOST.as_str())) {
            request = request.header(HOST, self.addresses.guest_authority(slug));
        }
        for (name, value) in &saved.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(saved.body.clone()))).map_err(VisitError::Request)?;
        let answer = sender.send_request(request).await.map_err(VisitError::Broken)?;
        let (parts, mut incoming) = answer.into_parts();
        let (mut body, mut truncated) = (Vec::new(), false);
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(VisitError::Broken)?;
            let Some(data) = frame.data_ref() else { continue };
            let room = self.limits.tested_body_bytes_max - body.len();
            body.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room {
                truncated = true;
                break;
            }
        }
        connection.abort();
        Ok((parts, body, truncated))
    }

    /// The lines and the end of a request, once the gateway has told of them.
    async fn report_of(&self, slug: &str, id: u64) -> (Vec<String>, Option<(Timings, crate::control::messages::Outcome)>) {
        let reported = async {
            loop {
                if let Some(report) = self.deployments.report(slug, id) {
                    return report;
                }
                sleep(REPORT_PACE).await;
            }
        };
        let report = timeout(REPORT_WAIT, reported).await.ok();
        let log = self.deployments.log_of(slug, id);
        (log, report.map(|report| (report.timings, report.outcome)))
    }
}

impl From<&Visit> for AnswerView {
    fn from(visit: &Visit) -> AnswerView {
        let Observed { status, headers, body, log, report } = &visit.observed;
        AnswerView {
            status: *status,
            headers: headers.clone(),
            body: String::from_utf8_lossy(body).into_owned(),
            body_bytes: body.len(),
            body_truncated: visit.body_truncated,
            log: log.clone(),
            timings: report.as_ref().map(|(timings, _)| *timings),
        }
    }
}
