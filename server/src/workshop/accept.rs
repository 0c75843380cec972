//! The loop of connections. `axum::serve` waits for ever for a header that was half sent, so the loop is our own: every header has its
//! time, and so has whatever a client is to take; connections are counted.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::fiddles::Client;
use super::write_timeout::WriteTimeout;
use crate::limits::Limits;

/// After an error of `accept` (no descriptors left): long enough not to spin, short enough not to be noticed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `ended`, calls `ending`, and lets what is in flight finish for `drain_ms`.
pub async fn serve(listener: TcpListener, router: Router, limits: &Limits, ended: impl Future<Output = ()>, ending: impl FnOnce()) {
    let idle = Duration::from_millis(limits.idle_ms);
    let connections = Arc::new(Semaphore::new(limits.workshop_connections_max));
    let graceful = GracefulShutdown::new();
    let mut ended = std::pin::pin!(ended);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &connections) => accepted,
            () = &mut ended => break,
        };
        match accepted {
            Ok((stream, client, permit)) => {
                let service = TowerToHyperService::new(router.clone());
                let service = service_fn(move |mut request: Request<Incoming>| {
                    request.extensions_mut().insert(client);
                    service.call(request)
                });
                let connection = http1(limits).serve_connection(TokioIo::new(WriteTimeout::new(stream, idle)), service);
                let connection = graceful.watch(connection);
                tokio::spawn(async move {
                    // How a client breaks off is its own business.
                    drop(connection.await);
                    drop(permit);
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

fn http1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.header_read()).max_headers(limits.headers_max);
    builder.max_buf_size(limits.header_bytes_max.max(8_192));
    builder
}
