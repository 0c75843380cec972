//! The attempts: raw system calls, with arguments that are valid, so that without walls they do something or fail for a reason of their own, never with
//! EPERM. What would change the machine if it went through has arguments that the kernel refuses only after it has let the call in.

use std::ffi::CStr;
use std::io::Write as _;

use libc::c_long;

/// What is there before the walls close, as for code that takes over a process which serves.
pub struct Prepared {
    /// A stream socket that is connected to nobody.
    socket: i64,
    /// An anonymous file in memory, with a page of data.
    file: i64,
}

const PAGE: i64 = 4096;
const NOWHERE: i64 = 1 << 40;
const MADE: &CStr = c"attack-made";
const FOUND: &CStr = c"/etc/passwd";

impl Prepared {
    pub fn new() -> Prepared {
        let socket = call(libc::SYS_socket, &[libc::AF_INET as i64, libc::SOCK_STREAM as i64, 0]);
        let file = call(libc::SYS_memfd_create, &[text(c"attack"), 0]);
        call(libc::SYS_ftruncate, &[file, PAGE]);
        Prepared { socket, file }
    }
}

/// The result of a system call, or the negative errno.
fn call(number: c_long, arguments: &[i64]) -> i64 {
    let mut six = [0i64; 6];
    six[..arguments.len()].copy_from_slice(arguments);
    let [a, b, c, d, e, f] = six;
    // SAFETY: none is claimed: this process exists to make calls that it should not be able to make. Pointers among the arguments are those of
    // statics, of locals of the caller that outlive the call, or addresses that nothing is mapped at.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if result == -1 { -i64::from(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)) } else { result }
}

fn text(text: &'static CStr) -> i64 {
    text.as_ptr() as i64
}

fn pointer<T>(value: &mut T) -> i64 {
    std::ptr::from_mut(value) as i64
}

/// `prctl` is refused to a sealed process.
pub fn is_sealed() -> bool {
    call(libc::SYS_prctl, &[libc::PR_GET_SECCOMP as i64]) == -i64::from(libc::EPERM)
}

/// Tries all, one after another, and tells of each.
pub fn all(place: &str, prepared: &Prepared) {
    for (name, result) in files().into_iter().chain(network(prepared)).chain(processes()).chain(memory(prepared)).chain(system()) {
        let errno = if result < 0 { -result } else { 0 };
        // One write for each line: lines of several processes do not mix.
        let _ = std::io::stderr().write_all(format!("attack {place} {name} {errno}\n").as_bytes());
    }
}

type Attempts = Vec<(&'static str, i64)>;

fn files() -> Attempts {
    let at = i64::from(libc::AT_FDCWD);
    let (create, mut buffer, mut how) = ((libc::O_CREAT | libc::O_WRONLY) as i64, [0u8; 512], [0u64; 3]);
    vec![
        ("open", call(libc::SYS_open, &[text(FOUND), 0])),
        ("openat", call(libc::SYS_openat, &[at, text(FOUND), 0])),
        ("openat-parent", call(libc::SYS_openat, &[at, text(c"../../../etc/passwd"), 0])),
        ("openat2", call(libc::SYS_openat2, &[at, text(FOUND), pointer(&mut how), 24])),
        ("creat", call(libc::SYS_creat, &[text(MADE), 0o600])),
        ("create", call(libc::SYS_openat, &[at, text(MADE), create, 0o600])),
        ("own-memory-file", call(libc::SYS_open, &[text(c"/proc/self/mem"), libc::O_RDWR as i64])),
        ("stat", call(libc::SYS_stat, &[text(FOUND), pointer(&mut buffer)])),
        ("statx", call(libc::SYS_statx, &[at, text(FOUND), 0, 0xfff, pointer(&mut buffer)])),
        ("access", call(libc::SYS_access, &[text(FOUND), 0])),
        ("readlink", call(libc::SYS_readlink, &[text(c"/proc/self/exe"), pointer(&mut buffer), 512])),
        ("mkdir", call(libc::SYS_mkdir, &[text(c"attack-folder"), 0o700])),
        ("rmdir", call(libc::SYS_rmdir, &[text(c"attack-folder")])),
        ("rename", call(libc::SYS_rename, &[text(MADE), text(c"attack-renamed")])),
        ("unlink", call(libc::SYS_unlink, &[text(c"attack-renamed")])),
        ("symlink", call(libc::SYS_symlink, &[text(FOUND), text(c"attack-link")])),
        ("link", call(libc::SYS_link, &[text(c"attack-none"), text(c"attack-other")])),
        ("mknod", call(libc::SYS_mknod, &[text(c"attack-pipe"), i64::from(libc::S_IFIFO) | 0o600, 0])),
        ("chmod", call(libc::SYS_chmod, &[text(c"attack-pipe"), 0o700])),
        ("truncate", call(libc::SYS_truncate, &[text(c"attack-none"), 0])),
        ("chdir", call(libc::SYS_chdir, &[text(c"/")])),
        ("inotify", call(libc::SYS_inotify_init1, &[0])),
        ("name_to_handle", call(libc::SYS_name_to_handle_at, &[at, text(FOUND), pointer(&mut buffer), pointer(&mut buffer), 0])),
    ]
}

fn network(prepared: &Prepared) -> Attempts {
    // 127.0.0.1, port 1.
    let mut address = [libc::AF_INET as u16, 256, u16::from_ne_bytes([127, 0]), u16::from_ne_bytes([0, 1]), 0, 0, 0, 0];
    let (to, length, mut pair) = (pointer(&mut address), 16, [0i32; 2]);
    vec![
        ("socket", call(libc::SYS_socket, &[libc::AF_INET as i64, libc::SOCK_STREAM as i64, 0])),
        ("socket-datagram", call(libc::SYS_socket, &[libc::AF_INET6 as i64, libc::SOCK_DGRAM as i64, 0])),
        ("socket-unix", call(libc::SYS_socket, &[libc::AF_UNIX as i64, libc::SOCK_STREAM as i64, 0])),
        ("socket-netlink", call(libc::SYS_socket, &[libc::AF_NETLINK as i64, libc::SOCK_RAW as i64, 0])),
        ("socketpair", call(libc::SYS_socketpair, &[libc::AF_UNIX as i64, libc::SOCK_STREAM as i64, 0, pointer(&mut pair)])),
        ("connect", call(libc::SYS_connect, &[prepared.socket, to, length])),
        ("send-fast-open", call(libc::SYS_sendto, &[prepared.socket, to, 1, libc::MSG_FASTOPEN as i64, to, length])),
        ("bind", call(libc::SYS_bind, &[prepared.socket, to, length])),
        ("listen", call(libc::SYS_listen, &[prepared.socket, 1])),
        ("sendmmsg", call(libc::SYS_sendmmsg, &[prepared.socket, NOWHERE, 1, 0])),
        (
            "setsockopt",
            call(libc::SYS_setsockopt, &[prepared.socket, libc::SOL_SOCKET as i64, libc::SO_REUSEADDR as i64, pointer(&mut [1i32]), 4]),
        ),
    ]
}

fn processes() -> Attempts {
    let (own, thread, parent) = (call(libc::SYS_getpid, &[]), call(libc::SYS_gettid, &[]), parent());
    let (mut buffer, mut none) = ([0u8; 16], [0i64; 2]);
    let mut one = [pointer(&mut buffer), 16];
    vec![
        ("execve", call(libc::SYS_execve, &[text(c"/attack-none"), pointer(&mut none), pointer(&mut none)])),
        (
            "execveat",
            call(libc::SYS_execveat, &[i64::from(libc::AT_FDCWD), text(c"/attack-none"), pointer(&mut none), pointer(&mut none), 0]),
        ),
        ("fork", forked(libc::SYS_fork, &[])),
        ("clone", forked(libc::SYS_clone, &[i64::from(libc::SIGCHLD), 0, 0, 0, 0])),
        ("clone-namespace", forked(libc::SYS_clone, &[i64::from(libc::SIGCHLD | libc::CLONE_NEWNET | libc::CLONE_NEWUSER), 0, 0, 0, 0])),
        ("kill-parent", call(libc::SYS_kill, &[parent, 0])),
        ("kill-init", call(libc::SYS_kill, &[1, 0])),
        ("tkill", call(libc::SYS_tkill, &[thread, 0])),
        ("tgkill-parent", call(libc::SYS_tgkill, &[parent, parent, 0])),
        ("sigqueue", call(libc::SYS_rt_sigqueueinfo, &[parent, 0, pointer(&mut [0i32; 32])])),
        ("pidfd_open", call(libc::SYS_pidfd_open, &[parent, 0])),
        ("pidfd_getfd", call(libc::SYS_pidfd_getfd, &[-1, 0, 0])),
        ("pidfd_send_signal", call(libc::SYS_pidfd_send_signal, &[-1, 0, 0, 0])),
        ("ptrace", call(libc::SYS_ptrace, &[i64::from(libc::PTRACE_PEEKDATA), thread, 0, 0])),
        ("process_vm_readv", call(libc::SYS_process_vm_readv, &[own, pointer(&mut one), 1, pointer(&mut one), 1, 0])),
        ("process_vm_writev", call(libc::SYS_process_vm_writev, &[own, pointer(&mut one), 1, pointer(&mut one), 1, 0])),
        ("kcmp", call(libc::SYS_kcmp, &[own, own, 0, 0, 0])),
        ("unshare", call(libc::SYS_unshare, &[i64::from(libc::CLONE_FS)])),
        ("setns", call(libc::SYS_setns, &[-1, 0])),
        ("setpriority", call(libc::SYS_setpriority, &[0, 0, 19])),
        ("affinity", call(libc::SYS_sched_setaffinity, &[0, 8, pointer(&mut [!0u64])])),
        ("prlimit", call(libc::SYS_prlimit64, &[0, i64::from(libc::RLIMIT_NOFILE), 0, pointer(&mut buffer)])),
        ("setresuid", call(libc::SYS_setresuid, &[-1, -1, -1])),
        ("capset", call(libc::SYS_capset, &[0, 0])),
        ("personality", call(libc::SYS_personality, &[0xffff_ffff])),
        ("dumpable", call(libc::SYS_prctl, &[libc::PR_GET_DUMPABLE as i64])),
        ("thread-area", call(libc::SYS_arch_prctl, &[0x1003, pointer(&mut buffer)])),
    ]
}

fn memory(prepared: &Prepared) -> Attempts {
    let (read, write, run) = (libc::PROT_READ as i64, libc::PROT_WRITE as i64, libc::PROT_EXEC as i64);
    let anonymous = i64::from(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let page = call(libc::SYS_mmap, &[0, PAGE, read | write, anonymous, -1, 0]);
    vec![
        ("write-and-run", call(libc::SYS_mmap, &[0, PAGE, read | write | run, anonymous, -1, 0]).min(0)),
        ("run-anonymous", call(libc::SYS_mmap, &[0, PAGE, read | run, anonymous, -1, 0]).min(0)),
        ("run-own-file", call(libc::SYS_mmap, &[0, PAGE, read | write | run, i64::from(libc::MAP_SHARED), prepared.file, 0]).min(0)),
        ("protect-to-run", call(libc::SYS_mprotect, &[page, PAGE, read | run])),
        ("pkey-to-run", call(libc::SYS_pkey_mprotect, &[page, PAGE, read | run, -1])),
        ("memfd_create", call(libc::SYS_memfd_create, &[text(c"x"), 0])),
        ("memfd_secret", call(libc::SYS_memfd_secret, &[0])),
        ("shmget", call(libc::SYS_shmget, &[0, PAGE, 0o600])),
        ("userfaultfd", call(libc::SYS_userfaultfd, &[1])),
        ("remap_file_pages", call(libc::SYS_remap_file_pages, &[NOWHERE, PAGE, 0, 0, 0])),
    ]
}

fn system() -> Attempts {
    let mut buffer = [0u8; 128];
    let data = pointer(&mut buffer);
    vec![
        ("io_uring", call(libc::SYS_io_uring_setup, &[1, data])),
        ("bpf", call(libc::SYS_bpf, &[999, data, 8])),
        ("perf_event", call(libc::SYS_perf_event_open, &[NOWHERE, 0, -1, -1, 0])),
        ("seccomp", call(libc::SYS_seccomp, &[999, 0, 0])),
        ("keyctl", call(libc::SYS_keyctl, &[999])),
        ("add_key", call(libc::SYS_add_key, &[NOWHERE, NOWHERE, 0, 0, 0])),
        ("modify_ldt", call(libc::SYS_modify_ldt, &[0, data, 16])),
        ("ioctl-terminal", call(libc::SYS_ioctl, &[1, libc::TIOCSTI as i64, data])),
        ("fcntl-owner", call(libc::SYS_fcntl, &[1, i64::from(libc::F_SETOWN), 0])),
        ("landlock", call(libc::SYS_landlock_create_ruleset, &[0, 0, 1])),
        ("signalfd", call(libc::SYS_signalfd4, &[-1, data, 8, 0])),
        ("timerfd", call(libc::SYS_timerfd_create, &[0, 0])),
        ("message-queue", call(libc::SYS_msgget, &[0, 0o600])),
        ("x32-open", call(0x4000_0000 | libc::SYS_open, &[text(FOUND), 0])),
        // Only root gets further than this without walls.
        ("mount", call(libc::SYS_mount, &[0, text(c"/attack-none"), 0, 0, 0])),
        ("chroot", call(libc::SYS_chroot, &[text(c"/attack-none")])),
        ("pivot_root", call(libc::SYS_pivot_root, &[text(c"/attack-none"), text(c"/attack-none")])),
        ("reboot", call(libc::SYS_reboot, &[0, 0, 0, 0])),
        ("kexec", call(libc::SYS_kexec_load, &[0, 0, 0, -1])),
        ("module", call(libc::SYS_init_module, &[NOWHERE, 0, NOWHERE])),
        ("swapon", call(libc::SYS_swapon, &[text(c"/attack-none"), 0])),
        ("iopl", call(libc::SYS_iopl, &[9])),
        ("clock", call(libc::SYS_clock_settime, &[999, 0])),
        ("hostname", call(libc::SYS_sethostname, &[NOWHERE, 1])),
    ]
}

/// The child, where there is one, ends at once.
fn forked(number: c_long, arguments: &[i64]) -> i64 {
    match call(number, arguments) {
        0 => call(libc::SYS_exit_group, &[0]),
        child if child > 0 => call(libc::SYS_wait4, &[child, 0, 0, 0]),
        refused => refused,
    }
}

/// A process outside: who asks for his parent may be refused that already, and init is one as well.
fn parent() -> i64 {
    match call(libc::SYS_getppid, &[]) {
        parent if parent > 0 => parent,
        _ => 1,
    }
}
