//! Reading and writing: standard streams, and files at their position or at an offset.

use bytes::Buf;

use super::descriptor::{Object, Standard};
use super::file::file;
use super::rights::{FD_READ, FD_WRITE};
use super::stat::{FLAG_APPEND, FLAG_DSYNC, FLAG_SYNC};
use super::{Errno, Stop};
use crate::answer::Answer;
use crate::files::FileKind;
use crate::guest::{Call, GuestInstance, GuestPtr};
use crate::host::Host;
use crate::limit::LimitReached;

/// How many buffers one call may name, as Linux has it (`IOV_MAX`).
const IOVECS_MAX: u32 = 1024;
const IOVEC_BYTES: u64 = 8;

/// A buffer that a guest alleges.
#[derive(Debug, Clone, Copy)]
struct Iovec {
    start: GuestPtr,
    len: u64,
}

/// The buffers of a call: each lies in memory, and together they hold less than 4 GiB.
fn iovecs(instance: &dyn GuestInstance, list: GuestPtr, count: u32) -> Result<Vec<Iovec>, Stop> {
    if count > IOVECS_MAX {
        return Err(Errno::Inval.into());
    }
    let bytes = list.read(instance, u64::from(count) * IOVEC_BYTES)?;
    let mut total = 0u64;
    let mut iovecs = Vec::with_capacity(count as usize);
    for pair in bytes.chunks_exact(IOVEC_BYTES as usize) {
        let field = |at: usize| u32::from_le_bytes([pair[at], pair[at + 1], pair[at + 2], pair[at + 3]]);
        let iovec = Iovec { start: GuestPtr::alleged(field(0)), len: u64::from(field(4)) };
        iovec.start.check(instance, iovec.len)?;
        total += iovec.len;
        iovecs.push(iovec);
    }
    if total > u64::from(u32::MAX) { Err(Errno::Inval.into()) } else { Ok(iovecs) }
}

pub(crate) fn fd_read(call: &mut Call<'_>) -> Result<(), Stop> {
    let fd = call.u32(0);
    let descriptor = call.host.descriptor(fd)?;
    match &descriptor.object {
        Object::Standard(Standard::Input) => descriptor.rights.require(FD_READ)?,
        Object::Standard(_) => return Err(Errno::Badf.into()),
        Object::File(open) => {
            let position = open.position;
            let read = read_file(call, position, 3)?;
            file(call.host, fd, Errno::Badf)?.0.position = position + read;
            return Ok(());
        }
        Object::Folder(_) => return Err(Errno::Isdir.into()),
    }
    let iovecs = iovecs(call.instance, call.pointer(1), call.u32(2))?;
    let read = call.pointer(3);
    read.check(call.instance, 4)?;
    let mut total = 0;
    for iovec in iovecs {
        let stdin = &mut call.host.stdin;
        let len = stdin.len().min(iovec.len as usize);
        iovec.start.write(call.instance, &stdin[..len])?;
        stdin.advance(len);
        total += len as u32;
    }
    read.write_u32(call.instance, total)?;
    Ok(())
}

pub(crate) fn fd_write(call: &mut Call<'_>) -> Result<(), Stop> {
    let fd = call.u32(0);
    let descriptor = call.host.descriptor(fd)?;
    let write = match &descriptor.object {
        Object::Standard(Standard::Input) => return Err(Errno::Badf.into()),
        Object::Standard(Standard::Output) => write_output,
        Object::Standard(Standard::Error) => write_error,
        Object::File(open) => {
            let appends = descriptor.flags & FLAG_APPEND != 0;
            let at = if appends { open.file.metadata()?.size_bytes } else { open.position };
            let written = write_file(call, (!appends).then_some(at), 3)?;
            file(call.host, fd, Errno::Badf)?.0.position = at + written;
            return Ok(());
        }
        Object::Folder(_) => return Err(Errno::Isdir.into()),
    };
    descriptor.rights.require(FD_WRITE)?;
    let iovecs = iovecs(call.instance, call.pointer(1), call.u32(2))?;
    let written = call.pointer(3);
    written.check(call.instance, 4)?;
    let mut total = 0;
    for iovec in iovecs {
        write(call.host, iovec.start.read(call.instance, iovec.len)?)?;
        total += iovec.len as u32;
    }
    written.write_u32(call.instance, total)?;
    Ok(())
}

pub(crate) fn fd_pread(call: &mut Call<'_>) -> Result<(), Stop> {
    file(call.host, call.u32(0), Errno::Spipe)?;
    read_file(call, call.instance.argument(3), 4).map(drop)
}

/// With the append flag the offset means nothing, as on Linux.
pub(crate) fn fd_pwrite(call: &mut Call<'_>) -> Result<(), Stop> {
    let fd = call.u32(0);
    file(call.host, fd, Errno::Spipe)?;
    let appends = call.host.descriptor(fd)?.flags & FLAG_APPEND != 0;
    let offset = (!appends).then_some(call.instance.argument(3));
    write_file(call, offset, 4).map(drop)
}

/// What a transfer to or from a file names: its buffers, and where the count goes. The descriptor must have the right.
fn buffers(call: &mut Call<'_>, right: u64, result: u32) -> Result<(Vec<Iovec>, GuestPtr), Stop> {
    file(call.host, call.u32(0), Errno::Badf)?.1.require(right)?;
    let iovecs = iovecs(call.instance, call.pointer(1), call.u32(2))?;
    let result = call.pointer(result);
    result.check(call.instance, 4)?;
    Ok((iovecs, result))
}

/// Reads from an offset into the call's buffers; how many bytes there were.
fn read_file(call: &mut Call<'_>, offset: u64, result: u32) -> Result<u64, Stop> {
    let (iovecs, result) = buffers(call, FD_READ, result)?;
    i64::try_from(offset).map_err(|_| Errno::Inval)?;
    let (open, _) = file(call.host, call.u32(0), Errno::Badf)?;
    let metadata = open.file.metadata()?;
    let mut total = 0;
    for iovec in iovecs {
        // No more of a buffer is touched than there is to read: each page that the host makes writable is one that reset must give back.
        let len = match metadata.kind {
            FileKind::Regular => iovec.len.min(metadata.size_bytes.saturating_sub(offset + total)),
            _ => iovec.len,
        };
        let read = if len == 0 { 0 } else { open.file.read_at(iovec.start.borrow_mut(call.instance, len)?, offset + total)? as u64 };
        total += read;
        if read < iovec.len {
            break;
        }
    }
    result.write_u32(call.instance, total as u32)?;
    Ok(total)
}

/// Writes the call's buffers from an offset on, or at the end; how many bytes were written. A part that no longer fits is told only when nothing was
/// written before it.
fn write_file(call: &mut Call<'_>, offset: Option<u64>, result: u32) -> Result<u64, Stop> {
    let (iovecs, result) = buffers(call, FD_WRITE, result)?;
    if offset.is_some_and(|offset| i64::try_from(offset).is_err()) {
        return Err(Errno::Inval.into());
    }
    let flags = call.host.descriptor(call.u32(0))?.flags;
    let (open, _) = file(call.host, call.u32(0), Errno::Badf)?;
    let mut total = 0;
    for iovec in iovecs {
        let bytes = iovec.start.read(call.instance, iovec.len)?;
        let written = match offset {
            Some(offset) => open.file.write_at(bytes, offset + total),
            None => open.file.append(bytes),
        };
        match written {
            Ok(written) => total += written as u64,
            Err(errno) if total == 0 => return Err(errno.into()),
            Err(_) => break,
        }
    }
    if flags & (FLAG_DSYNC | FLAG_SYNC) != 0 {
        open.file.sync(flags & FLAG_SYNC == 0)?;
    }
    result.write_u32(call.instance, total as u32)?;
    Ok(total)
}

fn write_output(host: &mut Host, bytes: &[u8]) -> Result<(), Stop> {
    if host.answers_requests {
        let fitting = host.stderr.accept(bytes);
        host.log.push_stdout(fitting);
        if fitting.len() < bytes.len() {
            host.log.truncate();
        }
        return Ok(());
    }
    if host.stdout.accept(bytes).len() < bytes.len() {
        let limit = LimitReached::stdout(host.limits.stdout_bytes_max);
        return Err(Stop::Answer(Answer::Limit(limit)));
    }
    Ok(())
}

/// What no longer fits is dropped, and the program is not told: a log must not end it.
fn write_error(host: &mut Host, bytes: &[u8]) -> Result<(), Stop> {
    let fitting = host.stderr.accept(bytes);
    host.log.push(fitting);
    if fitting.len() < bytes.len() {
        host.log.truncate();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::answer::Answer;
    use crate::files::{Errno, File, FileKind, Metadata, Times};
    use crate::host::{HostInput, HostLimits};
    use crate::limit::LimitReached;
    use crate::testing::{Guest, call, check, host, host_with, host_with_stdin};
    use crate::wasi::descriptor::{Descriptor, Object, OpenFile};
    use crate::wasi::rights::Rights;

    const MAX: u64 = u32::MAX as u64;

    #[test]
    fn writing_gathers_buffers_in_order() {
        let (mut host, mut guest) = (host(), Guest::with_memory(64));
        guest.put(0, b"hello world\n");
        guest.put_iovecs(32, &[(6, 6), (0, 0), (0, 5)]);
        check(&mut host, &mut guest, "fd_write", &[1, 32, 3, 60], 0);
        assert_eq!(guest.u32_at(60), 11);
        assert_eq!(host.stdout(), b"world\nhello");
        check(&mut host, &mut guest, "fd_write", &[2, 32, 1, 60], 0);
        assert_eq!(host.take_log_lines()[0].text, "world");
        assert_eq!(host.take_stderr(), "world\n");
    }

    #[test]
    fn reading_scatters_until_input_ends() {
        let (mut host, mut guest) = (host_with_stdin(b"abcdef"), Guest::with_memory(64));
        guest.put_iovecs(32, &[(0, 2), (8, 3)]);
        check(&mut host, &mut guest, "fd_read", &[0, 32, 2, 60], 0);
        assert_eq!((guest.u32_at(60), &guest.memory[0..2], &guest.memory[8..12]), (5, &b"ab"[..], &b"cde\0"[..]));
        check(&mut host, &mut guest, "fd_read", &[0, 32, 2, 60], 0);
        assert_eq!((guest.u32_at(60), &guest.memory[0..2]), (1, &b"fb"[..]));
        check(&mut host, &mut guest, "fd_read", &[0, 32, 2, 60], 0);
        assert_eq!(guest.u32_at(60), 0);
    }

    /// Says how often it was synced, and how, by its size.
    #[derive(Debug, Default)]
    struct Counting(std::cell::Cell<u64>);

    impl File for Counting {
        fn read_at(&self, _: &mut [u8], _: u64) -> Result<usize, Errno> {
            Ok(0)
        }

        fn write_at(&self, bytes: &[u8], _: u64) -> Result<usize, Errno> {
            Ok(bytes.len())
        }

        fn append(&self, bytes: &[u8]) -> Result<usize, Errno> {
            Ok(bytes.len())
        }

        fn metadata(&self) -> Result<Metadata, Errno> {
            let (kind, size_bytes) = (FileKind::Regular, self.0.get());
            Ok(Metadata { kind, device: 0, inode: 9, links: 1, size_bytes, accessed_ns: 0, modified_ns: 0, changed_ns: 0 })
        }

        fn set_size(&self, _: u64) -> Result<(), Errno> {
            Ok(())
        }

        fn set_times(&self, _: Times) -> Result<(), Errno> {
            Ok(())
        }

        fn sync(&self, data_only: bool) -> Result<(), Errno> {
            self.0.set(self.0.get() + if data_only { 1 } else { 100 });
            Ok(())
        }
    }

    #[test]
    fn writes_are_synced_as_the_flags_say() {
        let (mut host, mut guest) = (host(), Guest::with_memory(128));
        let object = Object::File(OpenFile { file: Box::new(Counting::default()), position: 0 });
        let rights = Rights { base: u64::MAX, inheriting: 0 };
        let fd = u64::from(host.open_descriptor(Descriptor { object, flags: 0, rights }).unwrap());
        guest.put_iovecs(0, &[(32, 4)]);
        for (flags, synced) in [(0, 0), (1 << 1, 1), (1 << 4, 101), (1 << 1 | 1 << 4, 201), (1, 201)] {
            check(&mut host, &mut guest, "fd_fdstat_set_flags", &[fd, flags], 0);
            check(&mut host, &mut guest, "fd_write", &[fd, 0, 1, 60], 0);
            check(&mut host, &mut guest, "fd_filestat_get", &[fd, 64], 0);
            assert_eq!(guest.u64_at(96), synced, "{flags}");
        }
    }

    #[test]
    fn directions_are_kept() {
        let mut guest = Guest::with_memory(64);
        check(&mut host(), &mut guest, "fd_write", &[0, 0, 0, 0], 8);
        check(&mut host(), &mut guest, "fd_read", &[1, 0, 0, 0], 8);
        check(&mut host(), &mut guest, "fd_read", &[2, 0, 0, 0], 8);
    }

    #[test]
    fn a_bad_address_writes_nothing() {
        let (mut host, mut guest) = (host_with_stdin(b"abc"), Guest::with_memory(64));
        for pair in [(63, 2), (65, 0), (0, u32::MAX), (u32::MAX, 1), (u32::MAX, u32::MAX)] {
            guest.put_iovecs(32, &[(0, 4), pair]);
            check(&mut host, &mut guest, "fd_write", &[1, 32, 2, 60], 21);
            check(&mut host, &mut guest, "fd_read", &[0, 32, 2, 60], 21);
        }
        guest.put_iovecs(32, &[(0, 4)]);
        for arguments in [[1, 32, 1, 61], [1, 57, 1, 0], [1, MAX, 1, 0], [1, 32, 1, MAX]] {
            check(&mut host, &mut guest, "fd_write", &arguments, 21);
        }
        assert!(host.stdout().is_empty());
        assert_eq!(&host.stdin[..], b"abc");
    }

    #[test]
    fn buffers_are_bounded() {
        let (mut host, mut guest) = (host(), Guest::with_memory(16 << 10));
        check(&mut host, &mut guest, "fd_write", &[1, 0, 1025, 0], 28);
        check(&mut host, &mut guest, "fd_write", &[1, 0, MAX, 0], 28);
        check(&mut host, &mut guest, "fd_write", &[1, 0, 1024, 0], 0);
        check(&mut host, &mut guest, "fd_write", &[1, 0, 0, 16 << 10], 21);
    }

    #[test]
    fn too_much_output_ends_the_program() {
        let limits = HostLimits { stdout_bytes_max: 10, ..HostLimits::default() };
        let (mut host, mut guest) = (host_with(HostInput::default(), limits), Guest::with_memory(64));
        guest.put_iovecs(32, &[(0, 6)]);
        check(&mut host, &mut guest, "fd_write", &[1, 32, 1, 60], 0);
        let answer = call(&mut host, &mut guest, "fd_write", &[1, 32, 1, 60]);
        assert_eq!(answer, Answer::Limit(LimitReached::stdout(10)));
        assert_eq!(host.stdout().len(), 10);
    }

    #[test]
    fn too_much_log_is_dropped_and_the_program_goes_on() {
        let limits = HostLimits { stderr_bytes_max: 10, ..HostLimits::default() };
        let (mut host, mut guest) = (host_with(HostInput::default(), limits), Guest::with_memory(64));
        guest.put(0, b"12345\nabcdef");
        guest.put_iovecs(32, &[(0, 12), (0, 6)]);
        for _ in 0..3 {
            check(&mut host, &mut guest, "fd_write", &[2, 32, 2, 60], 0);
            assert_eq!(guest.u32_at(60), 18);
        }
        let texts: Vec<String> = host.finish_log_lines().into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["12345", "abcd", "… truncated"]);
        assert_eq!(host.take_stderr(), "12345\nabcd");
        assert!(host.stderr_truncated());
    }
}
