//! Many connections: of one address, slow ones, more than there are descriptors.

use std::io::Write as _;
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use vivarium_tests::server::{Server, binary, eventually};
use vivarium_tests::wire::{connect, connect_from, rest};

use super::{Ports, answering};

/// Names how many slow clients there are of each kind at each port.
const SLOW_CLIENTS: &str = "VIVARIUM_SLOW_CLIENTS";
const SLOW_CLIENTS_DEFAULT: usize = 25;
/// Slow clients with some time between their bytes.
const DRIP: Duration = Duration::from_millis(100);

/// How a client keeps its connection for itself: what it sends at once, and what it sends byte by byte.
const SLOW: [(&str, &str, &str); 6] = [
    ("says nothing", "", ""),
    ("sends half a head", "GET / HTTP/1.1\r\nHost: half", ""),
    (
        "sends a head byte by byte",
        "",
        "GET / HTTP/1.1\r\nHost: HOST\r\nA-Header: that goes on and on and on and on and on and on and on and on and on\r\n",
    ),
    ("sends half a body", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", ""),
    (
        "sends half a chunk",
        "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n{",
        "",
    ),
    ("keeps a connection that it does not use", "GET / HTTP/1.1\r\nHost: HOST\r\n\r\n", ""),
];

#[test]
fn slow_clients_are_closed_and_disturb_nobody() {
    let clients: usize = std::env::var(SLOW_CLIENTS).ok().and_then(|number| number.parse().ok()).unwrap_or(SLOW_CLIENTS_DEFAULT);
    let enough = format!("connections_per_address_max={}", 2 * SLOW.len() * clients + 100);
    let options = ["--limit", "header_read_ms=800", "--limit", "idle_ms=1200", "--limit", "body_read_ms=1200", "--limit", &enough];
    let ports = Ports::start(&options);
    let mut slow: Vec<(&str, TcpStream, String)> = Vec::new();
    for (address, host, path) in ports.both() {
        for (what, at_once, byte_by_byte) in SLOW {
            for _ in 0..clients {
                let mut stream = connect(address);
                stream.write_all(at_once.replace("HOST", host).replace("PATH", path).as_bytes()).unwrap();
                slow.push((what, stream, byte_by_byte.replace("HOST", host)));
            }
        }
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let drippers: Vec<_> = slow
            .iter()
            .filter(|(_, _, text)| !text.is_empty())
            .map(|(_, stream, text)| (stream.try_clone().unwrap(), text.clone()))
            .collect();
        scope.spawn(|| drip(drippers, &over));
        let neighbour = scope.spawn(|| {
            let mut answered = 0;
            while !over.load(Ordering::Relaxed) {
                ports.answer();
                answered += 1;
            }
            answered
        });
        for (what, stream, _) in &mut slow {
            let said = rest(stream);
            assert!(said.closed, "one that {what} is still connected: {said:?}");
        }
        over.store(true, Ordering::Relaxed);
        println!(
            "{} slow clients were closed, others were answered {} times meanwhile",
            clients * 2 * SLOW.len(),
            neighbour.join().unwrap()
        );
    });
}

/// A byte of each text at a time, until the test is over.
fn drip(mut clients: Vec<(TcpStream, String)>, over: &AtomicBool) {
    let mut at = 0;
    while !over.load(Ordering::Relaxed) {
        for (stream, text) in &mut clients {
            if let Some(byte) = text.as_bytes().get(at) {
                // It may be closed already, which is what the test waits for.
                let _ = stream.write_all(&[*byte]);
            }
        }
        at += 1;
        std::thread::sleep(DRIP);
    }
}

#[test]
fn one_address_has_its_share_of_connections_and_others_have_theirs() {
    let ports = Ports::start(&["--limit", "connections_per_address_max=8", "--limit", "header_read_ms=600000"]);
    for (address, host, _) in ports.both() {
        let held: Vec<TcpStream> = (0..8).map(|_| connect_from([127, 0, 0, 7], address)).collect();
        let refused = eventually("a refusal", || {
            // Before all of the others have been accepted it is none too many.
            let mut one_more = connect_from([127, 0, 0, 7], address);
            one_more.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            let said = rest(&mut one_more);
            (said.status == 503).then_some(said)
        });
        assert!(refused.closed && refused.text.contains("connections_per_address_max"), "{refused:?}");
        let mut other = connect_from([127, 0, 0, 8], address);
        other.write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
        assert_eq!(rest(&mut other).status, 200, "{address}");
        drop(held);
        eventually("room again", || {
            let mut again = connect_from([127, 0, 0, 7], address);
            let _ = again.write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes());
            (rest(&mut again).status == 200).then_some(())
        });
    }
}

/// Clock ticks that a process has used; there are 100 a second.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<u64> =
        stat.rsplit(')').next().unwrap_or("").split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    fields.iter().sum()
}

#[test]
fn a_server_without_descriptors_waits_for_them_and_goes_on() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 160; exec \"$0\" \"$@\"", binary().to_str().unwrap()]);
    let options = ["--limit", "connections_per_address_max=100000", "--limit", "idle_ms=600000", "--limit", "header_read_ms=600000"];
    let ports = Ports::of(Server::start_as(command, &options, TempDir::new().unwrap()), &answering("Content-Type: text/plain\n\nhello"));
    ports.answer();
    let pids = [ports.server.pid(), ports.server.gateway_pid().unwrap()];
    // More than either process may have, and more than the queues of their listeners hold only together with it.
    let held: Vec<TcpStream> = (0..200).flat_map(|_| [connect(&ports.workshop), connect(&ports.guests)]).collect();
    std::thread::sleep(Duration::from_millis(500));
    let before = pids.map(ticks);
    std::thread::sleep(Duration::from_secs(2));
    let used: u64 = pids.map(ticks).iter().zip(before).map(|(now, before)| now - before).sum();
    assert!(used < 100, "{used} ticks of two processes in two seconds of waiting");
    assert_eq!(pids[1], ports.server.gateway_pid().unwrap(), "the gateway lives");
    drop(held);
    ports.answer();
}
