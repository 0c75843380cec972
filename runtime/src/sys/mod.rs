//! Everything that is `unsafe`: each file offers a safe interface on top, states what it keeps true, and has the raw part below.
//!
//! [`memory`]: address space that is reserved, opened, emptied, closed. [`slot`]: one slot of a reservation. [`file`]: sealed files. [`arena`]: where code
//! is mapped, and whose an address is. [`control`]: the control block of a thread, entering and leaving guests. [`activation`]: registers of a guest
//! that is not running. [`signals`]: faults and preemption.
//! [`ticker`]: who is signalled when.

pub mod activation;
pub mod arena;
pub mod control;
pub mod file;
pub mod memory;
pub mod signals;
pub mod slot;
pub mod ticker;
