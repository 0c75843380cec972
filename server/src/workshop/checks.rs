//! Checks while somebody types, and layouts: what compilers say of a program that is not built. Builds come first: few of these run at once, a short
//! queue waits, and one ends when the client that wanted it has gone.

use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vivarium_toolchains::{BuildError, BuildLimits, Cancel, CheckReport, ContentHash, FormatReport, SourceTree};

use super::builds::{Recent, diagnostic_bytes};
use super::parts::SourceBuilder;
use crate::limits::Limits;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum CheckError {
    #[error("{check_queue_max} checks and layouts are waiting already, the limit check_queue_max: try again in a moment")]
    QueueFull { check_queue_max: usize },
    #[error("the program was read for longer than the limit check_ms of {check_ms} ms: build it to hear more")]
    TimedOut { check_ms: u64 },
    #[error(transparent)]
    Failed(BuildError),
    #[error("Vivarium itself failed while it read this program")]
    Defect,
}

type Key = (ContentHash, String);

pub struct Checks {
    builder: Arc<dyn SourceBuilder>,
    limits: Arc<Limits>,
    /// One for each check that runs or waits.
    places: Arc<Semaphore>,
    at_once: Arc<Semaphore>,
    known: Mutex<Recent<Key, Arc<CheckReport>>>,
}

impl Checks {
    pub fn new(builder: Arc<dyn SourceBuilder>, limits: Arc<Limits>) -> Checks {
        let at_once = limits.checks_at_once.max(1);
        Checks {
            builder,
            places: Arc::new(Semaphore::new(at_once + limits.check_queue_max)),
            at_once: Arc::new(Semaphore::new(at_once)),
            known: Mutex::new(Recent::new(limits.check_results_max, limits.check_results_bytes_max)),
            limits,
        }
    }

    /// The diagnostics of a program as it is typed. A caller that drops this before its end stops the check.
    pub async fn check(&self, source: SourceTree) -> Result<Arc<CheckReport>, CheckError> {
        let key = (source.content_hash(), self.builder.version_key(source.language()));
        if let Some(known) = self.known().get(&key) {
            return Ok(known.clone());
        }
        let builder = self.builder.clone();
        let report = Arc::new(self.run(move |limits, cancel| builder.check(&source, limits, cancel)).await?);
        let bytes = report.diagnostics.iter().map(diagnostic_bytes).sum();
        self.known().insert(key, report.clone(), bytes);
        Ok(report)
    }

    /// A program laid out. A caller that drops this before its end stops it.
    pub async fn format(&self, source: SourceTree) -> Result<FormatReport, CheckError> {
        let builder = self.builder.clone();
        self.run(move |limits, cancel| builder.format(&source, limits, cancel)).await
    }

    /// The permits are the job's: one that nobody waits for any more takes a moment to end.
    async fn run<R: Send + 'static>(
        &self,
        read: impl FnOnce(&BuildLimits, &Cancel) -> Result<R, BuildError> + Send + 'static,
    ) -> Result<R, CheckError> {
        let permits = self.permits().await?;
        let (limits, cancel) = (self.limits.check(), Cancel::new());
        let _cancelled_when_dropped = CancelWhenDropped(cancel.clone());
        let job = move || {
            let _permits = permits;
            read(&limits, &cancel)
        };
        let report = tokio::task::spawn_blocking(job).await;
        report.map_err(|_| CheckError::Defect)?.map_err(|error| match error {
            BuildError::TimedOut { .. } | BuildError::CpuExceeded { .. } => CheckError::TimedOut { check_ms: self.limits.check_ms },
            error => CheckError::Failed(error),
        })
    }

    async fn permits(&self) -> Result<[OwnedSemaphorePermit; 2], CheckError> {
        let check_queue_max = self.limits.check_queue_max;
        let place = self.places.clone().try_acquire_owned().map_err(|_| CheckError::QueueFull { check_queue_max })?;
        let turn = self.at_once.clone().acquire_owned().await.map_err(|_| CheckError::Defect)?;
        Ok([place, turn])
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Recent<Key, Arc<CheckReport>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct CancelWhenDropped(Cancel);

impl Drop for CancelWhenDropped {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
