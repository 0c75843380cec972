//! What a linker told about a body's immediates (`wasm-ld --emit-relocs`): which of them it filled in.
//!
//! Told is believed only in so far as it changes no meaning: an immediate that is marked is filled in behind the code generator instead of in front
//! of it, with the value that the body has. So a section that lies costs time at most.

use wasmparser::{RelocSectionReader, RelocationType};

/// Places in the code section that hold an address or the index of a table's element, as padded LEB128 of 32 bits.
#[derive(Debug, Default)]
pub struct Relocations {
    /// Offsets in the wasm binary, sorted.
    offsets: Vec<u64>,
}

/// Length of a relocated immediate, in bytes.
pub const IMMEDIATE_BYTES: u64 = 5;

/// The name of the section that speaks of the code.
pub const SECTION: &str = "reloc.CODE";

impl Relocations {
    /// Reads the section, whose offsets count from the beginning of the code section's contents. None when it is damaged.
    pub fn read(section: &RelocSectionReader<'_>, code_offset: u64) -> Option<Relocations> {
        let mut offsets = Vec::new();
        for entry in section.entries() {
            let entry = entry.ok()?;
            if is_immediate(entry.ty) {
                offsets.push(code_offset + u64::from(entry.offset));
            }
        }
        offsets.sort_unstable();
        Some(Relocations { offsets })
    }

    /// Whether an immediate that ends here is one of them.
    pub fn ends_at(&self, offset: u64) -> bool {
        offset >= IMMEDIATE_BYTES && self.offsets.binary_search(&(offset - IMMEDIATE_BYTES)).is_ok()
    }
}

fn is_immediate(ty: RelocationType) -> bool {
    matches!(ty, RelocationType::MemoryAddrLeb | RelocationType::MemoryAddrSleb | RelocationType::TableIndexSleb)
}
