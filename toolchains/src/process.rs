//! Runs one jailed process: started by a thread that outlives it, watched for its end, its output, its deadline and cancellation, and
//! killed with all that it started.

use std::io::{self, PipeReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::output_guard::OutputGuard;
use crate::{BuildError, BuildLimits, Cancel};

/// How long a cancelled build may go on.
const CANCEL_CHECK: Duration = Duration::from_millis(20);

type Started = io::Result<Child>;

/// Starts processes from one thread that lives as long as this: a jailed process is killed when the *thread* that started it ends.
#[derive(Debug)]
pub(crate) struct Spawner {
    orders: mpsc::Sender<(Command, mpsc::Sender<Started>)>,
}

impl Spawner {
    pub fn new() -> io::Result<Spawner> {
        let (orders, inbox) = mpsc::channel::<(Command, mpsc::Sender<Started>)>();
        std::thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            for (mut command, answer) in inbox {
                // Who asked may be gone; then the child is killed with its handle.
                if let Err(mpsc::SendError(Ok(mut child))) = answer.send(command.spawn()) {
                    let _ = child.kill().and_then(|()| child.wait());
                }
            }
        })?;
        Ok(Spawner { orders })
    }

    /// Starts `command` in a process group of its own, with stdout and stderr in one pipe. `guard` watches what it writes.
    pub fn start(&self, mut command: Command, stdin: Stdio, guard: OutputGuard) -> io::Result<Running> {
        let (output, writer) = io::pipe()?;
        command.stdin(stdin).stdout(writer.try_clone()?).stderr(writer).process_group(0);
        let (answer, started) = mpsc::channel();
        let ended = || io::Error::other("the thread that starts compilers has ended");
        self.orders.send((command, answer)).map_err(|_| ended())?;
        let child = started.recv().map_err(|_| ended())??;
        let mut running = Running { child, pidfd: None, output, guard };
        running.pidfd = Some(pidfd_open(running.pid()?, PidfdFlags::empty())?);
        Ok(running)
    }
}

/// A process that runs. Dropped, it is killed with its group and reaped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    pidfd: Option<OwnedFd>,
    output: PipeReader,
    guard: OutputGuard,
}

/// What happened to a running process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Events {
    pub readable: bool,
    pub ended: bool,
}

impl Running {
    fn pid(&self) -> io::Result<Pid> {
        Pid::from_raw(self.child.id() as i32).ok_or_else(|| io::Error::other("a process without a number"))
    }

    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Waits for output or the end; the deadline, cancellation and too large an output folder are errors. With `output_ended`, for the
    /// end alone.
    pub fn wait(&mut self, budget: &Budget, output_ended: bool) -> Result<Events, BuildError> {
        let Some(pidfd) = &self.pidfd else { return Ok(Events { readable: false, ended: true }) };
        loop {
            let patience = budget.check()?.min(CANCEL_CHECK);
            self.guard.check()?;
            let timeout = Timespec { tv_sec: 0, tv_nsec: patience.as_nanos() as i64 };
            let mut watched = [PollFd::new(pidfd, PollFlags::IN), PollFd::new(&self.output, PollFlags::IN)];
            let count = if output_ended { 1 } else { 2 };
            match poll(&mut watched[..count], Some(&timeout)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => continue,
                Ok(_) => return Ok(Events { ended: !watched[0].revents().is_empty(), readable: !watched[1].revents().is_empty() }),
                Err(error) => return Err(io_error("cannot wait for the compiler", error.into())),
            }
        }
    }

    /// Reads what is there; 0 is the end of output. Call it when `wait` said that it is readable.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, BuildError> {
        self.output.read(buffer).map_err(|error| io_error("cannot read what the compiler prints", error))
    }

    /// Ends the whole group and reaps the process. The group is signalled before its number can be another's.
    pub fn end(&mut self) -> io::Result<ExitStatus> {
        if let Ok(pid) = self.pid() {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        self.child.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// The time and patience that are left of a build, over all of its processes.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    started: Instant,
    pub limits: BuildLimits,
    cancel: Cancel,
}

impl Budget {
    pub fn new(limits: &BuildLimits, cancel: &Cancel) -> Budget {
        Budget { started: Instant::now(), limits: *limits, cancel: cancel.clone() }
    }

    /// Wall time since the build began.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// A budget that begins now, with so much wall time, and is cancelled with this one.
    pub fn beginning_now(&self, build_wall_ms: u64) -> Budget {
        Budget::new(&BuildLimits { build_wall_ms, ..self.limits }, &self.cancel)
    }

    /// The wall time that is left; none, or a cancelled build, is an error.
    pub fn check(&self) -> Result<Duration, BuildError> {
        if self.cancel.is_cancelled() {
            return Err(BuildError::Cancelled);
        }
        let build_wall_ms = self.limits.build_wall_ms;
        let left = Duration::from_millis(build_wall_ms).checked_sub(self.started.elapsed()).filter(|left| !left.is_zero());
        left.ok_or(BuildError::TimedOut { build_wall_ms })
    }
}

/// How a process ended. A signal in the jail reaches us as the exit code 128 + number, as shells have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Code(i32),
    Signal(i32),
}

/// A process that ran to its end.
#[derive(Debug)]
pub(crate) struct Finished {
    pub ending: Ending,
    pub output: Vec<u8>,
    pub elapsed: Duration,
}

/// Runs a command to its end within the budget.
pub(crate) fn run(
    spawner: &Spawner,
    command: Command,
    guard: OutputGuard,
    budget: &Budget,
    printed_bytes_max: usize,
) -> Result<Finished, BuildError> {
    budget.check()?;
    let started = Instant::now();
    let mut running = spawner.start(command, Stdio::null(), guard).map_err(|error| io_error("cannot start the compiler", error))?;
    let mut output = Vec::new();
    let (mut output_ended, mut ended) = (false, false);
    let mut buffer = vec![0; 64 * 1024];
    while !(output_ended && ended) {
        let events = running.wait(budget, output_ended)?;
        if events.ended && !ended {
            ended = true;
            // What the process started and left behind holds the pipe open.
            let _ = running.pid().map(|pid| kill_process_group(pid, Signal::KILL));
        }
        if events.readable {
            let count = running.read(&mut buffer)?;
            output_ended = count == 0;
            output.extend_from_slice(&buffer[..count]);
        }
        if output.len() > printed_bytes_max {
            return Err(BuildError::OutputTooLarge { build_output_bytes_max: budget.limits.build_output_bytes_max });
        }
    }
    let status = running.end().map_err(|error| io_error("cannot learn how the compiler ended", error))?;
    Ok(Finished { ending: ending(status), output, elapsed: started.elapsed() })
}

pub(crate) fn ending(status: ExitStatus) -> Ending {
    match (status.signal(), status.code()) {
        (Some(signal), _) => Ending::Signal(signal),
        (None, Some(code)) if code > 128 && code <= 128 + 64 => Ending::Signal(code - 128),
        (None, code) => Ending::Code(code.unwrap_or(-1)),
    }
}

pub(crate) fn io_error(what: &str, error: io::Error) -> BuildError {
    BuildError::Io { what: what.to_owned(), error }
}
