//! All functions of a module, translated and compiled on as many threads as there are processors. Threads take the next function from one counter,
//! so that a large one holds up nobody; each keeps one Cranelift context for all that it compiles.

use std::num::NonZero;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cranelift_codegen::Context;
use cranelift_frontend::FunctionBuilderContext;
use vivarium_artifact::abi::Builtin;

use crate::cache::key::{Keys, Wanted};
use crate::cache::{self, CacheUse, FunctionCache, References};
use crate::codegen::{self, CompiledFunction};
use crate::environment::Environment;
use crate::error::CompileError;
use crate::{Progress, Stage, trampoline, translate};

/// A module with less wasm than this in its bodies is compiled on the calling thread: starting another would take longer.
const PARALLEL_BODY_BYTES_MIN: u64 = 16 << 10;
/// Most threads that one compilation starts.
const THREADS_MAX: usize = 16;
/// How many functions are compiled between two reports of progress.
const PROGRESS_FUNCTIONS: u32 = 32;

/// A piece of code to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// A function, by index; without a body it is imported, and its code a trampoline.
    Function {
        index: u32,
        body: Option<u32>,
    },
    Builtin(Builtin),
    /// The trampoline by which foreign functions of a signature are called, by number.
    Foreign(u32),
    /// The trampoline that throws an exception of a tag.
    Throw(u32),
    Initializer,
    /// The entry trampoline of a signature, by number.
    Entry(u32),
}

/// The code of all jobs, in the jobs' order, and where the time went.
#[derive(Debug)]
pub struct CompiledModule {
    pub functions: Vec<(Job, CompiledFunction)>,
    /// Wall time, shared out by what the threads spent on each.
    pub translate: Duration,
    pub codegen: Duration,
    pub cache: CacheUse,
}

/// Makes all code of a module, or takes it from the cache.
pub fn compile_all(
    environment: &Environment<'_>,
    cache: Option<&FunctionCache>,
    progress: Progress<'_>,
) -> Result<CompiledModule, CompileError> {
    let started = Instant::now();
    let jobs = jobs(environment);
    let keys = Keys::new(environment, cache.is_some());
    let known = Known { keys: &keys, cache };
    let queue = Queue { jobs: &jobs, next: AtomicUsize::new(0), failed: AtomicBool::new(false), code_bytes: AtomicU64::new(0), progress };
    let finished = match threads(environment, jobs.len()) {
        1 => vec![work(environment, known, &queue)],
        threads => thread::scope(|scope| {
            let start = || scope.spawn(|| work(environment, known, &queue));
            let workers: Vec<_> = (0..threads).map(|_| start()).collect();
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err(crashed()))).collect()
        }),
    };
    let mut slots: Vec<Option<CompiledFunction>> = jobs.iter().map(|_| None).collect();
    let (mut translate, mut codegen, mut used) = (Duration::ZERO, Duration::ZERO, CacheUse::default());
    for worker in finished.into_iter().collect::<Result<Vec<_>, _>>()? {
        translate += worker.translate;
        codegen += worker.codegen;
        used.add(worker.cache_use);
        for (index, function) in worker.made {
            slots[index] = Some(function);
        }
    }
    let functions = jobs.iter().zip(slots).map(|(job, made)| Some((*job, made?))).collect::<Option<Vec<_>>>().ok_or_else(crashed)?;
    let wall = started.elapsed();
    let share = translate.as_secs_f64() / (translate + codegen).as_secs_f64().max(f64::MIN_POSITIVE);
    let translate = wall.mul_f64(share.clamp(0.0, 1.0));
    used.settle();
    Ok(CompiledModule { functions, translate, codegen: wall.saturating_sub(translate), cache: used })
}

/// One thread's share. A panic of the code generator is its bug or ours; the module's author still gets an answer.
fn work<'m>(environment: &'m Environment<'m>, known: Known<'m>, queue: &Queue<'_>) -> Result<Worker<'m>, CompileError> {
    let worked = panic::catch_unwind(AssertUnwindSafe(|| Worker::new(environment, known).work(queue)));
    worked.unwrap_or_else(|_| {
        queue.failed.store(true, Ordering::Relaxed);
        Err(crashed())
    })
}

fn crashed() -> CompileError {
    CompileError::Codegen { what: "this module".into(), message: "it failed on it".into() }
}

fn jobs(environment: &Environment<'_>) -> Vec<Job> {
    let module = environment.module;
    let imported = module.imports.len() as u32;
    let functions = (0..imported + module.bodies.len() as u32).map(|index| Job::Function { index, body: index.checked_sub(imported) });
    let linked = environment.contract().linked;
    let builtins = Builtin::ALL.into_iter().filter(|builtin| match builtin {
        Builtin::MemoryGrow => !module.memories.is_empty(),
        Builtin::TableGrow => !module.tables.is_empty(),
        Builtin::ThrowRef => linked || !module.tags.is_empty(),
        _ => linked,
    });
    let foreign = (1..=module.signatures.len() as u32).filter(|_| linked).map(Job::Foreign);
    let throws = (0..module.tags.len() as u32).map(Job::Throw);
    let initializer = environment.plan.has_initializer.then_some(Job::Initializer);
    let entries = environment.plan.entry_types.iter().map(|number| Job::Entry(*number));
    functions.chain(builtins.map(Job::Builtin)).chain(foreign).chain(throws).chain(initializer).chain(entries).collect()
}

fn threads(environment: &Environment<'_>, jobs: usize) -> usize {
    threads_for(environment.module.bodies.iter().map(|body| body.range().end - body.range().start).sum(), jobs)
}

/// How many threads so much wasm in bodies is worth, and so many jobs.
pub fn threads_for(body_bytes: u64, jobs: usize) -> usize {
    if body_bytes < PARALLEL_BODY_BYTES_MIN {
        return 1;
    }
    thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX).min(jobs.max(1))
}

struct Queue<'q> {
    jobs: &'q [Job],
    next: AtomicUsize,
    failed: AtomicBool,
    code_bytes: AtomicU64,
    progress: Progress<'q>,
}

impl Queue<'_> {
    fn take(&self) -> Option<(usize, Job)> {
        if self.failed.load(Ordering::Relaxed) {
            return None;
        }
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let job = *self.jobs.get(index)?;
        if (index as u32).is_multiple_of(PROGRESS_FUNCTIONS) {
            (self.progress)(Stage::Codegen, index as u32, self.jobs.len() as u32);
        }
        Some((index, job))
    }

    /// Counts a function's code, while all of it stays within the limit.
    fn admit(&self, function: CompiledFunction, code_bytes_max: u64) -> Result<CompiledFunction, CompileError> {
        let added = function.code.len() as u64;
        let total = self.code_bytes.fetch_add(added, Ordering::Relaxed) + added;
        if total > code_bytes_max {
            return Err(CompileError::limit("size of the compiled code in bytes", total, code_bytes_max));
        }
        Ok(function)
    }
}

/// What was compiled before.
#[derive(Clone, Copy)]
struct Known<'m> {
    keys: &'m Keys,
    cache: Option<&'m FunctionCache>,
}

/// One thread's contexts and results.
struct Worker<'m> {
    environment: &'m Environment<'m>,
    known: Known<'m>,
    cache_use: CacheUse,
    context: Context,
    builder: FunctionBuilderContext,
    made: Vec<(usize, CompiledFunction)>,
    translate: Duration,
    codegen: Duration,
}

impl<'m> Worker<'m> {
    fn new(environment: &'m Environment<'m>, known: Known<'m>) -> Worker<'m> {
        Worker {
            environment,
            known,
            cache_use: CacheUse::default(),
            context: Context::new(),
            builder: FunctionBuilderContext::new(),
            made: Vec::new(),
            translate: Duration::ZERO,
            codegen: Duration::ZERO,
        }
    }

    fn work(mut self, queue: &Queue<'_>) -> Result<Worker<'m>, CompileError> {
        while let Some((index, job)) = queue.take() {
            match self.make(job).and_then(|function| queue.admit(function, self.environment.policy.code_bytes_max)) {
                Ok(function) => self.made.push((index, function)),
                Err(error) => {
                    queue.failed.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        Ok(self)
    }

    fn make(&mut self, job: Job) -> Result<CompiledFunction, CompileError> {
        let started = Instant::now();
        let (environment, known) = (self.environment, self.known);
        self.cache_use.functions += 1;
        let wanted = known.keys.of(environment, job)?;
        let recalled = known.cache.and_then(|cache| cache::recall(cache, environment, job, &wanted, &mut self.cache_use));
        if let Some(function) = recalled {
            self.translate += started.elapsed();
            return Ok(function);
        }
        let mut function = self.compile(job, &wanted, started)?;
        if !cache::fill_in(environment, wanted.references.as_ref(), &mut function) {
            return Err(CompileError::Codegen {
                what: job_name(environment, job),
                message: "it refers to a number that is none here".into(),
            });
        }
        Ok(function)
    }

    fn compile(&mut self, job: Job, wanted: &Wanted, started: Instant) -> Result<CompiledFunction, CompileError> {
        let environment = self.environment;
        self.context.clear();
        let operators = translate_job(environment, job, wanted.references.as_ref(), &mut self.builder, &mut self.context)?;
        let translated = Instant::now();
        let function = codegen::compile(&mut self.context, environment, operators, &|| job_name(environment, job))?;
        self.translate += translated - started;
        cache::keep(environment, job, wanted, &function, &mut self.cache_use);
        self.codegen += translated.elapsed();
        Ok(function)
    }
}

/// The CLIF of a job, into an empty context; with references, as code that is shared. How many operators it was made of.
pub fn translate_job(
    environment: &Environment<'_>,
    job: Job,
    shared: Option<&References>,
    builder: &mut FunctionBuilderContext,
    context: &mut Context,
) -> Result<u64, CompileError> {
    match job {
        Job::Function { index, body: None } => trampoline::import(environment, index, builder, &mut context.func),
        Job::Function { body: Some(body), .. } => return translate::translate(environment, body, shared, builder, &mut context.func),
        Job::Builtin(builtin) => trampoline::builtin(environment, builtin, builder, &mut context.func),
        Job::Foreign(number) => trampoline::foreign(environment, number, builder, &mut context.func),
        Job::Throw(tag) => trampoline::throw(environment, tag, builder, &mut context.func),
        Job::Initializer => translate::initialize::translate(environment, builder, &mut context.func)?,
        Job::Entry(number) => trampoline::entry(environment, number, builder, &mut context.func),
    }
    Ok(0)
}

fn job_name(environment: &Environment<'_>, job: Job) -> String {
    match job {
        Job::Function { index, .. } => format!("function {}", environment.module.display_name(index)),
        Job::Builtin(builtin) => format!("the trampoline of {builtin:?}"),
        Job::Foreign(number) => format!("the trampoline of foreign functions of signature {number}"),
        Job::Throw(tag) => format!("the trampoline that throws exceptions of tag {tag}"),
        Job::Initializer => "the initializer".into(),
        Job::Entry(number) => format!("the entry of signature {number}"),
    }
}
