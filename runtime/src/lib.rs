//! Loads artifacts and runs instances in reusable slots.
//!
//! **In and out.** A sealed file with a signed artifact goes in ([`SealedFile`], [`Runtime::load`]); a [`LoadedModule`] comes out. A [`Pool`] turns it
//! into [`Instance`]s, one for each request; [`Instance::resume`] runs one until its next [`Exit`].
//!
//! **Parts.** [`verified`]: signature, parts and sizes, checked once. [`module`]: mapped code. [`slot`]: the memory map of a slot, drawn once, and what an address in it means. [`pool`]: which slot a
//! module gets. [`instance`]: the states of an instance and its exits. [`activations`]: calls that wait below a nested one. `stack`: the guest's
//! frames. `signatures`, [`callable`]: what is looked up before a call. [`link`]: instances that import from each other, for the specification's tests. [`reset`] and [`write_set`]: how a slot is given back,
//! and which of its pages are known to be written. [`trap`]: what is told of a trap. [`turn`]: when a guest's turn is over. `meter`: what it has cost. [`profile`] and
//! [`samples`]: where a guest spends its time. [`ranges`]: who has which part of the code arena. `sys`: everything that is `unsafe`: mappings, signals, entering and leaving guests.
//!
//! **Invariants.** An instance begins with exactly the bytes of its module's image. A slot never goes to another instance without a full reset; one
//! whose reset failed is never used again. No host code runs on a guest's stack. A guest's trap is an [`Exit`], never an `Err`.
//!
//! **Does not know about** Cranelift, wasm binaries, tokio, HTTP, or what any host function means.
#![deny(unsafe_code)]

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
compile_error!("Vivarium runs on Linux on x86-64; other systems need a `runtime/src/sys/` of their own");

pub mod activations;
pub mod callable;
pub mod exceptions;
pub mod instance;
pub mod link;
mod meter;
pub mod module;
pub mod pool;
pub mod profile;
pub mod ranges;
pub mod reset;
mod runtime;
pub mod samples;
mod signatures;
pub mod slot;
mod stack;
#[expect(unsafe_code, reason = "mappings, signals and machine code have no safe form; each file states what it keeps true")]
mod sys;
pub mod trap;
pub mod turn;
pub mod verified;
pub mod write_set;

pub use callable::Callable;
pub use exceptions::Exception;
pub use instance::{Exit, Instance, InvokeError};
pub use link::{ForeignRequest, LinkError, LinkedExit};
pub use module::LoadedModule;
pub use pool::{AcquireError, InstanceLimits, MemoryBudget, Pool};
pub use profile::{Profile, ProfiledStack};
pub use reset::ResetMethod;
pub use runtime::{Runtime, RuntimeError, RuntimeSettings};
pub use sys::file::{EmptyFile, NotSealed, SealedFile};
pub use sys::kernel::REQUESTS as RESET_REQUESTS;
pub use trap::{Frame, SourcePlace, Trap};
pub use verified::{LoadError, VerifiedArtifact, VerifiedArtifacts};
