//! Connections of visitors: accepted one by one, each with its deadlines.
//!
//! hyper's own header timeout counts from the end of the last answer, so it cannot tell a visitor who is idle from one who sends half a header. Here the
//! bytes are watched instead:
//!
//! ```text
//!   Head ──head complete──► Serving ──answered──► Idle ──first byte──► Head
//!     └ header_read_ms ► closed                    └ idle_ms without progress ► closed
//! ```

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Semaphore;

use crate::limits::Limits;

/// After an accept that failed (descriptors are used up), before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// hyper's own least buffer, in bytes.
const BUFFER_BYTES_MIN: usize = 8_192;

/// Answers one request.
pub trait Visitors: 'static {
    fn answer(self: Rc<Self>, request: Request<Incoming>, visitor: Visitor) -> impl Future<Output = Response<Full<Bytes>>>;
}

/// Who is connected.
#[derive(Debug, Clone, Copy)]
pub struct Visitor {
    pub peer: std::net::SocketAddr,
    pub local: std::net::SocketAddr,
}

/// Bounds of a connection, out of `Limits`.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    pub header_read: Duration,
    pub idle: Duration,
    pub header_bytes_max: usize,
    pub headers_max: usize,
}

impl ConnectionLimits {
    pub fn of(limits: &Limits) -> ConnectionLimits {
        ConnectionLimits {
            header_read: Duration::from_millis(limits.header_read_ms),
            idle: Duration::from_millis(limits.idle_ms),
            header_bytes_max: limits.header_bytes_max.max(BUFFER_BYTES_MIN),
            headers_max: limits.headers_max,
        }
    }
}

/// Accepts for as long as the thread lives. Never more connections than permits; who comes then waits in the listener's queue.
pub async fn accept<V: Visitors>(
    listener: tokio::net::TcpListener,
    visitors: Rc<V>,
    connections: Arc<Semaphore>,
    limits: ConnectionLimits,
) {
    let Ok(local) = listener.local_addr() else { return };
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Without it, an answer waits for the acknowledgement of the one before it; a connection that refuses works, only slower.
                let _ = stream.set_nodelay(true);
                let serving = serve(stream, Visitor { peer, local }, visitors.clone(), limits);
                tokio::task::spawn_local(async move {
                    serving.await;
                    drop(permit);
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Serves one connection until either side ends it.
pub async fn serve<S, V>(stream: S, visitor: Visitor, visitors: Rc<V>, limits: ConnectionLimits)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    V: Visitors,
{
    let phase = Rc::new(Watch::new());
    let watched = Watched { stream, watch: phase.clone() };
    let serving = phase.clone();
    let service = service_fn(move |request| {
        let busy = serving.clone().serve();
        let answer = visitors.clone().answer(request, visitor);
        async move {
            let response = answer.await;
            drop(busy);
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = http1::Builder::new();
    builder.max_headers(limits.headers_max).max_buf_size(limits.header_bytes_max).half_close(false);
    // Why a connection ended is the visitor's business; what was asked on it has its own report.
    tokio::select! {
        _ = builder.serve_connection(TokioIo::new(watched), service) => {}
        () = phase.deadline(limits) => {}
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Head,
    Serving,
    Idle,
}

/// What a connection does, and since when.
#[derive(Debug)]
struct Watch {
    phase: Cell<Phase>,
    since: Cell<Instant>,
    /// Bytes came while a request was served: perhaps the next one's.
    read_ahead: Cell<bool>,
}

/// A request is being served until this is dropped.
struct Busy(Rc<Watch>);

impl Watch {
    fn new() -> Watch {
        Watch { phase: Cell::new(Phase::Head), since: Cell::new(Instant::now()), read_ahead: Cell::new(false) }
    }

    fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(Instant::now());
    }

    fn serve(self: Rc<Self>) -> Busy {
        self.enter(Phase::Serving);
        self.read_ahead.set(false);
        Busy(self)
    }

    fn has_read(&self) {
        match self.phase.get() {
            Phase::Idle => self.enter(Phase::Head),
            Phase::Serving => self.read_ahead.set(true),
            Phase::Head => {}
        }
    }

    fn has_written(&self) {
        if self.phase.get() == Phase::Idle {
            self.since.set(Instant::now());
        }
    }

    /// Ends when the connection is to be closed. One timer, looked at when it fires: a request costs none.
    async fn deadline(&self, limits: ConnectionLimits) {
        loop {
            let allowed = if self.phase.get() == Phase::Idle { limits.idle } else { limits.header_read };
            let left = allowed.saturating_sub(self.since.get().elapsed());
            if self.phase.get() == Phase::Serving {
                tokio::time::sleep(limits.header_read).await;
            } else if left.is_zero() {
                return;
            } else {
                // A head that begins while an idle connection's timer runs must not wait for it.
                tokio::time::sleep(left.min(limits.header_read)).await;
            }
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.enter(if self.0.read_ahead.get() { Phase::Head } else { Phase::Idle });
    }
}

struct Watched<S> {
    stream: S,
    watch: Rc<Watch>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.watch.has_read();
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        if result.is_ready() {
            self.watch.has_written();
        }
        result
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        if result.is_ready() {
            self.watch.has_written();
        }
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    struct Greeter;

    impl Visitors for Greeter {
        async fn answer(self: Rc<Self>, request: Request<Incoming>, _: Visitor) -> Response<Full<Bytes>> {
            if request.uri().path() == "/slow" {
                tokio::time::sleep(Duration::from_secs(30)).await;
            }
            Response::new(Full::from(Bytes::from("hello")))
        }
    }

    const LIMITS: ConnectionLimits =
        ConnectionLimits { header_read: Duration::from_secs(5), idle: Duration::from_secs(60), header_bytes_max: 65_536, headers_max: 8 };

    async fn talk(story: impl AsyncFnOnce(DuplexStream)) {
        let (near, far) = duplex(1 << 16);
        let address = "127.0.0.1:1".parse().unwrap();
        let serving = serve(far, Visitor { peer: address, local: address }, Rc::new(Greeter), LIMITS);
        tokio::task::LocalSet::new()
            .run_until(async {
                let serving = tokio::task::spawn_local(serving);
                story(near).await;
                serving.await.unwrap();
            })
            .await;
    }

    async fn heard(stream: &mut DuplexStream) -> String {
        let mut bytes = vec![0; 4096];
        let length = stream.read(&mut bytes).await.unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    #[tokio::test]
    async fn requests_on_one_connection_are_answered_in_order() {
        talk(async |mut stream| {
            for _ in 0..3 {
                stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
                assert!(heard(&mut stream).await.ends_with("hello"));
            }
        })
        .await;
    }

    #[tokio::test]
    async fn too_many_headers_are_refused() {
        talk(async |mut stream| {
            let head: String = (0..9).map(|n| format!("H{n}: v\r\n")).collect();
            stream.write_all(format!("GET / HTTP/1.1\r\n{head}\r\n").as_bytes()).await.unwrap();
            assert!(heard(&mut stream).await.starts_with("HTTP/1.1 431"));
        })
        .await;
    }

    #[test]
    fn phases_follow_the_bytes() {
        let watch = Rc::new(Watch::new());
        assert_eq!(watch.phase.get(), Phase::Head);
        let busy = watch.clone().serve();
        assert_eq!(watch.phase.get(), Phase::Serving);
        drop(busy);
        assert_eq!(watch.phase.get(), Phase::Idle);
        watch.has_read();
        assert_eq!(watch.phase.get(), Phase::Head, "the first byte of a head starts its clock");
        let busy = watch.clone().serve();
        watch.has_read();
        drop(busy);
        assert_eq!(watch.phase.get(), Phase::Head, "half a head behind a request is no idle connection");
    }

    #[tokio::test]
    async fn half_a_head_and_an_idle_connection_are_closed() {
        let quick = ConnectionLimits { header_read: Duration::from_millis(30), idle: Duration::from_millis(60), ..LIMITS };
        for sent in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /"] {
            let (mut near, far) = duplex(1 << 16);
            let address = "127.0.0.1:1".parse().unwrap();
            near.write_all(sent.as_bytes()).await.unwrap();
            let visitor = Visitor { peer: address, local: address };
            tokio::task::LocalSet::new().run_until(serve(far, visitor, Rc::new(Greeter), quick)).await;
            let mut rest = Vec::new();
            near.read_to_end(&mut rest).await.unwrap();
            assert_eq!(rest.ends_with(b"hello"), sent.contains("\r\n\r\n"));
        }
    }
}
