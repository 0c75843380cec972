//! A visitor's request, from its head to its response and report.
//!
//! route → find the revision (or wait until the workshop sent it) → read the body → enter → run a fresh instance → answer → report

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Incoming};
use vivarium_abi::{HostInput, LogLine, Stream, cgi};

use super::answers::{self, Answer};
use super::connection::{Visitor, Visitors};
use super::deployments::{Answered, Found, InFlight, Revision};
use super::guest::{Guest, GuestLimits, Program, Refusal};
use super::memory::Share;
use super::refusals::Refusals;
use super::routes::{Route, Target};
use super::thread::{Thread, Wall, out_of_memory};
use crate::control::messages::{LogEntry, LogStream, Outcome, RunReport, Timestamp, Timings, Wanted};

/// What a report shows of a path, in bytes.
const PATH_SHOWN_BYTES_MAX: usize = 2_048;
/// And of a method.
const METHOD_SHOWN_BYTES_MAX: usize = 32;
/// Reported for a visitor who left before the answer; never sent.
const STATUS_LEFT: u16 = 499;

type Served = Arc<Revision<Arc<Program>>>;

impl Visitors for Thread {
    async fn answer(self: Rc<Self>, request: Request<Incoming>, visitor: Visitor) -> Answer {
        let (parts, body) = request.into_parts();
        let refusals = Refusals::new(&self.shared.start, &parts.headers);
        if parts.method == Method::CONNECT {
            return answers::sentence(StatusCode::METHOD_NOT_ALLOWED, "This server is no proxy.\n");
        }
        match self.shared.routes.route(&parts.uri, &parts.headers) {
            Route::Target(target) => {
                let in_path_form = target.prefix.is_some();
                let mut answer = self.visit(target, parts, body, visitor, &refusals).await;
                if in_path_form {
                    answers::in_path_form(&mut answer);
                }
                answer
            }
            Route::Redirect { location } => answers::redirect(&location),
            Route::Reserved => {
                answers::sentence(StatusCode::NOT_FOUND, "Paths that begin with /.viv/ are the server's own; nothing is here.\n")
            }
            Route::NotFound => answers::sentence(StatusCode::NOT_FOUND, "The path form of a deployment is /_d/<slug>/.\n"),
            Route::Misdirected => refusals.wrong_host(&parts.headers),
            Route::BadHost => answers::sentence(StatusCode::BAD_REQUEST, "A request names its host in exactly one valid Host header.\n"),
        }
    }
}

impl Thread {
    async fn visit(&self, target: Target, mut parts: Parts, body: Incoming, visitor: Visitor, refusals: &Refusals<'_>) -> Answer {
        let time = Timestamp::now();
        let revision = match self.find(&target, refusals).await {
            Ok(revision) => revision,
            Err(answer) => return answer,
        };
        let body = match self.read(body).await {
            Ok(body) => body,
            Err(answer) => return answer,
        };
        let limits = &self.shared.start.limits;
        let Some(in_flight) = revision.enter(u32::try_from(limits.in_flight_per_deployment_max).unwrap_or(u32::MAX)) else {
            return refusals.queued(&target.slug, "It has as many requests in flight as it may.");
        };
        if let Ok(uri) = Uri::builder().path_and_query(target.path.clone()).build() {
            parts.uri = uri;
        }
        let connection = cgi::Connection {
            peer: visitor.peer,
            local: visitor.local,
            body_bytes: body.len() as u64,
            script_name: target.prefix.as_deref().unwrap_or(""),
        };
        let mut environment = revision.loaded.environment.clone();
        environment.extend(cgi::environment(&parts, &connection));
        let files = revision.program.files.clone();
        let input = HostInput { arguments: vec![target.slug.clone()], environment, stdin: body, files, ..HostInput::default() };
        let shown = format!("{}{}", connection.script_name, target.path);
        let mut telling = Telling::begin(self, &revision, in_flight, time, &parts.method, &shown);
        let answer = self.run_guest(&revision, input, &mut telling, refusals).await;
        telling.report.status = answer.status().as_u16();
        telling.report.bytes = answer.body().size_hint().exact().unwrap_or(0);
        answer
    }

    /// The revision that serves this request from now on, waiting for the workshop if need be.
    async fn find(&self, target: &Target, refusals: &Refusals<'_>) -> Result<Served, Answer> {
        let shared = &self.shared;
        let deadline = Instant::now() + Duration::from_millis(shared.start.limits.load_wait_ms);
        loop {
            let mut changed = std::pin::pin!(shared.deployments.changed());
            // From here on a change is noticed, also one before the wait below.
            changed.as_mut().enable();
            match shared.deployments.find(&target.slug, target.revision) {
                Found::Revision(revision) => return Ok(revision),
                Found::Answered(Answered::Unknown) => return Err(refusals.unknown(target)),
                Found::Answered(Answered::Failed { sentence }) => return Err(refusals.unavailable(&target.slug, sentence)),
                Found::Answered(Answered::Expired { at_unix_ms }) => return Err(refusals.expired(target, at_unix_ms)),
                Found::Busy => return Err(refusals.queued(&target.slug, "Many programs are being loaded at this moment.")),
                Found::Absent { ask } => {
                    if ask {
                        shared.reports.want(self.index, Wanted { slug: target.slug.clone(), revision: target.revision });
                    }
                }
            }
            if tokio::time::timeout_at(deadline.into(), changed).await.is_err() {
                return Err(refusals.starting(&target.slug));
            }
        }
    }

    async fn read(&self, body: Incoming) -> Result<Bytes, Answer> {
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let bytes_max = self.shared.start.limits.request_body_bytes_max;
        let too_long = || answers::sentence(StatusCode::PAYLOAD_TOO_LARGE, "The request's body is longer than request_body_bytes_max.\n");
        if body.size_hint().lower() > bytes_max as u64 {
            return Err(too_long());
        }
        let read = async {
            let _permit = self.bodies.acquire().await;
            Limited::new(body, bytes_max).collect().await
        };
        match tokio::time::timeout(Duration::from_millis(self.shared.start.limits.body_read_ms), read).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_long()),
            Ok(Err(_)) => Err(answers::sentence(StatusCode::BAD_REQUEST, "The request's body ended early.\n")),
            Err(_) => Err(answers::sentence(StatusCode::REQUEST_TIMEOUT, "The request's body took longer than body_read_ms.\n")),
        }
    }

    async fn run_guest(&self, revision: &Served, input: HostInput, telling: &mut Telling<'_>, refusals: &Refusals<'_>) -> Answer {
        let limits = &self.shared.start.limits;
        let slug = &revision.loaded.slug;
        let admitted = self.shared.memory.admit(revision.program.memory_bytes() + input.stdin.len() as u64);
        let Some(mut share) = admitted else {
            return telling.refuse("the gateway's memory is in use", refusals.queued(slug, "All memory of the gateway is in use."));
        };
        let mut guest = match Guest::begin(&self.pool, &revision.program, input, GuestLimits::of_request(limits)) {
            Ok(guest) => guest,
            Err(Refusal::Busy) => {
                return telling.refuse("all slots are in use", refusals.queued(slug, "All slots of the gateway are in use."));
            }
            Err(Refusal::Outcome(outcome)) => {
                telling.report.outcome = *outcome;
                return refusals.of_outcome(&telling.report, None);
            }
        };
        let wall = Wall { allowed: Duration::from_millis(limits.wall_ms), name: "wall_ms" };
        let driven = self.drive(&mut guest, &mut share, wall, |guest| telling.log(guest.log_lines())).await;
        telling.log(guest.last_log_lines());
        let stdout = guest.take_stdout();
        telling.report.hostcalls = guest.hostcalls();
        telling.report.timings = self.end(guest, driven.queued);
        let has_room = share.keep(stdout.len() as u64);
        telling.report.outcome = if has_room { driven.outcome } else { out_of_memory(self.shared.memory.bytes_max()) };
        let mut answer = telling.compose(&revision.program, stdout, share, refusals);
        answers::add_timings(&mut answer, &telling.report.timings);
        if telling.report.timings.run > Some(self.shared.start.limits.slice_us as f64 / 4.0) {
            // Requests that wait on the same connection must not keep others from the reactor.
            tokio::task::yield_now().await;
        }
        answer
    }

    /// Drops the instance, which resets its slot.
    pub fn end(&self, guest: Guest, queued: Duration) -> Timings {
        let us = |duration: Duration| Some(duration.as_secs_f64() * 1e6);
        let (instantiate, run) = (us(guest.instantiated_in()), us(guest.ran()));
        let reset = us(guest.end());
        // Slots that wait keep pages populated: guests need that memory more.
        self.pool.cool(self.shared.memory.warm_bytes_max(self.shared.threads));
        Timings { queue: us(queued), instantiate, run, reset, ..Timings::default() }
    }
}

/// The report of one request. It is sent when this is dropped, also when the visitor left and nobody waits for the answer any more.
pub struct Telling<'t> {
    thread: &'t Thread,
    report: RunReport,
    /// Handed on to the answer's body: a request is in flight until that has left.
    in_flight: Option<InFlight>,
}

impl<'t> Telling<'t> {
    fn begin(thread: &'t Thread, revision: &Served, in_flight: InFlight, time: Timestamp, method: &Method, path: &str) -> Telling<'t> {
        let report = RunReport {
            id: revision.next_request_id(),
            slug: revision.loaded.slug.clone(),
            revision: revision.loaded.revision,
            time,
            method: cut(method.as_str(), METHOD_SHOWN_BYTES_MAX),
            path: cut(path, PATH_SHOWN_BYTES_MAX),
            status: STATUS_LEFT,
            bytes: 0,
            outcome: Outcome::Failed { message: "the visitor left before the answer".into() },
            timings: Timings::default(),
            hostcalls: 0,
            setting: revision.program.module.contract().setting,
        };
        Telling { thread, report, in_flight: Some(in_flight) }
    }

    fn log(&self, lines: Vec<LogLine>) {
        for line in lines {
            let stream = match line.stream {
                Stream::Stdout => LogStream::Stdout,
                Stream::Stderr => LogStream::Stderr,
                Stream::Vivarium => LogStream::Vivarium,
            };
            self.log_line(stream, line.text);
        }
    }

    fn log_line(&self, stream: LogStream, text: String) {
        let (slug, revision) = (self.report.slug.clone(), self.report.revision);
        let entry = LogEntry { slug, revision, request_id: Some(self.report.id), time: Timestamp::now(), stream, text };
        self.thread.shared.reports.log(self.thread.index, entry);
    }

    fn refuse(&mut self, why: &str, answer: Answer) -> Answer {
        self.report.outcome = Outcome::Failed { message: why.to_owned() };
        answer
    }

    /// The response that the guest's end means.
    fn compose(&mut self, program: &Program, stdout: Bytes, share: Share, refusals: &Refusals<'_>) -> Answer {
        match &self.report.outcome {
            Outcome::Finished => {}
            Outcome::Exited { exit_code: 0 } => {}
            Outcome::Exited { exit_code } if !stdout.is_empty() => {
                self.log_line(LogStream::Vivarium, format!("the program ended with exit code {exit_code}; what it had printed was sent"));
            }
            Outcome::Exited { exit_code } => {
                let message =
                    format!("It ended with the exit code {exit_code} and printed nothing. What it says on standard error is in its log.");
                return refusals.bad_answer(&self.report, message);
            }
            _ => return refusals.of_outcome(&self.report, Some(self.report.timings.run.unwrap_or(0.0))),
        }
        match cgi::parse(&stdout) {
            Ok(response) => {
                if let Some(hint) = response.hint
                    && !program.hinted.swap(true, Ordering::Relaxed)
                {
                    self.log_line(LogStream::Vivarium, hint.to_owned());
                }
                let body = answers::hold(stdout.slice(response.body_start..), (self.in_flight.take(), share));
                answers::of_guest(response.status, response.headers, body)
            }
            Err(broken) => {
                self.log_line(LogStream::Vivarium, broken.to_string());
                refusals.bad_answer(&self.report, format!("{broken}."))
            }
        }
    }
}

/// At most so many bytes of it, none of them half a character.
fn cut(text: &str, bytes_max: usize) -> String {
    text[..text.floor_char_boundary(bytes_max)].to_owned()
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        self.thread.shared.reports.report(self.thread.index, self.report.clone());
    }
}
