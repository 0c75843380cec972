//! One generated module in every engine, and what can be seen of it compared.
//!
//! [`generate`] makes a module that ends by itself, to which `added` adds what is rare; [`plan`] decides which exports are called with what; [`ours`], [`wasmtime`] and [`wasmi`] each give an
//! [`Observed`]; [`compare`] says where two of them differ. Wasmtime has our code generator: what differs from it is our translator's or our runtime's
//! doing. wasmi interprets: it finds what both compilers have wrong. Each module runs twice in one slot of ours: what the first run left behind would show.
//! Where the code comes from is one of four [`Way`]s, by seed: either setting, compiled anew or found in a cache that earlier modules filled.

mod added;
pub mod compare;
pub mod generate;
pub mod ours;
pub mod plan;
mod random;
pub mod wasmi;
pub mod wasmtime;

use vivarium_artifact::{Setting, TrapKind};
use vivarium_compiler::CompileError;

use compare::{Comparison, compare};

/// How our compiler makes a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    pub setting: Setting,
    /// With a function cache, which must not change the artifact by a byte.
    pub cached: bool,
}

impl Way {
    pub const ALL: [Way; 4] = [
        Way { setting: Setting::Fast, cached: false },
        Way { setting: Setting::Best, cached: false },
        Way { setting: Setting::Fast, cached: true },
        Way { setting: Setting::Best, cached: true },
    ];

    /// That of a seed.
    pub fn of_seed(seed: u64) -> Way {
        Way::ALL[(seed % 4) as usize]
    }
}

/// What became of the instantiation or of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The bits of each result; a reference counts as 1 when it is not null.
    Returned(Vec<u128>),
    Trapped(TrapKind),
    /// A bound of the engine's own ended it, such as its stack or fuel: nothing after it can be compared.
    Bounded,
}

/// What can be seen of one run of a module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// Instantiation, then every call of the plan. Ends after an instantiation that traps, and after a bound.
    pub outcomes: Vec<Outcome>,
    /// All bytes of each exported memory.
    pub memories: Vec<Vec<u8>>,
    /// The bits of each exported global.
    pub globals: Vec<u128>,
    /// The length of each exported table.
    pub tables: Vec<u64>,
}

/// What became of a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Ours and Wasmtime agree. `calls`: how many were compared; `returned`: how many of them did not trap.
    Agreed { wasmi: Part, calls: usize, returned: usize },
    /// Nothing to compare, for a reason that is counted.
    Skipped(&'static str),
    /// The engines differ, or ours refused or failed.
    Found(String),
}

/// What wasmi had to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It agrees to the end.
    Agreed,
    /// It agrees until its own stack or fuel ends a call.
    Bounded,
    /// It lacks what the module uses.
    None,
}

/// Runs modules in all engines, on one thread.
pub struct Oracle {
    ours: ours::Ours,
    wasmtime: wasmtime::Wasmtime,
    wasmi: wasmi::Wasmi,
}

impl Oracle {
    /// Prepares the calling thread; ours first, for its signal handlers must lie below Wasmtime's.
    pub fn start() -> Oracle {
        let ours = ours::Ours::start();
        Oracle { ours, wasmtime: wasmtime::Wasmtime::start(), wasmi: wasmi::Wasmi::start() }
    }

    /// Runs the module of a seed everywhere, compiled by us in that seed's way.
    pub fn judge_seed(&mut self, seed: u64) -> Verdict {
        let Some(wasm) = generate::module(seed) else { return Verdict::Skipped("the seed makes no module that is bound to end") };
        self.judge(&wasm, seed, Way::of_seed(seed))
    }

    /// Runs a module everywhere; the seed decides the arguments.
    pub fn judge(&mut self, wasm: &[u8], seed: u64, way: Way) -> Verdict {
        let module = match self.ours.load(wasm, way) {
            Ok(module) => module,
            Err(CompileError::Limit { .. }) => return Verdict::Skipped("beyond a limit of our policy"),
            Err(error) => return Verdict::Found(format!("our compiler refuses it: {error}")),
        };
        let plan = plan::of(module.contract(), seed);
        let [first, second] = [(); 2].map(|()| self.ours.observe(&module, &plan));
        self.ours.forget(&module);
        if first != second {
            return Verdict::Found(format!("the second run in one slot differs from the first: {:?}", compare(&first, &second)));
        }
        let peer = match self.wasmtime.observe(wasm, &plan, way.setting) {
            Ok(peer) => peer,
            Err(reason) => return Verdict::Found(format!("ours takes it, Wasmtime does not: {reason}")),
        };
        let (calls, returned) = match compare(&first, &peer) {
            Comparison::Differs(difference) => return Verdict::Found(format!("ours, then Wasmtime: {difference}")),
            Comparison::Bounded => return Verdict::Skipped("the native stack is used up, at a depth of each engine's own"),
            Comparison::Same { calls, returned } => (calls, returned),
        };
        let wasmi = match self.wasmi.observe(wasm, &plan).map(|observed| compare(&first, &observed)) {
            Some(Comparison::Differs(difference)) => return Verdict::Found(format!("ours and Wasmtime, then wasmi: {difference}")),
            Some(Comparison::Same { .. }) => Part::Agreed,
            Some(Comparison::Bounded) => Part::Bounded,
            None => Part::None,
        };
        Verdict::Agreed { wasmi, calls, returned }
    }
}
