//! `vivarium gateway`: prepares, confines itself, serves until its control socket closes.
//!
//! set apart → receive `Start` → prepare the runtime → lower → prepare threads → seal → `Ready` → carry messages

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::VerifyingKey;
use tokio::sync::{Semaphore, mpsc, oneshot};
use vivarium_runtime::reset::UnknownMethod;
use vivarium_runtime::{Runtime, RuntimeSettings};

use super::deployments::{Answered, Deployments};
use super::kv::Asking;
use super::loader::{Job, Loader, Purpose, forget};
use super::memory::Memory;
use super::reports::{BATCH_INTERVAL, Reports};
use super::routes::Routes;
use super::thread::{self, Shared, TASKS_MAX, Task};
use crate::callers::Callers;
use crate::confine::{self, Apart, Lowered, Role, Walls};
use crate::control::channel::{Receiver, Sender, split};
use crate::control::messages::{FromGateway, Start, ToGateway};

/// Answers to the workshop that wait to be sent.
const ANSWERS_MAX: usize = 256;
/// Descriptors for everything but connections: loaded artifacts, reactors, listeners.
const DESCRIPTORS_RESERVED: usize = 512;
/// Stack of a gateway thread, in bytes: guests have their own.
const THREAD_STACK_BYTES: usize = 1 << 20;

/// Runs the role. The control socket is the standard input.
pub fn run() -> ExitCode {
    run_beside(|| ())
}

/// The same, with something else in the process, behind the same walls: `begin` is called where the role's own threads are made. For tests of the walls.
pub fn run_beside(begin: fn()) -> ExitCode {
    let apart = Apart::begin();
    let reactor = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match apart.and_then(|apart| reactor?.block_on(serve(apart, begin))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vivarium gateway: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(apart: Apart, begin: fn()) -> io::Result<()> {
    let (mut sender, mut receiver) = split(io::stdin().as_fd().try_clone_to_owned()?)?;
    let Some((ToGateway::Start(start), listeners)) = receiver.receive().await? else {
        return Err(io::Error::other("the first control message must be Start: a gateway is started by `vivarium serve`"));
    };
    let (mut control, walls) = match Control::prepare(*start, listeners, apart, begin) {
        Ok(control) => control,
        Err(sentence) => {
            sender.send(&FromGateway::Refused { sentence: sentence.clone() }, &[]).await?;
            return Err(io::Error::other(sentence));
        }
    };
    let reset = control.shared.runtime.reset_method().name().to_owned();
    sender.send(&FromGateway::Ready { reset, walls }, &[]).await?;
    let (answers, answered) = mpsc::channel(ANSWERS_MAX);
    let shared = control.shared.clone();
    // Whichever ends first, the other side is gone.
    tokio::select! {
        result = control.receive_all(receiver, answers) => result,
        result = send_all(&shared, sender, answered) => result,
    }
}

/// Answers at once, reports and lines in batches: the first after a pause at once, the next not before the interval has passed.
async fn send_all(shared: &Shared, mut sender: Sender, mut answers: mpsc::Receiver<FromGateway>) -> io::Result<()> {
    let mut not_before = tokio::time::Instant::now();
    loop {
        let batch_is_due = async {
            tokio::time::sleep_until(not_before).await;
            shared.reports.changed().await;
        };
        tokio::select! {
            answer = answers.recv() => match answer {
                Some(answer) => sender.send(&answer, &[]).await?,
                None => return Ok(()),
            },
            asks = shared.kv.next() => sender.send(&FromGateway::Kv(asks), &[]).await?,
            () = batch_is_due => {
                for batch in shared.reports.take() {
                    sender.send(&FromGateway::Batch(batch), &[]).await?;
                }
                not_before = tokio::time::Instant::now() + BATCH_INTERVAL;
            }
        }
    }
}

/// Connections for which there are descriptors. Where there are few, half of them are for everything else.
fn connections_possible() -> usize {
    let most = confine::descriptors_max();
    most - DESCRIPTORS_RESERVED.min(most / 2)
}

/// The control thread's side of a gateway.
struct Control {
    shared: Arc<Shared>,
    threads: Vec<mpsc::Sender<Task>>,
    loader: Loader,
    next_thread: usize,
}

impl Control {
    fn prepare(start: Start, listeners: Vec<OwnedFd>, apart: Apart, begin: fn()) -> Result<(Control, Walls), String> {
        let key = VerifyingKey::from_bytes(&start.verifying_key).map_err(|_| "the verifying key is no key")?;
        if listeners.is_empty() {
            return Err("a gateway needs a listener for each thread".into());
        }
        let reset = start.reset.as_deref().map(str::parse).transpose().map_err(|error: UnknownMethod| error.to_string())?;
        let settings = RuntimeSettings { slice: Duration::from_micros(start.limits.slice_us), verify_resets: start.verify_resets, reset };
        // Before privileges go: a process that cannot be dumped may not open what tells of its own pages.
        let runtime = Runtime::start(settings).map_err(|error| error.to_string())?;
        let lowered = apart.lower(Role::Gateway).map_err(|error| error.to_string())?;
        begin();
        let limits = &start.limits;
        let shared = Arc::new(Shared {
            routes: Routes { guest_domain: start.guest_domain.to_ascii_lowercase(), guest_port: start.guest_port },
            runtime,
            deployments: Deployments::new(limits.loaded_artifact_bytes_max, Duration::from_millis(limits.load_wait_ms)),
            reports: Reports::new(listeners.len()),
            memory: Memory::new(limits),
            kv: Arc::new(Asking::new(limits)),
            threads: listeners.len(),
            connections: Arc::new(Semaphore::new(limits.connections_max.min(connections_possible()))),
            callers: Callers::new(limits.connections_per_address_max),
            start,
        });
        let (threads, begins) = start_threads(&shared, listeners)?;
        let loader = Loader::start(shared.clone(), key, threads.clone())?;
        let walls = seal_and_begin(lowered, begins)?;
        Ok((Control { shared, threads, loader, next_thread: 0 }, walls))
    }

    async fn receive_all(&mut self, mut receiver: Receiver, answers: mpsc::Sender<FromGateway>) -> io::Result<()> {
        while let Some((message, descriptors)) = receiver.receive::<ToGateway>().await? {
            let descriptor = descriptors.into_iter().next();
            match message {
                ToGateway::Load(call, loaded) => self.take_in(call, Purpose::Serve(loaded), descriptor, &answers).await,
                ToGateway::Run(call, run) => self.take_in(call, Purpose::Run(run), descriptor, &answers).await,
                ToGateway::Connection => self.pass_connection(descriptor),
                ToGateway::Fetcher { thread } => self.pass_fetcher(thread, descriptor),
                ToGateway::SetCurrent { slug, revision } => self.shared.deployments.set_current(&slug, revision),
                ToGateway::SetSettings { slug, settings } => self.shared.deployments.set_settings(&slug, *settings),
                ToGateway::Kv(told) => self.shared.kv.told(&self.shared.deployments, told),
                ToGateway::Expire { slug, at_unix_ms } => forget(&self.threads, self.shared.deployments.expire(&slug, at_unix_ms)),
                ToGateway::Unknown(wanted) => self.shared.deployments.answer(wanted, Answered::Unknown),
                ToGateway::Failed(wanted, sentence) => self.shared.deployments.answer(wanted, Answered::Failed { sentence }),
                ToGateway::Unload { slug, revision } => {
                    let gone = self.shared.deployments.unload(&slug, revision);
                    forget(&self.threads, gone.into_iter().collect());
                }
                ToGateway::Ping => self.ping(&answers),
                ToGateway::Drain => return self.drain().await,
                ToGateway::Start(_) => return Err(io::Error::other("a gateway is started once")),
            }
        }
        Ok(())
    }

    /// Hands an artifact to the loader, which answers.
    async fn take_in(&self, call: u64, purpose: Purpose, descriptor: Option<OwnedFd>, answers: &mpsc::Sender<FromGateway>) {
        let job = Job { call, purpose, descriptor, answers: answers.clone() };
        if let Err(answer) = self.loader.begin(job) {
            let _ = answers.send(answer).await;
        }
    }

    fn pass_connection(&mut self, descriptor: Option<OwnedFd>) {
        if let Some(descriptor) = descriptor {
            // A thread that has too much to do closes it; its other end notices.
            let _ = self.next().try_send(Task::Connection(descriptor.into()));
        }
    }

    fn pass_fetcher(&self, thread: u32, descriptor: Option<OwnedFd>) {
        let stream = descriptor.map(std::os::unix::net::UnixStream::from);
        if let Some(thread) = self.threads.get(thread as usize) {
            // A thread that has too much to do asks again.
            let _ = thread.try_send(Task::Fetcher(stream));
        }
    }

    /// Threads in turn.
    fn next(&mut self) -> &mpsc::Sender<Task> {
        self.next_thread = (self.next_thread + 1) % self.threads.len();
        &self.threads[self.next_thread]
    }

    /// Answers when every thread has; one that hangs keeps the answer back, and the workshop starts another gateway.
    fn ping(&self, answers: &mpsc::Sender<FromGateway>) {
        let mut waiting = Vec::new();
        for thread in &self.threads {
            let (answer, answered) = oneshot::channel();
            if thread.try_send(Task::Ping(answer)).is_ok() {
                waiting.push(answered);
            }
        }
        if waiting.len() < self.threads.len() {
            return;
        }
        let answers = answers.clone();
        tokio::spawn(async move {
            for answered in waiting {
                if answered.await.is_err() {
                    return;
                }
            }
            let _ = answers.send(FromGateway::Pong).await;
        });
    }

    async fn drain(&self) -> io::Result<()> {
        let mut waiting = Vec::new();
        for thread in &self.threads {
            let (drained, done) = oneshot::channel();
            if thread.send(Task::Drain(drained)).await.is_ok() {
                waiting.push(done);
            }
        }
        let all = async {
            for done in waiting {
                let _ = done.await;
            }
        };
        // Who is not done by then loses its answer.
        let _ = tokio::time::timeout(Duration::from_millis(self.shared.start.limits.drain_ms), all).await;
        // The last reports are still to be sent.
        tokio::time::sleep(2 * BATCH_INTERVAL).await;
        Ok(())
    }
}

/// What threads that wait are told to begin by.
type Begins = Vec<std::sync::mpsc::Sender<()>>;

/// Starts all threads that serve; they wait, with all that they need.
fn start_threads(shared: &Arc<Shared>, listeners: Vec<OwnedFd>) -> Result<(Vec<mpsc::Sender<Task>>, Begins), String> {
    let (prepared, prepared_all) = std::sync::mpsc::channel();
    let (mut senders, mut begins) = (Vec::new(), Vec::new());
    for (index, listener) in listeners.into_iter().enumerate() {
        let (tasks, received) = mpsc::channel(TASKS_MAX);
        let (begin, begun) = std::sync::mpsc::channel();
        let (shared, prepared) = (shared.clone(), prepared.clone());
        let builder = std::thread::Builder::new().name(format!("gateway-{index}")).stack_size(THREAD_STACK_BYTES);
        builder
            .spawn(move || thread::run(index, shared, listener.into(), received, prepared, begun))
            .map_err(|error| format!("starting a thread failed: {error}"))?;
        senders.push(tasks);
        begins.push(begin);
    }
    drop(prepared);
    for _ in &senders {
        prepared_all.recv().map_err(|_| "a gateway thread ended while it prepared")??;
    }
    Ok((senders, begins))
}

/// Seals the process, which has all that it needs, and lets its threads begin.
fn seal_and_begin(lowered: Lowered, begins: Begins) -> Result<Walls, String> {
    let walls = lowered.seal().map_err(|error| error.to_string())?;
    for begin in begins {
        begin.send(()).map_err(|_| "a gateway thread ended while it prepared")?;
    }
    Ok(walls)
}
