//! A connection to an origin: to an address that was checked, never to a name.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{TlsConnector, rustls};
use vivarium_abi::{FetchFailure, Origin, OriginHost};

use super::addresses;
use super::failure::Failed;
use super::names::Names;

/// Whose certificates are believed: those of the browsers' list.
pub fn public_roots() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

/// Makes connections.
pub struct Connector {
    names: Box<dyn Names>,
    /// Origins that the server's configuration names: their addresses may be any.
    configured: HashSet<Origin>,
    tls: TlsConnector,
}

/// A connection, encrypted or not.
pub enum Connection {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connector {
    pub fn new(names: Box<dyn Names>, configured: HashSet<Origin>, roots: RootCertStore) -> Result<Connector, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        Ok(Connector { names, configured, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Resolves, checks every address, connects to one of them.
    pub async fn connect(&self, origin: &Origin) -> Result<Connection, Failed> {
        let addresses = match &origin.host {
            OriginHost::V4(address) => vec![IpAddr::V4(*address)],
            OriginHost::V6(address) => vec![IpAddr::V6(*address)],
            OriginHost::Name(name) => self.names.addresses(name).await?,
        };
        if !self.configured.contains(origin) {
            check(origin, &addresses)?;
        }
        let stream = first_of(&addresses, origin).await?;
        // A small request is sent at once; a socket that cannot do so sends it later.
        let _ = stream.set_nodelay(true);
        if !origin.is_secure {
            return Ok(Connection::Plain(stream));
        }
        let name = match &origin.host {
            OriginHost::Name(name) => ServerName::try_from(name.clone()).map_err(|_| internal("its name is none of a certificate"))?,
            OriginHost::V4(address) => ServerName::from(IpAddr::V4(*address)),
            OriginHost::V6(address) => ServerName::from(IpAddr::V6(*address)),
        };
        let stream = self.tls.connect(name, stream).await.map_err(|error| of_tls(&error, origin))?;
        Ok(Connection::Tls(Box::new(stream)))
    }
}

/// Names that mean this host to everybody (RFC 6761, 6.3).
fn is_local(host: &OriginHost) -> bool {
    matches!(host, OriginHost::Name(name) if name == "localhost" || name.ends_with(".localhost"))
}

/// One address that may not be reached is enough: who answers with a public and a private one hopes for the second.
fn check(origin: &Origin, found: &[IpAddr]) -> Result<(), Failed> {
    let refused =
        |why: &str| Failed::new(FetchFailure::AddressRefused, format!("{origin} has an address that no program may reach: {why}"));
    if is_local(&origin.host) {
        return Err(refused("of this host"));
    }
    for address in found {
        if let Some(why) = addresses::refusal(*address) {
            return Err(refused(&format!("{address}, {why}")));
        }
        if is_own(*address).unwrap_or(true) {
            return Err(refused(&format!("{address}, of this host")));
        }
    }
    Ok(())
}

/// Whether what is sent there stays on this machine: the kernel then sends it from the same address. Nothing is sent to find out.
fn is_own(address: IpAddr) -> io::Result<bool> {
    let any = if address.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    let socket = UdpSocket::bind((any, 0))?;
    match socket.connect((address, DISCARD_PORT)) {
        Ok(()) => Ok(socket.local_addr()?.ip() == address),
        // What has no way to it is nobody's here; connecting will say so.
        Err(_) => Ok(false),
    }
}

/// Any port does.
const DISCARD_PORT: u16 = 9;
/// Addresses of one name that are tried.
const ADDRESSES_TRIED_MAX: usize = 4;

async fn first_of(addresses: &[IpAddr], origin: &Origin) -> Result<TcpStream, Failed> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses.iter().take(ADDRESSES_TRIED_MAX) {
        match TcpStream::connect(SocketAddr::new(*address, origin.port)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    let failure = match last.kind() {
        io::ErrorKind::ConnectionRefused => FetchFailure::ConnectionRefused,
        io::ErrorKind::TimedOut => FetchFailure::ConnectionTimeout,
        _ => FetchFailure::Unavailable,
    };
    Err(Failed::new(failure, format!("{origin} cannot be connected to: {last}")))
}

fn of_tls(error: &io::Error, origin: &Origin) -> Failed {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let failure = match tls {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => FetchFailure::TlsCertificate,
        Some(_) => FetchFailure::TlsProtocol,
        None => FetchFailure::ConnectionTerminated,
    };
    Failed::new(failure, format!("{origin} cannot be spoken to over TLS: {error}"))
}

fn internal(sentence: &str) -> Failed {
    Failed::new(FetchFailure::Internal, sentence)
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Connection::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Connection::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_flush(context),
            Connection::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Connection::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
