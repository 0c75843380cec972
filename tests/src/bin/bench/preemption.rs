//! What stopping guests costs, and whom: endless code past its deadline, the profiler, and neighbours on the same thread.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::Value;
use vivarium_artifact::{ExportedItem, Setting};
use vivarium_runtime::{Exit, Instance, Pool, Profile, Runtime, RuntimeSettings};
use vivarium_tests::engine::{limits, load_wat};
use vivarium_tests::server::Server;
use vivarium_tests::shapes::{run_until, shapes};
use vivarium_tests::table::{Row, percentile};

const DEADLINE: Duration = Duration::from_millis(10);
/// Computations with the profiler off and on, in turns.
const COMPUTATIONS: usize = 200;
/// Requests of the neighbour, for each number of loops beside it.
const NEIGHBOUR_REQUESTS: usize = 1_500;
/// Requests in flight that one deployment may have are fewer than a hundred.
const LOOPS_OF_A_DEPLOYMENT: usize = 50;
/// After it a program is compiled again, optimised, and that is over.
const SETTLED: Duration = Duration::from_secs(4);

/// Rows of the group `runtime`.
pub fn rows() -> Vec<Value> {
    let runtime = Runtime::start(RuntimeSettings::default()).expect("the runtime starts");
    let pool = runtime.pool(1).expect("a pool can be made");
    [vec![past_the_deadline(&pool)], profiler(&pool)].concat()
}

/// How long past its deadline each shape of endless code still had the thread, by the clock.
fn past_the_deadline(pool: &Pool) -> Value {
    let of_shape = |setting: Setting| {
        move |shape: &vivarium_tests::shapes::Shape| {
            let mut instance = shape.begin(pool, setting);
            let started = Instant::now();
            run_until(&mut instance, DEADLINE);
            started.elapsed().saturating_sub(DEADLINE).as_secs_f64() * 1e3
        }
    };
    let shapes = shapes();
    let values: Vec<f64> = shapes.iter().map(of_shape(Setting::Fast)).chain(shapes.iter().map(of_shape(Setting::Best))).collect();
    let said = format!("{} shapes in two settings; the worst {:.1} ms", shapes.len(), percentile(&values, 1.0));
    Row { group: "runtime", name: "endless code past its deadline", unit: "ms", values, goal: Some(10.0), said: &said }.print()
}

/// The same computation without a profiler and with one.
fn profiler(pool: &Pool) -> Vec<Value> {
    let wat = r#"(module (func $work (param $n i32) (result i64) (local $x i64)
        (loop $again
            (local.set $x (i64.add (i64.mul (local.get $x) (i64.const 6364136223846793005)) (i64.const 1)))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $x))
        (func (export "f") (param $n i32) (result i64) (call $work (local.get $n))))"#;
    let module = load_wat(wat, Setting::Best);
    let Some(ExportedItem::Function(function)) = module.contract().export("f") else { panic!("f is exported") };
    let mut profile = Profile::new(&module);
    let compute = |profile: Option<&Profile>| {
        let mut instance = pool.acquire(&module, limits()).expect("a slot is free");
        instance.profile(profile);
        instance.invoke(function, &[5_000_000]).expect("the call can begin");
        let started = Instant::now();
        finish(&mut instance);
        started.elapsed().as_secs_f64() * 1e6
    };
    let (mut off, mut on) = (vec![], vec![]);
    for _ in 0..COMPUTATIONS {
        off.push(compute(None));
        on.push(compute(Some(&profile)));
        profile.collect();
    }
    let said = format!("{} samples, {} lost", profile.taken(), profile.lost());
    [("off", off, ""), ("on", on, said.as_str())]
        .map(|(state, values, said)| {
            Row { group: "runtime", name: &format!("a computation, profiler {state}"), unit: "µs", values, goal: None, said }.print()
        })
        .to_vec()
}

fn finish(instance: &mut Instance) {
    loop {
        match instance.resume() {
            Exit::Preempted => {}
            Exit::Done => return,
            other => panic!("it neither traps nor imports anything: {other:?}"),
        }
    }
}

/// Rows of the group `gateway`: a small program beside endless loops, on the gateway's only thread.
pub fn neighbours() -> Vec<Value> {
    let server = on_one_processor(Server::start);
    let neighbour = server.deployed("wat", "main.wat", &answering("hello"));
    let loops: Vec<_> = (0..2).map(|which| server.deployed("wat", "main.wat", &endless(which))).collect();
    std::thread::sleep(SETTLED);
    let mut rows = Vec::new();
    let mut alone = 0.0;
    for (beside, goal) in [(0, None), (1, Some(2.0)), (100, Some(3.0))] {
        let values = beside_loops(&neighbour, &loops, beside);
        let tail = percentile(&values, 0.99);
        let row = |name: String, values: Vec<f64>, goal: Option<f64>| {
            Row { group: "gateway", name: &name, unit: "ms", values, goal, said: "" }.print()
        };
        rows.push(row(format!("a neighbour of {beside} endless loops"), values, None));
        match goal {
            None => alone = tail,
            Some(_) => rows.push(row(format!("{beside} endless loops add to its p99"), vec![tail - alone], goal)),
        }
    }
    rows
}

/// A server that is started so has as many threads for visitors as it is given processors.
fn on_one_processor<T>(start: impl FnOnce() -> T) -> T {
    let all = sched_getaffinity(None).expect("the kernel tells where a thread may run");
    let first = (0..CpuSet::MAX_CPU).rev().find(|processor| all.is_set(*processor)).expect("there is a processor");
    let mut one = CpuSet::new();
    one.set(first);
    sched_setaffinity(None, &one).expect("a thread may choose among its processors");
    let started = start();
    sched_setaffinity(None, &all).expect("a thread may go back");
    started
}

/// Latencies of the neighbour's requests, in milliseconds, while so many loops run.
fn beside_loops(neighbour: &Value, loops: &[Value], count: usize) -> Vec<f64> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for index in 0..count {
            let (over, deployment) = (&over, &loops[index / LOOPS_OF_A_DEPLOYMENT]);
            // Each ends at its limit and is asked for again.
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    ask(&mut connect(deployment), deployment, "close");
                }
            });
        }
        if count > 0 {
            std::thread::sleep(Duration::from_millis(500));
        }
        let mut stream = connect(neighbour);
        let mut request = || {
            let started = Instant::now();
            let answer = ask(&mut stream, neighbour, "keep-alive");
            assert!(answer.ends_with("hello"), "{answer}");
            started.elapsed().as_secs_f64() * 1e3
        };
        let values = (0..NEIGHBOUR_REQUESTS).map(|_| request()).collect();
        over.store(true, Ordering::Relaxed);
        values
    })
}

fn connect(deployment: &Value) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", Server::guest_port(deployment))).expect("the gateway listens");
    stream.set_nodelay(true).expect("a fresh socket takes options");
    stream
}

/// One request; the answer, as long as its Content-Length says, or until the other side closes.
fn ask(stream: &mut TcpStream, deployment: &Value, connection: &str) -> String {
    let host = deployment["url"].as_str().expect("a deployment has a URL").trim_start_matches("http://").trim_end_matches('/');
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: {connection}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("the gateway reads");
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut piece).unwrap_or(0);
        answer.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&answer);
        let complete = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:").map(|text| text.trim().to_owned()));
            length.and_then(|length| length.parse().ok()).is_some_and(|length: usize| body.len() >= length)
        });
        if read == 0 || complete {
            return text.into_owned();
        }
    }
}

fn answering(text: &str) -> String {
    let bytes = "Content-Type: text/plain\n\n".len() + text.len();
    format!(
        r#"(module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1) (data (i32.const 100) "Content-Type: text/plain\n\n{text}")
            (func (export "_start")
                (i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const {bytes}))
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#
    )
}

/// Two texts, for the same one twice is one build.
fn endless(which: usize) -> String {
    format!(
        r#"(module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1) (func (export "_start") (local i32) (local.set 0 (i32.const {which})) (loop $again (br $again))))"#
    )
}
