//! Bytes over a connection, for what no HTTP client would send.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::server::PATIENCE;

/// What the server said until it closed.
#[derive(Debug)]
pub struct Said {
    /// 0 when it said nothing that has one.
    pub status: u16,
    pub text: String,
    /// It closed by itself, within [`PATIENCE`].
    pub closed: bool,
}

/// A connection to `127.0.0.1:PORT`.
pub fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the port is listened on");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream
}

/// A connection from another address of this machine.
pub fn connect_from(from: [u8; 4], address: &str) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket can be made");
    bind(&socket, &SocketAddr::from((from, 0))).expect("all of 127.0.0.0/8 is this machine");
    connect(&socket, &address.parse::<SocketAddr>().expect("an address")).expect("the port is listened on");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream
}

/// Sends these bytes, which the server may not want to the end, and reads until it closes.
pub fn exchange(address: &str, bytes: &[u8]) -> Said {
    let mut stream = connect(address);
    let _ = stream.write_all(bytes);
    rest(&mut stream)
}

/// What comes until the server closes. One that closes while bytes are on their way to it resets the connection; what it said before counts.
pub fn rest(stream: &mut TcpStream) -> Said {
    let mut bytes = Vec::new();
    let closed = match stream.read_to_end(&mut bytes) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok()).unwrap_or(0);
    Said { status, text, closed }
}
