//! Deployments: an index in memory over rows that are written first. What was acknowledged is in both; a row is written before the index
//! changes, and blobs before the row.
//!
//! ```text
//! add / extend / stop ─► blobs ─► row (committed) ─► index ─► event `deployment`
//! reports, log lines ─► rings in memory ─► events `request`, `log`
//! ```
//! Parts: `record` is one deployment and its JSON; `store` is the SQL; `later` is written down after it happened; `error` says why something was
//! refused.
//!
//! States: `live ⇄ trapped ⇄ limited` by the last request; each goes to `expired` when its time is over, which is final.

mod backends;
mod error;
mod later;
mod named_stores;
mod record;
mod settings;
pub mod store;
mod variables;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use backends::{Backend, checked as checked_backend};
pub use error::DeploymentError;
pub use record::{Deployment, DeploymentState, DeploymentView, Log, Revision};
pub use settings::{KvStoreView, SettingChanges, Settings};

use super::addresses::Addresses;
use super::blobs::Blobs;
use super::database::{Database, DatabaseError};
use super::events::{Hub, Topic};
use super::identifiers::{TokenHash, new_slug};
use crate::control::messages::{LogEntry, LogStream, RunReport, Timestamp};
use crate::limits::Limits;

/// Blobs younger than this are not swept: somebody may be about to name them.
const UNNAMED_BLOB_AGE_MIN: Duration = Duration::from_secs(3600);

/// What a revision is made of, before it has a number.
#[derive(Clone, Debug)]
pub struct NewRevision {
    /// Named by the number 0 until it has its own.
    pub revision: Revision,
    /// From now; none for the default, or for what a further revision's deployment has left.
    pub ttl_seconds: Option<u64>,
    /// Of what the deployment keeps for its program.
    pub changes: SettingChanges,
}

/// What a slug means to a visitor.
#[derive(Clone, Debug)]
pub enum Lookup {
    Unknown,
    Expired(Timestamp),
    Found { revision: Box<Revision>, current: bool, expires_at: Timestamp, next_request_id: u64 },
}

pub struct Deployments {
    entries: Mutex<HashMap<String, Deployment>>,
    database: Database,
    blobs: Arc<Blobs>,
    events: Arc<Hub>,
    addresses: Arc<Addresses>,
    limits: Arc<Limits>,
    next_log_id: AtomicU64,
    /// Revisions that were loaded for the first time since timings were last written down.
    loads_unwritten: Mutex<Vec<(String, u32)>>,
    /// Held by whoever changes rows: numbers of revisions follow one another.
    changes: tokio::sync::Mutex<()>,
    /// Read while blobs have been put that no row names yet; written to sweep.
    sweeping: tokio::sync::RwLock<()>,
}

impl Deployments {
    /// Reads what was acknowledged.
    pub async fn restore(
        database: Database,
        blobs: Arc<Blobs>,
        events: Arc<Hub>,
        addresses: Arc<Addresses>,
        limits: Arc<Limits>,
    ) -> Result<Deployments, DatabaseError> {
        let entries = database.call(store::read_all).await?;
        Ok(Deployments {
            entries: Mutex::new(entries),
            database,
            blobs,
            events,
            addresses,
            limits,
            // Microseconds since 1970: ids grow over restarts.
            next_log_id: AtomicU64::new(Timestamp::now().unix_ms * 1000),
            loads_unwritten: Mutex::default(),
            changes: tokio::sync::Mutex::default(),
            sweeping: tokio::sync::RwLock::default(),
        })
    }

    /// Held from before the first blob of a deployment until its row is committed.
    pub async fn keep_blobs(&self) -> tokio::sync::RwLockReadGuard<'_, ()> {
        self.sweeping.read().await
    }

    /// A new deployment; its view.
    pub async fn create(&self, owner: TokenHash, new: NewRevision) -> Result<DeploymentView, DeploymentError> {
        let ttl_seconds = self.ttl(new.ttl_seconds)?.unwrap_or(self.limits.ttl_seconds_default);
        let _changes = self.changes.lock().await;
        let now = Timestamp::now();
        let deployments_max = self.limits.deployments_max;
        if self.entries().values().filter(|deployment| !deployment.is_expired(now)).count() >= deployments_max {
            return Err(DeploymentError::TooMany { deployments_max });
        }
        let slug = new_slug().map_err(DeploymentError::Random)?;
        let expires_at = after(now, ttl_seconds);
        let revision = Revision { number: 1, ..new.revision };
        let settings = Settings::default().changed(new.changes, &self.limits)?;
        let (row_slug, row, kept) = (slug.clone(), revision.clone(), settings.clone());
        self.database.call(move |connection| store::insert(connection, &row_slug, owner, now, expires_at, (&row, &kept))).await?;
        let mut deployment = Deployment::new(slug.clone(), owner, now, expires_at, 1);
        deployment.revisions.insert(1, revision);
        deployment.settings = settings;
        let view = deployment.view(&self.addresses);
        self.entries().insert(slug.clone(), deployment);
        self.tell(&slug);
        Ok(view)
    }

    /// The next revision of one that exists.
    pub async fn revise(&self, slug: &str, owner: Option<TokenHash>, new: NewRevision) -> Result<DeploymentView, DeploymentError> {
        let ttl_seconds = self.ttl(new.ttl_seconds)?;
        let _changes = self.changes.lock().await;
        let (number, before, expires_at, kept) = {
            let entries = self.entries();
            let deployment = owned(&entries, slug, owner)?;
            let before = deployment.expires_at;
            let expires_at = ttl_seconds.map_or(before, |ttl_seconds| after(Timestamp::now(), ttl_seconds));
            (deployment.next_number(), before, expires_at, deployment.settings.clone())
        };
        let revision = Revision { number, ..new.revision };
        let oldest_kept = (number + 1).saturating_sub(u32::try_from(self.limits.revisions_max).unwrap_or(u32::MAX));
        let settings = kept.changed(new.changes, &self.limits)?;
        let (row_slug, row, changed) = (slug.to_owned(), revision.clone(), settings.clone());
        let add = move |connection: &mut _| store::add_revision(connection, &row_slug, (&row, &changed), expires_at, oldest_kept);
        self.database.call(add).await?;
        self.change(slug, |deployment| {
            deployment.revisions.insert(number, revision);
            deployment.revisions.retain(|number, _| *number >= oldest_kept);
            (deployment.last_number, deployment.expires_without) = (number, Some((number, before)));
            deployment.expires_at = expires_at;
            (deployment.settings, deployment.settings_without) = (settings, Some((number, kept)));
            deployment.last_request = DeploymentState::Live;
        })
    }

    /// Takes back a revision that could not be served and so is not acknowledged, the end that it had set, and the settings that came with it.
    pub async fn retract(&self, slug: &str, number: u32) -> Result<(), DeploymentError> {
        let _changes = self.changes.lock().await;
        let Some((expires_at, settings)) = self.entries().get(slug).map(|deployment| {
            let expires_at = deployment.expires_without.filter(|(set_by, _)| *set_by == number);
            let settings = deployment.settings_without.as_ref().filter(|(set_by, _)| *set_by == number);
            let expires_at = expires_at.map_or(deployment.expires_at, |(_, before)| before);
            (expires_at, settings.map_or(&deployment.settings, |(_, before)| before).clone())
        }) else {
            return Ok(());
        };
        let (row_slug, kept) = (slug.to_owned(), settings.clone());
        self.database.call(move |connection| store::remove_revision(connection, &row_slug, number, expires_at, &kept)).await?;
        let mut entries = self.entries();
        if let Some(deployment) = entries.get_mut(slug) {
            deployment.revisions.remove(&number);
            deployment.settings_without.take_if(|(set_by, _)| *set_by == number);
            (deployment.expires_at, deployment.settings) = (expires_at, settings);
            if deployment.revisions.is_empty() {
                entries.remove(slug);
            }
        }
        drop(entries);
        self.tell(slug);
        Ok(())
    }

    /// Lets it live so long from now.
    pub async fn extend(&self, slug: &str, owner: Option<TokenHash>, ttl_seconds: u64) -> Result<DeploymentView, DeploymentError> {
        let ttl_seconds = self.ttl(Some(ttl_seconds))?.unwrap_or_default();
        self.set_expiry(slug, owner, after(Timestamp::now(), ttl_seconds)).await
    }

    /// Changes what a deployment keeps for its program.
    pub async fn set_settings(&self, slug: &str, owner: Option<TokenHash>, changes: SettingChanges) -> Result<(), DeploymentError> {
        let _changes = self.changes.lock().await;
        let (settings, without) = {
            let entries = self.entries();
            let deployment = owned(&entries, slug, owner)?;
            // What is changed now stays, also when the revision that is on its way does not.
            let without = deployment.settings_without.as_ref();
            let without = without.and_then(|(number, before)| Some((*number, before.changed(changes.clone(), &self.limits).ok()?)));
            (deployment.settings.changed(changes, &self.limits)?, without)
        };
        let (row_slug, rows) = (slug.to_owned(), settings.clone());
        self.database.call(move |connection| store::set_settings(connection, &row_slug, &rows)).await?;
        self.change(slug, |deployment| (deployment.settings, deployment.settings_without) = (settings, without)).map(drop)
    }

    /// A revision is served: nothing of it is taken back any more.
    pub fn settle_revision(&self, slug: &str, number: u32) {
        if let Some(deployment) = self.entries().get_mut(slug) {
            deployment.settings_without.take_if(|(set_by, _)| *set_by == number);
        }
    }

    /// Refuses now what [`Deployments::set_settings`] would refuse later; without a slug, of a new deployment.
    pub fn check_settings(&self, slug: Option<&str>, changes: &SettingChanges) -> Result<(), DeploymentError> {
        let before = slug.map(|slug| self.settings(slug)).unwrap_or_default();
        before.changed(changes.clone(), &self.limits).map(drop)
    }

    pub fn settings(&self, slug: &str) -> Settings {
        self.entries().get(slug).map(|deployment| deployment.settings.clone()).unwrap_or_default()
    }

    /// What deployments that have ended kept for their programs goes.
    pub async fn clear_state(&self, slugs: Vec<String>) -> Result<(), DatabaseError> {
        let _changes = self.changes.lock().await;
        for slug in &slugs {
            if let Some(deployment) = self.entries().get_mut(slug) {
                (deployment.settings, deployment.settings_without) = (Settings::default(), None);
            }
        }
        self.database.call(move |connection| store::clear_state(connection, &slugs)).await
    }

    /// Ends it now.
    pub async fn stop(&self, slug: &str, owner: Option<TokenHash>) -> Result<DeploymentView, DeploymentError> {
        self.set_expiry(slug, owner, Timestamp::now()).await
    }

    /// The present state; none when nobody ever deployed it.
    pub fn view(&self, slug: &str) -> Option<DeploymentView> {
        self.entries().get(slug).map(|deployment| deployment.view(&self.addresses))
    }

    /// The current revision, if the token is its owner's.
    pub fn owned_revision(&self, slug: &str, owner: TokenHash) -> Option<Revision> {
        self.entries().get(slug).filter(|deployment| deployment.owner == owner)?.current().cloned()
    }

    /// Refuses now what [`Deployments::revise`] would refuse later.
    pub fn check_owner(&self, slug: &str, owner: Option<TokenHash>) -> Result<(), DeploymentError> {
        owned(&self.entries(), slug, owner).map(drop)
    }

    /// All deployments of a token, newest first.
    pub fn owned_by(&self, owner: TokenHash) -> Vec<DeploymentView> {
        let entries = self.entries();
        let mut owned: Vec<_> = entries.values().filter(|deployment| deployment.owner == owner).collect();
        owned.sort_by_key(|deployment| std::cmp::Reverse((deployment.created_at, deployment.slug.clone())));
        owned.into_iter().map(|deployment| deployment.view(&self.addresses)).collect()
    }

    /// Whether a token owns any deployment.
    pub fn owns_any(&self, owner: TokenHash) -> bool {
        self.entries().values().any(|deployment| deployment.owner == owner)
    }

    /// Whose a deployment is.
    pub fn owner_of(&self, slug: &str) -> Option<TokenHash> {
        self.entries().get(slug).map(|deployment| deployment.owner)
    }

    /// What a visitor of the slug should get; without a number: of its current revision.
    pub fn lookup(&self, slug: &str, number: Option<u32>) -> Lookup {
        let entries = self.entries();
        let Some(deployment) = entries.get(slug) else { return Lookup::Unknown };
        if deployment.is_expired(Timestamp::now()) {
            return Lookup::Expired(deployment.expires_at);
        }
        let current = deployment.current();
        let Some(revision) = number.map_or(current, |number| deployment.revisions.get(&number)) else { return Lookup::Unknown };
        Lookup::Found {
            revision: Box::new(revision.clone()),
            current: current.is_some_and(|current| current.number == revision.number),
            expires_at: deployment.expires_at,
            next_request_id: deployment.next_request_id,
        }
    }

    /// The last requests, newest last.
    pub fn requests(&self, slug: &str) -> Option<Vec<RunReport>> {
        self.entries().get(slug).map(|deployment| deployment.requests.iter().cloned().collect())
    }

    /// The last log lines, newest last.
    pub fn logs(&self, slug: &str) -> Option<Vec<Log>> {
        self.entries().get(slug).map(|deployment| deployment.logs.iter().cloned().collect())
    }

    /// What became of one request, while that is kept.
    pub fn report(&self, slug: &str, id: u64) -> Option<RunReport> {
        self.entries().get(slug)?.requests.iter().rev().find(|report| report.id == id).cloned()
    }

    /// What the program itself said during one request.
    pub fn log_of(&self, slug: &str, request_id: u64) -> Vec<String> {
        let entries = self.entries();
        let logs = entries.get(slug).map(|deployment| deployment.logs.iter()).into_iter().flatten();
        let own = logs.filter(|log| log.entry.request_id == Some(request_id) && log.entry.stream != LogStream::Vivarium);
        own.map(|log| log.entry.text.clone()).collect()
    }

    pub fn add_reports(&self, reports: Vec<RunReport>) {
        for report in reports {
            let topic = Topic::Deployment(report.slug.clone());
            let mut entries = self.entries();
            let Some(deployment) = entries.get_mut(&report.slug) else { continue };
            let changed = deployment.add_report(report.clone(), &self.limits).then(|| deployment.view(&self.addresses));
            drop(entries);
            self.events.publish(&topic, "request", &report);
            if let Some(view) = changed {
                self.events.publish(&topic, "deployment", &view);
            }
        }
    }

    pub fn add_logs(&self, logs: Vec<LogEntry>) {
        for entry in logs {
            let log = Log { id: self.next_log_id.fetch_add(1, Ordering::Relaxed), entry };
            let mut entries = self.entries();
            let Some(deployment) = entries.get_mut(&log.entry.slug) else { continue };
            deployment.add_log(log.clone(), &self.limits);
            drop(entries);
            self.events.publish(&Topic::Deployment(log.entry.slug.clone()), "log", &log);
        }
    }

    /// A line of the server itself in a deployment's log.
    pub fn note(&self, slug: &str, revision: u32, text: String) {
        let entry =
            LogEntry { slug: slug.to_owned(), revision, request_id: None, time: Timestamp::now(), stream: LogStream::Vivarium, text };
        self.add_logs(vec![entry]);
    }

    /// How many live, and how many are kept all in all.
    pub fn count(&self) -> (usize, usize) {
        let (entries, now) = (self.entries(), Timestamp::now());
        (entries.values().filter(|deployment| !deployment.is_expired(now)).count(), entries.len())
    }

    /// Tells of those whose time is over since the last call.
    pub fn tell_expired(&self) -> Vec<(String, Timestamp)> {
        let now = Timestamp::now();
        let mut over = Vec::new();
        for deployment in self.entries().values_mut().filter(|deployment| deployment.is_expired(now) && !deployment.expiry_told) {
            deployment.end();
            over.push((deployment.slug.clone(), deployment.expires_at));
        }
        over.iter().for_each(|(slug, _)| self.tell(slug));
        over
    }

    /// Forgets deployments that expired long ago, then blobs that no row names any more.
    pub async fn sweep(&self) -> Result<(), DeploymentError> {
        let forgotten = self.long_expired();
        if !forgotten.is_empty() {
            let _changes = self.changes.lock().await;
            let rows = forgotten.clone();
            self.database.call(move |connection| store::remove(connection, &rows)).await?;
            let mut entries = self.entries();
            forgotten.iter().for_each(|slug| drop(entries.remove(slug)));
        }
        let _alone = self.sweeping.write().await;
        let named = self.database.call(store::named_blobs).await?;
        let blobs = self.blobs.clone();
        let swept = tokio::task::spawn_blocking(move || blobs.sweep(&named, UNNAMED_BLOB_AGE_MIN)).await;
        match swept {
            Ok(swept) => swept.map(drop).map_err(DeploymentError::Sweep),
            Err(error) => Err(DeploymentError::Sweep(std::io::Error::other(error))),
        }
    }

    fn long_expired(&self) -> Vec<String> {
        let kept_ms = self.limits.expired_kept_seconds.saturating_mul(1000);
        let now = Timestamp::now();
        let entries = self.entries();
        let mut expired: Vec<_> = entries.values().filter(|deployment| deployment.is_expired(now)).collect();
        expired.sort_by_key(|deployment| std::cmp::Reverse(deployment.expires_at));
        let long_ago = |deployment: &Deployment| now.unix_ms.saturating_sub(deployment.expires_at.unix_ms) > kept_ms;
        let most = self.limits.expired_kept_max;
        let gone = expired.into_iter().enumerate().filter(|(place, deployment)| *place >= most || long_ago(deployment));
        gone.map(|(_, deployment)| deployment.slug.clone()).collect()
    }

    async fn set_expiry(&self, slug: &str, owner: Option<TokenHash>, at: Timestamp) -> Result<DeploymentView, DeploymentError> {
        let _changes = self.changes.lock().await;
        owned(&self.entries(), slug, owner)?;
        let row_slug = slug.to_owned();
        self.database.call(move |connection| store::set_expiry(connection, &row_slug, at)).await?;
        self.change(slug, |deployment| (deployment.expires_at, deployment.expires_without) = (at, None))
    }

    fn change(&self, slug: &str, change: impl FnOnce(&mut Deployment)) -> Result<DeploymentView, DeploymentError> {
        let mut entries = self.entries();
        let deployment = entries.get_mut(slug).ok_or_else(|| DeploymentError::Unknown(slug.to_owned()))?;
        change(deployment);
        let view = deployment.view(&self.addresses);
        drop(entries);
        self.events.publish(&Topic::Deployment(slug.to_owned()), "deployment", &view);
        Ok(view)
    }

    pub(super) fn tell(&self, slug: &str) {
        if let Some(view) = self.view(slug) {
            self.events.publish(&Topic::Deployment(slug.to_owned()), "deployment", &view);
        }
    }

    fn ttl(&self, ttl_seconds: Option<u64>) -> Result<Option<u64>, DeploymentError> {
        let ttl_seconds_max = self.limits.ttl_seconds_max;
        match ttl_seconds {
            Some(ttl_seconds) if ttl_seconds == 0 || ttl_seconds > ttl_seconds_max => {
                Err(DeploymentError::Ttl { ttl_seconds, ttl_seconds_max })
            }
            ttl_seconds => Ok(ttl_seconds),
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Deployment>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The deployment, if it lives and the token is its owner's. Who has no token is told so, who has a wrong one is not told more.
fn owned<'a>(entries: &'a HashMap<String, Deployment>, slug: &str, owner: Option<TokenHash>) -> Result<&'a Deployment, DeploymentError> {
    let deployment = entries.get(slug).ok_or_else(|| DeploymentError::Unknown(slug.to_owned()))?;
    match owner {
        None => Err(DeploymentError::TokenMissing(slug.to_owned())),
        Some(owner) if owner != deployment.owner => Err(DeploymentError::NotOwner(slug.to_owned())),
        Some(_) if deployment.is_expired(Timestamp::now()) => Err(DeploymentError::Expired(slug.to_owned())),
        Some(_) => Ok(deployment),
    }
}

fn after(now: Timestamp, seconds: u64) -> Timestamp {
    Timestamp { unix_ms: now.unix_ms.saturating_add(seconds.saturating_mul(1000)) }
}

#[cfg(test)]
mod tests;
