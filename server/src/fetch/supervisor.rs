//! The workshop's side of the fetch proxy: starts it, watches it, starts it again when it ends, hands it one end of each connection.
//!
//! ```text
//!   Starting ──Ready──► Serving ──its end, or a question that it does not answer──► (pause) ──► Starting
//! ```
//! With the proxy its connections end; a gateway thread notices and asks for another. Requests that were on their way have no answer.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::mpsc;
use vivarium_abi::Origin;

use super::role::{FromFetch, ToFetch};
use crate::confine::Walls;
use crate::control::channel::{Receiver, Sender, pair, split};
use crate::limits::Limits;
use crate::processes::{Running, Spawner};

/// Connections that wait for the proxy to take them. Threads that ask beyond that ask again.
const CONNECTIONS_WAITING_MAX: usize = 256;
/// From the start of the process to `Ready`.
const START_MAX: Duration = Duration::from_secs(10);
/// How often it is asked whether it lives.
const PING_INTERVAL: Duration = Duration::from_secs(2);
/// So many questions without an answer mean that it hangs.
const PINGS_UNANSWERED_MAX: u32 = 5;
/// One that served this long was sound: the next start is tried at once.
const SOUND: Duration = Duration::from_secs(5);
/// The first pause before a start that follows a failed one; it doubles.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What a proxy is started with.
pub struct FetchSettings {
    pub limits: Limits,
    /// Backends that every deployment has, by name; their addresses may be any.
    pub backends: BTreeMap<String, Origin>,
}

/// The state of the proxy, as `/healthz` shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FetchStatus {
    /// None while none lives.
    pub pid: Option<u32>,
    pub ready: bool,
    /// How often it ended and was started again.
    pub restarts: u64,
    /// What holds around it.
    pub walls: Option<Walls>,
    /// Why the last one ended.
    pub last_end: Option<String>,
}

/// A supervised proxy. Dropping it ends the process.
pub struct FetchProxy {
    connections: mpsc::Sender<OwnedFd>,
    status: Arc<Mutex<FetchStatus>>,
    supervising: tokio::task::JoinHandle<()>,
}

struct Supervisor {
    spawner: Arc<Spawner>,
    settings: FetchSettings,
    status: Arc<Mutex<FetchStatus>>,
    connections: mpsc::Receiver<OwnedFd>,
}

impl FetchProxy {
    /// Starts supervising. Call it inside a tokio runtime.
    pub fn start(spawner: Arc<Spawner>, settings: FetchSettings) -> FetchProxy {
        let (connections, waiting) = mpsc::channel(CONNECTIONS_WAITING_MAX);
        let status = Arc::new(Mutex::default());
        let supervisor = Supervisor { spawner, settings, status: status.clone(), connections: waiting };
        FetchProxy { connections, status, supervising: tokio::spawn(supervisor.supervise()) }
    }

    /// A connection on which the proxy serves requests, as soon as it lives.
    pub fn connect(&self) -> io::Result<OwnedFd> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let stuck = |_| io::Error::other("the fetch proxy has too many connections to take");
        self.connections.try_send(theirs.into()).map_err(stuck)?;
        Ok(ours.into())
    }

    pub fn status(&self) -> FetchStatus {
        lock(&self.status).clone()
    }
}

impl Drop for FetchProxy {
    fn drop(&mut self) {
        self.supervising.abort();
    }
}

impl Supervisor {
    /// Until the task is aborted.
    async fn supervise(mut self) {
        let mut pause = Duration::ZERO;
        loop {
            let began = Instant::now();
            let reason = self.live().await.unwrap_or_else(|error| format!("the fetch proxy was ended: {error}"));
            {
                let mut status = lock(&self.status);
                *status = FetchStatus { pid: None, ready: false, restarts: status.restarts + 1, last_end: Some(reason), walls: None };
            }
            pause = if began.elapsed() >= SOUND { Duration::ZERO } else { (pause * 2).clamp(PAUSE_MIN, PAUSE_MAX) };
            tokio::time::sleep(pause).await;
        }
    }

    /// One life; the reason for its end.
    async fn live(&mut self) -> io::Result<String> {
        let (ours, theirs) = pair()?;
        let spawner = self.spawner.clone();
        let spawned = tokio::task::spawn_blocking(move || spawner.spawn_controlled("fetch", theirs)).await;
        let mut running = Running(spawned.map_err(io::Error::other)??);
        lock(&self.status).pid = Some(running.0.id());
        let (mut sender, mut receiver) = split(ours)?;
        let late = |_| io::Error::other("it did not become ready in time");
        tokio::time::timeout(START_MAX, self.begin(&mut sender, &mut receiver)).await.map_err(late)??;
        lock(&self.status).ready = true;
        let unanswered = Mutex::new(0);
        let over = tokio::select! {
            result = hear(&unanswered, receiver) => result,
            result = self.say(&unanswered, sender) => result,
        };
        let ended = running.end();
        over.map(|()| format!("the fetch proxy ended ({ended})"))
    }

    async fn begin(&self, sender: &mut Sender, receiver: &mut Receiver) -> io::Result<()> {
        let configured = self.settings.backends.values().map(Origin::to_string).collect();
        sender.send(&ToFetch::Start { limits: Box::new(self.settings.limits.clone()), configured }, &[]).await?;
        match receiver.receive().await? {
            Some((FromFetch::Ready { walls }, _)) => {
                lock(&self.status).walls = Some(walls);
                Ok(())
            }
            Some(_) => Err(io::Error::other("its first message was not Ready")),
            None => Err(io::Error::other("it ended while it prepared")),
        }
    }

    /// Hands over connections, and asks from time to time whether it lives.
    async fn say(&mut self, unanswered: &Mutex<u32>, mut sender: Sender) -> io::Result<()> {
        let mut pings = tokio::time::interval(PING_INTERVAL);
        pings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                connection = self.connections.recv() => {
                    let Some(connection) = connection else { return Ok(()) };
                    sender.send(&ToFetch::Connection, &[connection.as_fd()]).await?;
                }
                _ = pings.tick() => {
                    let before = { let mut unanswered = lock(unanswered); *unanswered += 1; *unanswered };
                    if before > PINGS_UNANSWERED_MAX {
                        return Err(io::Error::other("it does not answer"));
                    }
                    sender.send(&ToFetch::Ping, &[]).await?;
                }
            }
        }
    }
}

async fn hear(unanswered: &Mutex<u32>, mut receiver: Receiver) -> io::Result<()> {
    while let Some((message, _)) = receiver.receive::<FromFetch>().await? {
        match message {
            FromFetch::Pong => *lock(unanswered) = 0,
            FromFetch::Ready { .. } => {}
        }
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
