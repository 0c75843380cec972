//! What the functions of this ABI work on: one for each instance.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::exchange::{Exchange, Output, ResponseHead, VisitorRequest};
use super::handles::Handles;
use super::kv::KvStores;
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

#[derive(Debug)]
pub(crate) struct World {
    pub(super) handles: Handles,
    pub(super) exchange: Exchange,
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
    pub(crate) fn new(request: Option<VisitorRequest>, stores: Arc<Stores>, kv: Option<Rc<dyn KvStores>>, held_bytes_max: u64) -> World {
        World {
            handles: Handles::new(held_bytes_max),
            exchange: Exchange::new(request),
            stores,
            kv,
            inserting: None,
            full_told: false,
            waiting: None,
            endpoints: Vec::new(),
        }
    }
}

/// What the server tells of the visitor, and what it is told.
impl Host {
    /// More of the visitor's body has arrived.
    pub fn push_body(&mut self, bytes: Bytes) {
        self.compute.exchange.visitor_mut().push(bytes);
    }

    /// The visitor's body has ended, properly or not.
    pub fn end_body(&mut self, properly: bool) {
        self.compute.exchange.visitor_mut().end(properly);
    }

    /// Whether all that arrived of the visitor's body was read, and there may be more.
    pub fn wants_body(&mut self) -> bool {
        self.compute.exchange.visitor_mut().wants_more()
    }

    /// The head of the answer, once, when the guest has given it.
    pub fn take_head(&mut self) -> Option<ResponseHead> {
        self.compute.exchange.take_head()
    }

    /// What there is to send of the answer's body.
    pub fn next_output(&mut self) -> Output {
        self.compute.exchange.next_output()
    }

    /// After the program's end: an answer that it did not finish stays incomplete.
    pub fn guest_ended(&mut self) {
        self.compute.exchange.guest_ended();
    }

    /// What requests, responses and bodies take of the server's memory, in bytes.
    pub fn held_bytes(&self) -> u64 {
        self.compute.handles.held_bytes() + self.compute.exchange.held_bytes()
    }
}
