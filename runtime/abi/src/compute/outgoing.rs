//! A body on its way out, to the visitor or to a backend: what is there of it, and whether the guest writes more.

use bytes::Bytes;

use super::arriving::{Arrivals, Source};
use super::body::Body;

/// How much of a stream waits to be taken out before the guest does, in bytes.
pub(super) const OUTPUT_BYTES_MAX: u64 = 256 << 10;
/// The most that is taken out at once, in bytes.
const CHUNK_BYTES_MAX: usize = 64 << 10;

/// What there is to send of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    Chunk(Bytes),
    /// Nothing now; the guest may write more.
    Open,
    /// What somebody else sends comes next, and nothing of it has arrived.
    Awaits(Source),
    /// That was all.
    Finished,
    /// It will never be complete.
    Broken,
}

#[derive(Debug, Default)]
pub(super) struct Outgoing {
    body: Body,
    /// The guest holds a handle to write more.
    streaming: bool,
    broken: bool,
}

impl Outgoing {
    /// With `streaming` the guest will write more.
    pub(super) fn of(body: Body, streaming: bool) -> Outgoing {
        Outgoing { body, streaming, broken: false }
    }

    /// Its length, if no more is written and all of it is there.
    pub(super) fn known_length(&self, arrivals: &Arrivals) -> Option<u64> {
        if self.streaming { None } else { self.body.known_length(arrivals) }
    }

    /// Bytes in hand.
    pub(super) fn bytes(&self) -> u64 {
        self.body.bytes()
    }

    pub(super) fn has_room(&self) -> bool {
        self.bytes() < OUTPUT_BYTES_MAX
    }

    /// Keeps as much as there is room for; how much that was.
    pub(super) fn write(&mut self, bytes: &[u8]) -> usize {
        let room = OUTPUT_BYTES_MAX.saturating_sub(self.bytes());
        let len = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        self.body.write_back(&bytes[..len]);
        len
    }

    pub(super) fn append(&mut self, body: Body) {
        self.body.append(body);
    }

    /// The guest writes no more: all is there, or it gave up.
    pub(super) fn finish(&mut self, properly: bool) {
        self.streaming = false;
        self.broken |= !properly;
    }

    /// The guest is gone: what it was still writing stays incomplete.
    pub(super) fn guest_ended(&mut self) {
        let unfinished = self.streaming;
        self.finish(!unfinished);
    }

    pub(super) fn next(&mut self, arrivals: &mut Arrivals) -> Output {
        match self.body.next(arrivals, CHUNK_BYTES_MAX) {
            Ok(Some(chunk)) => Output::Chunk(chunk),
            Err(_) => Output::Broken,
            Ok(None) => match self.body.awaited() {
                Some(source) => Output::Awaits(source),
                None if self.broken => Output::Broken,
                None if self.streaming => Output::Open,
                None => Output::Finished,
            },
        }
    }
}
