//! Sealed files: memory that nobody can change any more, so that what was verified is what is mapped.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::ptr::null_mut;

use thiserror::Error;
use vivarium_artifact::PAGE_BYTES;

const SEALS: i32 = libc::F_SEAL_WRITE | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
const PAGE: usize = PAGE_BYTES as usize;

/// A file that lacks a seal could change after it was verified.
#[derive(Debug, Error)]
#[error("the file is not sealed against writing, growing, shrinking and unsealing")]
pub struct NotSealed;

/// A memory file with all four seals, mapped for reading.
#[derive(Debug)]
pub struct SealedFile {
    file: File,
    view: *const u8,
    bytes: usize,
}

// SAFETY: the view is read-only memory that nobody can change (sealed); it is unmapped on drop only.
unsafe impl Send for SealedFile {}
// SAFETY: as above.
unsafe impl Sync for SealedFile {}

/// An empty memory file that can still be filled and sealed: for a process that will not be able to make one.
#[derive(Debug)]
pub struct EmptyFile(File);

impl EmptyFile {
    pub fn new() -> io::Result<EmptyFile> {
        // SAFETY: the name is a C string; the result is checked.
        let descriptor = unsafe { libc::memfd_create(c"vivarium-artifact".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and belongs to nobody else.
        Ok(EmptyFile(unsafe { File::from_raw_fd(descriptor) }))
    }

    /// Fills and seals it. Pages of zeros stay holes and take no memory.
    pub fn fill(self, bytes: &[u8]) -> io::Result<SealedFile> {
        let EmptyFile(mut file) = self;
        let last = bytes.len().saturating_sub(1) / PAGE;
        for (index, page) in bytes.chunks(PAGE).enumerate() {
            // The last page makes the file as long as it is.
            if index == last || page.iter().any(|byte| *byte != 0) {
                file.seek(SeekFrom::Start((index * PAGE) as u64))?;
                file.write_all(page)?;
            }
        }
        // SAFETY: plain fcntl on a descriptor of ours.
        if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, SEALS) } != 0 {
            return Err(io::Error::last_os_error());
        }
        SealedFile::map(file)
    }
}

impl SealedFile {
    /// Makes one.
    pub fn from_bytes(bytes: &[u8]) -> io::Result<SealedFile> {
        EmptyFile::new()?.fill(bytes)
    }

    /// Takes one that another process made.
    pub fn receive(descriptor: OwnedFd) -> Result<SealedFile, io::Error> {
        // SAFETY: plain fcntl on a descriptor of ours.
        let seals = unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_GET_SEALS) };
        if seals < 0 || seals & SEALS != SEALS {
            return Err(io::Error::new(io::ErrorKind::InvalidData, NotSealed));
        }
        SealedFile::map(File::from(descriptor))
    }

    /// The file's bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `map` mapped that many bytes, they stay mapped until drop, and the seals keep their content and the file's length.
        unsafe { std::slice::from_raw_parts(self.view, self.bytes) }
    }

    /// Which pages of a range, which begins on a page, hold data, as runs of page numbers within the range. The holes of the others are not looked at.
    pub fn data_pages(&self, range: Range<usize>) -> io::Result<Vec<Range<usize>>> {
        let mut runs = Vec::new();
        let mut position = range.start;
        while position < range.end {
            let Some(start) = self.seek(position, libc::SEEK_DATA)?.filter(|start| *start < range.end) else { break };
            let end = self.seek(start, libc::SEEK_HOLE)?.unwrap_or(range.end).min(range.end);
            runs.push((start - range.start) / PAGE..(end - range.start).div_ceil(PAGE));
            position = end.max(position + PAGE);
        }
        Ok(runs)
    }

    /// Where data, or a hole, begins from here; `None` when nothing of the kind follows.
    fn seek(&self, position: usize, whence: i32) -> io::Result<Option<usize>> {
        // SAFETY: moves the position of a descriptor of ours, by which nobody reads: mappings have their own.
        let found = unsafe { libc::lseek(self.file.as_raw_fd(), position as i64, whence) };
        match usize::try_from(found) {
            Ok(found) => Ok(Some(found)),
            Err(_) => match io::Error::last_os_error() {
                error if error.raw_os_error() == Some(libc::ENXIO) => Ok(None),
                error => Err(error),
            },
        }
    }

    /// The file itself, for mapping pieces of it and for handing it to another process.
    pub fn file(&self) -> &File {
        &self.file
    }

    fn map(file: File) -> io::Result<SealedFile> {
        // By seeking: a confined process need not be able to ask for a file's status.
        let bytes = usize::try_from((&file).seek(SeekFrom::End(0))?).map_err(io::Error::other)?;
        if bytes == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty"));
        }
        // SAFETY: a fresh read-only mapping at an address of the kernel's choice.
        let view = unsafe { libc::mmap(null_mut(), bytes, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        if view == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(SealedFile { file, view: view.cast(), bytes })
    }
}

impl Drop for SealedFile {
    fn drop(&mut self) {
        // SAFETY: this value mapped that range; slices of it borrowed this value.
        unsafe { libc::munmap(self.view.cast_mut().cast(), self.bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd as _;

    #[test]
    fn a_sealed_file_keeps_its_bytes_and_refuses_change() {
        let mut bytes = vec![0; 3 * PAGE + 5];
        bytes[PAGE + 1] = 7;
        let sealed = SealedFile::from_bytes(&bytes).unwrap();
        assert_eq!(sealed.bytes(), &bytes[..]);
        assert!((&sealed.file).write_all(b"x").is_err());
        assert!(sealed.file.set_len(1).is_err());
        let again = SealedFile::receive(sealed.file.as_fd().try_clone_to_owned().unwrap()).unwrap();
        assert_eq!(again.bytes(), &bytes[..]);
    }

    #[test]
    fn pages_that_hold_data_are_known_without_looking_at_the_others() {
        let mut bytes = vec![0; 10 * PAGE];
        for page in [2, 3, 6, 9] {
            bytes[page * PAGE + 5] = 1;
        }
        let sealed = SealedFile::from_bytes(&bytes).unwrap();
        let pages = |range: Range<usize>| sealed.data_pages(range).unwrap().into_iter().flatten().collect::<Vec<_>>();
        assert_eq!(pages(0..10 * PAGE), [2, 3, 6, 9]);
        assert_eq!(pages(3 * PAGE..7 * PAGE), [0, 3]);
        assert_eq!(pages(4 * PAGE..6 * PAGE), [0usize; 0]);
    }

    #[test]
    fn a_file_without_seals_is_refused() {
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        assert!(SealedFile::receive(OwnedFd::from(file)).is_err());
    }
}
