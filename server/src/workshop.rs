//! The workshop: pages, API, builds, database. The process that owns the others; it never compiles or runs a guest itself.
//!
//! ```text
//! accept ─► guard (Host, Origin) ─► api/… ─► builds ─► pipeline ─► serving ─► gateway
//!                                     │                    │           │
//!                                     └◄─ events (SSE) ◄───┴───────────┴◄── reports, log lines of guests
//! ```
//! Parts: `accept` is the loop of connections, with `write_timeout` for clients that do not read; `guard` refuses what no page of ours sent, `pace` what one client asks for too often; [`api`] has a file for each resource; [`builds`],
//! [`deployments`], `serving` and `optimise` do the work, `checks` reads what is being typed, `visits` asks what is deployed, [`fiddles`] are programs that stay; [`blobs`], [`database`] and `artifacts` keep it, `kv` what programs keep; [`events`] tells; `expiry` ends and sweeps;
//! [`parts`] is what is asked of the rest of the server.

mod accept;
pub mod addresses;
pub mod api;
mod artifacts;
pub mod blobs;
pub mod builds;
mod checks;
pub mod database;
pub mod deployments;
pub mod events;
mod expiry;
pub mod fiddles;
mod guard;
mod identifiers;
mod kv;
mod observer;
mod optimise;
mod overheard;
mod pace;
pub mod parts;
mod problem;
mod serving;
#[cfg(test)]
mod testing;
mod visits;
mod write_timeout;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use thiserror::Error;
use tokio::sync::Semaphore;

pub use observer::Observer;
pub use serving::Target;

use crate::data_folder::{DataFolder, DataFolderError};
use crate::limits::Limits;
use addresses::Addresses;
use artifacts::Artifacts;
use blobs::Blobs;
use builds::{Builds, Pipeline};
use checks::Checks;
use database::{Database, DatabaseError};
use deployments::Deployments;
use events::Hub;
use fiddles::Fiddles;
use kv::KvKeeper;
use optimise::Optimising;
use pace::Paces;
use parts::Parts;

/// Why the workshop did not start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    DataFolder(#[from] DataFolderError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("cannot use the data folder: {0}")]
    Storage(io::Error),
    #[error("cannot start the gateway: {0}")]
    Gateway(io::Error),
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// A workshop at work, shared by its handlers.
pub struct Workshop {
    pub(crate) limits: Arc<Limits>,
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) events: Arc<Hub>,
    pub(crate) builds: Builds,
    pub(crate) deployments: Arc<Deployments>,
    pub(crate) fiddles: Fiddles,
    pub(crate) parts: Parts,
    /// Commands that run.
    pub(crate) runs: Semaphore,
    /// Rounds of tests that run.
    pub(crate) tests: Semaphore,
    pub(crate) optimising: Optimising,
    pub(crate) checks: Checks,
    pub(crate) paces: Paces,
    pub(crate) kv: KvKeeper,
    blobs: Arc<Blobs>,
    artifacts: Arc<Artifacts>,
    started_at: Instant,
}

impl Workshop {
    /// Opens what is kept and starts to work. `parts` makes the rest of the server, which reports to the observer. Nothing is compiled or
    /// loaded here: that waits for the first request.
    pub async fn start(
        folder: &DataFolder,
        limits: Limits,
        addresses: Addresses,
        compiler_version: &str,
        parts: impl FnOnce(Arc<Observer>) -> io::Result<Parts>,
    ) -> Result<Arc<Workshop>, StartError> {
        let (limits, addresses) = (Arc::new(limits), Arc::new(addresses));
        let events = Arc::new(Hub::new(&limits));
        let artifacts = Artifacts::open(&folder.artifacts(), compiler_version, folder.signing_key()?).map_err(StartError::Storage)?;
        let artifacts = Arc::new(artifacts);
        let blobs = Arc::new(Blobs::open(folder.blobs(), limits.blob_bytes_max).map_err(StartError::Storage)?);
        let database = Database::open(&folder.database())?;
        let deployments = Deployments::restore(database.clone(), blobs.clone(), events.clone(), addresses.clone(), limits.clone()).await?;
        let deployments = Arc::new(deployments);
        let (kv, kv_queue) = KvKeeper::new(database.clone());
        let (observer, questions) = Observer::new(deployments.clone(), events.clone(), kv.clone());
        let parts = parts(Arc::new(observer)).map_err(StartError::Gateway)?;
        let pipeline = Arc::new(Pipeline::new(parts.clone(), artifacts.clone(), limits.clone()));
        let builds = Builds::start(pipeline, events.clone(), limits.clone()).map_err(StartError::Thread)?;
        let (runs, optimising) = (Semaphore::new(limits.runs_at_once), Optimising::new(&limits));
        let tests = Semaphore::new(limits.tests_at_once);
        let fiddles = Fiddles::new(database.clone(), blobs.clone(), deployments.clone(), addresses.clone(), limits.clone());
        let checks = Checks::new(parts.builder.clone(), limits.clone());
        let paces = Paces::new(&limits);
        let workshop = Arc::new(Workshop {
            limits,
            addresses,
            events,
            builds,
            deployments,
            fiddles,
            parts,
            runs,
            tests,
            optimising,
            checks,
            paces,
            kv,
            blobs,
            artifacts,
            started_at: Instant::now(),
        });
        tokio::spawn(kv_queue.keep(database, workshop.parts.guests.clone(), workshop.limits.clone()));
        tokio::spawn(workshop.clone().answer_wanted(questions));
        tokio::spawn(workshop.clone().expire_and_sweep());
        Ok(workshop)
    }

    /// Serves pages and API on this listener until `ended`; then lets requests in flight finish and stops everything.
    pub async fn serve(self: &Arc<Self>, listener: tokio::net::TcpListener, ended: impl Future<Output = ()>) {
        let router = api::router(self.clone());
        accept::serve(listener, router, &self.limits, ended, || self.begin_to_end()).await;
        self.parts.guests.drain().await;
        // What these cannot write down is made up for at the next start.
        drop(self.deployments.write_timings().await);
        drop(self.deployments.reserve_request_ids(true).await);
    }

    fn begin_to_end(&self) {
        self.events.end();
        self.builds.end();
        self.optimising.end();
    }
}

/// Where a server listens unless it is told otherwise: the workshop, and guests.
pub const DEFAULT_ADDRESSES: [SocketAddr; 2] = [
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7878),
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7879),
];
