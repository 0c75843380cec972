//! An open folder of this machine.

use std::any::Any;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::DirEntryExt as _;
use std::path::{Path, PathBuf};

use cap_fs_ext::{
    DirExt as _, FollowSymlinks, OpenOptionsFollowExt as _, OpenOptionsMaybeDirExt as _, OpenOptionsSyncExt as _, SystemTimeSpec,
};
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use cap_std::time::SystemTime;
use rustix::fs::OFlags;
use vivarium_abi::files::{ENTRIES_MAX, Entry, Errno, Folder, Metadata, OpenHow, Opened, Times};

use super::errno::errno;
use super::file::{HostFile, kind, metadata, synced, system_time};

/// How many symbolic links a path may end in, one after the other, as Linux has it.
const SYMLINKS_MAX: usize = 40;

#[derive(Debug)]
pub struct HostFolder {
    folder: Dir,
}

impl HostFolder {
    pub fn new(folder: Dir) -> HostFolder {
        HostFolder { folder }
    }

    /// Where a path leads that may end in symbolic links; each step of it lies beneath the folder.
    fn followed(&self, path: &str) -> Result<PathBuf, Errno> {
        let mut path = PathBuf::from(path);
        for _ in 0..SYMLINKS_MAX {
            if !self.folder.symlink_metadata(&path).map_err(errno)?.is_symlink() {
                return Ok(path);
            }
            let content = self.folder.read_link(&path).map_err(errno)?;
            path = path.parent().unwrap_or(Path::new("")).join(content);
        }
        Err(Errno::Loop)
    }

    fn of(folder: &dyn Folder) -> Result<&Dir, Errno> {
        folder.as_any().downcast_ref::<HostFolder>().map(|target| &target.folder).ok_or(Errno::Xdev)
    }
}

impl Folder for HostFolder {
    fn open(&self, path: &str, how: OpenHow) -> Result<Opened, Errno> {
        if how.folder && how.create {
            return Err(Errno::Inval);
        }
        let file = self.folder.open_with(path, &options(how)).map_err(errno)?.into_std();
        if file.metadata().map_err(errno)?.is_dir() {
            return Ok(Opened::Folder(Box::new(HostFolder { folder: Dir::from_std_file(file) })));
        }
        Ok(Opened::File(Box::new(HostFile::new(file))))
    }

    fn metadata(&self, path: &str, follow: bool) -> Result<Metadata, Errno> {
        let about = if follow { self.folder.metadata(path) } else { self.folder.symlink_metadata(path) };
        about.map(|about| metadata(&about)).map_err(errno)
    }

    fn set_times(&self, path: &str, follow: bool, times: Times) -> Result<(), Errno> {
        let spec = |ns: Option<u64>| ns.map(|ns| SystemTimeSpec::Absolute(SystemTime::from_std(system_time(ns))));
        let (accessed, modified) = (spec(times.accessed_ns), spec(times.modified_ns));
        let set =
            if follow { self.folder.set_times(path, accessed, modified) } else { self.folder.set_symlink_times(path, accessed, modified) };
        set.map_err(errno)
    }

    fn create_folder(&self, path: &str) -> Result<(), Errno> {
        self.folder.create_dir(path).map_err(errno)
    }

    fn remove_folder(&self, path: &str) -> Result<(), Errno> {
        self.folder.remove_dir(path).map_err(errno)
    }

    fn remove_file(&self, path: &str) -> Result<(), Errno> {
        self.folder.remove_file(path).map_err(errno)
    }

    fn rename(&self, path: &str, target: &dyn Folder, target_path: &str) -> Result<(), Errno> {
        self.folder.rename(path, HostFolder::of(target)?, target_path).map_err(errno)
    }

    fn link(&self, path: &str, follow: bool, target: &dyn Folder, target_path: &str) -> Result<(), Errno> {
        let target = HostFolder::of(target)?;
        let source = if follow { self.followed(path)? } else { path.into() };
        self.folder.hard_link(source, target, target_path).map_err(errno)
    }

    fn symlink(&self, content: &str, path: &str) -> Result<(), Errno> {
        if content.is_empty() {
            return Err(Errno::Noent);
        }
        self.folder.symlink(content, path).map_err(errno)
    }

    /// Where a link leads that is absolute is not told: it names places outside.
    fn read_link(&self, path: &str) -> Result<String, Errno> {
        let content = self.folder.read_link(path).map_err(errno)?;
        text(content.into_os_string()).ok_or(Errno::Ilseq)
    }

    /// Names that are no UTF-8 are left out: no path of a program could name them.
    fn entries(&self) -> Result<Vec<Entry>, Errno> {
        let mut entries = Vec::new();
        for entry in self.folder.entries().map_err(errno)? {
            let entry = entry.map_err(errno)?;
            if entries.len() >= ENTRIES_MAX {
                return Err(Errno::Overflow);
            }
            if let Some(name) = text(entry.file_name()) {
                entries.push(Entry { name, inode: entry.ino(), kind: kind(entry.file_type().map_err(errno)?) });
            }
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(entries)
    }

    fn sync(&self, data_only: bool) -> Result<(), Errno> {
        let result = if data_only { rustix::fs::fdatasync(&self.folder) } else { rustix::fs::fsync(&self.folder) };
        synced(result.map_err(io::Error::from))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What creates or empties a file must be able to write to it. Opening never waits: not for the other side of a pipe.
fn options(how: OpenHow) -> OpenOptions {
    let write = how.write || how.create || how.truncate;
    let mut options = OpenOptions::new();
    options.read(how.read || !write).write(write).truncate(how.truncate);
    options.create(how.create).create_new(how.create && how.exclusive);
    options.follow(if how.follow { FollowSymlinks::Yes } else { FollowSymlinks::No });
    options.maybe_dir(true).nonblock(true);
    if how.folder {
        options.custom_flags(OFlags::DIRECTORY.bits() as i32);
    }
    options
}

fn text(name: OsString) -> Option<String> {
    let path: &Path = name.as_ref();
    path.to_str().map(str::to_owned)
}
