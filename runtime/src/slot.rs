//! The memory map of a slot, and what an address in it means.
//!
//! ```text
//!  reservation of a pool
//!  │ guard │ slot 0                                                        │ slot 1 …
//!          │ stack │ context │ tables │ memory: open … closed │ guard       │
//!          base              base + memory_offset = vmctx     + 4 GiB       + SLOT_STRIDE_BYTES
//! ```
//!
//! Memory k begins k strides behind memory 0. A slot of the pool has room for one memory; a module with more gets a reservation of its own for each slot that
//! it is placed in, and the pool's slot lies idle meanwhile: so the density of the others does not depend on it.
//!
//! The guard behind a slot is the stack guard of the next; the pool begins with one of its own. The offsets inside a slot are
//! [`vivarium_artifact::SlotLayout`]'s; this file knows the distances between slots and classifies addresses. It is pure arithmetic, so that the
//! signal handler may use it.

use vivarium_artifact::layout::{GUARD_BYTES, MEMORY_STRIDE_BYTES};

/// Room before memory 0 for stack, context and tables, in bytes. A module that needs more is refused when it is loaded.
pub const SLOT_HEAD_BYTES_MAX: u64 = 16 << 20;

/// Distance from one slot to the next, in bytes.
pub const SLOT_STRIDE_BYTES: u64 = SLOT_HEAD_BYTES_MAX + MEMORY_STRIDE_BYTES;

/// Where slot `index` begins in its reservation.
pub fn slot_offset(index: u32) -> u64 {
    GUARD_BYTES + u64::from(index) * SLOT_STRIDE_BYTES
}

/// The slot in which an offset in its reservation lies, and how far inside; `None` in the guard before the first.
pub fn slot_at(offset: u64) -> Option<(u32, u64)> {
    let offset = offset.checked_sub(GUARD_BYTES)?;
    Some((u32::try_from(offset / SLOT_STRIDE_BYTES).ok()?, offset % SLOT_STRIDE_BYTES))
}

/// Length of a reservation of that many slots, in bytes.
pub fn reservation_bytes(slots: u32) -> u64 {
    slot_offset(slots)
}

/// Length of a reservation of one slot with so many memories, in bytes.
pub fn wide_reservation_bytes(memories: usize) -> u64 {
    GUARD_BYTES + SLOT_HEAD_BYTES_MAX + memories as u64 * MEMORY_STRIDE_BYTES
}

/// Bounds of the running instance's slot, as absolute addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SlotBounds {
    pub base: u64,
    /// Address of byte 0 of memory 0.
    pub memory: u64,
    /// First address of memory 0 that is closed.
    pub memory_end: u64,
    /// How many memories lie behind memory 0.
    pub further_memories: u32,
}

/// What an address is to the running instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Below the stack: the stack is exhausted.
    StackGuard,
    /// Stack, context, tables or what is open of memory 0.
    Open,
    /// Past the current length of memory 0, up to the end of its guard; or in the reservation of a further memory, where no access to what is open faults.
    MemoryGuard,
    /// None of this instance's business.
    Elsewhere,
}

impl SlotBounds {
    /// Classifies an address by the running instance, never by the slot it happens to lie in: an overflowing stack faults in the tail of the slot below.
    pub fn classify(&self, address: u64) -> Place {
        let guard_end = self.memory + MEMORY_STRIDE_BYTES * (1 + u64::from(self.further_memories));
        if address >= self.base.wrapping_sub(GUARD_BYTES) && address < self.base {
            Place::StackGuard
        } else if address >= self.base && address < self.memory_end {
            Place::Open
        } else if address >= self.memory_end && address < guard_end {
            Place::MemoryGuard
        } else {
            Place::Elsewhere
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vivarium_artifact::layout::MEMORY_RESERVATION_BYTES;

    const BOUNDS: SlotBounds =
        SlotBounds { base: 1 << 40, memory: (1 << 40) + 0x200000, memory_end: (1 << 40) + 0x210000, further_memories: 0 };

    #[test]
    fn every_part_of_a_slot_is_told_apart() {
        let table = [
            (BOUNDS.base - 1, Place::StackGuard),
            (BOUNDS.base - GUARD_BYTES, Place::StackGuard),
            (BOUNDS.base - GUARD_BYTES - 1, Place::Elsewhere),
            (BOUNDS.base, Place::Open),
            (BOUNDS.memory, Place::Open),
            (BOUNDS.memory_end - 1, Place::Open),
            (BOUNDS.memory_end, Place::MemoryGuard),
            (BOUNDS.memory + MEMORY_RESERVATION_BYTES + GUARD_BYTES - 1, Place::MemoryGuard),
            (BOUNDS.memory + MEMORY_RESERVATION_BYTES + GUARD_BYTES, Place::Elsewhere),
            (0, Place::Elsewhere),
            (u64::MAX, Place::Elsewhere),
        ];
        for (address, place) in table {
            assert_eq!(BOUNDS.classify(address), place, "{address:#x}");
        }
    }

    #[test]
    fn the_guards_of_all_memories_are_the_instances_own() {
        let bounds = SlotBounds { further_memories: 2, ..BOUNDS };
        let end = bounds.memory + 3 * MEMORY_STRIDE_BYTES;
        assert_eq!([end - 1, end].map(|address| bounds.classify(address)), [Place::MemoryGuard, Place::Elsewhere]);
        assert_eq!(bounds.classify(bounds.memory + MEMORY_STRIDE_BYTES - 1), Place::MemoryGuard);
    }

    #[test]
    fn slots_and_their_guards_do_not_overlap() {
        let highest_use = slot_offset(3) + SLOT_HEAD_BYTES_MAX + MEMORY_RESERVATION_BYTES;
        assert_eq!(slot_offset(4) - highest_use, GUARD_BYTES);
        assert_eq!(reservation_bytes(4), slot_offset(3) + SLOT_STRIDE_BYTES);
    }

    #[test]
    fn an_offset_belongs_to_the_slot_that_it_lies_in() {
        for index in [0, 1, 7, 30_000] {
            assert_eq!(slot_at(slot_offset(index)), Some((index, 0)));
            assert_eq!(slot_at(slot_offset(index) + SLOT_STRIDE_BYTES - 1), Some((index, SLOT_STRIDE_BYTES - 1)));
        }
        assert_eq!(slot_at(GUARD_BYTES - 1), None);
    }
}
