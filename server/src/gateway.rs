//! The process that serves visitors, and the workshop's side of it.
//!
//! ```text
//!  workshop                         │ gateway
//!  supervisor ◄── control socket ──►│ role: control task ──► deployments (shared)
//!     │ spawns, restarts            │        ▲ batches        │ look-up
//!     │                             │ loader: checks and maps artifacts
//!     └ listeners, kept open ──────►│ thread: listener ► connection ► visit ► guest in a slot
//!                                   │         └ run queue: preempted guests take turns
//! ```
//!
//! **Parts.** [`supervisor`]: spawns, restarts, asks. [`routes`]: which deployment a Host means. [`run_queue`]: whose turn it is. The rest is the role itself.

mod answers;
mod arrival;
pub mod connection;
pub mod deployments;
mod exchange;
mod fetcher;
mod fetches;
pub mod guest;
pub mod kv;
pub mod listeners;
mod loader;
pub mod memory;
mod payload;
mod refusals;
pub mod reports;
pub mod role;
pub mod routes;
pub mod run_queue;
pub mod runs;
pub mod settings;
mod stream;
pub mod supervisor;
mod telling;
mod thread;
mod turns;
mod visit;
