//! Address space: reserved without access, then filled, opened, emptied and closed piece by piece.
//!
//! A [`Reservation`] owns its range for as long as it lives: nothing else is ever mapped there, so all calls below change only pages of its own.

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::AsRawFd;
use std::ptr::{NonNull, null_mut};

/// A range of address space that belongs to this value. Pages begin inaccessible.
#[derive(Debug)]
pub struct Reservation {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the range is owned by this value and holds no thread-bound state; methods that change it are as thread-safe as the kernel's mapping calls.
unsafe impl Send for Reservation {}
// SAFETY: as above.
unsafe impl Sync for Reservation {}

/// What may be done with a mapped piece of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read and execute: code.
    Execute,
    /// Read and write, changes stay private to the mapping.
    Private,
}

impl Access {
    fn protection(self) -> i32 {
        match self {
            Access::Execute => libc::PROT_READ | libc::PROT_EXEC,
            Access::Private => libc::PROT_READ | libc::PROT_WRITE,
        }
    }
}

impl Reservation {
    /// Reserves address space; costs no memory.
    pub fn new(bytes: u64) -> io::Result<Reservation> {
        let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a fresh mapping at an address of the kernel's choice touches nothing that exists.
        let start = unsafe { libc::mmap(null_mut(), bytes, libc::PROT_NONE, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("the kernel mapped address zero"))?;
        Ok(Reservation { start, bytes })
    }

    /// The same beginning at a multiple of `alignment`, a power of two that is a multiple of the page.
    pub fn aligned(bytes: u64, alignment: u64) -> io::Result<Reservation> {
        let wide = Reservation::new(bytes.checked_add(alignment).ok_or(io::ErrorKind::OutOfMemory)?)?;
        let before = wide.start.addr().get().next_multiple_of(alignment as usize) - wide.start.addr().get();
        // SAFETY: `before` is at most the alignment, by which the range is longer than what is kept.
        let kept = Reservation { start: unsafe { wide.start.add(before) }, bytes: bytes as usize };
        let wide = ManuallyDrop::new(wide);
        // SAFETY: as above; what lies before and behind the kept part is ours, and nobody has a reference into it.
        unsafe {
            let start: *mut c_void = wide.start.as_ptr().cast();
            for (offset, length) in [(0, before), (before + kept.bytes, wide.bytes - before - kept.bytes)] {
                if length > 0 {
                    libc::munmap(start.add(offset), length);
                }
            }
        }
        Ok(kept)
    }

    /// The address of the first byte.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Maps a piece of a file over a piece of the range, in place of what was there.
    pub(super) fn map_file(&self, offset: u64, file: &File, file_offset: u64, bytes: u64, access: Access) -> io::Result<()> {
        let address = self.piece(offset, bytes)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_FIXED | libc::MAP_NORESERVE;
        let file_offset = i64::try_from(file_offset).map_err(io::Error::other)?;
        // SAFETY: `piece` checked that the range lies in this reservation, which nobody else maps; MAP_FIXED replaces pages of ours only. Whoever
        // holds references into the replaced pages is excluded by the callers in `sys` (a slot is placed through `&mut`).
        let mapped = unsafe { libc::mmap(address, bytes as usize, access.protection(), flags, file.as_raw_fd(), file_offset) };
        if mapped == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Makes a piece readable and writable; fresh pages read as zero.
    pub(super) fn open(&self, offset: u64, bytes: u64) -> io::Result<()> {
        self.protect(offset, bytes, libc::PROT_READ | libc::PROT_WRITE)
    }

    /// Makes a piece inaccessible; its pages stay as they are.
    pub(super) fn close(&self, offset: u64, bytes: u64) -> io::Result<()> {
        self.protect(offset, bytes, libc::PROT_NONE)
    }

    /// Drops what was written to a piece: file mappings show the file again, anonymous pages read as zero.
    pub(super) fn empty(&self, offset: u64, bytes: u64) -> io::Result<()> {
        let address = self.piece(offset, bytes)?;
        // SAFETY: the range is ours; references into it are excluded by the callers in `sys` (a slot is emptied through `&mut`).
        checked(unsafe { libc::madvise(address, bytes as usize, libc::MADV_DONTNEED) })
    }

    /// Takes a piece back to its first state: inaccessible, backed by nothing.
    pub(super) fn clear(&self, offset: u64, bytes: u64) -> io::Result<()> {
        let address = self.piece(offset, bytes)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
        // SAFETY: as in `map_file`.
        let mapped = unsafe { libc::mmap(address, bytes as usize, libc::PROT_NONE, flags, -1, 0) };
        if mapped == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    fn protect(&self, offset: u64, bytes: u64, protection: i32) -> io::Result<()> {
        let address = self.piece(offset, bytes)?;
        // SAFETY: the range is ours; closing pages that someone holds references into is excluded by the callers in `sys`.
        checked(unsafe { libc::mprotect(address, bytes as usize, protection) })
    }

    fn piece(&self, offset: u64, bytes: u64) -> io::Result<*mut c_void> {
        let end = offset.checked_add(bytes).filter(|end| *end <= self.bytes as u64);
        end.ok_or_else(|| io::Error::other("a mapping would leave its reservation"))?;
        // SAFETY: `offset` was just checked to lie within the reservation.
        Ok(unsafe { self.start.as_ptr().add(offset as usize) }.cast())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // SAFETY: the range is ours and whoever held references into it borrowed this value or an owner of it.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

fn checked(result: i32) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use vivarium_artifact::PAGE_BYTES;

    use super::*;

    #[test]
    fn an_aligned_reservation_is_as_long_as_was_asked_for() {
        for alignment in [PAGE_BYTES, 2 << 20] {
            let reservation = Reservation::aligned(3 * PAGE_BYTES, alignment).unwrap();
            assert_eq!((reservation.start().addr().get() as u64 % alignment, reservation.bytes()), (0, 3 * PAGE_BYTES as usize));
            reservation.open(0, 3 * PAGE_BYTES).unwrap();
        }
        assert!(Reservation::aligned(u64::MAX, PAGE_BYTES).is_err());
    }

    #[test]
    fn pieces_outside_are_refused() {
        let reservation = Reservation::new(8192).unwrap();
        assert!(reservation.open(4096, 8192).is_err());
        assert!(reservation.open(u64::MAX, 4096).is_err());
        assert!(reservation.open(4096, 4096).is_ok());
    }
}
