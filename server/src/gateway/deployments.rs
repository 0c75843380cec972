//! What this gateway can serve, shared by its threads.
//!
//! ```text
//!   absent ──wanted──► (the workshop answers) ──► live ──expires──► expired
//!     ▲                        │
//!     └── after a while ◄──────┴──► unknown, failed
//! ```
//! A request finds an `Arc` of its revision and keeps it: what is swapped in later serves later requests only. Loaded artifacts are bounded; the least
//! recently used goes first and is wanted again at its next request.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::kv::Cache;
use super::settings::Held;
use crate::control::messages::{Loaded, Settings, Timestamp, Wanted};

/// Addresses whose answer was "unknown", "failed" or "expired"; beyond it all are forgotten and asked for again.
const ANSWERS_MAX: usize = 4_096;
/// How long such an answer is believed without asking again.
const ANSWER_KEPT: Duration = Duration::from_secs(2);
/// Questions to the workshop that are open.
const WANTED_MAX: usize = 1_024;

/// All deployments; `M` is what a revision runs.
#[derive(Debug)]
pub struct Deployments<M> {
    table: RwLock<Table<M>>,
    changed: Notify,
    loaded_bytes_max: u64,
    ask_again: Duration,
}

#[derive(Debug)]
struct Table<M> {
    live: HashMap<String, Live<M>>,
    answers: HashMap<Wanted, (Answered, Instant)>,
    wanted: HashMap<Wanted, Instant>,
    loaded_bytes: u64,
}

#[derive(Debug)]
struct Live<M> {
    current: Option<u32>,
    revisions: HashMap<u32, Arc<Revision<M>>>,
    deployment: Arc<Deployment>,
}

/// What all revisions of a deployment share.
#[derive(Debug)]
pub struct Deployment {
    expires_at_unix_ms: AtomicU64,
    next_request_id: AtomicU64,
    in_flight: AtomicU32,
    settings: RwLock<Arc<Held>>,
    /// What its key-value stores hold.
    pub kv: Cache,
}

/// One revision, as long as anyone serves it.
#[derive(Debug)]
pub struct Revision<M> {
    pub loaded: Loaded,
    pub program: M,
    artifact_bytes: u64,
    deployment: Arc<Deployment>,
    used_at_ms: AtomicU64,
}

/// What the workshop said about a slug that is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    Unknown,
    Failed { sentence: String },
    Expired { at_unix_ms: u64 },
}

#[derive(Debug)]
pub enum Found<M> {
    Revision(Arc<Revision<M>>),
    Answered(Answered),
    /// Ask and wait for a change; `ask` is false while a question is open.
    Absent {
        ask: bool,
    },
    /// Too many questions are open.
    Busy,
}

/// One request in flight; it is over when this is dropped.
#[derive(Debug)]
pub struct InFlight {
    deployment: Arc<Deployment>,
}

impl<M> Deployments<M> {
    /// `ask_again`: how long an unanswered question keeps others from being sent.
    pub fn new(loaded_bytes_max: u64, ask_again: Duration) -> Deployments<M> {
        let table = Table { live: HashMap::new(), answers: HashMap::new(), wanted: HashMap::new(), loaded_bytes: 0 };
        Deployments { table: RwLock::new(table), changed: Notify::new(), loaded_bytes_max, ask_again }
    }

    /// What serves this now. Cheap when it is loaded: one shared lock, one look-up.
    pub fn find(&self, slug: &str, revision: Option<u32>) -> Found<M> {
        let now = Timestamp::now().unix_ms;
        if let Some(found) = self.table.read().unwrap_or_else(PoisonError::into_inner).find(slug, revision, now) {
            return found;
        }
        let wanted = Wanted { slug: slug.to_owned(), revision };
        self.table.write().unwrap_or_else(PoisonError::into_inner).want(wanted, self.ask_again)
    }

    /// Waits for the next message of the workshop; make it before [`Deployments::find`], so that none is missed.
    pub fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    /// Serves a revision from now on. Returns what had to make room.
    pub fn load(&self, loaded: Loaded, program: M, artifact_bytes: u64) -> Vec<Arc<Revision<M>>> {
        self.change(|table| table.load(loaded, program, artifact_bytes, self.loaded_bytes_max))
    }

    pub fn set_current(&self, slug: &str, revision: u32) {
        self.change(|table| {
            if let Some(live) = table.live.get_mut(slug) {
                live.current = Some(revision);
            }
        });
    }

    /// What a deployment keeps for its program, for all of its revisions.
    pub fn set_settings(&self, slug: &str, settings: Settings) {
        if let Some(deployment) = self.deployment(slug) {
            deployment.set_settings(settings);
        }
    }

    /// What the revisions of a deployment share, while it is live.
    pub fn deployment(&self, slug: &str) -> Option<Arc<Deployment>> {
        Some(self.table.read().unwrap_or_else(PoisonError::into_inner).live.get(slug)?.deployment.clone())
    }

    /// All that live.
    pub fn all(&self) -> Vec<Arc<Deployment>> {
        self.table.read().unwrap_or_else(PoisonError::into_inner).live.values().map(|live| live.deployment.clone()).collect()
    }

    /// Sets when a deployment ends; one that has ended is let go.
    pub fn expire(&self, slug: &str, at_unix_ms: u64) -> Vec<Arc<Revision<M>>> {
        self.change(|table| {
            if at_unix_ms > Timestamp::now().unix_ms {
                if let Some(live) = table.live.get(slug) {
                    live.deployment.expires_at_unix_ms.store(at_unix_ms, Ordering::Relaxed);
                }
                table.answers.retain(|wanted, _| wanted.slug != slug);
                return vec![];
            }
            table.answer(Wanted { slug: slug.to_owned(), revision: None }, Answered::Expired { at_unix_ms });
            table.remove(slug)
        })
    }

    /// The workshop's answer for what it cannot load. Without a revision it is about the whole deployment.
    pub fn answer(&self, wanted: Wanted, answered: Answered) {
        self.change(|table| table.answer(wanted, answered));
    }

    pub fn unload(&self, slug: &str, revision: u32) -> Option<Arc<Revision<M>>> {
        self.change(|table| table.unload(slug, revision))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Table<M>) -> T) -> T {
        let result = change(&mut self.table.write().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_waiters();
        result
    }
}

impl<M> Table<M> {
    fn find(&self, slug: &str, revision: Option<u32>, now_unix_ms: u64) -> Option<Found<M>> {
        if let Some(live) = self.live.get(slug) {
            let expires_at = live.deployment.expires_at_unix_ms.load(Ordering::Relaxed);
            if expires_at <= now_unix_ms {
                return Some(Found::Answered(Answered::Expired { at_unix_ms: expires_at }));
            }
            if let Some(revision) = live.revisions.get(&revision.or(live.current)?) {
                revision.used_at_ms.store(now_unix_ms, Ordering::Relaxed);
                return Some(Found::Revision(revision.clone()));
            }
        }
        let exact = self.answers.get(&Wanted { slug: slug.to_owned(), revision });
        let (answered, at) = exact.or_else(|| self.answers.get(&Wanted { slug: slug.to_owned(), revision: None }))?;
        (at.elapsed() < ANSWER_KEPT).then(|| Found::Answered(answered.clone()))
    }

    fn want(&mut self, wanted: Wanted, ask_again: Duration) -> Found<M> {
        if self.wanted.get(&wanted).is_some_and(|asked| asked.elapsed() < ask_again) {
            return Found::Absent { ask: false };
        }
        if self.wanted.len() >= WANTED_MAX {
            self.wanted.retain(|_, asked| asked.elapsed() < ask_again);
            if self.wanted.len() >= WANTED_MAX {
                return Found::Busy;
            }
        }
        self.wanted.insert(wanted, Instant::now());
        Found::Absent { ask: true }
    }

    fn load(&mut self, mut loaded: Loaded, program: M, artifact_bytes: u64, loaded_bytes_max: u64) -> Vec<Arc<Revision<M>>> {
        let slug = loaded.slug.clone();
        self.answered(&slug, Some(loaded.revision));
        let mut gone: Vec<_> = self.unload(&slug, loaded.revision).into_iter().collect();
        let live =
            self.live.entry(slug.clone()).or_insert_with(|| Live { current: None, revisions: HashMap::new(), deployment: Arc::default() });
        live.deployment.expires_at_unix_ms.store(loaded.expires_at_unix_ms, Ordering::Relaxed);
        live.deployment.set_settings(std::mem::take(&mut loaded.settings));
        live.deployment.next_request_id.fetch_max(loaded.next_request_id, Ordering::Relaxed);
        if loaded.current {
            live.current = Some(loaded.revision);
        }
        let key = loaded.revision;
        let used_at_ms = AtomicU64::new(Timestamp::now().unix_ms);
        let revision = Revision { loaded, program, artifact_bytes, deployment: live.deployment.clone(), used_at_ms };
        live.revisions.insert(key, Arc::new(revision));
        self.loaded_bytes += artifact_bytes;
        while self.loaded_bytes > loaded_bytes_max {
            match self.least_recently_used(&slug, key) {
                Some((slug, revision)) => gone.extend(self.unload(&slug, revision)),
                None => break,
            }
        }
        gone
    }

    fn least_recently_used(&self, but_slug: &str, but_revision: u32) -> Option<(String, u32)> {
        let all = self.live.iter().flat_map(|(slug, live)| live.revisions.values().map(move |revision| (slug, revision)));
        all.filter(|(slug, revision)| *slug != but_slug || revision.loaded.revision != but_revision)
            .min_by_key(|(_, revision)| revision.used_at_ms.load(Ordering::Relaxed))
            .map(|(slug, revision)| (slug.clone(), revision.loaded.revision))
    }

    /// Lets a revision go. The deployment's counters stay while anything of it is known.
    fn unload(&mut self, slug: &str, revision: u32) -> Option<Arc<Revision<M>>> {
        let live = self.live.get_mut(slug)?;
        let gone = live.revisions.remove(&revision)?;
        self.loaded_bytes -= gone.artifact_bytes;
        Some(gone)
    }

    fn remove(&mut self, slug: &str) -> Vec<Arc<Revision<M>>> {
        let gone: Vec<_> = self.live.remove(slug).map(|live| live.revisions.into_values().collect()).unwrap_or_default();
        self.loaded_bytes -= gone.iter().map(|revision: &Arc<Revision<M>>| revision.artifact_bytes).sum::<u64>();
        gone
    }

    fn answer(&mut self, wanted: Wanted, answered: Answered) {
        self.answered(&wanted.slug, wanted.revision);
        if self.answers.len() >= ANSWERS_MAX {
            self.answers.clear();
        }
        self.answers.insert(wanted, (answered, Instant::now()));
    }

    /// Questions about this are answered now. An answer about a whole deployment is one about each of its revisions, and the other way round: who asked
    /// for the deployment asks again if it was not what he wanted.
    fn answered(&mut self, slug: &str, revision: Option<u32>) {
        let other =
            |wanted: &Wanted| wanted.slug != slug || (revision.is_some() && wanted.revision.is_some() && wanted.revision != revision);
        self.answers.retain(|wanted, _| other(wanted));
        self.wanted.retain(|wanted, _| other(wanted));
    }
}

impl Default for Deployment {
    fn default() -> Self {
        Deployment {
            expires_at_unix_ms: AtomicU64::new(0),
            next_request_id: AtomicU64::new(1),
            in_flight: AtomicU32::new(0),
            settings: RwLock::default(),
            kv: Cache::default(),
        }
    }
}

impl Deployment {
    fn set_settings(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Held::of(settings));
    }

    /// What it keeps for its program now.
    pub fn settings(&self) -> Arc<Held> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<M> Revision<M> {
    pub fn deployment(&self) -> &Arc<Deployment> {
        &self.deployment
    }

    /// The id of the deployment's next request.
    pub fn next_request_id(&self) -> u64 {
        self.deployment.next_request_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts one more request, unless as many as that are in flight.
    pub fn enter(&self, in_flight_max: u32) -> Option<InFlight> {
        let deployment = self.deployment.clone();
        let entered =
            deployment.in_flight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| (count < in_flight_max).then_some(count + 1));
        entered.ok().map(|_| InFlight { deployment })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.deployment.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOREVER: u64 = u64::MAX;

    fn deployments(loaded_bytes_max: u64) -> Deployments<&'static str> {
        Deployments::new(loaded_bytes_max, Duration::from_secs(60))
    }

    fn loaded(slug: &str, revision: u32) -> Loaded {
        Loaded { slug: slug.into(), revision, current: true, expires_at_unix_ms: FOREVER, next_request_id: 5, ..Loaded::default() }
    }

    fn wanted(slug: &str, revision: Option<u32>) -> Wanted {
        Wanted { slug: slug.into(), revision }
    }

    fn check(deployments: &Deployments<&'static str>, slug: &str, revision: Option<u32>, expected: &str) {
        let told = match deployments.find(slug, revision) {
            Found::Revision(revision) => revision.program.to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(told, expected, "{slug} {revision:?}");
    }

    #[test]
    fn the_current_revision_is_swapped_and_older_ones_stay_until_unloaded() {
        let all = deployments(1000);
        all.load(loaded("fern", 1), "one", 10);
        let Found::Revision(begun) = all.find("fern", None) else { panic!("loaded") };
        all.load(loaded("fern", 2), "two", 10);
        check(&all, "fern", None, "two");
        check(&all, "fern", Some(1), "one");
        all.unload("fern", 1);
        check(&all, "fern", Some(1), "Absent { ask: true }");
        assert_eq!(begun.program, "one", "a request in flight keeps its revision");
        all.load(Loaded { current: false, ..loaded("fern", 1) }, "one", 10);
        check(&all, "fern", None, "two");
        all.set_current("fern", 1);
        check(&all, "fern", None, "one");
    }

    #[test]
    fn a_question_is_asked_once_until_it_is_answered() {
        let all = deployments(1000);
        check(&all, "moss", None, "Absent { ask: true }");
        check(&all, "moss", None, "Absent { ask: false }");
        all.answer(wanted("moss", None), Answered::Unknown);
        check(&all, "moss", None, "Answered(Unknown)");
        all.load(loaded("moss", 1), "moss", 10);
        check(&all, "moss", None, "moss");
        for slug in 0..2 * WANTED_MAX {
            all.find(&format!("random{slug}"), None);
        }
        check(&all, "one-more", None, "Busy");
        check(&all, "moss", None, "moss");
    }

    #[test]
    fn an_unknown_revision_says_nothing_about_its_deployment() {
        let all = deployments(1000);
        all.answer(wanted("fern", Some(99)), Answered::Unknown);
        check(&all, "fern", Some(99), "Answered(Unknown)");
        check(&all, "fern", None, "Absent { ask: true }");
        check(&all, "fern", Some(1), "Absent { ask: true }");
        all.load(loaded("fern", 1), "one", 10);
        check(&all, "fern", None, "one");
        all.answer(wanted("oak", None), Answered::Unknown);
        check(&all, "oak", Some(1), "Answered(Unknown)");
    }

    #[test]
    fn what_has_expired_is_let_go_and_what_was_extended_stays() {
        let all = deployments(1000);
        all.load(loaded("fern", 1), "fern", 10);
        all.expire("fern", FOREVER);
        check(&all, "fern", None, "fern");
        assert_eq!(all.expire("fern", 7).len(), 1);
        check(&all, "fern", None, "Answered(Expired { at_unix_ms: 7 })");
        all.load(Loaded { expires_at_unix_ms: 9, ..loaded("oak", 1) }, "oak", 10);
        check(&all, "oak", None, "Answered(Expired { at_unix_ms: 9 })");
    }

    #[test]
    fn the_least_recently_used_makes_room() {
        let all = deployments(25);
        all.load(loaded("a", 1), "a", 10);
        all.load(loaded("b", 1), "b", 10);
        std::thread::sleep(Duration::from_millis(5));
        check(&all, "a", None, "a");
        let gone = all.load(loaded("c", 1), "c", 10);
        assert_eq!(gone.iter().map(|revision| revision.program).collect::<Vec<_>>(), ["b"]);
        check(&all, "b", None, "Absent { ask: true }");
        check(&all, "c", None, "c");
        all.load(loaded("c", 1), "c again", 10);
        check(&all, "a", None, "a");
    }

    #[test]
    fn requests_in_flight_are_counted_for_the_deployment_and_ids_grow() {
        let all = deployments(1000);
        all.load(loaded("fern", 1), "one", 10);
        all.load(loaded("fern", 2), "two", 10);
        let (Found::Revision(one), Found::Revision(two)) = (all.find("fern", Some(1)), all.find("fern", Some(2))) else { panic!("loaded") };
        let held: Vec<_> = [&one, &two].iter().map(|revision| revision.enter(2).unwrap()).collect();
        assert!(one.enter(2).is_none());
        drop(held);
        assert!(one.enter(2).is_some());
        assert_eq!([one.next_request_id(), two.next_request_id()], [5, 6]);
    }
}
