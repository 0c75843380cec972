//! A gateway thread's connection to the fetch proxy: asked for when a guest first sends a request, and again when it has ended.
//!
//! ```text
//!   Absent ──want──► Asked ──the workshop: a connection──► Here ──its end──► Absent
//!                      └──────the workshop: there is no proxy──► Refused
//! ```

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::sync::Notify;
use vivarium_abi::FetchFailure;

use super::payload::Payload;
use super::thread::Shared;
use crate::fetch::failure::Failed;
use crate::fetch::proxy::Local;

/// From a question to the next one, where nobody answered.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// What may be on its way of one answer before a guest has taken it, in bytes.
const WINDOW_BYTES: u32 = 64 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;

enum State {
    Absent,
    Asked(Instant),
    Here(SendRequest<Payload>),
    Refused(Instant),
}

pub struct Fetcher {
    thread: usize,
    shared: Arc<Shared>,
    state: RefCell<State>,
    changed: Notify,
}

impl Fetcher {
    pub fn new(thread: usize, shared: Arc<Shared>) -> Fetcher {
        Fetcher { thread, shared, state: RefCell::new(State::Absent), changed: Notify::new() }
    }

    /// Sends a request to its origin; the answer's body arrives as it is read.
    pub async fn send(&self, request: Request<Payload>) -> Result<Response<Incoming>, Failed> {
        let allowed = Duration::from_millis(self.shared.start.limits.fetch_ms);
        let gone = || Failed::new(FetchFailure::Internal, "the fetch proxy did not answer");
        let answer = async {
            let mut proxy = self.connection().await?;
            proxy.ready().await.map_err(|_| gone())?;
            proxy.send_request(request).await.map_err(|_| gone())
        };
        // The proxy keeps the time itself; it may be the one that hangs.
        let response = tokio::time::timeout(allowed + ASK_AGAIN, answer).await.map_err(|_| gone())??;
        Failed::told(response.headers()).map_or(Ok(response), Err)
    }

    async fn connection(&self) -> Result<SendRequest<Payload>, Failed> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // From here on a change is noticed.
            changed.as_mut().enable();
            match &*self.state.borrow() {
                State::Here(proxy) if !proxy.is_closed() => return Ok(proxy.clone()),
                State::Refused(at) if at.elapsed() < ASK_AGAIN => {
                    return Err(Failed::new(FetchFailure::Internal, "this server sends no requests to others"));
                }
                State::Asked(at) if at.elapsed() < ASK_AGAIN => {}
                State::Here(_) | State::Absent | State::Asked(_) | State::Refused(_) => self.shared.reports.want_fetcher(self.thread),
            }
            self.note_question();
            let _ = tokio::time::timeout(ASK_AGAIN, changed).await;
        }
    }

    fn note_question(&self) {
        let mut state = self.state.borrow_mut();
        if !matches!(&*state, State::Asked(at) if at.elapsed() < ASK_AGAIN) {
            *state = State::Asked(Instant::now());
        }
    }

    /// The workshop's answer. Call it on the thread, in its `LocalSet`.
    pub async fn arrive(&self, stream: Option<std::os::unix::net::UnixStream>) {
        let connection = match stream.map(tokio::net::UnixStream::from_std) {
            Some(Ok(stream)) => {
                let mut client = http2::Builder::new(Local);
                client.initial_stream_window_size(WINDOW_BYTES).initial_connection_window_size(CONNECTION_WINDOW_BYTES);
                client.handshake(TokioIo::new(stream)).await.ok()
            }
            Some(Err(_)) | None => None,
        };
        *self.state.borrow_mut() = match connection {
            Some((proxy, driver)) => {
                tokio::task::spawn_local(async move { drop(driver.await) });
                State::Here(proxy)
            }
            None => State::Refused(Instant::now()),
        };
        self.changed.notify_waiters();
    }
}
