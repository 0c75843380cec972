//! Files and folders as host functions see them.
//!
//! ```text
//! wasi::{file, folder, path} ──► Folder, File ◄── memory: the project's files and a scratch space
//!                                             ◄── whoever runs a program: a folder of the machine
//! ```
//!
//! A [`Folder`] is a capability: paths are relative to it and never lead out of it, by `..` or by a symbolic link; one that would
//! is refused with [`Errno::Notcapable`] or [`Errno::Perm`]. Rights, positions and descriptors are not its business.

mod memory;
mod path;
mod project;

use std::any::Any;
use std::fmt::Debug;

pub use crate::wasi::Errno;
pub(crate) use memory::{MemoryFolder, Scratch};
pub(crate) use path::PATH_BYTES_MAX;
pub use project::{ProjectError, ProjectFiles};

/// How many entries one folder may list.
pub const ENTRIES_MAX: usize = 100_000;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    Folder,
    Regular,
    Symlink,
    /// A device, socket or pipe of the machine.
    Other,
}

/// What is known of a file or folder. Times are nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    pub kind: FileKind,
    pub device: u64,
    pub inode: u64,
    pub links: u64,
    pub size_bytes: u64,
    pub accessed_ns: u64,
    pub modified_ns: u64,
    pub changed_ns: u64,
}

/// Times to set, in nanoseconds since 1970; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    pub accessed_ns: Option<u64>,
    pub modified_ns: Option<u64>,
}

/// How a path is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenHow {
    /// Follow a symbolic link at the path's end; links before it are always followed.
    pub follow: bool,
    pub read: bool,
    pub write: bool,
    pub create: bool,
    /// With `create`: fail where something is there already.
    pub exclusive: bool,
    pub truncate: bool,
    /// Fail unless it is a folder.
    pub folder: bool,
    /// Do not wait for the other side of a pipe.
    pub nonblocking: bool,
}

/// What [`Folder::open`] found.
#[derive(Debug)]
pub enum Opened {
    File(Box<dyn File>),
    Folder(Box<dyn Folder>),
}

/// A name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub inode: u64,
    pub kind: FileKind,
}

/// An open folder. A path names what lies in it, in the way of POSIX; one of `.` is the folder itself.
pub trait Folder: Debug {
    fn open(&self, path: &str, how: OpenHow) -> Result<Opened, Errno>;
    fn metadata(&self, path: &str, follow: bool) -> Result<Metadata, Errno>;
    fn set_times(&self, path: &str, follow: bool, times: Times) -> Result<(), Errno>;
    fn create_folder(&self, path: &str) -> Result<(), Errno>;
    fn remove_folder(&self, path: &str) -> Result<(), Errno>;
    fn remove_file(&self, path: &str) -> Result<(), Errno>;
    /// `target` may be any other folder; one of another kind answers [`Errno::Xdev`].
    fn rename(&self, path: &str, target: &dyn Folder, target_path: &str) -> Result<(), Errno>;
    /// As [`Folder::rename`].
    fn link(&self, path: &str, follow: bool, target: &dyn Folder, target_path: &str) -> Result<(), Errno>;
    /// Makes a symbolic link at `path` that holds `content`.
    fn symlink(&self, content: &str, path: &str) -> Result<(), Errno>;
    fn read_link(&self, path: &str) -> Result<String, Errno>;
    /// What is in the folder, without `.` and `..`, in an order that lasts; with more than [`ENTRIES_MAX`] it is [`Errno::Overflow`].
    fn entries(&self) -> Result<Vec<Entry>, Errno>;
    /// Writes what is not yet on the disk.
    fn sync(&self, data_only: bool) -> Result<(), Errno>;
    /// So that an implementation can recognise its own kind.
    fn as_any(&self) -> &dyn Any;
}

/// An open file. Offsets and lengths are bytes.
pub trait File: Debug {
    /// How many bytes were read; 0 at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Errno>;
    /// How many bytes were written; past the end the gap reads as zero.
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize, Errno>;
    /// Writes at the end, wherever that is now.
    fn append(&self, bytes: &[u8]) -> Result<usize, Errno>;
    fn metadata(&self) -> Result<Metadata, Errno>;
    fn set_size(&self, bytes: u64) -> Result<(), Errno>;
    fn set_times(&self, times: Times) -> Result<(), Errno>;
    fn sync(&self, data_only: bool) -> Result<(), Errno>;
}
