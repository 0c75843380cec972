//! Our runtime as the product uses it: sign, seal, load, run.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use vivarium_artifact::{Artifact, SignedArtifact};
use vivarium_runtime::{Exit, Instance, InstanceLimits, LoadedModule, Pool, Runtime, RuntimeSettings, SealedFile, Trap};

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_bytes(&[42; 32]));

/// Longest call: generated programs carry a counter that ends them much sooner.
const CALL_MAX: Duration = Duration::from_secs(20);

/// The runtime and slots of one thread. Make it before any Wasmtime engine of the process: Wasmtime's signal handlers hand on what is not theirs, ours do not.
#[derive(Debug)]
pub struct Engine {
    runtime: Runtime,
    pub pool: Pool,
}

impl Engine {
    /// An engine for the calling thread, with so many slots.
    pub fn start(slots: u32, verify_resets: bool) -> Engine {
        Engine::start_with(slots, RuntimeSettings { verify_resets, ..RuntimeSettings::default() })
    }

    /// The same with settings of one's own.
    pub fn start_with(slots: u32, settings: RuntimeSettings) -> Engine {
        let runtime = Runtime::start(settings).expect("the runtime starts");
        Engine { runtime, pool: runtime.pool(slots).expect("a pool can be made") }
    }

    /// Signs, seals and loads.
    pub fn load(&self, artifact: &Artifact) -> Arc<LoadedModule> {
        let mut file = artifact.encode().expect("an artifact of a compiled module encodes");
        SignedArtifact::sign(&mut file, &KEY);
        let sealed = SealedFile::from_bytes(&file).expect("memory files can be made");
        self.runtime.load(sealed, &KEY.verifying_key()).expect("a module compiled here loads here")
    }

    /// A fresh instance.
    pub fn acquire(&self, module: &Arc<LoadedModule>) -> Instance {
        self.pool.acquire(module, InstanceLimits { memory_bytes_max: 4 << 30 }).expect("there is a slot")
    }
}

/// Resumes until the prepared call returns or traps. The guest imports nothing.
pub fn finish(instance: &mut Instance) -> Result<(), Trap> {
    // Most calls end within their first turn, and benches count every nanosecond of them.
    let mut preempted = None;
    loop {
        match instance.resume() {
            Exit::Done => return Ok(()),
            Exit::Trapped(trap) => return Err(trap),
            Exit::Preempted => {
                let first = *preempted.get_or_insert_with(Instant::now);
                assert!(first.elapsed() < CALL_MAX, "the call did not end within {CALL_MAX:?}");
            }
            other => panic!("the guest imports nothing, but left with {other:?}"),
        }
    }
}
