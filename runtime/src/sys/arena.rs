//! Where code is mapped, and whose an address is.
//!
//! All code of the process lies in one reservation. A map with one entry for each granule of it tells the module, without a lock, so that the signal
//! handler can ask. An entry is set before the code can run and cleared after the last instance of it has ended: an instance owns its module.

use std::io;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use vivarium_artifact::{TrapKind, TrapTable};

use crate::ranges::Ranges;
use crate::sys::file::SealedFile;
use crate::sys::memory::{Access, Reservation};

/// Size of the arena, in bytes of address space.
pub const ARENA_BYTES: u64 = 16 << 30;
const GRANULE_BYTES: u64 = 64 << 10;
const GRANULES: u32 = (ARENA_BYTES / GRANULE_BYTES) as u32;

static START: AtomicUsize = AtomicUsize::new(0);
static MODULES: AtomicPtr<AtomicPtr<MappedCode>> = AtomicPtr::new(null_mut());
static ARENA: OnceLock<Result<Arena, i32>> = OnceLock::new();

/// The process's arena.
#[derive(Debug)]
pub struct Arena {
    reservation: Reservation,
    ranges: Mutex<Ranges>,
}

/// Text of one module, mapped.
#[derive(Debug)]
pub struct MappedCode {
    start: usize,
    bytes: usize,
    traps: Arc<TrapTable>,
    granule: u32,
    granules: u32,
}

/// Reserves the arena once for the process. Whoever gets `Ok` finds the map in place: both are made inside one initialisation.
pub fn prepare() -> io::Result<()> {
    arena().map(|_| ())
}

fn arena() -> io::Result<&'static Arena> {
    let made = ARENA.get_or_init(|| {
        let reservation = Reservation::new(ARENA_BYTES).map_err(|error| error.raw_os_error().unwrap_or(libc::ENOMEM))?;
        let mut entries = Vec::with_capacity(GRANULES as usize);
        entries.resize_with(GRANULES as usize, || AtomicPtr::new(null_mut()));
        // The map lives as long as the process: the handler may look at any time.
        MODULES.store(Box::leak(entries.into_boxed_slice()).as_mut_ptr(), Ordering::Release);
        START.store(reservation.start().as_ptr() as usize, Ordering::Release);
        Ok(Arena { reservation, ranges: Mutex::new(Ranges::new(GRANULES)) })
    });
    made.as_ref().map_err(|code| io::Error::from_raw_os_error(*code))
}

impl MappedCode {
    /// Maps the text of a sealed file. The box must live as long as any instance of the module may run.
    pub fn map(file: &SealedFile, text: std::ops::Range<usize>, traps: Arc<TrapTable>) -> io::Result<Box<MappedCode>> {
        let arena = arena()?;
        let granules = (text.len() as u64).div_ceil(GRANULE_BYTES) as u32;
        let taken = arena.ranges.lock().unwrap_or_else(PoisonError::into_inner).take(granules.max(1));
        let granule = taken.ok_or_else(|| io::Error::other("the arena for code is full: unload modules"))?;
        let offset = u64::from(granule) * GRANULE_BYTES;
        let code = Box::new(MappedCode {
            start: arena.reservation.start().as_ptr() as usize + offset as usize,
            bytes: text.len(),
            traps,
            granule,
            granules: granules.max(1),
        });
        arena.reservation.map_file(offset, file.file(), text.start as u64, text.len() as u64, Access::Execute)?;
        code.publish((&raw const *code).cast_mut());
        Ok(code)
    }

    /// The address of the first byte of the text.
    #[inline]
    pub fn start(&self) -> u64 {
        self.start as u64
    }

    /// The offset in the text of an address, if it lies there.
    pub fn offset_of(&self, address: u64) -> Option<u32> {
        let offset = address.checked_sub(self.start as u64)?;
        (offset < self.bytes as u64).then_some(offset as u32)
    }

    /// The kind of trap at exactly this offset in the text.
    pub fn trap_at(&self, text_offset: u32) -> Option<TrapKind> {
        self.traps.lookup(text_offset)
    }

    fn publish(&self, value: *mut MappedCode) {
        let modules = MODULES.load(Ordering::Acquire);
        for granule in self.granule..self.granule + self.granules {
            // SAFETY: `prepare` made the map with GRANULES entries, and `Ranges` hands out granules below that.
            unsafe { &*modules.add(granule as usize) }.store(value, Ordering::Release);
        }
    }
}

impl Drop for MappedCode {
    fn drop(&mut self) {
        self.publish(null_mut());
        let Ok(arena) = arena() else { return };
        // Failing to clear leaves read-only pages of code that nobody jumps to; the granules are then not reused.
        if arena.reservation.clear(u64::from(self.granule) * GRANULE_BYTES, u64::from(self.granules) * GRANULE_BYTES).is_ok() {
            arena.ranges.lock().unwrap_or_else(PoisonError::into_inner).give_back(self.granule, self.granules);
        }
    }
}

/// The module whose text holds this address, and the offset in it. Takes no lock: for the signal handler.
///
/// The reference must not be kept beyond the handler: only the running instance's module is certain to stay.
pub fn code_at<'a>(address: u64) -> Option<(&'a MappedCode, u32)> {
    let offset = address.checked_sub(START.load(Ordering::Acquire) as u64)?;
    let modules = MODULES.load(Ordering::Acquire);
    if offset >= ARENA_BYTES || modules.is_null() {
        return None;
    }
    // SAFETY: `prepare` made the map with one entry for each granule of the arena, and it is never freed.
    let code = unsafe { &*modules.add((offset / GRANULE_BYTES) as usize) }.load(Ordering::Acquire);
    // SAFETY: an entry that is not null points at a live box: `Drop` clears it first. The address is the program counter of an instance that is
    // running on this thread, and an instance owns its module, so the box cannot be dropped meanwhile.
    let code = unsafe { code.as_ref() }?;
    Some((code, code.offset_of(address)?))
}
