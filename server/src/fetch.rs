//! Requests of programs to backends: the one process that opens connections to others, and the workshop's side of it.
//!
//! ```text
//!  gateway thread ──HTTP/2 on a socket pair──► fetch proxy ──HTTP/1.1, TLS──► origin
//!      names → origin                             │
//!                                                 └ resolve ─► check every address ─► connect to one of those
//! ```
//! A gateway says which origin; the proxy alone says which addresses. What it refuses, a gateway whose wall fell cannot reach either.
//!
//! **Parts.** [`addresses`]: which may be reached. [`names`]: from a host to addresses. `connecting`: to one that was checked. [`proxy`]: one request.
//! [`role`]: the process. [`supervisor`]: its lives. [`failure`]: how it is told that there is no answer.

pub mod addresses;
mod connecting;
#[cfg(test)]
mod evasions;
pub mod failure;
pub mod names;
pub mod proxy;
pub mod role;
pub mod supervisor;
