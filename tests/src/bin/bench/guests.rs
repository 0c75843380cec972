//! Group `guests`: what a program waits for when it asks its host for something, from its call to the next instruction. A sample is the mean of many calls
//! of one run. Key-value stores are those that a gateway has at hand; bodies go through as they do to a visitor, without a network.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Version};
use serde_json::Value;
use vivarium::control::messages::{KvKept, KvTold, Loaded, Settings};
use vivarium::gateway::deployments::{Deployments, Found};
use vivarium::gateway::kv::{Asking, Bell, Session};
use vivarium::limits::Limits;
use vivarium_abi::{Answer, Host, HostInput, HostLimits, KvEntry, Linkage, Output, Source, VisitorRequest, entry_point, imports};
use vivarium_artifact::Setting;
use vivarium_runtime::{Exit, LoadedModule};
use vivarium_tests::engine::{limits, load, policy, pool};
use vivarium_tests::table::Row;

const SAMPLES: usize = 1_000;
/// Few enough that most samples are not interrupted.
const CALLS_OF_A_SAMPLE: u32 = 200;
/// What goes through a guest for one sample, in pieces of 64 KiB.
const PIECES_OF_A_SAMPLE: u32 = 256;
const PIECE_BYTES: usize = 64 << 10;

/// All rows of the group.
pub fn rows() -> Vec<Value> {
    let calls = |body: &str, prepare: &str| per_unit(&program(prepare, body), CALLS_OF_A_SAMPLE);
    let header = "(drop (call $header (local.get $request) (i32.const 100) (i32.const 6) (i32.const 200) (i32.const 64) (i32.const 8)))";
    let look = "
        (drop (call $lookup (local.get $store) (i32.const 120) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 8)))
        (drop (call $lookup_wait (i32.load (i32.const 8)) (i32.const 12) (i32.const 200) (i32.const 64) (i32.const 16) (i32.const 24) (i32.const 32)))
        (if (i32.ne (i32.load (i32.const 32)) (i32.const 1)) (then unreachable))
        (drop (call $read (i32.load (i32.const 12)) (i32.const 200) (i32.const 64) (i32.const 16)))
        (drop (call $close (i32.load (i32.const 12))))";
    let row = |name, unit, values, goal, said| Row { group: "guests", name, unit, values, goal: Some(goal), said }.print();
    vec![
        row("hostcall that does nothing, and back", "ns", calls("(drop (call $yield))", ""), 10.0, ""),
        row("header get", "ns", calls(header, REQUEST), 100.0, ""),
        row("KV get of what the gateway has at hand", "ns", calls(look, STORE), 2_000.0, "four calls: begin, end, read, close"),
        row("body through a guest, 64 KiB reads and writes", "ns/byte", bodies(), 1.0, "1 is 1 GB/s"),
    ]
}

const REQUEST: &str = "(drop (call $asked (i32.const 0) (i32.const 4))) (local.set $request (i32.load (i32.const 0)))";
const STORE: &str = "(drop (call $open (i32.const 130) (i32.const 2) (i32.const 0))) (local.set $store (i32.load (i32.const 0)))";

/// A program that does this as often as a sample wants.
fn program(prepare: &str, body: &str) -> String {
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
        (import "fastly_http_req" "body_downstream_get" (func $asked (param i32 i32) (result i32)))
        (import "fastly_http_req" "header_value_get" (func $header (param i32 i32 i32 i32 i32 i32) (result i32)))
        (import "fastly_kv_store" "open" (func $open (param i32 i32 i32) (result i32)))
        (import "fastly_kv_store" "lookup" (func $lookup (param i32 i32 i32 i32 i32 i32) (result i32)))
        (import "fastly_kv_store" "lookup_wait_v2" (func $lookup_wait (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
        (import "fastly_http_body" "read" (func $read (param i32 i32 i32 i32) (result i32)))
        (import "fastly_http_body" "close" (func $close (param i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 100) "x-leaf") (data (i32.const 120) "oak") (data (i32.const 130) "kv")
        (func (export "_start") (local $request i32) (local $store i32) (local $left i32)
            {prepare}
            (local.set $left (i32.const {CALLS_OF_A_SAMPLE}))
            (loop $again
                {body}
                (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))))"#
    )
}

/// Reads what its visitor sends and writes it to its answer, whole pieces at a time.
const THROUGH: &str = r#"(module
    (import "fastly_http_req" "body_downstream_get" (func $asked (param i32 i32) (result i32)))
    (import "fastly_http_resp" "new" (func $response (param i32) (result i32)))
    (import "fastly_http_body" "new" (func $body (param i32) (result i32)))
    (import "fastly_http_resp" "send_downstream" (func $send (param i32 i32 i32) (result i32)))
    (import "fastly_http_body" "read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "fastly_http_body" "write" (func $write (param i32 i32 i32 i32 i32) (result i32)))
    (import "fastly_http_body" "close" (func $close (param i32) (result i32)))
    (memory (export "memory") 3)
    (func (export "_start") (local $from i32) (local $end i32)
        (drop (call $asked (i32.const 0) (i32.const 4)))
        (drop (call $response (i32.const 8))) (drop (call $body (i32.const 12)))
        (drop (call $send (i32.load (i32.const 8)) (i32.load (i32.const 12)) (i32.const 1)))
        (block $over (loop $again
            (drop (call $read (i32.load (i32.const 4)) (i32.const 65536) (i32.const 65536) (i32.const 16)))
            (br_if $over (i32.eqz (i32.load (i32.const 16))))
            (local.set $from (i32.const 65536))
            (local.set $end (i32.add (i32.const 65536) (i32.load (i32.const 16))))
            (loop $more
                (drop (call $write (i32.load (i32.const 12)) (local.get $from) (i32.sub (local.get $end) (local.get $from)) (i32.const 0) (i32.const 20)))
                (local.set $from (i32.add (local.get $from) (i32.load (i32.const 20))))
                (br_if $more (i32.lt_u (local.get $from) (local.get $end))))
            (br $again)))
        (drop (call $close (i32.load (i32.const 12))))))"#;

fn bodies() -> Vec<f64> {
    let module = loaded(THROUGH);
    let piece = Bytes::from(vec![b'x'; PIECE_BYTES]);
    let bytes = u64::from(PIECES_OF_A_SAMPLE) * PIECE_BYTES as u64;
    let sample = |_| {
        let mut left = PIECES_OF_A_SAMPLE;
        let mut through = 0;
        let took = run(&module, |host| {
            while let Output::Chunk(chunk) = host.next_output() {
                through += chunk.len() as u64;
            }
            if host.wants_body(Source::Visitor) {
                match left.checked_sub(1) {
                    Some(fewer) => {
                        left = fewer;
                        host.push_body(Source::Visitor, piece.clone());
                    }
                    None => host.end_body(Source::Visitor, true),
                }
            }
        });
        assert_eq!(through, bytes, "all of it went through");
        took.as_secs_f64() * 1e9 / bytes as f64
    };
    (0..SAMPLES / 20).map(sample).collect()
}

fn per_unit(wat: &str, units: u32) -> Vec<f64> {
    let module = loaded(wat);
    (0..SAMPLES).map(|_| run(&module, |_| panic!("nothing here waits")).as_secs_f64() * 1e9 / f64::from(units)).collect()
}

fn loaded(wat: &str) -> Arc<LoadedModule> {
    load(&wat::parse_str(wat).expect("the WAT is right"), &policy(imports()), Setting::Best).expect("it compiles")
}

/// Runs a program to its end; how long that took. `wait` is called whenever it waits, and at its end.
fn run(module: &Arc<LoadedModule>, mut wait: impl FnMut(&mut Host)) -> Duration {
    let linkage = Linkage::resolve(module.contract()).expect("its imports are known");
    let mut host = Host::new(input(), HostLimits::default()).expect("within its limits");
    let mut instance = pool(1).acquire(module, limits()).expect("a slot is free");
    instance.invoke(entry_point(module.contract()).expect("it has an entry"), &[]).expect("it can be entered");
    let began = Instant::now();
    let mut waited = false;
    loop {
        let mut answer = match instance.resume() {
            Exit::Hostcall { import } => host.call(&linkage, import, &mut instance),
            Exit::Preempted => continue,
            Exit::Done => break,
            Exit::Trapped(trap) => panic!("{}", trap.message()),
        };
        while let Answer::Wait(_) = answer {
            waited = true;
            wait(&mut host);
            answer = host.finish_wait(&mut instance);
        }
        let Answer::Return(values) = answer else { panic!("{answer:?}") };
        instance.answer(values.as_slice());
    }
    if waited {
        wait(&mut host);
    }
    began.elapsed()
}

fn input() -> HostInput {
    let mut headers = HeaderMap::new();
    for (name, value) in [("host", "fern.localhost"), ("accept", "*/*"), ("user-agent", "a browser"), ("x-leaf", "lobed")] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let (uri, loopback) = (http::Uri::from_static("http://fern.localhost/"), [127, 0, 0, 1].into());
    let request = VisitorRequest { method: Method::GET, uri, version: Version::HTTP_11, headers, peer: loopback, local: loopback, id: 1 };
    HostInput { request: Some(request), kv: Some(stores()), ..HostInput::default() }
}

/// The stores of a deployment with a few entries, as a gateway has them for a request.
fn stores() -> Rc<Session> {
    let deployments = Deployments::new(1 << 20, Duration::from_secs(1));
    let settings = Settings { kv_stores: ["kv".to_owned()].into(), ..Settings::default() };
    let loaded = Loaded { slug: "fern".into(), revision: 1, current: true, expires_at_unix_ms: u64::MAX, settings, ..Loaded::default() };
    deployments.load(loaded, (), 1);
    let asking = Arc::new(Asking::new(&Limits::default()));
    let entry = KvEntry { value: Bytes::from_static(b"lobed"), metadata: String::new(), generation: 1, expires_at_unix_ms: None };
    let kept = ["ash", "elm", "oak"].map(|key| KvKept { store: "kv".into(), key: key.into(), entry: Some(entry.clone()) });
    asking.told(&deployments, vec![KvTold::Contents { slug: "fern".into(), kept: Ok(kept.into()) }]);
    let Found::Revision(revision) = deployments.find("fern", None) else { panic!("it was loaded") };
    let deployment = revision.deployment();
    Session::open(&asking, deployment, "fern", &deployment.settings(), Bell::default())
}
