//! What a gateway tells the workshop about requests: piled up by each thread, sent in batches.
//!
//! A pile is bounded; what does not fit is dropped, counted, and the count becomes a line of the deployment's own log. A visitor never waits for it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::control::channel::MESSAGE_BYTES_MAX;
use crate::control::messages::{Batch, LogEntry, LogStream, Outcome, RunReport, SourcePlace, Timestamp, Wanted};

/// The least time between two batches of one gateway, in milliseconds: a line is in the page within a hundred.
pub const BATCH_INTERVAL: Duration = Duration::from_millis(20);
/// Reports and lines of one thread that wait for the next batch.
const PILE_ENTRIES_MAX: usize = 8_192;
/// Their length on the wire, in bytes: a batch stays far below what a control message may be, also with the lines about drops.
const PILE_BYTES_MAX: usize = 4 << 20;
const _: () = assert!(PILE_BYTES_MAX + DROPS_MAX * DROP_LINE_BYTES < MESSAGE_BYTES_MAX / 4);
/// What numbers and lengths of one entry take on the wire at most: of a report, of a trap's frame, of a line or a question.
const REPORT_BYTES: usize = 256;
const FRAME_BYTES: usize = 24;
const PLACE_BYTES: usize = 16;
const ENTRY_BYTES: usize = 64;
/// A line about drops, at most.
const DROP_LINE_BYTES: usize = 512;
/// Deployments of which drops are counted apart; of more, drops are not told.
const DROPS_MAX: usize = 256;

/// The piles of all threads.
#[derive(Debug)]
pub struct Reports {
    piles: Vec<Mutex<Pile>>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Pile {
    batch: Batch,
    bytes: usize,
    drops: HashMap<(String, u32), Drops>,
}

#[derive(Debug, Default)]
struct Drops {
    lines: u64,
    reports: u64,
}

impl Reports {
    pub fn new(threads: usize) -> Reports {
        Reports { piles: (0..threads).map(|_| Mutex::default()).collect(), changed: Notify::new() }
    }

    pub fn report(&self, thread: usize, report: RunReport) {
        self.change(thread, |pile| {
            if pile.has_room(report_bytes(&report)) {
                pile.batch.reports.push(report);
            } else {
                pile.drop_of(&report.slug, report.revision, |drops| drops.reports += 1);
            }
        });
    }

    pub fn log(&self, thread: usize, entry: LogEntry) {
        self.change(thread, |pile| {
            if pile.has_room(ENTRY_BYTES + entry.text.len() + entry.slug.len()) {
                pile.batch.logs.push(entry);
            } else {
                pile.drop_of(&entry.slug, entry.revision, |drops| drops.lines += 1);
            }
        });
    }

    /// Asks the workshop for something. When the pile is full the visitor's next try asks again.
    pub fn want(&self, thread: usize, wanted: Wanted) {
        self.change(thread, |pile| {
            if pile.has_room(ENTRY_BYTES + wanted.slug.len()) {
                pile.batch.wanted.push(wanted);
            }
        });
    }

    /// Asks for a connection to the fetch proxy. A thread has one question open at a time.
    pub fn want_fetcher(&self, thread: usize) {
        self.change(thread, |pile| pile.batch.fetchers_wanted = vec![thread as u32]);
    }

    /// Waits until there is something to send.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What piled up, a batch for each thread that has something.
    pub fn take(&self) -> Vec<Batch> {
        self.piles
            .iter()
            .map(|pile| std::mem::take(&mut *pile.lock().unwrap_or_else(PoisonError::into_inner)).finish())
            .filter(|batch| !batch.is_empty())
            .collect()
    }

    fn change(&self, thread: usize, change: impl FnOnce(&mut Pile)) {
        change(&mut self.piles[thread].lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }
}

fn report_bytes(report: &RunReport) -> usize {
    let outcome = match &report.outcome {
        Outcome::Finished | Outcome::Exited { .. } => 0,
        Outcome::Trapped(trap) => {
            let place = |place: &Option<SourcePlace>| place.as_ref().map_or(0, |place| PLACE_BYTES + place.file.len());
            let frames: usize = trap.frames.iter().map(|frame| FRAME_BYTES + frame.function.len() + place(&frame.place)).sum();
            trap.kind.len() + trap.message.len() + trap.function.as_ref().map_or(0, String::len) + place(&trap.place) + frames
        }
        Outcome::Limited(limit) => limit.name.len() + limit.message.len(),
        Outcome::Failed { message } => message.len(),
    };
    REPORT_BYTES + report.slug.len() + report.method.len() + report.path.len() + outcome
}

impl Pile {
    fn has_room(&mut self, bytes: usize) -> bool {
        let entries = self.batch.reports.len() + self.batch.logs.len() + self.batch.wanted.len();
        let room = entries < PILE_ENTRIES_MAX && self.bytes + bytes <= PILE_BYTES_MAX;
        self.bytes += if room { bytes } else { 0 };
        room
    }

    fn drop_of(&mut self, slug: &str, revision: u32, count: impl FnOnce(&mut Drops)) {
        let key = (slug.to_owned(), revision);
        if self.drops.len() < DROPS_MAX || self.drops.contains_key(&key) {
            count(self.drops.entry(key).or_default());
        }
    }

    fn finish(mut self) -> Batch {
        let time = Timestamp::now();
        for ((slug, revision), drops) in self.drops {
            let text = format!(
                "{} lines and {} request reports were dropped: they came faster than they can be shown",
                drops.lines, drops.reports
            );
            self.batch.logs.push(LogEntry { slug, revision, request_id: None, time, stream: LogStream::Vivarium, text });
        }
        self.batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::messages::{Timings, TrapFrame, TrapReport};

    fn line(slug: &str, text: &str) -> LogEntry {
        let time = Timestamp { unix_ms: 1 };
        LogEntry { slug: slug.into(), revision: 3, request_id: Some(1), time, stream: LogStream::Stderr, text: text.into() }
    }

    #[tokio::test]
    async fn what_is_piled_up_is_taken_once() {
        let reports = Reports::new(2);
        reports.log(0, line("fern", "one"));
        reports.log(1, line("moss", "two"));
        reports.want(1, Wanted { slug: "oak".into(), revision: None });
        reports.changed().await;
        let batches = reports.take();
        let texts: Vec<&str> = batches.iter().flat_map(|batch| &batch.logs).map(|entry| entry.text.as_str()).collect();
        assert_eq!((texts, batches[1].wanted.len()), (vec!["one", "two"], 1));
        assert!(reports.take().is_empty());
    }

    #[test]
    fn a_flood_is_dropped_and_counted() {
        let reports = Reports::new(1);
        for _ in 0..PILE_ENTRIES_MAX + 100 {
            reports.log(0, line("flood", "x"));
        }
        for _ in 0..3 {
            reports.log(0, line("calm", "x"));
        }
        let batch = reports.take().remove(0);
        assert_eq!(batch.logs.len(), PILE_ENTRIES_MAX + 2);
        let told: Vec<&LogEntry> = batch.logs.iter().filter(|entry| entry.stream == LogStream::Vivarium).collect();
        let of = |slug: &str| told.iter().find(|entry| entry.slug == slug).unwrap().text.clone();
        assert!(of("flood").starts_with("100 lines"), "{}", of("flood"));
        assert!(of("calm").starts_with("3 lines"), "{}", of("calm"));
    }

    #[test]
    fn text_is_bounded_too() {
        let reports = Reports::new(1);
        let long = "x".repeat(PILE_BYTES_MAX / 4);
        for _ in 0..8 {
            reports.log(0, line("f", &long));
        }
        let batch = reports.take().remove(0);
        let bytes: usize = batch.logs.iter().map(|entry| entry.text.len()).sum();
        assert!(bytes <= PILE_BYTES_MAX + DROP_LINE_BYTES, "{bytes}");
    }

    /// A report in which every number is as long as it can be on the wire.
    fn report(text: &str, frames: usize) -> RunReport {
        let most = Some(f64::MAX);
        let timings = Timings {
            queue: most,
            build: most,
            validate: most,
            translate: most,
            codegen: most,
            link: most,
            load: most,
            instantiate: most,
            run: most,
            reset: most,
        };
        let place = Some(SourcePlace { file: text.into(), line: u32::MAX, column: u32::MAX });
        let frame = TrapFrame { function: text.into(), wasm_offset: Some(u64::MAX), place: place.clone() };
        let trap = TrapReport {
            kind: text.into(),
            message: text.into(),
            function: Some(text.into()),
            wasm_offset: Some(u64::MAX),
            place,
            frames: vec![frame; frames],
        };
        RunReport {
            id: u64::MAX,
            slug: text.into(),
            revision: u32::MAX,
            time: Timestamp { unix_ms: u64::MAX },
            method: text.into(),
            path: text.into(),
            status: u16::MAX,
            bytes: u64::MAX,
            outcome: Outcome::Trapped(trap),
            timings,
            hostcalls: u64::MAX,
            setting: vivarium_artifact::Setting::Best,
        }
    }

    #[test]
    fn what_is_counted_is_no_less_than_what_is_sent() {
        let encoded = |batch: &Batch| postcard::to_stdvec(batch).unwrap().len();
        for (text, frames) in [("", 0), ("", 32), ("frond", 3), (&"x".repeat(300), 32)] {
            let report = report(text, frames);
            let counted = report_bytes(&report);
            assert!(postcard::to_stdvec(&report).unwrap().len() <= counted, "{} {frames}", text.len());
        }
        assert!(postcard::to_stdvec(&line("", "")).unwrap().len() <= ENTRY_BYTES);
        let reports = Reports::new(1);
        for index in 0..2 * PILE_ENTRIES_MAX {
            reports.report(0, RunReport { slug: format!("{index:063}"), ..report(&"x".repeat(128), 32) });
        }
        let batch = reports.take().remove(0);
        assert_eq!(batch.logs.len(), DROPS_MAX, "drops are told");
        assert!(encoded(&batch) <= PILE_BYTES_MAX + DROPS_MAX * DROP_LINE_BYTES, "{}", encoded(&batch));
    }
}
