//! Address space of a pool's slots, with the write set of each, and the first write to a page that is watched.
//!
//! Kept true here: a thread's table of regions is set while its pool lives and names regions that the pool keeps alive, so that the fault handler may
//! follow it. The handler touches nothing of a region but its bounds and the atomic fields of its write sets.

use std::cell::{Cell, OnceCell};
use std::io;
use std::ptr::{null, slice_from_raw_parts};
use std::rc::Rc;

use vivarium_artifact::PAGE_BYTES;
use vivarium_artifact::layout::GUARD_BYTES;

use crate::slot::{SLOT_STRIDE_BYTES, reservation_bytes, slot_at, slot_offset};
use crate::sys::kernel;
use crate::sys::memory::Reservation;
use crate::write_set::{WriteSet, Written};

/// What one page of the lowest page table covers: slots, whose distance is a multiple of it, begin there, so that stack and small memory share a table.
const ALIGNMENT_BYTES: u64 = 2 << 20;
const _: () = assert!(SLOT_STRIDE_BYTES.is_multiple_of(ALIGNMENT_BYTES) && GUARD_BYTES.is_multiple_of(ALIGNMENT_BYTES));

/// Address space that a region takes at most while it is made, in bytes.
pub fn region_bytes(slots: u32) -> u64 {
    reservation_bytes(slots) + ALIGNMENT_BYTES
}

/// A thread without a pool.
const NONE: *const [Rc<Region>] = slice_from_raw_parts(null(), 0);

thread_local! {
    /// For the signal handler: this thread's regions. Constant initialisation, no destructor: reading it takes no lock and allocates nothing.
    static REGIONS: Cell<*const [Rc<Region>]> = const { Cell::new(NONE) };
}

/// What slots that were never watched share. Nobody changes it: only a set that is to be watched is begun, and forgetting an unwatched one does nothing.
static NEVER_WATCHED: WriteSet = WriteSet::new();

/// Address space for a number of slots.
#[derive(Debug)]
pub struct Region {
    reservation: Reservation,
    /// Made when a slot is watched for the first time.
    sets: Box<[OnceCell<Box<WriteSet>>]>,
}

impl Region {
    pub fn new(slots: u32) -> io::Result<Rc<Region>> {
        let reservation = Reservation::aligned(reservation_bytes(slots), ALIGNMENT_BYTES)?;
        Ok(Rc::new(Region { reservation, sets: (0..slots).map(|_| OnceCell::new()).collect() }))
    }

    pub fn slots(&self) -> u32 {
        self.sets.len() as u32
    }

    pub fn reservation(&self) -> &Reservation {
        &self.reservation
    }

    /// The write set of a slot, by index in this region.
    pub fn set(&self, index: u32) -> &WriteSet {
        self.sets[index as usize].get().map_or(&NEVER_WATCHED, |set| set)
    }

    /// The same for a slot that is to be watched.
    pub fn set_to_watch(&self, index: u32) -> &WriteSet {
        self.sets[index as usize].get_or_init(Box::default)
    }
}

/// The regions of this thread, known to the fault handler for as long as this lives.
#[derive(Debug)]
pub struct Regions(Box<[Rc<Region>]>);

impl Regions {
    /// One at a time for each thread: the second would hide the first.
    pub fn new(regions: Vec<Rc<Region>>) -> Regions {
        let regions = regions.into_boxed_slice();
        REGIONS.set(&raw const *regions);
        Regions(regions)
    }

    pub fn all(&self) -> &[Rc<Region>] {
        &self.0
    }
}

impl Drop for Regions {
    fn drop(&mut self) {
        REGIONS.set(NONE);
    }
}

/// Makes the page of a faulting write writable and notes it, if it is a watched one of this thread's slots; whether the write may be repeated. Called
/// by the signal handler: reads the table, stores to one write set, makes one system call.
pub fn first_write(address: u64) -> bool {
    let regions = REGIONS.get();
    if regions.is_null() {
        return false;
    }
    // SAFETY: `Regions` keeps the slice where it is, and unchanged, until it takes the pointer back; both happen on this thread.
    let regions = unsafe { &*regions };
    regions.iter().any(|region| {
        let start = region.reservation.start().as_ptr() as u64;
        let offset = address.checked_sub(start).filter(|offset| *offset < region.reservation.bytes() as u64);
        let slot = offset.and_then(slot_at).filter(|(index, _)| *index < region.slots());
        slot.is_some_and(|(index, within)| let_write(region.set(index), start + slot_offset(index), within / PAGE_BYTES))
    })
}

/// Makes one page of a watched image, which is not writable yet, writable and notes it; all of the image when the set is full. False when the kernel refuses.
pub fn let_write(set: &WriteSet, base: u64, page: u64) -> bool {
    if !set.watches(page) {
        return false;
    }
    if set.push(Written::whole(page as u32)) {
        return kernel::protect(base + page * PAGE_BYTES, PAGE_BYTES, false).is_ok();
    }
    set.outgrow();
    kernel::protect(base, u64::from(set.image_pages()) * PAGE_BYTES, false).is_ok()
}
