//! Namespaces of a process's own: no network device, nobody else's semaphores or mounts, and in the end a root folder with nothing in it.
//!
//! A namespace of process ids would hold children only, and a role has none.

use std::io;

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};
use rustix::thread::UnshareFlags;

/// Whatever is found below it: the file system that was the root is gone a moment later.
const PLACE: &str = "/proc";

pub type Namespaces = UnshareFlags;

/// Those of a process that connects to others.
pub const BUT_NETWORK: Namespaces = UnshareFlags::NEWNS.union(UnshareFlags::NEWIPC).union(UnshareFlags::NEWUTS);
/// Those of a process that runs or compiles what strangers wrote.
pub const OF_GUESTS: Namespaces = BUT_NETWORK.union(UnshareFlags::NEWNET);

/// Where the process may not have them as it is, it has them as a user of a user namespace, who is nobody outside.
pub fn enter(own: Namespaces) -> io::Result<()> {
    unshare(own).or_else(|_| unshare(own | UnshareFlags::NEWUSER))
}

#[expect(deprecated, reason = "its danger is a table of descriptors that is no longer shared, which is not among these flags")]
fn unshare(flags: UnshareFlags) -> io::Result<()> {
    Ok(rustix::thread::unshare(flags)?)
}

/// An empty folder takes the place of all mounts. What is open stays open.
pub fn leave_files() -> io::Result<()> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let flags = MountFlags::RDONLY | MountFlags::NOEXEC | MountFlags::NOSUID | MountFlags::NODEV;
    mount("none", PLACE, "tmpfs", flags, Some(c"size=4k,nr_inodes=1,mode=555"))?;
    rustix::process::chdir(PLACE)?;
    // The new root covers the old one, which is then the topmost mount here.
    rustix::process::pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")?;
    Ok(())
}
