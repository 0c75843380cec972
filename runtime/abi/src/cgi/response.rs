//! Standard output as a response (RFC 3875, section 6).

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::output::{Output, divide, is_divided};

/// How many headers a response may have.
const HEADERS_MAX: usize = 100;
/// How much of a broken line is shown, in characters.
const SHOWN_CHARACTERS_MAX: usize = 60;

const LENGTH_HINT: &str = "the Content-Length that the program printed is not the length of its body; the real length is sent";

/// A response; its body is the output from `body_start`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CgiResponse {
    pub status: StatusCode,
    /// Without Content-Length and whatever else is the server's business. There is always a Content-Type.
    pub headers: HeaderMap,
    /// Where in the output the body begins.
    pub body_start: usize,
    /// A sentence for the deployment's log: what the program probably meant.
    pub hint: Option<&'static str>,
}

/// A header block that cannot be sent: the visitor gets a 502.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokenHeader {
    #[error("line {line} of the program's output, {text:?}, is no header; an empty line must end the header block")]
    NoHeader { line: usize, text: String },
    #[error("line {line} of the program's output, {text:?}, is a header whose value has a control character")]
    Value { line: usize, text: String },
    #[error("line {line} of the program's output, {text:?}, has no status from 200 to 599")]
    Status { line: usize, text: String },
    #[error(
        "line {line} of the program's output, {text:?}, is a header between server and visitor, which is the server's business: leave it out"
    )]
    OfConnection { line: usize, text: String },
    #[error("the program printed more than {HEADERS_MAX} headers")]
    TooMany,
}

/// What is certain of the response while the program still runs; none as long as that depends on what it prints next. Content-Length is left out
/// unread: the length of the body is not known.
pub fn begun(stdout: &[u8]) -> Option<Result<CgiResponse, BrokenHeader>> {
    let known = |response: CgiResponse| CgiResponse { hint: response.hint.filter(|hint| *hint != LENGTH_HINT), ..response };
    is_divided(stdout).then(|| parse(stdout).map(known))
}

/// Reads a program's output. Names and values of headers are valid, and none belongs to the connection.
pub fn parse(stdout: &[u8]) -> Result<CgiResponse, BrokenHeader> {
    match divide(stdout) {
        Output::Headed { lines, body_start } => headed(&lines, body_start, &stdout[body_start..]),
        Output::Body { hint } => Ok(CgiResponse { status: StatusCode::OK, headers: plain(stdout), body_start: 0, hint: Some(hint) }),
    }
}

/// The header of a body that has none.
fn plain(body: &[u8]) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, default_type(body))])
}

fn default_type(body: &[u8]) -> HeaderValue {
    // The last character may not be whole yet.
    let text = std::str::from_utf8(body).map_or_else(|error| error.error_len().is_none(), |_| true);
    HeaderValue::from_static(if text { "text/plain; charset=utf-8" } else { "application/octet-stream" })
}

fn headed(lines: &[&[u8]], body_start: usize, body: &[u8]) -> Result<CgiResponse, BrokenHeader> {
    let (mut status, mut headers) = (None, HeaderMap::new());
    if lines.len() > HEADERS_MAX {
        return Err(BrokenHeader::TooMany);
    }
    for (n, line) in lines.iter().enumerate() {
        let (name, value) = header(n + 1, line)?;
        if name == "status" {
            status = Some(status_code(value.as_bytes()).ok_or_else(|| BrokenHeader::Status { line: n + 1, text: shown(line) })?);
        } else {
            if OF_CONNECTION.contains(&name.as_str()) {
                return Err(BrokenHeader::OfConnection { line: n + 1, text: shown(line) });
            }
            add(&mut headers, name, value)?;
        }
    }
    let hint = length_hint(&mut headers, body);
    let default_status = if headers.contains_key(LOCATION) { StatusCode::FOUND } else { StatusCode::OK };
    headers.entry(CONTENT_TYPE).or_insert_with(|| default_type(body));
    Ok(CgiResponse { status: status.unwrap_or(default_status), headers, body_start, hint })
}

/// One line, from 1. A line that continues the one before it (obsolete since RFC 7230) is no header.
fn header(line: usize, bytes: &[u8]) -> Result<(HeaderName, HeaderValue), BrokenHeader> {
    let no_header = || BrokenHeader::NoHeader { line, text: shown(bytes) };
    let colon = bytes.iter().position(|byte| *byte == b':').ok_or_else(no_header)?;
    let name = HeaderName::from_bytes(&bytes[..colon]).map_err(|_| no_header())?;
    let value = HeaderValue::from_bytes(bytes[colon + 1..].trim_ascii()).map_err(|_| BrokenHeader::Value { line, text: shown(bytes) })?;
    Ok((name, value))
}

/// `404` or `404 Not Found`. A provisional status cannot be the answer.
fn status_code(value: &[u8]) -> Option<StatusCode> {
    let digits = value.split(|byte| *byte == b' ').next()?;
    StatusCode::from_bytes(digits).ok().filter(|status| (200..600).contains(&status.as_u16()))
}

/// Between server and visitor only (RFC 9110, 7.6.1). Who prints one means to speak for the connection, and would be misunderstood.
const OF_CONNECTION: [&str; 7] = ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];
/// Would reach beyond this deployment's path.
const SERVICE_WORKER_ALLOWED: &str = "service-worker-allowed";

fn add(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) -> Result<(), BrokenHeader> {
    if name == SERVICE_WORKER_ALLOWED {
        return Ok(());
    }
    let value = if name == SET_COOKIE { without_domain(value) } else { value };
    let several = name == SET_COOKIE || ![CONTENT_TYPE, CONTENT_LENGTH, LOCATION].contains(&name);
    let added = if several { headers.try_append(name, value).map(drop) } else { headers.try_insert(name, value).map(drop) };
    added.map_err(|_| BrokenHeader::TooMany)
}

/// A cookie without `Domain`: it stays with the host that set it.
fn without_domain(cookie: HeaderValue) -> HeaderValue {
    let parts = cookie.as_bytes().split(|byte| *byte == b';').enumerate();
    let kept: Vec<&[u8]> = parts.filter(|(n, part)| *n == 0 || !is_domain(part)).map(|(_, part)| part).collect();
    HeaderValue::from_bytes(&kept.join(&b';')).unwrap_or(cookie)
}

fn is_domain(attribute: &[u8]) -> bool {
    attribute.split(|byte| *byte == b'=').next().is_some_and(|name| name.trim_ascii().eq_ignore_ascii_case(b"domain"))
}

/// Takes Content-Length out: the server counts for itself.
fn length_hint(headers: &mut HeaderMap, body: &[u8]) -> Option<&'static str> {
    let alleged = headers.remove(CONTENT_LENGTH)?;
    if alleged.as_bytes() == body.len().to_string().as_bytes() { None } else { Some(LENGTH_HINT) }
}

/// The beginning of a line, for a message.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut shown: String = text.chars().take(SHOWN_CHARACTERS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stdout: &str, status: u16, headers: &[(&str, &str)], body: &str) -> Option<&'static str> {
        let response = parse(stdout.as_bytes()).unwrap();
        let found: Vec<(&str, &str)> = response.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!((response.status.as_u16(), &found[..], &stdout[response.body_start..]), (status, headers, body), "{stdout:?}");
        response.hint
    }

    #[track_caller]
    fn broken(stdout: &str, sentence: &str) {
        assert_eq!(parse(stdout.as_bytes()).unwrap_err().to_string(), sentence);
    }

    const HTML: (&str, &str) = ("content-type", "text/html");
    const PLAIN: (&str, &str) = ("content-type", "text/plain; charset=utf-8");

    #[test]
    fn statuses_and_types() {
        check("Content-Type: text/html\n\n<p>", 200, &[HTML], "<p>");
        check("Content-type:text/html\r\n\r\n<p>", 200, &[HTML], "<p>");
        check("Status: 404 Not Found\nContent-Type: text/html\n\n", 404, &[HTML], "");
        check("Status: 204\n\n", 204, &[PLAIN], "");
        check("Location: https://example.org/\n\n", 302, &[("location", "https://example.org/"), PLAIN], "");
        check("Location: /there\nStatus: 301\n\n", 301, &[("location", "/there"), PLAIN], "");
        check("X-A: 1\nX-A: 2\nContent-Type: text/html\n\n", 200, &[("x-a", "1"), ("x-a", "2"), HTML], "");
        check("Content-Type: a/b\nContent-Type: text/html\n\n", 200, &[HTML], "");
    }

    #[test]
    fn output_without_header_is_text() {
        assert!(check("hello\n", 200, &[PLAIN], "hello\n").is_some());
        assert!(check("Hello: world\n\n", 200, &[PLAIN], "Hello: world\n\n").is_some());
        assert!(check("<html>", 200, &[PLAIN], "<html>").unwrap().contains("text/html"));
        assert!(check("", 200, &[PLAIN], "").is_some());
        assert_eq!(parse(b"\x89PNG\r\n").unwrap().headers[CONTENT_TYPE], "application/octet-stream");
    }

    #[test]
    fn what_belongs_to_the_connection_is_refused() {
        for header in
            ["Connection: close", "Transfer-Encoding: chunked", "Keep-Alive: 5", "upgrade: x", "TE: x", "Trailer: x", "Proxy-Connection: x"]
        {
            let found = parse(format!("Content-Type: text/html\n{header}\n\n<p>").as_bytes());
            assert_eq!(found, Err(BrokenHeader::OfConnection { line: 2, text: header.into() }));
        }
        check("Service-Worker-Allowed: /\nContent-Type: text/html\n\n<p>", 200, &[HTML], "<p>");
    }

    #[test]
    fn a_response_begins_when_its_head_is_certain() {
        let head = |stdout: &[u8]| begun(stdout).map(|response| response.map(|response| (response.status.as_u16(), response.body_start)));
        assert_eq!(head(b"Status: 201\nContent-Type: a/b\n"), None);
        assert_eq!(head(b"Status: 201\nContent-Type: a/b\n\n"), Some(Ok((201, 31))));
        assert_eq!(head(b"hello\n"), Some(Ok((200, 0))));
        assert!(matches!(head(b"Status: x\n\n"), Some(Err(BrokenHeader::Status { .. }))));
        let with_length = begun(b"Content-Length: 99\nStatus: 200\n\nab").unwrap().unwrap();
        assert_eq!((with_length.hint, with_length.headers.len()), (None, 1));
        let half_a_character = begun("hello \u{e4}".as_bytes().split_last().unwrap().1).unwrap().unwrap();
        assert_eq!(half_a_character.headers[CONTENT_TYPE], "text/plain; charset=utf-8");
    }

    #[test]
    fn the_length_is_counted() {
        assert_eq!(check("Content-Type: text/html\nContent-Length: 3\n\n<p>", 200, &[HTML], "<p>"), None);
        assert_eq!(check("Content-Type: text/html\nContent-Length: 4\n\n<p>", 200, &[HTML], "<p>"), Some(LENGTH_HINT));
        assert_eq!(check("Content-Type: text/html\nContent-Length: x\n\n<p>", 200, &[HTML], "<p>"), Some(LENGTH_HINT));
    }

    #[test]
    fn cookies_stay_with_their_host() {
        let cookies = [
            ("a=1; Domain=localhost; Path=/", "a=1; Path=/"),
            ("a=1;domain = .localhost", "a=1"),
            ("a=1; DOMAIN", "a=1"),
            ("domain=x; HttpOnly", "domain=x; HttpOnly"),
            ("a=domain", "a=domain"),
        ];
        for (printed, sent) in cookies {
            check(&format!("Content-Type: text/html\nSet-Cookie: {printed}\n\n"), 200, &[HTML, ("set-cookie", sent)], "");
        }
    }

    #[test]
    fn broken_headers_are_sentences() {
        broken(
            "Content-Type: text/html\n<p>forgotten line\n\n",
            "line 2 of the program's output, \"<p>forgotten line\", is no header; an empty line must end the header block",
        );
        broken("Status: fine\n\n", "line 1 of the program's output, \"Status: fine\", has no status from 200 to 599");
        broken("Status: 100 Continue\n\n", "line 1 of the program's output, \"Status: 100 Continue\", has no status from 200 to 599");
        broken(
            "X: a\rSet-Cookie: b\nStatus: 200\n\n",
            "line 1 of the program's output, \"X: a\\rSet-Cookie: b\", is a header whose value has a control character",
        );
        for line in [" folded: x", "a b: c", ": empty", "no colon", "sp ace : x", "ä: x", "tab\t: x"] {
            let found = parse(format!("Status: 200\n{line}\n\n").as_bytes());
            assert!(matches!(found, Err(BrokenHeader::NoHeader { line: 2, .. })), "{line:?} gives {found:?}");
        }
        assert!(matches!(parse(b"Status: 200\nX: \0\n\n"), Err(BrokenHeader::Value { .. })));
        assert_eq!(parse(format!("Status: 200\n{}\n", "X: 1\n".repeat(100)).as_bytes()), Err(BrokenHeader::TooMany));
    }

    #[test]
    fn long_lines_are_shortened_in_messages() {
        let text = format!("Status: 200\n{}\n\n", "ä".repeat(1000));
        assert!(parse(text.as_bytes()).unwrap_err().to_string().len() < 300);
    }
}
