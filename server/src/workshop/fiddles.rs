//! Stored programs: shares, which never change, and fiddles, which are named by their newest revision.
//!
//! ```text
//! Snapshot ─► blob (canonical JSON, named by its SHA-256) ─► row ─┬─ a share         /s/<snapshot>
//!                                                                 └─ a revision of   /f/<fiddle>/r/<n>
//! ```
//! The same text has the same address, whoever shares it. None of it expires: it goes when the last of those who hold it deletes it by an
//! owner token. Parts: `snapshot` is what is stored, `store` the rows, `archive` the zip of one.

mod archive;
mod error;
mod snapshot;
mod store;
mod view;

use std::sync::Arc;

use vivarium_toolchains::SourceTree;

pub use super::pace::{Client, Pace};
pub use archive::zip_of;
pub use error::FiddleError;
pub use snapshot::{SavedRequest, Snapshot, is_snapshot_id};
pub use view::{FiddleView, RevisionView, ShareView};

use super::addresses::Addresses;
use super::blobs::Blobs;
use super::database::Database;
use super::deployments::Deployments;
use super::identifiers::{TokenHash, is_slug, new_slug, new_token};
use crate::control::messages::Timestamp;
use crate::limits::Limits;
pub use store::ROW_BYTES;
use store::{Added, FiddleRow, NewFiddle, NewSnapshot, RevisionRow, SnapshotRow};

/// What was stored, and by which token it may be deleted if that is a new one.
pub struct Stored<View> {
    pub view: View,
    /// It was not there before.
    pub new: bool,
}

/// All stored programs.
pub struct Fiddles {
    database: Database,
    blobs: Arc<Blobs>,
    /// Owns the sweep of blobs, and knows the owners of deployments.
    deployments: Arc<Deployments>,
    addresses: Arc<Addresses>,
    limits: Arc<Limits>,
    pub pace: Pace,
}

impl Fiddles {
    pub fn new(
        database: Database,
        blobs: Arc<Blobs>,
        deployments: Arc<Deployments>,
        addresses: Arc<Addresses>,
        limits: Arc<Limits>,
    ) -> Fiddles {
        let pace = Pace::new(limits.shares_per_minute_max);
        Fiddles { database, blobs, deployments, addresses, limits, pace }
    }

    /// Stores a snapshot under the address that its content has.
    pub async fn share(&self, snapshot: Snapshot, token: Option<&str>) -> Result<Stored<ShareView>, FiddleError> {
        let (owner, new_token) = self.owner(token).await?;
        let _kept = self.deployments.keep_blobs().await;
        let row = self.put(&snapshot).await?;
        let max = self.limits.shares_bytes_max;
        let added = self.database.call(move |connection| store::share(connection, &row, owner, max)).await?;
        let (row, new) = self.admitted(added, "this name")?;
        Ok(Stored { view: self.share_view(row, snapshot, new_token), new })
    }

    pub async fn shared(&self, id: &str) -> Result<ShareView, FiddleError> {
        let row = self.row(id).await?;
        let snapshot = self.read(&row).await?;
        Ok(self.share_view(row, snapshot, None))
    }

    /// Takes an owner's share back. True where somebody else holds the same text, so that its address still answers.
    pub async fn unshare(&self, id: &str, token: Option<&str>) -> Result<bool, FiddleError> {
        let row = self.row(id).await?;
        let owner = token.map(TokenHash::of).ok_or(FiddleError::TokenMissing)?;
        let hash = row.hash;
        let removed = self.database.call(move |connection| store::unshare(connection, hash, owner)).await?;
        removed.ok_or(FiddleError::NotOwner)
    }

    /// A new fiddle with its first revision.
    pub async fn create(
        &self,
        snapshot: Snapshot,
        forked_from: Option<String>,
        token: Option<&str>,
    ) -> Result<Stored<FiddleView>, FiddleError> {
        let (owner, new_token) = self.owner(token).await?;
        let _kept = self.deployments.keep_blobs().await;
        let row = self.put(&snapshot).await?;
        let new = NewFiddle { id: new_slug().map_err(FiddleError::Random)?, owner, forked_from, created_at: Timestamp::now() };
        let (id, limits) = (new.id.clone(), self.limits.clone());
        let added = self
            .database
            .call(move |connection| store::create(connection, &new, &row, limits.fiddles_max, limits.shares_bytes_max))
            .await?;
        self.admitted(added, &id)?;
        let view = FiddleView { owner_token: new_token, ..self.fiddle(&id, None).await? };
        Ok(Stored { view, new: true })
    }

    /// A fiddle as it is now, or as it was.
    pub async fn fiddle(&self, id: &str, number: Option<u32>) -> Result<FiddleView, FiddleError> {
        let (fiddle, revision) = self.find(id, number).await?;
        let snapshot = self.read(&revision.snapshot).await?;
        Ok(self.fiddle_view(fiddle, revision, snapshot))
    }

    /// The next revision. `if_match` are tags or snapshots that the owner may have begun with: another one in their place refuses.
    pub async fn revise(
        &self,
        id: &str,
        token: Option<&str>,
        if_match: Option<Vec<String>>,
        snapshot: Snapshot,
    ) -> Result<Stored<FiddleView>, FiddleError> {
        let (fiddle, _) = self.find(id, None).await?;
        check_owner(&fiddle, token)?;
        let _kept = self.deployments.keep_blobs().await;
        let row = self.put(&snapshot).await?;
        let (fiddle_id, limits) = (id.to_owned(), self.limits.clone());
        let added = self
            .database
            .call(move |connection| {
                store::revise(connection, &fiddle_id, if_match.as_deref(), &row, limits.fiddle_revisions_max, limits.shares_bytes_max)
            })
            .await?;
        let (_, new) = self.admitted(added, id)?;
        Ok(Stored { view: self.fiddle(id, None).await?, new })
    }

    /// Newest first.
    pub async fn revisions(&self, id: &str) -> Result<Vec<RevisionView>, FiddleError> {
        self.find(id, None).await?;
        let fiddle_id = id.to_owned();
        let rows = self.database.call(move |connection| store::revisions(connection, &fiddle_id)).await?;
        Ok(rows.into_iter().map(|row| self.revision_view(id, &row)).collect())
    }

    /// Somebody else's copy, which is his own from here on.
    pub async fn fork(&self, id: &str, number: Option<u32>, token: Option<&str>) -> Result<Stored<FiddleView>, FiddleError> {
        let (_, revision) = self.find(id, number).await?;
        let snapshot = self.read(&revision.snapshot).await?;
        self.create(snapshot, Some(id.to_owned()), token).await
    }

    /// The fiddle and its revisions; a snapshot that somebody else holds stays.
    pub async fn remove(&self, id: &str, token: Option<&str>) -> Result<(), FiddleError> {
        let (fiddle, _) = self.find(id, None).await?;
        check_owner(&fiddle, token)?;
        Ok(self.database.call(move |connection| store::remove(connection, &fiddle.id)).await?)
    }

    /// Who has something here by this token keeps it; anybody else is given a new one.
    async fn owner(&self, token: Option<&str>) -> Result<(TokenHash, Option<String>), FiddleError> {
        if let Some(token) = token {
            let owner = TokenHash::of(token);
            let owns = self.deployments.owns_any(owner) || self.database.call(move |connection| store::owns_any(connection, owner)).await?;
            if owns {
                return Ok((owner, None));
            }
        }
        let token = new_token().map_err(FiddleError::Random)?;
        Ok((TokenHash::of(&token), Some(token)))
    }

    /// Checks the snapshot and makes its bytes durable.
    async fn put(&self, snapshot: &Snapshot) -> Result<NewSnapshot, FiddleError> {
        let bytes = snapshot.canonical();
        snapshot.check(bytes.len(), &self.limits)?;
        let (blobs, length) = (self.blobs.clone(), bytes.len());
        let hash = tokio::task::spawn_blocking(move || blobs.put(&bytes)).await.map_err(interrupted)??;
        Ok(NewSnapshot { hash, bytes: length, created_at: Timestamp::now() })
    }

    async fn read(&self, row: &SnapshotRow) -> Result<Snapshot, FiddleError> {
        let (blobs, hash) = (self.blobs.clone(), row.hash);
        let bytes = tokio::task::spawn_blocking(move || blobs.get(hash)).await.map_err(interrupted)??;
        serde_json::from_slice(&bytes).map_err(FiddleError::Unreadable)
    }

    async fn row(&self, id: &str) -> Result<SnapshotRow, FiddleError> {
        let unknown = || FiddleError::UnknownShare(if is_snapshot_id(id) { id.to_owned() } else { "this name".into() });
        if !is_snapshot_id(id) {
            return Err(unknown());
        }
        let wanted = id.to_owned();
        self.database.call(move |connection| store::snapshot(connection, &wanted)).await?.ok_or_else(unknown)
    }

    async fn find(&self, id: &str, number: Option<u32>) -> Result<(FiddleRow, RevisionRow), FiddleError> {
        let unknown = || FiddleError::UnknownFiddle(if is_slug(id) { id.to_owned() } else { "this name".into() });
        if !is_slug(id) {
            return Err(unknown());
        }
        let wanted = id.to_owned();
        let fiddle = self.database.call(move |connection| store::fiddle(connection, &wanted, number)).await?;
        match (fiddle, number) {
            (Some((fiddle, Some(revision))), _) => Ok((fiddle, revision)),
            (Some(_), Some(number)) => Err(FiddleError::UnknownRevision { id: id.to_owned(), number }),
            _ => Err(unknown()),
        }
    }

    /// `id` is the fiddle's, for those to whom its end is told.
    fn admitted(&self, added: Added, id: &str) -> Result<(SnapshotRow, bool), FiddleError> {
        match added {
            Added::Row { row, new } => Ok((row, new)),
            Added::Full => Err(FiddleError::Full { shares_bytes_max: self.limits.shares_bytes_max }),
            Added::TooManyRevisions => Err(FiddleError::TooManyRevisions { fiddle_revisions_max: self.limits.fiddle_revisions_max }),
            Added::TooManyFiddles => Err(FiddleError::TooManyFiddles { fiddles_max: self.limits.fiddles_max }),
            Added::Gone => Err(FiddleError::UnknownFiddle(id.to_owned())),
            Added::Overtaken { number } => Err(FiddleError::Overtaken { number }),
        }
    }
}

fn interrupted(error: tokio::task::JoinError) -> FiddleError {
    FiddleError::Interrupted(error.into())
}

fn check_owner(fiddle: &FiddleRow, token: Option<&str>) -> Result<(), FiddleError> {
    match token.map(TokenHash::of) {
        None => Err(FiddleError::TokenMissing),
        Some(owner) if owner == fiddle.owner => Ok(()),
        Some(_) => Err(FiddleError::NotOwner),
    }
}

impl Snapshot {
    /// The source of it, checked as any that is to be built.
    pub fn source(&self, limits: &Limits) -> Result<SourceTree, FiddleError> {
        Ok(SourceTree::new(self.project.language, self.project.files.clone(), &limits.source())?)
    }
}
