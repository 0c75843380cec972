//! A guest of the Compute ABI and its visitor: the body is handed over as it arrives, the answer as it is written.
//!
//! ```text
//!            in the connection's task                       in a task of its own
//!  begin ──► run ──► the guest ended ──► answer
//!             └────► it answered and runs on ──► answer ──┬─► run … end       (the whole body was there)
//!                                                         └─► run … end ══► pieces of the body
//! ```
//! While a piece waits for the visitor the guest does not run, so nothing piles up; and it reads from the connection only when it wants more.

use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderName, Method, Uri};
use hyper::body::Incoming;
use vivarium_abi::{Host, HostInput, Output, ResponseHead, Source, VisitorRequest, Wait};

use super::answers::{self, Answer};
use super::arrival::{Arrival, Pace};
use super::connection::Visitor;
use super::fetches::Fetches;
use super::guest::{Guest, Pause};
use super::kv::{Bell, Session};
use super::memory::Share;
use super::payload::{Payload, Pieces};
use super::refusals::Refusals;
use super::routes::Target;
use super::settings::Held;
use super::stream;
use super::telling::Telling;
use super::thread::{Thread, Wall};
use super::visit::{Admitted, Served};
use crate::control::messages::{LogStream, Outcome, Timestamp, Timings};

/// What streaming takes of the server's memory once its guest is gone, in bytes.
const STREAM_BYTES: u64 = 1 << 20;

/// A guest, its visitor, and what is told of them.
struct Exchange {
    thread: Rc<Thread>,
    guest: Guest,
    share: Share,
    telling: Telling,
    visitor: Arrival,
    began: Instant,
    queued: Duration,
    pace: Pace,
    /// Why the guest is not running.
    pause: Pause,
    /// The answer is streamed.
    streams: bool,
    fetches: Fetches,
}

/// What became of the pieces that there were.
enum Handed {
    None,
    Some,
    /// Nobody reads any more.
    Left,
}

/// A request, and where it comes from and goes to.
pub struct Asked<'a> {
    pub revision: &'a Served,
    pub target: &'a Target,
    pub visitor: Visitor,
    pub time: Timestamp,
    /// Its path as reports show it.
    pub path: &'a str,
}

impl Thread {
    /// Runs a guest against a visitor; what it does after its answer goes on by itself.
    pub async fn exchange(self: &Rc<Self>, asked: Asked<'_>, parts: Parts, body: Incoming, refusals: &Refusals<'_>) -> Answer {
        let began = Instant::now();
        let mut telling = match self.enter(asked.revision, asked.time, &parts.method, asked.path, refusals) {
            Ok(telling) => telling,
            Err(answer) => return *answer,
        };
        let is_head = parts.method == Method::HEAD;
        let request = request(parts, &asked.target.path, asked.visitor, telling.report.id);
        let settings = asked.revision.deployment().settings();
        let environment = environment(&settings, asked.revision, telling.report.id);
        let (bell, stores) = (Bell::default(), settings.stores.clone());
        let kv = Session::open(&self.shared.kv, asked.revision.deployment(), &asked.target.slug, &settings, bell.clone());
        let arguments = vec![asked.target.slug.clone()];
        let (files, backends) = (asked.revision.program.files.clone(), settings.backends.clone());
        let request = Some(request);
        let input = HostInput { arguments, environment, files, request, stores, kv: Some(kv), backends, ..HostInput::default() };
        let Admitted { mut guest, share, waited: queued } = match self.begin(asked.revision, input, &mut telling, refusals).await {
            Ok(begun) => begun,
            Err(answer) => return *answer,
        };
        guest.hear(bell);
        let pace = Pace::of(began, self.shared.start.limits.stream_bytes_per_second_max);
        let visitor = Arrival::of(body, guest.host());
        let pause = guest.run();
        let thread = self.clone();
        let fetches = Fetches::new(thread.fetcher.clone(), guest.bell());
        let mut exchange = Exchange { thread, guest, share, telling, visitor, began, queued, pace, pause, streams: false, fetches };
        match exchange.until_answered().await {
            Some(head) => match answers::not_a_guests(&head.headers) {
                Some(name) => exchange.refuse_head(&name, refusals).await,
                None => exchange.answer(head, is_head).await,
            },
            None => exchange.refuse(refusals).await,
        }
    }
}

/// The request as the guest sees it.
fn request(parts: Parts, path: &PathAndQuery, visitor: Visitor, id: u64) -> VisitorRequest {
    let authority = parts.headers.get(http::header::HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(authority.unwrap_or(Authority::from_static("localhost")));
    uri.path_and_query = Some(path.clone());
    let uri = Uri::from_parts(uri).unwrap_or_default();
    let (peer, local) = (visitor.peer.ip(), visitor.local.ip());
    VisitorRequest { method: parts.method, uri, version: parts.version, headers: parts.headers, peer, local, id }
}

/// What guests of this ABI look for in their environment, after what the deployment names.
fn environment(settings: &Held, revision: &Served, id: u64) -> Vec<(String, String)> {
    let mut environment = settings.environment.clone();
    let own = [
        ("FASTLY_HOSTNAME", "localhost".to_owned()),
        ("FASTLY_SERVICE_ID", revision.loaded.slug.clone()),
        ("FASTLY_SERVICE_VERSION", revision.loaded.revision.to_string()),
        ("FASTLY_TRACE_ID", format!("{id:032x}")),
    ];
    environment.extend(own.map(|(name, value)| (name.to_owned(), value)));
    environment
}

impl Exchange {
    /// Runs until the guest has answered; `None` when it ended without.
    async fn until_answered(&mut self) -> Option<ResponseHead> {
        loop {
            if let Some(head) = self.guest.host().take_head() {
                return Some(head);
            }
            if let Pause::Ended(_) = self.pause {
                return None;
            }
            self.go_on(false, None).await;
        }
    }

    /// Waits for what the guest waits for, then runs it once more. `given`: something of its answer has left since it stopped.
    async fn go_on(&mut self, given: bool, pieces: Option<&Pieces>) {
        self.telling.log(self.guest.log_lines());
        let given = self.pump() || given;
        if !self.share.cover(self.guest.held_bytes()) {
            self.pause = Pause::Ended(self.thread.shared.memory.exhausted());
            return;
        }
        let wall = self.wall();
        let deadline = self.began + wall.allowed;
        let Pause::Waiting(Wait::Event { until }) = self.pause else {
            self.visitor.take_what_is_there(self.guest.host());
            let paused = std::mem::replace(&mut self.pause, Pause::Preempted);
            let next = self.thread.turn(&mut self.guest, &mut self.fetches, paused, deadline, &mut self.queued).await;
            self.pause = next.unwrap_or_else(|| Pause::Ended(wall.passed()));
            return;
        };
        if !given {
            let until = until.unwrap_or(deadline).min(deadline);
            let bell = self.guest.bell();
            tokio::select! {
                () = bell.notified() => {}
                () = self.visitor.receive(self.guest.host(), &mut self.pace) => {}
                () = tokio::time::sleep_until(until.into()) => {}
                () = closed(pieces) => return self.pause = Pause::Ended(left()),
            }
            self.pump();
        }
        self.pause = if Instant::now() < deadline { self.guest.wake() } else { Pause::Ended(wall.passed()) };
    }

    /// Hands over what backends answered, takes what is for them. Whether the guest may go on by that.
    fn pump(&mut self) -> bool {
        let moved = self.fetches.pump(self.guest.host());
        self.telling.remark(self.fetches.take_sentences());
        moved
    }

    fn wall(&self) -> Wall {
        let limits = &self.thread.shared.start.limits;
        let (ms, name) = if self.streams || self.visitor.is_open() { (limits.stream_ms, "stream_ms") } else { (limits.wall_ms, "wall_ms") };
        Wall { allowed: Duration::from_millis(ms), name }
    }

    /// The answer as far as it is known. The rest, and what else the guest does, goes on by itself.
    async fn answer(mut self, head: ResponseHead, is_head: bool) -> Answer {
        self.telling.report.status = head.status.as_u16();
        let ended = matches!(self.pause, Pause::Ended(_));
        match head.body_bytes {
            Some(_) if ended => self.whole(head).await,
            // All of the body is there, and the guest runs on: what is on its way has an account of its own, for it may outlive the guest.
            Some(bytes) if let Some(share) = self.thread.shared.memory.admit(bytes) => {
                self.telling.report.bytes = bytes;
                let pieces = answers::hold_all(taken_out(self.guest.host()), share);
                let answer = self.begun(head, Payload::of(pieces));
                tokio::task::spawn_local(self.run_on(None));
                answer
            }
            _ => {
                self.streams = true;
                let status = head.status;
                let (sender, payload) = Payload::stream();
                let answer = self.begun(head, payload);
                // A body that HTTP has no place for is read by nobody.
                tokio::task::spawn_local(self.run_on(stream::has_body(is_head, status).then_some(sender)));
                answer
            }
        }
    }

    fn begun(&self, head: ResponseHead, payload: Payload) -> Answer {
        let mut answer = answers::of_guest(head.status, head.headers, payload);
        let us = |duration: Duration| Some(duration.as_secs_f64() * 1e6);
        let timings = Timings { queue: us(self.queued), instantiate: us(self.guest.instantiated_in()), ..Timings::default() };
        answers::add_timings(&mut answer, &timings);
        answers::add_request_id(&mut answer, self.telling.report.id);
        answer
    }

    /// The guest has ended, and all of its answer is there.
    async fn whole(self, head: ResponseHead) -> Answer {
        let Exchange { thread, mut guest, share, mut telling, queued, pause, .. } = self;
        let pieces = taken_out(guest.host());
        let bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
        finish(&thread, guest, queued, pause, &mut telling);
        telling.report.bytes = bytes;
        // What is over is held to no bound any more: it counts, and others wait.
        share.keep(bytes);
        let held = answers::hold_all(pieces, (telling.in_flight.take(), share));
        let mut answer = answers::of_guest(head.status, head.headers, Payload::of(held));
        answers::add_timings(&mut answer, &telling.report.timings);
        answers::add_request_id(&mut answer, telling.report.id);
        thread.give_way(&telling.report.timings).await;
        answer
    }

    /// The page for a guest that ended without an answer.
    async fn refuse(self, refusals: &Refusals<'_>) -> Answer {
        let Exchange { thread, guest, mut telling, queued, pause, .. } = self;
        finish(&thread, guest, queued, pause, &mut telling);
        let report = &telling.report;
        let mut answer = match &report.outcome {
            Outcome::Finished => refusals.bad_answer(report, "It ended without sending a response.".into()),
            Outcome::Exited { exit_code } => refusals.bad_answer(
                report,
                format!("It ended with the exit code {exit_code} and sent no response. What it says on standard error is in its log."),
            ),
            _ => refusals.of_outcome(report, Some(report.timings.run.unwrap_or(0.0))),
        };
        answers::add_request_id(&mut answer, report.id);
        telling.answered(&answer);
        thread.give_way(&telling.report.timings).await;
        answer
    }

    /// The page for a guest whose answer cannot be sent. The guest does not run on.
    async fn refuse_head(self, header: &HeaderName, refusals: &Refusals<'_>) -> Answer {
        let Exchange { thread, guest, mut telling, queued, pause, .. } = self;
        let message = format!("its answer has the header {header}, which is the server's business: leave it out");
        telling.log_line(LogStream::Vivarium, message.clone());
        let pause = if let Pause::Ended(_) = pause { pause } else { Pause::Ended(Outcome::Failed { message: message.clone() }) };
        finish(&thread, guest, queued, pause, &mut telling);
        let mut answer = refusals.bad_answer(&telling.report, format!("{message}."));
        answers::add_request_id(&mut answer, telling.report.id);
        telling.answered(&answer);
        answer
    }

    /// Runs the guest to its end and hands on what it writes, then what is left of it.
    async fn run_on(mut self, pieces: Option<Pieces>) {
        loop {
            let deadline = self.began + self.wall().allowed;
            let handed = hand_on(self.guest.host(), &mut self.pace, &mut self.telling, pieces.as_ref(), deadline).await;
            if let Handed::Left = handed
                && !matches!(self.pause, Pause::Ended(_))
            {
                self.pause = Pause::Ended(if Instant::now() < deadline { left() } else { self.wall().passed() });
            }
            if let Pause::Ended(_) = self.pause {
                break;
            }
            self.go_on(matches!(handed, Handed::Some), pieces.as_ref()).await;
        }
        let deadline = self.began + self.wall().allowed;
        let Exchange { thread, guest, share, mut telling, mut visitor, queued, mut pace, pause, mut fetches, .. } = self;
        let mut host = finish(&thread, guest, queued, pause, &mut telling);
        share.keep(host.held_bytes().max(STREAM_BYTES));
        loop {
            fetches.pump(&mut host);
            telling.remark(fetches.take_sentences());
            if let Handed::Left = hand_on(&mut host, &mut pace, &mut telling, pieces.as_ref(), deadline).await {
                return;
            }
            match host.next_output() {
                Output::Awaits(_) if fetches.pump(&mut host) => {}
                Output::Awaits(source) => {
                    tokio::select! {
                        () = visitor.receive(&mut host, &mut pace), if source == Source::Visitor => {}
                        () = fetches.rung() => {}
                        () = tokio::time::sleep_until(deadline.into()) => {
                            telling.log_line(LogStream::Vivarium, "the answer took longer than stream_ms; it was given up".into());
                            return;
                        }
                        () = closed(pieces.as_ref()) => return,
                    }
                }
                Output::Finished => return pieces.into_iter().for_each(Pieces::finish),
                // What is not finished is closed.
                Output::Chunk(_) | Output::Open | Output::Broken => return,
            }
        }
    }
}

/// The end of a guest: its last lines, its report, its slot.
fn finish(thread: &Thread, mut guest: Guest, queued: Duration, pause: Pause, telling: &mut Telling) -> Host {
    telling.log(guest.last_log_lines());
    telling.report.hostcalls = guest.hostcalls();
    if let Pause::Ended(outcome) = pause {
        telling.report.outcome = outcome;
    }
    let (timings, mut host) = thread.end(guest, queued);
    telling.report.timings = timings;
    host.guest_ended();
    host
}

/// All pieces of an answer that is there.
fn taken_out(host: &mut Host) -> Vec<Bytes> {
    std::iter::from_fn(|| if let Output::Chunk(piece) = host.next_output() { Some(piece) } else { None }).collect()
}

/// Hands on the pieces that there are, each when the one before it has left.
async fn hand_on(host: &mut Host, pace: &mut Pace, telling: &mut Telling, pieces: Option<&Pieces>, deadline: Instant) -> Handed {
    let mut handed = Handed::None;
    while let Output::Chunk(piece) = host.next_output() {
        handed = Handed::Some;
        telling.report.bytes += piece.len() as u64;
        pace.count(piece.len()).await;
        let Some(pieces) = pieces else { continue };
        let sent = tokio::time::timeout_at(deadline.into(), pieces.send(piece)).await;
        if !matches!(sent, Ok(Ok(()))) {
            return Handed::Left;
        }
    }
    handed
}

/// Ends when nobody reads an answer any more.
async fn closed(pieces: Option<&Pieces>) {
    match pieces {
        Some(pieces) => pieces.closed().await,
        None => std::future::pending().await,
    }
}

fn left() -> Outcome {
    Outcome::Failed { message: "the visitor left before the end of the answer".into() }
}
