//! Key-value stores of deployments, as gateway threads have them at hand. The workshop keeps them; what a thread reads is what the workshop last told.
//!
//! ```text
//!  guest ──► Session ──reads──► Cache of its deployment ◄──Contents, Changed──┐
//!               └──changes──► Asking ──KvAsk──► workshop (commits) ──KvTold───┴──Ended──► bell of the guest that waits
//! ```
//! A change is told to everybody before its end is told to who asked for it: whoever hears of the end, by whatever way, finds it done.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use vivarium_abi::{KvChange, KvEntry, KvError, KvStores, KvTable};

use super::deployments::{Deployment, Deployments};
use super::settings::Held;
use crate::control::channel::MESSAGE_BYTES_MAX;
use crate::control::messages::{CallId, KvAsk, KvKept, KvTold, Timestamp};

/// What all changes that have not ended may hold, in bytes.
const ASKED_BYTES_MAX: usize = MESSAGE_BYTES_MAX / 4;
/// What an ask takes on the wire beside what it names, at most.
const ASK_BYTES: usize = 128;
/// Asks for all that a deployment's stores hold, at the same time.
const CONTENTS_ASKED_MAX: usize = 1_024;

/// An ask that was not answered for so long is made again.
const ASK_AGAIN: Duration = Duration::from_secs(3);

/// Who is told that something happened for a guest that waits: one for each request.
pub type Bell = Arc<Notify>;

/// What one deployment's stores hold.
#[derive(Debug, Default)]
pub struct Cache {
    state: RwLock<State>,
    used_at_ms: AtomicU64,
    /// Its changes that have not ended.
    changes: AtomicU32,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Absent,
    Asked {
        at: Instant,
        bells: Vec<Bell>,
    },
    Present(KvTable),
    /// It could not be read: told once, then asked for again.
    Failed(KvError),
}

/// What the gateway has asked for.
#[derive(Debug)]
pub struct Asking {
    open: Mutex<Open>,
    asked: Notify,
    changes_max: usize,
    changes_per_deployment_max: u32,
    cached_bytes_max: u64,
    bytes_max: u64,
}

#[derive(Debug)]
struct Open {
    asks: Vec<KvAsk>,
    asked_bytes: usize,
    contents: usize,
    changes: HashMap<CallId, Change>,
    next_call: CallId,
}

/// A change that has not ended.
#[derive(Debug)]
struct Change {
    bytes: usize,
    deployment: Arc<Deployment>,
    ended: Arc<OnceLock<Result<(), KvError>>>,
    bell: Bell,
}

/// The stores of a deployment as one request has them.
#[derive(Debug)]
pub struct Session {
    asking: Arc<Asking>,
    deployment: Arc<Deployment>,
    slug: String,
    settings: Arc<Held>,
    bell: Bell,
    begun: RefCell<BTreeMap<u64, Begun>>,
}

/// A change of this request of which the end was not told yet.
#[derive(Debug)]
struct Begun {
    store: String,
    key: String,
    ended: Arc<OnceLock<Result<(), KvError>>>,
}

impl Asking {
    pub fn new(limits: &crate::limits::Limits) -> Asking {
        // Numbers of this gateway are not those of one before it, whose answers may still be on their way.
        let next_call = Timestamp::now().unix_ms << 20;
        let open = Open { asks: Vec::new(), asked_bytes: 0, contents: 0, changes: HashMap::new(), next_call };
        Asking {
            open: Mutex::new(open),
            asked: Notify::new(),
            changes_max: limits.kv_changes_max,
            changes_per_deployment_max: limits.kv_changes_per_deployment_max,
            cached_bytes_max: limits.kv_cached_bytes_max,
            bytes_max: limits.kv_bytes_max,
        }
    }

    /// What is to be asked of the workshop, as soon as there is something.
    pub async fn next(&self) -> Vec<KvAsk> {
        loop {
            let asks = self.take();
            if !asks.is_empty() {
                return asks;
            }
            self.asked.notified().await;
        }
    }

    fn take(&self) -> Vec<KvAsk> {
        std::mem::take(&mut self.open().asks)
    }

    /// Takes in what the workshop tells.
    pub fn told<M>(&self, deployments: &Deployments<M>, told: Vec<KvTold>) {
        for told in told {
            match told {
                KvTold::Contents { slug, kept } => {
                    let mut open = self.open();
                    open.contents = open.contents.saturating_sub(1);
                    drop(open);
                    let Some(deployment) = deployments.deployment(&slug) else { continue };
                    let table = kept.map(|kept| {
                        let mut table = KvTable::default();
                        kept.into_iter().for_each(|kept| table.set(&kept.store, &kept.key, kept.entry));
                        table
                    });
                    deployment.kv.fill(table);
                    self.make_room(&deployment, deployments.all());
                }
                KvTold::Changed { slug, kept } => {
                    if let Some(deployment) = deployments.deployment(&slug) {
                        deployment.kv.change(|table| self.take_in(table, kept));
                    }
                }
                KvTold::Emptied { slug, store } => {
                    if let Some(deployment) = deployments.deployment(&slug) {
                        deployment.kv.change(|table| table.remove_store(&store));
                    }
                }
                KvTold::Mark { number } => {
                    self.open().asks.push(KvAsk::Heard { number });
                    self.asked.notify_one();
                }
                KvTold::Ended { call, result } => self.end(call, result),
            }
        }
    }

    fn take_in(&self, table: &mut KvTable, kept: KvKept) {
        table.set(&kept.store, &kept.key, kept.entry);
        // Where there is too much some of it has expired, as the workshop, which bounds the rest, finds too.
        if table.bytes() > self.bytes_max {
            table.sweep(Timestamp::now().unix_ms);
        }
    }

    /// Lets go of what was used least recently, until the rest is no more than may be kept.
    fn make_room(&self, but: &Arc<Deployment>, mut all: Vec<Arc<Deployment>>) {
        let mut bytes: u64 = all.iter().map(|deployment| deployment.kv.bytes()).sum();
        all.sort_by_key(|deployment| deployment.kv.used_at_ms.load(Ordering::Relaxed));
        for deployment in all.iter().filter(|deployment| !Arc::ptr_eq(deployment, but)) {
            if bytes <= self.cached_bytes_max {
                return;
            }
            bytes -= deployment.kv.let_go();
        }
    }

    fn end(&self, call: CallId, result: Result<(), KvError>) {
        let mut open = self.open();
        let Some(change) = open.changes.remove(&call) else { return };
        open.asked_bytes -= change.bytes;
        drop(open);
        change.deployment.kv.changes.fetch_sub(1, Ordering::Relaxed);
        // It is told once.
        let _ = change.ended.set(result);
        change.bell.notify_one();
    }

    fn ask_contents(&self, slug: &str) -> Result<(), KvError> {
        let mut open = self.open();
        if open.contents >= CONTENTS_ASKED_MAX {
            return Err(KvError::TooManyRequests);
        }
        open.contents += 1;
        open.asks.push(KvAsk::Contents { slug: slug.to_owned() });
        self.asked.notify_one();
        Ok(())
    }

    fn ask_change(&self, slug: &str, change: KvChange, answer: Change) -> Result<(), KvError> {
        let bytes = answer.bytes;
        let mut open = self.open();
        let of_deployment = &answer.deployment.kv.changes;
        if open.changes.len() >= self.changes_max
            || open.asked_bytes + bytes > ASKED_BYTES_MAX
            || of_deployment.load(Ordering::Relaxed) >= self.changes_per_deployment_max
        {
            return Err(KvError::TooManyRequests);
        }
        of_deployment.fetch_add(1, Ordering::Relaxed);
        open.asked_bytes += bytes;
        open.next_call += 1;
        let call = open.next_call;
        open.changes.insert(call, answer);
        open.asks.push(KvAsk::Change { call, slug: slug.to_owned(), change });
        self.asked.notify_one();
        Ok(())
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    fn fill(&self, table: Result<KvTable, KvError>) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let filled = table.map_or_else(State::Failed, State::Present);
        if let State::Asked { bells, .. } = std::mem::replace(&mut *state, filled) {
            bells.iter().for_each(|bell| bell.notify_one());
        }
    }

    fn change(&self, change: impl FnOnce(&mut KvTable)) {
        if let State::Present(table) = &mut *self.state.write().unwrap_or_else(PoisonError::into_inner) {
            change(table);
        }
    }

    fn bytes(&self) -> u64 {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Present(table) => table.bytes(),
            State::Absent | State::Asked { .. } | State::Failed(_) => 0,
        }
    }

    /// Forgets what it holds; how much that was, in bytes.
    fn let_go(&self) -> u64 {
        let bytes = self.bytes();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let State::Present(_) = &*state {
            *state = State::Absent;
        }
        bytes
    }
}

impl Session {
    /// The stores of a deployment for a request, whose bell rings when there is something new.
    pub fn open(asking: &Arc<Asking>, deployment: &Arc<Deployment>, slug: &str, settings: &Arc<Held>, bell: Bell) -> Rc<Session> {
        Rc::new(Session {
            asking: asking.clone(),
            deployment: deployment.clone(),
            slug: slug.to_owned(),
            settings: settings.clone(),
            bell,
            begun: RefCell::default(),
        })
    }

    fn read<T>(&self, read: impl FnOnce(&KvTable, u64) -> T) -> Poll<Result<T, KvError>> {
        let (cache, now) = (&self.deployment.kv, Timestamp::now().unix_ms);
        if let State::Present(table) = &*cache.state.read().unwrap_or_else(PoisonError::into_inner) {
            cache.used_at_ms.store(now, Ordering::Relaxed);
            return Poll::Ready(Ok(read(table, now)));
        }
        let mut state = cache.state.write().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Present(table) => Poll::Ready(Ok(read(table, now))),
            State::Failed(error) => {
                let error = *error;
                *state = State::Absent;
                Poll::Ready(Err(error))
            }
            State::Asked { at, bells } if at.elapsed() < ASK_AGAIN => {
                if !bells.iter().any(|bell| Arc::ptr_eq(bell, &self.bell)) {
                    bells.push(self.bell.clone());
                }
                Poll::Pending
            }
            State::Absent | State::Asked { .. } => match self.asking.ask_contents(&self.slug) {
                Ok(()) => {
                    let mut bells = if let State::Asked { bells, .. } = &mut *state { std::mem::take(bells) } else { Vec::new() };
                    bells.push(self.bell.clone());
                    *state = State::Asked { at: Instant::now(), bells };
                    Poll::Pending
                }
                Err(error) => Poll::Ready(Err(error)),
            },
        }
    }

    /// Whether this request is changing such a key.
    fn is_changing(&self, is_meant: impl Fn(&Begun) -> bool) -> bool {
        self.begun.borrow().values().any(|begun| begun.ended.get().is_none() && is_meant(begun))
    }
}

impl KvStores for Session {
    fn bytes_max(&self) -> u64 {
        self.asking.bytes_max
    }

    fn has_store(&self, store: &str) -> bool {
        self.settings.kv_stores.contains(store)
    }

    fn entry(&self, store: &str, key: &str) -> Poll<Result<Option<KvEntry>, KvError>> {
        if self.is_changing(|begun| begun.store == store && begun.key == key) {
            return Poll::Pending;
        }
        self.read(|table, now| table.get(store, key, now).cloned())
    }

    fn keys(&self, store: &str, prefix: &str, after: &str, count: usize) -> Poll<Result<Vec<String>, KvError>> {
        if self.is_changing(|begun| begun.store == store) {
            return Poll::Pending;
        }
        self.read(|table, now| table.keys(store, prefix, after, count, now))
    }

    fn begin(&self, change: KvChange) -> u64 {
        let ended = Arc::new(OnceLock::new());
        let begun = Begun { store: change.store.clone(), key: change.key.clone(), ended: ended.clone() };
        let asked = if change.bytes() as u64 > self.asking.bytes_max {
            Err(KvError::PayloadTooLarge)
        } else {
            let bytes = ASK_BYTES + self.slug.len() + change.bytes();
            let answer = Change { bytes, deployment: self.deployment.clone(), ended: ended.clone(), bell: self.bell.clone() };
            self.asking.ask_change(&self.slug, change, answer)
        };
        if let Err(error) = asked {
            // Nobody else knows of it.
            let _ = ended.set(Err(error));
        }
        let mut all = self.begun.borrow_mut();
        // Guests have few of them at a time, for each takes a handle.
        let number = all.last_key_value().map_or(0, |(last, _)| last + 1);
        all.insert(number, begun);
        number
    }

    fn has_ended(&self, change: u64) -> bool {
        self.begun.borrow().get(&change).is_none_or(|begun| begun.ended.get().is_some())
    }

    fn end(&self, change: u64) -> Poll<Result<(), KvError>> {
        let mut all = self.begun.borrow_mut();
        let Some(begun) = all.get(&change) else { return Poll::Ready(Err(KvError::Internal)) };
        let Some(ended) = begun.ended.get().copied() else { return Poll::Pending };
        all.remove(&change);
        Poll::Ready(ended)
    }
}

#[cfg(test)]
mod tests;
