//! Why a deployment was not made or not changed.

use thiserror::Error;

use super::named_stores::StoreError;
use super::variables::VariableError;
use crate::workshop::blobs::BlobError;
use crate::workshop::database::DatabaseError;
use crate::workshop::serving::Interrupted;

#[derive(Debug, Error)]
pub enum DeploymentError {
    #[error("nothing was ever deployed as {0}")]
    Unknown(String),
    #[error("the deployment {0} has expired: deploy the program again, without its slug")]
    Expired(String),
    #[error("the owner token of {0} is needed: send it as Authorization: Bearer TOKEN")]
    TokenMissing(String),
    #[error("this is not the owner token of {0}: use the token that its creation answered with, or deploy without a slug")]
    NotOwner(String),
    #[error("{deployments_max} deployments live already, the limit deployments_max: stop one, or wait until one expires")]
    TooMany { deployments_max: usize },
    #[error("ttl_seconds is {ttl_seconds}: give a number from 1 to the limit ttl_seconds_max of {ttl_seconds_max}")]
    Ttl { ttl_seconds: u64, ttl_seconds_max: u64 },
    #[error(transparent)]
    Variable(#[from] VariableError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The gateway did not take it.
    #[error("the program was built but cannot be served: {0}")]
    Load(String),
    #[error("the system gives no random numbers: {0}")]
    Random(std::io::Error),
    #[error("cannot clear away what is not needed any more: {0}")]
    Sweep(std::io::Error),
    /// A task of the server ended before its work.
    #[error("the server failed in the middle of this: {0}")]
    Interrupted(std::io::Error),
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<Interrupted> for DeploymentError {
    fn from(Interrupted(error): Interrupted) -> DeploymentError {
        DeploymentError::Interrupted(error)
    }
}
