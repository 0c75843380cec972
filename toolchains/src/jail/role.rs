//! The role `vivarium jail`: a fresh process confines itself and becomes the compiler. It runs before any thread is started.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use rustix::process::{Resource, Rlimit};

use super::{JailKind, bwrap, is_root, landlock};

/// What compilers are less important than: requests, and the page.
const NICE: i32 = 10;
/// Files that a compiler may have open.
const OPEN_FILES_MAX: u64 = 256;
/// The exit code when the jail itself failed; no compiler ends with it.
pub(super) const JAIL_FAILED: i32 = 126;

/// What the jail is to be: the options of the role, in one place for both sides.
pub(super) struct Order {
    pub kind: JailKind,
    pub toolchains: PathBuf,
    pub job: PathBuf,
    pub cpu_seconds: u64,
    pub data_bytes: u64,
    pub file_bytes: u64,
    pub processes: u64,
    pub program: OsString,
    pub args: Vec<OsString>,
}

/// Runs the role `jail` with the arguments behind the word `jail`. Becomes the compiler, or ends the process with code 126 and a
/// sentence on stderr.
pub fn run_role(args: impl IntoIterator<Item = OsString>) -> ! {
    let error = match parse(args).and_then(confine) {
        Ok(never) => match never {},
        Err(error) => error,
    };
    eprintln!("vivarium jail: {error}");
    std::process::exit(JAIL_FAILED)
}

fn confine(order: Order) -> io::Result<std::convert::Infallible> {
    limit(&order)?;
    match order.kind {
        JailKind::Bwrap => bwrap::become_compiler(&order),
        JailKind::Landlock => landlock::become_compiler(&order),
        JailKind::None => Err(io::Error::other("the option --kind is missing")),
    }
}

/// Sets the limits that hold for each process. Memory is bounded as data, not as address space: node reserves far more than it uses.
fn limit(order: &Order) -> io::Result<()> {
    for (resource, most) in [
        (Resource::Cpu, order.cpu_seconds),
        (Resource::Data, order.data_bytes),
        (Resource::Fsize, order.file_bytes),
        (Resource::Nofile, OPEN_FILES_MAX),
        (Resource::Nproc, order.processes + processes_of_this_user()),
        (Resource::Core, 0),
    ] {
        rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    rustix::process::nice(NICE)?;
    Ok(())
}

/// The system counts a user's processes over everything that the user runs. Where the server is root, compilers have a user of their
/// own, and the limit binds as soon as the compiler is that user.
fn processes_of_this_user() -> u64 {
    let uid = rustix::process::geteuid().as_raw();
    let Ok(entries) = std::fs::read_dir("/proc") else { return 0 };
    if is_root() {
        return 0;
    }
    let own = entries.flatten().filter(|entry| entry.metadata().is_ok_and(|metadata| metadata.uid() == uid));
    own.filter_map(|process| std::fs::read_dir(process.path().join("task")).ok()).map(|tasks| tasks.count() as u64).sum()
}

fn parse(args: impl IntoIterator<Item = OsString>) -> io::Result<Order> {
    let mut args = args.into_iter();
    let mut order = Order {
        kind: JailKind::None,
        toolchains: PathBuf::new(),
        job: PathBuf::new(),
        cpu_seconds: 0,
        data_bytes: 0,
        file_bytes: 0,
        processes: 0,
        program: OsString::new(),
        args: Vec::new(),
    };
    loop {
        let option = args.next().ok_or_else(|| io::Error::other("no program is given"))?;
        if option == "--" {
            break;
        }
        let value = args.next().ok_or_else(|| refused(&option))?;
        set(&mut order, &option, value)?;
    }
    order.program = args.next().ok_or_else(|| io::Error::other("no program is given"))?;
    order.args = args.collect();
    Ok(order)
}

fn set(order: &mut Order, option: &OsStr, value: OsString) -> io::Result<()> {
    let number = || value.to_str().and_then(|value| value.parse().ok()).ok_or_else(|| refused(option));
    match option.as_bytes() {
        b"--kind" => order.kind = value.to_str().and_then(JailKind::from_name).ok_or_else(|| refused(option))?,
        b"--cpu-seconds" => order.cpu_seconds = number()?,
        b"--data-bytes" => order.data_bytes = number()?,
        b"--processes" => order.processes = number()?,
        b"--file-bytes" => order.file_bytes = number()?,
        b"--toolchains" => order.toolchains = PathBuf::from(value),
        b"--job" => order.job = PathBuf::from(value),
        _ => return Err(refused(option)),
    }
    Ok(())
}

fn refused(option: &OsStr) -> io::Error {
    io::Error::other(format!("the option {} is unknown or has no proper value", option.display()))
}
