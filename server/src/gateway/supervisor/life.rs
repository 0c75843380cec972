//! The lives of a gateway, one after another: spawn, hand over, carry messages both ways, notice the end.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::{GatewayObserver, GatewaySettings, LoadFailure, Shared, Waiting};
use crate::control::channel::{Receiver, Sender, pair, split};
use crate::control::messages::{Batch, FromGateway, Start, Timestamp, ToGateway};
use crate::fetch::supervisor::FetchProxy;
use crate::processes::{Running, Spawner};

/// From the start of the process to `Ready`; a longer one is ended and tried again.
const START_MAX: Duration = Duration::from_secs(10);
/// A gateway that served this long was sound: the next start is tried at once.
const SOUND: Duration = Duration::from_secs(5);
/// How often a gateway is asked whether it lives.
const PING_INTERVAL: Duration = Duration::from_secs(2);
/// So many questions without an answer mean that it hangs. Counted, not timed: when this process was stopped for a while, the gateway is not to blame.
const PINGS_UNANSWERED_MAX: u32 = 5;
/// From the first packet of a message to its last. A gateway that does not take one for so long hangs.
const SEND_MAX: Duration = Duration::from_secs(10);
/// The first pause before a start that follows a failed one; it doubles.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

pub(super) struct Supervisor {
    pub(super) shared: Arc<Shared>,
    pub(super) spawner: Arc<Spawner>,
    pub(super) settings: GatewaySettings,
    pub(super) observer: Arc<dyn GatewayObserver>,
    pub(super) outgoing: mpsc::Receiver<(ToGateway, Vec<OwnedFd>)>,
}

impl Supervisor {
    /// Until the task is aborted.
    pub(super) async fn supervise(mut self) {
        let mut pause = Duration::ZERO;
        loop {
            let began = Instant::now();
            let reason = self.live().await.unwrap_or_else(|error| format!("the gateway could not be started: {error}"));
            self.end(&reason);
            pause = if began.elapsed() >= SOUND { Duration::ZERO } else { (pause * 2).clamp(PAUSE_MIN, PAUSE_MAX) };
            tokio::time::sleep(pause).await;
        }
    }

    /// One life of a gateway; the reason for its end.
    async fn live(&mut self) -> io::Result<String> {
        let (ours, theirs) = pair()?;
        let spawner = self.spawner.clone();
        let spawned = tokio::task::spawn_blocking(move || spawner.spawn_controlled("gateway", theirs)).await;
        let mut running = Running(spawned.map_err(io::Error::other)??);
        {
            let mut status = self.shared.status();
            status.pid = Some(running.0.id());
            status.started_at = Some(Timestamp::now());
        }
        let (mut sender, mut receiver) = split(ours)?;
        self.begin(&mut sender, &mut receiver).await?;
        self.shared.status().ready = true;
        self.observer.ready();
        let outgoing = &mut self.outgoing;
        let (shared, observer) = (&self.shared, &self.observer);
        shared.pings_unanswered.store(0, Ordering::Relaxed);
        // All go on until the gateway is gone, or hangs.
        let over = tokio::select! {
            result = hear(shared, observer.as_ref(), self.settings.fetcher.as_deref(), receiver) => result,
            result = say(shared, outgoing, sender) => result,
            () = shared.hangs.notified() => Err(io::Error::other("it did not answer in time")),
        };
        let ended = running.end();
        Ok(match over {
            Ok(()) => format!("the gateway ended ({ended})"),
            Err(error) => format!("the gateway was ended: {error} ({ended})"),
        })
    }

    /// Hands everything over and waits until visitors are served.
    async fn begin(&self, sender: &mut Sender, receiver: &mut Receiver) -> io::Result<()> {
        let settings = &self.settings;
        let start = Start {
            guest_port: settings.guest_port,
            guest_domain: settings.guest_domain.clone(),
            workshop_url: settings.workshop_url.clone(),
            verifying_key: settings.verifying_key,
            limits: settings.limits.clone(),
            verify_resets: settings.verify_resets,
            reset: settings.reset.map(|method| method.name().to_owned()),
        };
        let listeners: Vec<_> = settings.listeners.iter().map(|listener| listener.as_fd()).collect();
        let first = tokio::time::timeout(START_MAX, async {
            sender.send(&ToGateway::Start(Box::new(start)), &listeners).await?;
            receiver.receive::<FromGateway>().await
        });
        match first.await.map_err(|_| io::Error::other("it did not become ready in time"))?? {
            Some((FromGateway::Ready { reset, walls }, _)) => {
                self.shared.keep_what_it_is(reset, walls);
                Ok(())
            }
            Some((FromGateway::Refused { sentence }, _)) => Err(io::Error::other(sentence)),
            Some(_) => Err(io::Error::other("its first message was not Ready")),
            None => Err(io::Error::other("it ended while it prepared")),
        }
    }

    fn end(&self, reason: &str) {
        {
            let mut status = self.shared.status();
            status.pid = None;
            status.ready = false;
            status.restarts += 1;
            status.last_end = Some(reason.to_owned());
        }
        let waiting: Vec<Waiting> = self.shared.calls().drain().map(|(_, waiting)| waiting).collect();
        for call in waiting {
            call.fail(&format!("{reason} before it answered: try again"));
        }
        self.shared.ended.notify_waiters();
        self.observer.restarted(reason.to_owned());
    }
}

/// Sends what waits, and asks from time to time whether the gateway lives.
async fn say(shared: &Shared, outgoing: &mut mpsc::Receiver<(ToGateway, Vec<OwnedFd>)>, mut sender: Sender) -> io::Result<()> {
    let mut pings = tokio::time::interval(PING_INTERVAL);
    pings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = outgoing.recv() => {
                let Some((message, descriptors)) = message else { return Ok(()) };
                // Who asked an earlier gateway has had the answer that it is gone: this one must not do it unasked.
                if message.call().is_some_and(|call| !shared.calls().contains_key(&call)) {
                    continue;
                }
                let borrowed: Vec<_> = descriptors.iter().map(|descriptor| descriptor.as_fd()).collect();
                send(&mut sender, &message, &borrowed).await?;
            }
            _ = pings.tick() => {
                if shared.pings_unanswered.fetch_add(1, Ordering::Relaxed) >= PINGS_UNANSWERED_MAX {
                    return Err(io::Error::other("one of its threads does not answer"));
                }
                send(&mut sender, &ToGateway::Ping, &[]).await?;
            }
        }
    }
}

async fn send(sender: &mut Sender, message: &ToGateway, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let sent = tokio::time::timeout(SEND_MAX, sender.send(message, descriptors)).await;
    sent.unwrap_or_else(|_| Err(io::Error::other("it does not take messages")))
}

async fn hear(shared: &Shared, observer: &dyn GatewayObserver, fetcher: Option<&FetchProxy>, mut receiver: Receiver) -> io::Result<()> {
    while let Some((message, _)) = receiver.receive::<FromGateway>().await? {
        match message {
            FromGateway::LoadEnded(call, result) => {
                if let Some(Waiting::Load(answer)) = shared.calls().remove(&call) {
                    let _ = answer.send(result.map_err(LoadFailure::of));
                }
            }
            FromGateway::RunEnded(call, result) => {
                if let Some(Waiting::Run(answer)) = shared.calls().remove(&call) {
                    let _ = answer.send(result.map(|outcome| *outcome));
                }
            }
            FromGateway::Kv(asks) => observer.kv(asks),
            FromGateway::Batch(batch) => {
                for thread in batch.fetchers_wanted.iter().copied() {
                    connect_to_fetcher(shared, fetcher, thread);
                }
                pass_on(observer, batch);
            }
            FromGateway::Refused { sentence } => return Err(io::Error::other(sentence)),
            FromGateway::Pong => shared.pings_unanswered.store(0, Ordering::Relaxed),
            FromGateway::Ready { .. } => {}
        }
    }
    Ok(())
}

/// Without a connection the thread learns that there is none; if even that does not reach it, it asks again.
fn connect_to_fetcher(shared: &Shared, fetcher: Option<&FetchProxy>, thread: u32) {
    let connection = fetcher.and_then(|fetcher| fetcher.connect().ok());
    let _ = shared.messages.try_send((ToGateway::Fetcher { thread }, connection.into_iter().collect()));
}

fn pass_on(observer: &dyn GatewayObserver, batch: Batch) {
    if !batch.logs.is_empty() {
        observer.logs(batch.logs);
    }
    if !batch.reports.is_empty() {
        observer.reports(batch.reports);
    }
    for wanted in batch.wanted {
        observer.wanted(wanted);
    }
}
