//! Requests that can be understood in two ways, and Hosts that are not ours.

use vivarium_tests::wire::exchange;

use super::Ports;

/// Heads and bodies; `HOST` and `PATH` stand for what the port answers to. A body that is sound otherwise is five bytes or one chunk.
const SMUGGLING: &[(&str, &str)] = &[
    ("a length beside chunks", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("chunks beside a length", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
    ("two lengths", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{\"a\"}"),
    ("one length twice", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n{\"a\"}"),
    ("a list of lengths", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5, 5\r\n\r\n{\"a\"}"),
    ("a length with a sign", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: +5\r\n\r\n{\"a\"}"),
    ("a negative length", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: -5\r\n\r\n{\"a\"}"),
    ("a length in hexadecimal", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0x5\r\n\r\n{\"a\"}"),
    ("a length of two words", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5 5\r\n\r\n{\"a\"}"),
    ("an empty length", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: \r\n\r\n{\"a\"}"),
    ("a length beyond 64 bits", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: 18446744073709551621\r\n\r\n{\"a\"}"),
    ("chunks twice", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("chunks of something else", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("chunks that are not last", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    ("an encoding that is none", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    ("almost chunks", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("chunks behind a control character", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: \u{b}chunked\r\n\r\n0\r\n\r\n"),
    ("a space before the colon", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    ("a folded line", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    ("a folded first line", "POST PATH HTTP/1.1\r\n Host: HOST\r\nContent-Length: 5\r\n\r\n{\"a\"}"),
    ("chunks in HTTP/1.0", "POST PATH HTTP/1.0\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a line that ends in a line feed", "POST PATH HTTP/1.1\r\nHost: HOST\nContent-Length: 5\r\n\r\n{\"a\"}"),
    ("a head that ends in line feeds", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\n\n{\"a\"}"),
    ("a carriage return in a value", "POST PATH HTTP/1.1\r\nHost: HOST\r\nA: b\rContent-Length: 5\r\n\r\n{\"a\"}"),
    ("a zero byte in a value", "POST PATH HTTP/1.1\r\nHost: HOST\r\nA: b\0c\r\nContent-Length: 5\r\n\r\n{\"a\"}"),
    ("a name of two words", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent Length: 5\r\n\r\n{\"a\"}"),
    ("a line without a colon", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length\r\n\r\n{\"a\"}"),
    ("a name that is not ASCII", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length\u{e9}: 5\r\n\r\n{\"a\"}"),
    ("two hosts", "POST PATH HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n"),
    ("two different hosts", "POST PATH HTTP/1.1\r\nHost: HOST\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n"),
    ("no host", "POST PATH HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
    ("no version", "POST PATH\r\nHost: HOST\r\n\r\n"),
    ("a version that is none", "POST PATH HTTP/1.1x\r\nHost: HOST\r\n\r\n"),
    ("a version to come", "POST PATH HTTP/3.0\r\nHost: HOST\r\n\r\n"),
    ("a tab in the first line", "POST\tPATH\tHTTP/1.1\r\nHost: HOST\r\n\r\n"),
    (
        "a chunk whose size is no number",
        "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5x\r\n{\"a\"}\r\n0\r\n\r\n",
    ),
    (
        "a chunk of negative size",
        "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{\"a\"}\r\n0\r\n\r\n",
    ),
    (
        "a chunk longer than it says",
        "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\"}\r\n0\r\n\r\n",
    ),
    (
        "a chunk beyond 64 bits",
        "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000005\r\n{\"a\"}\r\n0\r\n\r\n",
    ),
];

/// What would be answered if it were taken for a request.
const HIDDEN: &str = "GET /healthz HTTP/1.1\r\nHost: HOST\r\n\r\n";

#[test]
fn a_request_that_can_be_understood_in_two_ways_is_refused_and_its_connection_closed() {
    let ports = Ports::start(&[]);
    assert!(SMUGGLING.len() >= 30);
    for (address, host, path) in ports.both() {
        for (what, bytes) in SMUGGLING {
            let bytes = format!("{bytes}{HIDDEN}").replace("HOST", host).replace("PATH", path);
            let said = exchange(address, bytes.as_bytes());
            assert!(said.status == 400 && said.closed, "{address}: {what}: {said:?}");
            assert_eq!(said.text.matches("HTTP/1.1 ").count(), 1, "{address}: {what}: what is behind it is answered too: {said:?}");
        }
    }
    ports.answer();
}

#[test]
fn sound_requests_share_a_connection_and_one_in_chunks_is_its_last() {
    let ports = Ports::start(&[]);
    for (address, host, _) in ports.both() {
        let sound = format!(
            "\r\nGET / HTTP/1.1\r\nHost: {host}\r\n\r\nPOST / HTTP/1.1\r\nHost: {host}\r\ncontent-length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: {host}\r\n\r\n"
        );
        let chunked = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n{}",
            HIDDEN.replace("HOST", host)
        );
        let said = exchange(address, (sound + &chunked).as_bytes());
        assert!(said.closed, "{address}: {said:?}");
        assert_eq!(said.text.matches("HTTP/1.1 ").count(), 4, "{address}: {said:?}");
        assert!(!said.text.contains("HTTP/1.1 400"), "{address}: {said:?}");
    }
}

#[test]
fn only_its_own_hosts_are_answered_on_each_port() {
    let ports = Ports::start(&[]);
    let workshop_port = ports.workshop.rsplit(':').next().unwrap();
    let guest_port = ports.guests.rsplit(':').next().unwrap();
    let slug = ports.guest_host.split('.').next().unwrap();
    // The workshop's answer, the gateway's.
    let table = [
        ("127.0.0.1:WORKSHOP", 200, 421),
        ("localhost:WORKSHOP", 200, 421),
        ("LOCALHOST:WORKSHOP", 200, 421),
        ("[::1]:WORKSHOP", 200, 421),
        ("127.0.0.1:GUESTS", 421, 421),
        ("localhost", 421, 421),
        ("127.0.0.1", 421, 421),
        ("localhost.:WORKSHOP", 421, 421),
        ("localhost.evil.example:WORKSHOP", 421, 421),
        ("evil.example", 421, 421),
        ("evil.example:WORKSHOP", 421, 421),
        ("127.0.0.1.nip.example:WORKSHOP", 421, 421),
        ("127.1:WORKSHOP", 421, 421),
        ("2130706433:WORKSHOP", 421, 421),
        ("0.0.0.0:WORKSHOP", 421, 421),
        ("[::ffff:127.0.0.1]:WORKSHOP", 421, 421),
        ("SLUG.localhost:GUESTS", 421, 200),
        ("SLUG.LOCALHOST", 421, 200),
        ("SLUG.localhost.:GUESTS", 421, 421),
        ("SLUG.localhost.evil.example", 421, 421),
        ("a.SLUG.localhost:GUESTS", 421, 421),
        ("SLUG--r2.localhost:GUESTS", 421, 404),
        ("nobodyeverdeployedxx.localhost:GUESTS", 421, 404),
        ("user@localhost:WORKSHOP", 421, 400),
        ("localhost:WORKSHOP:80", 421, 400),
        ("local host", 421, 400),
        ("", 421, 400),
    ];
    for (host, of_workshop, of_gateway) in table {
        let host = host.replace("WORKSHOP", workshop_port).replace("GUESTS", guest_port).replace("SLUG", slug);
        for (address, expected) in [(&ports.workshop, of_workshop), (&ports.guests, of_gateway)] {
            let said = exchange(address, format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes());
            assert_eq!(said.status, expected, "{host:?} at {address}: {said:?}");
        }
    }
    // A request in absolute form names the host twice.
    let absolute = format!("GET http://evil.example/ HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", ports.workshop);
    assert_eq!(exchange(&ports.workshop, absolute.as_bytes()).status, 421);
}
