//! Descriptors: the three standard streams, until there is a file system.

use super::{Errno, Stop};
use crate::guest::Call;

/// A standard stream; its number is its descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standard {
    Input = 0,
    Output = 1,
    Error = 2,
}

/// The open descriptors of an instance.
#[derive(Debug)]
pub(crate) struct Descriptors {
    /// `fdflags` of each standard stream; `None` once closed.
    flags: [Option<u16>; 3],
}

impl Default for Descriptors {
    fn default() -> Descriptors {
        Descriptors { flags: [Some(0); 3] }
    }
}

impl Descriptors {
    pub(crate) fn stream(&self, fd: u32) -> Result<Standard, Errno> {
        let stream = match fd {
            0 => Standard::Input,
            1 => Standard::Output,
            2 => Standard::Error,
            _ => return Err(Errno::Badf),
        };
        self.flags[stream as usize].map(|_| stream).ok_or(Errno::Badf)
    }
}

/// All bits of the specification's `fdflags`: append, dsync, nonblock, rsync, sync.
const FDFLAGS: u32 = 0b1_1111;

const FILETYPE_UNKNOWN: u8 = 0;
const FILETYPE_CHARACTER_DEVICE: u8 = 2;

const RIGHT_FD_READ: u64 = 1 << 1;
const RIGHT_FD_FDSTAT_SET_FLAGS: u64 = 1 << 3;
const RIGHT_FD_WRITE: u64 = 1 << 6;
const RIGHT_FD_FILESTAT_GET: u64 = 1 << 21;
const RIGHT_POLL_FD_READWRITE: u64 = 1 << 27;
const RIGHTS_OF_ANY: u64 = RIGHT_FD_FDSTAT_SET_FLAGS | RIGHT_FD_FILESTAT_GET | RIGHT_POLL_FD_READWRITE;

const FDSTAT_BYTES: usize = 24;
const FILESTAT_BYTES: usize = 64;

impl Standard {
    /// Output is a terminal to the guest, so that libc hands on each line as it is printed: what a program printed before a trap is not
    /// lost in its buffer. Input is none, so that no program asks questions.
    fn filetype(self) -> u8 {
        match self {
            Standard::Input => FILETYPE_UNKNOWN,
            Standard::Output | Standard::Error => FILETYPE_CHARACTER_DEVICE,
        }
    }

    fn rights(self) -> u64 {
        match self {
            Standard::Input => RIGHTS_OF_ANY | RIGHT_FD_READ,
            Standard::Output | Standard::Error => RIGHTS_OF_ANY | RIGHT_FD_WRITE,
        }
    }
}

pub(crate) fn fd_close(call: &mut Call<'_>) -> Result<(), Stop> {
    let stream = call.host.descriptors.stream(call.u32(0))?;
    call.host.descriptors.flags[stream as usize] = None;
    Ok(())
}

pub(crate) fn fd_fdstat_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let stream = call.host.descriptors.stream(call.u32(0))?;
    let flags = call.host.descriptors.flags[stream as usize].unwrap_or_default();
    let mut fdstat = [0; FDSTAT_BYTES];
    fdstat[0] = stream.filetype();
    fdstat[2..4].copy_from_slice(&flags.to_le_bytes());
    fdstat[8..16].copy_from_slice(&stream.rights().to_le_bytes());
    call.pointer(1).write(call.instance, &fdstat)?;
    Ok(())
}

/// Flags are kept and shown; none changes anything, for no stream ever blocks.
pub(crate) fn fd_fdstat_set_flags(call: &mut Call<'_>) -> Result<(), Stop> {
    let stream = call.host.descriptors.stream(call.u32(0))?;
    let flags = call.u32(1);
    if flags & !FDFLAGS != 0 {
        return Err(Errno::Inval.into());
    }
    call.host.descriptors.flags[stream as usize] = Some(flags as u16);
    Ok(())
}

pub(crate) fn fd_filestat_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let stream = call.host.descriptors.stream(call.u32(0))?;
    let mut filestat = [0; FILESTAT_BYTES];
    filestat[8] = stream as u8;
    filestat[16] = stream.filetype();
    filestat[24] = 1;
    call.pointer(1).write(call.instance, &filestat)?;
    Ok(())
}

/// No stream has a position.
pub(crate) fn fd_seek(call: &mut Call<'_>) -> Result<(), Stop> {
    call.host.descriptors.stream(call.u32(0))?;
    let whence = call.u32(2);
    Err(if whence > 2 { Errno::Inval } else { Errno::Spipe }.into())
}

pub(crate) fn fd_tell(call: &mut Call<'_>) -> Result<(), Stop> {
    call.host.descriptors.stream(call.u32(0))?;
    Err(Errno::Spipe.into())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Guest, check, host};

    #[test]
    fn a_closed_descriptor_is_bad() {
        let (mut host, mut guest) = (host(), Guest::with_memory(64));
        check(&mut host, &mut guest, "fd_close", &[1], 0);
        check(&mut host, &mut guest, "fd_close", &[1], 8);
        check(&mut host, &mut guest, "fd_write", &[1, 0, 0, 0], 8);
        check(&mut host, &mut guest, "fd_fdstat_get", &[1, 0], 8);
        check(&mut host, &mut guest, "fd_fdstat_get", &[2, 0], 0);
    }

    #[test]
    fn other_descriptors_are_bad() {
        let (mut host, mut guest) = (host(), Guest::with_memory(64));
        for fd in [3, 4, 0x7FFF_FFFF, 0xFFFF_FFFF] {
            for name in ["fd_close", "fd_fdstat_get", "fd_fdstat_set_flags", "fd_filestat_get", "fd_seek", "fd_tell", "fd_read", "fd_write"]
            {
                check(&mut host, &mut guest, name, &[fd, 0, 0, 0], 8);
            }
        }
    }

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
    fn streams_have_a_filestat_and_no_position() {
        let (mut host, mut guest) = (host(), Guest::with_memory(64));
        check(&mut host, &mut guest, "fd_filestat_get", &[2, 0], 0);
        assert_eq!((guest.u64_at(8), guest.memory[16], guest.u64_at(24), guest.u64_at(32)), (2, 2, 1, 0));
        check(&mut host, &mut guest, "fd_filestat_get", &[2, 1], 21);
        check(&mut host, &mut guest, "fd_seek", &[1, 0, 1, 0], 70);
        check(&mut host, &mut guest, "fd_seek", &[1, 0, 3, 0], 28);
        check(&mut host, &mut guest, "fd_tell", &[0, 0], 70);
    }
}
