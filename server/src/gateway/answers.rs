//! Responses: the guest's own, cleaned of what is not its business, and the server's pages where the guest has none.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION,
    RETRY_AFTER, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{Response, StatusCode};

use super::payload::Payload;
use crate::control::messages::Timings;
use crate::pages::VISITOR_POLICY;

pub type Answer = Response<Payload>;

/// The number under which the deployment's reports and log lines have this request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("vivarium-request-id");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
/// Between this server and the visitor only (RFC 9110, 7.6.1).
const OF_THE_CONNECTION: [HeaderName; 8] = [
    CONNECTION,
    CONTENT_LENGTH,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];
/// What would reach siblings, or outlive the deployment in the browser of whoever visited it: cookies and storage of a whole site that would be cleared,
/// scripts between a page and its server, other addresses and protocols from now on, a site's own protection from its siblings.
const OF_THE_SITE: [HeaderName; 7] = [
    HeaderName::from_static("clear-site-data"),
    HeaderName::from_static("service-worker-allowed"),
    HeaderName::from_static("strict-transport-security"),
    HeaderName::from_static("public-key-pins"),
    HeaderName::from_static("alt-svc"),
    HeaderName::from_static("expect-ct"),
    HeaderName::from_static("origin-agent-cluster"),
];
/// What would reach beyond one deployment where several share an origin.
const OF_THE_ORIGIN: [HeaderName; 1] = [SET_COOKIE];
/// All deployments share an origin in the path form: its documents get an opaque one.
const PATH_FORM_POLICY: HeaderValue = HeaderValue::from_static("sandbox allow-scripts allow-forms allow-popups");

/// A page of the server.
pub fn page(status: u16, html: String) -> Answer {
    let mut answer = Response::new(Bytes::from(html).into());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(VISITOR_POLICY));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// A page that asks the visitor to come again.
pub fn page_with_retry(status: u16, html: String, retry_after_seconds: u32) -> Answer {
    let mut answer = page(status, html);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after_seconds));
    answer
}

/// One sentence, for what no page is made for.
pub fn sentence(status: StatusCode, sentence: &'static str) -> Answer {
    let mut answer = Response::new(Bytes::from_static(sentence.as_bytes()).into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    }
    answer
}

/// What follows a request that was not understood may be anything: the connection is closed.
pub fn not_understood(said: &'static str) -> Answer {
    let mut answer = sentence(StatusCode::BAD_REQUEST, said);
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

pub fn redirect(location: &str) -> Answer {
    let mut answer = sentence(StatusCode::PERMANENT_REDIRECT, "The path form of a deployment ends in a slash.\n");
    if let Ok(location) = HeaderValue::from_str(location) {
        answer.headers_mut().insert(LOCATION, location);
    }
    answer
}

/// Bytes that hold something until they have been sent, or given up.
struct Held<T> {
    bytes: Bytes,
    _until_sent: T,
}

impl<T> AsRef<[u8]> for Held<T> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The same bytes; `until_sent` is dropped with the last reference to them, when a connection has written them or has ended.
pub fn hold<T: Send + 'static>(bytes: Bytes, until_sent: T) -> Bytes {
    Bytes::from_owner(Held { bytes, _until_sent: until_sent })
}

/// As [`hold`], for an answer in pieces: until the last of them has been sent.
pub fn hold_all<T: Send + 'static>(mut pieces: Vec<Bytes>, until_sent: T) -> Vec<Bytes> {
    if let Some(last) = pieces.pop() {
        pieces.push(hold(last, until_sent));
    }
    pieces
}

/// A header that a guest gave and that is not its to give. Lengths and encodings of bodies are worked out anew, which no guest need know.
pub fn not_a_guests(headers: &HeaderMap) -> Option<HeaderName> {
    let silent = [CONTENT_LENGTH, TRANSFER_ENCODING];
    OF_THE_CONNECTION.into_iter().find(|name| headers.contains_key(name) && !silent.contains(name))
}

/// What the guest said.
pub fn of_guest(status: StatusCode, mut headers: HeaderMap, body: impl Into<Payload>) -> Answer {
    for name in OF_THE_CONNECTION.into_iter().chain(OF_THE_SITE) {
        headers.remove(name);
    }
    keep_own_cookies(&mut headers);
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    answer
}

/// What the path form takes from every answer.
pub fn in_path_form(answer: &mut Answer) {
    for name in OF_THE_ORIGIN {
        answer.headers_mut().remove(name);
    }
    answer.headers_mut().append(CONTENT_SECURITY_POLICY, PATH_FORM_POLICY);
}

/// What a guest says of it itself does not count.
pub fn add_request_id(answer: &mut Answer, id: u64) {
    answer.headers_mut().insert(REQUEST_ID, HeaderValue::from(id));
}

/// The stages of this request, in milliseconds, as browsers show them.
pub fn add_timings(answer: &mut Answer, timings: &Timings) {
    let stages = [("queue", timings.queue), ("instantiate", timings.instantiate), ("run", timings.run), ("reset", timings.reset)];
    let listed: Vec<String> = stages.into_iter().filter_map(|(name, us)| us.map(|us| format!("{name};dur={:.4}", us / 1000.0))).collect();
    if let Ok(value) = HeaderValue::from_str(&listed.join(", ")) {
        answer.headers_mut().append(SERVER_TIMING, value);
    }
}

/// A cookie with a domain would be sent to sibling deployments.
fn keep_own_cookies(headers: &mut HeaderMap) {
    let shared = |cookie: &HeaderValue| {
        cookie.as_bytes().split(|byte| *byte == b';').skip(1).any(|attribute| {
            let name = attribute.split(|byte| *byte == b'=').next().unwrap_or_default();
            name.trim_ascii().eq_ignore_ascii_case(b"domain")
        })
    };
    let own: Vec<HeaderValue> = headers.get_all(SET_COOKIE).iter().filter(|cookie| !shared(cookie)).cloned().collect();
    headers.remove(SET_COOKIE);
    for cookie in own {
        headers.append(SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_guest_does_not_speak_for_the_connection_nor_for_siblings() {
        let said = headers(&[
            ("connection", "close"),
            ("transfer-encoding", "chunked"),
            ("content-length", "7"),
            ("x-own", "kept"),
            ("clear-site-data", "\"*\""),
            ("service-worker-allowed", "/"),
            ("strict-transport-security", "max-age=1"),
            ("alt-svc", "h3=\":1\""),
            ("origin-agent-cluster", "?0"),
            ("set-cookie", "a=1; Path=/"),
            ("set-cookie", "b=2; domain=localhost"),
            ("set-cookie", "c=3; Secure;DOMAIN = x"),
        ]);
        let answer = of_guest(StatusCode::OK, said, Bytes::from_static(b"hello"));
        let kept: Vec<String> = answer.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        assert_eq!(kept, ["x-own: kept", "set-cookie: a=1; Path=/"]);
    }

    #[test]
    fn what_is_held_for_an_answer_is_let_go_with_its_last_byte() {
        let counted = std::sync::Arc::new(());
        let body = hold(Bytes::from_static(b"hello"), counted.clone());
        let mut rest = body.slice(1..);
        drop(body);
        bytes::Buf::advance(&mut rest, 3);
        assert_eq!((&rest[..], std::sync::Arc::strong_count(&counted)), (&b"o"[..], 2));
        drop(rest);
        assert_eq!(std::sync::Arc::strong_count(&counted), 1);
    }

    #[test]
    fn the_path_form_is_sandboxed_beside_the_guests_own_policy() {
        let said = headers(&[("set-cookie", "a=1"), ("clear-site-data", "*"), ("content-security-policy", "default-src 'self'")]);
        let mut answer = of_guest(StatusCode::OK, said, Bytes::new());
        in_path_form(&mut answer);
        let policies: Vec<_> = answer.headers().get_all(CONTENT_SECURITY_POLICY).iter().collect();
        assert_eq!(policies, ["default-src 'self'", "sandbox allow-scripts allow-forms allow-popups"]);
        assert_eq!(answer.headers().len(), 2);
    }

    #[test]
    fn timings_are_told_in_milliseconds() {
        let mut answer = of_guest(StatusCode::OK, HeaderMap::new(), Bytes::new());
        add_timings(&mut answer, &Timings { queue: Some(0.0), run: Some(12_345.6), ..Timings::default() });
        assert_eq!(answer.headers()["server-timing"], "queue;dur=0.0000, run;dur=12.3456");
    }
}
