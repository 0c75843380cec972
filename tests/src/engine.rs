//! Compiler and runtime put together as the product does it: compile, sign, seal, load, run.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use vivarium_artifact::{FunctionType, Setting, SignedArtifact};
use vivarium_compiler::{CompileError, ImportPolicy, Policy};
use vivarium_runtime::{
    Exit, Instance, InstanceLimits, LoadedModule, Pool, ResetMethod, Runtime, RuntimeError, RuntimeSettings, SealedFile, Trap,
};

/// How long a call in a test may run: honest ones end within milliseconds.
pub const CALL_MAX: Duration = Duration::from_secs(20);

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_bytes(&[42; 32]));

/// Forces one reset method upon all tests of a process, as it does upon a gateway.
pub const FORCED_RESET: &str = "VIVARIUM_RESET";

/// The process's runtime; every reset is verified byte for byte.
pub fn runtime() -> Runtime {
    let forced = std::env::var(FORCED_RESET).ok().map(|name| name.parse().expect("a reset method"));
    runtime_with(forced).expect("the runtime starts")
}

/// The same with one reset method, or with the best; an error where that method does not work.
pub fn runtime_with(reset: Option<ResetMethod>) -> Result<Runtime, RuntimeError> {
    Runtime::start(RuntimeSettings { slice: Duration::from_millis(1), verify_resets: true, reset })
}

/// Limits that no test reaches by accident.
pub fn limits() -> InstanceLimits {
    InstanceLimits { memory_bytes_max: 4 << 30 }
}

/// A policy that permits exactly these imports.
pub fn policy<'a>(imports: impl IntoIterator<Item = (&'a str, &'a str, FunctionType)>) -> Policy {
    Policy { imports: ImportPolicy::new(imports), ..Policy::default() }
}

/// Compiles, signs, seals and loads.
pub fn load(wasm: &[u8], policy: &Policy, setting: Setting) -> Result<Arc<LoadedModule>, CompileError> {
    let compiled = vivarium_compiler::compile(wasm, policy, setting, &|_, _, _| {})?;
    let mut file = compiled.artifact.encode().expect("an artifact of a compiled module encodes");
    SignedArtifact::sign(&mut file, &KEY);
    let sealed = SealedFile::from_bytes(&file).expect("memory files can be made");
    Ok(runtime().load(sealed, &KEY.verifying_key()).expect("a module compiled here loads here"))
}

/// Compiles WAT without imports.
pub fn load_wat(wat: &str, setting: Setting) -> Arc<LoadedModule> {
    let wasm = wat::parse_str(wat).expect("the test's WAT is right");
    load(&wasm, &policy([]), setting).expect("the test's module compiles")
}

/// A pool for the calling thread.
pub fn pool(slots: u32) -> Pool {
    runtime().pool(slots).expect("a pool can be made")
}

/// Calls an export of an instance that imports nothing; the bits of its results, or its trap.
pub fn call(instance: &mut Instance, export: &str, arguments: &[u128]) -> Result<Vec<u128>, Trap> {
    let Some(vivarium_artifact::ExportedItem::Function(function)) = instance.module().contract().export(export) else {
        panic!("the module exports no function {export}");
    };
    instance.invoke(function, arguments).expect("the call can begin");
    finish(instance, function)
}

/// Resumes until the call of `function` returns or traps.
pub fn finish(instance: &mut Instance, function: u32) -> Result<Vec<u128>, Trap> {
    match run(instance) {
        Exit::Done => {
            let results = instance.module().contract().function_type(function).expect("the function exists").results.len();
            Ok((0..results as u32).map(|index| instance.result(index)).collect())
        }
        Exit::Trapped(trap) => Err(trap),
        exit => panic!("nobody answers {exit:?}"),
    }
}

/// Resumes through preemptions until the next other exit.
pub fn run(instance: &mut Instance) -> Exit {
    let deadline = Instant::now() + CALL_MAX;
    loop {
        match instance.resume() {
            Exit::Preempted => assert!(Instant::now() < deadline, "the call did not end within {CALL_MAX:?}"),
            exit => return exit,
        }
    }
}

/// How many instances the kernel lets this process have at once: two mappings a slot, and some for the process itself.
pub fn live_instances_max() -> u32 {
    let most = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok().and_then(|text| text.trim().parse::<u32>().ok());
    most.map_or(u32::MAX, |most| most.saturating_sub(2_000) / 2)
}
