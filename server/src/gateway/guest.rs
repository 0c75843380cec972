//! One instance and its world, from the first instruction to the last: the only file here that resumes guests.
//!
//! ```text
//!   begin ──► run ──► Preempted ──(its turn in the run queue)──► run
//!              │ └──► Waiting ───(its moment)─────────────────► wake
//!              └────► Ended(outcome)
//! ```
//! Nothing in it waits, so whoever drives it decides who runs when: a gateway thread through its run queue, `vivarium run` in a loop.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use bytes::Bytes;
use vivarium_abi::files::ProjectFiles;
use vivarium_abi::{Answer, Host, HostInput, HostLimits, LimitReached, Linkage, LogLine, Wait, entry_point};
use vivarium_artifact::{MemoryPlan, TenantPolicy};
use vivarium_runtime::{
    AcquireError, Exit, Instance, InstanceLimits, LoadError, LoadedModule, MemoryBudget, Pool, Profile, Runtime, SealedFile, Trap,
    VerifiedArtifacts,
};

use super::kv::Bell;
use crate::control::messages::{LimitReport, LoadRefusal, Outcome, SourcePlace, TrapFrame, TrapReport};
use crate::limits::Limits;
use crate::project::{self, Files};

/// What is told of the name of a function or file, in bytes.
const NAME_SHOWN_BYTES_MAX: usize = 128;

/// A loaded module that can be run: its imports have been resolved and it has an entry.
#[derive(Debug)]
pub struct Program {
    pub module: Arc<LoadedModule>,
    /// How long it took to take it in, in microseconds.
    pub load_us: f64,
    linkage: Linkage,
    entry: u32,
    /// Whether it answers through the Compute ABI, not the CGI way.
    pub exchanges: bool,
    /// What it finds under `/`.
    pub files: ProjectFiles,
    /// What its output probably was meant to be is told once.
    pub hinted: AtomicBool,
}

/// Bounds of one run.
#[derive(Debug, Clone, Copy)]
pub struct GuestLimits {
    /// Of guest code, builtins and the host's answers together.
    pub cpu: Duration,
    /// The name in `Limits` of `cpu`.
    pub cpu_name: &'static str,
    pub memory_bytes_max: u64,
    pub stdout_bytes_max: usize,
    /// The name in `Limits` of `stdout_bytes_max`.
    pub stdout_name: &'static str,
    pub stderr_bytes_max: usize,
    pub log_lines_max: u32,
    pub arguments_bytes_max: u64,
    pub environment_bytes_max: u64,
    pub scratch_bytes_max: u64,
    pub scratch_nodes_max: u32,
    pub buffered_bytes_max: u64,
    pub fetches_max: u32,
}

/// Why a guest is not running.
#[derive(Debug)]
pub enum Pause {
    /// Its slice is over.
    Preempted,
    /// Nothing to do before that.
    Waiting(Wait),
    Ended(Outcome),
}

/// Why a run does not begin.
#[derive(Debug)]
pub enum Refusal {
    /// All slots are in use.
    Busy,
    Outcome(Box<Outcome>),
}

/// One run.
pub struct Guest {
    instance: Instance,
    host: Host,
    program: Arc<Program>,
    limits: GuestLimits,
    input_bytes: u64,
    initializing: bool,
    instantiated_in: Duration,
    bell: Bell,
}

impl Program {
    /// Takes in a signed artifact in a sealed file: verified unless it is among these, compared with what programs may have here, mapped and resolved.
    pub fn load(
        runtime: &Runtime,
        verified: &VerifiedArtifacts,
        file: SealedFile,
        policy: TenantPolicy,
        files: Files,
    ) -> Result<Program, LoadRefusal> {
        let started = Instant::now();
        let refused = |error: LoadError| LoadRefusal { passing: matches!(error, LoadError::Map(_)), sentence: error.to_string() };
        let for_good = |sentence: String| LoadRefusal { sentence, passing: false };
        let artifact = verified.obtain(file).map_err(refused)?;
        policy.check(artifact.contract()).map_err(|violation| for_good(violation.to_string()))?;
        let module = runtime.map(&artifact).map_err(refused)?;
        let load_us = started.elapsed().as_secs_f64() * 1e6;
        let linkage = Linkage::resolve(module.contract()).map_err(|error| for_good(error.to_string()))?;
        let entry = entry_point(module.contract()).map_err(|error| for_good(error.to_string()))?;
        let files = project::tree(files).map_err(|error| for_good(error.to_string()))?;
        let (exchanges, hinted) = (linkage.exchanges(), AtomicBool::new(false));
        Ok(Program { module, load_us, linkage, entry, exchanges, files, hinted })
    }

    /// Length of what an instance begins with: stack, tables and all memories, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        let memories = self.module.contract().memories.iter().map(MemoryPlan::minimum_bytes);
        self.head_bytes() + memories.sum::<u64>()
    }

    /// Length of what lies below its first memory, in bytes.
    fn head_bytes(&self) -> u64 {
        self.module.layout().memory_offset
    }
}

impl GuestLimits {
    /// Bounds of a visitor's request.
    pub fn of_request(limits: &Limits) -> GuestLimits {
        GuestLimits {
            cpu: Duration::from_millis(limits.cpu_ms),
            cpu_name: "cpu_ms",
            memory_bytes_max: limits.memory_bytes_max,
            stdout_bytes_max: limits.response_bytes_max,
            stdout_name: "response_bytes_max",
            stderr_bytes_max: limits.log_bytes_per_request_max,
            log_lines_max: limits.log_lines_per_request_max,
            arguments_bytes_max: limits.arguments_bytes_max,
            environment_bytes_max: limits.environment_bytes_max,
            scratch_bytes_max: limits.scratch_bytes_max,
            scratch_nodes_max: limits.scratch_nodes_max,
            buffered_bytes_max: limits.buffered_bytes_max,
            fetches_max: limits.fetches_per_request_max,
        }
    }
}

impl Guest {
    /// Takes a slot and prepares the first call.
    pub fn begin(pool: &Pool, program: &Arc<Program>, input: HostInput, limits: GuestLimits) -> Result<Guest, Refusal> {
        let started = Instant::now();
        let host_limits = HostLimits {
            stdout_bytes_max: limits.stdout_bytes_max as u64,
            stderr_bytes_max: limits.stderr_bytes_max as u64,
            log_lines_max: limits.log_lines_max,
            arguments_bytes_max: limits.arguments_bytes_max,
            environment_bytes_max: limits.environment_bytes_max,
            scratch_bytes_max: limits.scratch_bytes_max,
            scratch_nodes_max: limits.scratch_nodes_max,
            buffered_bytes_max: limits.buffered_bytes_max,
            fetches_max: limits.fetches_max,
            ..HostLimits::default()
        };
        let input_bytes = input.stdin.len() as u64;
        let host = Host::new(input, host_limits).map_err(|reached| Refusal::Outcome(Box::new(limited(&reached, limits))))?;
        let instance_limits = InstanceLimits { memory_bytes_max: limits.memory_bytes_max };
        let mut instance = pool.acquire(&program.module, instance_limits).map_err(|error| match error {
            AcquireError::Exhausted { .. } => Refusal::Busy,
            AcquireError::Place(_) => Refusal::Outcome(Box::new(Outcome::Failed { message: error.to_string() })),
        })?;
        let failed = |message: String| Refusal::Outcome(Box::new(Outcome::Failed { message }));
        let initializing = instance.initialize().map_err(|error| failed(error.to_string()))?;
        if !initializing {
            instance.invoke(program.entry, &[]).map_err(|error| failed(error.to_string()))?;
        }
        let program = program.clone();
        let instantiated_in = started.elapsed();
        Ok(Guest { instance, host, program, limits, input_bytes, initializing, instantiated_in, bell: Bell::default() })
    }

    /// Runs until the slice is over, the guest waits, or it ends.
    pub fn run(&mut self) -> Pause {
        loop {
            let pause = match self.instance.resume() {
                Exit::Preempted => Some(Pause::Preempted),
                Exit::Trapped(trap) => Some(Pause::Ended(Outcome::Trapped(told(trap)))),
                Exit::Done => self.returned(),
                Exit::Hostcall { import } => {
                    let answer = self.host.call(&self.program.linkage, import, &mut self.instance);
                    self.answered(answer)
                }
            };
            if let Some(pause) = pause {
                return self.turn_ended(pause);
            }
        }
    }

    /// What follows is not its own time. Whatever takes long, in its own code or in the host's, ends a turn, so that its time need be looked at only here.
    fn turn_ended(&mut self, pause: Pause) -> Pause {
        self.instance.end_turn();
        match pause {
            Pause::Preempted | Pause::Waiting(_) if self.instance.ran() > self.limits.cpu => Pause::Ended(self.out_of_time()),
            pause => pause,
        }
    }

    /// Goes on after [`Pause::Waiting`].
    pub fn wake(&mut self) -> Pause {
        self.instance.begin_turn();
        let answer = self.host.finish_wait(&mut self.instance);
        match self.answered(answer) {
            Some(pause) => self.turn_ended(pause),
            None => self.run(),
        }
    }

    /// It is woken when this bell rings.
    pub fn hear(&mut self, bell: Bell) {
        self.bell = bell;
    }

    /// Rung by whoever has something new for it while it waits.
    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// From now on ticks note in this profile of its module where it is.
    pub fn profile(&mut self, profile: Option<&Profile>) {
        self.instance.profile(profile);
    }

    /// What it has to do with its visitor.
    pub fn host(&mut self) -> &mut Host {
        &mut self.host
    }

    /// Complete lines that it wrote since the last call.
    pub fn log_lines(&mut self) -> Vec<LogLine> {
        self.host.take_log_lines()
    }

    /// The rest of its lines, after its end.
    pub fn last_log_lines(&mut self) -> Vec<LogLine> {
        self.host.finish_log_lines()
    }

    /// What it printed and nobody took yet.
    pub fn stdout(&self) -> &[u8] {
        self.host.stdout()
    }

    pub fn take_stdout(&mut self) -> Bytes {
        self.host.take_stdout()
    }

    pub fn take_stderr(&mut self) -> Bytes {
        self.host.take_stderr()
    }

    pub fn stderr_truncated(&self) -> bool {
        self.host.stderr_truncated()
    }

    pub fn hostcalls(&self) -> u64 {
        self.host.hostcalls()
    }

    /// Its memories grow, and exceptions are kept, only as far as this lets them.
    pub fn draw_on(&mut self, budget: Arc<dyn MemoryBudget>) {
        self.instance.draw_on(budget);
    }

    /// Length of its stack, tables and memories now, of the exceptions that it keeps, of its input, of the output that was not taken yet, of its files and of its requests, responses and bodies, in bytes.
    pub fn held_bytes(&self) -> u64 {
        self.program.head_bytes()
            + self.instance.memories_bytes()
            + self.instance.exceptions_bytes()
            + self.input_bytes
            + self.host.stdout().len() as u64
            + self.host.scratch_bytes()
            + self.host.held_bytes()
    }

    /// How long taking the slot and preparing the first call took.
    pub fn instantiated_in(&self) -> Duration {
        self.instantiated_in
    }

    /// How long it has run: its own code and the host's answers.
    pub fn ran(&self) -> Duration {
        self.instance.ran()
    }

    /// Gives its slot back: how long resetting it took, and its world, of which there may be something left to send.
    pub fn end(self) -> (Duration, Host) {
        (self.instance.end(), self.host)
    }

    fn returned(&mut self) -> Option<Pause> {
        if !std::mem::take(&mut self.initializing) {
            return Some(Pause::Ended(Outcome::Finished));
        }
        let invoked = self.instance.invoke(self.program.entry, &[]);
        invoked.err().map(|error| Pause::Ended(Outcome::Failed { message: error.to_string() }))
    }

    /// None when the guest can go on.
    fn answered(&mut self, answer: Answer) -> Option<Pause> {
        match answer {
            Answer::Return(values) => {
                self.instance.answer(values.as_slice());
                None
            }
            Answer::Wait(wait) => Some(Pause::Waiting(wait)),
            Answer::Exit(exit_code) => Some(Pause::Ended(Outcome::Exited { exit_code })),
            Answer::Limit(reached) => Some(Pause::Ended(limited(&reached, self.limits))),
            Answer::Failed(failure) => Some(Pause::Ended(Outcome::Failed { message: failure.to_string() })),
        }
    }

    fn out_of_time(&self) -> Outcome {
        let message = format!("{} ms of processor time used up", self.limits.cpu.as_millis());
        Outcome::Limited(LimitReport { name: self.limits.cpu_name.into(), message })
    }
}

/// The limits of the host are told under the name that they have in `Limits`.
fn limited(reached: &LimitReached, limits: GuestLimits) -> Outcome {
    if reached.name == "stdout_bytes_max" {
        let message = reached.to_string().replace(reached.name, limits.stdout_name);
        return Outcome::Limited(LimitReport { name: limits.stdout_name.into(), message });
    }
    Outcome::Limited(LimitReport { name: reached.name.into(), message: reached.to_string() })
}

/// A name of the program's choice, cut to what is told of it.
fn cut(mut name: String) -> String {
    name.truncate(name.floor_char_boundary(NAME_SHOWN_BYTES_MAX));
    name
}

/// A trap in the words of reports.
pub fn told(trap: Trap) -> TrapReport {
    let message = trap.message();
    let frames: Vec<TrapFrame> = trap
        .frames
        .into_iter()
        .map(|frame| TrapFrame {
            function: cut(frame.function),
            wasm_offset: frame.wasm_offset.map(u64::from),
            place: frame.place.map(|place| SourcePlace { file: cut(place.file), line: place.line, column: place.column }),
        })
        .collect();
    let innermost = frames.first();
    TrapReport {
        kind: trap.kind.name().into(),
        message,
        function: innermost.map(|frame| frame.function.clone()),
        wasm_offset: innermost.and_then(|frame| frame.wasm_offset),
        place: innermost.and_then(|frame| frame.place.clone()),
        frames,
    }
}
