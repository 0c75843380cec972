//! WebAssembly bytes to an artifact, ahead of time.
//!
//! **In and out.** [`compile`] takes a wasm binary and a [`Policy`] (what may be imported, how large everything may be) and gives an
//! [`Artifact`](vivarium_artifact::Artifact): position-independent code, the image that instances begin as, and the contract between both and the
//! runtime. [`clif`] shows the intermediate code.
//!
//! **Parts, one type a stage.** bytes → `validate` (`sections`, `bodies`) → `ValidatedModule` → `translate` and `trampoline` → CLIF of a function → `codegen` →
//! `CompiledFunction` → `link` → `Artifact`. [`lines`] makes one table of whatever debug information there is. `parallel` runs the middle for all functions. Beside the code, `segments`, `plan` and `image` decide how
//! an instance begins.
//!
//! **Invariants.** The same input, policy, setting and processor give the same artifact. The text refers to nothing outside itself. No input makes
//! this panic; what is refused is refused by name.
//!
//! **Does not know about** files, processes, the runtime, HTTP, async.
#![forbid(unsafe_code)]

mod bodies;
pub mod cache;
mod codegen;
mod constant;
mod effort;
mod environment;
mod error;
mod features;
mod image;
mod isa;
pub mod lines;
mod link;
mod module;
mod names;
mod parallel;
mod plan;
mod policy;
mod relocations;
mod sections;
mod segments;
mod stubs;
mod symbol;
mod trampoline;
mod translate;
mod types;
mod validate;

use std::time::{Duration, Instant};

use cranelift_codegen::Context;
use cranelift_frontend::FunctionBuilderContext;
use vivarium_artifact::{Artifact, Setting};

pub use error::CompileError;
pub use features::Features;
pub use policy::{ImportPolicy, Policy};
pub use validate::has_start;

pub use cache::{CacheUse, FunctionCache, Pack, PackBounds};
use environment::Environment;
use isa::{Target, Verify};
use module::ValidatedModule;
use parallel::Job;
use plan::Plan;

/// A stage of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    Validate,
    Translate,
    Codegen,
    Link,
}

/// Wall time of each stage, in microseconds. Translation and code generation go hand in hand on several threads: their common wall time is shared
/// out by what the threads spent on each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timings {
    pub validate_us: f64,
    pub translate_us: f64,
    pub codegen_us: f64,
    pub link_us: f64,
}

/// What [`compile`] gives.
#[derive(Debug)]
pub struct Compiled {
    pub artifact: Artifact,
    pub timings: Timings,
    /// What came from a cache and may be added to it.
    pub cache: CacheUse,
}

/// Told at the beginning of each stage and every few functions: the stage, how many functions are done, and of how many.
pub type Progress<'a> = &'a (dyn Fn(Stage, u32, u32) + Sync);

/// Compiles a wasm binary.
pub fn compile(wasm: &[u8], policy: &Policy, setting: Setting, progress: Progress<'_>) -> Result<Compiled, CompileError> {
    compile_cached(wasm, policy, setting, None, progress)
}

/// [`compile`], with code that was compiled before: the same artifact in less time.
pub fn compile_cached(
    wasm: &[u8],
    policy: &Policy,
    setting: Setting,
    cache: Option<&FunctionCache>,
    progress: Progress<'_>,
) -> Result<Compiled, CompileError> {
    let started = Instant::now();
    progress(Stage::Validate, 0, 0);
    let module = validate::validate(wasm, policy)?;
    let validated = started.elapsed();

    let functions = module.bodies.len() as u32;
    progress(Stage::Translate, 0, functions);
    let target = isa::target(setting, Verify::No)?;
    let placement = segments::place(&module);
    let plan = plan::plan(wasm, &module, &placement, policy, setting, target.cpu_features.clone())?;
    let shares_code = cache::shares_code(&module, &plan, setting);
    let environment = Environment { module: &module, plan: &plan, target: &target, policy, shares_code };
    let code = parallel::compile_all(&environment, cache, progress)?;

    let linking = Instant::now();
    progress(Stage::Link, functions, functions);
    let image = image::draw(&module, &placement, &plan);
    let artifact = link::link(&module, plan, image, &code.functions, lines::table(wasm), policy.code_bytes_max)?;
    let timings = Timings {
        validate_us: microseconds(validated),
        translate_us: microseconds(code.translate),
        codegen_us: microseconds(code.codegen),
        link_us: microseconds(linking.elapsed()),
    };
    Ok(Compiled { artifact, timings, cache: code.cache })
}

/// The name and CLIF of each function that is not imported: as translated for [`Setting::Fast`], as optimised for [`Setting::Best`].
pub fn clif(wasm: &[u8], policy: &Policy, setting: Setting) -> Result<Vec<(String, String)>, CompileError> {
    let module = validate::validate(wasm, policy)?;
    let target = isa::target(setting, Verify::Yes)?;
    let plan = plan_for_display(wasm, &module, policy, setting, &target)?;
    let environment = Environment { module: &module, plan: &plan, target: &target, policy, shares_code: false };
    let mut builder = FunctionBuilderContext::new();
    let mut shown = Vec::with_capacity(module.bodies.len());
    for body in 0..module.bodies.len() as u32 {
        let index = module.function_of_body(body);
        let mut context = Context::new();
        let operators = parallel::translate_job(&environment, Job::Function { index, body: Some(body) }, None, &mut builder, &mut context)?;
        let refused = |message: String| CompileError::Codegen { what: module.display_name(index), message };
        context.verify(&*target.isa).map_err(|errors| refused(errors.to_string()))?;
        if target.optimises(effort::effort(&context.func, operators)) {
            context.optimize(&*target.isa, &mut Default::default()).map_err(|error| refused(error.to_string()))?;
        }
        shown.push((module.display_name(index), context.func.display().to_string()));
    }
    Ok(shown)
}

fn plan_for_display(
    wasm: &[u8],
    module: &ValidatedModule<'_>,
    policy: &Policy,
    setting: Setting,
    target: &Target,
) -> Result<Plan, CompileError> {
    plan::plan(wasm, module, &segments::place(module), policy, setting, target.cpu_features.clone())
}

fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
