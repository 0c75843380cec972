//! Services of the Compute ABI and their visitors.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use vivarium::control::messages::{LogStream, Outcome, RunReport};
use vivarium::limits::Limits;

use crate::services::{CLOSE, afterthought, echo, greeter, meddler, mirror, silent, sleeper, spring};
use crate::stage::{PATIENCE, Stage, limits};

fn lines(stage: &Stage) -> Vec<(LogStream, String)> {
    stage.heard.logs.lock().unwrap().iter().map(|line| (line.stream, line.text.clone())).collect()
}

/// A connection on which this was sent.
fn connect(stage: &Stage, sent: &str) -> TcpStream {
    let mut stream = TcpStream::connect(stage.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(sent.replace("PORT", &stage.address.port().to_string()).as_bytes()).unwrap();
    stream
}

/// Reads until these bytes have come; what has come by then.
fn read_until(stream: &mut TcpStream, expected: &str) -> String {
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains(expected) {
        let mut piece = [0; 4096];
        let len = stream.read(&mut piece).unwrap();
        assert_ne!(len, 0, "closed after {:?}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(&piece[..len]);
    }
    String::from_utf8(heard).unwrap()
}

/// The body of a chunked answer, and whether it came to its end.
fn dechunked(mut chunked: &[u8]) -> (usize, bool) {
    let mut total = 0;
    while let Some(line) = chunked.windows(2).position(|window| window == b"\r\n") {
        let len = usize::from_str_radix(std::str::from_utf8(&chunked[..line]).unwrap(), 16).unwrap();
        if len == 0 {
            return (total, true);
        }
        total += len.min(chunked.len() - line - 2);
        chunked = chunked.get(line + 2 + len + 2..).unwrap_or_default();
    }
    (total, false)
}

async fn report(stage: &Stage, slug: &str) -> RunReport {
    stage.heard.report_of(slug).await
}

#[tokio::test]
async fn an_answer_has_its_status_headers_and_body() {
    let stage = Stage::set(1, limits()).await;
    stage.deploy("fern", 1, &greeter()).await;
    let answer = stage.get("fern", "/x?y").await;
    assert_eq!((answer.status, answer.body.as_str()), (201, "hello"), "{answer:?}");
    assert!(
        answer.head.contains("x-leaf: green") && answer.head.contains("content-length: 5") && !answer.head.contains("connection: green")
    );
    let told = report(&stage, "fern").await;
    assert_eq!((told.status, told.bytes, &told.outcome, told.path.as_str()), (201, 5, &Outcome::Finished, "/x?y"));
    stage.heard.until("its log", |_| lines(&stage).contains(&(LogStream::Stdout, "jay: told".to_owned()))).await;
    let head = stage.ask("HEAD / HTTP/1.1\r\nHost: fern.localhost\r\nConnection: close\r\n\r\n").await;
    assert_eq!((head.status, head.body.as_str()), (201, ""));
}

#[tokio::test]
async fn a_guest_without_an_answer_has_a_page() {
    let stage = Stage::set(1, limits()).await;
    stage.deploy("fern", 1, &silent()).await;
    let answer = stage.get("fern", "/").await;
    assert!(answer.status == 502 && answer.body.contains("without sending a response"), "{answer:?}");
    assert_eq!(report(&stage, "fern").await.outcome, Outcome::Finished);
}

#[tokio::test]
async fn a_header_that_is_the_servers_business_is_refused() {
    let stage = Stage::set(1, limits()).await;
    stage.deploy("fern", 1, &meddler()).await;
    let answer = stage.get("fern", "/").await;
    let sentence = "its answer has the header connection, which is the server";
    assert!(answer.status == 502 && answer.body.contains(sentence), "{answer:?}");
    stage
        .heard
        .until("its log", |_| lines(&stage).iter().any(|(stream, line)| *stream == LogStream::Vivarium && line.contains(sentence)))
        .await;
}

#[tokio::test]
async fn a_body_that_arrives_slowly_is_answered_as_it_comes() {
    let stage = Stage::set(1, limits()).await;
    stage.deploy("fern", 1, &echo()).await;
    stage.deploy("moss", 1, &mirror()).await;
    for slug in ["fern", "moss"] {
        let head = format!("POST / HTTP/1.1\r\nHost: {slug}.localhost:PORT\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
        let mut stream = connect(&stage, &head);
        let last = tokio::task::spawn_blocking(move || {
            stream.write_all(b"5\r\nfirst\r\n").unwrap();
            assert!(read_until(&mut stream, "first").contains("transfer-encoding: chunked"));
            stream.write_all(b"6\r\nsecond\r\n").unwrap();
            read_until(&mut stream, "second");
            stream.write_all(b"0\r\n\r\n").unwrap();
            read_until(&mut stream, "0\r\n\r\n")
        });
        last.await.unwrap();
        let told = report(&stage, slug).await;
        assert_eq!((told.status, told.bytes, &told.outcome), (200, 11, &Outcome::Finished), "{slug}");
    }
}

#[tokio::test]
async fn a_thread_answers_others_while_guests_wait_for_their_visitors() {
    let stage = Stage::set(1, limits()).await;
    stage.deploy("fern", 1, &echo()).await;
    stage.deploy("moss", 1, &greeter()).await;
    let head = "POST / HTTP/1.1\r\nHost: fern.localhost:PORT\r\nContent-Length: 3\r\nConnection: close\r\n\r\n";
    let waiting: Vec<TcpStream> = (0..8).map(|_| connect(&stage, head)).collect();
    for _ in 0..5 {
        assert_eq!(stage.get("moss", "/").await.status, 201);
    }
    for mut stream in waiting {
        stream.write_all(b"abc").unwrap();
        tokio::task::spawn_blocking(move || read_until(&mut stream, "abc")).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_written_early_is_sent_early() {
    let stage = Stage::set(1, limits()).await;
    stage.deploy("fern", 1, &sleeper(400)).await;
    let mut stream = connect(&stage, "GET / HTTP/1.1\r\nHost: fern.localhost:PORT\r\nConnection: close\r\n\r\n");
    let early = tokio::task::spawn_blocking(move || {
        let early = read_until(&mut stream, "early");
        read_until(&mut stream, "late");
        early
    });
    assert!(!early.await.unwrap().contains("late"));
}

#[tokio::test]
async fn a_stream_is_held_to_no_size_and_to_its_own_time_and_rate() {
    let stage = Stage::set(1, Limits { response_bytes_max: 1 << 20, buffered_bytes_max: 1 << 20, cpu_ms: 20_000, ..limits() }).await;
    stage.deploy("fern", 1, &spring(512, CLOSE)).await;
    let mut stream = connect(&stage, "GET / HTTP/1.1\r\nHost: fern.localhost:PORT\r\nConnection: close\r\n\r\n");
    let answer = tokio::task::spawn_blocking(move || {
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    });
    let answer = answer.await.unwrap();
    let body = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(dechunked(&answer[body..]), (512 << 16, true));
    assert_eq!(report(&stage, "fern").await.bytes, 512 << 16);
}

/// `VIVARIUM_STREAM_PIECES` is another number of pieces of 64 KiB: 16384 are a gibibyte.
const PIECES_DEFAULT: u32 = 1024;
/// How much more memory a gateway may take while it streams: buffers of both sides, and what its allocator keeps.
const STREAMING_KIB_MAX: u64 = 8 << 10;

/// The most memory that a process ever had, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn a_long_stream_takes_no_more_memory_than_a_short_one() {
    let pieces = std::env::var("VIVARIUM_STREAM_PIECES").ok().map_or(PIECES_DEFAULT, |pieces| pieces.parse().unwrap());
    let allowed =
        Limits { cpu_ms: 120_000, stream_ms: 600_000, stream_bytes_per_second_max: 1 << 40, response_bytes_max: 1 << 20, ..limits() };
    let stage = Stage::set(1, allowed).await;
    stage.deploy("fern", 1, &spring(16, CLOSE)).await;
    stage.deploy("moss", 1, &spring(pieces, CLOSE)).await;
    let mut peaks = Vec::new();
    for slug in ["fern", "moss"] {
        let mut stream = connect(&stage, &format!("GET / HTTP/1.1\r\nHost: {slug}.localhost:PORT\r\nConnection: close\r\n\r\n"));
        let sent = tokio::task::spawn_blocking(move || std::io::copy(&mut stream, &mut std::io::sink()).unwrap()).await.unwrap();
        let told = report(&stage, slug).await;
        assert!(told.outcome == Outcome::Finished && sent > told.bytes, "{told:?}");
        peaks.push(peak_kib(stage.gateway.pid().unwrap()));
        println!(
            "{slug}: {} MiB in {:?} ms of its own, at most {} MiB resident",
            told.bytes >> 20,
            told.timings.run.map(|us| us / 1e3),
            peaks.last().unwrap() >> 10
        );
    }
    assert_eq!(report(&stage, "moss").await.bytes, u64::from(pieces) << 16);
    assert!(peaks[1] - peaks[0] < STREAMING_KIB_MAX, "{peaks:?} KiB");
}

#[tokio::test]
async fn a_stream_beyond_its_time_is_cut() {
    // At this rate it would take 33 seconds.
    let stage = Stage::set(1, Limits { stream_bytes_per_second_max: 1 << 20, stream_ms: 500, ..limits() }).await;
    stage.deploy("fern", 1, &spring(512, CLOSE)).await;
    let mut stream = connect(&stage, "GET / HTTP/1.1\r\nHost: fern.localhost:PORT\r\nConnection: close\r\n\r\n");
    let answer = tokio::task::spawn_blocking(move || {
        let mut answer = Vec::new();
        // The connection may be reset.
        let _ = stream.read_to_end(&mut answer);
        answer
    });
    let answer = answer.await.unwrap();
    let body = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let (bytes, whole) = dechunked(&answer[body..]);
    assert!(!whole && bytes < 4 << 20, "{bytes} bytes came");
    let Outcome::Limited(limit) = report(&stage, "fern").await.outcome else { panic!("a limit") };
    assert_eq!(limit.name, "stream_ms");
}

#[tokio::test]
async fn a_guest_that_traps_in_its_answer_leaves_it_incomplete() {
    let stage = Stage::set(1, limits()).await;
    stage.deploy("fern", 1, &spring(2, "unreachable")).await;
    stage.deploy("moss", 1, &spring(2, "")).await;
    for slug in ["fern", "moss"] {
        let head = format!("GET / HTTP/1.1\r\nHost: {slug}.localhost:PORT\r\nConnection: close\r\n\r\n");
        let mut stream = connect(&stage, &head);
        let answer = tokio::task::spawn_blocking(move || {
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            answer
        });
        let answer = answer.await.unwrap();
        assert!(!answer.ends_with(b"0\r\n\r\n"), "{slug} came to an end");
    }
    assert!(matches!(report(&stage, "fern").await.outcome, Outcome::Trapped(_)));
    assert_eq!(report(&stage, "moss").await.outcome, Outcome::Finished);
}

#[tokio::test]
async fn a_guest_goes_on_after_its_answer() {
    let stage = Stage::set(1, limits()).await;
    stage.deploy("fern", 1, &afterthought(300)).await;
    let answer = stage.get("fern", "/").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
    assert!(stage.heard.reports.lock().unwrap().is_empty(), "the answer came before the guest's end");
    stage.heard.until("its log", |_| lines(&stage).contains(&(LogStream::Stdout, "jay: late".to_owned()))).await;
    let told = report(&stage, "fern").await;
    assert_eq!((told.status, told.bytes, &told.outcome), (200, 5, &Outcome::Finished));
}

#[tokio::test]
async fn a_visitor_who_leaves_ends_a_stream() {
    let stage = Stage::set(1, Limits { cpu_ms: 20_000, ..limits() }).await;
    stage.deploy("fern", 1, &spring(1 << 20, CLOSE)).await;
    let mut stream = connect(&stage, "GET / HTTP/1.1\r\nHost: fern.localhost:PORT\r\nConnection: close\r\n\r\n");
    tokio::task::spawn_blocking(move || stream.read_exact(&mut [0; 100_000]).unwrap()).await.unwrap();
    let Outcome::Failed { message } = report(&stage, "fern").await.outcome else { panic!("it did not end by itself") };
    assert!(message.contains("left"), "{message}");
}
