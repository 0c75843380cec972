//! The only place in this crate that makes processes: one thread, which lives as long as this process, spawns all children.
//!
//! A child asks the kernel for a signal at its parent's death (`PR_SET_PDEATHSIG`); the kernel sends it when the *thread* that spawned it ends. So no
//! pool thread may spawn. Children get an empty environment but for what is listed here, and no descriptor but their standard ones.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};

/// Names this very binary even after its file was replaced by an upgrade.
const OWN_BINARY: &str = "/proc/self/exe";
/// Spawn requests that wait; a caller beyond that waits for the thread.
const REQUESTS_MAX: usize = 64;
/// What children inherit from the environment: choices of the operator, no data.
const INHERITED: [&str; 2] = ["RUST_BACKTRACE", crate::confine::WITHOUT_SECCOMP];

type Request = (Command, SyncSender<io::Result<Child>>);

/// Spawns children. Clones of the `Arc` may be used from any thread.
pub struct Spawner {
    program: PathBuf,
    requests: SyncSender<Request>,
}

impl Spawner {
    /// Children run this binary.
    pub fn start() -> Arc<Spawner> {
        Spawner::with_program(PathBuf::from(OWN_BINARY))
    }

    /// Children run that binary; for tests, whose own binary has no roles.
    pub fn with_program(program: PathBuf) -> Arc<Spawner> {
        let (requests, incoming) = mpsc::sync_channel::<Request>(REQUESTS_MAX);
        std::thread::Builder::new()
            .name("spawner".into())
            .spawn(move || {
                for (mut command, answer) in incoming {
                    // Whoever asked may be gone; its child ends with its standard input.
                    drop(answer.send(command.spawn()));
                }
            })
            .expect("a process that cannot make its second thread cannot serve");
        Arc::new(Spawner { program, requests })
    }

    /// Spawns a role of the binary. Blocks for the time of one spawn.
    pub fn spawn_role(&self, role: &str, stdin: impl Into<Stdio>, stdout: Stdio) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        // A group of its own: ctrl-C in a terminal is for the workshop, which lets its children finish.
        command.arg(role).process_group(0).env_clear().stdin(stdin).stdout(stdout);
        command.envs(INHERITED.into_iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value))));
        self.spawn(command)
    }

    /// A role whose standard input is its control socket and which prints nothing.
    pub fn spawn_controlled(&self, role: &str, control: OwnedFd) -> io::Result<Child> {
        self.spawn_role(role, control, Stdio::null())
    }

    fn spawn(&self, command: Command) -> io::Result<Child> {
        let gone = || io::Error::other("the thread that spawns processes is gone");
        let (answer, spawned) = mpsc::sync_channel(1);
        self.requests.send((command, answer)).map_err(|_| gone())?;
        spawned.recv().map_err(|_| gone())?
    }
}

/// Opens a URL in the person's browser, which goes on by itself. For commands that end at once: none of the bounds of a server's children hold.
pub fn browse(url: &str) -> io::Result<()> {
    let mut command = Command::new("xdg-open");
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    command.spawn().map(drop)
}

/// A process that ends with this value.
pub struct Running(pub Child);

impl Running {
    /// How it ended, in words. It may have ended already; either way it is waited for, so that none is left behind.
    pub fn end(&mut self) -> String {
        let _ = self.0.kill();
        self.0.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_have_no_environment_and_the_given_standard_input() {
        let spawner = Spawner::with_program(PathBuf::from("/usr/bin/env"));
        let child = spawner.spawn_role("--null", Stdio::null(), Stdio::piped()).unwrap();
        let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        assert!(!output.contains("PATH="), "{output:?}");
    }

    #[test]
    fn what_cannot_be_spawned_is_an_error() {
        let spawner = Spawner::with_program(PathBuf::from("/nonexistent/vivarium"));
        assert!(spawner.spawn_role("gateway", Stdio::null(), Stdio::null()).is_err());
    }
}
