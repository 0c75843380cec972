//! What every request passes before a handler sees it. A page of somebody else, shown in the same browser, must neither read nor change
//! anything: the Host must be exactly ours (DNS rebinding), and what changes something must come from our own page or from no page.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, HOST, HeaderMap, HeaderName, ORIGIN};
use http::{HeaderValue, Method, StatusCode, Uri};

use super::Workshop;
use super::addresses::Addresses;
use super::problem::Problem;
use crate::heads::{Framing, Refused};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
/// For whatever has no policy of its own: nothing of it may do anything in a browser.
const CLOSED_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// An answer that pages of others may show within theirs, and use: it is asked for by links that this server gave for that.
#[derive(Clone, Copy)]
pub struct Framable;

/// What such an answer has instead. Whom it lets frame it is in its own policy.
const FRAMABLE_HEADERS: [(HeaderName, &str); 1] = [(HeaderName::from_static("cross-origin-resource-policy"), "cross-origin")];

const HEADERS: [(HeaderName, &str); 6] = [
    (HeaderName::from_static("x-content-type-options"), "nosniff"),
    (HeaderName::from_static("x-frame-options"), "DENY"),
    // Not "no-referrer": with that a browser sends our own form with the Origin null.
    (HeaderName::from_static("referrer-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
];

/// What the bytes of a request's head were found to be, on their way.
#[derive(Debug, Clone, Copy)]
pub struct Head(pub Result<Framing, Refused>);

/// Refuses what is not for us, or not from us, and adds the headers that every answer has.
pub async fn guard(State(workshop): State<Arc<Workshop>>, request: Request, next: Next) -> Response {
    let head = request.extensions().get::<Head>().map_or(Ok(()), |Head(judged)| judged.map(drop));
    let checked = head.map_err(Problem::bad_request);
    let checked = checked.and_then(|()| check(&workshop.addresses, request.method(), request.uri(), request.headers()));
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        // What follows a request that was not understood may be anything.
        Err(problem) if problem.status() == StatusCode::BAD_REQUEST => ([(CONNECTION, "close")], problem).into_response(),
        Err(problem) => problem.into_response(),
    };
    let framable = response.extensions().get::<Framable>().is_some();
    let headers = response.headers_mut();
    if framable {
        headers.extend(FRAMABLE_HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value))));
    }
    for (name, value) in HEADERS.into_iter().filter(|(name, _)| !framable || name != "x-frame-options") {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(CLOSED_POLICY));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn check(addresses: &Addresses, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(host) = the_host(headers) else {
        return Err(Problem::bad_request("a request names its host in exactly one Host header"));
    };
    // A request in absolute form names the host twice (RFC 9112, 3.2.2).
    let target_is_own = uri.authority().is_none_or(|authority| addresses.is_own_host(authority.as_str()));
    if !addresses.is_own_host(host) || !target_is_own {
        let detail = format!("this server answers for {} only", addresses.workshop_url());
        return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail));
    }
    if method.is_safe() || (is_own_origin(addresses, headers) && is_own_site(headers)) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "a page of another site sent this: only the workshop's own page and clients that are no browser may change something",
    ))
}

/// The one Host; none when there are several.
fn the_host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    }
}

/// Browsers send Origin with every unsafe request; clients that are no browser send none.
fn is_own_origin(addresses: &Addresses, headers: &HeaderMap) -> bool {
    headers.get_all(ORIGIN).iter().all(|origin| origin.to_str().is_ok_and(|origin| addresses.is_own_origin(origin)))
}

fn is_own_site(headers: &HeaderMap) -> bool {
    headers.get_all(SEC_FETCH_SITE).iter().all(|site| matches!(site.as_bytes(), b"same-origin" | b"none"))
}

/// A page of another site has it in its own, or its scripts ask. A link that somebody follows is not that.
pub fn is_embedded_elsewhere(headers: &HeaderMap) -> bool {
    let is_followed = headers.get(SEC_FETCH_DEST).is_some_and(|what| what.as_bytes() == b"document");
    !is_own_site(headers) && !is_followed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_status(method: &str, uri: &str, headers: &[(&str, &str)]) -> u16 {
        let addresses = Addresses::new("127.0.0.1:7878".parse().unwrap(), "127.0.0.1:7879".parse().unwrap(), &Default::default()).unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let method = method.parse().unwrap();
        check(&addresses, &method, &uri.parse().unwrap(), &map).map_or_else(|problem| problem.status().as_u16(), |()| 200)
    }

    #[test]
    fn only_our_own_hosts_are_answered() {
        for (expected, uri, headers) in [
            (200, "/", &[("host", "127.0.0.1:7878")][..]),
            (200, "/", &[("host", "localhost:7878")]),
            (200, "http://localhost:7878/", &[("host", "localhost:7878")]),
            (400, "/", &[]),
            (421, "/", &[("host", "evil.com")]),
            (421, "/", &[("host", "fern.localhost:7879")]),
            (400, "/", &[("host", "localhost:7878"), ("host", "localhost:7878")]),
            (421, "http://evil.com/", &[("host", "localhost:7878")]),
            (421, "http://localhost:7878/", &[("host", "evil.com")]),
        ] {
            assert_eq!(check_status("GET", uri, headers), expected, "{uri} {headers:?}");
            assert_eq!(check_status("POST", uri, headers), expected, "{uri} {headers:?}");
        }
    }

    #[test]
    fn only_our_own_page_and_no_page_may_change_something() {
        for (expected, headers) in [
            (200, &[][..]),
            (200, &[("origin", "http://localhost:7878"), ("sec-fetch-site", "same-origin")]),
            (200, &[("sec-fetch-site", "none")]),
            (403, &[("origin", "null")]),
            (403, &[("origin", "http://evil.com")]),
            (403, &[("origin", "http://fern.localhost:7879")]),
            (403, &[("origin", "https://localhost:7878")]),
            (403, &[("sec-fetch-site", "cross-site")]),
            (403, &[("sec-fetch-site", "same-site")]),
            (403, &[("origin", "http://localhost:7878"), ("sec-fetch-site", "cross-site")]),
            (403, &[("origin", "http://localhost:7878"), ("origin", "http://evil.com")]),
        ] {
            let headers: Vec<_> = [("host", "localhost:7878")].iter().chain(headers).copied().collect();
            for method in ["POST", "PUT", "PATCH", "DELETE"] {
                assert_eq!(check_status(method, "/", &headers), expected, "{method} {headers:?}");
            }
            assert_eq!(check_status("GET", "/", &headers), 200, "{headers:?}");
        }
    }
}
