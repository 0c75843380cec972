//! The answer of a program that prints it, sent while it still runs: what it prints leaves in pieces, each before the next is made.

use bytes::Bytes;
use http::StatusCode;
use vivarium_abi::cgi::CgiResponse;

use super::answers::{self, Answer};
use super::guest::Guest;
use super::memory::Share;
use super::payload::{Payload, Pieces};
use super::telling::Telling;
use super::thread::Thread;
use super::turns::Turns;
use crate::control::messages::{LogStream, Outcome};

/// A program that still runs, and what is certain of its answer.
pub struct Begun {
    pub guest: Guest,
    pub turns: Turns,
    pub share: Share,
    pub response: CgiResponse,
}

/// An answer on its way.
struct Streaming {
    guest: Guest,
    turns: Turns,
    share: Share,
    telling: Telling,
    pieces: Pieces,
    status: StatusCode,
}

/// Whether such an answer has a body at all; one that has none is not worth sending early.
pub fn has_body(is_head: bool, status: StatusCode) -> bool {
    !is_head && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

impl Begun {
    /// The answer, which a task of the thread goes on making.
    pub fn stream(mut self: Box<Self>, telling: Telling) -> Answer {
        let CgiResponse { status, headers, body_start, .. } = self.response;
        let first = self.guest.take_stdout().split_off(body_start);
        let (pieces, payload) = Payload::stream();
        let streaming = Streaming { guest: self.guest, turns: self.turns, share: self.share, telling, pieces, status };
        tokio::task::spawn_local(streaming.run(first));
        answers::of_guest(status, headers, payload)
    }
}

impl Streaming {
    /// Runs the guest to its end. What is incomplete then is closed, not ended.
    async fn run(mut self, mut piece: Bytes) {
        let thread = self.telling.thread();
        let mut sent_bytes = 0;
        while !self.turns.has_ended() {
            let len = piece.len() as u64;
            if !self.send(piece).await {
                return self.leave(&thread);
            }
            sent_bytes += len;
            self.telling.log(self.guest.log_lines());
            self.telling.remark(self.turns.take_sentences());
            // The piece that was just handed over may still be on its way: it counts.
            tokio::select! {
                () = self.turns.next(&thread, &mut self.guest, &self.share, len) => {}
                () = self.pieces.closed() => return self.leave(&thread),
            }
            piece = self.guest.take_stdout();
        }
        self.end(&thread, piece, sent_bytes).await;
    }

    /// False when the visitor has left. One who does not read uses up the time of the request.
    async fn send(&mut self, piece: Bytes) -> bool {
        if piece.is_empty() {
            return !self.pieces.is_closed();
        }
        match tokio::time::timeout_at(self.turns.deadline().into(), self.pieces.send(piece)).await {
            Ok(sent) => sent.is_ok(),
            Err(_) => {
                self.turns.expire();
                true
            }
        }
    }

    /// Nobody waits for the rest: the report says so, as of any visitor who left.
    fn leave(mut self, thread: &Thread) {
        let driven = self.turns.finish();
        self.telling.log(self.guest.last_log_lines());
        self.telling.report.hostcalls = self.guest.hostcalls();
        self.telling.report.timings = thread.end(self.guest, driven.queued).0;
    }

    async fn end(mut self, thread: &Thread, last: Bytes, sent_bytes: u64) {
        let deadline = self.turns.deadline();
        let driven = self.turns.finish();
        let report = &mut self.telling.report;
        report.status = self.status.as_u16();
        report.bytes = sent_bytes + last.len() as u64;
        report.outcome = driven.outcome;
        report.hostcalls = self.guest.hostcalls();
        self.telling.log(self.guest.last_log_lines());
        self.telling.report.timings = thread.end(self.guest, driven.queued).0;
        match &self.telling.report.outcome {
            Outcome::Finished | Outcome::Exited { exit_code: 0 } => {}
            Outcome::Exited { exit_code } => {
                let text = format!("the program ended with exit code {exit_code}; what it had printed was sent");
                self.telling.log_line(LogStream::Vivarium, text);
            }
            _ => {
                let text = "the program's answer had begun when it was ended: the visitor's connection was closed";
                self.telling.log_line(LogStream::Vivarium, text.to_owned());
                // What is not finished is closed.
                return;
            }
        }
        if last.is_empty() {
            return self.pieces.finish();
        }
        let last = answers::hold(last, (self.telling.in_flight.take(), self.share));
        // The report does not wait for a visitor who reads slowly.
        drop(self.telling);
        if let Ok(Ok(())) = tokio::time::timeout_at(deadline.into(), self.pieces.send(last)).await {
            self.pieces.finish();
        }
    }
}
