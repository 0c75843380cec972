//! The loop of connections. `axum::serve` waits for ever for a header that was half sent, so the loop is our own: every header has its
//! time, and so has whatever a client is to take; connections are counted.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use http::HeaderValue;
use http::header::CONNECTION;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::fiddles::Client;
use super::guard::Head;
use super::overheard::Overheard;
use super::write_timeout::WriteTimeout;
use crate::callers::{Callers, refuse};
use crate::confine;
use crate::heads::{Framing, Heads};
use crate::limits::Limits;

/// After an error of `accept` (no descriptors left): long enough not to spin, short enough not to be noticed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// hyper panics on a smaller buffer.
const PARSER_BYTES_MIN: usize = 8_192;

/// Serves until `ended`, calls `ending`, and lets what is in flight finish for `drain_ms`.
pub async fn serve(listener: TcpListener, router: Router, limits: &Limits, ended: impl Future<Output = ()>, ending: impl FnOnce()) {
    let idle = Duration::from_millis(limits.idle_ms);
    // The other half is for files, and for what processes are started with.
    let connections = Arc::new(Semaphore::new(limits.workshop_connections_max.min(confine::descriptors_max() / 2)));
    let callers = Callers::new(limits.connections_per_address_max);
    let graceful = GracefulShutdown::new();
    let mut ended = std::pin::pin!(ended);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &connections) => accepted,
            () = &mut ended => break,
        };
        match accepted {
            Ok((stream, client, permit)) => {
                let Some(caller) = callers.enter(client.0) else {
                    // What cannot be told is closed all the same.
                    drop(stream.into_std().map(refuse));
                    continue;
                };
                let service = TowerToHyperService::new(router.clone());
                let heads = Arc::new(Mutex::new(Heads::new(buffer_bytes_max(limits))));
                let overheard = Overheard::new(WriteTimeout::new(stream, idle), heads.clone());
                let service = service_fn(move |mut request: Request<Incoming>| {
                    let head = heads.lock().unwrap_or_else(PoisonError::into_inner).judge_next();
                    request.extensions_mut().insert(client);
                    request.extensions_mut().insert(Head(head));
                    let answer = service.call(request);
                    async move {
                        let mut answer = answer.await?;
                        if head == Ok(Framing::Last) {
                            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                        }
                        Ok::<_, Infallible>(answer)
                    }
                });
                let connection = http1(limits).serve_connection(TokioIo::new(overheard), service);
                let connection = graceful.watch(connection);
                tokio::spawn(async move {
                    // How a client breaks off is its own business.
                    drop(connection.await);
                    drop((permit, caller));
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
    drop(listener);
    ending();
    drop(tokio::time::timeout(Duration::from_millis(limits.drain_ms), graceful.shutdown()).await);
}

/// Takes a connection only when there is room for it; others wait in the kernel's queue.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> io::Result<(TcpStream, Client, tokio::sync::OwnedSemaphorePermit)> {
    let permit = connections.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, Client(address.ip()), permit))
}

/// What the parser holds that it has not parsed; it takes no smaller buffer.
fn buffer_bytes_max(limits: &Limits) -> usize {
    limits.header_bytes_max.max(PARSER_BYTES_MIN)
}

fn http1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.header_read()).max_headers(limits.headers_max);
    builder.max_buf_size(buffer_bytes_max(limits));
    builder
}
