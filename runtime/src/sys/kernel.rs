//! What the kernel tells of written pages: userfaultfd in write-protect mode, and `PAGEMAP_SCAN`.
//!
//! Both are opened once for the process, before it confines itself; afterwards only the four requests of [`REQUESTS`] are made. With `UFFD_FEATURE_SIGBUS` a
//! write to a protected page raises SIGBUS in the thread that wrote, and nobody reads the descriptor. A system call that would write to a protected
//! page fails with `EFAULT`: nothing changes unseen.
//!
//! Sources: `userfaultfd(2)`, `ioctl_userfaultfd(2)`, `PAGEMAP_SCAN(2const)`.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::sync::OnceLock;

use vivarium_artifact::PAGE_BYTES;

use crate::reset::{Ladder, ResetMethod};
use crate::sys::file::SealedFile;
use crate::sys::memory::{Access, Reservation};

const API: u32 = 0xc018_aa3f;
const REGISTER: u32 = 0xc020_aa00;
const UNREGISTER: u32 = 0x8010_aa01;
const WRITE_PROTECT: u32 = 0xc018_aa06;
const SCAN: u32 = 0xc060_6610;

/// The requests of `ioctl` that resetting slots makes after a process has confined itself.
pub const REQUESTS: [u32; 4] = [REGISTER, UNREGISTER, WRITE_PROTECT, SCAN];

const API_VERSION: u64 = 0xaa;
/// Write faults are told by a flag; they raise SIGBUS; mappings of memory files can be protected.
const FEATURES: u64 = 1 | 1 << 7 | 1 << 12;
const USER_MODE_ONLY: i32 = 1;
const MODE_WRITE_PROTECT: u64 = 2;

const IS_FILE: u64 = 1 << 2;
const IS_PRESENT: u64 = 1 << 3;
const IS_SWAPPED: u64 = 1 << 4;
const IS_ZERO_PAGE: u64 = 1 << 5;

/// Runs of pages that one request tells.
const RUNS_MAX: usize = 64;

/// What is open.
#[derive(Debug)]
struct Kernel {
    faults: Result<OwnedFd, String>,
    pages: Result<File, String>,
}

static KERNEL: OnceLock<Kernel> = OnceLock::new();

#[repr(C)]
struct ApiRequest {
    api: u64,
    features: u64,
    requests: u64,
}

#[repr(C)]
struct RangeRequest {
    start: u64,
    bytes: u64,
}

#[repr(C)]
struct RegisterRequest {
    range: RangeRequest,
    mode: u64,
    requests: u64,
}

#[repr(C)]
struct ProtectRequest {
    range: RangeRequest,
    mode: u64,
}

#[repr(C)]
struct ScanRequest {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    runs: u64,
    runs_length: u64,
    pages_max: u64,
    category_inverted: u64,
    category_mask: u64,
    category_any_of: u64,
    return_mask: u64,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Run {
    start: u64,
    end: u64,
    categories: u64,
}

/// Opens what there is and tries it once for the process; which methods work.
pub fn prepare() -> Ladder {
    let kernel = kernel();
    Ladder { write_set: kernel.faults.is_ok(), page_scan: kernel.pages.is_ok() }
}

/// Why a method does not work here.
pub fn why_not(method: ResetMethod) -> Option<String> {
    let kernel = kernel();
    match method {
        ResetMethod::WriteSet => kernel.faults.as_ref().err().cloned(),
        ResetMethod::PageScan => kernel.pages.as_ref().err().cloned(),
        ResetMethod::Madvise => None,
    }
}

fn kernel() -> &'static Kernel {
    KERNEL.get_or_init(|| Kernel {
        faults: open_faults().map_err(|error| format!("userfaultfd: {error}")),
        pages: open_pages().map_err(|error| format!("PAGEMAP_SCAN: {error}")),
    })
}

fn open_faults() -> io::Result<OwnedFd> {
    // SAFETY: makes a descriptor; the result is checked.
    let made = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC | USER_MODE_ONLY) };
    if made < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made and belongs to nobody else.
    let descriptor = unsafe { OwnedFd::from_raw_fd(made as RawFd) };
    let mut api = ApiRequest { api: API_VERSION, features: FEATURES, requests: 0 };
    request(descriptor.as_raw_fd(), API, &mut api)?;
    if api.features & FEATURES != FEATURES {
        return Err(io::Error::other("this kernel lacks write protection of memory files"));
    }
    // What comes later: a private mapping of a sealed file is registered and protected.
    let file = SealedFile::from_bytes(&[1; PAGE_BYTES as usize])?;
    let page = Reservation::new(PAGE_BYTES)?;
    page.map_file(0, file.file(), 0, PAGE_BYTES, Access::Private)?;
    let start = page.start().as_ptr() as u64;
    register_with(descriptor.as_raw_fd(), start, PAGE_BYTES)?;
    protect_with(descriptor.as_raw_fd(), start, PAGE_BYTES, true)?;
    Ok(descriptor)
}

fn open_pages() -> io::Result<File> {
    let file = File::open("/proc/self/pagemap")?;
    let page = Reservation::new(PAGE_BYTES)?;
    let start = page.start().as_ptr() as u64;
    scan_once(file.as_raw_fd(), start, start + PAGE_BYTES, &mut [Run { start: 0, end: 0, categories: 0 }])?;
    Ok(file)
}

/// A request that the kernel answers through the structure it is given.
fn request<T>(descriptor: RawFd, request: u32, argument: &mut T) -> io::Result<i32> {
    // SAFETY: every request of this file comes with the structure that its manual page names, which outlives the call.
    let answer = unsafe { libc::ioctl(descriptor, libc::Ioctl::from(request), argument as *mut T) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

fn faults() -> io::Result<RawFd> {
    match KERNEL.get().map(|kernel| &kernel.faults) {
        Some(Ok(descriptor)) => Ok(descriptor.as_raw_fd()),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// First writes to this range may be watched from now on; nothing is protected yet.
pub fn register(start: u64, bytes: u64) -> io::Result<()> {
    register_with(faults()?, start, bytes)
}

fn register_with(descriptor: RawFd, start: u64, bytes: u64) -> io::Result<()> {
    let mut argument = RegisterRequest { range: RangeRequest { start, bytes }, mode: MODE_WRITE_PROTECT, requests: 0 };
    request(descriptor, REGISTER, &mut argument).map(drop)
}

/// Nothing of this range is protected or watched any more.
pub fn unregister(start: u64, bytes: u64) -> io::Result<()> {
    request(faults()?, UNREGISTER, &mut RangeRequest { start, bytes }).map(drop)
}

/// Protects a registered range against writing, or makes it writable. The second is called by the signal handler too: one system call.
pub fn protect(start: u64, bytes: u64, on: bool) -> io::Result<()> {
    protect_with(faults()?, start, bytes, on)
}

fn protect_with(descriptor: RawFd, start: u64, bytes: u64, on: bool) -> io::Result<()> {
    let mut argument = ProtectRequest { range: RangeRequest { start, bytes }, mode: u64::from(on) };
    request(descriptor, WRITE_PROTECT, &mut argument).map(drop)
}

/// Calls `visit` with each run of written pages of private mappings in a range, in order, until it answers false. A page that was swapped out
/// counts: it is this process's own copy as much as one that is present. Returns where the walk ended: at the beginning of the run that was refused, if one
/// was.
pub fn written_pages(start: u64, end: u64, mut visit: impl FnMut(u64, u64) -> bool) -> io::Result<u64> {
    let Some(Ok(pages)) = KERNEL.get().map(|kernel| &kernel.pages) else { return Err(io::ErrorKind::Unsupported.into()) };
    let mut runs = [Run { start: 0, end: 0, categories: 0 }; RUNS_MAX];
    let mut position = start;
    while position < end {
        let (told, walk_end) = scan_once(pages.as_raw_fd(), position, end, &mut runs)?;
        for run in &runs[..told.min(RUNS_MAX)] {
            if !visit(run.start, run.end) {
                return Ok(run.start);
            }
        }
        if walk_end <= position {
            return Err(io::Error::other("the kernel's walk over pages stood still"));
        }
        position = walk_end;
    }
    Ok(end)
}

fn scan_once(descriptor: RawFd, start: u64, end: u64, runs: &mut [Run]) -> io::Result<(usize, u64)> {
    let mut argument = ScanRequest {
        size: size_of::<ScanRequest>() as u64,
        flags: 0,
        start,
        end,
        walk_end: 0,
        runs: runs.as_mut_ptr() as u64,
        runs_length: runs.len() as u64,
        pages_max: 0,
        category_inverted: IS_FILE | IS_ZERO_PAGE,
        category_mask: IS_FILE | IS_ZERO_PAGE,
        category_any_of: IS_PRESENT | IS_SWAPPED,
        return_mask: 0,
    };
    let told = request(descriptor, SCAN, &mut argument)?;
    Ok((told as usize, argument.walk_end))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = PAGE_BYTES as usize;

    /// A private mapping of a file of so many pages, all of data.
    fn mapping(pages: usize) -> Reservation {
        let file = SealedFile::from_bytes(&vec![1; pages * PAGE]).unwrap();
        let mapping = Reservation::new((pages * PAGE) as u64).unwrap();
        mapping.map_file(0, file.file(), 0, (pages * PAGE) as u64, Access::Private).unwrap();
        mapping
    }

    fn write(mapping: &Reservation, page: usize) {
        // SAFETY: the callers' pages lie inside the mapping, which nothing else refers to.
        unsafe { mapping.start().as_ptr().add(page * PAGE).write_volatile(2) };
    }

    fn scan(mapping: &Reservation) -> Vec<(usize, usize)> {
        let start = mapping.start().as_ptr() as u64;
        let mut found = vec![];
        let page = |address: u64| (address - start) as usize / PAGE;
        written_pages(start, start + mapping.bytes() as u64, |from, to| {
            found.push((page(from), page(to)));
            true
        })
        .unwrap();
        found
    }

    #[test]
    fn the_kernel_tells_exactly_the_written_pages() {
        if !prepare().page_scan {
            return;
        }
        let mapping = mapping(400);
        assert_eq!(scan(&mapping), []);
        // More runs than one request tells, and two pages side by side.
        let written: Vec<usize> = (0..130).map(|index| 3 * index).chain([1]).collect();
        written.iter().for_each(|page| write(&mapping, *page));
        // SAFETY: inside the mapping.
        let read = unsafe { mapping.start().as_ptr().add(2 * PAGE).read_volatile() };
        assert_eq!(read, 1, "a page that was only read does not count");
        let found = scan(&mapping);
        let pages: Vec<usize> = found.iter().flat_map(|(from, to)| *from..*to).collect();
        let mut expected = written.clone();
        expected.sort_unstable();
        assert_eq!(pages, expected);
    }

    #[test]
    fn a_system_call_cannot_write_to_a_protected_page_unseen() {
        use std::io::Write as _;
        use std::os::unix::net::UnixStream;
        if !prepare().write_set {
            return;
        }
        let mapping = mapping(2);
        let start = mapping.start().as_ptr() as u64;
        register(start, 2 * PAGE_BYTES).unwrap();
        protect(start, 2 * PAGE_BYTES, true).unwrap();
        let (from, to) = UnixStream::pair().unwrap();
        (&to).write_all(b"xy").unwrap();
        // SAFETY: the range lies inside the mapping; the kernel refuses to write there.
        let read = unsafe { libc::read(from.as_raw_fd(), mapping.start().as_ptr().cast(), 1) };
        assert_eq!((read, io::Error::last_os_error().raw_os_error()), (-1, Some(libc::EFAULT)));
        protect(start, PAGE_BYTES, false).unwrap();
        // SAFETY: as above; the page is writable now.
        let read = unsafe { libc::read(from.as_raw_fd(), mapping.start().as_ptr().cast(), 1) };
        assert_eq!(read, 1);
    }
}
