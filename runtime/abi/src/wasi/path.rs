//! Paths: what is opened, made, removed, renamed and linked through a folder.

use std::rc::Rc;

use super::descriptor::{Descriptor, Object, OpenFile, OpenFolder};
use super::rights::{FD_READ, FD_WRITE, PATH_FILESTAT_SET_SIZE, Rights};
use super::stat::{FDFLAGS, FLAG_NONBLOCK, filestat, times};
use super::{Errno, Stop};
use crate::files::{OpenHow, Opened, PATH_BYTES_MAX};
use crate::guest::{Call, GuestPtr};

/// `lookupflags`: follow a symbolic link at the end.
const LOOKUP_FOLLOW: u32 = 1;
/// `oflags`.
const CREATE: u32 = 1;
const FOLDER: u32 = 2;
const EXCLUSIVE: u32 = 4;
const TRUNCATE: u32 = 8;

/// The path that two arguments, address and length, name.
fn path(call: &Call<'_>, argument: u32) -> Result<String, Stop> {
    let len = call.u32(argument + 1) as usize;
    if len > PATH_BYTES_MAX {
        return Err(Errno::Nametoolong.into());
    }
    let bytes = call.pointer(argument).read(call.instance, len as u64)?;
    let path = std::str::from_utf8(bytes).map_err(|_| Errno::Ilseq)?;
    if path.contains('\0') { Err(Errno::Inval.into()) } else { Ok(path.to_owned()) }
}

fn follows(flags: u32) -> Result<bool, Errno> {
    if flags > LOOKUP_FOLLOW { Err(Errno::Inval) } else { Ok(flags == LOOKUP_FOLLOW) }
}

pub(crate) fn path_open(call: &mut Call<'_>) -> Result<(), Stop> {
    let (fd, lookup, oflags, flags, result) = (call.u32(0), call.u32(1), call.u32(4), call.u32(7), call.pointer(8));
    let asked = Rights { base: call.instance.argument(5), inheriting: call.instance.argument(6) };
    let (_, parent) = call.host.folder(fd)?;
    let path = path(call, 2)?;
    if oflags > 0b1111 || flags & !FDFLAGS != 0 {
        return Err(Errno::Inval.into());
    }
    let how = OpenHow {
        follow: follows(lookup)?,
        read: asked.base & FD_READ != 0,
        write: asked.base & FD_WRITE != 0,
        create: oflags & CREATE != 0,
        exclusive: oflags & EXCLUSIVE != 0,
        truncate: oflags & TRUNCATE != 0,
        folder: oflags & FOLDER != 0,
        nonblocking: flags & u32::from(FLAG_NONBLOCK) != 0,
    };
    if how.truncate {
        parent.require(PATH_FILESTAT_SET_SIZE)?;
    }
    result.check(call.instance, 4)?;
    let (object, is_folder) = match call.host.folder(fd)?.0.folder.open(&path, how)? {
        Opened::File(file) => (Object::File(OpenFile { file, position: 0 }), false),
        Opened::Folder(folder) => (Object::Folder(OpenFolder { folder: folder.into(), given_as: None }), true),
    };
    let rights = parent.inherited(asked, is_folder);
    let opened = call.host.open_descriptor(Descriptor { object, flags: flags as u16, rights })?;
    result.write_u32(call.instance, opened)?;
    Ok(())
}

pub(crate) fn path_filestat_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let (fd, lookup, result) = (call.u32(0), call.u32(1), call.pointer(4));
    call.host.folder(fd)?;
    let path = path(call, 2)?;
    let metadata = call.host.folder(fd)?.0.folder.metadata(&path, follows(lookup)?)?;
    result.write(call.instance, &filestat(&metadata))?;
    Ok(())
}

pub(crate) fn path_filestat_set_times(call: &mut Call<'_>) -> Result<(), Stop> {
    let (fd, lookup, flags) = (call.u32(0), call.u32(1), call.u32(6));
    call.host.folder(fd)?;
    let path = path(call, 2)?;
    let times = times(call, 4, 5, flags)?;
    Ok(call.host.folder(fd)?.0.folder.set_times(&path, follows(lookup)?, times)?)
}

pub(crate) fn path_create_directory(call: &mut Call<'_>) -> Result<(), Stop> {
    call.host.folder(call.u32(0))?;
    let path = path(call, 1)?;
    Ok(call.host.folder(call.u32(0))?.0.folder.create_folder(&path)?)
}

pub(crate) fn path_remove_directory(call: &mut Call<'_>) -> Result<(), Stop> {
    call.host.folder(call.u32(0))?;
    let path = path(call, 1)?;
    Ok(call.host.folder(call.u32(0))?.0.folder.remove_folder(&path)?)
}

pub(crate) fn path_unlink_file(call: &mut Call<'_>) -> Result<(), Stop> {
    call.host.folder(call.u32(0))?;
    let path = path(call, 1)?;
    Ok(call.host.folder(call.u32(0))?.0.folder.remove_file(&path)?)
}

pub(crate) fn path_rename(call: &mut Call<'_>) -> Result<(), Stop> {
    let (fd, target_fd) = (call.u32(0), call.u32(3));
    call.host.two_folders(fd, target_fd)?;
    let (source, target) = (path(call, 1)?, path(call, 4)?);
    let (folder, target_folder) = call.host.two_folders(fd, target_fd)?;
    Ok(folder.rename(&source, target_folder, &target)?)
}

pub(crate) fn path_link(call: &mut Call<'_>) -> Result<(), Stop> {
    let (fd, lookup, target_fd) = (call.u32(0), call.u32(1), call.u32(4));
    call.host.two_folders(fd, target_fd)?;
    let (source, target) = (path(call, 2)?, path(call, 5)?);
    let (folder, target_folder) = call.host.two_folders(fd, target_fd)?;
    Ok(folder.link(&source, follows(lookup)?, target_folder, &target)?)
}

pub(crate) fn path_symlink(call: &mut Call<'_>) -> Result<(), Stop> {
    let fd = call.u32(2);
    call.host.folder(fd)?;
    let (content, path) = (path(call, 0)?, path(call, 3)?);
    Ok(call.host.folder(fd)?.0.folder.symlink(&content, &path)?)
}

/// As much of the link's content as fits.
pub(crate) fn path_readlink(call: &mut Call<'_>) -> Result<(), Stop> {
    let (fd, buffer, len, result) = (call.u32(0), call.pointer(3), call.u32(4), call.pointer(5));
    call.host.folder(fd)?;
    let path = path(call, 1)?;
    buffer.check(call.instance, u64::from(len))?;
    result.check(call.instance, 4)?;
    let content = call.host.folder(fd)?.0.folder.read_link(&path)?;
    let fitting = &content.as_bytes()[..content.len().min(len as usize)];
    buffer.write(call.instance, fitting)?;
    result.write_u32(call.instance, fitting.len() as u32)?;
    Ok(())
}

/// The path under which a folder was given. A libc asks from descriptor 3 on and stops at the first EBADF.
fn given_as(call: &mut Call<'_>) -> Result<Rc<str>, Errno> {
    match &call.host.descriptor(call.u32(0))?.object {
        Object::Folder(OpenFolder { given_as: Some(path), .. }) => Ok(path.clone()),
        _ => Err(Errno::Badf),
    }
}

pub(crate) fn fd_prestat_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let path = given_as(call)?;
    let mut prestat = [0; 8];
    prestat[4..].copy_from_slice(&(path.len() as u32).to_le_bytes());
    call.pointer(1).write(call.instance, &prestat)?;
    Ok(())
}

pub(crate) fn fd_prestat_dir_name(call: &mut Call<'_>) -> Result<(), Stop> {
    let path = given_as(call)?;
    let (buffer, len): (GuestPtr, u32) = (call.pointer(1), call.u32(2));
    if (len as usize) < path.len() {
        return Err(Errno::Nametoolong.into());
    }
    buffer.write(call.instance, path.as_bytes())?;
    Ok(())
}
