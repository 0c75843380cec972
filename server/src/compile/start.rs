//! Start functions, run once where a program is compiled, so that no instance has to: what one left becomes what instances begin as.
//!
//! It is run as gateways run guests, behind the wall of the compile worker, which gives up nothing for it later: thread, slot, address space for code and one empty
//! file are made before the worker is sealed. They serve one program; then the worker is done, for it has run what a stranger wrote.
//!
//! A start function that calls an import, traps, or takes longer than [`CPU_MAX`] runs in each instance instead, under the deadline of each request; so does one
//! that leaves more than an image may hold.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use thiserror::Error;
use vivarium_artifact::{Artifact, ArtifactError, Contract, Left, NoSnapshot, SignedArtifact};
use vivarium_compiler::Policy;
use vivarium_runtime::{
    AcquireError, EmptyFile, Exit, InstanceLimits, InvokeError, LoadError, LoadedModule, Pool, ResetMethod, Runtime, RuntimeError,
    RuntimeSettings,
};

/// Processor time that a start function may take here: what a build waits for one that never ends.
const CPU_MAX: Duration = Duration::from_millis(100);
/// It alone runs: its turn ends only to look at how long it has run.
const SLICE: Duration = Duration::from_millis(1);
/// Signs what nobody but this process will ever load.
const KEY: [u8; 32] = [1; 32];

/// All that running one start function takes.
pub struct Starter {
    runtime: Runtime,
    pool: Pool,
    file: EmptyFile,
}

/// Why a start function runs in each instance.
#[derive(Debug, Error)]
pub enum NotRun {
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    #[error(transparent)]
    File(#[from] io::Error),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Slot(#[from] AcquireError),
    #[error(transparent)]
    Invoke(#[from] InvokeError),
    #[error("it does not run to its end here: {0:?}")]
    Exit(Exit),
    #[error("it takes longer than {} ms", CPU_MAX.as_millis())]
    TooSlow,
    #[error(transparent)]
    Left(#[from] NoSnapshot),
}

/// Why nothing can be run here.
#[derive(Debug, Error)]
pub enum Unprepared {
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    #[error(transparent)]
    File(#[from] io::Error),
}

impl Starter {
    /// Address space that [`Starter::prepare`] takes for good, in bytes.
    pub fn address_space_bytes() -> u64 {
        Runtime::address_space_bytes(1)
    }

    /// Prepares the calling thread, which is the one that runs it, before the process is sealed.
    pub fn prepare() -> Result<Starter, Unprepared> {
        let runtime = Runtime::start(RuntimeSettings { slice: SLICE, verify_resets: false, reset: Some(ResetMethod::Madvise) })?;
        Ok(Starter { pool: runtime.pool(1)?, runtime, file: EmptyFile::new()? })
    }

    /// Runs the start function of an artifact; its instances begin afterwards. On an error the artifact is as it was.
    pub fn run(self, artifact: &mut Artifact, policy: &Policy) -> Result<(), NotRun> {
        let mut elf = artifact.encode()?;
        let key = SigningKey::from_bytes(&KEY);
        SignedArtifact::sign(&mut elf, &key);
        let module = self.runtime.load(self.file.fill(&elf)?, &key.verifying_key())?;
        finish(&self.pool, &module, artifact, policy)
    }
}

/// Whether an artifact has a start function that could be run without anybody's answer.
pub fn has_start(contract: &Contract) -> bool {
    contract.start.is_some() && contract.instantiation_trap.is_none() && contract.initializer.is_none() && !contract.linked
}

fn finish(pool: &Pool, module: &Arc<LoadedModule>, artifact: &mut Artifact, policy: &Policy) -> Result<(), NotRun> {
    let mut instance = pool.acquire(module, InstanceLimits { memory_bytes_max: policy.memory_bytes_max })?;
    instance.initialize()?;
    loop {
        match instance.resume() {
            Exit::Done => break,
            Exit::Preempted if instance.ran() <= CPU_MAX => {}
            Exit::Preempted => return Err(NotRun::TooSlow),
            exit => return Err(NotRun::Exit(exit)),
        }
    }
    let head = &instance.image()[..module.layout().memory_offset as usize];
    Ok(artifact.begin_as(Left { head, memory: instance.memory() }, policy.image_bytes_max)?)
}
