//! A visitor's request, from its head to its response and report.
//!
//! route → find the revision (or wait until the workshop sent it) → read the body → enter → run a fresh instance → answer → report

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Incoming};
use vivarium_abi::{Host, HostInput, cgi};

use super::answers::{self, Answer};
use super::connection::{Visitor, Visitors};
use super::deployments::{Answered, Found, Revision};
use super::exchange::Asked;
use super::guest::{Guest, GuestLimits, Program, Refusal};
use super::kv::{Bell, Session};
use super::memory::Share;
use super::refusals::Refusals;
use super::routes::{Route, Target};
use super::stream::{self, Begun};
use super::telling::Telling;
use super::thread::{Thread, Wall};
use super::turns::Turns;
use crate::control::messages::{Timestamp, Timings, Wanted};

pub type Served = Arc<Revision<Arc<Program>>>;

/// What running a guest came to that prints its answer.
enum Ran {
    ToItsEnd(Answer),
    /// It takes its time, and what it has printed so far can be sent.
    Until(Box<Begun>),
}

/// A guest that has not run yet.
pub struct Admitted {
    pub guest: Guest,
    pub share: Share,
    /// For memory.
    pub waited: Duration,
}

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
            Route::BadHost => answers::not_understood("A request names its host in exactly one valid Host header.\n"),
        }
    }
}

impl Thread {
    async fn visit(self: &Rc<Self>, target: Target, mut parts: Parts, body: Incoming, visitor: Visitor, refusals: &Refusals<'_>) -> Answer {
        let time = Timestamp::now();
        let revision = match self.find(&target, refusals).await {
            Ok(revision) => revision,
            Err(answer) => return answer,
        };
        let shown = format!("{}{}", target.prefix.as_deref().unwrap_or(""), target.path);
        if revision.program.exchanges {
            let asked = Asked { revision: &revision, target: &target, visitor, time, path: &shown };
            return self.exchange(asked, parts, body, refusals).await;
        }
        let body = match self.read(body).await {
            Ok(body) => body,
            Err(answer) => return answer,
        };
        let mut telling = match self.enter(&revision, time, &parts.method, &shown, refusals) {
            Ok(telling) => telling,
            Err(answer) => return *answer,
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
        let settings = revision.deployment().settings();
        let mut environment = settings.environment.clone();
        environment.extend(cgi::environment(&parts, &connection));
        let files = revision.program.files.clone();
        let (bell, stores, backends) = (Bell::default(), settings.stores.clone(), settings.backends.clone());
        let kv = Session::open(&self.shared.kv, revision.deployment(), &target.slug, &settings, bell.clone());
        let arguments = vec![target.slug.clone()];
        let input = HostInput { arguments, environment, stdin: body, files, stores, kv: Some(kv), backends, ..HostInput::default() };
        match self.run_guest(&revision, (input, bell), &parts.method, &mut telling, refusals).await {
            Ran::ToItsEnd(answer) => {
                telling.answered(&answer);
                answer
            }
            Ran::Until(begun) => begun.stream(telling),
        }
    }

    /// One more request of a revision, unless it has as many in flight as it may.
    pub fn enter(
        self: &Rc<Self>,
        revision: &Served,
        time: Timestamp,
        method: &Method,
        path: &str,
        refusals: &Refusals<'_>,
    ) -> Result<Telling, Box<Answer>> {
        let in_flight_max = u32::try_from(self.shared.start.limits.in_flight_per_deployment_max).unwrap_or(u32::MAX);
        let in_flight = revision.enter(in_flight_max);
        let Some(in_flight) = in_flight else {
            return Err(refusals.queued(&revision.loaded.slug, "It has as many requests in flight as it may.").into());
        };
        Ok(Telling::begin(self, revision, in_flight, time, method, path))
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

    /// Admits a guest, when there is memory for it, and gives it a slot.
    pub async fn begin(
        &self,
        revision: &Served,
        input: HostInput,
        telling: &mut Telling,
        refusals: &Refusals<'_>,
    ) -> Result<Admitted, Box<Answer>> {
        let slug = &revision.loaded.slug;
        let (asked_at, memory) = (Instant::now(), &self.shared.memory);
        let Some(share) = memory.admit_or_wait(revision.program.memory_bytes() + input.stdin.len() as u64).await else {
            return Err(telling.refuse("the gateway's memory is in use", refusals.queued(slug, &memory.refusal())).into());
        };
        let waited = asked_at.elapsed();
        self.pool.cool(memory.warm_bytes_max(self.shared.threads));
        match Guest::begin(&self.pool, &revision.program, input, GuestLimits::of_request(&self.shared.start.limits)) {
            Ok(mut guest) => {
                guest.draw_on(share.budget());
                Ok(Admitted { guest, share, waited })
            }
            Err(Refusal::Busy) => {
                Err(telling.refuse("all slots are in use", refusals.queued(slug, "All slots of the gateway are in use.")).into())
            }
            Err(Refusal::Outcome(outcome)) => {
                telling.report.outcome = *outcome;
                Err(refusals.of_outcome(&telling.report, None).into())
            }
        }
    }

    async fn run_guest(
        &self,
        revision: &Served,
        (input, bell): (HostInput, Bell),
        method: &Method,
        telling: &mut Telling,
        refusals: &Refusals<'_>,
    ) -> Ran {
        let limits = &self.shared.start.limits;
        let Admitted { mut guest, share, waited } = match self.begin(revision, input, telling, refusals).await {
            Ok(begun) => begun,
            Err(answer) => return Ran::ToItsEnd(*answer),
        };
        guest.hear(bell);
        let wall = Wall { allowed: Duration::from_millis(limits.wall_ms), name: "wall_ms" };
        let stream_after = Duration::from_millis(limits.stream_after_ms);
        let mut turns = Turns::begin(self, &mut guest, wall);
        let mut may_stream = *method != Method::HEAD;
        while !turns.has_ended() {
            telling.log(guest.log_lines());
            telling.remark(turns.take_sentences());
            if may_stream
                && turns.rests_until(stream_after)
                && let Some(begun) = cgi::begun(guest.stdout())
            {
                match begun {
                    Ok(response) if !stream::has_body(false, response.status) => may_stream = false,
                    Ok(response) if response.body_start < guest.stdout().len() => {
                        telling.hint(&revision.program, response.hint);
                        turns.move_wall(Wall { allowed: Duration::from_millis(limits.stream_ms), name: "stream_ms" });
                        return Ran::Until(Box::new(Begun { guest, turns, share, response }));
                    }
                    Ok(_) => {}
                    // What is wrong with it is told at its end.
                    Err(_) => may_stream = false,
                }
            }
            turns.next(self, &mut guest, &share, 0).await;
        }
        telling.remark(turns.take_sentences());
        let driven = turns.finish();
        telling.log(guest.last_log_lines());
        let stdout = guest.take_stdout();
        telling.report.hostcalls = guest.hostcalls();
        telling.report.timings = self.end(guest, waited + driven.queued).0;
        let has_room = share.keep(stdout.len() as u64);
        telling.report.outcome = if has_room { driven.outcome } else { self.shared.memory.exhausted() };
        let mut answer = telling.compose(&revision.program, stdout, share, refusals);
        answers::add_timings(&mut answer, &telling.report.timings);
        answers::add_request_id(&mut answer, telling.report.id);
        self.give_way(&telling.report.timings).await;
        Ran::ToItsEnd(answer)
    }

    /// Requests that wait on the same connection must not keep others from the reactor.
    pub async fn give_way(&self, timings: &Timings) {
        if timings.run > Some(self.shared.start.limits.slice_us as f64 / 4.0) {
            tokio::task::yield_now().await;
        }
    }

    /// Drops the instance, which resets its slot. What it said to its visitor is left.
    pub fn end(&self, guest: Guest, queued: Duration) -> (Timings, Host) {
        let us = |duration: Duration| Some(duration.as_secs_f64() * 1e6);
        let (instantiate, run) = (us(guest.instantiated_in()), us(guest.ran()));
        let (reset, host) = guest.end();
        let reset = us(reset);
        // Slots that wait keep pages populated: guests need that memory more.
        self.pool.cool(self.shared.memory.warm_bytes_max(self.shared.threads));
        (Timings { queue: us(queued), instantiate, run, reset, ..Timings::default() }, host)
    }
}
