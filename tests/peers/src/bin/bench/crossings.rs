//! Into guests and out of them: calls, hostcalls, suspensions, and loops that never end.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use vivarium_artifact::{FunctionType, ValueType};
use vivarium_peers::engine::{Engine, finish};
use vivarium_runtime::{Callable, Exit, Instance};
use vivarium_tests::table::{Beside, Row};
use wasmtime::{Linker, Module, Store};

use crate::{ours, tuned};

const GUEST: &str = r#"(module
    (import "host" "add" (func $add (param i64) (result i64)))
    (func (export "same") (param i64) (result i64) (local.get 0))
    (func (export "ask") (param $n i64) (result i64) (local $sum i64)
        (loop $again
            (local.set $sum (i64.add (local.get $sum) (call $add (local.get $n))))
            (br_if $again (i64.ne (i64.const 0) (local.tee $n (i64.sub (local.get $n) (i64.const 1))))))
        (local.get $sum))
    (func (export "spin") (loop (br 0))))"#;
const CALLS_OF_A_SAMPLE: u64 = 1_000;
const SAMPLES: usize = 500;
/// Turns of endless loops.
const TURNS: usize = 300;
/// The runtime's own default.
const TICK: Duration = Duration::from_millis(1);

/// What `ask(CALLS_OF_A_SAMPLE)` returns when `add` adds one.
const SUM: u64 = CALLS_OF_A_SAMPLE * (CALLS_OF_A_SAMPLE + 3) / 2;

pub fn rows() -> Vec<Value> {
    let wasm = wat::parse_str(GUEST).expect("the guest is right");
    let engine = Engine::start(2, false);
    let word = vec![ValueType::I64];
    let module = ours::load(&engine, &wasm, [("host", "add", FunctionType { parameters: word.clone(), results: word })]);
    let [same, ask, spin] = ["same", "ask", "spin"].map(|name| ours::export(&module, name));
    let mut instance = engine.acquire(&module);
    let same = Callable::new(&module, same).expect("it can be called");
    let peer = Peer::new(&wasm);

    let [mut calls, mut hostcalls] = [[vec![], vec![]], [vec![], vec![]]];
    let mut suspensions = vec![];
    let mut plain = peer.store(false);
    let mut suspending = peer.store(true);
    for _ in 0..SAMPLES {
        calls[0].push(nanoseconds(|| (0..CALLS_OF_A_SAMPLE).for_each(|x| call(&mut instance, &same, x))));
        hostcalls[0].push(nanoseconds(|| answer_all(&mut instance, ask)));
        calls[1].push(nanoseconds(|| plain.call_all()));
        hostcalls[1].push(nanoseconds(|| plain.ask()));
        suspensions.push(nanoseconds(|| suspending.ask_suspended()));
    }
    let beside = |name, ours: &[f64], peer: &[f64], peer_name, goal| {
        Beside { group: "runtime", name, unit: "ns", ours: ours.to_vec(), peer: peer.to_vec(), peer_name, goal }.print()
    };
    let fibers = "Wasmtime tuned, async";
    vec![
        beside("host → guest call, traps armed", &calls[0], &calls[1], tuned::NAME, Some(2.0)),
        beside("suspend and resume", &hostcalls[0], &suspensions, fibers, Some(2.0)),
        beside("hostcall and back", &hostcalls[0], &hostcalls[1], tuned::NAME, None),
        Row {
            group: "runtime",
            name: "hostcall and back, in itself",
            unit: "ns",
            values: hostcalls[0].clone(),
            goal: Some(10.0),
            said: "",
        }
        .print(),
        beside_turns(&mut instance, spin, &peer),
    ]
}

/// Of one call.
fn nanoseconds(calls: impl FnOnce()) -> f64 {
    let started = Instant::now();
    calls();
    started.elapsed().as_secs_f64() * 1e9 / CALLS_OF_A_SAMPLE as f64
}

fn call(instance: &mut Instance, same: &Callable, x: u64) {
    match instance.call(same, &[x.into()]).expect("the call can begin") {
        Exit::Done => {}
        Exit::Preempted => finish(instance).expect("the guest does not trap"),
        other => panic!("the guest neither traps nor calls: {other:?}"),
    }
    assert_eq!(instance.result(0) as u64, x);
}

fn answer_all(instance: &mut Instance, ask: u32) {
    instance.invoke(ask, &[CALLS_OF_A_SAMPLE.into()]).expect("the call can begin");
    loop {
        match instance.resume() {
            Exit::Hostcall { .. } => {
                let argument = instance.argument(0);
                instance.answer(&[argument + 1]);
            }
            Exit::Preempted => {}
            Exit::Done => break,
            Exit::Trapped(trap) => panic!("the guest does not trap: {trap:?}"),
        }
    }
    assert_eq!(instance.result(0) as u64, SUM);
}

/// How long a guest that never ends has the thread, with a tick each millisecond on both sides.
fn beside_turns(instance: &mut Instance, spin: u32, peer: &Peer) -> Value {
    instance.invoke(spin, &[]).expect("the call can begin");
    let turn = |_| {
        let started = Instant::now();
        assert_eq!(instance.resume(), Exit::Preempted);
        started.elapsed().as_secs_f64() * 1e6
    };
    let ours = (0..TURNS).map(turn).collect();
    let (name, peer_name) = ("an endless loop gives the thread back", "Wasmtime tuned, epochs");
    Beside { group: "runtime", name, unit: "µs", ours, peer: peer.turns(), peer_name, goal: None }.print()
}

struct Peer {
    plain: Module,
    interruptible: Module,
}

impl Peer {
    fn new(wasm: &[u8]) -> Peer {
        let module = |engine: wasmtime::Engine| Module::new(&engine, wasm).expect("Wasmtime takes the guest");
        Peer {
            plain: module(tuned::engine(8, |_| {})),
            interruptible: module(tuned::engine(8, |config| _ = config.epoch_interruption(true))),
        }
    }

    /// An instance whose hostcalls suspend it once each, or none.
    fn store(&self, suspending: bool) -> Linked {
        let mut linker = Linker::new(self.plain.engine());
        if suspending {
            linker.func_wrap_async("host", "add", |_, (x,): (u64,)| {
                Box::new(async move {
                    Once(false).await;
                    x + 1
                })
            })
        } else {
            linker.func_wrap("host", "add", |x: u64| x + 1)
        }
        .expect("it is defined once");
        let mut store = Store::new(self.plain.engine(), ());
        let instance = poll_to_end(linker.instantiate_async(&mut store, &self.plain)).expect("there is a slot");
        let [same, ask] = ["same", "ask"].map(|name| instance.get_typed_func(&mut store, name).expect("its type is this"));
        Linked { store, same, ask }
    }

    /// In µs, until the second tick: the first may come at once.
    fn turns(&self) -> Vec<f64> {
        let engine = self.interruptible.engine();
        let mut linker = Linker::new(engine);
        linker.func_wrap("host", "add", |x: u64| x).expect("it is defined once");
        let linked = linker.instantiate_pre(&self.interruptible).expect("its import is defined");
        let ended = AtomicBool::new(false);
        let turn = |_| {
            let mut store = Store::new(engine, ());
            store.set_epoch_deadline(2);
            let instance = linked.instantiate(&mut store).expect("there is a slot");
            let spin = instance.get_typed_func::<(), ()>(&mut store, "spin").expect("its type is this");
            let started = Instant::now();
            spin.call(&mut store, ()).expect_err("it is interrupted");
            started.elapsed().as_secs_f64() * 1e6
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    thread::sleep(TICK);
                    engine.increment_epoch();
                }
            });
            let turns = (0..TURNS).map(turn).collect();
            ended.store(true, Ordering::Relaxed);
            turns
        })
    }
}

struct Linked {
    store: Store<()>,
    same: wasmtime::TypedFunc<u64, u64>,
    ask: wasmtime::TypedFunc<u64, u64>,
}

impl Linked {
    fn call_all(&mut self) {
        for x in 0..CALLS_OF_A_SAMPLE {
            assert_eq!(self.same.call(&mut self.store, x).expect("the guest does not trap"), x);
        }
    }

    fn ask(&mut self) {
        assert_eq!(self.ask.call(&mut self.store, CALLS_OF_A_SAMPLE).expect("the guest does not trap"), SUM);
    }

    fn ask_suspended(&mut self) {
        let answer = poll_to_end(self.ask.call_async(&mut self.store, CALLS_OF_A_SAMPLE));
        assert_eq!(answer.expect("the guest does not trap"), SUM);
    }
}

fn poll_to_end<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// Ready when it is asked for the second time.
pub struct Once(pub bool);

impl Future for Once {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}
