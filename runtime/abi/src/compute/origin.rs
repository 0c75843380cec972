//! Where requests may go: origins (RFC 6454), spelled in one way only, so that what was checked is what is connected to.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use http::Uri;

/// Scheme, host and port of a server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    pub is_secure: bool,
    pub host: OriginHost,
    pub port: u16,
}

/// A host by its name or by its address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OriginHost {
    /// In lower case, without a dot at its end.
    Name(String),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

/// Why a text is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoOrigin {
    #[error("it begins neither with http:// nor with https://")]
    Scheme,
    #[error("it is no URL")]
    Syntax,
    #[error("an origin has no user name or password")]
    UserInformation,
    #[error("an origin has no path, query or fragment: requests name those")]
    Path,
    #[error("its host is neither a name nor an address as they are usually written")]
    Host,
    #[error("its port is no number from 1 to 65535")]
    Port,
}

/// A longer text is no origin, in bytes: names end at 253 (RFC 1035, 2.3.4).
const ORIGIN_BYTES_MAX: usize = 300;
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

impl FromStr for Origin {
    type Err = NoOrigin;

    fn from_str(text: &str) -> Result<Origin, NoOrigin> {
        let is_secure = match text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase()).as_deref() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(NoOrigin::Scheme),
        };
        if text.len() > ORIGIN_BYTES_MAX || text.contains(['#', '?', '\\', '%']) {
            return Err(NoOrigin::Syntax);
        }
        let uri: Uri = text.parse().map_err(|_| NoOrigin::Syntax)?;
        if uri.path_and_query().is_some_and(|path| path.as_str() != "/") {
            return Err(NoOrigin::Path);
        }
        let authority = uri.authority().ok_or(NoOrigin::Syntax)?;
        if authority.as_str().contains('@') {
            return Err(NoOrigin::UserInformation);
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => {
                if is_secure {
                    443
                } else {
                    80
                }
            }
            Some(port) => port.strip_prefix(':').and_then(port_number).ok_or(NoOrigin::Port)?,
            None => return Err(NoOrigin::Syntax),
        };
        Ok(Origin { is_secure, host: authority.host().parse()?, port })
    }
}

/// Digits alone: no sign.
fn port_number(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten().filter(|port| *port > 0)
}

impl FromStr for OriginHost {
    type Err = NoOrigin;

    fn from_str(text: &str) -> Result<OriginHost, NoOrigin> {
        if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return address.parse().map(OriginHost::V6).map_err(|_| NoOrigin::Host);
        }
        if let Ok(address) = text.parse() {
            return Ok(OriginHost::V4(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let spelled = |label: &str| {
            !label.is_empty()
                && label.len() <= LABEL_BYTES_MAX
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        let is_name = name.len() <= NAME_BYTES_MAX && name.split('.').all(spelled);
        if is_name && !ends_in_a_number(&name) { Ok(OriginHost::Name(name)) } else { Err(NoOrigin::Host) }
    }
}

/// Names that some resolvers read as addresses: 127.1, 0x7f.1, 2130706433 (WHATWG URL, "ends in a number").
fn ends_in_a_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let digits = |text: &str, is_digit: fn(&u8) -> bool| text.bytes().all(|byte| is_digit(&byte));
    digits(last, u8::is_ascii_digit) || last.strip_prefix("0x").is_some_and(|rest| digits(rest, u8::is_ascii_hexdigit))
}

impl Origin {
    /// Host and port as the Host header has them: without a port that goes without saying.
    pub fn authority(&self) -> String {
        match (self.is_secure, self.port) {
            (true, 443) | (false, 80) => self.host.to_string(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.is_secure { "https" } else { "http" }, self.authority())
    }
}

impl fmt::Display for OriginHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OriginHost::Name(name) => f.write_str(name),
            OriginHost::V4(address) => address.fmt(f),
            OriginHost::V6(address) => write!(f, "[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_told_in_one_way() {
        for (text, told) in [
            ("https://Example.ORG", "https://example.org"),
            ("https://example.org:443/", "https://example.org"),
            ("http://example.org.:8080", "http://example.org:8080"),
            ("http://192.0.2.1:80", "http://192.0.2.1"),
            ("http://[2001:DB8:0::1]:9", "http://[2001:db8::1]:9"),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), told);
        }
    }

    #[test]
    fn what_is_no_origin_is_told_why() {
        for (text, why) in [
            ("example.org", NoOrigin::Scheme),
            ("ftp://example.org", NoOrigin::Scheme),
            ("file:///etc/passwd", NoOrigin::Scheme),
            ("https://", NoOrigin::Syntax),
            ("https://a b", NoOrigin::Syntax),
            ("https://user@example.org", NoOrigin::UserInformation),
            ("https://example.org/path", NoOrigin::Path),
            ("https://example.org?x", NoOrigin::Syntax),
            ("https://example.org:0", NoOrigin::Port),
            ("https://example.org:65536", NoOrigin::Port),
            ("https://example.org:", NoOrigin::Port),
            ("http://2130706433", NoOrigin::Host),
            ("http://0x7f.1", NoOrigin::Host),
            ("http://127.1", NoOrigin::Host),
            ("http://0177.0.0.1", NoOrigin::Host),
            ("http://127.0.0.1.", NoOrigin::Host),
            ("http://a..b", NoOrigin::Host),
            ("http://[::1%25lo]", NoOrigin::Syntax),
        ] {
            assert_eq!(text.parse::<Origin>(), Err(why), "{text}");
        }
    }
}
