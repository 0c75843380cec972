//! Looks a name up by DNS over HTTPS (RFC 8484) at the backend "dns": /?name=example.org
use vivarium::{Error, Fetch, Request, respond};

/// A question for the IPv4 addresses of a name, as it goes over the wire (RFC 1035, 4).
fn question(name: &str) -> Vec<u8> {
    let mut message = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.').filter(|label| !label.is_empty()) {
        message.push(label.len().min(63) as u8);
        message.extend(label.bytes().take(63));
    }
    message.extend([0, 0, 1, 0, 1]);
    message
}

/// Where a name ends: in a zero, or in two bytes that point to where the rest is.
fn after_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length if length >= 0xc0 => return Some(at + 2),
            length => at += 1 + usize::from(length),
        }
    }
}

/// The addresses among the answers.
fn addresses(message: &[u8]) -> Option<Vec<String>> {
    let count = u16::from_be_bytes([*message.get(6)?, *message.get(7)?]);
    let mut at = after_name(message, 12)? + 4;
    let mut found = Vec::new();
    for _ in 0..count {
        at = after_name(message, at)?;
        let (kind, length) = (message.get(at..at + 2)?, message.get(at + 8..at + 10)?);
        let (is_address, length) = (kind == [0, 1], usize::from(u16::from_be_bytes([length[0], length[1]])));
        let data = message.get(at + 10..at + 10 + length)?;
        if let ([a, b, c, d], true) = (data, is_address) {
            found.push(format!("{a}.{b}.{c}.{d}"));
        }
        at += 10 + length;
    }
    Some(found)
}

fn ask(name: &str) -> Result<Vec<u8>, Error> {
    let fetch = Fetch::post("/dns-query", question(name)).header("content-type", "application/dns-message");
    fetch.header("accept", "application/dns-message").send("dns")?.wait()?.bytes()
}

fn main() {
    let name = Request.parameter("name").unwrap_or("example.org".into());
    match ask(&name).ok().as_deref().and_then(addresses) {
        Some(found) if found.is_empty() => respond(404, "text/plain; charset=utf-8", format!("{name} has no address.\n")),
        Some(found) => respond(200, "text/plain; charset=utf-8", found.join("\n") + "\n"),
        None => respond(502, "text/plain; charset=utf-8", "No answer. Give the deployment \"backends\": {\"dns\": {\"origin\": \"https://cloudflare-dns.com\"}}.\n"),
    }
}
