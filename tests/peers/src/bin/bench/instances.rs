//! From taking an instance to giving it back, for requests that write to a number of pages, on one thread and on two that share a module.
//!
//! A sample is the mean of a few requests, so that reading the clock does not count. Both sides check what the guest computed, which only a pristine
//! instance gives.

use std::thread;
use std::time::Instant;

use serde_json::Value;
use vivarium_peers::engine::{Engine, finish};
use vivarium_tests::requests::{Requests, wat};
use vivarium_tests::table::Beside;
use wasmtime::{Extern, InstancePre, Linker, Module, Store};

use crate::{ours, tuned};

const ROUNDS: usize = 9;
const REQUESTS_OF_A_SAMPLE: u32 = 16;
const SLOTS: u32 = 64;

/// A kind of request.
struct Work {
    name: &'static str,
    wasm: Vec<u8>,
    export: &'static str,
    pages: u32,
    /// In each round.
    samples: usize,
    /// For the median of one thread, and for the operations a second of two.
    goals: [f64; 2],
}

pub fn rows() -> Vec<Value> {
    let small = |name, pages, goals| Work { name, wasm: guest(2, (16 << 10) + pages), export: "run", pages, samples: 600, goals };
    let large = |name, pages| Work { name, wasm: guest(256, 2 << 20), export: "run", pages, samples: 12, goals: [1.0, 1.0] };
    let works = [
        small("0 pages", 0, [10.0, 20.0]),
        small("1 page", 1, [10.0, 20.0]),
        small("2 pages", 2, [10.0, 20.0]),
        small("4 pages", 4, [10.0, 20.0]),
        small("8 pages", 8, [3.0, 3.0]),
        small("16 pages", 16, [1.5, 1.5]),
        small("32 pages", 32, [1.5, 1.5]),
        large("1 MiB touched", 256),
        large("10 MiB touched", 2560),
        Work { name: "memory grows", wasm: guest(2, 16 << 10), export: "grow", pages: 0, samples: 200, goals: [1.0, 1.0] },
    ];
    let mut rows: Vec<Value> = works.iter().flat_map(|work| [1, 2].map(|threads| compare(work, threads))).collect();
    rows.push(first_instances());
    rows
}

fn guest(memory_pages: u32, data_bytes: u32) -> Vec<u8> {
    wat::parse_str(wat(memory_pages, data_bytes)).expect("the guest is right")
}

impl Work {
    fn expected(&self, x: u32) -> u32 {
        if self.export == "grow" { 3 } else { Requests::expected(x, self.pages) }
    }
}

fn compare(work: &Work, threads: usize) -> Value {
    let engine = tuned::engine(SLOTS, |_| {});
    let module = Module::new(&engine, &work.wasm).expect("Wasmtime takes the guest");
    let linked = Linker::<()>::new(&engine).instantiate_pre(&module).expect("it imports nothing");
    let [mut ours, mut peer] = [vec![], vec![]];
    for _ in 0..ROUNDS {
        ours.extend(on_threads(threads, || of_ours(work)));
        peer.extend(on_threads(threads, || of_peer(work, &linked)));
    }
    let name = match threads {
        1 => format!("instance + call + reset, {}", work.name),
        _ => format!("the same on {threads} threads, an operation of either"),
    };
    let name = if threads == 1 { name } else { format!("{name}, {}", work.name) };
    Beside { group: "runtime", name: &name, unit: "µs", ours, peer, peer_name: tuned::NAME, goal: Some(work.goals[threads - 1]) }.print()
}

/// What each thread measured, as time for one operation of all of them.
fn on_threads(threads: usize, run: impl Fn() -> Vec<f64> + Sync) -> Vec<f64> {
    let all: Vec<Vec<f64>> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(&run)).collect();
        running.into_iter().map(|thread| thread.join().expect("a thread ends well")).collect()
    });
    all.into_iter().flatten().map(|value| value / threads as f64).collect()
}

/// Times of samples in µs a request, after as many requests again that are not measured.
fn times(samples: usize, mut request: impl FnMut(u32)) -> Vec<f64> {
    let mut sample = |round: usize| {
        let started = Instant::now();
        (0..REQUESTS_OF_A_SAMPLE).for_each(|number| request(round as u32 + number));
        started.elapsed().as_secs_f64() * 1e6 / f64::from(REQUESTS_OF_A_SAMPLE)
    };
    (0..samples.min(200)).for_each(|round| _ = sample(round));
    (0..samples).map(sample).collect()
}

fn of_ours(work: &Work) -> Vec<f64> {
    let engine = Engine::start(4, false);
    let module = ours::load(&engine, &work.wasm, []);
    let function = ours::export(&module, work.export);
    times(work.samples, |x| {
        let mut instance = engine.acquire(&module);
        instance.invoke(function, &[x.into(), work.pages.into()]).expect("the call can begin");
        finish(&mut instance).expect("the guest does not trap");
        assert_eq!(instance.result(0) as u32, work.expected(x));
    })
}

fn of_peer(work: &Work, linked: &InstancePre<()>) -> Vec<f64> {
    let export = linked.module().get_export_index(work.export).expect("the guest exports it");
    times(work.samples, |x| {
        let mut store = Store::new(linked.module().engine(), ());
        let instance = linked.instantiate(&mut store).expect("there is a slot");
        let Some(Extern::Func(function)) = instance.get_module_export(&mut store, &export) else { panic!("it is a function") };
        let function = function.typed::<(u32, u32), u32>(&store).expect("its type is this");
        assert_eq!(function.call(&mut store, (x, work.pages)).expect("the guest does not trap"), work.expected(x));
    })
}

/// A module's first instance on a thread: no slot of it is warm.
fn first_instances() -> Value {
    const MODULES: usize = 100;
    let wasm = guest(2, 16 << 10);
    let engine = Engine::start(4, false);
    let peer = tuned::engine(SLOTS, |_| {});
    let [mut of_ours, mut of_peer] = [vec![], vec![]];
    for x in 0..MODULES as u32 {
        let module = ours::load(&engine, &wasm, []);
        let function = ours::export(&module, "run");
        let started = Instant::now();
        let mut instance = engine.acquire(&module);
        instance.invoke(function, &[x.into(), 2]).expect("the call can begin");
        finish(&mut instance).expect("the guest does not trap");
        of_ours.push(started.elapsed().as_secs_f64() * 1e6);
        assert_eq!(instance.result(0) as u32, Requests::expected(x, 2));
        drop(instance);
        engine.pool.forget(&module);

        let module = Module::new(&peer, &wasm).expect("Wasmtime takes the guest");
        let linked = Linker::<()>::new(&peer).instantiate_pre(&module).expect("it imports nothing");
        let started = Instant::now();
        let mut store = Store::new(&peer, ());
        let instance = linked.instantiate(&mut store).expect("there is a slot");
        let function = instance.get_typed_func::<(u32, u32), u32>(&mut store, "run").expect("it is exported");
        let computed = function.call(&mut store, (x, 2)).expect("the guest does not trap");
        of_peer.push(started.elapsed().as_secs_f64() * 1e6);
        assert_eq!(computed, Requests::expected(x, 2));
    }
    let name = "first instance of a loaded module + call";
    Beside { group: "runtime", name, unit: "µs", ours: of_ours, peer: of_peer, peer_name: tuned::NAME, goal: Some(1.0) }.print()
}
