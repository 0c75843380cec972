//! What a page of somebody else may make a browser send, and what a guest may tell a browser.

use vivarium_tests::wire::exchange;

use super::{Ports, answering};
use vivarium_tests::server::Server;

#[test]
fn no_page_of_another_site_changes_anything() {
    let ports = Ports::start(&[]);
    let (workshop, slug) = (&ports.workshop, ports.guest_host.split('.').next().unwrap());
    let program = r#"{"language":"wat","files":{"main.wat":"(module)"}}"#;
    let origins = [
        "Origin: http://evil.example\r\nSec-Fetch-Site: cross-site\r\n".to_owned(),
        "Origin: null\r\nSec-Fetch-Site: cross-site\r\n".to_owned(),
        format!("Origin: http://{}\r\nSec-Fetch-Site: same-site\r\n", ports.guest_host),
        // Browsers that do not say the site.
        format!("Origin: http://{}\r\n", ports.guest_host),
        "Origin: https://127.0.0.1\r\n".to_owned(),
        // One that says nothing else, as for a form in a frame without an origin.
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n".to_owned(),
    ];
    let deployment = format!("/api/v1/deployments/{slug}");
    // What a form can send by itself, and what a fetch can without asking first; then what it would have to ask for.
    let sent = [
        ("POST", "/api/v1/deployments", "text/plain", program),
        ("POST", "/", "application/x-www-form-urlencoded", "language=wat&code=(module)"),
        ("POST", "/api/v1/runs", "multipart/form-data; boundary=x", "--x\r\n\r\n--x--"),
        ("POST", "/api/v1/builds", "application/json", program),
        ("POST", "/api/v1/shares", "text/plain", program),
        ("DELETE", deployment.as_str(), "application/json", "{}"),
        ("PATCH", deployment.as_str(), "application/json", r#"{"ttl_seconds":1}"#),
        ("PUT", "/api/v1/fiddles/abc", "application/json", program),
    ];
    assert!(origins.len() * sent.len() >= 24);
    for (method, path, content_type, body) in sent {
        for origin in &origins {
            let length = body.len();
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: {workshop}\r\n{origin}Content-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            let said = exchange(workshop, request.as_bytes());
            assert_eq!(said.status, 403, "{method} {path} with {origin:?}: {said:?}");
            assert!(!said.text.to_ascii_lowercase().contains("access-control-allow"), "{said:?}");
        }
    }
    assert_eq!(ports.server.get("/healthz").json()["deployments"]["live"], 1);
    ports.answer();
}

#[test]
fn a_guests_headers_reach_neither_siblings_nor_the_time_after_it() {
    let stripped = [
        "Set-Cookie: shared=1; Domain=localhost",
        "Set-Cookie: shared=2; Path=/; dOmAiN = .localhost; Secure",
        "Service-Worker-Allowed: /",
        "Clear-Site-Data: \"*\"",
        "Strict-Transport-Security: max-age=31536000; includeSubDomains",
        "Alt-Svc: h3=\":443\"",
        "Public-Key-Pins: pin-sha256=\"x\"; max-age=1",
        "Origin-Agent-Cluster: ?0",
    ];
    let answer = format!("Content-Type: text/plain\n{}\nSet-Cookie: own=1; Path=/\nX-Own: kept\n\nhello", stripped.join("\n"));
    let ports = Ports::of(Server::start(), &answering(&answer));
    let (host, slug) = (&ports.guest_host, ports.guest_host.split('.').next().unwrap());
    for (host, path, cookies) in [(host.as_str(), "/".to_owned(), 3), (ports.guests.as_str(), format!("/_d/{slug}/"), 0)] {
        let said = exchange(&ports.guests, format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes());
        let head = said.text.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
        assert!(said.status == 200 && head.contains("x-own: kept"), "{said:?}");
        for line in stripped {
            let (name, value) = line.split_once(": ").unwrap();
            let name = name.to_ascii_lowercase();
            assert!(!head.contains(&format!("{name}: {}", value.to_ascii_lowercase())), "{path}: {line} in {head}");
            assert!(name == "set-cookie" || !head.contains(&format!("{name}:")), "{path}: {line} in {head}");
        }
        // One for a whole domain becomes one for this host alone.
        assert_eq!((head.matches("set-cookie:").count(), head.contains("domain")), (cookies, false), "{path}: {head}");
    }
}
