//! How the machine refuses, in the numbers of WASI.

use std::io;

use vivarium_abi::files::Errno;

/// cap-std refuses what leads out of a folder with an error of its own, which has no number of the system.
pub fn errno(error: io::Error) -> Errno {
    use rustix::io::Errno as System;
    let Some(system) = System::from_io_error(&error) else { return of_kind(error.kind()) };
    match system {
        System::ACCESS => Errno::Acces,
        System::AGAIN => Errno::Again,
        System::BADF => Errno::Badf,
        System::BUSY => Errno::Busy,
        System::DQUOT => Errno::Dquot,
        System::EXIST => Errno::Exist,
        System::FBIG => Errno::Fbig,
        System::ILSEQ => Errno::Ilseq,
        System::INTR => Errno::Intr,
        System::INVAL => Errno::Inval,
        System::ISDIR => Errno::Isdir,
        System::LOOP => Errno::Loop,
        System::MFILE | System::NFILE => Errno::Mfile,
        System::MLINK => Errno::Mlink,
        System::NAMETOOLONG => Errno::Nametoolong,
        System::NOENT => Errno::Noent,
        System::NOSPC => Errno::Nospc,
        System::NOTDIR => Errno::Notdir,
        System::NOTEMPTY => Errno::Notempty,
        System::NOTSUP => Errno::Notsup,
        System::NXIO => Errno::Nxio,
        System::OVERFLOW => Errno::Overflow,
        System::PERM => Errno::Perm,
        System::ROFS => Errno::Rofs,
        System::SPIPE => Errno::Spipe,
        System::TXTBSY => Errno::Txtbsy,
        System::XDEV => Errno::Xdev,
        _ => Errno::Io,
    }
}

fn of_kind(kind: io::ErrorKind) -> Errno {
    match kind {
        io::ErrorKind::PermissionDenied => Errno::Perm,
        io::ErrorKind::InvalidInput => Errno::Inval,
        _ => Errno::Io,
    }
}
