//! What guests import, as safe code over the exits of the runtime.
//!
//! In: the number of an imported function, at the moment a guest calls it, and the instance, seen through [`GuestInstance`].
//! Out: an [`Answer`]: values to return, a wait, the end of the program, or a limit that it reached.
//!
//! Parts: [`table()`] lists every host function once; [`Linkage`] maps a module's imports to its rows; [`Host`] is the state of one
//! instance's world (arguments, environment, streams, clocks); `wasi` holds the functions of WASI preview 1, a file a family, and
//! [`files`] what they open;
//! [`cgi`] turns an HTTP request into an environment and output into a response; [`program`] tells services from commands.
//!
//! Invariants: a guest's pointer is an allegation until its range was checked; a call that answers "bad address" has changed nothing;
//! no argument panics; every stream, list and wait has a bound named in [`HostLimits`] or beside the code.
//!
//! This crate does not know about listeners, sockets, databases or async: what must wait is answered with [`Answer::Wait`].

#![forbid(unsafe_code)]

mod answer;
pub mod cgi;
mod clocks;
mod compute;
mod entry;
pub mod files;
mod guest;
mod host;
#[cfg(test)]
mod hostile;
mod instance;
mod limit;
mod linkage;
mod log;
pub mod program;
mod sink;
mod strings;
mod table;
#[cfg(test)]
mod testing;
mod wasi;

pub use answer::{Answer, HostFailure, Values, Wait};
pub use compute::{
    Backends, FetchAnswer, FetchFailure, FetchId, FetchRequest, KvAction, KvChange, KvEntry, KvError, KvInsert, KvMode, KvStores, KvTable,
    MemoryKv, NoOrigin, Origin, OriginHost, Output, ResponseHead, Source, Stores, VisitorRequest,
};
pub use entry::{Finish, NoEntry, entry_point};
pub use guest::GuestInstance;
pub use host::{GivenFolder, Host, HostInput, HostLimits};
pub use limit::LimitReached;
pub use linkage::{Linkage, UnknownImport};
pub use log::{LogLine, Stream};
pub use table::{HostFunction, Row, imports, table};
