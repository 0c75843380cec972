//! The workshop's compile workers: kept warm, given one job at a time, ended and replaced when they hang or die.

use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use vivarium_abi::program::Kind;
use vivarium_artifact::Setting;
use vivarium_compiler::Timings;
use vivarium_toolchains::Cancel;

use super::frames::{Blob, Bounds, FromWorker, Interrupted, Patience, Product, ToWorker};
use crate::control::messages::SourcePlace;
use crate::limits::Limits;
use crate::processes::Spawner;

/// A worker is replaced after so many jobs, so that nothing in it can pile up.
const JOBS_MAX: u32 = 500;
/// From the start of a worker to its first answer.
const START_MAX: Duration = Duration::from_secs(10);
/// How often a caller who waits for a worker looks whether it is still wanted.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// A stage of the compiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Validate,
    Translate,
    Codegen,
    Link,
}

impl From<vivarium_compiler::Stage> for Stage {
    fn from(stage: vivarium_compiler::Stage) -> Stage {
        match stage {
            vivarium_compiler::Stage::Validate => Stage::Validate,
            vivarium_compiler::Stage::Translate => Stage::Translate,
            vivarium_compiler::Stage::Codegen => Stage::Codegen,
            vivarium_compiler::Stage::Link => Stage::Link,
        }
    }
}

/// What is to be compiled.
#[derive(Debug, Clone, Copy)]
pub struct Job<'j> {
    pub wasm: &'j [u8],
    pub setting: Setting,
    /// Code of functions that earlier jobs of the same tenant left, as they left it; of nobody else.
    pub own: &'j [u8],
    /// How large what becomes of `own` may be, in bytes.
    pub own_bytes_max: u64,
}

impl<'j> Job<'j> {
    /// A job that nothing is known of and that leaves nothing.
    pub fn new(wasm: &'j [u8], setting: Setting) -> Job<'j> {
        Job { wasm, setting, own: &[], own_bytes_max: 0 }
    }
}

/// What a worker made of a wasm module.
#[derive(Debug, Clone)]
pub struct CompiledWasm {
    /// The artifact, not signed yet.
    pub elf: Vec<u8>,
    /// The wasm that the artifact is of and that is to be kept, where that is not what was sent: with a table of lines for its debug information.
    pub condensed: Option<Vec<u8>>,
    /// What [`Job::own`] has become, when something was added to it.
    pub own: Option<Vec<u8>>,
    /// Functions that were not compiled because their code was there, and all of them; trampolines count.
    pub functions_found: u32,
    pub functions: u32,
    pub timings: Timings,
    pub kind: Kind,
    /// Imports that are known and not implemented, as `module.name`.
    pub stubs: Vec<String>,
    pub exports: Vec<String>,
    /// Why it can be compiled but not run (it has no entry), when that is so.
    pub not_runnable: Option<String>,
}

/// Why there is no artifact.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CompileFailure {
    /// The module's own fault, and where in its source that is, when known.
    #[error("{sentence}")]
    Refused { sentence: String, place: Option<SourcePlace> },
    #[error("the compiler ended without an answer, most likely for want of memory ({0}); make the program smaller")]
    Crashed(String),
    #[error("compiling took longer than {wall_ms} ms (limit {limit}); make the program smaller")]
    TimedOut { limit: &'static str, wall_ms: u64 },
    #[error("the compilation was cancelled")]
    Cancelled,
    /// The server's fault, as a sentence.
    #[error("no compiler could be started: {0}")]
    Unavailable(String),
}

/// The workers. Shared by threads; [`CompilePool::compile`] waits for a free one.
pub struct CompilePool {
    spawner: Arc<Spawner>,
    bounds: Bounds,
    wall: Duration,
    slots: Mutex<Vec<Slot>>,
    freed: Condvar,
    /// Code of functions that every worker gets.
    shared: OnceLock<Arc<[u8]>>,
}

/// One place for a worker. `Vacant` → `Warm` → `Taken` → `Warm`, or `Vacant` when it was ended.
enum Slot {
    Vacant,
    Warm(Box<Worker>),
    Taken,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Priority {
    Usual,
    Background,
}

struct Worker {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    ready: bool,
    /// Whether it has the code that every worker gets.
    has_shared: bool,
    jobs: u32,
}

impl CompilePool {
    /// Starts all workers; does not wait until they are warm. One that cannot be started is tried again when it is needed.
    pub fn start(spawner: Arc<Spawner>, workers: usize, limits: &Limits) -> CompilePool {
        let bounds = Bounds::of(limits);
        let slots = (0..workers.max(1)).map(|_| Slot::fresh(&spawner, bounds)).collect();
        let wall = Duration::from_millis(limits.compile_wall_ms);
        CompilePool { spawner, bounds, wall, slots: Mutex::new(slots), freed: Condvar::new(), shared: OnceLock::new() }
    }

    /// Gives this code to every worker before its next job, once and for all. It must come from programs of this server's own.
    pub fn share(&self, pack: Arc<[u8]>) {
        // Whoever comes second has nothing better.
        drop(self.shared.set(pack));
    }

    /// Compiles; blocks until it is done, was refused, took too long or was cancelled.
    pub fn compile(&self, job: Job<'_>, progress: &dyn Fn(Stage, u32, u32), cancel: &Cancel) -> Result<CompiledWasm, CompileFailure> {
        let (index, worker) = self.take(cancel)?;
        let mut place = Place { pool: self, index, worker: None };
        // A start function runs where no other program was compiled before, nor will be.
        let has_start = vivarium_compiler::has_start(job.wasm);
        let mut worker = match worker.filter(|worker| !has_start || worker.jobs == 0) {
            Some(worker) => worker,
            None => self.start_worker(Priority::Usual)?,
        };
        let answer = self.have_compiled(&mut worker, job, progress, cancel)?;
        if worker.jobs < JOBS_MAX && !has_start {
            place.worker = Some(worker);
        }
        answer
    }

    /// As [`CompilePool::compile`], for what nobody waits for: by a worker of its own, of low priority, which ends with the job. It has seen no other
    /// program before.
    pub fn compile_in_background(&self, job: Job<'_>, cancel: &Cancel) -> Result<CompiledWasm, CompileFailure> {
        let mut worker = self.start_worker(Priority::Background)?;
        self.have_compiled(&mut worker, job, &|_, _, _| {}, cancel)?
    }

    fn start_worker(&self, priority: Priority) -> Result<Box<Worker>, CompileFailure> {
        Worker::start(&self.spawner, self.bounds, priority).map_err(|error| CompileFailure::Unavailable(error.to_string()))
    }

    fn have_compiled(
        &self,
        worker: &mut Worker,
        job: Job<'_>,
        progress: &dyn Fn(Stage, u32, u32),
        cancel: &Cancel,
    ) -> Result<Result<CompiledWasm, CompileFailure>, CompileFailure> {
        let cancelled = || cancel.is_cancelled();
        worker.warm_up(&cancelled)?;
        let patience = Patience { deadline: Instant::now() + self.wall, cancelled: &cancelled };
        // Optimised code is never shared.
        let shared = self.shared.get().filter(|_| job.setting == Setting::Fast);
        let answer = worker.take_shared(shared, &patience).and_then(|()| {
            let Job { wasm, setting, own, own_bytes_max } = job;
            let job = ToWorker::Compile { wasm: Blob(wasm.to_vec()), setting, own: Blob(own.to_vec()), own_bytes_max };
            worker.work(job, &patience, progress)
        });
        answer.map_err(|interrupted| self.failure(interrupted, worker))
    }

    /// Processes that are alive now.
    pub fn pids(&self) -> Vec<u32> {
        self.slots().iter().filter_map(|slot| if let Slot::Warm(worker) = slot { Some(worker.child.id()) } else { None }).collect()
    }

    /// A place, with its worker if it has one.
    fn take(&self, cancel: &Cancel) -> Result<(usize, Option<Box<Worker>>), CompileFailure> {
        let mut slots = self.slots();
        loop {
            let warm = slots.iter().position(|slot| matches!(slot, Slot::Warm(_)));
            let free = warm.or_else(|| slots.iter().position(|slot| matches!(slot, Slot::Vacant)));
            if let Some(index) = free {
                let taken = std::mem::replace(&mut slots[index], Slot::Taken);
                return Ok((index, if let Slot::Warm(worker) = taken { Some(worker) } else { None }));
            }
            if cancel.is_cancelled() {
                return Err(CompileFailure::Cancelled);
            }
            slots = self.freed.wait_timeout(slots, LOOK_INTERVAL).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn failure(&self, interrupted: Interrupted, worker: &mut Worker) -> CompileFailure {
        match interrupted {
            Interrupted::Broken(error) => CompileFailure::Crashed(worker.end().unwrap_or(error.to_string())),
            Interrupted::TimedOut => CompileFailure::TimedOut { limit: "compile_wall_ms", wall_ms: self.wall.as_millis() as u64 },
            Interrupted::Cancelled => CompileFailure::Cancelled,
        }
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that is taken; it gets its worker back, or a fresh one, when this is dropped.
struct Place<'p> {
    pool: &'p CompilePool,
    index: usize,
    worker: Option<Box<Worker>>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let slot = match self.worker.take() {
            Some(worker) => Slot::Warm(worker),
            None => Slot::fresh(&self.pool.spawner, self.pool.bounds),
        };
        self.pool.slots()[self.index] = slot;
        self.pool.freed.notify_one();
    }
}

impl Slot {
    fn fresh(spawner: &Spawner, bounds: Bounds) -> Slot {
        Worker::start(spawner, bounds, Priority::Usual).map_or(Slot::Vacant, Slot::Warm)
    }
}

impl Worker {
    fn start(spawner: &Spawner, bounds: Bounds, priority: Priority) -> std::io::Result<Box<Worker>> {
        let mut child = spawner.spawn_role("compile-worker", Stdio::piped(), Stdio::piped())?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(std::io::Error::other("the worker has no pipes"));
        };
        let mut worker = Box::new(Worker { child, input, output, ready: false, has_shared: false, jobs: 0 });
        let in_background = priority == Priority::Background;
        super::frames::write(&mut worker.input, &ToWorker::Setup { bounds, in_background })?;
        rustix::io::ioctl_fionbio(&worker.input, true)?;
        rustix::io::ioctl_fionbio(&worker.output, true)?;
        Ok(worker)
    }

    /// Waits until it is ready, if nobody has yet.
    fn warm_up(&mut self, cancelled: &dyn Fn() -> bool) -> Result<(), CompileFailure> {
        let patience = Patience { deadline: Instant::now() + START_MAX, cancelled };
        while !self.ready {
            match patience.read(&mut self.output) {
                Ok(FromWorker::Ready) => self.ready = true,
                Ok(FromWorker::Unable { sentence }) => return Err(CompileFailure::Unavailable(sentence)),
                Ok(_) => {}
                Err(Interrupted::Cancelled) => return Err(CompileFailure::Cancelled),
                Err(Interrupted::TimedOut) => return Err(CompileFailure::Unavailable("it did not become ready in time".into())),
                Err(Interrupted::Broken(error)) => return Err(CompileFailure::Unavailable(self.end().unwrap_or(error.to_string()))),
            }
        }
        Ok(())
    }

    /// Gives it the code that every worker gets, unless it has that.
    fn take_shared(&mut self, shared: Option<&Arc<[u8]>>, patience: &Patience<'_>) -> Result<(), Interrupted> {
        if let Some(pack) = shared.filter(|_| !self.has_shared) {
            patience.write(&mut self.input, &ToWorker::Share { pack: Blob(pack.to_vec()) })?;
            self.has_shared = true;
        }
        Ok(())
    }

    fn work(
        &mut self,
        job: ToWorker,
        patience: &Patience<'_>,
        progress: &dyn Fn(Stage, u32, u32),
    ) -> Result<Result<CompiledWasm, CompileFailure>, Interrupted> {
        self.jobs += 1;
        patience.write(&mut self.input, &job)?;
        loop {
            match patience.read(&mut self.output)? {
                FromWorker::Progress { stage, done, total } => progress(stage, done, total),
                FromWorker::Compiled(product) => return Ok(Ok(compiled(product))),
                FromWorker::Refused { sentence, place } => return Ok(Err(CompileFailure::Refused { sentence, place })),
                FromWorker::Unable { sentence } => return Ok(Err(CompileFailure::Unavailable(sentence))),
                FromWorker::Ready => {}
            }
        }
    }

    /// How it ended, in words.
    fn end(&mut self) -> Option<String> {
        let _ = self.child.kill();
        self.child.wait().ok().map(|status| status.to_string())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

fn compiled(product: Product) -> CompiledWasm {
    CompiledWasm {
        elf: product.elf.0,
        condensed: product.condensed.map(|condensed| condensed.0),
        own: product.own.map(|own| own.0),
        functions_found: product.functions_found,
        functions: product.functions,
        timings: Timings {
            validate_us: product.validate_us,
            translate_us: product.translate_us,
            codegen_us: product.codegen_us,
            link_us: product.link_us,
        },
        kind: if product.is_service { Kind::Service } else { Kind::Command },
        stubs: product.stubs,
        exports: product.exports,
        not_runnable: product.not_runnable,
    }
}
