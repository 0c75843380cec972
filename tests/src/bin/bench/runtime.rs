//! Instances in this process. A sample is the mean of a few requests, so that reading the clock does not count; each checks what the guest computed.

use std::thread;
use std::time::Instant;

use serde_json::Value;
use vivarium_artifact::{ExportedItem, Setting};
use vivarium_runtime::{Exit, ResetMethod, Runtime, RuntimeSettings};
use vivarium_tests::engine::{limits, load_wat};
use vivarium_tests::requests::Requests;
use vivarium_tests::table::{Row, percentile};

const SAMPLES: usize = 2_000;
const REQUESTS_OF_A_SAMPLE: u32 = 16;
/// Turns of each thread.
const TURNS: usize = 2_000;

/// All rows of the group: each reset method that works here, by number of dirty pages.
pub fn rows() -> Vec<Value> {
    let methods = ResetMethod::ALL.into_iter().filter(|method| Runtime::obstacle(*method).is_none());
    methods.flat_map(of_method).chain([1, 2].map(one_module)).chain([1, 2, 4].map(turns)).collect()
}

/// Requests to one module by so many threads at once, each with a pool of its own: what one takes, and how many there are in a second.
fn one_module(threads: usize) -> Value {
    const PAGES: u32 = 3;
    let runtime = Runtime::start(RuntimeSettings::default()).expect("the runtime starts");
    let requests = Requests::new(2, 16 << 10, "run");
    let of_thread = || {
        let pool = runtime.pool(4).expect("a pool can be made");
        (0..200).for_each(|x| assert_eq!(requests.serve(&pool, x, PAGES), Requests::expected(x, PAGES)));
        (0..SAMPLES as u32)
            .map(|round| sample(round, &mut |x| assert_eq!(requests.serve(&pool, x, PAGES), Requests::expected(x, PAGES))))
            .collect::<Vec<f64>>()
    };
    let values: Vec<f64> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(of_thread)).collect();
        running.into_iter().flat_map(|thread| thread.join().expect("a thread of requests ends")).collect()
    });
    let said = format!("{:.1} million a second in all", threads as f64 / percentile(&values, 0.5));
    let name = format!("instance + call + reset, {PAGES} pages, {threads} threads on one module");
    Row { group: "runtime", name: &name, unit: "µs", values, goal: None, said: &said }.print()
}

/// What one request takes, as the mean of a few, in microseconds.
fn sample(round: u32, serve: &mut dyn FnMut(u32)) -> f64 {
    let started = Instant::now();
    (0..REQUESTS_OF_A_SAMPLE).for_each(|request| serve(round + request));
    started.elapsed().as_secs_f64() * 1e6 / f64::from(REQUESTS_OF_A_SAMPLE)
}

/// How long a guest that never ends has the thread before it comes back, on so many threads at once.
fn turns(threads: usize) -> Value {
    let runtime = Runtime::start(RuntimeSettings::default()).expect("the runtime starts");
    let module = load_wat("(module (func (export \"f\") (loop (br 0))))", Setting::Fast);
    let Some(ExportedItem::Function(function)) = module.contract().export("f") else { panic!("f is exported") };
    let of_thread = || {
        let pool = runtime.pool(1).expect("a pool can be made");
        let mut instance = pool.acquire(&module, limits()).expect("a slot is free");
        instance.invoke(function, &[]).expect("the call can begin");
        let turn = |_| {
            let started = Instant::now();
            assert_eq!(instance.resume(), Exit::Preempted);
            started.elapsed().as_secs_f64() * 1e6
        };
        (0..TURNS).map(turn).collect::<Vec<f64>>()
    };
    let values = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(of_thread)).collect();
        running.into_iter().flat_map(|thread| thread.join().expect("a thread of loops ends")).collect()
    });
    Row {
        group: "runtime", name: &format!("turn of an endless loop, {threads} threads of them"), unit: "µs", values, goal: None, said: ""
    }
    .print()
}

fn of_method(method: ResetMethod) -> Vec<Value> {
    let runtime = Runtime::start(RuntimeSettings { reset: Some(method), ..RuntimeSettings::default() }).expect("the method works here");
    let pool = runtime.pool(4).expect("a pool can be made");
    let growing = Requests::new(2, 16 << 10, "grow");
    let large = Requests::new(256, 2 << 20, "run");
    let mut rows = Vec::new();
    let mut measure = |name: String, goal: Option<f64>, samples: usize, serve: &mut dyn FnMut(u32)| {
        (0..200).for_each(&mut *serve);
        let values = (0..samples as u32).map(|round| sample(round, serve)).collect();
        rows.push(Row { group: "runtime", name: &name, unit: "µs", values, goal, said: "" }.print());
    };
    for pages in [0, 1, 2, 4, 8, 16, 32] {
        // A module each: what is learned of one number of pages is not what another needs.
        let small = Requests::new(2, (16 << 10) + pages, "run");
        let goal = (method == ResetMethod::WriteSet && pages <= 4).then_some(0.3);
        measure(format!("{method}: instance + call + reset, {pages} pages"), goal, SAMPLES, &mut |x| {
            assert_eq!(small.serve(&pool, x, pages), Requests::expected(x, pages));
        });
    }
    // Stack and heap begin as zeros: only the first page has data.
    let zeros = Requests::new(2, 4096, "run");
    measure(format!("{method}: instance + call + reset, 4 pages, 3 of zeros"), None, SAMPLES, &mut |x| {
        assert_eq!(zeros.serve(&pool, x, 4), Requests::expected(x, 4));
    });
    for (name, pages) in [("1 MiB", 256), ("10 MiB", 2560)] {
        measure(format!("{method}: instance + call + reset, {name} touched"), None, SAMPLES / 40, &mut |x| {
            assert_eq!(large.serve(&pool, x, pages), Requests::expected(x, pages));
        });
    }
    measure(format!("{method}: instance + call that grows + reset"), None, SAMPLES / 4, &mut |x| {
        assert_eq!(growing.serve(&pool, x, 0), 3);
    });
    rows
}
