//! The jail of every compiler. A compiler reads text that a stranger wrote, so it is taken for the stranger's.
//!
//! ```text
//! server ─spawns─► vivarium jail … ─execs─► bwrap ─► compiler      own namespaces; the toolchain root is `/`, nothing else is there
//!                  (limits, seccomp) ─execs─► compiler              Landlock: where user namespaces are denied
//! ```
//!
//! Parts: `role` is what `vivarium jail` does, after exec and before the compiler; `bwrap` and `landlock` are the two walls; `seccomp` is
//! the filter under both; `probe` finds out which wall holds on this system. Where the server is root, compilers run as an ordinary user.

mod bwrap;
mod landlock;
mod probe;
mod role;
mod seccomp;

use std::fmt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use crate::BuildLimits;
use crate::job::JobFolder;

pub(crate) use probe::probe;
pub use role::run_role;

/// The user that compilers run as where the server is root: nobody and nogroup.
pub(crate) const ORDINARY_UID: u32 = 65534;

/// Processes and threads of all compilers together, beside those that the user of an ordinary server runs anyway. A build has at most 20.
const PROCESSES_MAX: u64 = 512;

/// The job's folder as the compiler sees it where the toolchain root is `/`.
const JOB_IN_JAIL: &str = "/job";

/// Which wall confines compilers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum JailKind {
    Bwrap,
    Landlock,
    /// None holds on this system: nothing is compiled.
    None,
}

impl JailKind {
    fn from_name(name: &str) -> Option<JailKind> {
        match name {
            "bwrap" => Some(JailKind::Bwrap),
            "landlock" => Some(JailKind::Landlock),
            _ => None,
        }
    }
}

impl fmt::Display for JailKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JailKind::Bwrap => "bwrap",
            JailKind::Landlock => "landlock",
            JailKind::None => "none",
        })
    }
}

/// How compilers are to be confined.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// The program that answers to the word `jail` with [`run_role`].
    pub jail_program: PathBuf,
    /// The only wall to try, instead of the best that holds. The variable VIVARIUM_JAIL does the same where this is `None`.
    pub jail: Option<JailKind>,
}

impl Default for OpenOptions {
    /// This very program, even where its file was replaced since it was started.
    fn default() -> OpenOptions {
        OpenOptions { jail_program: PathBuf::from("/proc/self/exe"), jail: None }
    }
}

/// One wall, ready to start compilers behind it.
#[derive(Clone, Debug)]
pub(crate) struct Jail {
    pub kind: JailKind,
    /// The folder that the set-up made.
    pub toolchains: PathBuf,
    /// The program whose `jail` role confines itself: this one.
    pub program: PathBuf,
}

/// Where things are for the compiler, as prefixes without a slash at the end.
#[derive(Clone, Debug)]
pub(crate) struct JailPaths {
    /// The toolchain root; empty where it is `/`.
    pub root: String,
    pub source: String,
    pub output: String,
}

impl Jail {
    pub fn paths(&self, job: &JobFolder) -> JailPaths {
        let (root, folder) = if self.kind == JailKind::Bwrap {
            (String::new(), JOB_IN_JAIL.to_owned())
        } else if is_root() {
            (String::new(), format!("{JOB_IN_JAIL}/{}", job.name()))
        } else {
            (self.toolchains.join("root").display().to_string(), job.path().display().to_string())
        };
        JailPaths { root, source: format!("{folder}/src"), output: format!("{folder}/out") }
    }

    /// The command that runs `program` (a path of the jail) with `args` behind this wall, in the job's source folder.
    pub fn command(&self, job: &JobFolder, limits: &BuildLimits, program: &str, args: &[String]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg0("vivarium").arg("jail");
        for (option, value) in [
            ("--kind", self.kind.to_string()),
            ("--toolchains", self.toolchains.display().to_string()),
            ("--job", job.path().display().to_string()),
            ("--cpu-seconds", limits.build_cpu_ms.div_ceil(1000).max(1).to_string()),
            ("--data-bytes", limits.build_memory_bytes_max.to_string()),
            ("--file-bytes", limits.build_file_bytes_max.to_string()),
            ("--processes", PROCESSES_MAX.to_string()),
        ] {
            command.arg(option).arg(value);
        }
        command.arg("--").arg(program).args(args);
        command.env_clear();
        command
    }
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What a compiler finds in its environment; nothing of the server's is passed on.
fn environment(root: &str, output: &str) -> Vec<(&'static str, String)> {
    vec![
        ("PATH", format!("{root}/usr/bin")),
        ("LD_LIBRARY_PATH", format!("{root}/usr/lib/x86_64-linux-gnu:{root}/rust/lib")),
        ("TMPDIR", output.to_owned()),
        ("LC_ALL", "C.UTF-8".to_owned()),
        // Node ends when it may not read the system's; a file that is not there is none.
        ("OPENSSL_CONF", format!("{output}/openssl.cnf")),
    ]
}

/// The toolchain root of the folder that the set-up made.
pub(crate) fn root_of(toolchains: &Path) -> PathBuf {
    toolchains.join("root")
}
