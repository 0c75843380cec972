//! The thread that takes artifacts in: checks the signature, maps the code, resolves the imports. That reads the whole of an artifact that is new, so it must keep neither
//! messages of the workshop nor visitors waiting. Answers come when they are ready, not in the order of the questions.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use ed25519_dalek::VerifyingKey;
use tokio::sync::mpsc;
use vivarium_runtime::{LoadedModule, SealedFile, VerifiedArtifacts};

use super::deployments::Revision;
use super::guest::Program;
use super::thread::{Shared, Task};
use crate::control::messages::{CallId, FromGateway, LoadRefusal, Loaded, Run};
use crate::project::Files;

/// Artifacts that wait to be taken in.
const JOBS_MAX: usize = 256;
/// Stack of the thread, in bytes.
const STACK_BYTES: usize = 1 << 20;
const TOO_MANY: &str = "this gateway has too many programs to load: try again";

/// What an artifact is taken in for.
pub enum Purpose {
    Serve(Loaded),
    Run(Run),
}

pub struct Job {
    pub call: CallId,
    pub purpose: Purpose,
    /// The artifact in a sealed file.
    pub descriptor: Option<OwnedFd>,
    pub answers: mpsc::Sender<FromGateway>,
}

/// The control thread's end.
pub struct Loader {
    jobs: SyncSender<Job>,
}

/// The thread's own.
struct Loading {
    shared: Arc<Shared>,
    /// Whatever is loaded twice, for a fork or for a Run of what is deployed, is read once.
    verified: VerifiedArtifacts,
    threads: Vec<mpsc::Sender<Task>>,
    next_thread: usize,
}

impl Loader {
    /// Starts the thread: to be called before the process is sealed.
    pub fn start(shared: Arc<Shared>, key: VerifyingKey, threads: Vec<mpsc::Sender<Task>>) -> Result<Loader, String> {
        let (jobs, received) = sync_channel(JOBS_MAX);
        let loading = Loading { shared, verified: VerifiedArtifacts::new(key), threads, next_thread: 0 };
        let builder = std::thread::Builder::new().name("gateway-loader".into()).stack_size(STACK_BYTES);
        builder.spawn(move || loading.take_all(received)).map_err(|error| format!("starting a thread failed: {error}"))?;
        Ok(Loader { jobs })
    }

    /// Never waits. The error is the answer to a job for which there is no room.
    pub fn begin(&self, job: Job) -> Result<(), FromGateway> {
        self.jobs.try_send(job).map_err(|refused| {
            let (std::sync::mpsc::TrySendError::Full(job) | std::sync::mpsc::TrySendError::Disconnected(job)) = refused;
            job.purpose.refuse(job.call, LoadRefusal { sentence: TOO_MANY.into(), passing: true })
        })
    }
}

impl Purpose {
    /// The project's files, which the program keeps from now on.
    fn take_files(&mut self) -> Files {
        match self {
            Purpose::Serve(loaded) => std::mem::take(&mut loaded.files),
            Purpose::Run(run) => std::mem::take(&mut run.files),
        }
    }

    fn refuse(&self, call: CallId, refusal: LoadRefusal) -> FromGateway {
        match self {
            Purpose::Serve(_) => FromGateway::LoadEnded(call, Err(refusal)),
            Purpose::Run(_) => FromGateway::RunEnded(call, Err(refusal.sentence)),
        }
    }
}

impl Loading {
    fn take_all(mut self, jobs: Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            if let Some(answer) = self.take(job.call, job.purpose, job.descriptor, &job.answers)
                && job.answers.blocking_send(answer).is_err()
            {
                return;
            }
        }
    }

    /// None when the thread that runs it answers.
    fn take(
        &mut self,
        call: CallId,
        purpose: Purpose,
        descriptor: Option<OwnedFd>,
        answers: &mpsc::Sender<FromGateway>,
    ) -> Option<FromGateway> {
        let mut purpose = purpose;
        let files = purpose.take_files();
        let files_bytes = files.iter().map(|(name, content)| (name.len() + content.len()) as u64).sum::<u64>();
        let program = match self.program(descriptor, files) {
            Ok(program) => Arc::new(program),
            Err(refusal) => return Some(purpose.refuse(call, refusal)),
        };
        match purpose {
            Purpose::Serve(loaded) => {
                let (load_us, bytes) = (program.load_us, program.module.artifact_bytes() as u64 + files_bytes);
                let (slug, revision, module) = (loaded.slug.clone(), loaded.revision, program.module.clone());
                let gone = self.shared.deployments.load(loaded, program, bytes);
                let is_same = |gone: &Arc<Revision<Arc<Program>>>| gone.loaded.slug == slug && gone.loaded.revision == revision;
                let (before, others) = gone.into_iter().partition(is_same);
                self.hand_over(before, &module);
                forget(&self.threads, others);
                Some(FromGateway::LoadEnded(call, Ok(load_us)))
            }
            Purpose::Run(run) => {
                self.next_thread = (self.next_thread + 1) % self.threads.len();
                let task = Task::Run { call, program, run, answers: answers.clone() };
                let begun = self.threads[self.next_thread].try_send(task);
                begun.err().map(|_| FromGateway::RunEnded(call, Err("this gateway has too many runs to begin: try again".into())))
            }
        }
    }

    /// The same revision with other code: where its instances begin as those before it did, slots that are ready stay so.
    fn hand_over(&self, before: Vec<Arc<Revision<Arc<Program>>>>, module: &Arc<LoadedModule>) {
        let (alike, others): (Vec<_>, Vec<_>) = before.into_iter().partition(|before| module.begins_as(&before.program.module));
        for revision in alike {
            for thread in &self.threads {
                // A thread with too much to do makes them anew.
                let _ = thread.try_send(Task::Succeed { module: revision.program.module.clone(), by: module.clone() });
            }
        }
        forget(&self.threads, others);
    }

    fn program(&self, descriptor: Option<OwnedFd>, files: Files) -> Result<Program, LoadRefusal> {
        // A message that was cut short, or a process with as many mappings or descriptors as it may have.
        let passing = |sentence: String| LoadRefusal { sentence, passing: true };
        let descriptor = descriptor.ok_or_else(|| passing("the artifact's descriptor is missing".into()))?;
        let file = SealedFile::receive(descriptor).map_err(|error| passing(format!("the artifact was refused: {error}")))?;
        Program::load(&self.shared.runtime, &self.verified, file, self.shared.start.limits.tenant(), files)
    }
}

/// Slots that threads keep ready for these would never be used again.
pub fn forget(threads: &[mpsc::Sender<Task>], gone: Vec<Arc<Revision<Arc<Program>>>>) {
    for revision in gone {
        for thread in threads {
            // Only a matter of memory: a pool reuses the longest-waiting slot anyway.
            let _ = thread.try_send(Task::Forget(revision.program.module.clone()));
        }
    }
}
