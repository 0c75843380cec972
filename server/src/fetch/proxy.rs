//! One request of a program: from a gateway's stream to an origin's answer. No redirect is followed, no connection is kept for the next one.
//!
//! origin of the stream → connect → head → the body of the answer, piece by piece, as the gateway takes it

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{Request, Response, Uri};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::UnixStream;
use tokio::time::{Instant, Sleep, timeout_at};
use vivarium_abi::{FetchFailure, Origin};

use super::connecting::Connector;
use super::failure::{Failed, remove_told};
use crate::limits::Limits;

/// Requests of one gateway thread at once; more wait in the gateway.
const FETCHES_AT_ONCE_MAX: u32 = 256;
/// What may be on its way of one body before the gateway has taken it, in bytes.
const WINDOW_BYTES: u32 = 128 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// The head of an answer is at least given so much room (hyper's least), in bytes.
const HEAD_BYTES_MIN: usize = 8 << 10;

/// Between two ends of one connection only (RFC 9110, 7.6.1), or worked out anew.
const OF_THE_CONNECTION: [HeaderName; 9] = [
    CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    EXPECT,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
];

/// What all requests share.
pub struct Proxy {
    connector: Connector,
    allowed: Duration,
    bytes_max: u64,
    headers_max: usize,
    head_bytes_max: usize,
}

impl Proxy {
    pub fn new(connector: Connector, limits: &Limits) -> Proxy {
        Proxy {
            connector,
            allowed: Duration::from_millis(limits.fetch_ms),
            bytes_max: limits.fetch_bytes_max,
            headers_max: limits.headers_max,
            head_bytes_max: limits.header_bytes_max.max(HEAD_BYTES_MIN),
        }
    }

    /// Serves one gateway thread until it closes its end. Call it inside a `LocalSet`.
    pub async fn serve(self: Rc<Self>, stream: UnixStream) {
        let service = service_fn(move |request: Request<Incoming>| {
            let proxy = self.clone();
            async move { Ok::<_, std::convert::Infallible>(proxy.answer(request).await) }
        });
        let mut server = http2::Builder::new(Local);
        server.timer(TokioTimer::new()).max_concurrent_streams(FETCHES_AT_ONCE_MAX);
        server.initial_stream_window_size(WINDOW_BYTES).initial_connection_window_size(CONNECTION_WINDOW_BYTES);
        // Its end tells all there is to tell: the gateway is gone, or does not speak HTTP/2.
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Answered> {
        self.fetch(request).await.unwrap_or_else(|failed| failed.response())
    }

    async fn fetch(&self, mut request: Request<Incoming>) -> Result<Response<Answered>, Failed> {
        let deadline = Instant::now() + self.allowed;
        let origin = origin_of(request.uri())?;
        let connected = timeout_at(deadline, self.connector.connect(&origin)).await;
        let connection = connected.map_err(|_| self.too_slow(FetchFailure::ConnectionTimeout, &origin))??;
        let mut client = http1::Builder::new();
        client.max_headers(self.headers_max).max_buf_size(self.head_bytes_max);
        let broken = |error: hyper::Error| of_http(&error, &origin);
        let (mut sender, driver) = client.handshake(TokioIo::new(connection)).await.map_err(broken)?;
        let driving = Driving(tokio::task::spawn_local(async move { drop(driver.await) }));
        prepare(&mut request, &origin)?;
        let request = request.map(|body| Bounded { body, bytes_left: self.bytes_max });
        let answered = timeout_at(deadline, sender.send_request(request)).await;
        let mut response = answered.map_err(|_| self.too_slow(FetchFailure::TimedOut, &origin))?.map_err(broken)?;
        clean(response.headers_mut());
        remove_told(response.headers_mut());
        if response.body().size_hint().lower() > self.bytes_max {
            let sentence = format!("{origin} answered with more than fetch_bytes_max of {} bytes", self.bytes_max);
            return Err(Failed::new(FetchFailure::TooLarge, sentence));
        }
        Ok(response.map(|body| {
            Answered(Some(Answering {
                body: Bounded { body, bytes_left: self.bytes_max },
                deadline: Box::pin(tokio::time::sleep_until(deadline)),
                _driving: driving,
            }))
        }))
    }

    fn too_slow(&self, failure: FetchFailure, origin: &Origin) -> Failed {
        Failed::new(failure, format!("{origin} took longer than fetch_ms of {} ms", self.allowed.as_millis()))
    }
}

/// The origin that a gateway names, in the one way in which origins are spelled.
fn origin_of(uri: &Uri) -> Result<Origin, Failed> {
    let told = uri.scheme_str().zip(uri.authority());
    let origin = told.and_then(|(scheme, authority)| format!("{scheme}://{authority}").parse().ok());
    origin.ok_or_else(|| Failed::new(FetchFailure::UriInvalid, "what the gateway names is no origin"))
}

/// The request as the origin gets it: whom it is for is what was checked, whatever the program said.
fn prepare<B>(request: &mut Request<B>, origin: &Origin) -> Result<(), Failed> {
    let unusable = |_| Failed::new(FetchFailure::UriInvalid, "the request has a path that cannot be sent");
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    *request.uri_mut() = path.parse().map_err(unusable)?;
    *request.version_mut() = http::Version::HTTP_11;
    clean(request.headers_mut());
    let host = HeaderValue::try_from(origin.authority()).map_err(|_| Failed::new(FetchFailure::UriInvalid, "its name is no host"))?;
    request.headers_mut().insert(HOST, host);
    Ok(())
}

/// Takes out what belongs to a connection; lengths are worked out from bodies.
fn clean(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in OF_THE_CONNECTION.into_iter().chain(named).filter(|name| name != CONTENT_LENGTH) {
        headers.remove(name);
    }
}

fn of_http(error: &hyper::Error, origin: &Origin) -> Failed {
    let failure = match () {
        () if error.is_parse_too_large() || error.is_parse_status() || error.is_parse() => FetchFailure::Protocol,
        () if error.is_incomplete_message() => FetchFailure::Incomplete,
        () if error.is_user() || error.is_body_write_aborted() => FetchFailure::TooLarge,
        () => FetchFailure::ConnectionTerminated,
    };
    Failed::new(failure, format!("{origin} gave no answer that can be used: {error}"))
}

/// Tasks stay on this thread.
#[derive(Debug, Clone, Copy)]
pub struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move { drop(future.await) });
    }
}

/// A connection that ends with whoever reads from it.
struct Driving(tokio::task::JoinHandle<()>);

impl Drop for Driving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A body of so many bytes at most.
struct Bounded {
    body: Incoming,
    bytes_left: u64,
}

/// Why a body is cut.
#[derive(Debug, thiserror::Error)]
pub enum Cut {
    #[error("the body is longer than fetch_bytes_max")]
    TooLarge,
    #[error("the request took longer than fetch_ms")]
    TooSlow,
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

impl Body for Bounded {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(frame.map(|frame| {
            let frame = frame?;
            let len = frame.data_ref().map_or(0, |data| data.len() as u64);
            self.bytes_left = self.bytes_left.checked_sub(len).ok_or(Cut::TooLarge)?;
            Ok(frame)
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer; empty where the proxy answers itself.
#[derive(Default)]
pub struct Answered(Option<Answering>);

struct Answering {
    body: Bounded,
    deadline: Pin<Box<Sleep>>,
    _driving: Driving,
}

impl Body for Answered {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let Some(answering) = &mut self.0 else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(&mut answering.body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        answering.deadline.as_mut().poll(context).map(|()| Some(Err(Cut::TooSlow)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|answering| answering.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or(SizeHint::with_exact(0), |answering| answering.body.size_hint())
    }
}
