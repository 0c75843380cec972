//! A hostile guest: random functions with random arguments, among them handles that mean something, over random memory, while a visitor sends and reads.
//! Nothing may panic, a refused call changes nothing, and what is held stays within its bound.

use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version};

use super::Status;
use super::arriving::Source;
use super::exchange::VisitorRequest;
use super::fetches::{Backends, FetchAnswer, FetchFailure, FetchId};
use super::handles::Object;
use super::kv::{KvEntry, MemoryKv};
use super::outgoing::{OUTPUT_BYTES_MAX, Output};
use super::stores::Stores;
use crate::answer::Answer;
use crate::host::{Host, HostInput, HostLimits};
use crate::hostile::Random;
use crate::table::{HostFunction, Row, table};
use crate::testing::{Guest, SlowKv, host_with};

/// `VIVARIUM_FUZZ_CALLS` is another number of calls.
const CALLS_DEFAULT: u64 = 100_000;
/// Functions that say why there is no answer beside their status.
const TELLS_WHY: [&str; 2] = ["send_v", "pending_req_"];
const CALLS_OF_A_HOST: u64 = 200;
const MEMORY_BYTES: usize = 2048;
const BUFFERED_BYTES_MAX: u64 = 64 << 10;
const KV_BYTES_MAX: u64 = 4 << 10;

/// What memory is made of: names, values and lists that mean something.
const WORDS: [&[u8]; 16] = [
    b"content-type",
    b"x",
    b"host",
    b"a\0b\0",
    b"\0",
    b"text/html",
    b"store",
    b"key",
    b"GET",
    b"http://x.test/a?b",
    b"jay",
    b"a\r\nb",
    b"\xff\xfe",
    b"stdout",
    b"origin",
    b"127.0.0.1",
];

fn fresh_host(random: &mut Random) -> Host {
    let entry = KvEntry { value: Bytes::from_static(b"value"), metadata: "about".into(), generation: 7, expires_at_unix_ms: None };
    let stores = Stores {
        config: [("store".into(), [("key".into(), "value".into())].into())].into(),
        secrets: [("store".into(), [("key".into(), Bytes::from_static(b"secret"))].into())].into(),
    };
    let kv = SlowKv::new(MemoryKv::new(["store".to_owned()], KV_BYTES_MAX).with("store", "key", entry));
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("x.test"));
    headers.append("x", HeaderValue::from_static("1"));
    headers.append("x", HeaderValue::from_static("2"));
    let request = VisitorRequest {
        method: Method::POST,
        uri: Uri::from_static("http://x.test/path?query"),
        version: Version::HTTP_11,
        headers,
        peer: [192, 0, 2, 1].into(),
        local: [127, 0, 0, 1].into(),
        id: random.next(),
    };
    let backends = Backends::from([("origin".into(), "http://example.org".parse().unwrap())]);
    let (stores, backends, kv) = (stores.into(), backends.into(), Some(Rc::new(kv) as Rc<_>));
    let input = HostInput { request: Some(request), stores, backends, kv, ..HostInput::default() };
    host_with(input, HostLimits { buffered_bytes_max: BUFFERED_BYTES_MAX, stderr_bytes_max: 512, ..HostLimits::default() })
}

/// What guests do first: something of each kind has a handle then. Returns that of the visitor's body.
fn begin(host: &mut Host, guest: &mut Guest) -> u64 {
    guest.put(64, b"store");
    guest.put(80, b"key");
    guest.put(96, b"origin");
    let mut call = |module: &str, name: &str, arguments: &[u64]| {
        guest.arguments = arguments.to_vec();
        let mut answer = host.call_function(HostFunction::find(module, name).unwrap(), guest);
        if let Answer::Wait(_) = answer {
            answer = host.finish_wait(guest);
        }
        assert_eq!(answer, Answer::value(0), "{module}.{name}");
        u64::from(guest.u32_at(0))
    };
    let visitor_body = call("fastly_http_req", "body_downstream_get", &[4, 0]);
    call("fastly_http_req", "new", &[0]);
    call("fastly_http_body", "new", &[0]);
    guest_sends(&mut call);
    call("fastly_log", "endpoint_get", &[80, 3, 0]);
    call("fastly_config_store", "open", &[64, 5, 0]);
    let secrets = call("fastly_secret_store", "open", &[64, 5, 0]);
    call("fastly_secret_store", "get", &[secrets, 80, 3, 0]);
    let kv = call("fastly_kv_store", "open", &[64, 5, 0]);
    call("fastly_kv_store", "lookup", &[kv, 80, 3, 0, 0, 0]);
    let response = call("fastly_http_resp", "new", &[0]);
    let body = call("fastly_http_body", "new", &[0]);
    call("fastly_http_resp", "send_downstream", &[response, body, 1]);
    call("fastly_http_resp", "new", &[0]);
    visitor_body
}

/// Two requests on their way; the body of one is a stream.
fn guest_sends(call: &mut impl FnMut(&str, &str, &[u64]) -> u64) {
    for streams in [0, 1] {
        let (request, body) = (call("fastly_http_req", "new", &[0]), call("fastly_http_body", "new", &[0]));
        call("fastly_http_req", "send_async_v2", &[request, body, 96, 6, streams, 0]);
    }
}

/// Scribbles over memory; where words lie now, with their lengths.
fn scribble(random: &mut Random, guest: &mut Guest) -> Vec<(u64, u64)> {
    for at in (0..MEMORY_BYTES).step_by(4) {
        guest.put(at, &(random.argument(MEMORY_BYTES) as u32).to_le_bytes());
    }
    let place = |word: &&[u8]| {
        let at = random.below((MEMORY_BYTES - 32) as u64);
        guest.put(at as usize, word);
        (at, word.len() as u64)
    };
    WORDS.iter().cycle().take(3 * WORDS.len()).map(place).collect()
}

fn any_function(random: &mut Random) -> HostFunction {
    loop {
        let row = &table()[random.below(table().len() as u64) as usize];
        if row.module.starts_with("fastly_") && (row.implemented() || random.below(50) == 0) {
            return HostFunction::find(row.module, row.name).unwrap();
        }
    }
}

/// Whether the functions of a module are about such objects.
fn fits(module: &str, object: &Object) -> bool {
    match module {
        "fastly_http_req" | "fastly_http_downstream" => matches!(object, Object::Request(_) | Object::Pending(_)),
        "fastly_http_resp" => matches!(object, Object::Response(_)),
        "fastly_http_body" => matches!(object, Object::Body(_) | Object::Stream(_)),
        "fastly_log" => matches!(object, Object::Endpoint(_)),
        _ => matches!(object, Object::Store(_) | Object::Secret(_) | Object::Lookup(_) | Object::Change(_) | Object::Listing(_)),
    }
}

/// Handles first, as most functions have it; then words, places and anything.
fn arguments(random: &mut Random, words: &[(u64, u64)], host: &Host, row: &Row) -> Vec<u64> {
    let count = row.parameters.len();
    let all = host.compute.handles.all();
    let fitting: Vec<u32> =
        all.iter().copied().filter(|handle| host.compute.handles.any(*handle).is_ok_and(|object| fits(row.module, object))).collect();
    let handles = if fitting.is_empty() || random.below(8) == 0 { all } else { fitting };
    let handle = |random: &mut Random| u64::from(handles[random.below(handles.len() as u64) as usize]);
    let mut arguments = Vec::new();
    while arguments.len() < count {
        let is_first = arguments.is_empty();
        match random.below(16) {
            n if n < if is_first { 12 } else { 2 } && !handles.is_empty() => arguments.push(handle(random)),
            0..6 => arguments.extend(<[u64; 2]>::from(words[random.below(words.len() as u64) as usize])),
            6..11 => arguments.extend([random.below(MEMORY_BYTES as u64 / 4) * 4, random.below(256) & !3]),
            11..15 => arguments.push(random.below(MEMORY_BYTES as u64 / 8) * 8),
            _ => arguments.push(random.argument(MEMORY_BYTES)),
        }
    }
    arguments.truncate(count);
    arguments
}

/// The visitor sends a little, or reads, or ends.
fn visitor(random: &mut Random, host: &mut Host) {
    match random.below(400) {
        0 => host.end_body(Source::Visitor, random.below(2) == 0),
        1..40 if host.wants_body(Source::Visitor) => host.push_body(Source::Visitor, Bytes::from(vec![b'v'; random.below(600) as usize])),
        40..80 => {
            while let Output::Chunk(chunk) = host.next_output() {
                assert!(!chunk.is_empty());
            }
        }
        80..90 => drop(host.take_head()),
        90..130 => backends(random, host),
        _ => {}
    }
}

/// They answer, or do not, send a little, or end; what they are sent is taken out.
fn backends(random: &mut Random, host: &mut Host) {
    for fetch in host.take_fetches() {
        assert_eq!(fetch.origin.to_string(), "http://example.org", "only what the deployment names");
        assert!(fetch.path.as_str().starts_with('/') && fetch.method != Method::CONNECT);
    }
    for id in (0..host.compute.fetches.len()).map(FetchId::of_index) {
        let source = Source::Backend(id);
        match random.below(8) {
            0 => host.answer_fetch(id, Err(FetchFailure::ALL[random.below(FetchFailure::ALL.len() as u64) as usize])),
            1 => {
                let headers = HeaderMap::from_iter([(http::header::SERVER, HeaderValue::from_static("fern"))]);
                host.answer_fetch(id, Ok(FetchAnswer { status: StatusCode::OK, version: Version::HTTP_11, headers }));
            }
            2..5 if host.wants_body(source) => host.push_body(source, Bytes::from(vec![b'b'; random.below(600) as usize])),
            5 => host.end_body(source, random.below(2) == 0),
            _ => while let Output::Chunk(_) = host.next_of_fetch(id) {},
        }
    }
}

#[test]
fn no_call_panics_and_a_refused_one_changes_nothing() {
    let calls = std::env::var("VIVARIUM_FUZZ_CALLS").ok().map_or(CALLS_DEFAULT, |calls| calls.parse().unwrap());
    let mut random = Random(2027);
    let mut guest = Guest::with_memory(MEMORY_BYTES);
    let mut host = fresh_host(&mut random);
    let (mut words, mut visitor_body) = (Vec::new(), 0);
    let (mut statuses, mut waited, mut limited) = ([0u64; 15], 0, 0);
    for n in 0..calls {
        if n % CALLS_OF_A_HOST == 0 {
            host = fresh_host(&mut random);
            visitor_body = begin(&mut host, &mut guest);
        }
        if n % 64 == 0 {
            words = scribble(&mut random, &mut guest);
        }
        let mut function = any_function(&mut random);
        guest.arguments = arguments(&mut random, &words, &host, function.row());
        if n % 20 == 0 {
            function = HostFunction::find("fastly_http_body", "read").unwrap();
            guest.arguments = vec![visitor_body, 128, random.below(64), 256];
        }
        let before = guest.memory.clone();
        let answer = match host.call_function(function, &mut guest) {
            Answer::Wait(_) => {
                waited += 1;
                assert_eq!(guest.memory, before, "{} waits and changed something", function.row().full_name());
                visitor(&mut random, &mut host);
                host.finish_wait(&mut guest)
            }
            answer => answer,
        };
        match answer {
            Answer::Return(values) => {
                let [status] = values.as_slice() else { panic!("one status") };
                statuses[usize::try_from(*status).unwrap()] += 1;
                let may_write = [Status::Ok as u64, Status::BufferLength as u64].contains(status)
                    || TELLS_WHY.iter().any(|beginning| function.row().name.starts_with(beginning));
                assert!(may_write || guest.memory == before, "{}{:?} changed something", function.row().full_name(), guest.arguments);
            }
            Answer::Limit(_) => {
                limited += 1;
                host = fresh_host(&mut random);
            }
            Answer::Wait(_) => {}
            other => panic!("{} answers {other:?}", function.row().full_name()),
        }
        visitor(&mut random, &mut host);
        // A stream takes one whole body beyond what it has room for.
        assert!(
            host.held_bytes() <= 3 * BUFFERED_BYTES_MAX + 2 * OUTPUT_BYTES_MAX + MEMORY_BYTES as u64,
            "{} bytes are held",
            host.held_bytes()
        );
        host.take_log_lines();
    }
    let seen =
        [Status::Ok, Status::Inval, Status::BadHandle, Status::BufferLength, Status::BadAlignment, Status::HttpInvalid, Status::None];
    for status in seen {
        assert!(statuses[status as usize] > calls / 10_000, "{status:?} is hardly ever answered: {statuses:?}");
    }
    assert!(statuses[0] > calls / 20 && waited > calls / 10_000, "{statuses:?}, {waited} waited, {limited} beyond a limit");
}
