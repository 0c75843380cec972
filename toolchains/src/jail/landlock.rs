//! The wall for systems that deny user namespaces: Landlock for files, seccomp for everything else, an ordinary user where the server is
//! root. It hides what files hold, not that they exist.

use std::convert::Infallible;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};
use rustix::process::{Gid, Signal, Uid};

use super::role::Order;
use super::{JOB_IN_JAIL, ORDINARY_UID, environment, is_root, root_of, seccomp};

/// The newest interface whose rights are asked for; an older kernel enforces those that it has.
const LANDLOCK_ABI: ABI = ABI::V6;
/// Where the host's loader finds the C library; everything else comes from the toolchain root.
const HOST_LIBRARIES: &[&str] = &["/lib64", "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/etc/ld.so.cache"];

/// What of the file system is there for the compiler.
struct View {
    /// Empty where the toolchain root has become `/`.
    root: String,
    job: PathBuf,
}

/// Becomes the compiler. Returns only when that failed.
pub(super) fn become_compiler(order: &Order) -> io::Result<Infallible> {
    let view = enter(order)?;
    std::env::set_current_dir(view.job.join("src"))?;
    restrict_files(&view)?;
    drop_root()?;
    // A change of user clears it, so it comes after.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    seccompiler::apply_filter(&seccomp::program()?).map_err(io::Error::other)?;
    let output = view.job.join("out").display().to_string();
    Err(Command::new(&order.program).args(&order.args).env_clear().envs(environment(&view.root, &output)).exec())
}

/// Root makes the toolchain root its `/`: an ordinary user may not reach a folder in root's home by its path.
fn enter(order: &Order) -> io::Result<View> {
    let root = root_of(&order.toolchains);
    if !is_root() {
        return Ok(View { root: root.display().to_string(), job: order.job.clone() });
    }
    let name = order.job.file_name().ok_or_else(|| io::Error::other("the job's folder has no name"))?;
    rustix::process::chroot(&root)?;
    std::env::set_current_dir("/")?;
    Ok(View { root: String::new(), job: Path::new(JOB_IN_JAIL).join(name) })
}

fn restrict_files(view: &View) -> io::Result<()> {
    let read = AccessFs::from_read(LANDLOCK_ABI);
    let read_only = read & !BitFlags::from(AccessFs::Execute);
    let write = read_only
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer;
    let mut rules: Vec<(PathBuf, BitFlags<AccessFs>)> = vec![(view.job.join("src"), read_only), (view.job.join("out"), write)];
    for folder in ["usr", "lib", "lib64", "rust", "asc"] {
        rules.push((PathBuf::from(format!("{}/{folder}", view.root)), read));
    }
    if !view.root.is_empty() {
        rules.extend(HOST_LIBRARIES.iter().map(|path| (PathBuf::from(path), read)));
        rules.push((PathBuf::from("/dev/null"), AccessFs::ReadFile | AccessFs::WriteFile));
    }
    enforce(rules).map_err(|error| io::Error::other(format!("Landlock: {error}")))
}

fn enforce(rules: Vec<(PathBuf, BitFlags<AccessFs>)>) -> Result<(), Box<dyn std::error::Error>> {
    let mut ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(LANDLOCK_ABI))?
        .handle_access(AccessNet::from_all(LANDLOCK_ABI))?
        .scope(Scope::from_all(LANDLOCK_ABI))?
        .create()?;
    for (path, access) in rules {
        if !path.exists() {
            continue;
        }
        let access = if path.is_dir() { access } else { access & AccessFs::from_file(LANDLOCK_ABI) };
        ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(&path)?, access))?;
    }
    let status = ruleset.restrict_self()?;
    if status.ruleset == RulesetStatus::NotEnforced || !status.no_new_privs {
        return Err("this kernel does not enforce it".into());
    }
    Ok(())
}

/// Becomes the ordinary user for good. There is one thread, so what the calls do to a thread they do to the process.
fn drop_root() -> io::Result<()> {
    if !is_root() {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(ORDINARY_UID), Gid::from_raw(ORDINARY_UID));
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    if is_root() {
        return Err(io::Error::other("still root after becoming an ordinary user"));
    }
    Ok(())
}
