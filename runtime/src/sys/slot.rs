//! One slot of a reservation: a module's image, opened memory, and typed access to what lies where.
//!
//! Kept true here: (a) of a placed slot, `[0, image_bytes)` is a private mapping of the first piece of the module's image and what follows up to
//! `memory_offset + memory_bytes` is anonymous memory; both are readable and writable, and all that is above is inaccessible, to the next memory, which is
//! made in the same way of its own piece. What is open ends on a page of the processor; behind the length of a memory that does not, it reads as zero.
//! (b) References handed out lie in that open part and borrow the slot; the guest runs only through `&mut SlotMemory` (`sys::control`), so no reference
//! is alive while it does. (c) Of a watched slot, exactly the pages of the first piece that are not in its write set are write-protected; whoever
//! writes for the host makes the pages writable first, and a write that does not is tracked by the fault handler like a guest's.

use std::io;
use std::ptr::NonNull;
use std::rc::Rc;
use std::slice;

use vivarium_artifact::{MemoryPlan, PAGE_BYTES, SlotLayout};

use crate::module::LoadedModule;
use crate::slot::{SlotBounds, slot_offset, wide_reservation_bytes};
use crate::sys::memory::{Access, Reservation};
use crate::sys::region::{Region, let_write};
use crate::write_set::{Watch, WriteSet};

mod reset;

/// The address space of one slot and what is open of it.
#[derive(Debug)]
pub struct SlotMemory {
    /// Where the slot is at home, and its number there.
    home: Rc<Region>,
    index: u32,
    /// Address of its first byte: at home, or in the reservation of its own.
    base: NonNull<u8>,
    /// While its module has several memories: few have.
    wide: Option<Box<Wide>>,
    /// Offset in the slot of memory 0.
    memory_offset: u64,
    image_bytes: u64,
    /// Length of memory 0 at instantiation and now, in bytes.
    memory_initial_bytes: u64,
    memory_bytes: u64,
    /// Whether the kernel was told to watch writes to the image.
    registered: bool,
    /// How many pages of the write set were in it when the last reset ended.
    settled: u32,
    /// Whether the last reset went over the set from its end.
    backwards: bool,
    /// What stays populated of the slot between two runs, in bytes.
    warm_bytes: u64,
}

/// What a slot with several memories has besides.
#[derive(Debug)]
struct Wide {
    /// Where it lies instead of at home.
    reservation: Reservation,
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
    /// Slot `index` of a region, still empty.
    ///
    /// # Panics
    ///
    /// When the region has no such slot.
    pub fn new(home: Rc<Region>, index: u32) -> SlotMemory {
        assert!(index < home.slots(), "a slot lies inside its region");
        let base = first_byte(home.reservation(), index);
        SlotMemory {
            home,
            index,
            base,
            wide: None,
            memory_offset: 0,
            image_bytes: 0,
            memory_initial_bytes: 0,
            memory_bytes: 0,
            registered: false,
            settled: 0,
            backwards: false,
            warm_bytes: 0,
        }
    }

    /// Makes this the pristine slot of a module, whatever it was before.
    pub fn place(&mut self, module: &LoadedModule) -> io::Result<()> {
        self.map(module).map_err(|error| match error.raw_os_error() {
            Some(libc::ENOMEM) => io::Error::new(
                error.kind(),
                "this process has as many mappings as the system permits (vm.max_map_count; a slot takes two or three for each memory), or memory is short",
            ),
            _ => error,
        })
    }

    fn map(&mut self, module: &LoadedModule) -> io::Result<()> {
        let layout = module.layout();
        self.vacate()?;
        let memories: Vec<&MemoryPlan> = module.contract().own_memories().collect();
        if memories.len() > 1 {
            let behind = memories.iter().zip(0..).skip(1);
            let further = behind.map(|(plan, own)| further_memory(plan, layout.memory_offset + SlotLayout::memory_distance(own))).collect();
            let reservation = Reservation::new(wide_reservation_bytes(memories.len()))?;
            self.base = first_byte(&reservation, 0);
            self.wide = Some(Box::new(Wide { reservation, further }));
        }
        let (file, file_offset) = module.image();
        for (piece, nth) in layout.pieces.iter().zip(0..) {
            let (place, from) = (self.offset() + piece.slot_offset, file_offset + piece.image_offset);
            self.reservation().map_file(place, file, from, piece.bytes, Access::Private)?;
            if nth == 0 {
                // Once there is a mapping, `vacate` must find all that is made, should a later one fail; before, there is nothing to clear, which
                // could fail for the same reason.
                self.memory_offset = layout.memory_offset;
                self.image_bytes = piece.bytes;
                self.memory_initial_bytes = memories.first().map_or(0, |memory| memory.minimum_bytes());
                self.memory_bytes = self.memory_initial_bytes;
            }
        }
        self.open_between(self.image_bytes, self.memory_end())?;
        for memory in self.further() {
            self.open_between(memory.offset + memory.image_bytes, memory.offset + memory.open_bytes())?;
        }
        Ok(())
    }

    /// Opens from one offset in the slot to another, both at a page; nothing when the second is not behind the first.
    fn open_between(&self, start: u64, end: u64) -> io::Result<()> {
        if end > start { self.reservation().open(self.offset() + start, end - start) } else { Ok(()) }
    }

    /// Drops all that the slot holds; it is empty then, and nothing of it is watched.
    pub fn vacate(&mut self) -> io::Result<()> {
        let used = self.image_bytes.max(self.memory_end());
        // A reservation of its own goes as a whole.
        if used > 0 && self.wide.is_none() {
            self.reservation().clear(self.offset(), used)?;
        }
        self.set().forget();
        self.wide = None;
        self.base = first_byte(self.home.reservation(), self.index);
        (self.memory_offset, self.image_bytes, self.memory_initial_bytes, self.memory_bytes) = (0, 0, 0, 0);
        (self.registered, self.settled, self.warm_bytes) = (false, 0, 0);
        Ok(())
    }

    /// Lengthens one of the module's own memories; the new part reads as zero. The caller has checked limits.
    pub fn grow(&mut self, memory: u32, bytes: u64) -> io::Result<()> {
        let Some(index) = (memory as usize).checked_sub(1) else {
            let end = self.memory_end();
            self.open_between(end, (self.memory_offset + bytes).next_multiple_of(PAGE_BYTES))?;
            self.memory_bytes = bytes;
            return Ok(());
        };
        let grown = &self.further()[index];
        self.open_between(grown.offset + grown.open_bytes(), (grown.offset + bytes).next_multiple_of(PAGE_BYTES))?;
        self.further_mut()[index].bytes = bytes;
        Ok(())
    }

    /// Length of one of the module's own memories, in bytes.
    pub fn memory_bytes(&self, memory: u32) -> Option<u64> {
        match (memory as usize).checked_sub(1) {
            None => Some(self.memory_bytes),
            Some(index) => self.further().get(index).map(|memory| memory.bytes),
        }
    }

    /// Whether it has several memories, each with mappings of its own.
    pub fn is_wide(&self) -> bool {
        self.wide.is_some()
    }

    /// Memories from 1.
    fn further(&self) -> &[FurtherMemory] {
        self.wide.as_ref().map_or(&[], |wide| &wide.further)
    }

    fn further_mut(&mut self) -> &mut [FurtherMemory] {
        self.wide.as_mut().map_or(&mut [], |wide| &mut wide.further)
    }

    /// Length of all memories, in bytes.
    pub fn memories_bytes(&self) -> u64 {
        self.further().iter().map(|memory| memory.bytes).sum::<u64>() + self.memory_bytes
    }

    /// The bounds by which faults of the running instance are classified.
    #[inline]
    pub fn bounds(&self) -> SlotBounds {
        let base = self.base() as u64;
        SlotBounds {
            base,
            memory: base + self.memory_offset,
            memory_end: base + self.memory_end(),
            further_memories: self.further().len() as u32,
        }
    }

    /// The address of its first byte.
    #[inline]
    pub fn base_address(&self) -> u64 {
        self.base() as u64
    }

    /// The address that compiled code knows as `vmctx`.
    #[inline]
    pub fn vmctx(&self) -> u64 {
        self.base_address().wrapping_add(self.memory_offset)
    }

    /// Memory 0, as long as it is now.
    pub fn memory(&self) -> &[u8] {
        // SAFETY: (a) this range is open; (b) the guest does not run while `self` is borrowed.
        unsafe { slice::from_raw_parts(self.base().add(self.memory_offset as usize), self.memory_bytes as usize) }
    }

    /// A range of memory 0 for writing; `None` when it is out of bounds.
    pub fn memory_mut(&mut self, start: u64, bytes: u64) -> Option<&mut [u8]> {
        let end = start.checked_add(bytes).filter(|end| *end <= self.memory_bytes)?;
        self.make_writable(self.memory_offset + start, self.memory_offset + end);
        // SAFETY: (a) this range is open; (b) the guest does not run while `self` is borrowed, and the mutable borrow is exclusive.
        Some(unsafe { slice::from_raw_parts_mut(self.base().add((self.memory_offset + start) as usize), bytes as usize) })
    }

    /// One of the module's own memories, as long as it is now.
    pub fn memory_at(&self, memory: u32) -> Option<&[u8]> {
        let Some(index) = (memory as usize).checked_sub(1) else { return Some(self.memory()) };
        let memory = self.further().get(index)?;
        // SAFETY: (a) this range is open; (b) the guest does not run while `self` is borrowed.
        Some(unsafe { slice::from_raw_parts(self.base().add(memory.offset as usize), memory.bytes as usize) })
    }

    /// Stack, context, tables and the image's part of memory 0: what reset must give back.
    pub fn image(&self) -> &[u8] {
        // SAFETY: (a) this range is open; (b) the guest does not run while `self` is borrowed.
        unsafe { slice::from_raw_parts(self.base(), self.image_bytes as usize) }
    }

    /// Whether memory 0 is zero behind the image, as long as it is now.
    pub fn is_zero_behind_image(&self) -> bool {
        let behind = self.image_bytes.saturating_sub(self.memory_offset) as usize;
        self.memory().get(behind..).is_none_or(|bytes| bytes.iter().all(|byte| *byte == 0))
    }

    /// Whether every byte that a guest can reach is as the image says, and zero behind it.
    pub fn is_pristine(&self, image: &[u8]) -> bool {
        let (first, mut rest) = image.split_at(self.image_bytes as usize);
        let mut pristine = self.image() == first && self.memory_bytes == self.memory_initial_bytes && self.is_zero_behind_image();
        for memory in self.further() {
            // SAFETY: (a) this range is open; (b) the guest does not run while `self` is borrowed.
            let bytes = unsafe { slice::from_raw_parts(self.base().add(memory.offset as usize), memory.open_bytes() as usize) };
            let (of_image, of_slot) = (rest.split_at(memory.image_bytes as usize), bytes.split_at(memory.image_bytes as usize));
            rest = of_image.1;
            pristine &= of_slot.0 == of_image.0 && of_slot.1.iter().all(|byte| *byte == 0) && memory.bytes == memory.initial_bytes;
        }
        pristine
    }

    /// All that the guest can reach below and in its image, for writing: tests fill it. Nothing is made writable first: each first write is tracked by
    /// the fault handler.
    pub fn image_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `image`; the mutable borrow is exclusive.
        unsafe { slice::from_raw_parts_mut(self.base(), self.image_bytes as usize) }
    }

    /// Lets the host, or a system call, write from one offset in the slot to another. Should the kernel refuse, the first write faults, the fault handler
    /// tries once more, and the process dies there.
    fn make_writable(&mut self, start: u64, end: u64) {
        let set = self.set();
        if set.watch() != Watch::Watched || start >= end {
            return;
        }
        for page in start / PAGE_BYTES..=(end - 1) / PAGE_BYTES {
            if set.is_protected(page as u32) && !let_write(set, self.base() as u64, page) {
                return;
            }
        }
    }

    /// Eight bytes of the stack or context, at an offset in the slot; `None` outside.
    pub fn word(&self, offset: u64) -> Option<u64> {
        let bytes = self.context().get(usize::try_from(offset).ok()?..)?.first_chunk()?;
        Some(u64::from_le_bytes(*bytes))
    }

    /// Sixteen bytes of the context: a cell or a global.
    #[inline]
    pub fn cell(&self, offset: u64) -> u128 {
        assert!(offset.checked_add(16).is_some_and(|end| end <= self.memory_offset), "the layout keeps cells inside the context");
        // SAFETY: (a) the context is open, and was just found to reach so far; (b) the guest does not run while `self` is borrowed.
        u128::from_le_bytes(unsafe { self.base().add(offset as usize).cast::<[u8; 16]>().read_unaligned() })
    }

    /// Writes sixteen bytes of the context.
    #[inline]
    pub fn set_cell(&mut self, offset: u64, value: u128) {
        self.write(offset, value.to_le_bytes());
    }

    /// Writes eight bytes of the context.
    pub fn set_word(&mut self, offset: u64, value: u64) {
        self.write(offset, value.to_le_bytes());
    }

    /// Of a watched slot the page need not be writable: all that is most often written here lies in one that always is, and a first write elsewhere is tracked (c).
    #[inline]
    fn write<const N: usize>(&mut self, offset: u64, bytes: [u8; N]) {
        assert!(
            offset.checked_add(N as u64).is_some_and(|end| end <= self.memory_offset),
            "the layout keeps cells and lengths inside the context"
        );
        // SAFETY: (a) the context is open; (b) nothing borrows the slot but this exclusive borrow.
        unsafe { self.base().add(offset as usize).cast::<[u8; N]>().write_unaligned(bytes) };
    }

    /// What stays populated of it between two runs, in bytes.
    pub fn warm_bytes(&self) -> u64 {
        self.warm_bytes
    }

    fn context(&self) -> &[u8] {
        &self.image()[..self.memory_offset as usize]
    }

    #[inline]
    fn set(&self) -> &WriteSet {
        self.home.set(self.index)
    }

    fn reservation(&self) -> &Reservation {
        self.wide.as_ref().map_or_else(|| self.home.reservation(), |wide| &wide.reservation)
    }

    /// Where the slot begins in its reservation.
    fn offset(&self) -> u64 {
        slot_offset(if self.wide.is_some() { 0 } else { self.index })
    }

    /// Offset in the slot of the end of what is open of memory 0.
    #[inline]
    fn memory_end(&self) -> u64 {
        (self.memory_offset + self.memory_bytes).next_multiple_of(PAGE_BYTES)
    }

    #[inline]
    fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }
}

impl Drop for SlotMemory {
    fn drop(&mut self) {
        // Its pages stay as they are until the region goes.
        self.set().forget();
    }
}

/// Where a slot of a reservation begins, which has room for it.
fn first_byte(reservation: &Reservation, index: u32) -> NonNull<u8> {
    let offset = slot_offset(index) as usize;
    assert!(offset < reservation.bytes(), "a reservation has room for its slots");
    // SAFETY: the offset was just compared with the length.
    unsafe { reservation.start().add(offset) }
}

fn further_memory(plan: &MemoryPlan, offset: u64) -> FurtherMemory {
    FurtherMemory { offset, image_bytes: plan.image_bytes, initial_bytes: plan.minimum_bytes(), bytes: plan.minimum_bytes() }
}
