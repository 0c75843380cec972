//! What the functions answer, call by call.

use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version};

use super::kv::KvEntry;
use super::{Backends, MemoryKv, Output, Source, Stores, VisitorRequest};
use crate::answer::{Answer, Wait};
use crate::host::{Host, HostInput, HostLimits};
use crate::table::HostFunction;
use crate::testing::{Guest, SlowKv, host_with};

const INVAL: u64 = 2;
const BAD_HANDLE: u64 = 3;
const BUFFER_LENGTH: u64 = 4;
const BAD_ALIGNMENT: u64 = 6;
const HTTP_INVALID: u64 = 7;
const NONE: u64 = 10;
/// Room for the entries there are, and little more.
const KV_BYTES_MAX: u64 = 400;

/// A guest with its memory: names and values at 512, results below.
pub(super) struct Play {
    pub(super) host: Host,
    pub(super) guest: Guest,
    pub(super) kv: Rc<SlowKv>,
}

impl Play {
    pub(super) fn begin() -> Play {
        let entry = |value: &'static str| KvEntry {
            value: Bytes::from_static(value.as_bytes()),
            metadata: "about".into(),
            generation: 7,
            expires_at_unix_ms: None,
        };
        let stores = Stores {
            config: [("leaves".into(), [("oak".into(), "lobed".into())].into())].into(),
            secrets: [("roots".into(), [("key".into(), Bytes::from_static(b"deep"))].into())].into(),
        };
        let kv = MemoryKv::new(["nuts".to_owned()], KV_BYTES_MAX);
        let kv = kv.with("nuts", "a", entry("1")).with("nuts", "b/1", entry("2")).with("nuts", "b/2", entry("3"));
        let kv = Rc::new(SlowKv::new(kv));
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("fern.test"));
        headers.append("x-leaf", HeaderValue::from_static("oak"));
        headers.append("x-leaf", HeaderValue::from_static("beech"));
        let request = VisitorRequest {
            method: Method::POST,
            uri: Uri::from_static("http://fern.test/a?b"),
            version: Version::HTTP_11,
            headers,
            peer: [192, 0, 2, 1].into(),
            local: "::1".parse().unwrap(),
            id: 11,
        };
        let backends = Backends::from([("origin".into(), "https://example.org".parse().unwrap())]).into();
        let input = HostInput { request: Some(request), stores: stores.into(), kv: Some(kv.clone()), backends, ..HostInput::default() };
        Play { kv, host: host_with(input, HostLimits::default()), guest: Guest::with_memory(1024) }
    }

    pub(super) fn call(&mut self, name: &str, arguments: &[u64]) -> Answer {
        let (module, function) = name.split_once('.').unwrap();
        let function = HostFunction::find(&format!("fastly_{module}"), function).unwrap();
        assert_eq!(function.row().parameters.len(), arguments.len(), "{name}");
        self.guest.arguments = arguments.to_vec();
        self.host.call_function(function, &mut self.guest)
    }

    #[track_caller]
    pub(super) fn check(&mut self, name: &str, arguments: &[u64], status: u64) {
        let mut answer = self.call(name, arguments);
        // Stores that are asked twice before they answer.
        for _ in 0..2 {
            if let Answer::Wait(_) = answer {
                answer = self.host.finish_wait(&mut self.guest);
            }
        }
        assert_eq!(answer, Answer::value(status), "{name}{arguments:?}");
    }

    /// Calls a function that writes a handle at 0, and gives that.
    #[track_caller]
    pub(super) fn handle(&mut self, name: &str, arguments: &[u64]) -> u64 {
        self.check(name, arguments, 0);
        self.at(0)
    }

    pub(super) fn at(&self, address: usize) -> u64 {
        u64::from(self.guest.u32_at(address))
    }

    /// Lays a text; where it lies, and its length.
    pub(super) fn text(&mut self, at: usize, text: &str) -> [u64; 2] {
        self.guest.put(at, text.as_bytes());
        [at as u64, text.len() as u64]
    }

    pub(super) fn read(&self, at: usize, len: u64) -> String {
        String::from_utf8(self.guest.memory[at..at + len as usize].to_vec()).unwrap()
    }

    pub(super) fn log_lines(&mut self) -> Vec<String> {
        self.host.take_log_lines().into_iter().map(|line| line.text).collect()
    }

    /// Handles of the visitor's request and its body.
    pub(super) fn visitor(&mut self) -> (u64, u64) {
        self.check("http_req.body_downstream_get", &[0, 4], 0);
        (self.at(0), self.at(4))
    }
}

#[test]
fn the_visitors_request_is_given_as_often_as_it_is_asked_for() {
    let mut play = Play::begin();
    let given = play.visitor();
    assert_eq!(play.visitor(), given);
    let (request, _) = given;
    play.check("http_req.method_get", &[request, 64, 64, 8], 0);
    assert_eq!(play.read(64, play.at(8)), "POST");
    play.check("http_req.uri_get", &[request, 64, 64, 8], 0);
    assert_eq!(play.read(64, play.at(8)), "http://fern.test/a?b");
    play.check("http_req.version_get", &[request, 8], 0);
    assert_eq!(play.at(8), 2);
    play.check("http_downstream.downstream_client_ip_addr", &[request, 64, 8], 0);
    assert_eq!((play.at(8), &play.guest.memory[64..68]), (4, &[192, 0, 2, 1][..]));
    play.check("http_req.downstream_server_ip_addr", &[64, 8], 0);
    assert_eq!((play.at(8), play.guest.memory[79]), (16, 1));
    play.check("http_downstream.downstream_original_header_count", &[request, 8], 0);
    assert_eq!(play.at(8), 2);
    play.check("http_downstream.downstream_tls_protocol", &[request, 64, 64, 8], NONE);
    play.check("http_downstream.downstream_bot_detected", &[request, 8], 0);
    assert_eq!(play.at(8), 0);
    let mut command = Play { kv: play.kv, host: host_with(HostInput::default(), HostLimits::default()), guest: Guest::with_memory(64) };
    command.check("http_req.body_downstream_get", &[0, 4], NONE);
}

#[test]
fn a_buffer_that_is_too_short_learns_what_it_must_be() {
    let mut play = Play::begin();
    let (request, _) = play.visitor();
    play.check("http_req.method_get", &[request, 64, 3, 8], BUFFER_LENGTH);
    assert_eq!((play.at(8), play.at(64)), (4, 0));
    play.check("http_req.method_get", &[request, 64, 4, 8], 0);
    let [name, len] = play.text(512, "x-leaf");
    play.check("http_req.header_value_get", &[request, name, len, 64, 2, 8], BUFFER_LENGTH);
    assert_eq!(play.at(8), 3);
    play.check("http_req.header_value_get", &[request, name, len, 64, 3, 8], 0);
    assert_eq!(play.read(64, 3), "oak");
    let [name, len] = play.text(512, "x-none");
    play.check("http_req.header_value_get", &[request, name, len, 64, 3, 8], INVAL);
}

#[test]
fn lists_come_in_portions() {
    let mut play = Play::begin();
    let (request, _) = play.visitor();
    let [name, len] = play.text(512, "x-leaf");
    play.check("http_req.header_values_get", &[request, name, len, 64, 3, 0, 16, 8], BUFFER_LENGTH);
    assert_eq!(play.at(8), 4);
    play.check("http_req.header_values_get", &[request, name, len, 64, 9, 0, 16, 8], 0);
    assert_eq!((play.read(64, play.at(8)).as_str(), play.guest.u64_at(16)), ("oak\0", 1));
    play.check("http_req.header_values_get", &[request, name, len, 64, 9, 1, 16, 8], 0);
    assert_eq!((play.read(64, play.at(8)).as_str(), play.guest.u64_at(16)), ("beech\0", u64::MAX));
    play.check("http_req.header_values_get", &[request, name, len, 64, 9, 2, 16, 8], 0);
    assert_eq!((play.at(8), play.guest.u64_at(16)), (0, u64::MAX));
    play.check("http_req.header_names_get", &[request, 64, 64, 0, 16, 8], 0);
    assert_eq!((play.read(64, play.at(8)).as_str(), play.guest.u64_at(16)), ("host\0x-leaf\0", u64::MAX));
}

#[test]
fn headers_are_changed_and_what_http_forbids_is_refused() {
    let mut play = Play::begin();
    let response = play.handle("http_resp.new", &[0]);
    let [name, len] = play.text(512, "X-Leaf");
    let [value, value_len] = play.text(600, "oak\0beech\0");
    play.check("http_resp.header_append", &[response, name, len, value, 3], 0);
    play.check("http_resp.header_append", &[response, name, len, value + 4, 5], 0);
    play.check("http_resp.header_values_get", &[response, name, len, 64, 64, 0, 16, 8], 0);
    assert_eq!(play.read(64, play.at(8)), "oak\0beech\0");
    play.check("http_resp.header_insert", &[response, name, len, value + 4, 5], 0);
    play.check("http_resp.header_values_set", &[response, name, len, value, value_len], 0);
    play.check("http_resp.header_values_set", &[response, name, len, value, value_len - 1], INVAL);
    play.check("http_resp.header_remove", &[response, name, len], 0);
    play.check("http_resp.header_remove", &[response, name, len], INVAL);
    let [line, line_len] = play.text(600, "a\r\nb: c");
    play.check("http_resp.header_insert", &[response, name, len, line, line_len], HTTP_INVALID);
    play.check("http_resp.header_insert", &[response, line, line_len, name, len], HTTP_INVALID);
    play.check("http_resp.header_names_get", &[response, 64, 64, 0, 16, 8], 0);
    assert_eq!(play.at(8), 0);
    play.check("http_resp.status_set", &[response, 99], INVAL);
    play.check("http_resp.status_set", &[response, 404], 0);
    play.check("http_resp.status_get", &[response, 8], 0);
    assert_eq!(play.at(8) & 0xFFFF, 404);
}

#[test]
fn handles_addresses_and_alignments_are_checked() {
    let mut play = Play::begin();
    let (request, body) = play.visitor();
    for stranger in [body, 0, u64::from(u32::MAX), u64::from(u32::MAX - 1)] {
        play.check("http_req.method_get", &[stranger, 64, 64, 8], BAD_HANDLE);
        play.check("http_resp.close", &[stranger], BAD_HANDLE);
    }
    play.check("http_req.method_get", &[request, 64, 64, 9], BAD_ALIGNMENT);
    play.check("http_req.header_names_get", &[request, 64, 64, 0, 20, 8], BAD_ALIGNMENT);
    play.check("http_req.method_get", &[request, 64, 64, 1024], INVAL);
    play.check("http_req.method_get", &[request, 1000, 64, 8], INVAL);
    play.check("http_req.method_get", &[request, 64, u64::from(u32::MAX), 8], INVAL);
    play.check("http_req.close", &[request], 0);
    play.check("http_req.close", &[request], BAD_HANDLE);
    play.check("abi.init", &[1], 0);
    play.check("abi.init", &[2], 5);
}

#[test]
fn reading_waits_for_what_the_visitor_sends() {
    let mut play = Play::begin();
    let (_, body) = play.visitor();
    assert_eq!(play.call("http_body.read", &[body, 64, 64, 8]), Answer::Wait(Wait::Event { until: None }));
    assert!(play.host.wants_body(Source::Visitor));
    play.host.push_body(Source::Visitor, Bytes::from_static(b"fern and moss"));
    assert_eq!(play.host.finish_wait(&mut play.guest), Answer::value(0));
    assert_eq!(play.read(64, play.at(8)), "fern and moss");
    play.check("http_body.known_length", &[body, 16], NONE);
    play.host.push_body(Source::Visitor, Bytes::from_static(b"!"));
    play.host.end_body(Source::Visitor, true);
    play.check("http_body.known_length", &[body, 16], 0);
    assert_eq!(play.guest.u64_at(16), 1);
    play.check("http_body.read", &[body, 64, 64, 8], 0);
    play.check("http_body.read", &[body, 64, 64, 8], 0);
    assert_eq!(play.at(8), 0, "that was the end");
}

#[test]
fn a_visitor_who_leaves_is_told_after_what_he_sent() {
    let mut play = Play::begin();
    let (_, body) = play.visitor();
    play.host.push_body(Source::Visitor, Bytes::from_static(b"fern"));
    play.host.end_body(Source::Visitor, false);
    play.check("http_body.read", &[body, 64, 64, 8], 0);
    assert_eq!(play.at(8), 4);
    play.check("http_body.read", &[body, 64, 64, 8], 9);
}

#[test]
fn an_answer_is_sent_once() {
    let mut play = Play::begin();
    let (_, visitor) = play.visitor();
    let response = play.handle("http_resp.new", &[0]);
    let body = play.handle("http_body.new", &[0]);
    play.text(512, "moss");
    play.check("http_body.write", &[body, 512, 4, 0, 8], 0);
    play.check("http_body.write", &[body, 512, 1, 1, 8], 0);
    play.check("http_body.append", &[body, visitor], 0);
    play.check("http_body.append", &[body, body], INVAL);
    play.check("http_resp.send_downstream", &[response, visitor, 0], BAD_HANDLE);
    play.check("http_resp.send_downstream", &[response, body, 0], 0);
    let head = play.host.take_head().unwrap();
    assert_eq!((head.status, head.body_bytes), (StatusCode::OK, None));
    assert_eq!(play.host.next_output(), Output::Chunk(Bytes::from_static(b"m")));
    assert_eq!(play.host.next_output(), Output::Chunk(Bytes::from_static(b"moss")));
    assert_eq!(play.host.next_output(), Output::Awaits(Source::Visitor));
    play.host.push_body(Source::Visitor, Bytes::from_static(b"fern"));
    play.host.end_body(Source::Visitor, true);
    assert_eq!(play.host.next_output(), Output::Chunk(Bytes::from_static(b"fern")));
    assert_eq!(play.host.next_output(), Output::Finished);
    let again = play.handle("http_resp.new", &[0]);
    let body = play.handle("http_body.new", &[0]);
    play.check("http_resp.send_downstream", &[again, body, 0], 1);
    assert!(play.host.take_head().is_none());
}

#[test]
fn a_stream_is_written_until_it_is_full_and_ends_as_the_guest_ends_it() {
    for (close, end) in [("http_body.close", Output::Finished), ("http_body.abandon", Output::Broken)] {
        let mut play = Play::begin();
        let response = play.handle("http_resp.new", &[0]);
        let body = play.handle("http_body.new", &[0]);
        play.check("http_resp.send_downstream", &[response, body, 1], 0);
        assert_eq!(play.host.next_output(), Output::Open);
        let mut written = 0;
        let mut answer = play.call("http_body.write", &[body, 0, 1000, 0, 1008]);
        while let Answer::Return(_) = answer {
            written += play.at(1008);
            assert!(written <= super::outgoing::OUTPUT_BYTES_MAX);
            answer = play.call("http_body.write", &[body, 0, 1000, 0, 1008]);
        }
        assert_eq!((answer, written), (Answer::Wait(Wait::Event { until: None }), super::outgoing::OUTPUT_BYTES_MAX));
        let mut sent = 0;
        while let Output::Chunk(chunk) = play.host.next_output() {
            sent += chunk.len() as u64;
        }
        assert_eq!(play.host.finish_wait(&mut play.guest), Answer::value(0));
        play.check("http_body.read", &[body, 0, 10, 1008], BAD_HANDLE);
        play.check("http_body.write", &[body, 0, 10, 1, 1008], BAD_HANDLE);
        play.check(close, &[body], 0);
        assert!(matches!(play.host.next_output(), Output::Chunk(_)));
        assert_eq!((sent, play.host.next_output()), (written, end));
    }
}

#[test]
fn a_stream_that_a_guest_leaves_open_is_incomplete() {
    let mut play = Play::begin();
    let response = play.handle("http_resp.new", &[0]);
    let body = play.handle("http_body.new", &[0]);
    play.check("http_resp.send_downstream", &[response, body, 1], 0);
    play.host.guest_ended();
    assert_eq!(play.host.next_output(), Output::Broken);
}

#[test]
fn more_than_may_be_held_ends_the_program() {
    let mut play = Play::begin();
    play.guest = Guest::with_memory(2 << 20);
    let body = play.handle("http_body.new", &[0]);
    let mut writes = 0;
    let limit = loop {
        match play.call("http_body.write", &[body, 64, 1 << 20, 0, 8]) {
            Answer::Limit(limit) => break limit,
            answer => assert_eq!(answer, Answer::value(0)),
        }
        writes += 1;
    };
    assert_eq!((writes, limit.name), (15, "buffered_bytes_max"));
    assert!(limit.to_string().contains("16 MiB"), "{limit}");
}

#[test]
fn select_finds_the_first_that_is_ready_or_none_in_time() {
    let mut play = Play::begin();
    let (_, visitor) = play.visitor();
    let body = play.handle("http_body.new", &[0]);
    play.guest.put(512, &(visitor as u32).to_le_bytes());
    play.guest.put(516, &(body as u32).to_le_bytes());
    play.check("async_io.select", &[512, 2, 0, 8], 0);
    assert_eq!(play.at(8), 1);
    let Answer::Wait(Wait::Event { until: Some(until) }) = play.call("async_io.select", &[512, 1, 20, 8]) else { panic!("it waits") };
    std::thread::sleep(until.saturating_duration_since(Instant::now()));
    assert_eq!(play.host.finish_wait(&mut play.guest), Answer::value(0));
    assert_eq!(play.at(8), u64::from(u32::MAX));
    assert_eq!(play.call("async_io.select", &[512, 1, 0, 8]), Answer::Wait(Wait::Event { until: None }));
    play.host.push_body(Source::Visitor, Bytes::from_static(b"x"));
    assert_eq!(play.host.finish_wait(&mut play.guest), Answer::value(0));
    assert_eq!(play.at(8), 0);
    play.check("async_io.is_ready", &[visitor, 8], 0);
    assert_eq!(play.at(8), 1);
    play.check("async_io.select", &[512, 0, 0, 8], INVAL);
    play.check("async_io.select", &[512, 3, 0, 8], BAD_HANDLE);
    play.check("async_io.select", &[513, 1, 0, 8], BAD_ALIGNMENT);
}

#[test]
fn config_and_secrets_are_looked_up() {
    let mut play = Play::begin();
    let [name, len] = play.text(512, "leaves");
    for module in ["config_store", "dictionary"] {
        let store = play.handle(&format!("{module}.open"), &[name, len, 0]);
        let [key, key_len] = play.text(600, "oak");
        play.check(&format!("{module}.get"), &[store, key, key_len, 64, 4, 8], BUFFER_LENGTH);
        assert_eq!(play.at(8), 5);
        play.check(&format!("{module}.get"), &[store, key, key_len, 64, 5, 8], 0);
        assert_eq!(play.read(64, 5), "lobed");
        play.check(&format!("{module}.get"), &[store, key, key_len - 1, 64, 5, 8], NONE);
        play.check("secret_store.get", &[store, key, key_len, 0], BAD_HANDLE);
        play.check(&format!("{module}.open"), &[name, len - 1, 0], BAD_HANDLE);
    }
    let [name, len] = play.text(512, "roots");
    let store = play.handle("secret_store.open", &[name, len, 0]);
    let [key, key_len] = play.text(600, "key");
    let secret = play.handle("secret_store.get", &[store, key, key_len, 0]);
    play.check("secret_store.plaintext", &[secret, 64, 64, 8], 0);
    assert_eq!(play.read(64, play.at(8)), "deep");
    let own = play.handle("secret_store.from_bytes", &[key, key_len, 0]);
    play.check("secret_store.plaintext", &[own, 64, 64, 8], 0);
    assert_eq!(play.read(64, play.at(8)), "key");
    play.check("secret_store.get", &[store, key, key_len - 1, 0], NONE);
    play.check("secret_store.open", &[key, key_len, 0], NONE);
}

#[test]
fn keys_are_listed_by_prefix_and_page() {
    let mut play = Play::begin();
    let [name, len] = play.text(512, "nuts");
    let store = play.handle("kv_store.open", &[name, len, 0]);
    let list = |play: &mut Play, mask: u64, cursor: &str, limit: u32, prefix: &str| {
        play.text(560, cursor);
        play.text(580, prefix);
        for (n, field) in [0, 560, cursor.len() as u32, limit, 580, prefix.len() as u32].iter().enumerate() {
            play.guest.put(640 + 4 * n, &field.to_le_bytes());
        }
        let pending = play.handle("kv_store.list", &[store, mask, 640, 0]);
        play.check("kv_store.list_wait", &[pending, 0, 24], 0);
        play.check("http_body.read", &[play.at(0), 64, 200, 8], 0);
        play.read(64, play.at(8))
    };
    assert_eq!(list(&mut play, 0, "", 0, ""), r#"{"data":["a","b/1","b/2"],"meta":{"limit":100}}"#);
    let page = r#"{"data":["b/1"],"meta":{"limit":1,"prefix":"b/","next_cursor":"b/1"}}"#;
    assert_eq!(list(&mut play, 4 | 8, "", 1, "b/"), page);
    assert_eq!(list(&mut play, 2 | 4 | 8, "b/1", 1, "b/"), r#"{"data":["b/2"],"meta":{"limit":1,"prefix":"b/"}}"#);
}

#[test]
fn there_are_no_backends_but_those_that_were_named() {
    let mut play = Play::begin();
    let (request, body) = play.visitor();
    let [name, len] = play.text(512, "elsewhere");
    play.check("backend.exists", &[name, len, 8], 0);
    assert_eq!(play.at(8), 0);
    play.check("http_req.send_v2", &[request, body, name, len, 32, 8, 12], INVAL);
    assert_eq!(play.at(32), 4);
    play.check("http_req.close", &[request], BAD_HANDLE);
    play.check("http_body.close", &[body], BAD_HANDLE);
    let request = play.handle("http_req.new", &[0]);
    let body = play.handle("http_body.new", &[0]);
    play.check("http_req.send_async_streaming", &[request, body, name, len, 8], INVAL);
    play.check("http_body.close", &[body], 0);
    play.check("http_req.pending_req_wait_v2", &[request, 32, 8, 12], BAD_HANDLE);
}

#[test]
fn logs_go_to_named_endpoints() {
    let mut play = Play::begin();
    let [name, len] = play.text(512, "jay");
    let endpoint = play.handle("log.endpoint_get", &[name, len, 0]);
    assert_eq!(play.handle("log.endpoint_get", &[name, len, 0]), endpoint);
    let [message, message_len] = play.text(600, "two\nlines");
    play.check("log.write", &[endpoint, message, message_len, 8], 0);
    assert_eq!(play.at(8), 9);
    let texts: Vec<String> = play.host.take_log_lines().into_iter().map(|line| line.text).collect();
    assert_eq!(texts, ["jay: two", "jay: lines"]);
    let [name, len] = play.text(512, "stderr");
    play.check("log.endpoint_get", &[name, len, 0], INVAL);
}

#[test]
fn user_agents_have_a_family_and_a_version() {
    for (agent, expected) in [
        ("Mozilla/5.0 (X11; Linux) Gecko/20100101 Firefox/140.2", "Firefox/140/2/"),
        ("Mozilla/5.0 Chrome/139.0.1 Safari/537.36 Edg/139.0.2", "Edge/139/0/2"),
        ("curl/7.88.1", "curl/7/88/1"),
        ("fern", "Other///"),
    ] {
        let mut play = Play::begin();
        let [at, len] = play.text(512, agent);
        play.check("uap.parse", &[at, len, 64, 16, 8, 80, 16, 12, 96, 16, 16, 112, 16, 20], 0);
        let parts: Vec<String> = (0..4).map(|n| play.read(64 + 16 * n, play.at(8 + 4 * n))).collect();
        assert_eq!(parts.join("/"), expected);
    }
}
