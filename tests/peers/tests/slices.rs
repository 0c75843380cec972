//! A thousand generated modules in slices of 50 µs, which no program gets: what they compute is what they compute undisturbed.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use vivarium_artifact::TrapKind;
use vivarium_compiler::{Policy, compile};
use vivarium_peers::engine::Engine;
use vivarium_peers::oracle::plan::{self, Plan, normal};
use vivarium_peers::oracle::{Way, generate};
use vivarium_runtime::{Exit, Instance, LoadedModule, RuntimeSettings};

const MODULES: usize = 1_000;
const SHORT: Duration = Duration::from_micros(50);
/// Longer than anything here runs.
const WHOLE: Duration = Duration::from_secs(1);
/// Calls and turns of loops: twenty times what oracles give, so that the busy modules outlast many slices.
const FUEL: u32 = 20_000;

/// What a run leaves: how each call ended, and a hash of memory and globals.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    outcomes: Vec<Result<Vec<u128>, TrapKind>>,
    state: u64,
}

/// Runs with slices of one length; counts how often a guest was preempted.
struct Runs {
    engine: Engine,
    preempted: u64,
}

impl Runs {
    fn with(slice: Duration) -> Runs {
        let settings = RuntimeSettings { slice, verify_resets: true, ..RuntimeSettings::default() };
        Runs { engine: Engine::start_with(1, settings), preempted: 0 }
    }

    fn finish(&mut self, instance: &mut Instance) -> Result<(), TrapKind> {
        loop {
            match instance.resume() {
                Exit::Preempted => self.preempted += 1,
                Exit::Done => return Ok(()),
                Exit::Trapped(trap) => return Err(trap.kind),
                other => panic!("nothing is imported: {other:?}"),
            }
        }
    }

    fn run(&mut self, module: &Arc<LoadedModule>, plan: &Plan) -> Left {
        let mut instance = self.engine.acquire(module);
        let mut outcomes = Vec::new();
        if instance.initialize().expect("instantiation can begin") {
            outcomes.push(self.finish(&mut instance).map(|()| vec![]));
        }
        let begins = outcomes.iter().all(Result::is_ok);
        for call in plan.calls.iter().filter(|_| begins) {
            instance.invoke(call.function, &call.arguments).expect("the call can begin");
            let results = call.ty.results.iter().zip(0..);
            let ended = self.finish(&mut instance);
            outcomes.push(ended.map(|()| results.map(|(ty, index)| normal(*ty, instance.result(index))).collect()));
        }
        let mut hasher = DefaultHasher::new();
        plan.memories.iter().for_each(|(_, index)| instance.memory_at(*index).hash(&mut hasher));
        plan.globals.iter().for_each(|(_, index, ty)| normal(*ty, instance.global(*index)).hash(&mut hasher));
        Left { outcomes, state: hasher.finish() }
    }
}

#[test]
fn generated_modules_do_the_same_in_slices_of_fifty_microseconds() {
    let mut modules = Vec::new();
    let mut whole = Runs::with(WHOLE);
    for seed in 0.. {
        let Some(wasm) = generate::module_with_fuel(seed, FUEL) else { continue };
        let Ok(compiled) = compile(&wasm, &Policy::default(), Way::of_seed(seed).setting, &|_, _, _| {}) else { continue };
        let module = whole.engine.load(&compiled.artifact);
        let plan = plan::of(module.contract(), seed);
        let left = whole.run(&module, &plan);
        modules.push((seed, module, plan, left));
        if modules.len() == MODULES {
            break;
        }
    }
    assert_eq!((whole.preempted, whole.engine.pool.discarded()), (0, 0), "the runs to compare with were not disturbed");
    drop(whole);
    let (mut short, mut disturbed) = (Runs::with(SHORT), 0);
    for (seed, module, plan, expected) in &modules {
        let before = short.preempted;
        assert_eq!(short.run(module, plan), *expected, "seed {seed}");
        disturbed += usize::from(short.preempted > before);
        short.engine.pool.forget(module);
    }
    println!("{MODULES} modules, {disturbed} of them preempted, {} times in all", short.preempted);
    assert!(disturbed > MODULES / 20, "too few of them outlast a slice");
    assert_eq!(short.engine.pool.discarded(), 0);
}
