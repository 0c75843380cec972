//! Wasm to artifacts, in processes of their own: a compiler fed with hostile input may hang, eat memory or crash, and must take nothing with it.
//!
//! ```text
//!  pool (workshop) ──job──► worker (confined, warm)
//!                  ◄─progress, artifact──
//! ```
//! **Parts.** [`pool`]: the workers and their jobs. [`worker`]: the role. [`frames`]: what goes over the pipes between them. A worker holds no key: the
//! workshop signs what comes back.

pub mod frames;
pub mod pool;
pub mod worker;
