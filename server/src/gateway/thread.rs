//! One gateway thread: a reactor, a listener, a pool of slots, a run queue. Guests never leave it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc, oneshot};
use vivarium_runtime::{LoadedModule, Pool, Runtime};

use super::connection::{ConnectionLimits, Visitor, accept, serve};
use super::deployments::Deployments;
use super::fetcher::Fetcher;
use super::fetches::Fetches;
use super::guest::{Guest, Pause, Program};
use super::kv::Asking;
use super::memory::{Memory, Share};
use super::reports::Reports;
use super::routes::Routes;
use super::run_queue::RunQueue;
use super::runs;
use super::turns::Turns;
use crate::callers::Callers;
use crate::control::messages::{CallId, FromGateway, LimitReport, Outcome, Run, Start};

/// Tasks from the control thread that wait.
pub const TASKS_MAX: usize = 256;
/// Bodies that one thread reads at once; who comes then waits.
const BODIES_MAX: usize = 256;

/// Between two looks at what is still in flight, at the end.
const DRAIN_PAUSE: Duration = Duration::from_millis(20);

/// What all threads of a gateway share.
pub struct Shared {
    pub start: Start,
    pub routes: Routes,
    pub runtime: Runtime,
    pub deployments: Deployments<Arc<Program>>,
    pub reports: Reports,
    pub memory: Arc<Memory>,
    /// Key-value stores.
    pub kv: Arc<Asking>,
    /// How many threads serve visitors.
    pub threads: usize,
    /// Permits of all threads: one for each connection.
    pub connections: Arc<Semaphore>,
    /// Theirs by address.
    pub callers: Arc<Callers>,
}

/// From the control thread.
pub enum Task {
    Run {
        call: CallId,
        program: Arc<Program>,
        run: Run,
        answers: mpsc::Sender<FromGateway>,
    },
    /// One more visitor, on a socket that the workshop passed.
    Connection(std::os::unix::net::UnixStream),
    /// Its connection to the fetch proxy; none when there is no proxy.
    Fetcher(Option<std::os::unix::net::UnixStream>),
    /// Slots that are kept ready for it are given up.
    Forget(Arc<LoadedModule>),
    /// Or become those of another module.
    Succeed {
        module: Arc<LoadedModule>,
        by: Arc<LoadedModule>,
    },
    /// Answered when the reactor comes to it.
    Ping(oneshot::Sender<()>),
    /// Accept nobody any more; answered when nothing is in flight.
    Drain(oneshot::Sender<()>),
}

pub struct Thread {
    pub index: usize,
    pub shared: Arc<Shared>,
    pub pool: Pool,
    pub queue: RunQueue,
    pub bodies: Semaphore,
    pub fetcher: Rc<Fetcher>,
}

/// How a guest ended, and how long it waited for its turns.
pub struct Driven {
    pub outcome: Outcome,
    pub queued: Duration,
}

/// How long a run may take, waiting included, and under which name in `Limits`.
#[derive(Debug, Clone, Copy)]
pub struct Wall {
    pub allowed: Duration,
    pub name: &'static str,
}

/// The body of the thread: prepares, says whether that worked, waits for the word to begin, serves until the process ends.
pub fn run(
    index: usize,
    shared: Arc<Shared>,
    listener: std::net::TcpListener,
    tasks: mpsc::Receiver<Task>,
    prepared: std::sync::mpsc::Sender<Result<(), String>>,
    begin: std::sync::mpsc::Receiver<()>,
) {
    let slots = u32::try_from(shared.start.limits.instances_max).unwrap_or(u32::MAX);
    let parts = shared.runtime.pool(slots).map_err(|error| error.to_string()).and_then(|pool| {
        let reactor = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        let listener = {
            let _entered = reactor.enter();
            tokio::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?
        };
        Ok((pool, reactor, listener))
    });
    let (pool, reactor, listener) = match parts {
        Ok(parts) => parts,
        Err(sentence) => return drop(prepared.send(Err(sentence))),
    };
    let fetcher = Rc::new(Fetcher::new(index, shared.clone()));
    let thread = Rc::new(Thread { index, shared, pool, queue: RunQueue::default(), bodies: Semaphore::new(BODIES_MAX), fetcher });
    if prepared.send(Ok(())).is_err() || begin.recv().is_err() {
        return;
    }
    tokio::task::LocalSet::new().block_on(&reactor, thread.serve(listener, tasks));
}

impl Thread {
    async fn serve(self: Rc<Self>, listener: tokio::net::TcpListener, mut tasks: mpsc::Receiver<Task>) {
        let limits = ConnectionLimits::of(&self.shared.start.limits);
        let runner = self.clone();
        tokio::task::spawn_local(async move { runner.queue.run().await });
        let (connections, callers) = (self.shared.connections.clone(), self.shared.callers.clone());
        let accepting = tokio::task::spawn_local(accept(listener, self.clone(), connections, callers, limits));
        while let Some(task) = tasks.recv().await {
            match task {
                Task::Run { call, program, run, answers } => {
                    let thread = self.clone();
                    tokio::task::spawn_local(async move {
                        let result = runs::run(&thread, &program, run).await.map(Box::new);
                        // Nobody listens only when the gateway ends.
                        let _ = answers.send(FromGateway::RunEnded(call, result)).await;
                    });
                }
                Task::Connection(stream) => self.clone().serve_socket(stream, limits),
                Task::Fetcher(stream) => {
                    let fetcher = self.fetcher.clone();
                    tokio::task::spawn_local(async move { fetcher.arrive(stream).await });
                }
                Task::Forget(module) => self.pool.forget(&module),
                Task::Succeed { module, by } => self.pool.succeed(&module, &by),
                Task::Ping(answer) => drop(answer.send(())),
                Task::Drain(drained) => {
                    accepting.abort();
                    let thread = self.clone();
                    tokio::task::spawn_local(async move {
                        // The answer of a guest that just ended is still on its way out.
                        tokio::time::sleep(DRAIN_PAUSE).await;
                        // And one that waits for its visitor to read still has its share of the memory.
                        while thread.pool.in_use() > 0 || thread.shared.memory.used_bytes() > 0 {
                            tokio::time::sleep(DRAIN_PAUSE).await;
                        }
                        let _ = drained.send(());
                    });
                }
            }
        }
    }

    fn serve_socket(self: Rc<Self>, stream: std::os::unix::net::UnixStream, limits: ConnectionLimits) {
        let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let local = std::net::SocketAddr::from(([127, 0, 0, 1], self.shared.start.guest_port));
        // A socket that cannot be served is closed: its other end notices.
        if let Ok(stream) = tokio::net::UnixStream::from_std(stream) {
            tokio::task::spawn_local(serve(stream, Visitor { peer: nowhere, local }, self, limits));
        }
    }

    /// Runs a guest to its end. `pause` is called whenever others have their turn.
    pub async fn drive(&self, guest: &mut Guest, share: &Share, wall: Wall, mut pause: impl FnMut(&mut Guest)) -> Driven {
        let mut turns = Turns::begin(self, guest, wall);
        while !turns.has_ended() {
            pause(guest);
            turns.next(self, guest, share, 0).await;
        }
        turns.finish()
    }

    /// Waits for what the guest waits for, then runs it once more. None when its deadline came first.
    pub async fn turn(
        &self,
        guest: &mut Guest,
        fetches: &mut Fetches,
        paused: Pause,
        deadline: Instant,
        queued: &mut Duration,
    ) -> Option<Pause> {
        let moved = fetches.pump(guest.host());
        let now = Instant::now();
        if now >= deadline {
            return None;
        }
        if let Pause::Waiting(wait) = paused {
            // What it waits for without end rings its bell.
            let moment = wait.until().unwrap_or(deadline);
            if moment > now && !moved {
                let bell = guest.bell();
                tokio::select! {
                    () = tokio::time::sleep_until(moment.min(deadline).into()) => {}
                    () = bell.notified() => { fetches.pump(guest.host()); }
                }
                return (Instant::now() < deadline).then(|| guest.wake());
            }
        }
        let slice = tokio::time::timeout_at(deadline.into(), self.queue.turn()).await.ok()?;
        *queued += now.elapsed();
        let next = if let Pause::Waiting(_) = paused { guest.wake() } else { guest.run() };
        drop(slice);
        Some(next)
    }
}

impl Wall {
    pub fn passed(self) -> Outcome {
        let message = format!("{} ms have passed since it began", self.allowed.as_millis());
        Outcome::Limited(LimitReport { name: self.name.into(), message })
    }
}
