//! Bodies that are still arriving: the visitor's, and those of backends.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

use super::fetches::FetchId;

/// Whose body it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Visitor,
    /// The answer to a request that a guest sent.
    Backend(FetchId),
}

/// What arrived of one body and was not read yet.
#[derive(Debug, Default)]
pub(super) struct Arriving {
    chunks: VecDeque<Bytes>,
    bytes: u64,
    /// Whether it ended, and whether that was its proper end.
    ended: Option<bool>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    visitor: Arriving,
    /// In the order in which requests were sent.
    backends: Vec<Arriving>,
}

impl Arrivals {
    pub(super) fn of(&self, source: Source) -> Option<&Arriving> {
        match source {
            Source::Visitor => Some(&self.visitor),
            Source::Backend(fetch) => self.backends.get(fetch.index()),
        }
    }

    pub(super) fn of_mut(&mut self, source: Source) -> Option<&mut Arriving> {
        match source {
            Source::Visitor => Some(&mut self.visitor),
            Source::Backend(fetch) => self.backends.get_mut(fetch.index()),
        }
    }

    /// One more request was sent.
    pub(super) fn expect(&mut self) {
        self.backends.push(Arriving::default());
    }

    pub(super) fn bytes(&self) -> u64 {
        self.visitor.bytes + self.backends.iter().map(|arriving| arriving.bytes).sum::<u64>()
    }
}

impl Arriving {
    pub(super) fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.bytes += bytes.len() as u64;
            self.chunks.push_back(bytes);
        }
    }

    pub(super) fn end(&mut self, properly: bool) {
        self.ended = Some(properly);
    }

    /// Whether more is wanted now: what is in hand was read, and there may be more.
    pub(super) fn wants_more(&self) -> bool {
        self.ended.is_none() && self.chunks.is_empty()
    }

    /// Whether it ended, and whether that was its proper end.
    pub(super) fn ended(&self) -> Option<bool> {
        self.ended
    }

    /// Bytes in hand.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn next(&mut self, len_max: usize) -> Option<Bytes> {
        let chunk = self.chunks.front_mut()?;
        let bytes = chunk.split_to(chunk.len().min(len_max));
        if !chunk.has_remaining() {
            self.chunks.pop_front();
        }
        self.bytes -= bytes.len() as u64;
        Some(bytes)
    }
}
