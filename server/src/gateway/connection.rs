//! Connections of visitors: accepted one by one, each with its deadlines.
//! [`watch`] says when one is to be closed.

use std::convert::Infallible;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;

use super::answers;
use super::payload::Payload;
use crate::callers::{Callers, refuse};
use crate::heads::Framing;
use crate::limits::Limits;
use watch::{Watch, Watched};

mod watch;

/// After an accept that failed (descriptors are used up), before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// hyper's own least buffer, in bytes.
const BUFFER_BYTES_MIN: usize = 8_192;

/// Answers one request.
pub trait Visitors: 'static {
    fn answer(self: Rc<Self>, request: Request<Incoming>, visitor: Visitor) -> impl Future<Output = Response<Payload>>;
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
    callers: Arc<Callers>,
    limits: ConnectionLimits,
) {
    let Ok(local) = listener.local_addr() else { return };
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let Some(caller) = callers.enter(peer.ip()) else {
                    // What cannot be told is closed all the same.
                    drop(stream.into_std().map(refuse));
                    continue;
                };
                // Without it, an answer waits for the acknowledgement of the one before it; a connection that refuses works, only slower.
                let _ = stream.set_nodelay(true);
                let serving = serve(stream, Visitor { peer, local }, visitors.clone(), limits);
                tokio::task::spawn_local(async move {
                    serving.await;
                    drop((permit, caller));
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
    let phase = Rc::new(Watch::new(limits.header_bytes_max));
    let watched = Watched::new(stream, phase.clone());
    let serving = phase.clone();
    let service = service_fn(move |request| {
        let busy = serving.clone().serve();
        let judged = serving.judge_head();
        let answer = visitors.clone().answer(request, visitor);
        async move {
            let mut response = match judged {
                Ok(_) => answer.await,
                Err(refused) => answers::not_understood(refused),
            };
            if judged == Ok(Framing::Last) {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            // What is streamed is being served until the guest is done with it.
            response.body_mut().hold(busy);
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = http1::Builder::new();
    builder.max_headers(limits.headers_max).max_buf_size(limits.header_bytes_max).half_close(false);
    // Why a connection ended is the visitor's business; what was asked on it has its own report.
    tokio::select! {
        _ = builder.serve_connection(TokioIo::new(watched), service) => {}
        () = phase.deadline(limits.header_read, limits.idle) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    struct Greeter;

    impl Visitors for Greeter {
        async fn answer(self: Rc<Self>, request: Request<Incoming>, _: Visitor) -> Response<Payload> {
            if request.uri().path() == "/slow" {
                tokio::time::sleep(Duration::from_secs(30)).await;
            }
            let long = request.uri().path() == "/long";
            let body = http_body_util::BodyExt::collect(request.into_body()).await.map(|body| body.to_bytes()).unwrap_or_default();
            Response::new(if long { Bytes::from(body.repeat(LONG)) } else { Bytes::from("hello") }.into())
        }
    }

    /// How often an answer repeats the body of its request.
    const LONG: usize = 100_000;
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

    #[tokio::test]
    async fn a_long_answer_to_a_late_body_is_sent_to_its_end_and_the_connection_kept() {
        let quick = ConnectionLimits { header_read: Duration::from_millis(30), ..LIMITS };
        let (mut near, far) = duplex(1 << 16);
        let address = "127.0.0.1:1".parse().unwrap();
        let serving = serve(far, Visitor { peer: address, local: address }, Rc::new(Greeter), quick);
        let pause = || tokio::time::sleep(3 * quick.header_read);
        let story = async {
            near.write_all(b"POST /long HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n").await.unwrap();
            pause().await;
            near.write_all(b"0123456789").await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"0123456789") || answer.len() < 10 * LONG {
                if answer.len() < 2 * LONG {
                    pause().await;
                }
                let mut piece = vec![0; 200_000];
                let length = near.read(&mut piece).await.unwrap();
                assert_ne!(length, 0, "closed after {} bytes", answer.len());
                answer.extend_from_slice(&piece[..length]);
            }
            pause().await;
            near.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
            assert!(heard(&mut near).await.ends_with("hello"));
        };
        tokio::task::LocalSet::new().run_until(async { tokio::join!(serving, story) }).await;
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
