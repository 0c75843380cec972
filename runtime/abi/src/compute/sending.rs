//! What the functions answer that send requests to backends.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, Version};

use super::tests::Play;
use super::{FetchAnswer, FetchFailure, FetchId, FetchRequest, Output, Source};
use crate::answer::{Answer, Wait};

const ERROR: u64 = 1;
const INVAL: u64 = 2;
const UNSUPPORTED: u64 = 5;
const HTTP_INVALID: u64 = 7;
const LIMIT_EXCEEDED: u64 = 13;
const NO_HANDLE: u64 = u32::MAX as u64 - 1;
const WAITS: Answer = Answer::Wait(Wait::Event { until: None });

const SSL: u64 = 1 << 5;
const HOST_OVERRIDE: u64 = 1 << 1;

fn answer(status: u16) -> FetchAnswer {
    let headers = HeaderMap::from_iter([(http::header::SERVER, HeaderValue::from_static("fern"))]);
    FetchAnswer { status: StatusCode::from_u16(status).unwrap(), version: Version::HTTP_11, headers }
}

impl Play {
    /// Handles of a request to this URI and of an empty body.
    fn request(&mut self, uri: &str) -> (u64, u64) {
        let request = self.handle("http_req.new", &[0]);
        let [at, len] = self.text(512, uri);
        self.check("http_req.uri_set", &[request, at, len], 0);
        (request, self.handle("http_body.new", &[0]))
    }

    fn origin(&mut self) -> [u64; 2] {
        self.text(600, "origin")
    }

    /// Sends a request and does not wait.
    fn sent(&mut self, uri: &str) -> (u64, FetchRequest) {
        let ((request, body), [name, len]) = (self.request(uri), self.origin());
        let pending = self.handle("http_req.send_async", &[request, body, name, len, 0]);
        (pending, self.host.take_fetches().remove(0))
    }

    fn finish_wait(&mut self) -> Answer {
        self.host.finish_wait(&mut self.guest)
    }

    fn body_of(&mut self, handle: u64) -> String {
        self.check("http_body.read", &[handle, 700, 100, 8], 0);
        self.read(700, self.at(8))
    }
}

#[test]
fn a_request_is_sent_once_and_its_answer_waited_for() {
    let mut play = Play::begin();
    let ((request, body), [name, len]) = (play.request("http://elsewhere.test/a?b"), play.origin());
    assert_eq!(play.call("http_req.send_v3", &[request, body, name, len, 16, 4, 8]), WAITS);
    let [fetch] = play.host.take_fetches().try_into().unwrap();
    assert_eq!(
        (fetch.origin.to_string().as_str(), fetch.path.as_str()),
        ("https://example.org", "/a?b"),
        "the backend alone decides where"
    );
    assert_eq!((fetch.backend.as_str(), fetch.body_bytes), ("origin", Some(0)));
    assert_eq!((play.finish_wait(), play.host.take_fetches().len()), (WAITS, 0), "the call is made again, not the request");
    play.host.answer_fetch(fetch.id, Ok(answer(201)));
    assert_eq!(play.finish_wait(), Answer::value(0));
    let (response, body) = (play.at(4), play.at(8));
    play.check("http_resp.status_get", &[response, 0], 0);
    assert_eq!(play.at(0) & 0xffff, 201);
    assert_eq!(play.call("http_body.read", &[body, 700, 100, 8]), WAITS);
    let source = Source::Backend(fetch.id);
    assert!(play.host.wants_body(source));
    play.host.push_body(source, Bytes::from_static(b"moss"));
    assert_eq!(play.finish_wait(), Answer::value(0));
    assert_eq!(play.read(700, play.at(8)), "moss");
    play.host.end_body(source, true);
    assert_eq!(play.body_of(body), "");
    // Both were given away.
    play.check("http_req.close", &[request], 3);
}

#[test]
fn who_asks_for_a_backend_that_is_not_there_is_told_so() {
    let mut play = Play::begin();
    let (request, body) = play.request("http://127.0.0.1/");
    let [name, len] = play.text(600, "http://127.0.0.1");
    play.check("http_req.send_v3", &[request, body, name, len, 16, 4, 8], INVAL);
    assert_eq!(play.at(16), FetchFailure::NoSuchBackend.number().into());
    assert!(play.host.take_fetches().is_empty());
    assert!(play.host.take_log_lines()[0].text.contains("there is no backend \"http://127.0.0.1\""));
}

#[test]
fn what_is_no_path_or_no_method_for_a_backend_is_refused() {
    let mut play = Play::begin();
    let ((request, body), [name, len]) = (play.request("*"), play.origin());
    play.check("http_req.send", &[request, body, name, len, 4, 8], HTTP_INVALID);
    let (request, body) = play.request("/");
    let [method, method_len] = play.text(640, "CONNECT");
    play.check("http_req.method_set", &[request, method, method_len], 0);
    play.check("http_req.send", &[request, body, name, len, 4, 8], HTTP_INVALID);
    assert!(play.host.take_fetches().is_empty());
}

#[test]
fn several_requests_are_on_their_way_and_the_first_answer_is_taken() {
    let mut play = Play::begin();
    let ((one, first), (other, second)) = (play.sent("/1"), play.sent("/2"));
    // Who asks whether it is done gives others a turn.
    assert!(matches!(play.call("http_req.pending_req_poll_v2", &[one, 16, 0, 4, 8]), Answer::Wait(Wait::Event { until: Some(_) })));
    assert_eq!(play.finish_wait(), Answer::value(0));
    assert_eq!((play.at(0), play.at(4), play.at(8)), (0, NO_HANDLE, NO_HANDLE));
    play.guest.put(64, &[(one as u32).to_le_bytes(), (other as u32).to_le_bytes()].concat());
    assert_eq!(play.call("http_req.pending_req_select_v2", &[64, 2, 16, 0, 4, 8]), WAITS);
    play.host.answer_fetch(second.id, Ok(answer(202)));
    assert_eq!((play.finish_wait(), play.at(0)), (Answer::value(0), 1));
    play.check("http_resp.status_get", &[play.at(4), 0], 0);
    assert_eq!(play.at(0) & 0xffff, 202);
    play.check("http_req.pending_req_wait_v2", &[other, 16, 4, 8], 3);
    play.host.answer_fetch(first.id, Err(FetchFailure::TimedOut));
    play.check("async_io.is_ready", &[one, 0], 0);
    assert_eq!(play.at(0), 1);
    play.check("http_req.pending_req_wait_v2", &[one, 16, 4, 8], ERROR);
    assert_eq!(play.at(16), 16);
}

#[test]
fn a_failure_that_comes_first_is_told_by_handles_that_mean_nothing() {
    let mut play = Play::begin();
    let (pending, fetch) = play.sent("/");
    play.host.answer_fetch(fetch.id, Err(FetchFailure::AddressRefused));
    play.guest.put(64, &(pending as u32).to_le_bytes());
    play.check("http_req.pending_req_select_v2", &[64, 1, 16, 0, 4, 8], 0);
    assert_eq!((play.at(0), play.at(4), play.at(8), play.at(16)), (0, NO_HANDLE, NO_HANDLE, 6));
}

#[test]
fn bodies_are_streamed_to_a_backend_and_from_it_to_the_visitor() {
    let mut play = Play::begin();
    let ((request, body), [name, len]) = (play.request("/"), play.origin());
    play.handle("http_req.send_async_streaming", &[request, body, name, len, 0]);
    let fetch = play.host.take_fetches().remove(0);
    assert_eq!((fetch.body_bytes, play.host.next_of_fetch(fetch.id)), (None, Output::Open));
    let [text, text_len] = play.text(640, "fern");
    play.check("http_body.write", &[body, text, text_len, 0, 8], 0);
    assert_eq!(play.host.next_of_fetch(fetch.id), Output::Chunk(Bytes::from_static(b"fern")));
    // What the visitor sends goes on to the backend.
    let (_, visitor_body) = play.visitor();
    play.check("http_body.append", &[body, visitor_body], 0);
    assert_eq!(play.host.next_of_fetch(fetch.id), Output::Awaits(Source::Visitor));
    play.host.push_body(Source::Visitor, Bytes::from_static(b"moss"));
    play.host.end_body(Source::Visitor, true);
    assert_eq!(play.host.next_of_fetch(fetch.id), Output::Chunk(Bytes::from_static(b"moss")));
    play.check("http_body.close", &[body], 0);
    assert_eq!(play.host.next_of_fetch(fetch.id), Output::Finished);
}

#[test]
fn an_answer_goes_on_to_the_visitor_when_its_guest_is_gone() {
    let mut play = Play::begin();
    let (pending, fetch) = play.sent("/");
    play.host.answer_fetch(fetch.id, Ok(answer(200)));
    play.check("http_req.pending_req_wait_v2", &[pending, 16, 4, 8], 0);
    let (response, body) = (play.at(4), play.at(8));
    play.check("http_resp.send_downstream", &[response, body, 0], 0);
    play.host.guest_ended();
    assert_eq!(play.host.take_head().unwrap().body_bytes, None);
    let source = Source::Backend(fetch.id);
    assert_eq!(play.host.next_output(), Output::Awaits(source));
    play.host.push_body(source, Bytes::from_static(b"fern"));
    play.host.end_body(source, true);
    assert_eq!((play.host.next_output(), play.host.next_output()), (Output::Chunk(Bytes::from_static(b"fern")), Output::Finished));
}

#[test]
fn requests_are_counted() {
    let mut play = Play::begin();
    let ids: Vec<FetchId> = (0..10).map(|_| play.sent("/").1.id).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    let ((request, body), [name, len]) = (play.request("/"), play.origin());
    play.check("http_req.send_async", &[request, body, name, len, 0], LIMIT_EXCEEDED);
}

#[test]
fn a_program_gives_names_to_what_it_may_reach_and_to_nothing_else() {
    let mut play = Play::begin();
    let refused = ["127.0.0.1", "example.org:8443", "example.org.evil.test", "169.254.169.254", "[::1]", "example.com"];
    for target in refused {
        let ([name, len], [target, target_len]) = (play.text(600, "mine"), play.text(640, target));
        play.check("http_req.register_dynamic_backend", &[name, len, target, target_len, SSL, 0], UNSUPPORTED);
    }
    for target in ["user@example.org", "example.org/path", "2130706433", "", "exa mple.org"] {
        let ([name, len], [target, target_len]) = (play.text(600, "mine"), play.text(640, target));
        play.check("http_req.register_dynamic_backend", &[name, len, target, target_len, SSL, 0], INVAL);
    }
    let ([name, len], [target, target_len]) = (play.text(600, "mine"), play.text(640, "EXAMPLE.org:443"));
    play.check("http_req.register_dynamic_backend", &[name, len, target, target_len, 0, 0], UNSUPPORTED);
    let [host, host_len] = play.text(680, "metadata.internal");
    play.guest.put(128, &[(host as u32).to_le_bytes(), (host_len as u32).to_le_bytes()].concat());
    play.check("http_req.register_dynamic_backend", &[name, len, target, target_len, SSL | HOST_OVERRIDE, 128], UNSUPPORTED);
    let [host, host_len] = play.text(680, "example.org");
    play.guest.put(128, &[(host as u32).to_le_bytes(), (host_len as u32).to_le_bytes()].concat());
    play.check("http_req.register_dynamic_backend", &[name, len, target, target_len, SSL | HOST_OVERRIDE, 128], 0);
    play.check("backend.is_dynamic", &[name, len, 0], 0);
    assert_eq!(play.at(0), 1);
    play.check("backend.get_host", &[name, len, 700, 64, 8], 0);
    assert_eq!(play.read(700, play.at(8)), "example.org");
    play.check("backend.exists", &[name, 3, 0], 0);
    assert_eq!(play.at(0), 0);
}
