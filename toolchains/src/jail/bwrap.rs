//! The wall of namespaces: bubblewrap from the toolchain folder, never from PATH. The compiler sees the toolchain root as `/` and its
//! job's folder as `/job`: no /proc, no /dev, no network, no other process, no file of the host.

use std::convert::Infallible;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::fs::MemfdFlags;

use super::role::Order;
use super::{JOB_IN_JAIL, ORDINARY_UID, environment, is_root, root_of, seccomp};

/// Becomes bwrap, which becomes the compiler. Returns only when that failed.
pub(super) fn become_compiler(order: &Order) -> io::Result<Infallible> {
    let filter = seccomp_file()?;
    let mut bwrap = Command::new(order.toolchains.join("bwrap"));
    bwrap.env_clear();
    // A user needs a user namespace; root does not, and then the ordinary user inside is one for the host as well.
    let namespaces: &[&str] = if is_root() {
        &["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    } else {
        &["--unshare-all"]
    };
    bwrap.args(namespaces).args(["--die-with-parent", "--new-session", "--cap-drop", "ALL"]);
    if is_root() {
        bwrap.args(["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]);
    }
    bwrap.arg("--ro-bind").arg(root_of(&order.toolchains)).arg("/");
    bwrap.arg("--ro-bind").arg(&order.job).arg(JOB_IN_JAIL);
    bwrap.arg("--bind").arg(order.job.join("out")).arg(format!("{JOB_IN_JAIL}/out"));
    bwrap.args(["--chdir", &format!("{JOB_IN_JAIL}/src"), "--clearenv"]);
    for (name, value) in environment("", &format!("{JOB_IN_JAIL}/out")) {
        bwrap.args(["--setenv", name, &value]);
    }
    bwrap.args(["--seccomp", &filter.as_raw_fd().to_string(), "--"]);
    if is_root() {
        let id = ORDINARY_UID.to_string();
        bwrap.args(["/usr/bin/setpriv", "--reuid", &id, "--regid", &id, "--clear-groups", "--inh-caps=-all", "--"]);
    }
    Err(bwrap.arg(&order.program).args(&order.args).exec())
}

/// The filter in a file without a name, which bwrap inherits, reads and closes.
fn seccomp_file() -> io::Result<OwnedFd> {
    let file = rustix::fs::memfd_create("seccomp", MemfdFlags::empty())?;
    let program = seccomp::program()?;
    let mut bytes = Vec::with_capacity(program.len() * 8);
    for instruction in program {
        bytes.extend(instruction.code.to_ne_bytes());
        bytes.extend([instruction.jt, instruction.jf]);
        bytes.extend(instruction.k.to_ne_bytes());
    }
    let mut written = 0;
    while written < bytes.len() {
        written += rustix::io::pwrite(&file, &bytes[written..], written as u64)?;
    }
    Ok(file)
}
