//! Code of functions that were compiled before, so that an edit costs what it changed and a standard library is compiled once.
//!
//! ```text
//! job ─► key (before anything is made) ─┬─ found ──► entry ──────────────────┐
//!                                       └─ else ─► translate ─► codegen ─────┴─► numbers filled in ─► link
//! ```
//! **Sharing.** With the `fast` setting, and of a module whose linker kept its relocations, code is made so that another module with such a body can
//! have it: what differs between modules (addresses of data, numbers of signatures, places in the context) is no part of it but filled in afterwards,
//! with a cache and without. All other code is found again by the same body in a module that declares the same.
//!
//! **Parts.** [`key`]: what a piece of code depends on. `shape`: a body without what differs between modules, and [`references`], what it was.
//! [`entry`]: code as it is kept. [`pack`]: many entries as bytes.
//!
//! **Trust.** A hit must give what a miss would have made, whatever is in the wasm: keys come from the module itself, never from what its relocations
//! say. Whoever keeps packs decides who is served from which: one that was filled by one tenant's programs must not serve another's.

pub mod entry;
pub mod key;
pub mod pack;
pub mod references;
mod shape;

use std::sync::Arc;

use vivarium_artifact::abi::{THROW_BASE, function_reference};
use vivarium_artifact::{MemoryPlan, Setting};

pub use key::Key;
pub use pack::{Pack, PackBounds};
pub use references::References;

use crate::codegen::CompiledFunction;
use crate::environment::Environment;
use crate::error::CompileError;
use crate::isa;
use crate::module::ValidatedModule;
use crate::parallel::Job;
use crate::plan::Plan;
use crate::symbol::{Number, Place};
use key::Wanted;

/// The entries that one compilation may use.
#[derive(Debug, Default)]
pub struct FunctionCache {
    /// Served to everybody; nobody's programs add to it.
    pub shared: Arc<Pack>,
    /// Of one tenant.
    pub own: Arc<Pack>,
}

/// What a compilation did with its cache.
#[derive(Debug, Default)]
pub struct CacheUse {
    /// Functions, trampolines included, that were found; and all of them.
    pub found: u32,
    pub functions: u32,
    used: Vec<Key>,
    made: Vec<(Key, Vec<u8>)>,
}

impl FunctionCache {
    fn get(&self, key: &Key) -> Option<&[u8]> {
        self.shared.get(key).or_else(|| self.own.get(key))
    }

    /// The tenant's pack after a compilation: what it made, what it used, then what was there, within the bounds. None when nothing was added: what
    /// a compilation only used becomes no younger by that.
    pub fn updated(&self, made_of: &CacheUse, bounds: PackBounds) -> Option<Pack> {
        if made_of.made.is_empty() {
            return None;
        }
        let made = made_of.made.iter().map(|(key, entry)| (*key, &entry[..]));
        let used = made_of.used.iter().filter_map(|key| Some((*key, self.own.get(key)?)));
        Some(Pack::of(made.chain(used).chain(self.own.entries()), bounds))
    }
}

impl CacheUse {
    /// Adds what another thread did.
    pub fn add(&mut self, other: CacheUse) {
        self.found += other.found;
        self.functions += other.functions;
        self.used.extend(other.used);
        self.made.extend(other.made);
    }

    /// A pack of all that was made.
    pub fn pack(&self, bounds: PackBounds) -> Pack {
        Pack::of(self.made.iter().map(|(key, entry)| (*key, &entry[..])), bounds)
    }

    /// Puts keys in an order that does not depend on which thread did what.
    pub fn settle(&mut self) {
        self.used.sort_unstable();
        self.made.sort_unstable();
        self.made.dedup();
    }
}

/// Tells apart builds of the compiler and kinds of processor: none can use code that another made.
pub fn host_identity() -> Result<String, CompileError> {
    let target = isa::target(Setting::Fast, isa::Verify::No)?;
    Ok([key::BUILD.to_owned()].into_iter().chain(target.cpu_features).collect::<Vec<_>>().join(" "))
}

/// Whether a module's code is made so that others can have it.
pub fn shares_code(module: &ValidatedModule<'_>, plan: &Plan, setting: Setting) -> bool {
    let contract = &plan.contract;
    let is_usual = contract.memories.len() <= 1 && contract.tables.len() <= 1 && contract.memories.iter().all(MemoryPlan::is_guarded);
    setting == Setting::Fast && !contract.linked && module.relocations.is_some() && is_usual
}

/// The code of a job with everything filled in, when it is known. An entry that makes no sense here is none.
pub fn recall(
    cache: &FunctionCache,
    environment: &Environment<'_>,
    job: Job,
    wanted: &Wanted,
    done: &mut CacheUse,
) -> Option<CompiledFunction> {
    let key = wanted.key?;
    let bytes = cache.get(&key)?;
    let references = wanted.references.as_ref();
    let mut function = entry::decode(bytes, references, body_offset(environment, job))?;
    if !fill_in(environment, references, &mut function) {
        return None;
    }
    done.found += 1;
    done.used.push(key);
    Some(function)
}

/// Keeps the code of a job, of which nothing has been filled in yet.
pub fn keep(environment: &Environment<'_>, job: Job, wanted: &Wanted, function: &CompiledFunction, done: &mut CacheUse) {
    if let Some(key) = wanted.key
        && let Some(bytes) = entry::encode(function, wanted.references.as_ref(), body_offset(environment, job))
    {
        done.made.push((key, bytes));
    }
}

/// Fills in what differs between modules. False when something means nothing in this one.
pub fn fill_in(environment: &Environment<'_>, references: Option<&References>, function: &mut CompiledFunction) -> bool {
    entry::fill_in(function, &|number| value(environment, references, number))
}

fn value(environment: &Environment<'_>, references: Option<&References>, number: Number) -> Option<u64> {
    Some(match number {
        Number::Immediate(order) => u64::from(references?.immediates.get(order as usize)?.value),
        Number::Signature(signature) => u64::from(signature),
        Number::Reference(function) => function_reference(*environment.module.function_types.get(function as usize)?, function),
        Number::Hostcall(function) => u64::from(function),
        Number::Throw(tag) => u64::from(THROW_BASE + tag),
        Number::TableLength(table) if !is_place(environment, Place::TableLength(table)) => return None,
        Number::TableLength(table) => environment.fixed_table_length(table)?,
        Number::Place(place) if !is_place(environment, place) => return None,
        Number::Place(place) => i64::from(environment.vmctx_offset(place)) as u64,
    })
}

/// Whether the module has what this names.
fn is_place(environment: &Environment<'_>, place: Place) -> bool {
    let contract = environment.contract();
    let (index, count) = match place {
        Place::Cells => return true,
        Place::Global(global) => (global, contract.globals.len()),
        Place::Table(table) | Place::TableLength(table) => (table, contract.tables.len()),
        Place::MemoryLength(memory) => (memory, contract.memories.len()),
        Place::DataSegmentLength(segment) => (segment, contract.data_segments.len()),
        Place::ElementSegmentLength(segment) => (segment, contract.element_segments.len()),
    };
    (index as usize) < count
}

fn body_offset(environment: &Environment<'_>, job: Job) -> u32 {
    match job {
        Job::Function { body: Some(body), .. } => environment.module.bodies[body as usize].range().start as u32,
        _ => 0,
    }
}
