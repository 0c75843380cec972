//! A module in our engine. Resets are verified byte for byte: a slot that is not pristine afterwards is discarded, which counts as a find.

use std::sync::Arc;

use vivarium_artifact::{Artifact, TrapKind};
use vivarium_compiler::{CompileError, FunctionCache, PackBounds, Policy, compile, compile_cached};
use vivarium_runtime::{Instance, LoadedModule};

use super::plan::{Call, Plan, normal};
use super::{Observed, Outcome, Way};
use crate::engine::{Engine, finish};

/// What is kept of modules compiled before: a few dozen of them.
const CACHE: PackBounds = PackBounds { entries_max: 300, bytes_max: 1 << 20 };

pub struct Ours {
    engine: Engine,
    cache: FunctionCache,
}

impl Ours {
    pub fn start() -> Ours {
        // One slot, so that the second run of a module is in that of the first.
        Ours { engine: Engine::start(1, true), cache: FunctionCache::default() }
    }

    pub fn load(&mut self, wasm: &[u8], way: Way) -> Result<Arc<LoadedModule>, CompileError> {
        let artifact = compile(wasm, &Policy::default(), way.setting, &|_, _, _| {})?.artifact;
        if way.cached {
            self.compile_from_cache(wasm, way, &artifact)?;
        }
        Ok(self.engine.load(&artifact))
    }

    /// Compiles once with what other modules left and once with what this one did too: both times the artifact must be the same.
    fn compile_from_cache(&mut self, wasm: &[u8], way: Way, artifact: &Artifact) -> Result<(), CompileError> {
        for all_known in [false, true] {
            let compiled = compile_cached(wasm, &Policy::default(), way.setting, Some(&self.cache), &|_, _, _| {})?;
            assert!(compiled.artifact == *artifact, "the function cache changed the artifact");
            let (found, functions) = (compiled.cache.found, compiled.cache.functions);
            assert!(!all_known || found == functions, "of {functions} functions that were just compiled only {found} were found");
            if let Some(pack) = self.cache.updated(&compiled.cache, CACHE) {
                self.cache.own = Arc::new(pack);
            }
        }
        Ok(())
    }

    pub fn observe(&self, module: &Arc<LoadedModule>, plan: &Plan) -> Observed {
        let mut observed = Observed::default();
        let mut instance = self.engine.acquire(module);
        let begun = begin(&mut instance);
        let begins = matches!(begun, Outcome::Returned(_));
        observed.outcomes.push(begun);
        if begins {
            for call in &plan.calls {
                let outcome = run(&mut instance, call);
                let over = outcome == Outcome::Bounded;
                observed.outcomes.push(outcome);
                if over {
                    break;
                }
            }
            look(&instance, plan, &mut observed);
        }
        drop(instance);
        assert_eq!(self.engine.pool.discarded(), 0, "a reset left something behind");
        observed
    }

    /// The module will not be run again.
    pub fn forget(&self, module: &LoadedModule) {
        self.engine.pool.forget(module);
    }
}

fn begin(instance: &mut Instance) -> Outcome {
    match instance.initialize() {
        Ok(true) => outcome(finish(instance).map(|()| vec![]).map_err(|trap| trap.kind)),
        Ok(false) => Outcome::Returned(vec![]),
        Err(error) => panic!("instantiation cannot begin: {error}"),
    }
}

fn run(instance: &mut Instance, call: &Call) -> Outcome {
    instance.invoke(call.function, &call.arguments).expect("the call can begin");
    let finished = finish(instance).map_err(|trap| trap.kind);
    let results = call.ty.results.iter().zip(0..);
    outcome(finished.map(|()| results.map(|(ty, index)| normal(*ty, instance.result(index))).collect()))
}

/// How deep a native stack reaches is each engine's own affair.
fn outcome(finished: Result<Vec<u128>, TrapKind>) -> Outcome {
    match finished {
        Ok(results) => Outcome::Returned(results),
        Err(TrapKind::StackOverflow) => Outcome::Bounded,
        Err(kind) => Outcome::Trapped(kind),
    }
}

fn look(instance: &Instance, plan: &Plan, observed: &mut Observed) {
    let layout = instance.module().layout();
    let length = |table: u32| {
        let offset = layout.table_length(table) as usize;
        instance.image()[offset..].first_chunk().map(|word| u64::from_le_bytes(*word)).expect("the image holds the lengths of tables")
    };
    observed.memories = plan.memories.iter().map(|(_, index)| instance.memory_at(*index).expect("the memory exists").to_vec()).collect();
    observed.globals = plan.globals.iter().map(|(_, index, ty)| normal(*ty, instance.global(*index))).collect();
    observed.tables = plan.tables.iter().map(|(_, index)| length(*index)).collect();
}
