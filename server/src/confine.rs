//! What a role gives up after exec: the second wall around guests.
//!
//! ```text
//!   Apart::begin ──► .lower(role) ──► .seal() ──► Walls
//!   namespaces       limits, an empty root,       seccomp, in       what holds, and
//!   of its own       landlock, capabilities       all threads       what is missing
//! ```
//! [`Apart::begin`] comes first in the process, [`Apart::lower`] when all files of the system have been read and before threads are made, [`Lowered::seal`]
//! once every file, thread and socket that the role needs exists: a system call that is not on the role's list answers `EPERM` from then on. The lists are
//! deny-by-default: no open, no socket or connect (but over IP, for the fetch proxy), no send that would connect, no exec, no new process, no `ptrace`, `memfd_create`, `bpf`, `io_uring`;
//! memory may become executable only as a mapping of a descriptor: that the workshop passed in (sealed artifacts), or, in a compile worker, of the one file
//! that it began with; never by `mprotect`.
//!
//! Parts: `namespaces` and `files` are what a system may refuse to give (it is reported then), `filter` the lists of system calls, which must hold.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use files::Enforced;
pub use filter::program;

mod files;
mod filter;
mod namespaces;

/// Set to [`RISK`] it lets guests run where the kernel has no seccomp filters. Named here once; children inherit it.
pub const WITHOUT_SECCOMP: &str = "VIVARIUM_WITHOUT_SECCOMP";
/// What the operator must write to accept that.
pub const RISK: &str = "an-escaped-guest-may-reach-this-system";

/// Priority of everything that compiles, on the kernel's scale of −20 to 19.
const COMPILE_NICE: i32 = 10;
/// Descriptors of a compile worker: its three standard ones and a few that its start-up needs.
const COMPILE_DESCRIPTORS_MAX: u64 = 32;
/// What the kernel adds to a role's score when memory runs out, of 1000: gateways and compile workers go before the workshop.
const OUT_OF_MEMORY_SCORE: &str = "500";

/// Who confines itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Gateway,
    /// The only one that may connect, and only over IP.
    Fetch,
    /// Address space is bounded too, in bytes.
    CompileWorker {
        memory_bytes_max: u64,
    },
}

/// Why a role does not start.
#[derive(Debug, Error)]
pub enum ConfineError {
    #[error("giving up privileges failed: {0}")]
    Lower(#[from] io::Error),
    #[error("this system refuses seccomp filters ({0}), so guests would have one wall only; to accept that, set {WITHOUT_SECCOMP}={RISK}")]
    Unavailable(String),
}

/// What holds around a role, and a sentence for each wall that this system does not give.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walls {
    pub seccomp: bool,
    pub landlock: bool,
    pub namespaces: bool,
    pub missing: Vec<String>,
}

/// A process that ends with its parent, in namespaces of its own where the system gives any.
#[derive(Debug)]
pub struct Apart {
    walls: Walls,
}

/// A process that has given up its privileges.
#[derive(Debug)]
pub struct Lowered {
    role: Role,
    walls: Walls,
}

impl Apart {
    /// Before anything else: there must be one thread only.
    pub fn begin() -> io::Result<Apart> {
        Apart::in_namespaces(namespaces::OF_GUESTS)
    }

    /// As [`Apart::begin`], for the one process that stays on the system's network.
    pub fn begin_on_network() -> io::Result<Apart> {
        Apart::in_namespaces(namespaces::BUT_NETWORK)
    }

    fn in_namespaces(own: namespaces::Namespaces) -> io::Result<Apart> {
        let mut walls = Walls::default();
        match namespaces::enter(own) {
            Ok(()) => walls.namespaces = true,
            Err(error) => walls.missing.push(format!(
                "namespaces of its own ({error}): what escapes would share network and mounts with the system; allow user namespaces (sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns, user.max_user_namespaces)"
            )),
        }
        end_with_parent()?;
        Ok(Apart { walls })
    }

    /// Priority, limits, files and privileges. After it no file of the system is found any more.
    pub fn lower(mut self, role: Role) -> Result<Lowered, ConfineError> {
        // Raising one's own score is always permitted; a system without it works too.
        let _ = std::fs::write("/proc/self/oom_score_adj", OUT_OF_MEMORY_SCORE);
        limit(Resource::Core, 0)?;
        match role {
            Role::Gateway | Role::Fetch => raise(Resource::Nofile)?,
            Role::CompileWorker { memory_bytes_max } => {
                rustix::process::nice(COMPILE_NICE).map_err(io::Error::from)?;
                limit(Resource::As, memory_bytes_max)?;
                limit(Resource::Nofile, COMPILE_DESCRIPTORS_MAX)?;
            }
        }
        self.walls.leave_files(role);
        rustix::thread::set_no_new_privs(true).map_err(io::Error::from)?;
        drop_capabilities()?;
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(io::Error::from)?;
        // Changing what one may do clears it.
        end_with_parent()?;
        Ok(Lowered { role, walls: self.walls })
    }
}

impl Walls {
    fn leave_files(&mut self, role: Role) {
        if self.namespaces
            && let Err(error) = namespaces::leave_files()
        {
            self.namespaces = false;
            self.missing.push(format!("an empty root ({error}): mounts of the system stay in sight"));
        }
        match files::deny_all(role != Role::Fetch) {
            Ok(Enforced::Whole) => self.landlock = true,
            Ok(Enforced::Part(missing)) => {
                self.landlock = true;
                self.missing.push(missing.to_owned());
            }
            Err(reason) => {
                self.missing
                    .push(format!("Landlock ({reason}): it needs Linux 5.13 or newer with \"landlock\" among the security modules (lsm=)"));
            }
        }
    }
}

impl Lowered {
    /// Applies the role's list to all threads of this process. Without seccomp this is an error, unless the operator accepted the risk.
    pub fn seal(mut self) -> Result<Walls, ConfineError> {
        let applied = program(self.role, std::process::id()).map_err(|error| error.to_string()).and_then(|programs| {
            programs.iter().try_for_each(|program| seccompiler::apply_filter_all_threads(program)).map_err(|error| error.to_string())
        });
        match applied {
            Ok(()) => self.walls.seccomp = true,
            Err(reason) if std::env::var(WITHOUT_SECCOMP).is_ok_and(|value| value == RISK) => {
                self.walls.missing.push(format!("seccomp ({reason}): {WITHOUT_SECCOMP} permits guests all the same"));
            }
            Err(reason) => return Err(ConfineError::Unavailable(reason)),
        }
        Ok(self.walls)
    }
}

/// This process is killed when the thread that spawned it ends. Whoever's parent had ended before notices it by the end of its standard input.
fn end_with_parent() -> io::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?)
}

/// Of this thread, and of those that it makes.
fn drop_capabilities() -> io::Result<()> {
    let none = CapabilitySet::empty();
    Ok(rustix::thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?)
}

/// Descriptors that this process may have, once the bound has been raised.
pub fn descriptors_max() -> usize {
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX))
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let most = getrlimit(resource).maximum.map_or(most, |hard| hard.min(most));
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}

/// Raises the number of descriptors that this process may have to what the system permits.
pub fn raise_descriptors() -> io::Result<()> {
    raise(Resource::Nofile)
}

/// Up to what the system permits.
fn raise(resource: Resource) -> io::Result<()> {
    let hard = getrlimit(resource).maximum;
    Ok(setrlimit(resource, Rlimit { current: hard, maximum: hard })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;
    use std::os::unix::process::CommandExt as _;

    /// A filter without thread synchronisation holds in the calling thread only: what a confined process may do is tried in a thread of this test.
    fn confined<T: Send + 'static>(role: Role, attempt: impl FnOnce() -> T + Send + 'static) -> T {
        let thread = std::thread::spawn(move || {
            for program in program(role, std::process::id()).unwrap() {
                seccompiler::apply_filter(&program).unwrap();
            }
            attempt()
        });
        thread.join().unwrap()
    }

    #[test]
    fn a_gateway_cannot_reach_the_system() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let refused = confined(Role::Gateway, move || {
            use rustix::fs::{MemfdFlags, Mode, OFlags, memfd_create, mkdir, open, unlink};
            use rustix::net::{AddressFamily, SocketType, socket};
            vec![
                ("open", open("/etc/hostname", OFlags::RDONLY, Mode::empty()).map(drop)),
                ("create", open("/tmp/x", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).map(drop)),
                ("mkdir", mkdir("/tmp/x", Mode::RWXU)),
                ("unlink", unlink("/nonexistent/x")),
                ("memfd_create", memfd_create("x", MemfdFlags::empty()).map(drop)),
                ("socket", socket(AddressFamily::INET, SocketType::STREAM, None).map(drop)),
                ("unix socket", socket(AddressFamily::UNIX, SocketType::STREAM, None).map(drop)),
                ("connect", std::net::TcpStream::connect(address).map(drop).map_err(|error| Errno::from_io_error(&error).unwrap())),
                ("exec", Err(Errno::from_io_error(&std::process::Command::new("/bin/true").exec()).unwrap())),
                ("spawn", std::process::Command::new("/bin/true").spawn().map(drop).map_err(|error| Errno::from_io_error(&error).unwrap())),
                ("kill", rustix::process::kill_process(rustix::process::getppid().unwrap(), Signal::CONT)),
                ("setrlimit", setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })),
                ("prctl", rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)),
                ("thread", std::thread::Builder::new().spawn(|| ()).map(drop).map_err(|error| Errno::from_io_error(&error).unwrap())),
            ]
        });
        for (name, result) in refused {
            assert_eq!(result, Err(Errno::PERM), "{name}");
        }
    }

    /// A listener that was shut down is a socket that may be connected: by `sendto` and `sendmsg` too, where the kernel has TCP Fast Open.
    #[test]
    fn a_gateway_cannot_turn_its_listener_into_a_connection() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let target = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = target.local_addr().unwrap();
        let refused = confined(Role::Gateway, move || {
            use rustix::net::{SendAncillaryBuffer, SendFlags, Shutdown, connect, sendmsg_addr, sendto, shutdown};
            let fast_open = SendFlags::from_bits_retain(libc::MSG_FASTOPEN as u32);
            let mut nothing = SendAncillaryBuffer::default();
            shutdown(&listener, Shutdown::Both).unwrap();
            [
                ("connect", connect(&listener, &address)),
                ("sendto", sendto(&listener, b"x", fast_open, &address).map(drop)),
                ("sendto without the flag", sendto(&listener, b"x", SendFlags::empty(), &address).map(drop)),
                ("sendmsg", sendmsg_addr(&listener, &address, &[io::IoSlice::new(b"x")], &mut nothing, fast_open).map(drop)),
            ]
        });
        for (name, result) in refused {
            assert_eq!(result, Err(Errno::PERM), "{name}");
        }
        target.set_nonblocking(true).unwrap();
        assert_eq!(target.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock, "nobody came");
    }

    #[test]
    fn a_gateway_can_still_serve() {
        use std::io::{Read as _, Write as _};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = std::thread::spawn(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.write_all(b"ping").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        let heard = confined(Role::Gateway, move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut heard = [0; 4];
            stream.read_exact(&mut heard).unwrap();
            // Allocations of all sizes, a clock and randomness are what request handling needs besides.
            let memory: Vec<Vec<u8>> = (0..24).map(|power| vec![1; 1 << power]).collect();
            stream.set_nodelay(true).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(1));
            stream.write_all(if memory.len() == 24 { b"pong" } else { b"none" }).unwrap();
            heard
        });
        assert_eq!((&heard, client.join().unwrap().as_str()), (b"ping", "pong"));
    }

    #[test]
    fn a_compile_worker_may_have_threads_and_nothing_else() {
        let role = Role::CompileWorker { memory_bytes_max: 1 << 30 };
        let (threads, files, exec) = confined(role, || {
            let thread = std::thread::Builder::new().spawn(|| 7).map(|thread| thread.join().unwrap());
            (thread.ok(), std::fs::File::open("/etc/hostname").is_ok(), std::process::Command::new("/bin/true").spawn().is_ok())
        });
        assert_eq!((threads, files, exec), (Some(7), false, false));
    }
}
