//! The server's own pages for a visitor, filled from what is known about the request.

use http::HeaderMap;
use http::header::HOST;

use super::answers::{Answer, page, page_with_retry};
use super::routes::Target;
use crate::control::messages::{Outcome, RunReport, SourcePlace, Start, Timestamp, TrapReport};
use crate::pages::{
    BadAnswerPage, ExpiredPage, Frame, LimitedPage, TrappedPage, UnavailablePage, UnknownPage, Waiting, WaitingPage, WrongHostPage,
};

/// When a visitor who was turned away may try again.
const RETRY_AFTER_SECONDS: u32 = 1;
/// What a page shows of a Host, in characters.
const HOST_CHARACTERS_MAX: usize = 100;

/// What all pages for one request share.
pub struct Refusals<'r> {
    start: &'r Start,
    /// Asked for by a frame: links would lead nowhere in the workshop's preview.
    embedded: bool,
}

impl<'r> Refusals<'r> {
    pub fn new(start: &'r Start, headers: &HeaderMap) -> Refusals<'r> {
        let embedded = headers.get("sec-fetch-dest").is_some_and(|value| value == "iframe" || value == "frame");
        Refusals { start, embedded }
    }

    pub fn wrong_host(&self, headers: &HeaderMap) -> Answer {
        let host = headers.get(HOST).map(|host| String::from_utf8_lossy(host.as_bytes()).chars().take(HOST_CHARACTERS_MAX).collect());
        let expected = format!("<slug>.{}:{}", self.start.guest_domain, self.start.guest_port);
        let shown = WrongHostPage { host: host.unwrap_or_default(), expected };
        page(WrongHostPage::STATUS, shown.render())
    }

    pub fn unknown(&self, target: &Target) -> Answer {
        let shown = UnknownPage {
            slug: target.slug.clone(),
            revision: target.revision,
            workshop_url: self.workshop_url(),
            embedded: self.embedded,
        };
        page(UnknownPage::STATUS, shown.render())
    }

    pub fn expired(&self, target: &Target, at_unix_ms: u64) -> Answer {
        let shown = ExpiredPage {
            slug: target.slug.clone(),
            revision: target.revision,
            deployed_at: None,
            expired_at: Timestamp { unix_ms: at_unix_ms }.in_words(),
            workshop_url: self.workshop_url(),
            embedded: self.embedded,
        };
        page(ExpiredPage::STATUS, shown.render())
    }

    pub fn unavailable(&self, slug: &str, message: String) -> Answer {
        let shown = UnavailablePage { slug: slug.to_owned(), message, workshop_url: self.workshop_url(), embedded: self.embedded };
        page(UnavailablePage::STATUS, shown.render())
    }

    /// It is being loaded, perhaps compiled again.
    pub fn starting(&self, slug: &str) -> Answer {
        self.waiting(slug, Waiting::Starting, "Its code is being prepared.")
    }

    pub fn queued(&self, slug: &str, message: &str) -> Answer {
        self.waiting(slug, Waiting::Queued, message)
    }

    pub fn bad_answer(&self, report: &RunReport, message: String) -> Answer {
        let shown = BadAnswerPage {
            slug: report.slug.clone(),
            revision: report.revision,
            request_id: report.id,
            method: report.method.clone(),
            path: report.path.clone(),
            message,
            time: report.time.clock(),
            workshop_url: self.workshop_url(),
            embedded: self.embedded,
        };
        page(BadAnswerPage::STATUS, shown.render())
    }

    /// The page for an end that gives no answer. `elapsed_us` is the guest's time until then.
    pub fn of_outcome(&self, report: &RunReport, elapsed_us: Option<f64>) -> Answer {
        match &report.outcome {
            Outcome::Trapped(trap) => self.trapped(report, trap, elapsed_us),
            Outcome::Limited(limit) => {
                let shown = LimitedPage {
                    slug: report.slug.clone(),
                    revision: report.revision,
                    request_id: report.id,
                    method: report.method.clone(),
                    path: report.path.clone(),
                    limit: limit.name.clone(),
                    message: limit.message.clone(),
                    time: report.time.clock(),
                    workshop_url: self.workshop_url(),
                    embedded: self.embedded,
                };
                page(LimitedPage::STATUS, shown.render())
            }
            Outcome::Failed { message } => self.unavailable(&report.slug, format!("The server could not run it: {message}.")),
            Outcome::Finished | Outcome::Exited { .. } => self.bad_answer(report, "It printed nothing.".into()),
        }
    }

    fn trapped(&self, report: &RunReport, trap: &TrapReport, elapsed_us: Option<f64>) -> Answer {
        let offset = |offset: Option<u64>| offset.and_then(|offset| u32::try_from(offset).ok());
        let frames = trap.frames.iter().map(|frame| Frame {
            function: frame.function.clone(),
            wasm_offset: offset(frame.wasm_offset),
            place: frame.place.as_ref().map(SourcePlace::to_string),
        });
        let shown = TrappedPage {
            slug: report.slug.clone(),
            revision: report.revision,
            request_id: report.id,
            method: report.method.clone(),
            path: report.path.clone(),
            trap: trap.message.clone(),
            function: trap.function.clone().unwrap_or_default(),
            wasm_offset: offset(trap.wasm_offset),
            place: trap.place.as_ref().map(SourcePlace::to_string),
            frames: frames.collect(),
            elapsed_us,
            time: report.time.clock(),
            workshop_url: self.workshop_url(),
            embedded: self.embedded,
        };
        page(TrappedPage::STATUS, shown.render())
    }

    fn waiting(&self, slug: &str, waiting: Waiting, message: &str) -> Answer {
        let shown = WaitingPage { slug: slug.to_owned(), waiting, message: message.to_owned(), retry_after_seconds: RETRY_AFTER_SECONDS };
        page_with_retry(WaitingPage::STATUS, shown.render(), RETRY_AFTER_SECONDS)
    }

    fn workshop_url(&self) -> String {
        self.start.workshop_url.trim_end_matches('/').to_owned()
    }
}
