//! One visitor's request and its answer, as the server sees them: what arrives is pushed in, what the guest sends is taken out.

use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri, Version};

use super::body::{Arriving, Body};

/// How much of a streamed answer waits for the visitor before the guest does, in bytes.
pub(super) const OUTPUT_BYTES_MAX: u64 = 256 << 10;
/// The most that is taken out at once, in bytes.
const CHUNK_BYTES_MAX: usize = 64 << 10;

/// The head of a visitor's request. Its body is pushed in as it arrives.
#[derive(Debug, Clone)]
pub struct VisitorRequest {
    pub method: Method,
    /// With scheme and authority.
    pub uri: Uri,
    pub version: Version,
    pub headers: HeaderMap,
    pub peer: IpAddr,
    pub local: IpAddr,
    /// Unique in the deployment.
    pub id: u64,
}

/// The head of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHead {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The whole body's length in bytes, where the guest is done with it.
    pub body_bytes: Option<u64>,
}

/// What there is to send of an answer's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    Chunk(Bytes),
    /// Nothing now; the guest may write more.
    Open,
    /// What the visitor sends comes next, and nothing of it has arrived.
    AwaitsVisitor,
    /// That was all.
    Finished,
    /// It will never be complete.
    Broken,
}

/// Request and answer of one visitor.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(super) request: Option<VisitorRequest>,
    /// Handles of request and body, once the guest has asked for them.
    pub(super) given: Option<(u32, u32)>,
    pub(super) peer: Option<IpAddr>,
    pub(super) local: Option<IpAddr>,
    pub(super) id: u64,
    visitor: Arriving,
    head: Option<ResponseHead>,
    answered: bool,
    output: Body,
    /// The guest holds a handle to write more.
    streaming: bool,
    broken: bool,
}

impl Exchange {
    pub(super) fn new(request: Option<VisitorRequest>) -> Exchange {
        Exchange {
            peer: request.as_ref().map(|request| request.peer),
            local: request.as_ref().map(|request| request.local),
            id: request.as_ref().map_or(0, |request| request.id),
            request,
            given: None,
            visitor: Arriving::default(),
            head: None,
            answered: false,
            output: Body::default(),
            streaming: false,
            broken: false,
        }
    }

    pub(super) fn visitor(&self) -> &Arriving {
        &self.visitor
    }

    pub(super) fn visitor_mut(&mut self) -> &mut Arriving {
        &mut self.visitor
    }

    /// Bytes of both bodies that are in hand.
    pub(super) fn held_bytes(&self) -> u64 {
        self.visitor.bytes() + self.output.bytes()
    }

    pub(super) fn answered(&self) -> bool {
        self.answered
    }

    /// The guest answers. With `streaming` it will write more of the body.
    pub(super) fn answer(&mut self, status: StatusCode, headers: HeaderMap, body: Body, streaming: bool) {
        self.answered = true;
        let body_bytes = if streaming { None } else { body.known_length(&self.visitor) };
        self.head = Some(ResponseHead { status, headers, body_bytes });
        (self.output, self.streaming) = (body, streaming);
    }

    pub(super) fn has_room(&self) -> bool {
        self.output.bytes() < OUTPUT_BYTES_MAX
    }

    /// Keeps as much as there is room for; how much that was.
    pub(super) fn write(&mut self, bytes: &[u8]) -> usize {
        let room = OUTPUT_BYTES_MAX.saturating_sub(self.output.bytes());
        let len = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        self.output.write_back(&bytes[..len]);
        len
    }

    pub(super) fn append(&mut self, body: Body) {
        self.output.append(body);
    }

    /// The guest writes no more: all is there, or it gave up.
    pub(super) fn finish(&mut self, properly: bool) {
        self.streaming = false;
        self.broken |= !properly;
    }

    /// The guest is gone: an answer that it was still writing stays incomplete.
    pub(super) fn guest_ended(&mut self) {
        let unfinished = self.streaming;
        self.finish(!unfinished);
    }

    pub(super) fn take_head(&mut self) -> Option<ResponseHead> {
        self.head.take()
    }

    pub(super) fn next_output(&mut self) -> Output {
        match self.output.next(&mut self.visitor, CHUNK_BYTES_MAX) {
            Ok(Some(chunk)) => Output::Chunk(chunk),
            Err(_) => Output::Broken,
            Ok(None) if !self.output.is_empty() => Output::AwaitsVisitor,
            Ok(None) if self.broken => Output::Broken,
            Ok(None) if self.streaming => Output::Open,
            Ok(None) => Output::Finished,
        }
    }
}
