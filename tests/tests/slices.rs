//! Slices of 50 µs, which no program gets, change nothing of what is computed: results, traps, memory and globals are those of a run that nobody disturbed.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use vivarium_artifact::{ExportedItem, Setting, TrapKind, ValueType};
use vivarium_runtime::{Exit, Instance, LoadedModule, Pool, Runtime, RuntimeSettings};
use vivarium_tests::engine::{limits, load_wat};
use vivarium_tests::kernels::kernels;

const SHORT: Duration = Duration::from_micros(50);
/// Longer than anything here runs.
const WHOLE: Duration = Duration::from_secs(1);

/// What a run leaves: how each call ended, and a hash of memory and globals.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    outcomes: Vec<Result<Vec<u128>, TrapKind>>,
    state: u64,
}

/// Runs with slices of one length; counts how often a guest was preempted.
struct Runs {
    pool: Pool,
    preempted: u64,
}

impl Runs {
    fn with(slice: Duration) -> Runs {
        let settings = RuntimeSettings { slice, verify_resets: true, ..RuntimeSettings::default() };
        Runs { pool: Runtime::start(settings).unwrap().pool(1).unwrap(), preempted: 0 }
    }

    fn resume(&mut self, instance: &mut Instance) -> Exit {
        loop {
            match instance.resume() {
                Exit::Preempted => self.preempted += 1,
                exit => return exit,
            }
        }
    }

    fn outcome(&mut self, instance: &mut Instance, results: usize) -> Result<Vec<u128>, TrapKind> {
        match self.resume(instance) {
            Exit::Done => Ok((0..results as u32).map(|index| instance.result(index)).collect()),
            Exit::Trapped(trap) => Err(trap.kind),
            other => panic!("nothing is imported: {other:?}"),
        }
    }

    /// Calls each exported function with these bits for every parameter.
    fn run(&mut self, module: &Arc<LoadedModule>, argument: u128) -> Left {
        let mut instance = self.pool.acquire(module, limits()).unwrap();
        let mut outcomes = Vec::new();
        if instance.initialize().unwrap() {
            outcomes.push(self.outcome(&mut instance, 0));
        }
        let contract = module.contract();
        for export in contract.exports.iter().filter(|_| !matches!(outcomes.first(), Some(Err(_)))).cloned().collect::<Vec<_>>() {
            let ExportedItem::Function(function) = export.item else { continue };
            let ty = contract.function_type(function).unwrap();
            let arguments: Vec<u128> =
                ty.parameters.iter().map(|ty| if matches!(ty, ValueType::Reference(_)) { 0 } else { argument }).collect();
            instance.invoke(function, &arguments).unwrap();
            outcomes.push(self.outcome(&mut instance, ty.results.len()));
        }
        let mut hasher = DefaultHasher::new();
        instance.memory().hash(&mut hasher);
        (0..contract.globals.len() as u32).for_each(|index| instance.global(index).hash(&mut hasher));
        Left { outcomes, state: hasher.finish() }
    }
}

#[test]
fn kernels_compute_the_same_in_slices_of_fifty_microseconds() {
    let modules: Vec<_> = kernels()
        .into_iter()
        .flat_map(|(name, rounds, wat)| [Setting::Fast, Setting::Best].map(|setting| (name, u128::from(rounds), load_wat(&wat, setting))))
        .collect();
    let mut whole = Runs::with(WHOLE);
    let expected: Vec<Left> = modules.iter().map(|(_, rounds, module)| whole.run(module, *rounds)).collect();
    drop(whole);
    let mut short = Runs::with(SHORT);
    for ((name, rounds, module), expected) in modules.iter().zip(&expected) {
        assert!(matches!(expected.outcomes[0], Ok(ref results) if results[0] as u64 != 0), "{name}: {expected:?}");
        let (before, mut runs) = (short.preempted, 0);
        // A machine that is slow to send signals takes more runs.
        while short.preempted - before < 100 {
            assert_eq!(short.run(module, *rounds), *expected, "{name}");
            runs += 1;
        }
        let (preempted, setting) = (short.preempted - before, module.contract().setting);
        println!("{name:<16} {setting:?}: preempted {preempted} times in {runs} runs, with the same results");
    }
    assert_eq!(short.pool.discarded(), 0);
}
