use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::programs::{copier, greeter};
use vivarium::compile::pool::{CompileFailure, CompilePool, Job, Stage};
use vivarium::limits::Limits;
use vivarium::processes::Spawner;
use vivarium_abi::program::Kind;
use vivarium_artifact::{Artifact, Setting};
use vivarium_toolchains::Cancel;

fn pool(limits: &Limits) -> CompilePool {
    CompilePool::start(Spawner::with_program(PathBuf::from(env!("CARGO_BIN_EXE_vivarium"))), 1, limits)
}

fn compile(pool: &CompilePool, wat: &str) -> Result<vivarium::compile::pool::CompiledWasm, CompileFailure> {
    pool.compile(Job::new(&wat::parse_str(wat).unwrap(), Setting::Fast), &|_, _, _| {}, &Cancel::new())
}

#[test]
fn a_worker_compiles_one_module_after_another() {
    let pool = pool(&Limits::default());
    let told = AtomicU32::new(0);
    let progress = |stage: Stage, _, _| {
        told.fetch_add(u32::from(stage == Stage::Validate), Ordering::Relaxed);
    };
    let wasm = wat::parse_str(greeter("x")).unwrap();
    let service = pool.compile(Job::new(&wasm, Setting::Fast), &progress, &Cancel::new()).unwrap();
    assert_eq!((service.kind, told.load(Ordering::Relaxed)), (Kind::Service, 1));
    assert!(Artifact::parse(&service.elf).is_ok() && service.timings.codegen_us > 0.0 && service.not_runnable.is_none());
    let worker = pool.pids();
    let command = compile(&pool, &copier()).unwrap();
    assert_eq!((command.kind, pool.pids()), (Kind::Command, worker));
}

#[test]
fn what_cannot_be_compiled_is_refused_by_name() {
    let pool = pool(&Limits::default());
    let Err(CompileFailure::Refused { sentence, .. }) = compile(&pool, "(module (import \"env\" \"emit\" (func)))") else {
        panic!("refused")
    };
    assert!(sentence.contains("env.emit"), "{sentence}");
    let library = compile(&pool, "(module (func (export \"main\")))").unwrap();
    assert!(library.not_runnable.is_some_and(|sentence| sentence.contains("_start")));
    assert!(matches!(
        pool.compile(Job::new(b"no wasm", Setting::Fast), &|_, _, _| {}, &Cancel::new()),
        Err(CompileFailure::Refused { .. })
    ));
}

#[test]
fn a_worker_that_takes_too_long_is_replaced() {
    let pool = pool(&Limits { compile_wall_ms: 0, ..Limits::default() });
    let worker = pool.pids();
    // Big enough not to be done at once.
    let functions: String = (0..5_000).map(|n| format!("(func (result i32) (i32.mul (i32.const {n}) (i32.const 7)))")).collect();
    let late = compile(&pool, &format!("(module {functions})")).unwrap_err();
    assert!(matches!(late, CompileFailure::TimedOut { limit: "compile_wall_ms", .. }), "{late:?}");
    assert_ne!(pool.pids(), worker);
}

#[test]
fn a_worker_that_dies_is_told_apart_and_replaced() {
    let pool = pool(&Limits::default());
    assert!(compile(&pool, &greeter("x")).is_ok());
    let worker = rustix::process::Pid::from_raw(i32::try_from(pool.pids()[0]).unwrap()).unwrap();
    rustix::process::kill_process(worker, rustix::process::Signal::KILL).unwrap();
    assert!(matches!(compile(&pool, &greeter("x")), Err(CompileFailure::Crashed(_))));
    assert!(compile(&pool, &greeter("x")).is_ok());
}

#[test]
fn a_cancelled_job_is_given_up() {
    let pool = pool(&Limits::default());
    let cancel = Cancel::new();
    cancel.cancel();
    let wasm = wat::parse_str(greeter("x")).unwrap();
    let outcome = pool.compile(Job::new(&wasm, Setting::Fast), &|_, _, _| {}, &cancel);
    assert!(matches!(outcome, Ok(_) | Err(CompileFailure::Cancelled)), "{outcome:?}");
    assert!(compile(&pool, &greeter("x")).is_ok());
}

fn job<'j>(wasm: &'j [u8], own: &'j [u8]) -> Job<'j> {
    Job { wasm, setting: Setting::Fast, own, own_bytes_max: 1 << 20 }
}

#[test]
fn code_that_an_earlier_job_left_is_found_by_whoever_brings_it() {
    let pool = pool(&Limits::default());
    let wasm = wat::parse_str(greeter("x")).unwrap();
    let compile = |own: &[u8]| pool.compile(job(&wasm, own), &|_, _, _| {}, &Cancel::new()).unwrap();
    let first = compile(&[]);
    assert_eq!(first.functions_found, 0);
    let left = first.own.expect("it left its functions");
    let second = compile(&left);
    assert_eq!((second.functions_found, second.own.is_some()), (second.functions, false), "all was there, nothing is new");
    assert!(second.elf == first.elf);
    assert_eq!(compile(&[]).functions_found, 0, "the worker itself keeps nothing");
    assert_eq!(compile(&left[1..]).functions_found, 0, "what is damaged is as good as nothing");
}

#[test]
fn code_that_is_shared_is_found_by_every_job() {
    let pool = pool(&Limits::default());
    let wasm = wat::parse_str(greeter("x")).unwrap();
    let made = pool.compile_in_background(job(&wasm, &[]), &Cancel::new()).unwrap();
    assert!(
        made.functions > 0 && pool.compile(Job::new(&wasm, Setting::Fast), &|_, _, _| {}, &Cancel::new()).unwrap().functions_found == 0
    );
    pool.share(made.own.unwrap().into());
    for _ in 0..2 {
        let found = pool.compile(Job::new(&wasm, Setting::Fast), &|_, _, _| {}, &Cancel::new()).unwrap();
        assert_eq!(found.functions_found, found.functions);
    }
    let cancel = Cancel::new();
    cancel.cancel();
    assert!(matches!(pool.compile_in_background(job(&wasm, &[]), &cancel), Err(CompileFailure::Cancelled)));
}
