//! A deployment, in memory and as the API shows it.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use vivarium_toolchains::{Language, ProgramKind};

use super::backends::Backend;
use super::settings::{KvStoreView, Settings};
use crate::control::messages::{LogEntry, Outcome, RunReport, Timestamp, Timings};
use crate::control::settings::NamedStores;
use crate::limits::Limits;
use crate::workshop::addresses::Addresses;
use crate::workshop::blobs::BlobHash;
use crate::workshop::identifiers::TokenHash;

/// One program that was deployed under a slug.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// From 1.
    pub number: u32,
    pub language: Language,
    pub kind: ProgramKind,
    pub source: BlobHash,
    pub wasm: BlobHash,
    pub wasm_bytes: usize,
    pub artifact_bytes: usize,
    /// Of its build, and of its first load.
    pub timings: Timings,
    pub created_at: Timestamp,
}

/// What the last request came to. A deployment answers in each of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    Live,
    /// The last request trapped.
    Trapped,
    /// The last request reached a limit.
    Limited,
    /// Its time is over: 410. Final.
    Expired,
}

/// A log line with the id that the workshop gave it.
#[derive(Clone, Debug, Serialize)]
pub struct Log {
    pub id: u64,
    #[serde(flatten)]
    pub entry: LogEntry,
}

#[derive(Debug)]
pub struct Deployment {
    pub slug: String,
    pub owner: TokenHash,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// By number; the last one is current. Never empty.
    pub revisions: BTreeMap<u32, Revision>,
    /// The highest number that was ever given: none is given twice, even if its revision was taken back.
    pub last_number: u32,
    /// When it would end without the revision of this number, as long as nothing else has set its end since.
    pub expires_without: Option<(u32, Timestamp)>,
    pub last_request: DeploymentState,
    /// The id of the next request is at least this.
    pub next_request_id: u64,
    /// What the database says `next_request_id` is: ahead of it, so that it need not be written at each request.
    pub reserved_request_id: u64,
    /// What it keeps for its program.
    pub settings: Settings,
    /// What that would be without the revision of this number, as long as that may be taken back.
    pub settings_without: Option<(u32, Settings)>,
    /// Its expiry was told.
    pub expiry_told: bool,
    pub requests: VecDeque<RunReport>,
    pub logs: VecDeque<Log>,
    pub log_bytes: usize,
}

impl Deployment {
    pub fn new(slug: String, owner: TokenHash, created_at: Timestamp, expires_at: Timestamp, next_request_id: u64) -> Deployment {
        Deployment {
            slug,
            owner,
            created_at,
            expires_at,
            revisions: BTreeMap::new(),
            last_number: 0,
            expires_without: None,
            last_request: DeploymentState::Live,
            next_request_id,
            reserved_request_id: next_request_id,
            settings: Settings::default(),
            settings_without: None,
            expiry_told: false,
            requests: VecDeque::new(),
            logs: VecDeque::new(),
            log_bytes: 0,
        }
    }

    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }

    pub fn state(&self, now: Timestamp) -> DeploymentState {
        if self.is_expired(now) { DeploymentState::Expired } else { self.last_request }
    }

    /// The number of the next revision.
    pub fn next_number(&self) -> u32 {
        self.last_number.max(self.current().map_or(0, |revision| revision.number)) + 1
    }

    /// Its end was told. What it kept of its last requests is let go, for it answers no more.
    pub fn end(&mut self) {
        self.expiry_told = true;
        (self.requests, self.logs, self.log_bytes) = (VecDeque::new(), VecDeque::new(), 0);
    }

    /// The revision that the deployment's own address serves.
    pub fn current(&self) -> Option<&Revision> {
        self.revisions.values().next_back()
    }

    /// Keeps the report; whether the state changed by it.
    pub fn add_report(&mut self, report: RunReport, limits: &Limits) -> bool {
        self.next_request_id = self.next_request_id.max(report.id.saturating_add(1));
        let state = match report.outcome {
            Outcome::Trapped(_) => DeploymentState::Trapped,
            Outcome::Limited(_) => DeploymentState::Limited,
            // The host's failure says nothing about the program.
            Outcome::Failed { .. } => self.last_request,
            Outcome::Finished | Outcome::Exited { .. } => DeploymentState::Live,
        };
        // An old revision's request says nothing about the program that is served now.
        let current = self.current().is_some_and(|revision| revision.number == report.revision);
        let changed = current && state != self.last_request;
        if changed {
            self.last_request = state;
        }
        if self.expiry_told {
            return changed;
        }
        if self.requests.len() >= limits.requests_kept {
            self.requests.pop_front();
        }
        self.requests.push_back(report);
        changed
    }

    pub fn add_log(&mut self, log: Log, limits: &Limits) {
        if self.expiry_told {
            return;
        }
        self.log_bytes += log.entry.text.len();
        self.logs.push_back(log);
        while self.logs.len() > limits.log_lines_kept || (self.log_bytes > limits.log_bytes_kept && self.logs.len() > 1) {
            self.log_bytes -= self.logs.pop_front().map_or(0, |oldest| oldest.entry.text.len());
        }
    }

    pub fn view(&self, addresses: &Addresses) -> DeploymentView {
        let current = self.current();
        let revision = current.map_or(0, |revision| revision.number);
        DeploymentView {
            url: addresses.guest_url(&self.slug),
            path_url: addresses.guest_path_url(&self.slug),
            revision_url: addresses.guest_url(&format!("{}--r{revision}", self.slug)),
            slug: self.slug.clone(),
            revision,
            state: self.state(Timestamp::now()),
            kind: current.map_or(ProgramKind::Service, |revision| revision.kind),
            language: current.map_or(Language::C, |revision| revision.language),
            created_at: self.created_at,
            expires_at: self.expires_at,
            timings: current.map(|revision| revision.timings).unwrap_or_default(),
            wasm_bytes: current.map_or(0, |revision| revision.wasm_bytes),
            artifact_bytes: current.map_or(0, |revision| revision.artifact_bytes),
            owner_token: None,
            files: None,
            assets: None,
            env: None,
            secrets: None,
            config: None,
            secret_stores: None,
            kv_stores: None,
            backends: None,
        }
    }
}

/// The object Deployment of the HTTP contract.
#[derive(Clone, Debug, Serialize)]
pub struct DeploymentView {
    pub slug: String,
    pub url: String,
    pub path_url: String,
    pub revision: u32,
    pub revision_url: String,
    pub state: DeploymentState,
    pub kind: ProgramKind,
    pub language: Language,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub timings: Timings,
    pub wasm_bytes: usize,
    pub artifact_bytes: usize,
    /// At creation only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_token: Option<String>,
    /// For the owner only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<BTreeMap<String, String>>,
    /// Sizes in bytes by path. For the owner only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assets: Option<BTreeMap<String, usize>>,
    /// For the owner only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<BTreeMap<String, String>>,
    /// Their names. For the owner only; their values are for the program only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Vec<String>>,
    /// For the owner only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<NamedStores>,
    /// The names of what they hold. For the owner only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_stores: Option<BTreeMap<String, Vec<String>>>,
    /// For the owner only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv_stores: Option<BTreeMap<String, KvStoreView>>,
    /// For the owner only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backends: Option<BTreeMap<String, Backend>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workshop::testing::{log, report};

    fn fern() -> Deployment {
        let now = Timestamp::now();
        let mut fern = Deployment::new("fern".into(), TokenHash::of("x"), now, Timestamp { unix_ms: now.unix_ms + 60_000 }, 1);
        fern.revisions.insert(2, crate::workshop::testing::revision(2));
        fern
    }

    #[test]
    fn the_state_tells_of_the_last_request_to_the_current_revision() {
        let (mut fern, limits) = (fern(), Limits::default());
        let failed = Outcome::Failed { message: "no slot".into() };
        let limited = Outcome::Limited(crate::control::messages::LimitReport { name: "cpu_ms".into(), message: String::new() });
        assert!(!fern.add_report(report("fern", 2, 1, Outcome::Finished), &limits));
        assert!(!fern.add_report(report("fern", 1, 2, limited.clone()), &limits), "an old revision's");
        assert!(fern.add_report(report("fern", 2, 3, limited), &limits));
        assert!(!fern.add_report(report("fern", 2, 4, failed), &limits), "the host's failure");
        assert_eq!(fern.state(Timestamp::now()), DeploymentState::Limited);
        assert!(fern.add_report(report("fern", 2, 5, Outcome::Exited { exit_code: 1 }), &limits));
        assert_eq!((fern.state(Timestamp::now()), fern.next_request_id), (DeploymentState::Live, 6));
        assert_eq!(fern.state(fern.expires_at), DeploymentState::Expired);
    }

    #[test]
    fn rings_are_bounded_in_lines_and_in_bytes() {
        let limits = Limits { requests_kept: 2, log_lines_kept: 3, log_bytes_kept: 10, ..Limits::default() };
        let mut fern = fern();
        for id in 1..=5 {
            fern.add_report(report("fern", 2, id, Outcome::Finished), &limits);
        }
        assert_eq!(fern.requests.iter().map(|report| report.id).collect::<Vec<_>>(), [4, 5]);
        (1..=4).for_each(|id| fern.add_log(Log { id, entry: log("fern", "abc") }, &limits));
        assert_eq!(fern.logs.iter().map(|log| log.id).collect::<Vec<_>>(), [2, 3, 4]);
        fern.add_log(Log { id: 5, entry: log("fern", "abcdefgh") }, &limits);
        assert_eq!((fern.logs.len(), fern.log_bytes), (1, 8));
        fern.end();
        fern.add_log(Log { id: 6, entry: log("fern", "late") }, &limits);
        fern.add_report(report("fern", 2, 6, Outcome::Finished), &limits);
        assert_eq!((fern.logs.len(), fern.log_bytes, fern.requests.len()), (0, 0, 0));
    }
}
