//! Much of everything: log lines without end, and a server that works for a while. How long is named by variables; `make soak` lets it work ten minutes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use vivarium_tests::server::{Server, eventually};

/// Seconds of each test.
const FLOOD_SECONDS: (&str, u64) = ("VIVARIUM_FLOOD_SECONDS", 6);
const SOAK_SECONDS: (&str, u64) = ("VIVARIUM_SOAK_SECONDS", 15);
const MIB: u64 = 1 << 20;

/// Writes a mebibyte to its log as often as it may.
const FLOOD: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 20)
    (func (export "_start") (local $left i32)
        (memory.fill (i32.const 4096) (i32.const 120) (i32.const 1048576))
        (i32.store (i32.const 0) (i32.const 4096)) (i32.store (i32.const 4) (i32.const 1048576))
        (local.set $left (i32.const 1000))
        (loop $more
            (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
            (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))))"#;
const LINES: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 100) "a line of the log\n")
    (data (i32.const 200) "Content-Type: text/plain\n\nhello")
    (func (export "_start") (local $left i32)
        (i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const 18))
        (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
        (i32.store (i32.const 0) (i32.const 200)) (i32.store (i32.const 4) (i32.const 31))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

fn seconds((variable, default): (&str, u64)) -> Duration {
    Duration::from_secs(std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default))
}

/// Bytes that a process holds.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) << 10
}

fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |entries| entries.count())
}

fn database_bytes(server: &Server) -> u64 {
    let files = std::fs::read_dir(server.data()).unwrap().flatten();
    files
        .filter(|file| file.file_name().to_string_lossy().contains(".sqlite"))
        .map(|file| file.metadata().map_or(0, |about| about.len()))
        .sum()
}

#[test]
fn a_flood_of_log_lines_grows_neither_the_workshop_nor_its_database() {
    let server = Server::start();
    let flood = server.deployed("wat", "main.wat", FLOOD);
    let neighbour = server.deployed("wat", "main.wat", LINES);
    let until = |moment: Instant| std::iter::from_fn(move || (Instant::now() < moment).then_some(()));
    // What is kept of each is full before it is weighed.
    until(Instant::now() + Duration::from_secs(2)).for_each(|()| drop(server.visit(&flood, "/")));
    let before = (resident(server.pid()), database_bytes(&server));
    let end = Instant::now() + seconds(FLOOD_SECONDS);
    let flooded = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                until(end).for_each(|()| {
                    server.visit(&flood, "/");
                    flooded.fetch_add(1000, Ordering::Relaxed);
                })
            });
        }
        until(end).for_each(|()| assert_eq!(server.visit(&neighbour, "/").text(), "hello", "a neighbour answers meanwhile"));
    });
    let after = (resident(server.pid()), database_bytes(&server));
    let grown = (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
    println!("{} MiB were logged; the workshop grew by {} KiB, the database by {} KiB", flooded.into_inner(), grown.0 >> 10, grown.1 >> 10);
    assert!(grown.0 <= 16 * MIB && grown.1 <= 4 * MIB, "the workshop grew by {} bytes, the database by {}", grown.0, grown.1);
    let slug = flood["slug"].as_str().unwrap();
    let logs = server.get(&format!("/api/v1/deployments/{slug}/logs"));
    assert!((logs.body.len() as u64) < 8 * MIB, "{} bytes of log are kept", logs.body.len());
}

/// So many deployments answer while others come and go.
const SERVED: usize = 4;

#[test]
fn a_server_that_works_for_a_while_neither_grows_nor_fails() {
    let server = Server::start_with(&["--limit", "deployments_per_minute_max=100000"]);
    let served: Vec<_> = (0..SERVED).map(|_| server.deployed("wat", "main.wat", LINES)).collect();
    let work = seconds(SOAK_SECONDS);
    let (over, failed, answered) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let gateway = eventually("the gateway", || server.gateway_pid());
    let mut weighed = Vec::new();
    std::thread::scope(|scope| {
        for deployment in &served {
            let (over, failed, answered, server) = (&over, &failed, &answered, &server);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let answer = server.visit(deployment, "/");
                    answered.fetch_add(1, Ordering::Relaxed);
                    failed.fetch_add(u64::from(answer.status >= 500), Ordering::Relaxed);
                }
            });
        }
        let (over, server) = (&over, &server);
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let brief = server.deployed("wat", "main.wat", LINES);
                server.visit(&brief, "/");
                let path = format!("/api/v1/deployments/{}", brief["slug"].as_str().unwrap());
                assert_eq!(server.call("DELETE", &path, None, brief["owner_token"].as_str()).status, 200);
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        let begin = Instant::now();
        while begin.elapsed() < work {
            std::thread::sleep(work / 30);
            // What a process keeps for later use is kept by then.
            if begin.elapsed() > work / 3 {
                let minutes = begin.elapsed().as_secs_f64() / 60.0;
                weighed.push((minutes, resident(server.pid()) + resident(gateway), descriptors(server.pid()) + descriptors(gateway)));
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    let slope = slope(&weighed.iter().map(|(minutes, bytes, _)| (*minutes, *bytes as f64)).collect::<Vec<_>>()) / MIB as f64;
    let open: Vec<usize> = weighed.iter().map(|(_, _, open)| *open).collect();
    let (least, most) = (open.iter().min().unwrap(), open.iter().max().unwrap());
    let (answered, failed) = (answered.into_inner(), failed.into_inner());
    println!("{answered} answers in {} s, {failed} failed; {slope:.2} MiB a minute; {least} to {most} descriptors", work.as_secs());
    assert_eq!(failed, 0);
    assert_eq!(server.gateway_pid(), Some(gateway), "the gateway lives");
    assert!(most - least < 40, "{open:?} descriptors");
    // A slope over some seconds says little: only a long soak is held to it.
    if work >= Duration::from_secs(300) {
        assert!(slope < 1.0, "memory grows by {slope} MiB a minute");
    }
}

/// Of the straight line that fits best.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let above: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    above / points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
}
