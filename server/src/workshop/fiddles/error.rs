//! Why a program was not stored, or not found.

use thiserror::Error;
use vivarium_toolchains::SourceError;

use crate::project::AssetError;
use crate::workshop::blobs::BlobError;
use crate::workshop::database::DatabaseError;
use crate::workshop::serving::Interrupted;

#[derive(Debug, Error)]
pub enum FiddleError {
    #[error("nothing is shared as {0}: the address is cut off or wrong, or its owner deleted it")]
    UnknownShare(String),
    #[error("there is no fiddle {0}: the address is cut off or wrong, or its owner deleted it")]
    UnknownFiddle(String),
    #[error("the fiddle {id} has no revision {number}: /f/{id} is its newest")]
    UnknownRevision { id: String, number: u32 },
    #[error("the owner token is needed: send what storing it answered with as Authorization: Bearer TOKEN")]
    TokenMissing,
    #[error("this is not the token of its owner: fork it instead")]
    NotOwner,
    #[error("another tab or client has saved revision {number} since: read it, then save again with its ETag, or fork")]
    Overtaken { number: u32 },
    #[error("the program with its settings has {bytes} bytes, more than the limit share_bytes_max of {share_bytes_max} bytes")]
    TooLarge { bytes: usize, share_bytes_max: usize },
    #[error("{count} saved requests are more than the limit saved_requests_max of {saved_requests_max}")]
    TooManyRequests { count: usize, saved_requests_max: usize },
    #[error("the name is longer than the limit file_name_bytes_max of {file_name_bytes_max} bytes")]
    NameTooLong { file_name_bytes_max: usize },
    #[error("the saved request {name:?} cannot be sent: {reason}")]
    Request { name: String, reason: &'static str },
    #[error(
        "the path {0:?} cannot be shown: it begins with one '/', and holds only what an address can hold as it is; write the rest with %"
    )]
    Path(String),
    #[error("{count} assertions of one request are more than the limit assertions_max of {assertions_max}")]
    TooManyAssertions { count: usize, assertions_max: usize },
    #[error("there are as many fiddles as the limit fiddles_max of {fiddles_max}: use a private link, which stores nothing")]
    TooManyFiddles { fiddles_max: usize },
    #[error("what is shared would pass the limit shares_bytes_max of {shares_bytes_max} bytes: use a private link, which stores nothing")]
    Full { shares_bytes_max: u64 },
    #[error("the fiddle has as many revisions as the limit fiddle_revisions_max of {fiddle_revisions_max}: fork it to go on")]
    TooManyRevisions { fiddle_revisions_max: usize },
    #[error("the stored program cannot be read: {0}")]
    Unreadable(serde_json::Error),
    #[error("the system gives no random numbers: {0}")]
    Random(std::io::Error),
    /// A task of the server ended before its work.
    #[error("the server failed in the middle of this: {0}")]
    Interrupted(std::io::Error),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Assets(#[from] AssetError),
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<Interrupted> for FiddleError {
    fn from(Interrupted(error): Interrupted) -> FiddleError {
        FiddleError::Interrupted(error)
    }
}
