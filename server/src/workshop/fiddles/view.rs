//! Stored programs as the API shows them.

use serde::Serialize;

use super::Fiddles;
use super::snapshot::Snapshot;
use super::store::{FiddleRow, RevisionRow, SnapshotRow};
use crate::control::messages::Timestamp;

/// A snapshot. It never changes and never expires.
#[derive(Debug, Clone, Serialize)]
pub struct ShareView {
    pub id: String,
    pub url: String,
    /// Of the stored form.
    pub bytes: usize,
    pub created_at: Timestamp,
    /// Only in the answer that gives a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_token: Option<String>,
    #[serde(flatten)]
    pub snapshot: Snapshot,
}

/// A fiddle at one of its revisions.
#[derive(Debug, Clone, Serialize)]
pub struct FiddleView {
    pub id: String,
    pub url: String,
    pub revision: u32,
    pub newest_revision: u32,
    pub revision_url: String,
    /// The snapshot that this revision is.
    pub share_id: String,
    pub share_url: String,
    pub bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<String>,
    pub created_at: Timestamp,
    pub revised_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_token: Option<String>,
    #[serde(flatten)]
    pub snapshot: Snapshot,
}

/// What a fiddle's answer is told from another by. The same text may come back as a later revision, and a revision stays while the newest
/// goes on.
pub fn revision_tag(share_id: &str, revision: u32, newest_revision: u32) -> String {
    format!("{share_id}.{revision}.{newest_revision}")
}

impl FiddleView {
    pub fn tag(&self) -> String {
        revision_tag(&self.share_id, self.revision, self.newest_revision)
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct RevisionView {
    pub revision: u32,
    pub url: String,
    pub share_id: String,
    pub bytes: usize,
    pub created_at: Timestamp,
}

impl Fiddles {
    pub(super) fn share_view(&self, row: SnapshotRow, snapshot: Snapshot, owner_token: Option<String>) -> ShareView {
        ShareView { url: self.share_url(&row.id), id: row.id, bytes: row.bytes, created_at: row.created_at, owner_token, snapshot }
    }

    pub(super) fn fiddle_view(&self, fiddle: FiddleRow, revision: RevisionRow, snapshot: Snapshot) -> FiddleView {
        FiddleView {
            url: self.fiddle_url(&fiddle.id),
            revision: revision.number,
            newest_revision: fiddle.newest,
            revision_url: self.revision_url(&fiddle.id, revision.number),
            share_url: self.share_url(&revision.snapshot.id),
            share_id: revision.snapshot.id,
            bytes: revision.snapshot.bytes,
            forked_from: fiddle.forked_from,
            created_at: fiddle.created_at,
            revised_at: revision.created_at,
            owner_token: None,
            id: fiddle.id,
            snapshot,
        }
    }

    pub(super) fn revision_view(&self, id: &str, row: &RevisionRow) -> RevisionView {
        RevisionView {
            revision: row.number,
            url: self.revision_url(id, row.number),
            share_id: row.snapshot.id.clone(),
            bytes: row.snapshot.bytes,
            created_at: row.created_at,
        }
    }

    fn share_url(&self, id: &str) -> String {
        format!("{}s/{id}", self.addresses.workshop_url())
    }

    fn fiddle_url(&self, id: &str) -> String {
        format!("{}f/{id}", self.addresses.workshop_url())
    }

    fn revision_url(&self, id: &str, number: u32) -> String {
        format!("{}f/{id}/r/{number}", self.addresses.workshop_url())
    }
}
