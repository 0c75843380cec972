//! What the functions of this ABI work on: one for each instance.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::arriving::{Arrivals, Source};
use super::exchange::{Exchange, ResponseHead, VisitorRequest};
use super::fetches::{Backends, FetchAnswer, FetchFailure, FetchId, FetchRequest, Fetches};
use super::handles::Handles;
use super::kv::KvStores;
use super::outgoing::Output;
use super::stores::Stores;
use crate::host::Host;

/// A call that waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    /// When it ends though nothing happened.
    pub(super) until: Option<Instant>,
}

impl Waiting {
    pub(super) fn is_over(self) -> bool {
        self.until.is_some_and(|until| until <= Instant::now())
    }
}

/// What it begins with.
pub(crate) struct Given {
    pub(crate) request: Option<VisitorRequest>,
    pub(crate) stores: Arc<Stores>,
    pub(crate) backends: Arc<Backends>,
    pub(crate) kv: Option<Rc<dyn KvStores>>,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(super) handles: Handles,
    pub(super) exchange: Exchange,
    pub(super) arrivals: Arrivals,
    pub(super) fetches: Fetches,
    /// The request whose answer a call waits for.
    pub(super) sending: Option<FetchId>,
    pub(super) backends: Arc<Backends>,
    /// Those that the guest has made itself.
    pub(super) registered: Backends,
    pub(super) stores: Arc<Stores>,
    /// None: it has none.
    pub(super) kv: Option<Rc<dyn KvStores>>,
    /// The insertion of a call that waits for its end.
    pub(super) inserting: Option<u64>,
    /// The log says that the stores are full.
    pub(super) full_told: bool,
    pub(super) waiting: Option<Waiting>,
    /// Handles of log endpoints that the guest has asked for.
    pub(super) endpoints: Vec<u32>,
}

impl World {
    pub(crate) fn new(given: Given, held_bytes_max: u64, fetches_max: u32) -> World {
        World {
            handles: Handles::new(held_bytes_max),
            exchange: Exchange::new(given.request),
            arrivals: Arrivals::default(),
            fetches: Fetches::new(fetches_max),
            sending: None,
            backends: given.backends,
            registered: Backends::new(),
            stores: given.stores,
            kv: given.kv,
            inserting: None,
            full_told: false,
            waiting: None,
            endpoints: Vec::new(),
        }
    }
}

/// What the server tells of the visitor, and what it is told.
impl Host {
    /// More of a body has arrived.
    pub fn push_body(&mut self, source: Source, bytes: Bytes) {
        if let Some(arriving) = self.compute.arrivals.of_mut(source) {
            arriving.push(bytes);
        }
    }

    /// A body has ended, properly or not.
    pub fn end_body(&mut self, source: Source, properly: bool) {
        if let Some(arriving) = self.compute.arrivals.of_mut(source) {
            arriving.end(properly);
        }
    }

    /// Whether all that arrived of a body was read, and there may be more.
    pub fn wants_body(&self, source: Source) -> bool {
        self.compute.arrivals.of(source).is_some_and(|arriving| arriving.wants_more())
    }

    /// Requests that the guest sent since the last call.
    pub fn take_fetches(&mut self) -> Vec<FetchRequest> {
        self.compute.fetches.take_unsent()
    }

    /// Whether the guest has sent any.
    pub fn has_fetches(&self) -> bool {
        !self.compute.fetches.is_empty()
    }

    /// What there is to send of a request's body.
    pub fn next_of_fetch(&mut self, id: FetchId) -> Output {
        let World { fetches, arrivals, .. } = &mut self.compute;
        fetches.body_mut(id).map_or(Output::Broken, |body| body.next(arrivals))
    }

    /// A backend has answered, or will not.
    pub fn answer_fetch(&mut self, id: FetchId, answer: Result<FetchAnswer, FetchFailure>) {
        self.compute.fetches.answer(id, answer);
    }

    /// The head of the answer, once, when the guest has given it.
    pub fn take_head(&mut self) -> Option<ResponseHead> {
        self.compute.exchange.take_head()
    }

    /// What there is to send of the answer's body.
    pub fn next_output(&mut self) -> Output {
        self.compute.exchange.next_output(&mut self.compute.arrivals)
    }

    /// After the program's end: an answer that it did not finish stays incomplete.
    pub fn guest_ended(&mut self) {
        self.compute.exchange.output.guest_ended();
        self.compute.fetches.guest_ended();
    }

    /// What requests, responses and bodies take of the server's memory, in bytes.
    pub fn held_bytes(&self) -> u64 {
        let World { handles, arrivals, exchange, fetches, .. } = &self.compute;
        handles.held_bytes() + arrivals.bytes() + exchange.output.bytes() + fetches.held_bytes()
    }
}
