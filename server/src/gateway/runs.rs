//! Commands: a program run once, with arguments and standard input, on a gateway thread like any guest.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use vivarium_abi::{HostInput, KvStores, MemoryKv};

use super::guest::{Guest, GuestLimits, Program, Refusal};
use super::thread::{Thread, Wall};
use crate::control::messages::{Outcome, Run, RunOutcome, Timings};
use crate::control::settings::DEFAULT_KV_STORE;

/// What a program is called when nobody named it.
const PROGRAM_NAME: &str = "program";
/// Of a program that is run though it could only be asked.
pub const ANSWERS_VISITORS: &str =
    "the program answers visitors through the Compute ABI, and a run has none: deploy it, and ask it at its URL";
/// Lines of standard error, beyond which it counts as truncated.
const STDERR_LINES_MAX: u32 = 65_536;

/// Runs it to its end. The error is a sentence: it did not run at all.
pub async fn run(thread: &Thread, program: &Arc<Program>, run: Run) -> Result<RunOutcome, String> {
    if program.exchanges {
        return Ok(not_begun(Outcome::Failed { message: ANSWERS_VISITORS.into() }, program));
    }
    let limits = &thread.shared.start.limits;
    let (asked_at, memory) = (Instant::now(), &thread.shared.memory);
    let share = memory.admit_or_wait(program.memory_bytes() + run.stdin.len() as u64).await;
    let share = share.ok_or_else(|| format!("{} Try again.", memory.refusal()))?;
    let waited = asked_at.elapsed();
    let guest_limits = GuestLimits {
        cpu: Duration::from_millis(limits.run_cpu_ms),
        cpu_name: "run_cpu_ms",
        memory_bytes_max: limits.memory_bytes_max,
        stdout_bytes_max: limits.run_output_bytes_max,
        stdout_name: "run_output_bytes_max",
        stderr_bytes_max: limits.run_output_bytes_max,
        log_lines_max: STDERR_LINES_MAX,
        arguments_bytes_max: limits.arguments_bytes_max,
        environment_bytes_max: limits.environment_bytes_max,
        scratch_bytes_max: limits.scratch_bytes_max,
        scratch_nodes_max: limits.scratch_nodes_max,
        buffered_bytes_max: limits.buffered_bytes_max,
        fetches_max: limits.fetches_per_request_max,
    };
    let mut guest = match Guest::begin(&thread.pool, program, input(run, program, limits.kv_bytes_max), guest_limits) {
        Ok(guest) => guest,
        Err(Refusal::Busy) => return Err("all slots of the gateway are in use: try again".into()),
        Err(Refusal::Outcome(outcome)) => return Ok(not_begun(*outcome, program)),
    };
    guest.draw_on(share.budget());
    let wall = Wall { allowed: Duration::from_millis(limits.run_wall_ms), name: "run_wall_ms" };
    // The lines are taken apart only for logs of deployments; a command's standard error is handed over as it was written.
    let driven = thread.drive(&mut guest, &share, wall, |guest| drop(guest.log_lines())).await;
    let (stdout, stderr) = (guest.take_stdout().to_vec(), guest.take_stderr().to_vec());
    let stderr_truncated = guest.stderr_truncated();
    let stdout_truncated = matches!(&driven.outcome, Outcome::Limited(limit) if limit.name == guest_limits.stdout_name);
    let timings = Timings { load: loaded_in(program).load, ..thread.end(guest, waited + driven.queued).0 };
    // The next run is most likely another program's: a slot kept ready for this one would only hold its memory.
    thread.pool.forget(&program.module);
    let exit_code = exit_code(&driven.outcome);
    Ok(RunOutcome { exit_code, stdout, stderr, stdout_truncated, stderr_truncated, outcome: driven.outcome, timings })
}

/// What it puts into its stores ends with it.
fn input(run: Run, program: &Program, kv_bytes_max: u64) -> HostInput {
    let arguments = std::iter::once(PROGRAM_NAME.to_owned()).chain(run.arguments).collect();
    let (environment, stdin, files) = (run.environment, Bytes::from(run.stdin), program.files.clone());
    let kv: Option<Rc<dyn KvStores>> = Some(Rc::new(MemoryKv::new([DEFAULT_KV_STORE.to_owned()], kv_bytes_max)));
    HostInput { arguments, environment, stdin, files, kv, ..HostInput::default() }
}

/// A program that returned has succeeded.
fn exit_code(outcome: &Outcome) -> Option<u32> {
    match outcome {
        Outcome::Finished => Some(0),
        Outcome::Exited { exit_code } => Some(*exit_code),
        Outcome::Trapped(_) | Outcome::Limited(_) | Outcome::Failed { .. } => None,
    }
}

fn loaded_in(program: &Program) -> Timings {
    Timings { load: Some(program.load_us), ..Timings::default() }
}

fn not_begun(outcome: Outcome, program: &Program) -> RunOutcome {
    let (stdout, stderr) = (vec![], vec![]);
    RunOutcome { exit_code: None, stdout, stderr, stdout_truncated: false, stderr_truncated: false, outcome, timings: loaded_in(program) }
}
