//! The Fastly Compute ABI: its functions, a file a family, and the convention in which they answer.
//!
//! ```text
//!  guest ──handles──► Object (request, response, body, store, …)      Exchange ◄──── the server
//!                                                                       │ the visitor's body, as it arrives
//!                                                                       └ the answer: a head, then bytes as the guest writes them
//!                                                              Fetches ◄──── the server: requests to backends, and what those answer
//! ```
//! A function reads its arguments, checks every range that it will write to, then acts, then writes its results. What must wait leaves the instance in
//! its call and is called again from the start, so a function that waits has changed nothing yet.

mod arguments;
mod arriving;
pub(crate) mod asynchronous;
pub(crate) mod backend;
pub(crate) mod bodies;
mod body;
pub(crate) mod client;
mod exchange;
mod fetches;
mod handles;
pub(crate) mod headers;
#[cfg(test)]
mod hostile;
pub(crate) mod kv;
pub(crate) mod log;
pub(crate) mod lookup;
mod message;
mod multi;
mod origin;
mod outgoing;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod send;
#[cfg(test)]
mod sending;
mod status;
pub(crate) mod stores;
#[cfg(test)]
mod tests;
pub(crate) mod trailers;
mod world;

pub use arriving::Source;
pub use exchange::{ResponseHead, VisitorRequest};
pub use fetches::{Backends, FetchAnswer, FetchFailure, FetchId, FetchRequest};
pub use kv::{KvAction, KvChange, KvEntry, KvError, KvInsert, KvMode, KvStores, KvTable, MemoryKv};
pub(crate) use message::{Request, Response};
pub use origin::{NoOrigin, Origin, OriginHost};
pub use outgoing::Output;
pub(crate) use status::Status;
pub use stores::Stores;
pub(crate) use world::{Given, Waiting, World};

use std::time::Instant;

use crate::answer::{Answer, Wait};
use crate::guest::{BadAddress, Call};
use crate::host::Suspended;
use crate::limit::LimitReached;

/// A function of this ABI.
pub(crate) type Function = fn(&mut Call<'_>) -> Result<(), Stop>;

/// Why a function does not answer "OK".
#[derive(Debug)]
pub(crate) enum Stop {
    /// The guest gets this number.
    Status(Status),
    /// The guest is not resumed now; the call is made again when something happened, or at this moment.
    Wait(Option<Instant>),
    /// The program went beyond a limit.
    Limit(LimitReached),
}

impl From<Status> for Stop {
    fn from(status: Status) -> Stop {
        Stop::Status(status)
    }
}

impl From<BadAddress> for Stop {
    fn from(BadAddress: BadAddress) -> Stop {
        Stop::Status(Status::Inval)
    }
}

/// Calls a function, for the first time or once more.
pub(crate) fn answer(function: Function, call: &mut Call<'_>) -> Answer {
    let result = function(call);
    let world = &mut call.host.compute;
    let before = world.waiting.take();
    match result {
        Ok(()) => Answer::value(Status::Ok as u64),
        Err(Stop::Status(status)) => Answer::value(status as u64),
        Err(Stop::Limit(reached)) => Answer::Limit(reached),
        Err(Stop::Wait(until)) => {
            // The end of a wait is counted from the first call.
            let waiting = before.unwrap_or(Waiting { until });
            world.waiting = Some(waiting);
            call.host.pending = Some(Suspended::Compute(function));
            Answer::Wait(Wait::Event { until: waiting.until })
        }
    }
}
