//! Wasm to artifacts, in processes of their own: a compiler fed with hostile input may hang, eat memory or crash, and must take nothing with it.
//!
//! ```text
//!  pool (workshop) ──job──► worker (confined, warm)
//!                  ◄─progress, artifact──
//! ```
//! **Parts.** [`pool`]: the workers and their jobs. [`worker`]: the role. [`frames`]: what goes over the pipes between them. [`library`]:
//! code that every worker is given. [`start`]: start functions, run before signing. A worker holds no key: the workshop signs what comes back; nor does it keep anything of a job.

pub mod frames;
pub mod library;
pub mod pool;
pub mod start;
pub mod worker;
