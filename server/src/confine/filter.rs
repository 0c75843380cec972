//! The lists of system calls, and the programs that the kernel runs at each call.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use vivarium_runtime::RESET_REQUESTS;

use super::Role;

/// What every role needs: to use descriptors that it has, memory, clocks, randomness; to wait, and to end.
const COMMON: [i64; 27] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_poll,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_getrandom,
    libc::SYS_sched_yield,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigprocmask,
    // The fault handler restores the default action before a bug of ours ends the process.
    libc::SYS_rt_sigaction,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// The timers that end guests' turns.
const TURNS: [i64; 3] = [libc::SYS_timer_create, libc::SYS_timer_settime, libc::SYS_timer_delete];

/// Connections that came in and the control socket.
const SERVING: [i64; 10] = [
    libc::SYS_accept4,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_shutdown,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_ctl,
];

/// What a thread does before its first line of ours: one that was made before the filter may begin after it.
const THREAD_START: [i64; 4] = [libc::SYS_rseq, libc::SYS_set_robust_list, libc::SYS_sigaltstack, libc::SYS_sched_getaffinity];

const EXECUTABLE: u64 = libc::PROT_EXEC as u64;
const WRITABLE: u64 = libc::PROT_WRITE as u64;
const ANONYMOUS: u64 = libc::MAP_ANONYMOUS as u64;

/// The kind of a socket, without the flags that it is made with.
const SOCKET_KIND: u64 = 0xf;
const FAST_OPEN: u64 = libc::MSG_FASTOPEN as u64;

/// Operations of `fcntl` that change nothing outside the process.
const FCNTL: [i32; 6] = [libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_SETFL, libc::F_DUPFD_CLOEXEC, libc::F_GET_SEALS];

/// A compile worker seals the one file that it was made with.
const SEALING: [i32; 1] = [libc::F_ADD_SEALS];

/// What every new thread of this process shares and what no new process would (`clone`).
const THREAD_FLAGS: u64 = (libc::CLONE_THREAD | libc::CLONE_VM | libc::CLONE_FILES | libc::CLONE_SIGHAND) as u64;
const NAMESPACE_FLAGS: u64 =
    (libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWNET | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS) as u64;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// The programs of a role, to be applied in order; `process` is the id of the process that they will hold in.
pub fn program(role: Role, process: u32) -> Result<Vec<BpfProgram>, BackendError> {
    let mut rules: Rules = COMMON.into_iter().chain(THREAD_START).map(|call| (call, vec![])).collect();
    // Naming a thread is all that the library asks of `prctl`.
    rules.insert(libc::SYS_prctl, vec![rule([equal(0, libc::PR_SET_NAME as u64)?])?]);
    allow_memory(&mut rules)?;
    allow_signals_to_own_threads(&mut rules, process)?;
    rules.extend(TURNS.into_iter().map(|call| (call, vec![])));
    let of_files = FCNTL.into_iter().chain(SEALING.into_iter().filter(|_| matches!(role, Role::CompileWorker { .. })));
    rules.insert(libc::SYS_fcntl, of_files.map(|operation| rule([equal(1, operation as u64)?])).collect::<Result<_, _>>()?);
    let of_reset = if role == Role::Gateway { &RESET_REQUESTS[..] } else { &[] };
    let requests = of_reset.iter().map(|request| u64::from(*request)).chain([libc::FIONBIO]);
    rules.insert(libc::SYS_ioctl, requests.map(|request| rule([equal(1, request)?])).collect::<Result<_, _>>()?);
    match role {
        Role::Gateway => {
            rules.extend(SERVING.into_iter().map(|call| (call, vec![])));
            allow_sending_to_peers(&mut rules)?;
            Ok(vec![deny_by_default(rules)?])
        }
        Role::Fetch => {
            rules.extend(SERVING.into_iter().filter(|call| *call != libc::SYS_accept4).map(|call| (call, vec![])));
            allow_connecting(&mut rules)?;
            Ok(vec![deny_by_default(rules)?])
        }
        Role::CompileWorker { .. } => {
            rules.insert(libc::SYS_clone3, vec![]);
            rules.insert(libc::SYS_clone, vec![rule([masked(0, THREAD_FLAGS | NAMESPACE_FLAGS, THREAD_FLAGS)?])?]);
            // The second would refuse to be followed by another.
            Ok(vec![clone3_is_unknown()?, deny_by_default(rules)?])
        }
    }
}

/// Memory becomes executable only as a private or shared mapping of a descriptor, never writable at once, never later.
fn allow_memory(rules: &mut Rules) -> Result<(), BackendError> {
    let plain = rule([masked(2, EXECUTABLE, 0)?])?;
    let code = rule([masked(2, EXECUTABLE | WRITABLE, EXECUTABLE)?, masked(3, ANONYMOUS, 0)?])?;
    rules.insert(libc::SYS_mmap, vec![plain.clone(), code]);
    rules.insert(libc::SYS_mprotect, vec![plain]);
    Ok(())
}

/// Bytes go to whom a socket is connected already. With `MSG_FASTOPEN` sending would connect, even a listener that was shut down; an address in memory, as
/// of `sendmsg`, does nothing without it to the stream and packet sockets that a gateway has.
fn allow_sending_to_peers(rules: &mut Rules) -> Result<(), BackendError> {
    rules.insert(libc::SYS_sendto, vec![rule([masked(3, FAST_OPEN, 0)?, whole(4, 0)?])?]);
    rules.insert(libc::SYS_sendmsg, vec![rule([masked(2, FAST_OPEN, 0)?])?]);
    rules.insert(libc::SYS_setsockopt, vec![rule([equal(1, libc::IPPROTO_TCP as u64)?, equal(2, libc::TCP_NODELAY as u64)?])?]);
    Ok(())
}

/// Connections and questions to name servers, over IP and nothing else: no socket of this system's own.
fn allow_connecting(rules: &mut Rules) -> Result<(), BackendError> {
    let families = [libc::AF_INET, libc::AF_INET6];
    let kinds = [libc::SOCK_STREAM, libc::SOCK_DGRAM];
    let sockets = families.into_iter().flat_map(|family| kinds.map(|kind| (family as u64, kind as u64)));
    let of_ip = sockets.map(|(family, kind)| rule([equal(0, family)?, masked(1, SOCKET_KIND, kind)?]));
    rules.insert(libc::SYS_socket, of_ip.collect::<Result<_, _>>()?);
    rules.extend([libc::SYS_connect, libc::SYS_bind].map(|call| (call, vec![])));
    rules.insert(libc::SYS_sendto, vec![rule([masked(3, FAST_OPEN, 0)?])?]);
    rules.insert(libc::SYS_sendmsg, vec![rule([masked(2, FAST_OPEN, 0)?])?]);
    let levels = [libc::IPPROTO_TCP, libc::IPPROTO_IPV6].map(|level| rule([equal(1, level as u64)?]));
    rules.insert(libc::SYS_setsockopt, levels.into_iter().collect::<Result<_, _>>()?);
    Ok(())
}

fn allow_signals_to_own_threads(rules: &mut Rules, process: u32) -> Result<(), BackendError> {
    rules.insert(libc::SYS_tgkill, vec![rule([equal(0, u64::from(process))?])?]);
    Ok(())
}

fn deny_by_default(rules: Rules) -> Result<BpfProgram, BackendError> {
    SeccompFilter::new(rules, SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow, TargetArch::x86_64)?.try_into()
}

/// `clone3` passes its flags in memory, where a filter cannot see them; told that it does not exist, the C library uses `clone`.
fn clone3_is_unknown() -> Result<BpfProgram, BackendError> {
    let rules = Rules::from([(libc::SYS_clone3, vec![])]);
    SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32), TargetArch::x86_64)?.try_into()
}

fn rule<const N: usize>(conditions: [SeccompCondition; N]) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions.to_vec())
}

fn equal(argument: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

/// All 64 bits: for pointers.
fn whole(argument: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, value)
}

fn masked(argument: u8, mask: u64, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(mask), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROCESS: u32 = 4711;
    const ALLOW: u32 = 0x7fff_0000;
    const DENY: u32 = 0x0005_0000 | libc::EPERM as u32;
    const UNKNOWN: u32 = 0x0005_0000 | libc::ENOSYS as u32;

    /// What the kernel does: the answer of a program to one call (seccomp_data: number, architecture, instruction pointer, six arguments).
    fn answer(program: &BpfProgram, call: i64, arguments: [u64; 6]) -> u32 {
        let mut data = [0u32; 16];
        data[0] = call as u32;
        data[1] = 0xc000_003e;
        for (index, argument) in arguments.into_iter().enumerate() {
            data[4 + 2 * index] = argument as u32;
            data[5 + 2 * index] = (argument >> 32) as u32;
        }
        let (mut at, mut accumulator) = (0, 0u32);
        loop {
            let step = &program[at];
            at += 1;
            let mut branch = |taken: bool| at += usize::from(if taken { step.jt } else { step.jf });
            match step.code {
                0x20 => accumulator = data[step.k as usize / 4],
                0x54 => accumulator &= step.k,
                0x05 => at += step.k as usize,
                0x15 => branch(accumulator == step.k),
                0x25 => branch(accumulator > step.k),
                0x35 => branch(accumulator >= step.k),
                0x06 => return step.k,
                other => panic!("an instruction that these filters do not use: {other:#x}"),
            }
        }
    }

    fn check(role: Role, call: i64, arguments: &[u64], expected: u32) {
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        // Of several answers the most restrictive counts; of two errors that of the filter applied last.
        let programs = program(role, PROCESS).unwrap();
        let answers: Vec<u32> = programs.iter().rev().map(|program| answer(program, call, all)).collect();
        let told = answers.iter().copied().find(|answer| *answer != ALLOW).unwrap_or(ALLOW);
        assert_eq!(told, expected, "{role:?} call {call} {arguments:x?}");
    }

    const ROLES: [Role; 2] = [Role::Gateway, Role::CompileWorker { memory_bytes_max: 1 }];
    const READ: u64 = libc::PROT_READ as u64;

    #[test]
    fn memory_is_never_writable_and_executable() {
        for role in ROLES {
            check(role, libc::SYS_mmap, &[0, 4096, READ | WRITABLE, ANONYMOUS], ALLOW);
            check(role, libc::SYS_mmap, &[0, 4096, 0, ANONYMOUS], ALLOW);
            check(role, libc::SYS_mmap, &[0, 4096, READ | EXECUTABLE, libc::MAP_PRIVATE as u64, 5], ALLOW);
            check(role, libc::SYS_mmap, &[0, 4096, READ | EXECUTABLE, ANONYMOUS], DENY);
            check(role, libc::SYS_mmap, &[0, 4096, READ | WRITABLE | EXECUTABLE, libc::MAP_PRIVATE as u64, 5], DENY);
            check(role, libc::SYS_mmap, &[0, 4096, EXECUTABLE | 1 << 40, ANONYMOUS], DENY);
            check(role, libc::SYS_mprotect, &[0, 4096, READ | WRITABLE], ALLOW);
            check(role, libc::SYS_mprotect, &[0, 4096, READ | EXECUTABLE], DENY);
            check(role, libc::SYS_pkey_mprotect, &[0, 4096, READ | EXECUTABLE], DENY);
        }
    }

    #[test]
    fn signals_reach_own_threads_only() {
        for role in ROLES {
            check(role, libc::SYS_tgkill, &[u64::from(PROCESS), 4712, 9], ALLOW);
            check(role, libc::SYS_tgkill, &[1, 1, 9], DENY);
            check(role, libc::SYS_kill, &[1, 9], DENY);
            check(role, libc::SYS_tkill, &[1, 9], DENY);
        }
    }

    #[test]
    fn what_reaches_the_system_is_denied_to_all() {
        for role in ROLES {
            for call in [
                libc::SYS_open,
                libc::SYS_openat,
                libc::SYS_openat2,
                libc::SYS_socket,
                libc::SYS_socketpair,
                libc::SYS_connect,
                libc::SYS_bind,
                libc::SYS_listen,
                libc::SYS_execve,
                libc::SYS_execveat,
                libc::SYS_fork,
                libc::SYS_vfork,
                libc::SYS_ptrace,
                libc::SYS_process_vm_readv,
                libc::SYS_process_vm_writev,
                libc::SYS_pidfd_open,
                libc::SYS_pidfd_getfd,
                libc::SYS_memfd_create,
                libc::SYS_memfd_secret,
                libc::SYS_io_uring_setup,
                libc::SYS_bpf,
                libc::SYS_userfaultfd,
                libc::SYS_perf_event_open,
                libc::SYS_unshare,
                libc::SYS_setns,
                libc::SYS_mount,
                libc::SYS_chroot,
                libc::SYS_setuid,
                libc::SYS_seccomp,
                libc::SYS_arch_prctl,
                libc::SYS_prlimit64,
                libc::SYS_keyctl,
                libc::SYS_shmget,
                libc::SYS_ioperm,
                libc::SYS_modify_ldt,
                libc::SYS_rename,
                libc::SYS_statx,
                libc::SYS_readlink,
                libc::SYS_getdents64,
                libc::SYS_dup2,
                libc::SYS_sendfile,
                libc::SYS_sendmmsg,
                libc::SYS_stat,
                libc::SYS_lstat,
                libc::SYS_access,
                libc::SYS_splice,
            ] {
                check(role, call, &[], DENY);
            }
            check(role, libc::SYS_newfstatat, &[0, 0, 0, 0], DENY);
            check(role, libc::SYS_newfstatat, &[0, 0, 0, libc::AT_EMPTY_PATH as u64], DENY);
            check(role, libc::SYS_lseek, &[3, 0, libc::SEEK_END as u64], ALLOW);
            check(role, libc::SYS_fcntl, &[3, libc::F_ADD_SEALS as u64], if role == Role::Gateway { DENY } else { ALLOW });
            check(role, libc::SYS_fcntl, &[3, libc::F_SETOWN as u64], DENY);
            check(role, libc::SYS_ioctl, &[0, libc::TIOCSTI], DENY);
            for request in RESET_REQUESTS {
                check(role, libc::SYS_ioctl, &[9, u64::from(request)], if role == Role::Gateway { ALLOW } else { DENY });
            }
            for call in TURNS {
                check(role, call, &[], ALLOW);
            }
            // Pages of its own may be protected and asked for, not filled or moved, and no other descriptor for it made.
            for request in [0xc028_aa03u64, 0xc020_aa04, 0xc028_aa05, 0xc018_aa3f] {
                check(role, libc::SYS_ioctl, &[9, request], DENY);
            }
        }
    }

    #[test]
    fn a_gateway_sends_to_its_peers_and_connects_to_nobody() {
        let [gateway, worker] = ROLES;
        let (quiet, address) = (libc::MSG_NOSIGNAL as u64, 0x7fff_1234_5678);
        check(gateway, libc::SYS_sendto, &[5, 1, 1, quiet, 0, 0], ALLOW);
        check(gateway, libc::SYS_sendto, &[5, 1, 1, quiet, address, 16], DENY);
        check(gateway, libc::SYS_sendto, &[5, 1, 1, quiet, 1 << 40, 16], DENY);
        for flags in [FAST_OPEN, FAST_OPEN | quiet, FAST_OPEN | 1 << 40] {
            check(gateway, libc::SYS_sendto, &[5, 1, 1, flags, address, 16], DENY);
            check(gateway, libc::SYS_sendto, &[5, 1, 1, flags, 0, 0], DENY);
            check(gateway, libc::SYS_sendmsg, &[5, 1, flags], DENY);
        }
        check(gateway, libc::SYS_sendmsg, &[5, 1, quiet], ALLOW);
        let (tcp, fast_open_connect) = (libc::IPPROTO_TCP as u64, libc::TCP_FASTOPEN_CONNECT as u64);
        check(gateway, libc::SYS_setsockopt, &[5, tcp, libc::TCP_NODELAY as u64], ALLOW);
        check(gateway, libc::SYS_setsockopt, &[5, tcp, fast_open_connect], DENY);
        check(gateway, libc::SYS_setsockopt, &[5, libc::SOL_SOCKET as u64, libc::SO_REUSEPORT as u64], DENY);
        for call in [libc::SYS_sendto, libc::SYS_sendmsg] {
            check(worker, call, &[], DENY);
        }
    }

    #[test]
    fn the_fetch_proxy_connects_over_ip_and_reaches_nothing_else() {
        let (stream, quiet) = ((libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) as u64, libc::MSG_NOSIGNAL as u64);
        for family in [libc::AF_INET, libc::AF_INET6] {
            check(Role::Fetch, libc::SYS_socket, &[family as u64, stream], ALLOW);
            check(Role::Fetch, libc::SYS_socket, &[family as u64, libc::SOCK_DGRAM as u64], ALLOW);
            check(Role::Fetch, libc::SYS_socket, &[family as u64, libc::SOCK_RAW as u64], DENY);
        }
        for family in [libc::AF_UNIX, libc::AF_NETLINK, libc::AF_PACKET, libc::AF_VSOCK] {
            check(Role::Fetch, libc::SYS_socket, &[family as u64, stream], DENY);
        }
        check(Role::Fetch, libc::SYS_connect, &[5, 1, 16], ALLOW);
        check(Role::Fetch, libc::SYS_sendto, &[5, 1, 1, quiet, 0x7fff_0000, 16], ALLOW);
        check(Role::Fetch, libc::SYS_sendto, &[5, 1, 1, FAST_OPEN, 0x7fff_0000, 16], DENY);
        check(Role::Fetch, libc::SYS_setsockopt, &[5, libc::SOL_SOCKET as u64, libc::SO_ATTACH_FILTER as u64], DENY);
        for call in [
            libc::SYS_open,
            libc::SYS_openat,
            libc::SYS_openat2,
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_clone,
            libc::SYS_clone3,
            libc::SYS_fork,
            libc::SYS_kill,
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_accept4,
            libc::SYS_listen,
            libc::SYS_memfd_create,
            libc::SYS_io_uring_setup,
            libc::SYS_bpf,
            libc::SYS_unshare,
            libc::SYS_mount,
            libc::SYS_readlink,
            libc::SYS_stat,
        ] {
            check(Role::Fetch, call, &[], DENY);
        }
    }

    #[test]
    fn threads_are_for_compile_workers() {
        let [gateway, worker] = ROLES;
        let thread = THREAD_FLAGS | (libc::CLONE_FS | libc::CLONE_SETTLS) as u64;
        check(gateway, libc::SYS_clone, &[thread], DENY);
        check(gateway, libc::SYS_clone3, &[], DENY);
        check(worker, libc::SYS_clone, &[thread], ALLOW);
        check(worker, libc::SYS_clone, &[libc::SIGCHLD as u64], DENY);
        check(worker, libc::SYS_clone, &[thread | libc::CLONE_NEWUSER as u64], DENY);
        check(worker, libc::SYS_clone3, &[], UNKNOWN);
        check(worker, libc::SYS_accept4, &[], DENY);
        check(worker, libc::SYS_prctl, &[libc::PR_SET_DUMPABLE as u64, 1], DENY);
    }
}
