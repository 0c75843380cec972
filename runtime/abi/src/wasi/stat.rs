//! What is known of a descriptor: its kind, flags, rights, size and times.
//!
//! ```text
//! fdstat (24 bytes)                                filestat (64 bytes)
//!  0 filetype  2 flags (u16)                        0 device  8 inode  16 filetype  24 links
//!  8 rights   16 rights of what is opened through   32 size  40 accessed  48 modified  56 changed
//! ```

use super::descriptor::{Object, Standard};
use super::rights::Rights;
use super::{Errno, Stop};
use crate::files::{FileKind, Metadata, Times};
use crate::guest::Call;

const FDSTAT_BYTES: usize = 24;
const FILESTAT_BYTES: usize = 64;

const FILETYPE_UNKNOWN: u8 = 0;
const FILETYPE_CHARACTER_DEVICE: u8 = 2;
const FILETYPE_DIRECTORY: u8 = 3;
const FILETYPE_REGULAR_FILE: u8 = 4;
const FILETYPE_SYMBOLIC_LINK: u8 = 7;

/// `fdflags`.
pub(crate) const FLAG_APPEND: u16 = 1;
pub(crate) const FLAG_DSYNC: u16 = 1 << 1;
pub(crate) const FLAG_NONBLOCK: u16 = 1 << 2;
pub(crate) const FLAG_SYNC: u16 = 1 << 4;
/// All bits of the specification's `fdflags`: append, dsync, nonblock, rsync, sync.
pub(crate) const FDFLAGS: u32 = 0b1_1111;

/// `fstflags`: set the time of access, or set it to now; the same for modification.
const ACCESSED: u32 = 1;
const ACCESSED_NOW: u32 = 2;
const MODIFIED: u32 = 4;
const MODIFIED_NOW: u32 = 8;

impl Standard {
    /// Output is a terminal to the guest, so that libc hands on each line as it is printed: what a program printed before a trap is not
    /// lost in its buffer. Input is none, so that no program asks questions.
    fn filetype(self) -> u8 {
        match self {
            Standard::Input => FILETYPE_UNKNOWN,
            Standard::Output | Standard::Error => FILETYPE_CHARACTER_DEVICE,
        }
    }
}

pub(crate) fn filetype(kind: FileKind) -> u8 {
    match kind {
        FileKind::Folder => FILETYPE_DIRECTORY,
        FileKind::Regular => FILETYPE_REGULAR_FILE,
        FileKind::Symlink => FILETYPE_SYMBOLIC_LINK,
        FileKind::Other => FILETYPE_UNKNOWN,
    }
}

pub(crate) fn filestat(metadata: &Metadata) -> [u8; FILESTAT_BYTES] {
    let Metadata { kind, device, inode, links, size_bytes, accessed_ns, modified_ns, changed_ns } = *metadata;
    let mut filestat = [0; FILESTAT_BYTES];
    let fields = [device, inode, u64::from(filetype(kind)), links, size_bytes, accessed_ns, modified_ns, changed_ns];
    for (at, field) in fields.iter().enumerate() {
        filestat[8 * at..8 * at + 8].copy_from_slice(&field.to_le_bytes());
    }
    filestat
}

/// The times that two arguments and `fstflags` say.
pub(crate) fn times(call: &Call<'_>, accessed: u32, modified: u32, flags: u32) -> Result<Times, Errno> {
    let both = |set: u32| flags & set == set;
    if flags > 0b1111 || both(ACCESSED | ACCESSED_NOW) || both(MODIFIED | MODIFIED_NOW) {
        return Err(Errno::Inval);
    }
    let time = |argument: u32, set: u32, now: u32| match flags & (set | now) {
        0 => None,
        one if one == set => Some(call.instance.argument(argument)),
        _ => Some(call.host.clocks.realtime_ns()),
    };
    Ok(Times { accessed_ns: time(accessed, ACCESSED, ACCESSED_NOW), modified_ns: time(modified, MODIFIED, MODIFIED_NOW) })
}

pub(crate) fn fd_fdstat_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let descriptor = call.host.descriptor(call.u32(0))?;
    let mut fdstat = [0; FDSTAT_BYTES];
    fdstat[0] = match &descriptor.object {
        Object::Standard(stream) => stream.filetype(),
        Object::File(open) => filetype(open.file.metadata()?.kind),
        Object::Folder(_) => FILETYPE_DIRECTORY,
    };
    fdstat[2..4].copy_from_slice(&descriptor.flags.to_le_bytes());
    fdstat[8..16].copy_from_slice(&descriptor.rights.base.to_le_bytes());
    fdstat[16..24].copy_from_slice(&descriptor.rights.inheriting.to_le_bytes());
    call.pointer(1).write(call.instance, &fdstat)?;
    Ok(())
}

/// Flags are kept and shown. `append` changes where writes go, `dsync` and `sync` when they are on the disk; nothing here ever blocks, and what is
/// read is always in step with what was written.
pub(crate) fn fd_fdstat_set_flags(call: &mut Call<'_>) -> Result<(), Stop> {
    let flags = call.u32(1);
    let descriptor = call.host.descriptor(call.u32(0))?;
    if flags & !FDFLAGS != 0 {
        return Err(Errno::Inval.into());
    }
    descriptor.flags = flags as u16;
    Ok(())
}

pub(crate) fn fd_fdstat_set_rights(call: &mut Call<'_>) -> Result<(), Stop> {
    let fewer = Rights { base: call.instance.argument(1), inheriting: call.instance.argument(2) };
    let descriptor = call.host.descriptor(call.u32(0))?;
    descriptor.rights = descriptor.rights.dropped_to(fewer)?;
    Ok(())
}

pub(crate) fn fd_filestat_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let filestat = match &call.host.descriptor(call.u32(0))?.object {
        Object::File(open) => filestat(&open.file.metadata()?),
        Object::Folder(open) => filestat(&open.folder.metadata(".", true)?),
        Object::Standard(stream) => {
            let mut filestat = [0; FILESTAT_BYTES];
            filestat[8] = *stream as u8;
            filestat[16] = stream.filetype();
            filestat[24] = 1;
            filestat
        }
    };
    call.pointer(1).write(call.instance, &filestat)?;
    Ok(())
}

pub(crate) fn fd_filestat_set_times(call: &mut Call<'_>) -> Result<(), Stop> {
    call.host.descriptor(call.u32(0))?;
    let times = times(call, 1, 2, call.u32(3))?;
    match &call.host.descriptor(call.u32(0))?.object {
        Object::File(open) => open.file.set_times(times)?,
        Object::Folder(open) => open.folder.set_times(".", true, times)?,
        Object::Standard(_) => return Err(Errno::Notsup.into()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Guest, check, host};

    #[test]
    fn output_is_a_terminal_and_input_is_not() {
        let (mut host, mut guest) = (host(), Guest::with_memory(32));
        for (fd, filetype, rights) in [(0, 0, 1 << 1), (1, 2, 1 << 6), (2, 2, 1 << 6)] {
            guest.memory.fill(0xAA);
            check(&mut host, &mut guest, "fd_fdstat_get", &[fd, 8], 0);
            assert_eq!(guest.memory[8], filetype);
            assert_eq!(guest.u64_at(16) & (1 << 1 | 1 << 6), rights);
            assert_eq!(guest.u64_at(16) & (1 << 2 | 1 << 5), 0, "a terminal has no right to seek");
            assert_eq!(guest.u64_at(24), 0);
            assert_eq!(guest.memory[..8], [0xAA; 8]);
        }
        check(&mut host, &mut guest, "fd_fdstat_get", &[0, 9], 21);
    }

    #[test]
    fn flags_are_kept() {
        let (mut host, mut guest) = (host(), Guest::with_memory(32));
        check(&mut host, &mut guest, "fd_fdstat_set_flags", &[1, 4], 0);
        check(&mut host, &mut guest, "fd_fdstat_get", &[1, 0], 0);
        assert_eq!(guest.memory[2], 4);
        check(&mut host, &mut guest, "fd_fdstat_set_flags", &[1, 32], 28);
    }

    #[test]
    fn rights_can_only_be_dropped() {
        let (mut host, mut guest) = (host(), Guest::with_memory(32));
        check(&mut host, &mut guest, "fd_fdstat_set_rights", &[1, 1 << 6, 0], 0);
        check(&mut host, &mut guest, "fd_fdstat_set_rights", &[1, 1 << 1, 0], 76);
        check(&mut host, &mut guest, "fd_fdstat_set_rights", &[1, 0, 0], 0);
        guest.put_iovecs(0, &[(8, 4)]);
        check(&mut host, &mut guest, "fd_write", &[1, 0, 1, 16], 76);
    }

    #[test]
    fn streams_have_a_filestat() {
        let (mut host, mut guest) = (host(), Guest::with_memory(64));
        check(&mut host, &mut guest, "fd_filestat_get", &[2, 0], 0);
        assert_eq!((guest.u64_at(8), guest.memory[16], guest.u64_at(24), guest.u64_at(32)), (2, 2, 1, 0));
        check(&mut host, &mut guest, "fd_filestat_get", &[2, 1], 21);
        check(&mut host, &mut guest, "fd_filestat_set_times", &[2, 0, 0, 0], 58);
        check(&mut host, &mut guest, "fd_filestat_set_times", &[2, 0, 0, 3], 28);
    }
}
