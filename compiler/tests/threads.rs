//! Functions are compiled on all processors.

use std::collections::HashSet;
use std::num::NonZero;
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

use vivarium_artifact::Setting;
use vivarium_compiler::{Policy, Stage, compile};

/// How long a thread waits for the others: only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(60);
/// The compiler starts no more threads than this.
const THREADS_MAX: usize = 16;
/// Enough that each thread takes some while the others hold theirs.
const FUNCTIONS: usize = 4_000;

/// Progress is told by the thread that takes the next function. Whoever tells it waits here until as many as there are processors have.
#[test]
fn as_many_threads_compile_functions_as_there_are_processors() {
    let processors = thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
    let function = "(func (param i32) (result i32) (i32.mul (i32.add (local.get 0) (i32.const 3)) (local.get 0)))";
    let wasm = wat::parse_str(format!("(module {})", function.repeat(FUNCTIONS))).expect("the test's WAT is right");
    let (seen, arrived) = (Mutex::new(HashSet::new()), Condvar::new());
    let progress = |stage: Stage, _: u32, _: u32| {
        if stage == Stage::Codegen {
            let mut seen = seen.lock().expect("no thread panics with it");
            seen.insert(thread::current().id());
            arrived.notify_all();
            let waiting = arrived.wait_timeout_while(seen, PATIENCE, |seen| seen.len() < processors);
            drop(waiting.expect("no thread panics with it"));
        }
    };
    compile(&wasm, &Policy::default(), Setting::Fast, &progress).expect("it compiles");
    assert_eq!(seen.lock().expect("no thread panics with it").len(), processors);
}
