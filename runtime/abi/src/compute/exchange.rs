//! One visitor's request and its answer, as the server sees them: what arrives is pushed in, what the guest sends is taken out.

use std::net::IpAddr;

use http::{HeaderMap, Method, StatusCode, Uri, Version};

use super::arriving::Arrivals;
use super::outgoing::{Outgoing, Output};

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

/// Request and answer of one visitor.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(super) request: Option<VisitorRequest>,
    /// Handles of request and body, once the guest has asked for them.
    pub(super) given: Option<(u32, u32)>,
    pub(super) peer: Option<IpAddr>,
    pub(super) local: Option<IpAddr>,
    pub(super) id: u64,
    head: Option<ResponseHead>,
    answered: bool,
    pub(super) output: Outgoing,
}

impl Exchange {
    pub(super) fn new(request: Option<VisitorRequest>) -> Exchange {
        Exchange {
            peer: request.as_ref().map(|request| request.peer),
            local: request.as_ref().map(|request| request.local),
            id: request.as_ref().map_or(0, |request| request.id),
            request,
            given: None,
            head: None,
            answered: false,
            output: Outgoing::default(),
        }
    }

    pub(super) fn answered(&self) -> bool {
        self.answered
    }

    /// The guest answers.
    pub(super) fn answer(&mut self, status: StatusCode, headers: HeaderMap, output: Outgoing, arrivals: &Arrivals) {
        self.answered = true;
        let body_bytes = output.known_length(arrivals);
        self.head = Some(ResponseHead { status, headers, body_bytes });
        self.output = output;
    }

    pub(super) fn take_head(&mut self) -> Option<ResponseHead> {
        self.head.take()
    }

    pub(super) fn next_output(&mut self, arrivals: &mut Arrivals) -> Output {
        self.output.next(arrivals)
    }
}
