//! `vivarium run`: a program as a command, in this process, with this terminal as its streams.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use vivarium_abi::{HostInput, KvStores, MemoryKv};
use vivarium_runtime::{Pool, Runtime, RuntimeSettings, SealedFile, VerifiedArtifacts};

use super::artifact::Signed;
use super::failure::Failure;
use super::folders::{self, Mapping, OpenedFolder};
use super::invoke;
use super::profile::Recording;
use super::{Context, artifact};
use crate::control::messages::{Outcome, TrapReport};
use crate::control::settings::DEFAULT_KV_STORE;
use crate::gateway::guest::{Guest, GuestLimits, Pause, Program, Refusal};
use crate::gateway::runs::ANSWERS_VISITORS;
use crate::limits::Limits;
use crate::reset;

/// What a shell shows for a process that aborted.
const TRAPPED: u8 = 134;
/// What `timeout` ends with.
const LIMITED: u8 = 124;
/// How often what it printed is passed on while it computes.
const SLICE: Duration = Duration::from_millis(10);
/// The same for a program whose time is looked into: two samples each.
const PROFILED_SLICE: Duration = Duration::from_millis(1);

#[derive(Debug, Args)]
pub struct Run {
    /// Source file or folder, wasm, WAT, or an artifact that was compiled here
    path: PathBuf,
    /// A variable of the program's environment; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_variable)]
    env: Vec<(String, String)>,
    /// Give the program a folder of this machine, under another path or under the same; may be given several times. One that is given as
    /// `/` or `.` takes the place of the project's files and of the program's own /tmp
    #[arg(long, value_name = "HOST::GUEST", value_parser = Mapping::parse)]
    dir: Vec<Mapping>,
    /// Call this exported function with the arguments as its numbers, instead of running the program
    #[arg(long, value_name = "NAME")]
    invoke: Option<String>,
    /// Write here where the program spent its time: for speedscope if it ends in .json, else folded stacks
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Arguments of the program
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// How a run ended, and whether anything is to be said about it.
pub enum Ended {
    Outcome(Outcome),
    /// An invoked function returned these.
    Values(Vec<String>),
}

impl Run {
    pub fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let limits = Limits::default();
        let opened = folders::open_all(&self.dir)?;
        let signed = artifact::obtain(&self.path, context, &limits)?;
        // Guests run on a thread of their own: that thread takes no signal but the runtime's, ctrl-C goes to this one.
        let json = context.json;
        let thread = std::thread::Builder::new().name("guest".into()).spawn(move || self.run_guest(signed, opened, &limits, json));
        let ended = thread.map_err(Failure::system)?.join();
        let ended = ended.map_err(|_| Failure::system("the thread that ran the program failed"))??;
        Ok(finish(ended, context))
    }

    fn run_guest(self, signed: Signed, opened: Vec<OpenedFolder>, limits: &Limits, json: bool) -> Result<Ended, Failure> {
        let mut recording = Recording::new(self.profile.clone());
        let slice = if recording.is_wanted() { PROFILED_SLICE } else { SLICE };
        let settings = RuntimeSettings { slice, reset: reset::forced().map_err(Failure::usage)?, ..RuntimeSettings::default() };
        let runtime = Runtime::start(settings).map_err(Failure::system)?;
        let ended = self.run_in(&runtime, signed, opened, limits, &mut recording)?;
        let told = recording.finish()?;
        if !json {
            eprint!("{told}");
        }
        Ok(ended)
    }

    fn run_in(
        self,
        runtime: &Runtime,
        signed: Signed,
        opened: Vec<OpenedFolder>,
        limits: &Limits,
        recording: &mut Recording,
    ) -> Result<Ended, Failure> {
        let pool = runtime.pool(1).map_err(Failure::system)?;
        let file = SealedFile::from_bytes(&signed.bytes).map_err(Failure::system)?;
        if let Some(function) = &self.invoke {
            let artifact = runtime.verify(file, &signed.key).map_err(Failure::program)?;
            limits.tenant().check(artifact.contract()).map_err(Failure::program)?;
            let module = runtime.map(&artifact).map_err(Failure::program)?;
            let (arguments, folders) = (vec![program_name(&self.path)], folders::given(opened));
            let input = HostInput { arguments, environment: self.env, folders, ..HostInput::default() };
            return invoke::invoke(&pool, &module, function, &self.arguments, input, limits.memory_bytes_max, recording);
        }
        let program = Program::load(runtime, &VerifiedArtifacts::new(signed.key), file, limits.tenant(), signed.files);
        let program = Arc::new(program.map_err(|refusal| Failure::program(refusal.sentence))?);
        if program.exchanges {
            return Err(Failure::usage(format!("{ANSWERS_VISITORS} (`vivarium deploy`)")));
        }
        let arguments = std::iter::once(program_name(&self.path)).chain(self.arguments).collect();
        let files = program.files.clone();
        let (stdin, folders) = (read_stdin(limits)?, folders::given(opened));
        let kv: Rc<dyn KvStores> = Rc::new(MemoryKv::new([DEFAULT_KV_STORE.to_owned()], limits.kv_bytes_max));
        let input = HostInput { arguments, environment: self.env, stdin, files, folders, kv: Some(kv), ..HostInput::default() };
        run_program(&pool, &program, input, limits, recording)
    }
}

/// Who runs a program in his own terminal may end it himself: processor time and output are not bounded, memory is.
fn run_program(
    pool: &Pool,
    program: &Arc<Program>,
    input: HostInput,
    limits: &Limits,
    recording: &mut Recording,
) -> Result<Ended, Failure> {
    let guest_limits = GuestLimits {
        cpu: Duration::MAX,
        cpu_name: "run_cpu_ms",
        memory_bytes_max: limits.memory_bytes_max,
        stdout_bytes_max: usize::MAX,
        stdout_name: "run_output_bytes_max",
        stderr_bytes_max: usize::MAX,
        log_lines_max: u32::MAX,
        arguments_bytes_max: limits.arguments_bytes_max,
        environment_bytes_max: limits.environment_bytes_max,
        scratch_bytes_max: limits.scratch_bytes_max,
        scratch_nodes_max: limits.scratch_nodes_max,
        fetches_max: limits.fetches_per_request_max,
        buffered_bytes_max: limits.buffered_bytes_max,
    };
    let mut guest = match Guest::begin(pool, program, input, guest_limits) {
        Ok(guest) => guest,
        Err(Refusal::Busy) => return Err(Failure::system("the only slot is in use")),
        Err(Refusal::Outcome(outcome)) => return Ok(Ended::Outcome(*outcome)),
    };
    guest.profile(recording.of(&program.module));
    let mut pause = guest.run();
    loop {
        recording.collect();
        pass_on(&guest.take_stdout(), &guest.take_stderr())?;
        // The lines are for logs; here they are only kept from piling up.
        drop(guest.log_lines());
        pause = match pause {
            Pause::Ended(outcome) => return Ok(Ended::Outcome(outcome)),
            Pause::Preempted => guest.run(),
            Pause::Waiting(wait) => {
                let Some(moment) = wait.until() else { return Ok(Ended::Outcome(waits_in_vain())) };
                std::thread::sleep(moment.saturating_duration_since(Instant::now()));
                guest.wake()
            }
        };
    }
}

/// The end of a program that waits for a visitor where there is none.
pub fn waits_in_vain() -> Outcome {
    Outcome::Failed { message: "it waits for a visitor, and a command has none; deploy it".into() }
}

/// Writes what a program printed. A reader that went away ends the program, as it would end any other.
pub fn pass_on(stdout: &[u8], stderr: &[u8]) -> Result<(), Failure> {
    let write = || -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        out.write_all(stdout)?;
        out.flush()?;
        std::io::stderr().lock().write_all(stderr)
    };
    write().map_err(|error| Failure::system(format!("cannot pass on what the program printed: {error}")))
}

fn finish(ended: Ended, context: &Context) -> ExitCode {
    let outcome = match ended {
        Ended::Values(values) => {
            context.print(|| serde_json::json!({ "results": values }), || values.iter().map(|value| format!("{value}\n")).collect());
            return ExitCode::SUCCESS;
        }
        Ended::Outcome(outcome) => outcome,
    };
    if context.json {
        // After the program's own output, as the last line of stderr: stdout is the program's.
        eprintln!("{}", serde_json::json!({ "outcome": outcome }));
    }
    match outcome {
        Outcome::Finished => ExitCode::SUCCESS,
        // As everywhere, the system keeps the low eight bits.
        Outcome::Exited { exit_code } => ExitCode::from((exit_code & 0xff) as u8),
        Outcome::Trapped(trap) => {
            eprint!("{}", trap_text(&trap));
            ExitCode::from(TRAPPED)
        }
        Outcome::Limited(limit) => {
            eprintln!("vivarium: the program was ended: {} (limit {})", limit.message, limit.name);
            ExitCode::from(LIMITED)
        }
        Outcome::Failed { message } => Failure::System(message).report(false),
    }
}

fn trap_text(trap: &TrapReport) -> String {
    let frames = trap.frames.iter().map(|frame| {
        let place = frame.place.as_ref().map(|place| format!(" at {place}")).unwrap_or_default();
        let offset = frame.wasm_offset.map(|offset| format!(" (wasm offset {offset:#x})")).unwrap_or_default();
        format!("  in {}{place}{offset}\n", frame.function)
    });
    format!("vivarium: the program trapped: {}\n", trap.message) + &frames.collect::<String>()
}

/// All of it, before the program starts. From a terminal nothing is read: nobody could tell when the program begins to wait for it.
fn read_stdin(limits: &Limits) -> Result<Bytes, Failure> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Ok(Bytes::new());
    }
    let mut bytes = Vec::new();
    let most = limits.stdin_bytes_max as u64;
    stdin.lock().take(most + 1).read_to_end(&mut bytes).map_err(|error| Failure::system(format!("cannot read stdin: {error}")))?;
    if bytes.len() as u64 > most {
        return Err(Failure::usage(format!("stdin is longer than the limit stdin_bytes_max of {most} bytes")));
    }
    Ok(bytes.into())
}

fn program_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_else(|| "program".into())
}

fn parse_variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".into()),
    }
}
