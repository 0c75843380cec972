//! A request as environment variables (RFC 3875, section 4.1).

use std::net::{IpAddr, SocketAddr};

use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, PROXY_AUTHORIZATION};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Version};

/// How long all variables made from headers may be together, in bytes; headers beyond are left out.
const HEADER_VARIABLES_BYTES_MAX: usize = 64 << 10;

const SOFTWARE: &str = concat!("Vivarium/", env!("CARGO_PKG_VERSION"));

/// What a request says nothing reliable about.
#[derive(Debug, Clone)]
pub struct Connection<'c> {
    pub peer: SocketAddr,
    /// The listener's address: the server's name and port where the request has no Host.
    pub local: SocketAddr,
    /// Length of the body as it will be read on standard input, in bytes.
    pub body_bytes: u64,
    /// Where the program is mounted: "" on a host of its own, else a path like "/_d/fern" that the request's path no longer begins with.
    pub script_name: &'c str,
}

/// The variables for a request. PATH_TRANSLATED is never set: there is no file behind a path. Bytes that are no UTF-8 are replaced.
pub fn environment(parts: &Parts, connection: &Connection<'_>) -> Vec<(String, String)> {
    let mut variables = server_variables(parts, connection);
    variables.extend(request_variables(parts, connection));
    variables.extend(header_variables(&parts.headers));
    variables
}

fn server_variables(parts: &Parts, connection: &Connection<'_>) -> Vec<(String, String)> {
    let (name, port) = server(parts, connection.local);
    let peer = connection.peer.ip().to_canonical().to_string();
    named([
        ("GATEWAY_INTERFACE", "CGI/1.1".to_string()),
        ("SERVER_SOFTWARE", SOFTWARE.to_string()),
        ("SERVER_PROTOCOL", protocol(parts.version).to_string()),
        ("SERVER_NAME", name),
        ("SERVER_PORT", port.to_string()),
        ("REMOTE_ADDR", peer.clone()),
        ("REMOTE_HOST", peer),
        ("REMOTE_PORT", connection.peer.port().to_string()),
    ])
}

fn request_variables(parts: &Parts, connection: &Connection<'_>) -> Vec<(String, String)> {
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let path = parts.uri.path();
    let path_info = if path.starts_with('/') { percent_decode(path) } else { String::new() };
    let mut variables = named([
        ("REQUEST_METHOD", parts.method.as_str().to_string()),
        ("REQUEST_URI", format!("{}{target}", connection.script_name)),
        ("SCRIPT_NAME", connection.script_name.to_string()),
        ("PATH_INFO", path_info),
        ("QUERY_STRING", parts.uri.query().unwrap_or_default().to_string()),
    ]);
    if connection.body_bytes > 0 || parts.headers.contains_key(CONTENT_LENGTH) {
        variables.push(("CONTENT_LENGTH".to_string(), connection.body_bytes.to_string()));
    }
    if let Some(value) = parts.headers.get(CONTENT_TYPE) {
        variables.push(("CONTENT_TYPE".to_string(), text(value)));
    }
    variables
}

fn named<const N: usize>(variables: [(&str, String); N]) -> Vec<(String, String)> {
    variables.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

/// The server's name and port, as the request addressed it.
fn server(parts: &Parts, local: SocketAddr) -> (String, u16) {
    let host = parts.headers.get(HOST).and_then(|value| value.to_str().ok()?.parse().ok());
    match host.or_else(|| parts.uri.authority().cloned()) {
        Some(authority) => (authority.host().to_ascii_lowercase(), authority.port_u16().unwrap_or(local.port())),
        None => (bracketed(local.ip()), local.port()),
    }
}

fn bracketed(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// `HTTP_…` for each header, values of the same name joined.
fn header_variables(headers: &HeaderMap) -> Vec<(String, String)> {
    let connection_options = connection_options(headers);
    let mut variables = Vec::new();
    let mut left_bytes = HEADER_VARIABLES_BYTES_MAX;
    for name in headers.keys().filter(|name| is_shown(name) && !connection_options.contains(&name.as_str().to_string())) {
        let variable = format!("HTTP_{}", name.as_str().to_ascii_uppercase().replace('-', "_"));
        let separator = if name == COOKIE { "; " } else { ", " };
        let value = headers.get_all(name).iter().map(text).collect::<Vec<_>>().join(separator);
        if let Some(rest) = left_bytes.checked_sub(variable.len() + value.len()) {
            left_bytes = rest;
            variables.push((variable, value));
        }
    }
    variables
}

/// Whether a program gets to see a header. Not: those with a variable of their own, credentials (RFC 3875, 4.1.18), those between client and
/// server only, `Proxy` (it would become HTTP_PROXY, which programs obey), and names that could pass for another one's variable.
fn is_shown(name: &HeaderName) -> bool {
    const HOP_BY_HOP: [&str; 7] = ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];
    let own_variable = name == CONTENT_TYPE || name == CONTENT_LENGTH;
    let credentials = name == AUTHORIZATION || name == PROXY_AUTHORIZATION;
    let spelled = name.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    spelled && !own_variable && !credentials && name != "proxy" && !HOP_BY_HOP.contains(&name.as_str())
}

/// The headers that `Connection` declares to be for this connection only.
fn connection_options(headers: &HeaderMap) -> Vec<String> {
    let lists = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(|option| option.trim().to_ascii_lowercase()).collect()
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// Decodes `%XX`. A zero byte stays encoded: it would end the string where the guest reads it.
fn percent_decode(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match escape(&bytes[at..]) {
            Some(byte) if byte != 0 => {
                decoded.push(byte);
                at += 3;
            }
            _ => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn escape(bytes: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = bytes else { return None };
    let (high, low) = ((*high as char).to_digit(16)?, (*low as char).to_digit(16)?);
    Some((high * 16 + low) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn variables(request: http::request::Builder, body_bytes: u64) -> Vec<(String, String)> {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let connection = Connection {
            peer: "[::ffff:192.0.2.1]:5000".parse().unwrap(),
            local: "127.0.0.1:7879".parse().unwrap(),
            body_bytes,
            script_name: "",
        };
        environment(&parts, &connection)
    }

    #[track_caller]
    fn check(request: http::request::Builder, expected: &[(&str, Option<&str>)]) {
        let variables = variables(request, 0);
        for (name, value) in expected {
            let found: Vec<&str> = variables.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str()).collect();
            assert_eq!(found, value.iter().copied().collect::<Vec<_>>(), "{name}");
        }
    }

    #[test]
    fn the_request_line() {
        let request = Request::get("http://fern.localhost:7879/a%20b/%C3%A4%2f%00%zz%4?x=%20&y").header("host", "Fern.localhost:7879");
        check(
            request,
            &[
                ("REQUEST_METHOD", Some("GET")),
                ("SCRIPT_NAME", Some("")),
                ("PATH_INFO", Some("/a b/ä/%00%zz%4")),
                ("PATH_TRANSLATED", None),
                ("QUERY_STRING", Some("x=%20&y")),
                ("REQUEST_URI", Some("/a%20b/%C3%A4%2f%00%zz%4?x=%20&y")),
                ("SERVER_PROTOCOL", Some("HTTP/1.1")),
                ("GATEWAY_INTERFACE", Some("CGI/1.1")),
                ("SERVER_NAME", Some("fern.localhost")),
                ("SERVER_PORT", Some("7879")),
                ("REMOTE_ADDR", Some("192.0.2.1")),
                ("CONTENT_LENGTH", None),
                ("CONTENT_TYPE", None),
            ],
        );
        check(Request::get("/"), &[("QUERY_STRING", Some("")), ("SERVER_NAME", Some("127.0.0.1")), ("PATH_INFO", Some("/"))]);
        check(Request::options("*"), &[("PATH_INFO", Some(""))]);
    }

    #[test]
    fn a_body_has_length_and_type() {
        let found = variables(Request::post("/").header("content-type", "text/plain").header("content-length", "999"), 5);
        assert!(found.contains(&("CONTENT_LENGTH".into(), "5".into())));
        assert!(found.contains(&("CONTENT_TYPE".into(), "text/plain".into())));
        assert!(!found.iter().any(|(name, _)| name.starts_with("HTTP_CONTENT")));
    }

    #[test]
    fn headers_become_variables() {
        let request = Request::get("/").header("accept", "a").header("accept", "b").header("cookie", "c=1").header("cookie", "d=2");
        check(request.header("x-y", "z"), &[("HTTP_ACCEPT", Some("a, b")), ("HTTP_COOKIE", Some("c=1; d=2")), ("HTTP_X_Y", Some("z"))]);
    }

    #[test]
    fn some_headers_are_kept_back() {
        let request = Request::get("/").header("proxy", "evil:1").header("authorization", "Bearer x").header("connection", "X-Hop, close");
        let request = request.header("x-hop", "1").header("x_real", "spoofed").header("keep-alive", "5").header("x-kept", "yes");
        check(
            request.header("upgrade", "h2c").header("transfer-encoding", "chunked").header("te", "trailers").header("x.y", "z"),
            &[
                ("HTTP_PROXY", None),
                ("HTTP_AUTHORIZATION", None),
                ("HTTP_CONNECTION", None),
                ("HTTP_X_HOP", None),
                ("HTTP_X_REAL", None),
                ("HTTP_KEEP_ALIVE", None),
                ("HTTP_UPGRADE", None),
                ("HTTP_TRANSFER_ENCODING", None),
                ("HTTP_TE", None),
                ("HTTP_X.Y", None),
                ("HTTP_X_KEPT", Some("yes")),
            ],
        );
    }

    #[test]
    fn headers_are_bounded() {
        let long = "v".repeat(40_000);
        let found = variables(Request::get("/").header("a", &long).header("b", &long).header("c", "short"), 0);
        let headers: usize = found.iter().filter(|(name, _)| name.starts_with("HTTP_")).map(|(name, value)| name.len() + value.len()).sum();
        assert!(headers <= HEADER_VARIABLES_BYTES_MAX);
        assert!(found.contains(&("HTTP_C".into(), "short".into())));
    }

    #[test]
    fn a_mounted_program_knows_where() {
        let (parts, ()) = Request::get("/x?q").body(()).unwrap().into_parts();
        let local = "[::1]:80".parse().unwrap();
        let found = environment(&parts, &Connection { peer: local, local, body_bytes: 0, script_name: "/_d/fern" });
        for (name, value) in [("SCRIPT_NAME", "/_d/fern"), ("PATH_INFO", "/x"), ("REQUEST_URI", "/_d/fern/x?q"), ("SERVER_NAME", "[::1]")] {
            assert!(found.contains(&(name.into(), value.into())), "{name}");
        }
    }
}
