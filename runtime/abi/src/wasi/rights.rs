//! Rights of descriptors. All are kept, shown and can be dropped; those that change what a file may be used for are enforced: reading, writing,
//! and truncating by a path.

use super::Errno;
use super::descriptor::Standard;

/// What may be done with a descriptor, and with those opened through it: bits as the specification numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(crate) base: u64,
    pub(crate) inheriting: u64,
}

pub(crate) const FD_READ: u64 = 1 << 1;
const FD_SEEK: u64 = 1 << 2;
const FD_FDSTAT_SET_FLAGS: u64 = 1 << 3;
const FD_TELL: u64 = 1 << 5;
pub(crate) const FD_WRITE: u64 = 1 << 6;
const FD_ALLOCATE: u64 = 1 << 8;
const FD_READDIR: u64 = 1 << 14;
pub(crate) const PATH_FILESTAT_SET_SIZE: u64 = 1 << 19;
const FD_FILESTAT_GET: u64 = 1 << 21;
const FD_FILESTAT_SET_SIZE: u64 = 1 << 22;
const POLL_FD_READWRITE: u64 = 1 << 27;

/// All but those of sockets.
const ALL: u64 = (1 << 28) - 1;
/// Those that only make sense for a file.
const FILE_ONLY: u64 = FD_READ | FD_SEEK | FD_TELL | FD_WRITE | FD_ALLOCATE | FD_FILESTAT_SET_SIZE | 1 << 7;
/// Those that only make sense for a folder.
const FOLDER_ONLY: u64 = FD_READDIR | 0b1_1111_1111 << 9 & !FD_READDIR | PATH_FILESTAT_SET_SIZE | 1 << 20 | 0b111 << 24;

/// A folder that is given beforehand.
pub(crate) const OF_FOLDER: Rights = Rights { base: ALL & !FILE_ONLY, inheriting: ALL };

impl Rights {
    /// Rights of something opened through a descriptor: what was asked for and can be had.
    pub(crate) fn inherited(self, asked: Rights, is_folder: bool) -> Rights {
        let fitting = if is_folder { ALL & !FILE_ONLY } else { ALL & !FOLDER_ONLY };
        Rights { base: asked.base & self.inheriting & fitting, inheriting: asked.inheriting & self.inheriting }
    }

    pub(crate) fn require(self, right: u64) -> Result<(), Errno> {
        if self.base & right == right { Ok(()) } else { Err(Errno::Notcapable) }
    }

    /// Fewer rights; more are refused.
    pub(crate) fn dropped_to(self, fewer: Rights) -> Result<Rights, Errno> {
        let more = fewer.base & !self.base | fewer.inheriting & !self.inheriting;
        if more == 0 { Ok(fewer) } else { Err(Errno::Notcapable) }
    }
}

pub(super) fn of_stream(stream: Standard) -> Rights {
    let direction = match stream {
        Standard::Input => FD_READ,
        Standard::Output | Standard::Error => FD_WRITE,
    };
    Rights { base: direction | FD_FDSTAT_SET_FLAGS | FD_FILESTAT_GET | POLL_FD_READWRITE, inheriting: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_files_and_folders_is_told_apart() {
        let asked = Rights { base: u64::MAX, inheriting: u64::MAX };
        let (file, folder) = (OF_FOLDER.inherited(asked, false), OF_FOLDER.inherited(asked, true));
        assert_eq!(folder, OF_FOLDER);
        assert_ne!(file.base & (FD_READ | FD_WRITE | FD_SEEK), 0);
        assert_eq!(file.base & (FD_READDIR | PATH_FILESTAT_SET_SIZE), 0);
        assert_eq!(folder.base & (FD_READ | FD_WRITE | FD_SEEK), 0);
        assert_eq!(file.inheriting, ALL);
    }

    #[test]
    fn rights_are_dropped_and_never_gained() {
        let fewer = OF_FOLDER.dropped_to(Rights { base: FD_READDIR, inheriting: FD_READ }).unwrap();
        assert_eq!(fewer.dropped_to(OF_FOLDER), Err(Errno::Notcapable));
        assert_eq!(fewer.require(FD_READDIR), Ok(()));
        assert_eq!(fewer.require(PATH_FILESTAT_SET_SIZE), Err(Errno::Notcapable));
    }
}
