//! Workers: a node process in the jail that has asc loaded and warm. One is taken for a build, ends with it, and another is warmed.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{ChildStdin, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use crate::diagnostic::Diagnostic;
use crate::job::JobFolder;
use crate::output_guard::OutputGuard;
use crate::process::{Budget, Finished, Running, ending, io_error};
use crate::settings::Settings;
use crate::{BuildError, BuildLimits, Cancel, verdict};

use super::super::{Purpose, Tools};
use super::{NODE_HEAP_OPTION, Request};

/// Workers that wait, warm, for a program: about 200 MiB each.
const WORKERS_IDLE_MAX: usize = 2;
/// Of these, kept for builds: somebody waits for one, and for a check nobody does.
const WORKERS_OF_BUILDS: usize = 1;
/// Compilations before a worker is warm: the first takes 1.4 s of processor time, the second 0.7, a third 0.35, a fourth 0.25.
const WARMING_COMPILATIONS: usize = 2;
/// Processor time that loading and warming may take, on top of a build's.
const WARM_CPU_MS: u64 = 10_000;
/// How long a worker that waited may take to say that it is there.
const PING_WALL_MS: u64 = 2_000;
/// What one worker may print, its answers included.
const PRINTED_BYTES_MAX: usize = 1024 * 1024;

const WORKER: &str = include_str!("worker.mjs");
const WARM: &str = include_str!("warm.ts");

/// What a worker says of one compilation.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    pub compiled: bool,
    pub diagnostics: Vec<Diagnostic>,
    pub output: String,
}

/// The workers that wait.
#[derive(Debug, Default)]
pub(crate) struct Workers {
    pool: Mutex<Pool>,
}

#[derive(Debug, Default)]
struct Pool {
    idle: Vec<Worker>,
    warming: usize,
    /// The tools that new workers are started with, once someone asked for warm ones.
    tools: Option<Arc<Tools>>,
}

impl Workers {
    /// Fills the pool, from now on after each build too. Blocks until the first workers wait.
    pub fn warm(&self, tools: &Arc<Tools>) -> Result<(), BuildError> {
        self.lock().tools = Some(tools.clone());
        self.refill()
    }

    /// A warm worker, if one waits and answers. One that died while it waited is thrown away: that is no build's fault.
    pub fn take(&self, purpose: Purpose, budget: &Budget) -> Option<Worker> {
        loop {
            let mut worker = self.pop(purpose)?;
            if worker.answers(budget) {
                return Some(worker);
            }
        }
    }

    fn pop(&self, purpose: Purpose) -> Option<Worker> {
        let mut pool = self.lock();
        if may_take(pool.idle.len(), purpose) { pool.idle.pop() } else { None }
    }

    /// Starts workers until the pool is full; without tools, none. One that fails is tried again after the next build.
    pub fn refill(&self) -> Result<(), BuildError> {
        while let Some(tools) = self.reserve() {
            let worker = Worker::start(&tools).and_then(Worker::warmed);
            let mut pool = self.lock();
            pool.warming -= 1;
            pool.idle.push(worker?);
        }
        Ok(())
    }

    fn reserve(&self) -> Option<Arc<Tools>> {
        let mut pool = self.lock();
        let missing = pool.idle.len() + pool.warming < WORKERS_IDLE_MAX;
        let tools = pool.tools.clone().filter(|_| missing)?;
        pool.warming += 1;
        Some(tools)
    }

    /// A thread that panicked here left the numbers right: nothing between lock and unlock can.
    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn may_take(idle: usize, purpose: Purpose) -> bool {
    idle > if purpose == Purpose::Check { WORKERS_OF_BUILDS } else { 0 }
}

/// One worker. Dropped, its process is killed and its folder removed.
#[derive(Debug)]
pub(crate) struct Worker {
    // Before the folder, so that the process is gone when the folder is removed.
    running: Running,
    stdin: Option<ChildStdin>,
    /// What it printed that is no answer yet.
    printed: Vec<u8>,
    /// Lines that are no answer: node's own trouble.
    trouble: Vec<u8>,
    job: JobFolder,
}

impl Worker {
    pub fn start(tools: &Tools) -> Result<Worker, BuildError> {
        let job = JobFolder::create(&tools.jail.toolchains)?;
        job.write_sources(&BTreeMap::from([("worker.mjs".to_owned(), WORKER.to_owned())]))?;
        let paths = tools.jail.paths(&job);
        let mut limits = BuildLimits::default();
        limits.build_cpu_ms += WARM_CPU_MS;
        let worker = format!("{}/worker.mjs", paths.source);
        let args = [NODE_HEAP_OPTION.to_owned(), worker, format!("{}/asc", paths.root), paths.output];
        let command = tools.jail.command(&job, &limits, &format!("{}/usr/bin/node", paths.root), &args);
        let mut running =
            tools.spawner.start(command, Stdio::piped(), OutputGuard::new(&job)).map_err(|error| io_error("cannot start node", error))?;
        let stdin = running.take_stdin();
        Ok(Worker { running, stdin, printed: Vec::new(), trouble: Vec::new(), job })
    }

    /// Compiles a small program of our own, so that the next one meets warm code.
    fn warmed(mut self) -> Result<Worker, BuildError> {
        let files = BTreeMap::from([("main.ts".to_owned(), WARM.to_owned())]);
        for _ in 0..WARMING_COMPILATIONS {
            let answer =
                self.compile(&files, &Settings::default(), &Budget::new(&BuildLimits::default(), &Cancel::new()), Purpose::Build)?;
            if !answer.compiled {
                return Err(BuildError::Crashed { last_words: answer.output });
            }
        }
        self.job.remove_output("main.wasm");
        Ok(self)
    }

    /// Whether it still reads and writes. What it said before is nothing that a build asked for.
    fn answers(&mut self, budget: &Budget) -> bool {
        let patience = budget.beginning_now(PING_WALL_MS);
        self.write_line(b"ping\n") && self.has_answered(&patience)
    }

    fn has_answered(&mut self, patience: &Budget) -> bool {
        loop {
            match self.take_line() {
                Some(line) if line == b"pong\n" => return true,
                Some(line) => self.trouble.extend(line),
                None if self.read_more(patience).unwrap_or(false) => {}
                None => return false,
            }
        }
    }

    /// Lines are shorter than any pipe's buffer, so a worker that does not read cannot hold us up.
    fn write_line(&mut self, line: &[u8]) -> bool {
        self.stdin.as_mut().is_some_and(|stdin| stdin.write_all(line).is_ok())
    }

    pub(super) fn compile(
        &mut self,
        files: &BTreeMap<String, String>,
        settings: &Settings,
        budget: &Budget,
        purpose: Purpose,
    ) -> Result<Answer, BuildError> {
        self.job.write_sources(&BTreeMap::from([("request.json".to_owned(), Request::to_json(files, settings, purpose)?)]))?;
        if !self.write_line(b"request.json\n") {
            return Err(self.failure(budget));
        }
        loop {
            if let Some(line) = self.take_line() {
                match serde_json::from_slice(&line) {
                    Ok(answer) => return Ok(answer),
                    Err(_) => self.trouble.extend(line),
                }
            } else if !self.read_more(budget)? {
                return Err(self.failure(budget));
            }
        }
    }

    pub fn read_output(&mut self, budget: &Budget) -> Result<Vec<u8>, BuildError> {
        // Nothing may write while the output is checked and read.
        self.running.end().map_err(|error| io_error("cannot end node", error))?;
        self.job.read_output("main.wasm", budget.limits.wasm_bytes_max)
    }

    fn take_line(&mut self) -> Option<Vec<u8>> {
        let end = self.printed.iter().position(|&byte| byte == b'\n')?;
        let line = self.printed.drain(..=end).collect();
        Some(line)
    }

    /// Waits for more output; false at its end.
    fn read_more(&mut self, budget: &Budget) -> Result<bool, BuildError> {
        if self.printed.len() + self.trouble.len() > PRINTED_BYTES_MAX {
            return Err(BuildError::OutputTooLarge { build_output_bytes_max: PRINTED_BYTES_MAX });
        }
        let mut buffer = vec![0; 64 * 1024];
        if !self.running.wait(budget, false)?.readable {
            return Ok(false);
        }
        let count = self.running.read(&mut buffer)?;
        self.printed.extend_from_slice(&buffer[..count]);
        Ok(count > 0)
    }

    /// Why it ended without an answer.
    fn failure(&mut self, budget: &Budget) -> BuildError {
        let ending = match self.running.end() {
            Ok(status) => ending(status),
            Err(error) => return io_error("cannot end node", error),
        };
        self.trouble.append(&mut self.printed);
        let finished = Finished { ending, output: std::mem::take(&mut self.trouble), elapsed: budget.elapsed() };
        match verdict::exit_code(&finished, &budget.limits) {
            Ok(_) => BuildError::Crashed { last_words: verdict::last_words(&finished.output) },
            Err(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_the_worker_writes_it() {
        let line = r#"{"compiled":false,"diagnostics":[{"file":"main.ts","line":1,"column":2,"end_line":null,"end_column":null,"severity":"error","code":"AS2304","message":"m","source":"asc","notes":[{"message":"related to this","file":"main.ts","line":3,"column":4}]}],"output":"x"}"#;
        let answer: Answer = serde_json::from_str(line).unwrap();
        assert_eq!(answer.diagnostics[0].notes[0].line, Some(3));
    }
}
