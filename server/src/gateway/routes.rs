//! Which deployment a request means, by its Host; anything else is not ours to answer (421).
//!
//! | Host | path | means |
//! |---|---|---|
//! | `<slug>.<guest domain>[:port]` | any | the current revision |
//! | `<slug>--r7.<guest domain>[:port]` | any | revision 7 |
//! | `127.0.0.1:<port>`, `localhost:<port>`, `[::1]:<port>` | `/_d/<slug>/…`, `/_d/<slug>--r7/…` | the same, in the path form |

use http::Uri;
use http::header::{HOST, HeaderMap};
use http::uri::{Authority, PathAndQuery};

/// Paths that begin so are the server's own on every deployment.
const RESERVED: &str = "/.viv/";
const PATH_FORM: &str = "/_d/";
/// A label of a host name (RFC 1035) holds no more.
const SLUG_BYTES_MAX: usize = 63;
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Where deployments answer.
#[derive(Debug, Clone)]
pub struct Routes {
    pub guest_domain: String,
    pub guest_port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub slug: String,
    /// None for the current one.
    pub revision: Option<u32>,
    /// What the path form puts before the guest's own path, without the last slash.
    pub prefix: Option<String>,
    /// Path and query as the guest sees them.
    pub path: PathAndQuery,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    Target(Target),
    /// The path form without its last slash: relative links would miss.
    Redirect {
        location: String,
    },
    /// `/.viv/…`: nothing is there yet.
    Reserved,
    /// No such place, whatever is deployed.
    NotFound,
    /// Another host's request.
    Misdirected,
    /// No Host, several, or one that does not parse.
    BadHost,
}

impl Routes {
    /// Pure: looks at the head only.
    pub fn route(&self, uri: &Uri, headers: &HeaderMap) -> Route {
        let Some(authority) = authority(uri, headers) else { return Route::BadHost };
        let path = uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        let host = authority.host().to_ascii_lowercase();
        let label = host.strip_suffix(&self.guest_domain).and_then(|rest| rest.strip_suffix('.'));
        if let Some((slug, revision)) = label.and_then(name) {
            return target(slug, revision, None, path);
        }
        if LOOPBACK.contains(&host.as_str()) && authority.port_u16() == Some(self.guest_port) {
            return path_form(&path);
        }
        Route::Misdirected
    }
}

/// The one authority of a request; of a request in absolute form the one in its target (RFC 9112, 3.2.2).
fn authority(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next()?;
    if hosts.next().is_some() {
        return None;
    }
    let of_header = Authority::try_from(host.as_bytes()).ok()?;
    let authority = uri.authority().cloned().unwrap_or(of_header);
    (!authority.as_str().contains('@')).then_some(authority)
}

fn path_form(path: &PathAndQuery) -> Route {
    let Some(rest) = path.path().strip_prefix(PATH_FORM) else { return Route::Misdirected };
    let (label, inner) = match rest.find('/') {
        Some(slash) => (&rest[..slash], Some(&rest[slash..])),
        None => (rest, None),
    };
    let Some((slug, revision)) = name(label) else { return Route::NotFound };
    let query = path.query().map(|query| format!("?{query}")).unwrap_or_default();
    let prefix = format!("{PATH_FORM}{label}");
    let Some(inner) = inner else { return Route::Redirect { location: format!("{prefix}/{query}") } };
    match PathAndQuery::try_from(format!("{inner}{query}")) {
        Ok(path) => target(slug, revision, Some(prefix), path),
        Err(_) => Route::NotFound,
    }
}

fn target(slug: &str, revision: Option<u32>, prefix: Option<String>, path: PathAndQuery) -> Route {
    if path.path().starts_with(RESERVED) {
        return Route::Reserved;
    }
    Route::Target(Target { slug: slug.to_owned(), revision, prefix, path })
}

/// `fern` or `fern--r7`.
fn name(label: &str) -> Option<(&str, Option<u32>)> {
    let (slug, revision) = match label.rsplit_once("--r") {
        Some((slug, digits)) => (slug, Some(digits.parse().ok().filter(|number| *number > 0 && !digits.starts_with(['+', '0']))?)),
        None => (label, None),
    };
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let sound =
        !slug.is_empty() && label.len() <= SLUG_BYTES_MAX && slug.bytes().all(letters) && !slug.starts_with('-') && !slug.ends_with('-');
    sound.then_some((slug, revision))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(host: &str, uri: &str) -> Route {
        let mut headers = HeaderMap::new();
        for host in host.split('|').filter(|host| !host.is_empty()) {
            headers.append(HOST, host.parse().unwrap());
        }
        Routes { guest_domain: "localhost".into(), guest_port: 7879 }.route(&uri.parse().unwrap(), &headers)
    }

    fn check(host: &str, uri: &str, expected: &str) {
        let told = match route(host, uri) {
            Route::Target(target) => format!(
                "{}{}{} {}",
                target.slug,
                target.revision.map(|revision| format!(" r{revision}")).unwrap_or_default(),
                target.prefix.map(|prefix| format!(" under {prefix}")).unwrap_or_default(),
                target.path
            ),
            Route::Redirect { location } => format!("redirect {location}"),
            other => format!("{other:?}"),
        };
        assert_eq!(told, expected, "{host} {uri}");
    }

    #[test]
    fn hosts_of_deployments() {
        check("fern.localhost:7879", "/", "fern /");
        check("fern.localhost", "/a?b=c", "fern /a?b=c");
        check("FERN.LocalHost:7879", "/", "fern /");
        check("fern.localhost:80", "/", "fern /");
        check("fern--r7.localhost:7879", "/x", "fern r7 /x");
        check("old-fern--r12.localhost", "/", "old-fern r12 /");
        check("other.host", "http://fern.localhost:7879/a", "fern /a");
        check("fern.localhost", "/.viv/anything", "Reserved");
        check("fern.localhost", "/.vivid", "fern /.vivid");
    }

    #[test]
    fn the_path_form_is_for_the_loopback_addresses_of_this_port() {
        check("127.0.0.1:7879", "/_d/fern/", "fern under /_d/fern /");
        check("localhost:7879", "/_d/fern/a/b?c", "fern under /_d/fern /a/b?c");
        check("[::1]:7879", "/_d/fern--r2/a", "fern r2 under /_d/fern--r2 /a");
        check("127.0.0.1:7879", "/_d/fern", "redirect /_d/fern/");
        check("127.0.0.1:7879", "/_d/fern?x=1", "redirect /_d/fern/?x=1");
        check("127.0.0.1:7879", "/_d/fern/.viv/x", "Reserved");
        check("127.0.0.1:7879", "/_d//x", "NotFound");
        check("127.0.0.1:7879", "/_d/Fern/", "NotFound");
        check("127.0.0.1:7879", "/", "Misdirected");
        check("127.0.0.1", "/_d/fern/", "Misdirected");
        check("127.0.0.1:7878", "/_d/fern/", "Misdirected");
        check("localhost:7878", "/", "Misdirected");
    }

    #[test]
    fn everything_else_is_not_ours() {
        for host in [
            "evil.com",
            "localhost",
            "fern.localhost.evil.com",
            "fern.localhost.",
            "a.fern.localhost",
            "fern.localhostx",
            ".localhost",
            "-fern.localhost",
            "fern-.localhost",
            "fe_rn.localhost",
            "fern--r0.localhost",
            "fern--r07.localhost",
            "fern--rx.localhost",
            "fern--r99999999999.localhost",
            "--r7.localhost",
        ] {
            check(host, "/", "Misdirected");
        }
        check("fern.localhost", "http://evil.com/", "Misdirected");
    }

    #[test]
    fn there_is_exactly_one_host() {
        check("", "/", "BadHost");
        check("fern.localhost|fern.localhost", "/", "BadHost");
        check("user@fern.localhost", "/", "BadHost");
        check("fern .localhost", "/", "BadHost");
    }
}
