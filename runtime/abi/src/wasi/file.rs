//! Descriptors and open files: closing, positions, sizes.

use super::descriptor::{Object, OpenFile};
use super::rights::{FD_WRITE, Rights};
use super::{Errno, Stop};
use crate::guest::Call;
use crate::host::Host;

pub(crate) fn fd_close(call: &mut Call<'_>) -> Result<(), Stop> {
    Ok(call.host.close_descriptor(call.u32(0))?)
}

pub(crate) fn fd_renumber(call: &mut Call<'_>) -> Result<(), Stop> {
    Ok(call.host.renumber(call.u32(0), call.u32(1))?)
}

/// An open file with its rights. Streams and folders are told apart by what they answer.
pub(super) fn file(host: &mut Host, fd: u32, of_stream: Errno) -> Result<(&mut OpenFile, Rights), Errno> {
    let descriptor = host.descriptor(fd)?;
    match &mut descriptor.object {
        Object::File(open) => Ok((open, descriptor.rights)),
        Object::Folder(_) => Err(Errno::Isdir),
        Object::Standard(_) => Err(of_stream),
    }
}

/// No stream has a position.
pub(crate) fn fd_seek(call: &mut Call<'_>) -> Result<(), Stop> {
    let (fd, offset, whence, result) = (call.u32(0), call.instance.argument(1) as i64, call.u32(2), call.pointer(3));
    call.host.descriptor(fd)?;
    if whence > 2 {
        return Err(Errno::Inval.into());
    }
    let (open, _) = file(call.host, fd, Errno::Spipe)?;
    let from = match whence {
        0 => 0,
        1 => open.position,
        _ => open.file.metadata()?.size_bytes,
    };
    let position = from.checked_add_signed(offset).filter(|position| i64::try_from(*position).is_ok()).ok_or(Errno::Inval)?;
    result.check(call.instance, 8)?;
    open.position = position;
    result.write_u64(call.instance, position)?;
    Ok(())
}

pub(crate) fn fd_tell(call: &mut Call<'_>) -> Result<(), Stop> {
    let (open, _) = file(call.host, call.u32(0), Errno::Spipe)?;
    let position = open.position;
    call.pointer(1).write_u64(call.instance, position)?;
    Ok(())
}

/// Advice is heard and not needed.
pub(crate) fn fd_advise(call: &mut Call<'_>) -> Result<(), Stop> {
    let advice = call.u32(3);
    file(call.host, call.u32(0), Errno::Spipe)?;
    if advice > 5 { Err(Errno::Inval.into()) } else { Ok(()) }
}

pub(crate) fn fd_allocate(call: &mut Call<'_>) -> Result<(), Stop> {
    let (offset, len) = (call.instance.argument(1), call.instance.argument(2));
    let (open, rights) = file(call.host, call.u32(0), Errno::Spipe)?;
    rights.require(FD_WRITE)?;
    let end = offset.checked_add(len).filter(|_| len > 0).ok_or(Errno::Inval)?;
    if end > open.file.metadata()?.size_bytes {
        open.file.set_size(end)?;
    }
    Ok(())
}

pub(crate) fn fd_filestat_set_size(call: &mut Call<'_>) -> Result<(), Stop> {
    let bytes = call.instance.argument(1);
    let (open, rights) = file(call.host, call.u32(0), Errno::Inval)?;
    rights.require(FD_WRITE)?;
    Ok(open.file.set_size(bytes)?)
}

pub(crate) fn fd_sync(call: &mut Call<'_>) -> Result<(), Stop> {
    sync(call, false)
}

pub(crate) fn fd_datasync(call: &mut Call<'_>) -> Result<(), Stop> {
    sync(call, true)
}

fn sync(call: &mut Call<'_>, data_only: bool) -> Result<(), Stop> {
    match &call.host.descriptor(call.u32(0))?.object {
        Object::File(open) => open.file.sync(data_only)?,
        Object::Folder(open) => open.folder.sync(data_only)?,
        Object::Standard(_) => return Err(Errno::Inval.into()),
    }
    Ok(())
}

/// No descriptor is a socket. A folder is none of those that sockets are among: programs expect EBADF of the first that they did not open.
pub(crate) fn no_socket(call: &mut Call<'_>) -> Result<(), Stop> {
    match call.host.descriptor(call.u32(0))?.object {
        Object::File(_) | Object::Standard(_) => Err(Errno::Notsock.into()),
        Object::Folder(_) => Err(Errno::Badf.into()),
    }
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
        for fd in [5, 1024, 0x7FFF_FFFF, 0xFFFF_FFFF] {
            for name in [
                "fd_close",
                "fd_fdstat_get",
                "fd_fdstat_set_flags",
                "fd_filestat_get",
                "fd_seek",
                "fd_tell",
                "fd_read",
                "fd_write",
                "fd_sync",
                "fd_advise",
                "fd_allocate",
                "fd_readdir",
                "sock_shutdown",
            ] {
                check(&mut host, &mut guest, name, &[fd, 0, 0, 0, 0, 0], 8);
            }
        }
    }

    #[test]
    fn streams_have_no_position_and_are_no_sockets() {
        let (mut host, mut guest) = (host(), Guest::with_memory(64));
        check(&mut host, &mut guest, "fd_seek", &[1, 0, 1, 0], 70);
        check(&mut host, &mut guest, "fd_seek", &[1, 0, 3, 0], 28);
        check(&mut host, &mut guest, "fd_tell", &[0, 0], 70);
        check(&mut host, &mut guest, "sock_shutdown", &[0, 0], 57);
        check(&mut host, &mut guest, "sock_shutdown", &[3, 0], 8);
    }
}
