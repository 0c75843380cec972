//! An open file of this machine.

use std::fs::{File as StdFile, FileTimes};
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cap_std::fs::{FileType, Metadata as CapMetadata, MetadataExt as _};
use rustix::io::ReadWriteFlags;
use vivarium_abi::files::{Errno, File, FileKind, Metadata, Times};

use super::errno::errno;

const NS_PER_S: i64 = 1_000_000_000;

#[derive(Debug)]
pub struct HostFile {
    file: StdFile,
}

impl HostFile {
    pub fn new(file: StdFile) -> HostFile {
        HostFile { file }
    }
}

impl File for HostFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
        self.file.read_at(buffer, offset).map_err(errno)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize, Errno> {
        self.file.write_at(bytes, offset).map_err(errno)
    }

    /// The system finds the end and writes there in one step: others may append to the same file.
    fn append(&self, bytes: &[u8]) -> Result<usize, Errno> {
        let written = rustix::io::pwritev2(&self.file, &[IoSlice::new(bytes)], 0, ReadWriteFlags::APPEND);
        written.map_err(|error| errno(error.into()))
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        CapMetadata::from_file(&self.file).map(|about| metadata(&about)).map_err(errno)
    }

    fn set_size(&self, bytes: u64) -> Result<(), Errno> {
        self.file.set_len(bytes).map_err(errno)
    }

    fn set_times(&self, times: Times) -> Result<(), Errno> {
        let mut set = FileTimes::new();
        set = times.accessed_ns.map_or(set, |ns| set.set_accessed(system_time(ns)));
        set = times.modified_ns.map_or(set, |ns| set.set_modified(system_time(ns)));
        self.file.set_times(set).map_err(errno)
    }

    fn sync(&self, data_only: bool) -> Result<(), Errno> {
        synced(if data_only { self.file.sync_data() } else { self.file.sync_all() })
    }
}

/// What cannot be synced has nothing to sync: a pipe, a device.
pub fn synced(result: io::Result<()>) -> Result<(), Errno> {
    match result.map_err(errno) {
        Err(Errno::Inval | Errno::Notsup) => Ok(()),
        result => result,
    }
}

pub fn metadata(about: &CapMetadata) -> Metadata {
    Metadata {
        kind: kind(about.file_type()),
        device: about.dev(),
        inode: about.ino(),
        links: about.nlink(),
        size_bytes: about.size(),
        accessed_ns: nanoseconds(about.atime(), about.atime_nsec()),
        modified_ns: nanoseconds(about.mtime(), about.mtime_nsec()),
        changed_ns: nanoseconds(about.ctime(), about.ctime_nsec()),
    }
}

pub fn kind(file_type: FileType) -> FileKind {
    if file_type.is_dir() {
        FileKind::Folder
    } else if file_type.is_file() {
        FileKind::Regular
    } else if file_type.is_symlink() {
        FileKind::Symlink
    } else {
        FileKind::Other
    }
}

pub fn system_time(ns: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(ns)
}

/// Times before 1970 are shown as 1970.
fn nanoseconds(seconds: i64, ns: i64) -> u64 {
    u64::try_from(seconds.saturating_mul(NS_PER_S).saturating_add(ns)).unwrap_or(0)
}
