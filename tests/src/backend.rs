//! A backend on loopback for programs to send requests to: says what it was asked, in a few ways.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::server::PATIENCE;

/// What it answers to a path:
///
/// | path | answer |
/// |---|---|
/// | `/bytes/N` | N bytes |
/// | `/drip/N` | N pieces of a kilobyte, each flushed |
/// | `/redirect/…` | 302 to what follows |
/// | `/cut` | half of what it announces |
/// | `/dns-query` | the addresses 192.0.2.7 and 192.0.2.8 of fern.test, and none of any other name |
/// | `/held` | waits for [`Backend::release`] |
/// | any other | a line with method, path, Host header and body |
pub struct Backend {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    visits: AtomicUsize,
    released: Mutex<bool>,
    changed: Condvar,
}

impl Backend {
    pub fn start() -> Backend {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let state: Arc<State> = Arc::default();
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = shared.clone();
                state.visits.fetch_add(1, Ordering::SeqCst);
                // Who leaves early is no failure of the backend's.
                std::thread::spawn(move || drop(answer(stream, &state)));
            }
        });
        Backend { port, state }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:PORT`
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Connections that came.
    pub fn visits(&self) -> usize {
        self.state.visits.load(Ordering::SeqCst)
    }

    /// Lets all answers go that are held.
    pub fn release(&self) {
        *self.state.released.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.state.changed.notify_all();
    }
}

fn answer(stream: TcpStream, state: &State) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let (method, path) =
        line.trim().split_once(' ').map(|(method, rest)| (method.to_owned(), rest.replace(" HTTP/1.1", ""))).unwrap_or_default();
    let (mut host, mut length, mut chunked) = (String::new(), 0, false);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        match header.trim().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("host") => host = value.to_owned(),
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap_or(0),
            Some((name, value)) if name.eq_ignore_ascii_case("transfer-encoding") => chunked = value.contains("chunked"),
            Some(_) => {}
            None => break,
        }
    }
    let body = if chunked { read_chunks(&mut reader)? } else { read_exactly(&mut reader, length)? };
    let mut out = stream;
    match path.trim_start_matches('/').split_once('/') {
        Some(("bytes", count)) => {
            let count: usize = count.parse().unwrap_or(0);
            write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {count}\r\nX-Backend: bytes\r\n\r\n")?;
            out.write_all(&vec![b'b'; count])
        }
        Some(("drip", count)) => {
            write!(out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            for _ in 0..count.parse().unwrap_or(0) {
                write!(out, "400\r\n{}\r\n", "d".repeat(1024))?;
                out.flush()?;
            }
            write!(out, "0\r\n\r\n")
        }
        Some(("redirect", to)) => write!(out, "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"),
        _ if path == "/dns-query" => {
            let message = resolved(&body);
            write!(out, "HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\nContent-Length: {}\r\n\r\n", message.len())?;
            out.write_all(&message)
        }
        _ if path == "/cut" => write!(out, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf!"),
        _ => {
            if path == "/held" {
                let released = state.released.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = state.changed.wait_timeout_while(released, PATIENCE, |released| !*released);
            }
            let said = format!("{method} {path} {host} {}", String::from_utf8_lossy(&body));
            write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nX-Backend: seen\r\n\r\n{said}", said.len())
        }
    }
}

/// The answer to a question for addresses (RFC 1035, 4): the question again, then an alias and two addresses that point to its name.
fn resolved(question: &[u8]) -> Vec<u8> {
    let known = question.windows(11).any(|window| window == b"\x04fern\x04test\0");
    let mut message = question.to_vec();
    if known && message.len() > 12 {
        message[7] = 3;
        message.extend(b"\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x02\xc0\x0c");
        for last in [7, 8] {
            message.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02");
            message.push(last);
        }
    }
    message
}

fn read_exactly(reader: &mut impl Read, length: usize) -> std::io::Result<Vec<u8>> {
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(body)
}

fn read_chunks(reader: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        reader.read_line(&mut size)?;
        let size = usize::from_str_radix(size.trim(), 16).map_err(std::io::Error::other)?;
        let chunk = read_exactly(reader, size + 2)?;
        body.extend_from_slice(&chunk[..size]);
        if size == 0 {
            return Ok(body);
        }
    }
}
