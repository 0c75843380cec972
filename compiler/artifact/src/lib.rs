//! What the compiler writes and the runtime reads.
//!
//! **In and out.** The compiler fills an [`Artifact`] and encodes it as an ELF64 shared object; the workshop signs it ([`sign`]); the runtime checks
//! the signature and reads the parts back ([`SignedArtifact`], [`Artifact::parse`]).
//!
//! **Parts.** [`abi`]: the numbers that machine code and host share. [`contract`]: what a module may import and how much of everything it gets. [`types`]: of values and functions, within a module and between modules.
//! [`layout`]: where things lie in a slot, as arithmetic over the contract. [`trap`]: kinds of trap and the table of their sites. [`handlers`]: what catches exceptions, and where. [`map`]: functions,
//! their names, and native address to wasm offset. [`lines`]: wasm offset to a line of the source. [`elf`]: the container. [`sign`]: digest and signature. [`snapshot`]: an image drawn anew. [`tenant`]: what a contract is compared with at load.
//!
//! **Invariants.** An artifact is position independent and has no relocations. Its format version is in its first sixteen bytes. Whatever is read
//! back is checked against the file's length first: damaged bytes give an [`ArtifactError`], never a panic.
//!
//! **Does not know about** Cranelift, wasm binaries, memory mapping, files, async.
#![forbid(unsafe_code)]

pub mod abi;
pub mod contract;
pub mod elf;
pub mod handlers;
pub mod layout;
pub mod lines;
pub mod map;
pub mod sign;
pub mod snapshot;
pub mod tenant;
pub mod trap;
pub mod types;

pub use contract::{
    AddressType, Contract, EntryTrampoline, Export, ExportedItem, GlobalInitial, GlobalPlan, GlobalType, ImportName, ImportedFunction,
    MemoryPlan, Setting, TablePlan, TagPlan,
};
pub use elf::{Artifact, ArtifactError, ArtifactFile};
pub use handlers::{CallSite, Clause, HandlerTable};
pub use layout::SlotLayout;
pub use lines::{LineTable, Place};
pub use map::{AddressMap, FunctionRecord, FunctionTable};
pub use sign::{Digest, SignedArtifact};
pub use snapshot::{Left, NoSnapshot};
pub use tenant::{PolicyViolation, TenantPolicy};
pub use trap::{TrapKind, TrapSite, TrapTable};
pub use types::{FunctionType, HeapType, ReferenceType, TypeDigest, ValueType};

/// Version of everything in this crate that a file can hold. A file of another version is compiled again from its wasm.
pub const FORMAT_VERSION: u16 = 4;

/// Size of a page of the processor, in bytes: what the kernel maps and protects.
pub const PAGE_BYTES: u64 = 4096;

/// Size of a page of wasm memory, in bytes (core specification, 4.2.8).
pub const WASM_PAGE_BYTES: u64 = 65536;
