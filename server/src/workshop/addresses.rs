//! Where workshop and guests are reached, as URLs that are shown and as Hosts that are answered.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::Uri;
use thiserror::Error;

#[derive(Debug, Error, PartialEq, Eq)]
pub enum AddressError {
    #[error(
        "{0} can be reached from other machines, and anybody who reaches it may build and deploy: listen on 127.0.0.1, or say --open if that is what you want"
    )]
    NotLoopback(SocketAddr),
    #[error("{0} names no host: with it, say by --public-url under which address the workshop is reached")]
    Unspecified(SocketAddr),
    #[error("the public URL {0:?} is not of the form http://host or https://host, with nothing behind it")]
    PublicUrl(String),
    #[error("the guest domain {0:?} is not a host name")]
    GuestDomain(String),
}

/// What the operator says about addresses.
#[derive(Clone, Debug, Default)]
pub struct AddressOptions {
    /// Anybody may build and deploy.
    pub open: bool,
    pub public_url: Option<String>,
    pub guest_domain: Option<String>,
}

/// The addresses of one server; the ports are those that were bound.
#[derive(Clone, Debug)]
pub struct Addresses {
    workshop: SocketAddr,
    guest: SocketAddr,
    /// "https://vivarium.example", without a slash at its end.
    public_url: Option<String>,
    guest_domain: String,
}

impl Addresses {
    pub fn new(workshop: SocketAddr, guest: SocketAddr, options: &AddressOptions) -> Result<Addresses, AddressError> {
        for address in [workshop, guest] {
            if !address.ip().is_loopback() && !options.open {
                return Err(AddressError::NotLoopback(address));
            }
        }
        if workshop.ip().is_unspecified() && options.public_url.is_none() {
            return Err(AddressError::Unspecified(workshop));
        }
        let public_url = options.public_url.as_deref().map(check_public_url).transpose()?;
        let guest_domain = options.guest_domain.clone().unwrap_or_else(|| "localhost".into()).to_ascii_lowercase();
        if !is_host_name(&guest_domain) {
            return Err(AddressError::GuestDomain(guest_domain));
        }
        Ok(Addresses { workshop, guest, public_url, guest_domain })
    }

    /// The URL of the workshop, with a slash at its end.
    pub fn workshop_url(&self) -> String {
        format!(
            "{}/",
            self.public_url.clone().unwrap_or_else(|| format!("http://{}", with_port(&host(self.workshop.ip()), self.workshop.port())))
        )
    }

    /// The URL of `<slug>` or `<slug>--r7`.
    pub fn guest_url(&self, label: &str) -> String {
        let name = format!("{label}.{}", self.guest_domain);
        // A front proxy that ends TLS for the workshop does so for guests, on the same port.
        match self.public_url.as_deref().is_some_and(|url| url.starts_with("https://")) {
            true => format!("https://{name}/"),
            false => format!("http://{}/", with_port(&name, self.guest.port())),
        }
    }

    /// The path form, for clients that do not resolve `*.localhost`.
    pub fn guest_path_url(&self, label: &str) -> String {
        format!("http://{}/_d/{label}/", with_port(&host(self.guest.ip()), self.guest.port()))
    }

    /// What the page may show in frames, for its policy.
    pub fn guest_origins(&self) -> String {
        let wildcard = self.guest_url("*");
        let path_form = format!("http://{}", with_port(&host(self.guest.ip()), self.guest.port()));
        format!("{} {path_form}", wildcard.trim_end_matches('/'))
    }

    /// Where the workshop itself reaches the gateways.
    pub fn guest_address(&self) -> SocketAddr {
        match self.guest.ip().is_unspecified() {
            true => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.guest.port()),
            false => self.guest,
        }
    }

    /// The Host of `<slug>`.
    pub fn guest_authority(&self, label: &str) -> String {
        let url = self.guest_url(label);
        url.split_once("://").map_or(url.as_str(), |(_, rest)| rest).trim_end_matches('/').to_owned()
    }

    pub fn guest_domain(&self) -> &str {
        &self.guest_domain
    }

    pub fn guest_port(&self) -> u16 {
        self.guest.port()
    }

    /// Whether a request with this Host is ours to answer: exact names only, so that no name which somebody points at this machine
    /// makes a browser take their page for ours.
    pub fn is_own_host(&self, authority: &str) -> bool {
        let authority = authority.to_ascii_lowercase();
        let port = self.workshop.port();
        let bound = host(self.workshop.ip());
        let mut own = ["127.0.0.1", "localhost", "[::1]", bound.as_str()].into_iter();
        own.any(|name| authority == format!("{name}:{port}") || (port == 80 && authority == name))
            || self.public_url.as_deref().and_then(|url| url.split_once("://")).is_some_and(|(_, public)| authority == public)
    }

    /// Whether a page of this Origin is our own.
    pub fn is_own_origin(&self, origin: &str) -> bool {
        let http = origin.strip_prefix("http://").is_some_and(|authority| self.is_own_host(authority));
        http || self.public_url.as_deref() == Some(origin)
    }
}

/// How to write an address in a URL; an unspecified one is reached by loopback.
fn host(ip: IpAddr) -> String {
    match ip {
        ip if ip.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

fn with_port(host: &str, port: u16) -> String {
    if port == 80 { host.to_owned() } else { format!("{host}:{port}") }
}

fn check_public_url(url: &str) -> Result<String, AddressError> {
    let refused = || AddressError::PublicUrl(url.to_owned());
    let parsed: Uri = url.trim_end_matches('/').parse().map_err(|_| refused())?;
    let scheme = parsed.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https")).ok_or_else(refused)?;
    let authority = parsed.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(refused)?;
    if parsed.path() != "/" || parsed.query().is_some() {
        return Err(refused());
    }
    Ok(format!("{scheme}://{}", authority.as_str().to_ascii_lowercase()))
}

fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    name.len() <= 190 && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(workshop: &str, options: AddressOptions) -> Result<Addresses, AddressError> {
        Addresses::new(workshop.parse().unwrap(), "127.0.0.1:7879".parse().unwrap(), &options)
    }

    #[test]
    fn hosts_are_compared_exactly() {
        let own = addresses("127.0.0.1:7878", AddressOptions::default()).unwrap();
        for (host, expected) in [
            ("127.0.0.1:7878", true),
            ("localhost:7878", true),
            ("LOCALHOST:7878", true),
            ("[::1]:7878", true),
            ("localhost", false),
            ("localhost:7879", false),
            ("localhost.:7878", false),
            ("localhost.evil.com:7878", false),
            ("evil.com", false),
            ("evil.com:7878", false),
            ("fern.localhost:7878", false),
            ("127.0.0.1.nip.io:7878", false),
            ("user@localhost:7878", false),
            ("", false),
        ] {
            assert_eq!(own.is_own_host(host), expected, "{host}");
        }
        assert!(own.is_own_origin("http://localhost:7878"));
        for origin in
            ["null", "http://localhost:7879", "https://localhost:7878", "http://fern.localhost:7879", "http://evil.com", "localhost:7878"]
        {
            assert!(!own.is_own_origin(origin), "{origin}");
        }
    }

    #[test]
    fn others_may_reach_it_only_if_that_was_said() {
        let everywhere = "0.0.0.0:7878";
        let refused = addresses(everywhere, AddressOptions::default()).unwrap_err();
        assert!(refused.to_string().contains("--open"), "{refused}");
        let open = AddressOptions { open: true, ..AddressOptions::default() };
        assert!(matches!(addresses(everywhere, open.clone()), Err(AddressError::Unspecified(_))));
        let public =
            AddressOptions { public_url: Some("https://viv.example/".into()), guest_domain: Some("guests.example".into()), ..open };
        let own = addresses(everywhere, public).unwrap();
        assert_eq!(own.workshop_url(), "https://viv.example/");
        assert_eq!(own.guest_url("fern"), "https://fern.guests.example/");
        assert!(own.is_own_host("viv.example") && own.is_own_origin("https://viv.example"));
        assert!(!own.is_own_host("viv.example:7878") && !own.is_own_origin("http://evil.example"));
    }

    #[test]
    fn urls_of_a_local_server() {
        let own = addresses("127.0.0.1:7878", AddressOptions::default()).unwrap();
        assert_eq!(own.workshop_url(), "http://127.0.0.1:7878/");
        assert_eq!(own.guest_url("fern--r2"), "http://fern--r2.localhost:7879/");
        assert_eq!(own.guest_path_url("fern"), "http://127.0.0.1:7879/_d/fern/");
        assert_eq!(own.guest_origins(), "http://*.localhost:7879 http://127.0.0.1:7879");
    }

    #[test]
    fn wrong_options_are_refused_with_a_sentence() {
        for url in ["viv.example", "ftp://viv.example", "https://viv.example/a", "https://user@viv.example", "https://"] {
            let options = AddressOptions { public_url: Some(url.into()), ..AddressOptions::default() };
            assert!(matches!(addresses("127.0.0.1:1", options), Err(AddressError::PublicUrl(_))), "{url}");
        }
        let options = AddressOptions { guest_domain: Some("a b".into()), ..AddressOptions::default() };
        assert!(matches!(addresses("127.0.0.1:1", options), Err(AddressError::GuestDomain(_))));
    }
}
