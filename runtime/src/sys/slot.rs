//! One slot of a reservation: a module's image, opened memory, and typed access to what lies where.
//!
//! Kept true here: (a) of a placed slot, `[0, image_bytes)` is a private mapping of the module's image and what follows up to
//! `memory_offset + memory_bytes` is anonymous memory; both are readable and writable, and all that is above is inaccessible. (b) References handed out lie in that
//! open part and borrow the slot; the guest runs only through `&mut SlotMemory` (`sys::control`), so no reference is alive while it does.

use std::io;
use std::rc::Rc;
use std::slice;

use crate::module::LoadedModule;
use crate::slot::{SLOT_STRIDE_BYTES, SlotBounds, slot_offset};
use crate::sys::memory::{Access, Reservation};

/// The address space of one slot and what is open of it.
#[derive(Debug)]
pub struct SlotMemory {
    reservation: Rc<Reservation>,
    offset: u64,
    /// Offset in the slot of memory 0.
    memory_offset: u64,
    image_bytes: u64,
    /// Length of memory 0 at instantiation and now, in bytes.
    memory_initial_bytes: u64,
    memory_bytes: u64,
}

impl SlotMemory {
    /// Slot `index` of a reservation that has room for it, still empty.
    pub fn new(reservation: Rc<Reservation>, index: u32) -> SlotMemory {
        let offset = slot_offset(index);
        assert!(offset + SLOT_STRIDE_BYTES <= reservation.bytes() as u64, "a slot lies inside its reservation");
        SlotMemory { reservation, offset, memory_offset: 0, image_bytes: 0, memory_initial_bytes: 0, memory_bytes: 0 }
    }

    /// Makes this the pristine slot of a module, whatever it was before.
    pub fn place(&mut self, module: &LoadedModule) -> io::Result<()> {
        let layout = module.layout();
        self.vacate()?;
        let (file, file_offset) = module.image();
        self.reservation.map_file(self.offset, file, file_offset, layout.image_bytes, Access::Private)?;
        self.memory_offset = layout.memory_offset;
        self.image_bytes = layout.image_bytes;
        self.memory_initial_bytes = module.memory_initial_bytes();
        self.memory_bytes = self.memory_initial_bytes;
        let behind = self.memory_end() - self.image_bytes;
        if behind > 0 { self.reservation.open(self.offset + self.image_bytes, behind) } else { Ok(()) }
    }

    /// Drops all that the slot holds; it is empty then.
    pub fn vacate(&mut self) -> io::Result<()> {
        let used = self.image_bytes.max(self.memory_end());
        if used > 0 {
            self.reservation.clear(self.offset, used)?;
        }
        *self = SlotMemory {
            memory_offset: 0,
            image_bytes: 0,
            memory_initial_bytes: 0,
            memory_bytes: 0,
            reservation: self.reservation.clone(),
            ..*self
        };
        Ok(())
    }

    /// Gives back every byte that a guest or host can have changed to what the image says, and closes memory that grew.
    pub fn reset(&mut self) -> io::Result<()> {
        let open = self.image_bytes.max(self.memory_end());
        self.reservation.empty(self.offset, open)?;
        if self.memory_bytes > self.memory_initial_bytes {
            let initial_end = self.memory_offset + self.memory_initial_bytes;
            self.reservation.close(self.offset + initial_end, self.memory_end() - initial_end)?;
            self.memory_bytes = self.memory_initial_bytes;
        }
        Ok(())
    }

    /// Lengthens memory 0; the new part reads as zero. The caller has checked limits.
    pub fn grow(&mut self, memory_bytes: u64) -> io::Result<()> {
        let end = self.memory_end();
        self.reservation.open(self.offset + end, memory_bytes - self.memory_bytes)?;
        self.memory_bytes = memory_bytes;
        Ok(())
    }

    /// The bounds by which faults of the running instance are classified.
    pub fn bounds(&self) -> SlotBounds {
        let base = self.base() as u64;
        SlotBounds { base, memory: base + self.memory_offset, memory_end: base + self.memory_end() }
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

    /// Stack, context, tables and the image's part of memory: what reset must give back.
    pub fn image(&self) -> &[u8] {
        // SAFETY: (a) this range is open; (b) the guest does not run while `self` is borrowed.
        unsafe { slice::from_raw_parts(self.base(), self.image_bytes as usize) }
    }

    /// Whether every byte that a guest can reach is as the image says, and zero behind it.
    pub fn is_pristine(&self, image: &[u8]) -> bool {
        let behind = self.image_bytes.saturating_sub(self.memory_offset) as usize;
        self.image() == image && self.memory_bytes == self.memory_initial_bytes && self.memory()[behind..].iter().all(|byte| *byte == 0)
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

    fn memory_end(&self) -> u64 {
        self.memory_offset + self.memory_bytes
    }

    fn base(&self) -> *mut u8 {
        // SAFETY: `new` checked that the slot lies inside the reservation.
        unsafe { self.reservation.start().as_ptr().add(self.offset as usize) }
    }
}
