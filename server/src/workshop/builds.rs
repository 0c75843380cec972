//! Builds: a bounded queue, some threads that work it off, and what the last builds gave.
//!
//! ```text
//! enqueue ─► queue ─► thread ─► Pipeline::run ─► record (kept for a while) ─► event `build`, everybody who waits
//! ```
//! Parts: `record` is a build as the API shows it; `pipeline` goes from source to artifact; `failure` says why there is none;
//! `functions` is what compiling left for the same owner's next build; `recent` forgets in time.

mod failure;
mod functions;
mod pipeline;
mod recent;
mod record;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::watch;
use vivarium_toolchains::{Cancel, ProgramKind, SourceTree};

pub use failure::{BuildFailure, Fault};
pub use pipeline::{Ended, NotOptimised, Pipeline, Product, SETTING};
pub use recent::Recent;
pub use record::{Build, BuildState, Functions, Stage, diagnostic_bytes};

use super::events::{Hub, Topic};
use super::identifiers::{TokenHash, new_slug};
use crate::limits::Limits;

/// The least time between two events that differ in a count of functions only.
const FUNCTIONS_PACE: Duration = Duration::from_millis(40);

#[derive(Debug, Error)]
#[error("{build_queue_max} builds are waiting already, the limit build_queue_max: try again in a moment")]
pub struct QueueFull {
    pub build_queue_max: usize,
}

/// A build that is over, with all that a deployment or a run needs of it.
#[derive(Clone, Debug)]
pub struct FinishedBuild {
    pub build: Build,
    pub source: Arc<SourceTree>,
    /// None: it failed.
    pub product: Option<Product>,
}

/// Who wants a build, and what for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked {
    /// Overrides what the project file and the program's imports say it is.
    pub kind: Option<ProgramKind>,
    /// Has compiled before.
    pub owner: Option<TokenHash>,
    /// None: the server itself.
    pub client: Option<IpAddr>,
}

pub struct Builds {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    pub pipeline: Arc<Pipeline>,
    events: Arc<Hub>,
    limits: Arc<Limits>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<String>,
    records: HashMap<String, Record>,
    /// Oldest first.
    finished: VecDeque<String>,
    finished_bytes: usize,
    ended: bool,
}

/// What a thread takes from the queue.
struct Work {
    id: String,
    source: Arc<SourceTree>,
    owner: Option<TokenHash>,
    cancel: Cancel,
}

struct Record {
    build: Build,
    source: Arc<SourceTree>,
    kind: Option<ProgramKind>,
    owner: Option<TokenHash>,
    client: Option<IpAddr>,
    cancel: Cancel,
    queued_at: Instant,
    product: Option<Product>,
    over: watch::Sender<bool>,
    functions_told_at: Option<Instant>,
}

impl Builds {
    /// Starts the threads that build.
    pub fn start(pipeline: Arc<Pipeline>, events: Arc<Hub>, limits: Arc<Limits>) -> io::Result<Builds> {
        let shared = Arc::new(Shared { state: Mutex::default(), work: Condvar::new(), pipeline, events, limits });
        for number in 0..shared.limits.builds_at_once.max(1) {
            let shared = shared.clone();
            std::thread::Builder::new().name(format!("build-{number}")).spawn(move || shared.work_off())?;
        }
        Ok(Builds { shared })
    }

    /// Puts a program into the queue, where its client's turn is.
    pub fn enqueue(&self, source: SourceTree, asked: Asked) -> Result<Build, EnqueueError> {
        let Asked { kind, owner, client } = asked;
        let kind = kind.or(source.kind());
        let Limits { build_queue_max, builds_queued_per_client_max, .. } = *self.shared.limits;
        let mut state = self.shared.state();
        if state.queue.len() >= build_queue_max {
            return Err(QueueFull { build_queue_max }.into());
        }
        if client.is_some() && state.queue.iter().filter(|id| state.client(id) == client).count() >= builds_queued_per_client_max {
            return Err(EnqueueError::ClientsFull { builds_queued_per_client_max });
        }
        let id = new_slug()?;
        let turn = state.turn_of(client);
        state.queue.insert(turn, id.clone());
        let mut build = Build::queued(id.clone(), source.language());
        build.position = turn + 1;
        let record = Record {
            build: build.clone(),
            source: Arc::new(source),
            kind,
            owner,
            client,
            cancel: Cancel::new(),
            queued_at: Instant::now(),
            product: None,
            over: watch::Sender::new(false),
            functions_told_at: None,
        };
        state.records.insert(id, record);
        if turn + 1 < state.queue.len() {
            self.shared.tell_positions(&mut state);
        }
        drop(state);
        self.shared.work.notify_one();
        Ok(build)
    }

    /// The present state of a build; none when it was never asked for, or is forgotten.
    pub fn find(&self, id: &str) -> Option<Build> {
        self.shared.state().records.get(id).map(|record| record.build.clone())
    }

    /// A build that is over.
    pub fn finished(&self, id: &str) -> Option<FinishedBuild> {
        self.shared.state().records.get(id).filter(|record| record.build.state.is_final()).map(Record::finished)
    }

    /// Waits until the build is over, or for so long. None when it is not known.
    pub async fn wait(&self, id: &str, at_most: Duration) -> Option<Build> {
        let mut over = self.shared.state().records.get(id)?.over.subscribe();
        // Out of time, or forgotten meanwhile: either way the present state is the answer.
        drop(tokio::time::timeout(at_most, over.wait_for(|over| *over)).await);
        self.find(id)
    }

    /// Ends a build that is not over; its state is `failed` then. None when it is not known.
    pub fn cancel(&self, id: &str) -> Option<Build> {
        let mut state = self.shared.state();
        let record = state.records.get(id)?;
        record.cancel.cancel();
        if record.build.state == BuildState::Queued {
            state.queue.retain(|queued| queued != id);
            self.shared.finish(&mut state, id, Ended::cancelled());
            self.shared.tell_positions(&mut state);
        }
        state.records.get(id).map(|record| record.build.clone())
    }

    /// Builds that wait, and builds that are being worked on.
    pub fn load(&self) -> (usize, usize) {
        let state = self.shared.state();
        let building = state.records.values().filter(|record| record.build.state == BuildState::Building).count();
        (state.queue.len(), building)
    }

    pub fn pipeline(&self) -> &Arc<Pipeline> {
        &self.shared.pipeline
    }

    /// Cancels what runs, takes nothing more from the queue, lets the threads end.
    pub fn end(&self) {
        let mut state = self.shared.state();
        state.ended = true;
        state.records.values().for_each(|record| record.cancel.cancel());
        self.shared.work.notify_all();
    }
}

#[derive(Debug, Error)]
pub enum EnqueueError {
    #[error(transparent)]
    Full(#[from] QueueFull),
    #[error(
        "{builds_queued_per_client_max} builds of this client are waiting already, the limit builds_queued_per_client_max: wait until some are over"
    )]
    ClientsFull { builds_queued_per_client_max: usize },
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] io::Error),
}

impl State {
    fn client(&self, id: &str) -> Option<IpAddr> {
        self.records.get(id).and_then(|record| record.client)
    }

    /// The place in the queue for one more build of this client: before the first of another who has had more turns by then. What is being built counts
    /// as a turn.
    fn turn_of(&self, client: Option<IpAddr>) -> usize {
        let mut turns: HashMap<Option<IpAddr>, usize> = HashMap::new();
        for record in self.records.values().filter(|record| record.build.state == BuildState::Building) {
            *turns.entry(record.client).or_default() += 1;
        }
        let queued = self.queue.iter().filter(|id| self.client(id) == client).count();
        let own_turns = turns.get(&client).copied().unwrap_or(0) + queued;
        let has_more = |id: &String| {
            let turns_before = turns.entry(self.client(id)).or_default();
            *turns_before += 1;
            *turns_before > own_turns + 1
        };
        self.queue.iter().position(has_more).unwrap_or(self.queue.len())
    }
}

impl Shared {
    fn work_off(&self) {
        while let Some(Work { id, source, owner, cancel }) = self.next() {
            // A panic ends this build, not the thread; no lock here keeps what was half done, for each is held for whole steps only.
            let run = || self.pipeline.run(&source, owner, &cancel, &|stage, functions| self.progress(&id, stage, functions));
            let ended = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Ended::failed(BuildFailure::defect()));
            let mut state = self.state();
            self.finish(&mut state, &id, ended);
        }
    }

    /// Waits for work; none when the server ends.
    fn next(&self) -> Option<Work> {
        let mut state = self.state();
        loop {
            if state.ended {
                return None;
            }
            let Some(id) = state.queue.pop_front() else {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let Some(record) = state.records.get_mut(&id) else { continue };
            record.build.state = BuildState::Building;
            record.build.position = 0;
            record.build.timings.queue = Some(record.queued_at.elapsed().as_secs_f64() * 1e6);
            let work = Work { id, source: record.source.clone(), owner: record.owner, cancel: record.cancel.clone() };
            self.tell_positions(&mut state);
            return Some(work);
        }
    }

    fn tell_positions(&self, state: &mut State) {
        let State { queue, records, .. } = state;
        for (index, id) in queue.iter().enumerate() {
            if let Some(record) = records.get_mut(id) {
                record.build.position = index + 1;
                self.tell(&record.build);
            }
        }
    }

    fn progress(&self, id: &str, stage: Stage, functions: Option<Functions>) {
        let mut state = self.state();
        let Some(record) = state.records.get_mut(id) else { return };
        let same_stage = record.build.stage == Some(stage);
        record.build.stage = Some(stage);
        record.build.functions = functions;
        if same_stage && record.functions_told_at.is_some_and(|told_at| told_at.elapsed() < FUNCTIONS_PACE) {
            return;
        }
        record.functions_told_at = Some(Instant::now());
        self.tell(&record.build);
    }

    fn finish(&self, state: &mut State, id: &str, ended: Ended) {
        let Some(record) = state.records.get_mut(id) else { return };
        record.end(ended);
        self.tell(&record.build);
        record.over.send_replace(true);
        state.finished_bytes += record.bytes();
        state.finished.push_back(id.to_owned());
        self.forget_oldest(state);
    }

    fn forget_oldest(&self, state: &mut State) {
        let most = (self.limits.build_results_max, self.limits.build_results_bytes_max);
        while state.finished.len() > 1 && (state.finished.len() > most.0 || state.finished_bytes > most.1) {
            let Some(oldest) = state.finished.pop_front() else { break };
            let bytes = state.records.remove(&oldest).map_or(0, |record| record.bytes());
            state.finished_bytes -= bytes;
        }
    }

    fn tell(&self, build: &Build) {
        self.events.publish(&Topic::Build(build.id.clone()), "build", build);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn end(&mut self, ended: Ended) {
        let build = &mut self.build;
        build.timings = crate::control::messages::Timings { queue: build.timings.queue, ..ended.timings };
        build.position = 0;
        (build.stage, build.functions) = (None, None);
        build.diagnostics = ended.diagnostics;
        build.output = ended.output;
        match ended.result {
            Ok(mut product) => {
                product.kind = self.kind.unwrap_or(product.kind);
                build.state = BuildState::Ready;
                build.kind = Some(product.kind);
                build.wasm_bytes = Some(product.wasm.len());
                build.artifact_bytes = Some(product.artifact_bytes);
                self.product = Some(product);
            }
            Err(failure) => {
                build.state = BuildState::Failed;
                if let Some(BuildFailure { sentence, limit, fault }) = failure {
                    (build.error, build.limit, build.fault) = (Some(sentence), limit, fault);
                }
            }
        }
    }

    fn bytes(&self) -> usize {
        let source: usize = self.source.files().values().map(String::len).sum();
        let diagnostics: usize = self.build.diagnostics.iter().map(diagnostic_bytes).sum();
        let functions = |product: &Product| product.functions.as_ref().map_or(0, |functions| functions.len());
        source + self.build.output.len() + diagnostics + self.product.as_ref().map_or(0, |product| product.wasm.len() + functions(product))
    }

    fn finished(&self) -> FinishedBuild {
        FinishedBuild { build: self.build.clone(), source: self.source.clone(), product: self.product.clone() }
    }
}

#[cfg(test)]
mod tests;
