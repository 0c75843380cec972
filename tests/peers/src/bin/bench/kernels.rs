//! How quick compiled code is: eight kernels in C, ours with its deadline on, beside Wasmtime without one and with epochs.

use serde_json::{Value, json};
use vivarium_peers::engine::{Engine, finish};
use vivarium_tests::server::Server;
use vivarium_tests::table::Beside;
use wasmtime::{Config, Linker, Module, Store, TypedFunc};

use crate::ours;

const SOURCE: &str = include_str!("../../../guests/kernels.c");
const ROUNDS: usize = 5;
/// Names of exports, and arguments that make each take about 0.1 s: the kernel counts processor time by ticks of up to 4 ms.
const KERNELS: [(&str, u32); 8] = [
    ("calls", 36),
    ("matrix", 10),
    ("bodies", 1_000_000),
    ("rotations", 250_000),
    ("sieve", 20),
    ("trees", 100),
    ("indirect", 16_000_000),
    ("interpreter", 16_000_000),
];
/// How many times ours plain Wasmtime's time must be, for a kernel and over all; and Wasmtime's with epochs over all.
const PLAIN: f64 = 0.97;
const EPOCHS: f64 = 1.2;

pub fn rows() -> Vec<Value> {
    let (_, wasm) = ours::build(&Server::start(), "c", json!({"main.c": SOURCE}));
    let engine = Engine::start(1, false);
    let module = ours::load(&engine, &wasm, vivarium_abi::imports());
    let mut instance = engine.acquire(&module);
    let [mut plain, mut epochs] = [false, true].map(|epochs| Peer::new(&wasm, epochs));
    let mut rows = Vec::new();
    let mut ratios = [vec![], vec![]];
    for (name, argument) in KERNELS {
        let function = ours::export(&module, name);
        let mut times = [vec![], vec![], vec![]];
        for _ in 0..ROUNDS {
            let mut results = [0; 3];
            times[0].push(milliseconds(|| {
                instance.invoke(function, &[argument.into()]).expect("the call can begin");
                finish(&mut instance).expect("the kernel does not trap");
                results[0] = instance.result(0) as u32;
            }));
            times[1].push(milliseconds(|| results[1] = plain.call(name, argument)));
            times[2].push(milliseconds(|| results[2] = epochs.call(name, argument)));
            assert!(results[1] == results[0] && results[2] == results[0], "{name}: {results:?}");
        }
        let [ours, plain, epochs] = times;
        for (index, (peer, peer_name, goal)) in
            [(plain, "Wasmtime", Some(PLAIN)), (epochs, "Wasmtime, epochs", None)].into_iter().enumerate()
        {
            let row = Beside {
                group: "compiler",
                name: &format!("kernel {name}, {peer_name}"),
                unit: "ms",
                ours: ours.clone(),
                peer,
                peer_name,
                goal,
            };
            let row = row.print();
            ratios[index].push(row["ratio"].as_f64().expect("a ratio is a number"));
            rows.push(row);
        }
    }
    let [plain, epochs] = ratios;
    rows.push(geometric_mean("kernels, geometric mean", plain, "Wasmtime", PLAIN));
    rows.push(geometric_mean("kernels, geometric mean, epochs", epochs, "Wasmtime, epochs", EPOCHS));
    rows
}

/// A row of its own: the peer's times as multiples of ours.
pub fn geometric_mean(name: &str, ratios: Vec<f64>, peer_name: &str, goal: f64) -> Value {
    let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
    Beside { group: "compiler", name, unit: "×", ours: vec![1.0], peer: vec![mean], peer_name, goal: Some(goal) }.print()
}

/// Processor time of this thread: what else the machine does meanwhile does not count.
fn milliseconds(work: impl FnOnce()) -> f64 {
    let before = ran_ns();
    work();
    (ran_ns() - before) / 1e6
}

fn ran_ns() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel tells it");
    told.split_whitespace().next().and_then(|number| number.parse().ok()).expect("it is a number")
}

struct Peer {
    store: Store<()>,
    kernels: Vec<(&'static str, TypedFunc<u32, u32>)>,
}

impl Peer {
    fn new(wasm: &[u8], epochs: bool) -> Peer {
        let mut config = Config::new();
        config.epoch_interruption(epochs);
        let engine = wasmtime::Engine::new(&config).expect("Wasmtime starts");
        let module = Module::new(&engine, wasm).expect("Wasmtime takes the kernels");
        let mut linker = Linker::new(&engine);
        linker.define_unknown_imports_as_traps(&module).expect("it imports functions only");
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(1 << 40);
        let instance = linker.instantiate(&mut store, &module).expect("all is defined");
        let kernels = KERNELS.map(|(name, _)| (name, instance.get_typed_func(&mut store, name).expect("it is exported"))).to_vec();
        Peer { store, kernels }
    }

    fn call(&mut self, name: &str, argument: u32) -> u32 {
        let (_, kernel) = self.kernels.iter().find(|(other, _)| *other == name).expect("it is one of them");
        kernel.call(&mut self.store, argument).expect("the kernel does not trap")
    }
}
