//! One slot of a reservation: a module's image, opened memory, and typed access to what lies where.
//!
//! Kept true here: (a) of a placed slot, `[0, image_bytes)` is a private mapping of the first piece of the module's image and what follows up to
//! `memory_offset + memory_bytes` is anonymous memory; both are readable and writable, and all that is above is inaccessible, to the next memory, which is
//! made in the same way of its own piece. What is open ends on a page of the processor; behind the length of a memory that does not, it reads as zero.
//! (b) References handed out lie in that
//! open part and borrow the slot; the guest runs only through `&mut SlotMemory` (`sys::control`), so no reference is alive while it does.

use std::io;
use std::rc::Rc;
use std::slice;

use vivarium_artifact::{MemoryPlan, PAGE_BYTES};

use crate::module::LoadedModule;
use crate::slot::{SLOT_STRIDE_BYTES, SlotBounds, slot_offset, wide_reservation_bytes};
use crate::sys::memory::{Access, Reservation};

/// The address space of one slot and what is open of it.
#[derive(Debug)]
pub struct SlotMemory {
    /// The pool's reservation and where the slot lies in it.
    home: (Rc<Reservation>, u64),
    /// Where the slot lies now: at home, or, while its module has several memories, in a reservation of its own.
    reservation: Rc<Reservation>,
    offset: u64,
    /// Offset in the slot of memory 0.
    memory_offset: u64,
    image_bytes: u64,
    /// Length of memory 0 at instantiation and now, in bytes.
    memory_initial_bytes: u64,
    memory_bytes: u64,
    /// Memories from 1.
    further: Vec<FurtherMemory>,
}

/// A memory other than memory 0.
#[derive(Debug)]
struct FurtherMemory {
    /// Offset in the slot.
    offset: u64,
    image_bytes: u64,
    /// Length at instantiation and now, in bytes.
    initial_bytes: u64,
    bytes: u64,
}

impl FurtherMemory {
    /// Length of what is open, in bytes.
    fn open_bytes(&self) -> u64 {
        self.bytes.max(self.image_bytes).next_multiple_of(PAGE_BYTES)
    }

    fn initial_open_bytes(&self) -> u64 {
        self.initial_bytes.max(self.image_bytes).next_multiple_of(PAGE_BYTES)
    }
}

impl SlotMemory {
    /// Slot `index` of a reservation that has room for it, still empty.
    pub fn new(reservation: Rc<Reservation>, index: u32) -> SlotMemory {
        let offset = slot_offset(index);
        assert!(offset + SLOT_STRIDE_BYTES <= reservation.bytes() as u64, "a slot lies inside its reservation");
        SlotMemory {
            home: (reservation.clone(), offset),
            reservation,
            offset,
            memory_offset: 0,
            image_bytes: 0,
            memory_initial_bytes: 0,
            memory_bytes: 0,
            further: vec![],
        }
    }

    /// Makes this the pristine slot of a module, whatever it was before.
    pub fn place(&mut self, module: &LoadedModule) -> io::Result<()> {
        let layout = module.layout();
        self.vacate()?;
        let memories = &module.contract().memories;
        if memories.len() > 1 {
            self.reservation = Rc::new(Reservation::new(wide_reservation_bytes(memories.len()))?);
            self.offset = slot_offset(0);
        }
        let (file, file_offset) = module.image();
        // Before the first mapping, so that `vacate` finds all that was made, should a later one fail.
        self.memory_offset = layout.memory_offset;
        self.image_bytes = layout.pieces[0].bytes;
        self.memory_initial_bytes = memories.first().map_or(0, |memory| memory.minimum_bytes());
        self.memory_bytes = self.memory_initial_bytes;
        self.further = memories.iter().zip(0..).skip(1).map(|(plan, index)| further_memory(plan, layout.memory(index))).collect();
        for piece in &layout.pieces {
            let (place, from) = (self.offset + piece.slot_offset, file_offset + piece.image_offset);
            self.reservation.map_file(place, file, from, piece.bytes, Access::Private)?;
        }
        self.open_between(self.image_bytes, self.memory_end())?;
        for index in 0..self.further.len() {
            let memory = &self.further[index];
            self.open_between(memory.offset + memory.image_bytes, memory.offset + memory.open_bytes())?;
        }
        Ok(())
    }

    /// Opens from one offset in the slot to another, both at a page; nothing when the second is not behind the first.
    fn open_between(&self, start: u64, end: u64) -> io::Result<()> {
        if end > start { self.reservation.open(self.offset + start, end - start) } else { Ok(()) }
    }

    /// Drops all that the slot holds; it is empty then.
    pub fn vacate(&mut self) -> io::Result<()> {
        let (home, offset) = self.home.clone();
        let used = self.image_bytes.max(self.memory_end());
        // A reservation of its own goes as a whole.
        if used > 0 && Rc::ptr_eq(&home, &self.reservation) {
            self.reservation.clear(self.offset, used)?;
        }
        *self = SlotMemory {
            home: (home.clone(), offset),
            reservation: home,
            offset,
            memory_offset: 0,
            image_bytes: 0,
            memory_initial_bytes: 0,
            memory_bytes: 0,
            further: vec![],
        };
        Ok(())
    }

    /// Gives back every byte that a guest or host can have changed to what the image says, and closes memory that grew.
    pub fn reset(&mut self) -> io::Result<()> {
        let open = self.image_bytes.max(self.memory_end());
        self.reservation.empty(self.offset, open)?;
        let grown_end = self.memory_end();
        self.memory_bytes = self.memory_initial_bytes;
        self.close_between(self.memory_end(), grown_end)?;
        for index in 0..self.further.len() {
            let memory = &self.further[index];
            let (start, end) = (memory.offset + memory.initial_open_bytes(), memory.offset + memory.open_bytes());
            self.reservation.empty(self.offset + memory.offset, memory.open_bytes())?;
            self.close_between(start, end)?;
            self.further[index].bytes = self.further[index].initial_bytes;
        }
        Ok(())
    }

    fn close_between(&self, start: u64, end: u64) -> io::Result<()> {
        if end > start { self.reservation.close(self.offset + start, end - start) } else { Ok(()) }
    }

    /// Lengthens a memory; the new part reads as zero. The caller has checked limits.
    pub fn grow(&mut self, memory: u32, bytes: u64) -> io::Result<()> {
        let Some(index) = (memory as usize).checked_sub(1) else {
            let end = self.memory_end();
            self.open_between(end, (self.memory_offset + bytes).next_multiple_of(PAGE_BYTES))?;
            self.memory_bytes = bytes;
            return Ok(());
        };
        let grown = &self.further[index];
        self.open_between(grown.offset + grown.open_bytes(), (grown.offset + bytes).next_multiple_of(PAGE_BYTES))?;
        self.further[index].bytes = bytes;
        Ok(())
    }

    /// Length of a memory, in bytes.
    pub fn memory_bytes(&self, memory: u32) -> Option<u64> {
        match (memory as usize).checked_sub(1) {
            None => Some(self.memory_bytes),
            Some(index) => self.further.get(index).map(|memory| memory.bytes),
        }
    }

    /// Length of all memories, in bytes.
    pub fn memories_bytes(&self) -> u64 {
        self.further.iter().map(|memory| memory.bytes).sum::<u64>() + self.memory_bytes
    }

    /// The bounds by which faults of the running instance are classified.
    pub fn bounds(&self) -> SlotBounds {
        let base = self.base() as u64;
        SlotBounds {
            base,
            memory: base + self.memory_offset,
            memory_end: base + self.memory_end(),
            further_memories: self.further.len() as u32,
        }
    }

    /// The address that compiled code knows as `vmctx`.
    pub fn vmctx(&self) -> u64 {
        self.base() as u64 + self.memory_offset
    }

    /// Memory 0, as long as it is now.
    pub fn memory(&self) -> &[u8] {
        // SAFETY: (a) this range is open; (b) the guest does not run while `self` is borrowed.
        unsafe { slice::from_raw_parts(self.base().add(self.memory_offset as usize), self.memory_bytes as usize) }
    }

    /// Memory 0 for writing.
    pub fn memory_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `memory`; the mutable borrow is exclusive.
        unsafe { slice::from_raw_parts_mut(self.base().add(self.memory_offset as usize), self.memory_bytes as usize) }
    }

    /// A memory by index, as long as it is now.
    pub fn memory_at(&self, memory: u32) -> Option<&[u8]> {
        let Some(index) = (memory as usize).checked_sub(1) else { return Some(self.memory()) };
        let memory = self.further.get(index)?;
        // SAFETY: (a) this range is open; (b) the guest does not run while `self` is borrowed.
        Some(unsafe { slice::from_raw_parts(self.base().add(memory.offset as usize), memory.bytes as usize) })
    }

    /// Stack, context, tables and the image's part of memory 0: what reset must give back.
    pub fn image(&self) -> &[u8] {
        // SAFETY: (a) this range is open; (b) the guest does not run while `self` is borrowed.
        unsafe { slice::from_raw_parts(self.base(), self.image_bytes as usize) }
    }

    /// Whether every byte that a guest can reach is as the image says, and zero behind it.
    pub fn is_pristine(&self, image: &[u8]) -> bool {
        let (first, mut rest) = image.split_at(self.image_bytes as usize);
        let behind = self.image_bytes.saturating_sub(self.memory_offset) as usize;
        let is_zero = |bytes: Option<&[u8]>| bytes.is_none_or(|bytes| bytes.iter().all(|byte| *byte == 0));
        let mut pristine = self.image() == first && self.memory_bytes == self.memory_initial_bytes && is_zero(self.memory().get(behind..));
        for memory in &self.further {
            // SAFETY: (a) this range is open; (b) the guest does not run while `self` is borrowed.
            let bytes = unsafe { slice::from_raw_parts(self.base().add(memory.offset as usize), memory.open_bytes() as usize) };
            let (of_image, of_slot) = (rest.split_at(memory.image_bytes as usize), bytes.split_at(memory.image_bytes as usize));
            rest = of_image.1;
            pristine &= of_slot.0 == of_image.0 && is_zero(Some(of_slot.1)) && memory.bytes == memory.initial_bytes;
        }
        pristine
    }

    /// All that the guest can reach below and in its image, for writing: tests fill it.
    pub fn image_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `image`; the mutable borrow is exclusive.
        unsafe { slice::from_raw_parts_mut(self.base(), self.image_bytes as usize) }
    }

    /// Eight bytes of the stack or context, at an offset in the slot; `None` outside.
    pub fn word(&self, offset: u64) -> Option<u64> {
        let bytes = self.context().get(usize::try_from(offset).ok()?..)?.first_chunk()?;
        Some(u64::from_le_bytes(*bytes))
    }

    /// Sixteen bytes of the context: a cell or a global.
    pub fn cell(&self, offset: u64) -> u128 {
        let bytes = self.context()[offset as usize..].first_chunk().expect("the layout keeps cells inside the context");
        u128::from_le_bytes(*bytes)
    }

    /// Writes sixteen bytes of the context.
    pub fn set_cell(&mut self, offset: u64, value: u128) {
        self.context_mut()[offset as usize..][..16].copy_from_slice(&value.to_le_bytes());
    }

    /// Writes eight bytes of the context.
    pub fn set_word(&mut self, offset: u64, value: u64) {
        self.context_mut()[offset as usize..][..8].copy_from_slice(&value.to_le_bytes());
    }

    fn context(&self) -> &[u8] {
        &self.image()[..self.memory_offset as usize]
    }

    fn context_mut(&mut self) -> &mut [u8] {
        let end = self.memory_offset as usize;
        &mut self.image_mut()[..end]
    }

    /// Offset in the slot of the end of what is open of memory 0.
    fn memory_end(&self) -> u64 {
        (self.memory_offset + self.memory_bytes).next_multiple_of(PAGE_BYTES)
    }

    fn base(&self) -> *mut u8 {
        // SAFETY: `new` checked that the slot lies inside the reservation.
        unsafe { self.reservation.start().as_ptr().add(self.offset as usize) }
    }
}

fn further_memory(plan: &MemoryPlan, offset: u64) -> FurtherMemory {
    FurtherMemory { offset, image_bytes: plan.image_bytes, initial_bytes: plan.minimum_bytes(), bytes: plan.minimum_bytes() }
}
