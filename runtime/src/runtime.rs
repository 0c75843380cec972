//! What is prepared once for a process: signal handlers and the arena for code.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::VerifyingKey;
use thiserror::Error;

use crate::module::LoadedModule;
use crate::pool::Pool;
use crate::reset::{Ladder, ResetMethod};
use crate::sys::file::SealedFile;
use crate::sys::region::region_bytes;
use crate::sys::{arena, clock, kernel, signals};
use crate::verified::{LoadError, VerifiedArtifact};

/// How a process runs guests.
#[derive(Debug, Clone, Copy)]
pub struct RuntimeSettings {
    /// The longest that a guest runs before another may have its turn.
    pub slice: Duration,
    /// Compares every byte of a slot with the image after each reset; costs much, finds leaks.
    pub verify_resets: bool,
    /// Uses this method alone, with `madvise` below it; otherwise the best that works here.
    pub reset: Option<ResetMethod>,
}

impl Default for RuntimeSettings {
    fn default() -> Self {
        RuntimeSettings { slice: Duration::from_millis(1), verify_resets: false, reset: None }
    }
}

/// Why guests cannot be run.
#[derive(Debug, Error)]
pub enum RuntimeError {
    #[error("preparing the process to run guests failed: {0}")]
    Start(io::Error),
    #[error("the reset method {method} does not work here ({reason}); without the setting that forces it, the best that does is used")]
    Reset { method: ResetMethod, reason: String },
    #[error("preparing a thread to run guests failed: {0}")]
    Pool(io::Error),
}

/// A process that can run guests.
#[derive(Debug, Clone, Copy)]
pub struct Runtime {
    settings: RuntimeSettings,
    ladder: Ladder,
}

impl Runtime {
    /// Prepares the process, before it confines itself. Handlers for SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGURG are installed; no other may be without SA_ONSTACK.
    pub fn start(settings: RuntimeSettings) -> Result<Runtime, RuntimeError> {
        signals::install().map_err(RuntimeError::Start)?;
        arena::prepare().map_err(RuntimeError::Start)?;
        clock::prepare();
        let ladder = ladder(settings.reset)?;
        Ok(Runtime { settings, ladder })
    }

    /// Address space that a process takes for code and for one pool of so many slots, in bytes; what is mapped later lies inside it.
    pub fn address_space_bytes(slots: u32) -> u64 {
        arena::ARENA_BYTES + region_bytes(slots)
    }

    /// Why a method cannot be used on this machine; `None` when it can.
    pub fn obstacle(method: ResetMethod) -> Option<String> {
        kernel::why_not(method)
    }

    /// The method with which slots of a module begin to be reset.
    pub fn reset_method(&self) -> ResetMethod {
        self.ladder.best()
    }

    /// Verifies a signed artifact and maps its code.
    pub fn load(&self, file: SealedFile, key: &VerifyingKey) -> Result<Arc<LoadedModule>, LoadError> {
        self.map(&self.verify(file, key)?)
    }

    /// Checks a signed artifact from end to end.
    pub fn verify(&self, file: SealedFile, key: &VerifyingKey) -> Result<Arc<VerifiedArtifact>, LoadError> {
        VerifiedArtifact::verify(file, key).map(Arc::new)
    }

    /// Maps the code of a verified artifact, in time that does not depend on its size.
    pub fn map(&self, artifact: &Arc<VerifiedArtifact>) -> Result<Arc<LoadedModule>, LoadError> {
        LoadedModule::map(artifact.clone()).map(Arc::new)
    }

    /// Prepares the calling thread to run guests in `slots` slots: other signals than the runtime's are blocked on it from now on.
    pub fn pool(&self, slots: u32) -> Result<Pool, RuntimeError> {
        Pool::new(slots, self.settings, self.ladder).map_err(RuntimeError::Pool)
    }
}

/// What works here, or the one that is asked for.
fn ladder(forced: Option<ResetMethod>) -> Result<Ladder, RuntimeError> {
    // It works everywhere, and needs nothing to be opened.
    if forced == Some(ResetMethod::Madvise) {
        return Ok(Ladder::only(ResetMethod::Madvise));
    }
    let works = kernel::prepare();
    let Some(method) = forced else { return Ok(works) };
    match kernel::why_not(method) {
        Some(reason) => Err(RuntimeError::Reset { method, reason }),
        None => Ok(Ladder::only(method)),
    }
}
