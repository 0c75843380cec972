//! A guest's turns as its driver sees them, in this process: how long one is, and when the next begins.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use vivarium::control::messages::Outcome;
use vivarium::gateway::guest::{Guest, GuestLimits, Pause, Program};
use vivarium::limits::Limits;
use vivarium_abi::{HostInput, Wait};
use vivarium_artifact::{Setting, SignedArtifact};
use vivarium_compiler::{ImportPolicy, Policy};
use vivarium_runtime::{Pool, Runtime, RuntimeSettings, SealedFile, VerifiedArtifacts};

use crate::programs::sleeper;

/// Long beside the pauses that a busy machine makes, so that only the guest's own wait outlasts it.
const SLICE: Duration = Duration::from_millis(400);

fn program(runtime: &Runtime, wat: &str) -> Arc<Program> {
    let key = SigningKey::from_bytes(&[7; 32]);
    let policy = Policy { imports: ImportPolicy::new(vivarium_abi::imports()), ..Policy::default() };
    let compiled = vivarium_compiler::compile(&wat::parse_str(wat).unwrap(), &policy, Setting::Fast, &|_, _, _| {}).unwrap();
    let mut file = compiled.artifact.encode().unwrap();
    SignedArtifact::sign(&mut file, &key);
    let file = SealedFile::from_bytes(&file).unwrap();
    let verified = VerifiedArtifacts::new(key.verifying_key());
    Arc::new(Program::load(runtime, &verified, file, Limits::default().tenant(), vec![]).unwrap())
}

fn begin(pool: &Pool, program: &Arc<Program>) -> Guest {
    let input = HostInput { arguments: vec!["fern".into()], ..HostInput::default() };
    Guest::begin(pool, program, input, GuestLimits::of_request(&Limits::default())).unwrap_or_else(|_| panic!("the only slot is free"))
}

/// While it waits nobody else has the thread, so that its old turn would still be the thread's, and long over.
#[test]
fn a_guest_that_waited_has_a_whole_turn_afterwards() {
    let runtime = Runtime::start(RuntimeSettings { slice: SLICE, ..RuntimeSettings::default() }).unwrap();
    let pool = runtime.pool(1).unwrap();
    let program = program(&runtime, &sleeper(5 * SLICE.as_millis() as u32 / 2));
    let mut guest = begin(&pool, &program);
    let Pause::Waiting(Wait::Until(moment)) = guest.run() else { panic!("it sleeps before anything else") };
    std::thread::sleep(moment.saturating_duration_since(Instant::now()));
    let ended = guest.wake();
    assert!(matches!(ended, Pause::Ended(Outcome::Finished)), "it went on to its end, not to the end of the queue: {ended:?}");
}
