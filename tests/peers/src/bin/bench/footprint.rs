//! Memory of live instances, each with two pages written and waiting in a hostcall: resident bytes and page tables of this process, by instance.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use serde_json::Value;
use vivarium_artifact::{FunctionType, ValueType};
use vivarium_peers::engine::Engine;
use vivarium_runtime::Exit;
use vivarium_tests::table::Beside;
use wasmtime::{Linker, Module, Store};

use crate::crossings::Once;
use crate::{ours, tuned};

const INSTANCES: u32 = 1_000;
const GUEST: &str = r#"(module (import "host" "wait" (func $wait (param i32))) (memory 1) (global $g (mut i32) (i32.const 5))
    (func (export "run") (i32.store (i32.const 100) (i32.const 1)) (i32.store (i32.const 5000) (i32.const 1))
        (global.set $g (i32.const 6)) (call $wait (i32.const 7))))"#;

pub fn rows() -> Vec<Value> {
    let wasm = wat::parse_str(GUEST).expect("the guest is right");
    let (ours, peer) = (vec![of_ours(&wasm)], vec![of_peer(&wasm)]);
    let (name, peer_name) = ("bytes a waiting instance, two pages written", "Wasmtime tuned, async");
    vec![Beside { group: "runtime", name, unit: "bytes", ours, peer, peer_name, goal: Some(1.0) }.print()]
}

fn of_ours(wasm: &[u8]) -> f64 {
    let engine = Engine::start(INSTANCES, false);
    let module = ours::load(&engine, wasm, [("host", "wait", FunctionType { parameters: vec![ValueType::I32], results: vec![] })]);
    let run = ours::export(&module, "run");
    let begin = || {
        let mut instance = engine.acquire(&module);
        instance.invoke(run, &[]).expect("the call can begin");
        while instance.resume() != (Exit::Hostcall { import: 0 }) {}
        instance
    };
    drop(begin());
    let before = resident_bytes();
    let alive: Vec<_> = (0..INSTANCES).map(|_| begin()).collect();
    let bytes = (resident_bytes() - before) / alive.len() as f64;
    drop(alive);
    bytes
}

fn of_peer(wasm: &[u8]) -> f64 {
    let engine = tuned::engine(INSTANCES + 1, |_| {});
    let module = Module::new(&engine, wasm).expect("Wasmtime takes the guest");
    let mut linker = Linker::new(&engine);
    linker.func_wrap_async("host", "wait", |_, (_,): (i32,)| Box::new(Once(false))).expect("it is defined once");
    let linked = linker.instantiate_pre(&module).expect("its import is defined");
    let begin = || {
        let (engine, linked) = (engine.clone(), linked.clone());
        let mut waiting: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move {
            let mut store = Store::new(&engine, ());
            let instance = linked.instantiate_async(&mut store).await.expect("there is a slot");
            let run = instance.get_typed_func::<(), ()>(&mut store, "run").expect("its type is this");
            run.call_async(&mut store, ()).await.expect("the guest does not trap");
        });
        let polled = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Pending, "it waits in its hostcall");
        waiting
    };
    drop(begin());
    let before = resident_bytes();
    let alive: Vec<_> = (0..INSTANCES).map(|_| begin()).collect();
    (resident_bytes() - before) / alive.len() as f64
}

/// Of this process, page tables included.
fn resident_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is there");
    let kibibytes = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).expect("the kernel tells it");
        line.split_whitespace().nth(1).and_then(|number| number.parse::<f64>().ok()).expect("it is a number")
    };
    (kibibytes("VmRSS:") + kibibytes("VmPTE:")) * 1024.0
}
