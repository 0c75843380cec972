//! Group `compiler`, an artifact taken in: verified once, mapped as often as it is wanted. Programs as large as starters and a module of more than ten megabytes.

use ed25519_dalek::SigningKey;
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;
use vivarium_artifact::{Setting, SignedArtifact};
use vivarium_compiler::compile;
use vivarium_runtime::{Runtime, RuntimeSettings, SealedFile};
use vivarium_tests::real;
use vivarium_tests::table::Row;

/// Most that verifying may take, in microseconds: at all, and for each MiB of the file that is no hole.
const VERIFY_US: f64 = 60.0;
const VERIFY_MIB_US: f64 = 1000.0;
/// Most that mapping may take.
const MAP_US: f64 = 30.0;
const TIMES: usize = 300;
const MODULES: [(&str, usize); 3] = [
    ("@jsquash/png/codec/pkg/squoosh_png_bg.wasm", TIMES),
    ("sql.js/dist/sql-wasm.wasm", TIMES),
    ("@esbuild/wasi-preview1/esbuild.wasm", 9),
];

/// All rows of the part.
pub fn rows() -> Vec<Value> {
    let runtime = Runtime::start(RuntimeSettings::default()).expect("the runtime starts");
    let small = wat::parse_str("(module (memory 1) (func (export \"f\")))").expect("the text is right");
    let mut rows = of(&runtime, "smallest module", &small, TIMES);
    for (path, times) in MODULES {
        let name = path.rsplit('/').next().unwrap_or(path);
        rows.extend(of(&runtime, name, &real::file(path), times));
    }
    rows
}

fn of(runtime: &Runtime, name: &str, wasm: &[u8], times: usize) -> Vec<Value> {
    let key = SigningKey::from_bytes(&[9; 32]);
    let compiled = compile(wasm, &real::policy(wasm), Setting::Fast, &|_, _, _| {}).expect("our compiler takes it");
    let mut file = compiled.artifact.encode().expect("it encodes");
    SignedArtifact::sign(&mut file, &key);
    let mib = file.len() as f64 / f64::from(1 << 20);
    let said = format!("{mib:.2} MiB of artifact");
    let goal = VERIFY_US + VERIFY_MIB_US * mib;
    let sealed = || SealedFile::from_bytes(&file).expect("memory files can be made");
    let verify = |sealed| runtime.verify(sealed, &key.verifying_key()).expect("what was signed here is verified here");
    let verified = (0..times).map(|_| ran_us(sealed(), verify)).collect();
    let artifact = verify(sealed());
    let mapped = (0..TIMES).map(|_| ran_us(&artifact, |artifact| runtime.map(artifact).expect("there is room for it"))).collect();
    let row = |what: &str, values, goal| {
        let name = format!("{what} {name}");
        Row { group: "compiler", name: &name, unit: "µs", values, goal: Some(goal), said: &said }.print()
    };
    vec![row("verify", verified, goal.round()), row("map", mapped, MAP_US)]
}

/// What a piece of work takes of this thread, in microseconds: what else the machine does meanwhile does not count.
fn ran_us<A, R>(argument: A, work: impl FnOnce(A) -> R) -> f64 {
    let before = clock_gettime(ClockId::ThreadCPUTime);
    let result = work(argument);
    let after = clock_gettime(ClockId::ThreadCPUTime);
    drop(result);
    (after.tv_sec - before.tv_sec) as f64 * 1e6 + (after.tv_nsec - before.tv_nsec) as f64 / 1e3
}
