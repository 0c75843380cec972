//! The workshop's side of a gateway: starts it, starts it again when it ends, asks it, hears it.
//!
//! ```text
//!   Starting ──Ready──► Serving ──end of the control socket──► (pause) ──► Starting
//! ```
//! A gateway that is started again knows nothing; it asks for what visitors want. Questions that the old one had not answered are answered with a sentence.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use vivarium_runtime::{ResetMethod, SealedFile};

use crate::confine::Walls;
use crate::control::channel::DESCRIPTORS_MAX;
use crate::control::messages::{
    CallId, KvAsk, KvTold, LoadRefusal, Loaded, LogEntry, Run, RunOutcome, RunReport, Settings, Timestamp, ToGateway, Wanted,
};
use crate::fetch::supervisor::FetchProxy;
use crate::limits::Limits;
use crate::processes::Spawner;
use life::Supervisor;

mod life;

/// Messages to the gateway that wait. One that does not take so many is stuck.
const MESSAGES_MAX: usize = 4_096;

/// From a load to its answer; a gateway that takes longer is ended, and another takes its place.
const LOAD_MAX: Duration = Duration::from_secs(30);
/// From a run's wall to its answer: loading, and what waits before it.
const RUN_GRACE: Duration = Duration::from_secs(30);

/// What a gateway is started with.
pub struct GatewaySettings {
    /// One for each thread, all bound to the same address (`SO_REUSEPORT`). They stay open here, so that visitors queue while no gateway lives.
    pub listeners: Vec<TcpListener>,
    pub guest_port: u16,
    /// Deployments answer at `<slug>.<guest_domain>`.
    pub guest_domain: String,
    pub workshop_url: String,
    pub verifying_key: [u8; 32],
    pub limits: Limits,
    pub verify_resets: bool,
    /// The one reset method to use; the best that works otherwise.
    pub reset: Option<ResetMethod>,
    /// Who sends requests to backends; without it nobody does.
    pub fetcher: Option<Arc<FetchProxy>>,
}

/// Who hears what a gateway tells. Called on the supervisor's task: must not block.
pub trait GatewayObserver: Send + Sync {
    fn reports(&self, reports: Vec<RunReport>);
    fn logs(&self, lines: Vec<LogEntry>);
    /// A visitor waits for this: answer with `load`, `expire`, `unknown` or `failed`.
    fn wanted(&self, wanted: Wanted);
    /// What its programs want of their key-value stores: each is answered.
    fn kv(&self, asks: Vec<KvAsk>);
    /// It ended; the next is on its way.
    fn restarted(&self, reason: String);
    fn ready(&self);
}

/// The state of a gateway, as `/healthz` shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GatewayStatus {
    /// None while none lives.
    pub pid: Option<u32>,
    pub ready: bool,
    /// How often it ended and was started again.
    pub restarts: u64,
    pub threads: usize,
    /// By which method it resets slots.
    pub reset: Option<String>,
    /// What confines it, and what of that this system does not give.
    pub walls: Option<Walls>,
    pub started_at: Option<Timestamp>,
    /// Why the last one ended.
    pub last_end: Option<String>,
}

/// A supervised gateway. Dropping it ends the process.
pub struct Gateway {
    shared: Arc<Shared>,
    supervising: tokio::task::JoinHandle<()>,
}

struct Shared {
    messages: mpsc::Sender<(ToGateway, Vec<OwnedFd>)>,
    calls: Mutex<HashMap<CallId, Waiting>>,
    next_call: AtomicU64,
    status: Mutex<GatewayStatus>,
    drain: Duration,
    run_wall: Duration,
    /// Wakes who ends a gateway that hangs.
    hangs: tokio::sync::Notify,
    /// Questions since the gateway last said that it lives.
    pings_unanswered: AtomicU32,
    ended: tokio::sync::Notify,
}

/// Why a revision is not served.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LoadFailure {
    /// The gateway ended, or was about to, before it answered. The artifact is not to blame: the next gateway may well serve it.
    #[error("the gateway ended before it answered; another takes its place: try again")]
    Lost,
    /// The gateway has no room for it now; the artifact is not to blame. The sentence says what for.
    #[error("{0}")]
    Busy(String),
    /// The gateway looked at the artifact and does not serve it; the sentence says why.
    #[error("{0}")]
    Refused(String),
}

impl LoadFailure {
    fn of(refusal: LoadRefusal) -> LoadFailure {
        if refusal.passing { LoadFailure::Busy(refusal.sentence) } else { LoadFailure::Refused(refusal.sentence) }
    }
}

enum Waiting {
    Load(oneshot::Sender<Result<f64, LoadFailure>>),
    Run(oneshot::Sender<Result<RunOutcome, String>>),
}

impl Gateway {
    /// Starts supervising. Call it inside a tokio runtime; `ready` is called when visitors are served.
    pub fn start(spawner: Arc<Spawner>, settings: GatewaySettings, observer: Arc<dyn GatewayObserver>) -> io::Result<Gateway> {
        let threads = settings.listeners.len();
        if threads == 0 || threads > DESCRIPTORS_MAX {
            return Err(io::Error::other(format!(
                "a gateway has from 1 to {DESCRIPTORS_MAX} threads and a listener for each, not {threads}"
            )));
        }
        for listener in &settings.listeners {
            listener.set_nonblocking(true)?;
        }
        let (messages, outgoing) = mpsc::channel(MESSAGES_MAX);
        let shared = Arc::new(Shared {
            messages,
            calls: Mutex::default(),
            next_call: AtomicU64::new(1),
            status: Mutex::new(GatewayStatus { threads, ..GatewayStatus::default() }),
            drain: Duration::from_millis(settings.limits.drain_ms),
            run_wall: Duration::from_millis(settings.limits.run_wall_ms),
            hangs: tokio::sync::Notify::new(),
            pings_unanswered: AtomicU32::new(0),
            ended: tokio::sync::Notify::new(),
        });
        let supervisor = Supervisor { shared: shared.clone(), spawner, settings, observer, outgoing };
        Ok(Gateway { shared, supervising: tokio::spawn(supervisor.supervise()) })
    }

    /// Serves a revision from now on. The signed artifact is copied into a sealed memory file before this returns. Answered with the microseconds that
    /// checking and mapping took.
    pub fn load(&self, loaded: Loaded, artifact: &[u8]) -> impl Future<Output = Result<f64, LoadFailure>> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        self.call(artifact, Waiting::Load(answer), |call| ToGateway::Load(call, loaded));
        let shared = self.shared.clone();
        async move {
            let Ok(answer) = tokio::time::timeout(LOAD_MAX, answered).await else {
                // It might still serve it later, when nobody expects that any more: the next one begins afresh.
                shared.hangs.notify_waiters();
                return Err(LoadFailure::Lost);
            };
            answer.unwrap_or(Err(LoadFailure::Lost))
        }
    }

    /// Runs a program as a command, to its end.
    pub fn run(&self, run: Run, artifact: &[u8]) -> impl Future<Output = Result<RunOutcome, String>> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        self.call(artifact, Waiting::Run(answer), |call| ToGateway::Run(call, run));
        let patience = self.shared.run_wall + RUN_GRACE;
        async move {
            let answer = tokio::time::timeout(patience, answered).await.map_err(|_| "the gateway did not answer in time")?;
            answer.unwrap_or_else(|_| Err("the gateway is gone".into()))
        }
    }

    pub fn set_current(&self, slug: &str, revision: u32) {
        self.tell(ToGateway::SetCurrent { slug: slug.to_owned(), revision });
    }

    /// What a deployment keeps for its program, from its next request on.
    pub fn set_settings(&self, slug: &str, settings: Settings) {
        self.tell(ToGateway::SetSettings { slug: slug.to_owned(), settings: Box::new(settings) });
    }

    /// Tells of key-value stores, in this order; waits for room where the gateway has much to take. One that is not ready yet knows of no store: it is
    /// not told.
    pub fn tell_kv(&self, told: Vec<KvTold>) -> impl Future<Output = ()> + Send + use<> {
        let shared = self.shared.clone();
        async move {
            // Before the look, so that no end falls between the two.
            let ended = shared.ended.notified();
            if !shared.status().ready {
                return;
            }
            tokio::select! {
                _ = shared.messages.send((ToGateway::Kv(told), vec![])) => {}
                () = ended => {}
            }
        }
    }

    /// The deployment ends at this moment, which may have passed.
    pub fn expire(&self, slug: &str, at_unix_ms: u64) {
        self.tell(ToGateway::Expire { slug: slug.to_owned(), at_unix_ms });
    }

    /// Nobody ever deployed what was wanted. With a revision this is about that one only: the deployment's own address may be known.
    pub fn unknown(&self, wanted: Wanted) {
        self.tell(ToGateway::Unknown(wanted));
    }

    /// What was wanted exists and cannot be served; the sentence says why.
    pub fn failed(&self, wanted: Wanted, sentence: &str) {
        self.tell(ToGateway::Failed(wanted, sentence.to_owned()));
    }

    pub fn unload(&self, slug: &str, revision: u32) {
        self.tell(ToGateway::Unload { slug: slug.to_owned(), revision });
    }

    /// A connection on which the gateway serves HTTP as to a visitor.
    pub fn connect(&self) -> io::Result<UnixStream> {
        let (ours, theirs) = UnixStream::pair()?;
        theirs.set_nonblocking(true)?;
        self.shared.messages.try_send((ToGateway::Connection, vec![theirs.into()])).map_err(|_| io::Error::other(STUCK))?;
        Ok(ours)
    }

    /// Lets requests in flight finish, for `drain_ms` at most, and ends it for good.
    pub fn drain(&self) -> impl Future<Output = ()> + Send + use<> {
        let shared = self.shared.clone();
        let supervising = self.supervising.abort_handle();
        async move {
            let ended = shared.ended.notified();
            if shared.messages.send((ToGateway::Drain, vec![])).await.is_ok() {
                // Twice the time: the gateway's own bound, and what its end takes.
                let _ = tokio::time::timeout(2 * shared.drain, ended).await;
            }
            supervising.abort();
        }
    }

    pub fn pid(&self) -> Option<u32> {
        self.shared.status().pid
    }

    pub fn status(&self) -> GatewayStatus {
        self.shared.status().clone()
    }

    /// When the gateway does not take it, it is stuck and about to be started again, or has just ended: then it asks anew.
    fn tell(&self, message: ToGateway) {
        let _ = self.shared.messages.try_send((message, vec![]));
    }

    fn call(&self, artifact: &[u8], waiting: Waiting, message: impl FnOnce(CallId) -> ToGateway) {
        let call = self.shared.next_call.fetch_add(1, Ordering::Relaxed);
        let sealed = SealedFile::from_bytes(artifact).and_then(|sealed| sealed.file().as_fd().try_clone_to_owned());
        let descriptor = match sealed {
            Ok(descriptor) => descriptor,
            Err(error) => return waiting.fail(&format!("the artifact could not be handed over: {error}")),
        };
        self.shared.calls().insert(call, waiting);
        if self.shared.messages.try_send((message(call), vec![descriptor])).is_err()
            && let Some(waiting) = self.shared.calls().remove(&call)
        {
            waiting.fail(STUCK);
        }
    }
}

const STUCK: &str = "the gateway has too many messages to take: try again";

impl Drop for Gateway {
    fn drop(&mut self) {
        self.supervising.abort();
    }
}

impl Waiting {
    fn fail(self, sentence: &str) {
        // Who asked may have left.
        match self {
            Waiting::Load(answer) => drop(answer.send(Err(LoadFailure::Lost))),
            Waiting::Run(answer) => drop(answer.send(Err(sentence.to_owned()))),
        }
    }
}

impl Shared {
    fn calls(&self) -> MutexGuard<'_, HashMap<CallId, Waiting>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is missing is said once, not at each start.
    fn keep_what_it_is(&self, reset: String, walls: Walls) {
        let mut status = self.status();
        if status.walls.as_ref() != Some(&walls) {
            for sentence in &walls.missing {
                eprintln!("vivarium: around guests this system does not give {sentence}");
            }
        }
        (status.reset, status.walls) = (Some(reset), Some(walls));
    }

    fn status(&self) -> MutexGuard<'_, GatewayStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
