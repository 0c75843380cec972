//! What is told of one request: its lines while it runs, and its report at its end, whatever that is.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::Method;
use hyper::body::Body as _;
use vivarium_abi::{LogLine, Stream, cgi};

use super::answers::{self, Answer};
use super::deployments::{InFlight, Revision};
use super::guest::Program;
use super::memory::Share;
use super::refusals::Refusals;
use super::thread::Thread;
use crate::control::messages::{LogEntry, LogStream, Outcome, RunReport, Timestamp, Timings};

/// What a report shows of a path, in bytes.
const PATH_SHOWN_BYTES_MAX: usize = 2_048;
/// And of a method.
const METHOD_SHOWN_BYTES_MAX: usize = 32;
/// Reported for a visitor who left before the answer; never sent.
const STATUS_LEFT: u16 = 499;

/// The report of one request. It is sent when this is dropped, also when the visitor left and nobody waits for the answer any more.
pub struct Telling {
    thread: Rc<Thread>,
    pub report: RunReport,
    /// Handed on to the answer's body: a request is in flight until that has left.
    pub in_flight: Option<InFlight>,
}

impl Telling {
    pub fn begin(
        thread: &Rc<Thread>,
        revision: &Arc<Revision<Arc<Program>>>,
        in_flight: InFlight,
        time: Timestamp,
        method: &Method,
        path: &str,
    ) -> Telling {
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
        Telling { thread: thread.clone(), report, in_flight: Some(in_flight) }
    }

    /// Where it happens.
    pub fn thread(&self) -> Rc<Thread> {
        self.thread.clone()
    }

    /// How a whole answer looks.
    pub fn answered(&mut self, answer: &Answer) {
        self.report.status = answer.status().as_u16();
        self.report.bytes = answer.body().size_hint().exact().unwrap_or(0);
    }

    pub fn log(&self, lines: Vec<LogLine>) {
        for line in lines {
            let stream = match line.stream {
                Stream::Stdout => LogStream::Stdout,
                Stream::Stderr => LogStream::Stderr,
                Stream::Vivarium => LogStream::Vivarium,
            };
            self.log_line(stream, line.text);
        }
    }

    pub fn log_line(&self, stream: LogStream, text: String) {
        let (slug, revision) = (self.report.slug.clone(), self.report.revision);
        let entry = LogEntry { slug, revision, request_id: Some(self.report.id), time: Timestamp::now(), stream, text };
        self.thread.shared.reports.log(self.thread.index, entry);
    }

    /// Lines of the server's own.
    pub fn remark(&self, sentences: Vec<String>) {
        sentences.into_iter().for_each(|sentence| self.log_line(LogStream::Vivarium, sentence));
    }

    pub fn refuse(&mut self, why: &str, answer: Answer) -> Answer {
        self.report.outcome = Outcome::Failed { message: why.to_owned() };
        answer
    }

    /// What the program's output probably was meant to be, told once.
    pub fn hint(&self, program: &Program, hint: Option<&'static str>) {
        if let Some(hint) = hint
            && !program.hinted.swap(true, Ordering::Relaxed)
        {
            self.log_line(LogStream::Vivarium, hint.to_owned());
        }
    }

    /// The response that the guest's end means.
    pub fn compose(&mut self, program: &Program, stdout: Bytes, share: Share, refusals: &Refusals<'_>) -> Answer {
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
                self.hint(program, response.hint);
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

impl Drop for Telling {
    fn drop(&mut self) {
        self.thread.shared.reports.report(self.thread.index, self.report.clone());
    }
}
