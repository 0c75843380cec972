//! Everything that is `unsafe`: each file offers a safe interface on top, states what it keeps true, and has the raw part below.
//!
//! [`memory`]: address space that is reserved, opened, emptied, closed. [`region`]: that of slots, with their write sets. [`kernel`]: who wrote which
//! page. [`slot`]: one slot of a region. [`bulk`]: one page of it given back. [`clock`]: time for next to nothing. [`file`]: sealed files. [`arena`]: where code
//! is mapped, and whose an address is. [`control`]: the control block of a thread, and running guests on it. [`switch`]: the machine code for that. [`activation`]:
//! registers of a guest that is not running. [`signals`]: faults and preemption.
//! [`ticker`]: who has the thread, and until when.

pub mod activation;
pub mod arena;
pub mod bulk;
pub mod clock;
pub mod control;
pub mod file;
pub mod kernel;
pub mod memory;
pub mod region;
pub mod signals;
pub mod slot;
pub mod switch;
pub mod ticker;
