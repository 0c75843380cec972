//! HTTP to a running server: one connection for each request, blocking, with text and JSON in mind.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::failure::Failure;

/// A longer answer is none of ours, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// A longer line of an event stream is none of ours, in bytes.
const LINE_BYTES_MAX: usize = 8 << 20;
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A server, by its URL.
pub struct Client {
    authority: String,
    reactor: tokio::runtime::Runtime,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// The lines of an answer that goes on.
pub struct Lines<'a> {
    client: &'a Client,
    body: Incoming,
    read: Vec<u8>,
}

impl Client {
    /// The server at `http://HOST:PORT`.
    pub fn of(url: &str) -> Result<Client, Failure> {
        let wrong = || Failure::usage(format!("{url:?} is no address of a server: give one as http://127.0.0.1:7878"));
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        if uri.scheme_str() != Some("http") || !matches!(uri.path(), "" | "/") {
            return Err(wrong());
        }
        let host = uri.authority().ok_or_else(wrong)?;
        let authority = if host.port().is_some() { host.to_string() } else { format!("{host}:80") };
        let reactor = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::system)?;
        Ok(Client { authority, reactor })
    }

    /// Asks for something and waits for all of the answer.
    pub fn ask(&self, method: Method, path: &str, token: Option<&str>, body: Ask<'_>) -> Result<Answer, Failure> {
        self.reactor.block_on(async {
            let response = self.send(method, path, token, body).await?;
            let (parts, body) = response.into_parts();
            let read = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = read.map_err(|error| self.lost(&*error))?.to_bytes();
            Ok(Answer { status: parts.status, headers: parts.headers, body })
        })
    }

    /// Asks for something of which the answer goes on.
    pub fn lines(&self, path: &str) -> Result<Lines<'_>, Failure> {
        let response = self.reactor.block_on(self.send(Method::GET, path, None, Ask::Nothing))?;
        if response.status() != StatusCode::OK {
            let status = response.status();
            let body = self.reactor.block_on(Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect());
            let body = body.map_err(|error| self.lost(&*error))?.to_bytes();
            return Err(Answer { status, headers: HeaderMap::new(), body }.failure());
        }
        Ok(Lines { client: self, body: response.into_body(), read: Vec::new() })
    }

    async fn send(&self, method: Method, path: &str, token: Option<&str>, body: Ask<'_>) -> Result<http::Response<Incoming>, Failure> {
        let unreachable = |error: &dyn std::fmt::Display| {
            Failure::system(format!(
                "no server answers at http://{}: {error}; start one with `vivarium serve`, or name one with --server",
                self.authority
            ))
        };
        let connected = tokio::time::timeout(CONNECT_MAX, TcpStream::connect(&self.authority)).await;
        let stream = connected.map_err(|_| unreachable(&"it took too long"))?.map_err(|error| unreachable(&error))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(&error))?;
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header("host", &self.authority);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let content = match body {
            Ask::Nothing => Bytes::new(),
            Ask::Json(value) => {
                request = request.header("content-type", "application/json");
                value.to_string().into()
            }
            Ask::Bytes(bytes) => bytes,
        };
        let request = request.body(Full::new(content)).map_err(|error| Failure::usage(format!("this cannot be asked: {error}")))?;
        sender.send_request(request).await.map_err(|error| self.lost(&error))
    }

    fn lost(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::system(format!("the server at http://{} went away: {error}", self.authority))
    }
}

/// What a request carries.
pub enum Ask<'a> {
    Nothing,
    Json(&'a Value),
    Bytes(Bytes),
}

impl Answer {
    /// Its JSON, if the answer is that it was done.
    pub fn json(self) -> Result<Value, Failure> {
        let done = self.done()?;
        serde_json::from_slice(&done.body).map_err(|_| Failure::system("the server's answer is no JSON: is it a Vivarium server?"))
    }

    /// The answer, unless it is that something is wrong.
    pub fn done(self) -> Result<Answer, Failure> {
        if self.status.is_success() { Ok(self) } else { Err(self.failure()) }
    }

    fn failure(self) -> Failure {
        let problem: BTreeMap<String, Value> = serde_json::from_slice(&self.body).unwrap_or_default();
        let detail =
            problem.get("detail").and_then(Value::as_str).map_or_else(|| format!("the server answers {}", self.status), str::to_owned);
        match self.status {
            StatusCode::UNPROCESSABLE_ENTITY => {
                // What the compilers printed is what a person reads.
                let output = problem.get("build").and_then(|build| build["output"].as_str()).filter(|output| !output.is_empty());
                Failure::Program(Some(output.map_or(detail.clone(), |output| format!("{detail}\n{output}"))))
            }
            // The server has too much to do: nothing is wrong with what was asked for.
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Failure::Busy(detail),
            status if status.is_client_error() => Failure::Usage(detail),
            _ => Failure::System(detail),
        }
    }
}

impl Iterator for Lines<'_> {
    type Item = String;

    /// `None` when the server ended the stream, or went away.
    fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.read.len() > LINE_BYTES_MAX {
                return None;
            }
            let frame = self.client.reactor.block_on(self.body.frame())?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.read.extend_from_slice(&data);
            }
        }
    }
}

/// A part of a path, with everything encoded that has a meaning in one.
pub fn segment(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' | b'.' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_paths_are_encoded() {
        assert_eq!(segment("a/b c?é"), "a%2Fb%20c%3F%C3%A9");
    }

    #[test]
    fn what_passes_is_not_the_users_fault() {
        let failure = |status| Answer { status, headers: HeaderMap::new(), body: r#"{"detail":"later"}"#.into() }.failure();
        for status in [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE] {
            assert!(matches!(failure(status), Failure::Busy(sentence) if sentence == "later"), "{status}");
        }
        assert!(matches!(failure(StatusCode::BAD_REQUEST), Failure::Usage(_)));
        assert!(matches!(failure(StatusCode::INTERNAL_SERVER_ERROR), Failure::System(_)));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in ["127.0.0.1:7878", "https://x.test", "http://x.test/path", "http://", ""] {
            assert!(matches!(Client::of(wrong), Err(Failure::Usage(_))), "{wrong}");
        }
        assert_eq!(Client::of("http://x.test").map(|client| client.authority).unwrap_or_default(), "x.test:80");
    }
}
