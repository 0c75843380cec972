//! What a visitor sends to a guest of the Compute ABI, handed over as it arrives, and how fast bytes may go.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, Incoming};
use vivarium_abi::{Host, Source};

/// How far ahead of its rate a stream may be before it pauses.
const PACE_AHEAD: Duration = Duration::from_millis(20);

/// What the visitor sends, until its end.
pub struct Arrival(Option<Incoming>);

/// How fast bytes may go, both ways together.
pub struct Pace {
    began: Instant,
    bytes: u64,
    bytes_per_second_max: u64,
}

impl Arrival {
    pub fn of(body: Incoming, host: &mut Host) -> Arrival {
        if body.is_end_stream() {
            host.end_body(Source::Visitor, true);
            return Arrival(None);
        }
        Arrival(Some(body))
    }

    pub fn is_open(&self) -> bool {
        self.0.is_some()
    }

    /// Waits for more of the body where the guest wants it; else without end.
    pub async fn receive(&mut self, host: &mut Host, pace: &mut Pace) {
        let Some(body) = self.0.as_mut().filter(|_| host.wants_body(Source::Visitor)) else { return std::future::pending().await };
        let frame = body.frame().await;
        let bytes = self.take(frame, host);
        pace.count(bytes).await;
    }

    /// What has arrived already.
    pub fn take_what_is_there(&mut self, host: &mut Host) {
        let Some(body) = self.0.as_mut().filter(|_| host.wants_body(Source::Visitor)) else { return };
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(&mut context) {
            self.take(frame, host);
        }
    }

    /// How many bytes that were.
    fn take(&mut self, frame: Option<Result<Frame<Bytes>, hyper::Error>>, host: &mut Host) -> usize {
        match frame {
            Some(Ok(frame)) => {
                // Trailers are not handed on.
                let bytes = frame.into_data().unwrap_or_default();
                let len = bytes.len();
                host.push_body(Source::Visitor, bytes);
                len
            }
            Some(Err(_)) | None => {
                self.0 = None;
                host.end_body(Source::Visitor, frame.is_none());
                0
            }
        }
    }
}

impl Pace {
    pub fn of(began: Instant, bytes_per_second_max: u64) -> Pace {
        Pace { began, bytes: 0, bytes_per_second_max }
    }

    /// Counts bytes that have come or go, and waits when they were too quick.
    pub async fn count(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        let due = self.began + Duration::from_secs_f64(self.bytes as f64 / self.bytes_per_second_max.max(1) as f64);
        if due > Instant::now() + PACE_AHEAD {
            tokio::time::sleep_until(due.into()).await;
        }
    }
}
