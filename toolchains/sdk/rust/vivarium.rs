//! What a program in Rust may ask of the server: `use vivarium::…`, and nothing else to do. Thin over the functions that the server offers; the `fastly`
//! crate is there beside it, for programs that answer through the Compute ABI.
//!
//! | | |
//! |---|---|
//! | the visitor | [`Request`], [`form_value`] |
//! | the answer | [`respond`], [`escape`] |
//! | what is kept | [`kv`], [`config`], [`secret`] |
//! | the log | [`log`] |
//! | backends | [`Fetch`] |

use std::io::{Read as _, Write as _};
use std::{env, fmt, io};

/// The functions of the server. Each checks every range that it is given, whatever the program says.
mod abi {
    #[link(wasm_import_module = "fastly_kv_store")]
    unsafe extern "C" {
        #[link_name = "open"]
        pub safe fn kv_open(name: *const u8, len: usize, store: &mut u32) -> i32;
        #[link_name = "lookup"]
        pub safe fn kv_lookup(store: u32, key: *const u8, len: usize, mask: u32, options: &u32, pending: &mut u32) -> i32;
        #[link_name = "lookup_wait_v2"]
        pub safe fn kv_lookup_wait(
            pending: u32,
            body: &mut u32,
            metadata: *mut u8,
            metadata_len: usize,
            written: &mut usize,
            generation: &mut u64,
            error: &mut u32,
        ) -> i32;
        #[link_name = "insert"]
        pub safe fn kv_insert(store: u32, key: *const u8, len: usize, body: u32, mask: u32, options: &[u64; 4], pending: &mut u32) -> i32;
        #[link_name = "insert_wait"]
        pub safe fn kv_insert_wait(pending: u32, error: &mut u32) -> i32;
        #[link_name = "delete"]
        pub safe fn kv_delete(store: u32, key: *const u8, len: usize, mask: u32, options: &u32, pending: &mut u32) -> i32;
        #[link_name = "delete_wait"]
        pub safe fn kv_delete_wait(pending: u32, error: &mut u32) -> i32;
    }

    #[link(wasm_import_module = "fastly_config_store")]
    unsafe extern "C" {
        #[link_name = "open"]
        pub safe fn config_open(name: *const u8, len: usize, store: &mut u32) -> i32;
        #[link_name = "get"]
        pub safe fn config_get(store: u32, key: *const u8, len: usize, value: *mut u8, max: usize, written: &mut usize) -> i32;
    }

    #[link(wasm_import_module = "fastly_secret_store")]
    unsafe extern "C" {
        #[link_name = "open"]
        pub safe fn secrets_open(name: *const u8, len: usize, store: &mut u32) -> i32;
        #[link_name = "get"]
        pub safe fn secret_get(store: u32, name: *const u8, len: usize, secret: &mut u32) -> i32;
        #[link_name = "plaintext"]
        pub safe fn secret_plaintext(secret: u32, value: *mut u8, max: usize, written: &mut usize) -> i32;
    }

    #[link(wasm_import_module = "fastly_log")]
    unsafe extern "C" {
        #[link_name = "endpoint_get"]
        pub safe fn log_open(name: *const u8, len: usize, endpoint: &mut u32) -> i32;
        #[link_name = "write"]
        pub safe fn log_write(endpoint: u32, text: *const u8, len: usize, written: &mut usize) -> i32;
    }

    #[link(wasm_import_module = "fastly_http_body")]
    unsafe extern "C" {
        #[link_name = "new"]
        pub safe fn body_new(body: &mut u32) -> i32;
        #[link_name = "read"]
        pub safe fn body_read(body: u32, buffer: *mut u8, len: usize, read: &mut usize) -> i32;
        #[link_name = "write"]
        pub safe fn body_write(body: u32, bytes: *const u8, len: usize, end: u32, written: &mut usize) -> i32;
        #[link_name = "close"]
        pub safe fn body_close(body: u32) -> i32;
    }

    #[link(wasm_import_module = "fastly_http_req")]
    unsafe extern "C" {
        #[link_name = "new"]
        pub safe fn request_new(request: &mut u32) -> i32;
        #[link_name = "method_set"]
        pub safe fn request_method(request: u32, method: *const u8, len: usize) -> i32;
        #[link_name = "uri_set"]
        pub safe fn request_uri(request: u32, uri: *const u8, len: usize) -> i32;
        #[link_name = "header_append"]
        pub safe fn request_header(request: u32, name: *const u8, name_len: usize, value: *const u8, value_len: usize) -> i32;
        #[link_name = "send_async"]
        pub safe fn request_send(request: u32, body: u32, backend: *const u8, len: usize, pending: &mut u32) -> i32;
        #[link_name = "pending_req_wait"]
        pub safe fn request_wait(pending: u32, answer: &mut u32, body: &mut u32) -> i32;
    }

    #[link(wasm_import_module = "fastly_http_resp")]
    unsafe extern "C" {
        #[link_name = "status_get"]
        pub safe fn answer_status(answer: u32, status: &mut u16) -> i32;
        #[link_name = "header_value_get"]
        pub safe fn answer_header(answer: u32, name: *const u8, len: usize, value: *mut u8, max: usize, written: &mut usize) -> i32;
    }
}

/// What was asked of the server and did not work: the number that it answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error(pub i32);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered {}", self.0)
    }
}

impl std::error::Error for Error {}

fn check(status: i32) -> Result<(), Error> {
    if status == 0 { Ok(()) } else { Err(Error(status)) }
}

/// What the call writes, whose length it tells; once more with a larger buffer where the first was too short.
fn filled(mut call: impl FnMut(*mut u8, usize, &mut usize) -> i32) -> Result<Vec<u8>, Error> {
    const TOO_SHORT: i32 = 4;
    let (mut buffer, mut written) = (vec![0; 256], 0);
    let mut status = call(buffer.as_mut_ptr(), buffer.len(), &mut written);
    if status == TOO_SHORT {
        buffer.resize(written, 0);
        status = call(buffer.as_mut_ptr(), buffer.len(), &mut written);
    }
    check(status)?;
    buffer.truncate(written);
    Ok(buffer)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The request that this instance answers.
#[derive(Clone, Copy, Debug)]
pub struct Request;

impl Request {
    /// As in "GET".
    pub fn method(self) -> String {
        env::var("REQUEST_METHOD").unwrap_or_default()
    }

    /// Decoded, without the query.
    pub fn path(self) -> String {
        env::var("PATH_INFO").unwrap_or_default()
    }

    /// A parameter of the query, decoded.
    pub fn parameter(self, name: &str) -> Option<String> {
        form_value(&env::var("QUERY_STRING").unwrap_or_default(), name)
    }

    /// A header, whatever the case of its name.
    pub fn header(self, name: &str) -> Option<String> {
        let name = name.to_ascii_uppercase().replace('-', "_");
        let own = matches!(name.as_str(), "CONTENT_TYPE" | "CONTENT_LENGTH");
        env::var(if own { name } else { format!("HTTP_{name}") }).ok()
    }

    /// The whole body.
    pub fn body(self) -> Vec<u8> {
        let mut body = Vec::new();
        // What cannot be read any more is the end.
        let _ = io::stdin().read_to_end(&mut body);
        body
    }
}

/// A value of `name=value&…`, decoded: of a query, or of a form that was sent.
pub fn form_value(form: &str, name: &str) -> Option<String> {
    let value = form.split('&').find_map(|pair| pair.split_once('=').filter(|(found, _)| *found == name))?.1;
    let (mut bytes, mut rest) = (Vec::new(), value.as_bytes());
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        let (byte, after) = match (byte, digits) {
            (b'%', Some(decoded)) => (decoded, &after[2..]),
            (b'+', _) => (b' ', after),
            _ => (byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
    Some(text(bytes))
}

/// Answers the request.
pub fn respond(status: u16, content_type: &str, body: impl AsRef<[u8]>) {
    let mut out = io::stdout().lock();
    // A visitor who left is told nothing.
    let _ = write!(out, "Status: {status}\r\nContent-Type: {content_type}\r\n\r\n").and_then(|()| out.write_all(body.as_ref()));
}

/// Text as a browser shows it as it is.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Values that are kept from one request to the next.
pub mod kv {
    use super::{Error, abi, check, read_all, write_all};

    const OK: u32 = 1;

    fn store() -> Result<u32, Error> {
        let mut store = 0;
        check(abi::kv_open("kv".as_ptr(), 2, &mut store))?;
        Ok(store)
    }

    /// The value under a key.
    pub fn get(key: &str) -> Option<Vec<u8>> {
        let (mut pending, mut body, mut written, mut generation, mut error) = (0, 0, 0, 0, 0);
        let mut metadata = [0; 2048];
        check(abi::kv_lookup(store().ok()?, key.as_ptr(), key.len(), 0, &0, &mut pending)).ok()?;
        let status =
            abi::kv_lookup_wait(pending, &mut body, metadata.as_mut_ptr(), metadata.len(), &mut written, &mut generation, &mut error);
        check(status).ok().filter(|()| error == OK)?;
        read_all(body).ok()
    }

    /// Keeps a value under a key, for all requests from now on. When this returns it is stored for good.
    pub fn set(key: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
        let (mut pending, mut error) = (0, 0);
        let body = write_all(value.as_ref())?;
        check(abi::kv_insert(store()?, key.as_ptr(), key.len(), body, 0, &[0; 4], &mut pending))?;
        check(abi::kv_insert_wait(pending, &mut error))?;
        if error == OK { Ok(()) } else { Err(Error(error as i32)) }
    }

    /// Forgets a key. One that is not there is no failure.
    pub fn delete(key: &str) -> Result<(), Error> {
        let (mut pending, mut error) = (0, 0);
        check(abi::kv_delete(store()?, key.as_ptr(), key.len(), 0, &0, &mut pending))?;
        check(abi::kv_delete_wait(pending, &mut error))
    }
}

/// A value of a config store of the deployment.
pub fn config(store: &str, key: &str) -> Option<String> {
    let mut handle = 0;
    check(abi::config_open(store.as_ptr(), store.len(), &mut handle)).ok()?;
    filled(|buffer, max, written| abi::config_get(handle, key.as_ptr(), key.len(), buffer, max, written)).ok().map(text)
}

/// A secret of the deployment.
pub fn secret(name: &str) -> Option<Vec<u8>> {
    let (mut store, mut secret) = (0, 0);
    check(abi::secrets_open("secrets".as_ptr(), "secrets".len(), &mut store)).ok()?;
    check(abi::secret_get(store, name.as_ptr(), name.len(), &mut secret)).ok()?;
    filled(|buffer, max, written| abi::secret_plaintext(secret, buffer, max, written)).ok()
}

/// Writes a line to the deployment's log, under a name.
pub fn log(name: &str, line: &str) {
    let (mut endpoint, mut written) = (0, 0);
    if abi::log_open(name.as_ptr(), name.len(), &mut endpoint) == 0 {
        // A log that is full drops it.
        abi::log_write(endpoint, line.as_ptr(), line.len(), &mut written);
    }
}

fn write_all(mut bytes: &[u8]) -> Result<u32, Error> {
    let (mut body, mut written) = (0, 0);
    check(abi::body_new(&mut body))?;
    while !bytes.is_empty() {
        check(abi::body_write(body, bytes.as_ptr(), bytes.len(), 0, &mut written))?;
        bytes = &bytes[written..];
    }
    Ok(body)
}

fn read_all(body: u32) -> Result<Vec<u8>, Error> {
    let (mut bytes, mut buffer, mut read) = (Vec::new(), [0; 4096], 0);
    loop {
        check(abi::body_read(body, buffer.as_mut_ptr(), buffer.len(), &mut read))?;
        if read == 0 {
            break;
        }
        bytes.extend_from_slice(&buffer[..read]);
    }
    check(abi::body_close(body))?;
    Ok(bytes)
}

/// A request to a backend.
#[derive(Debug)]
pub struct Fetch {
    request: u32,
    body: Vec<u8>,
    error: Option<Error>,
}

/// One that was sent: several may be on their way.
#[derive(Debug)]
#[must_use = "its answer is waited for"]
pub struct Pending(u32);

/// What a backend answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    answer: u32,
    body: u32,
}

impl Fetch {
    /// The path has the query in it.
    pub fn new(method: &str, path: &str) -> Fetch {
        let mut request = 0;
        let made = check(abi::request_new(&mut request))
            .and_then(|()| check(abi::request_method(request, method.as_ptr(), method.len())))
            .and_then(|()| check(abi::request_uri(request, path.as_ptr(), path.len())));
        Fetch { request, body: Vec::new(), error: made.err() }
    }

    pub fn get(path: &str) -> Fetch {
        Fetch::new("GET", path)
    }

    pub fn post(path: &str, body: impl Into<Vec<u8>>) -> Fetch {
        Fetch { body: body.into(), ..Fetch::new("POST", path) }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Fetch {
        let added = check(abi::request_header(self.request, name.as_ptr(), name.len(), value.as_ptr(), value.len()));
        self.error = self.error.or(added.err());
        self
    }

    /// Sends it to a backend that the deployment names, and goes on.
    pub fn send(self, backend: &str) -> Result<Pending, Error> {
        self.error.map_or(Ok(()), Err)?;
        let (body, mut pending) = (write_all(&self.body)?, 0);
        check(abi::request_send(self.request, body, backend.as_ptr(), backend.len(), &mut pending))?;
        Ok(Pending(pending))
    }
}

impl Pending {
    /// Waits for the answer.
    pub fn wait(self) -> Result<Answer, Error> {
        let (mut answer, mut body, mut status) = (0, 0, 0);
        check(abi::request_wait(self.0, &mut answer, &mut body))?;
        check(abi::answer_status(answer, &mut status))?;
        Ok(Answer { status, answer, body })
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<String> {
        filled(|buffer, max, written| abi::answer_header(self.answer, name.as_ptr(), name.len(), buffer, max, written)).ok().map(text)
    }

    /// All of the body; waits for its end.
    pub fn bytes(self) -> Result<Vec<u8>, Error> {
        read_all(self.body)
    }

    /// All of the body, as text.
    pub fn text(self) -> Result<String, Error> {
        self.bytes().map(text)
    }
}
