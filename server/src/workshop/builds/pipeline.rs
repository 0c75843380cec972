//! Source to signed artifact: `build` by a toolchain, then `compile` by a worker, each skipped where its result is still known.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use vivarium_artifact::Setting;
use vivarium_compiler::lines;
use vivarium_toolchains::{BuildError, Cancel, ContentHash, Diagnostic, ProgramKind, Severity, SourceTree};

use super::failure::BuildFailure;
use super::functions::OwnFunctions;
use super::recent::Recent;
use super::record::{Functions, Stage, diagnostic_bytes};
use crate::compile::pool::{CompileFailure, Job};
use crate::control::messages::{SourcePlace, Timings};
use crate::limits::Limits;
use crate::workshop::artifacts::Artifacts;
use crate::workshop::blobs::BlobHash;
use crate::workshop::identifiers::TokenHash;
use crate::workshop::parts::Parts;

/// What a fresh Run uses.
pub const SETTING: Setting = Setting::Fast;

/// What a build gave. The artifact itself is in the cache of artifacts.
#[derive(Clone, Debug)]
pub struct Product {
    /// With a table of lines in the place of the toolchain's debug information.
    pub wasm: Arc<[u8]>,
    pub wasm_hash: BlobHash,
    pub kind: ProgramKind,
    /// Imports that are known and answer "unsupported".
    pub stubs: Arc<[String]>,
    pub artifact_bytes: usize,
    /// Code of its functions, of a build that had no owner yet.
    pub functions: Option<Arc<[u8]>>,
}

/// How a build ended.
#[derive(Debug)]
pub struct Ended {
    /// Without a failure the diagnostics say what is wrong.
    pub result: Result<Product, Option<BuildFailure>>,
    pub diagnostics: Vec<Diagnostic>,
    pub output: String,
    pub timings: Timings,
}

impl Ended {
    /// Before it began.
    pub fn cancelled() -> Ended {
        Ended::failed(BuildError::Cancelled.into())
    }

    /// With nothing to show but this.
    pub fn failed(failure: BuildFailure) -> Ended {
        Ended { result: Err(Some(failure)), diagnostics: Vec::new(), output: String::new(), timings: Timings::default() }
    }
}

/// Told as a build goes on.
pub type Watch<'a> = &'a dyn Fn(Stage, Option<Functions>);

/// A toolchain's result, kept for the next build of the same source.
#[derive(Debug)]
struct Built {
    wasm: Option<(BlobHash, Arc<[u8]>)>,
    diagnostics: Vec<Diagnostic>,
    output: String,
}

pub struct Pipeline {
    parts: Parts,
    artifacts: Arc<Artifacts>,
    limits: Arc<Limits>,
    built: Mutex<Recent<(ContentHash, String), Arc<Built>>>,
    /// By what the toolchain gave.
    compiled: Mutex<Recent<BlobHash, Product>>,
    functions: OwnFunctions,
}

impl Pipeline {
    pub fn new(parts: Parts, artifacts: Arc<Artifacts>, limits: Arc<Limits>) -> Pipeline {
        let built = Mutex::new(Recent::new(limits.build_results_max, limits.build_results_bytes_max));
        let compiled = Mutex::new(Recent::new(limits.build_results_max, limits.build_results_bytes_max));
        let functions = OwnFunctions::new(&limits);
        Pipeline { parts, artifacts, limits, built, compiled, functions }
    }

    /// Blocks until the build has ended.
    pub fn run(&self, source: &SourceTree, owner: Option<TokenHash>, cancel: &Cancel, watch: Watch<'_>) -> Ended {
        let mut timings = Timings::default();
        watch(Stage::Build, None);
        let built = match self.build(source, cancel, &mut timings) {
            Ok(built) => built,
            Err(error) => return Ended { timings, ..Ended::failed(error.into()) },
        };
        let compiled = built.wasm.as_ref().map(|(hash, wasm)| self.compile(*hash, wasm, owner, cancel, watch, &mut timings));
        let (mut diagnostics, mut output) = (built.diagnostics.clone(), built.output.clone());
        let result = match compiled {
            None => Err(None),
            Some(Err(CompileFailure::Refused { sentence, place: Some(place) })) => {
                output.push_str(&format!("{place}: error: {sentence}\n"));
                diagnostics.push(diagnostic(sentence, place));
                Err(None)
            }
            Some(compiled) => compiled.map_err(|failure| Some(failure.into())),
        };
        Ended { result, diagnostics, output, timings }
    }

    /// A build that had no owner has one now.
    pub fn adopt(&self, owner: TokenHash, product: &Product) {
        if let Some(functions) = &product.functions {
            self.functions.keep(owner, functions.clone());
        }
    }

    /// The artifact of a wasm binary that was compiled before, optimised if it was that too: from the cache, or compiled again. Blocks.
    pub fn artifact(&self, hash: BlobHash, wasm: impl FnOnce() -> Result<Vec<u8>, String>) -> Result<Vec<u8>, String> {
        if let Some(artifact) = self.artifacts.load(hash, Setting::Best).or_else(|| self.artifacts.load(hash, SETTING)) {
            return Ok(artifact);
        }
        let compiled = self.parts.compiler.compile(Job::new(&wasm()?, SETTING), &|_, _, _| {}, &Cancel::new());
        compiled.map(|compiled| self.artifacts.sign(hash, SETTING, compiled.elf)).map_err(|failure| failure.to_string())
    }

    /// Whether a wasm binary was compiled optimised, and still is.
    pub fn is_optimised(&self, hash: BlobHash) -> bool {
        self.artifacts.load(hash, Setting::Best).is_some()
    }

    /// The optimised artifact of a wasm binary. Blocks, for as long as it takes behind everybody else.
    pub fn optimised(
        &self,
        hash: BlobHash,
        owner: Option<TokenHash>,
        wasm: impl FnOnce() -> Result<Vec<u8>, String>,
        cancel: &Cancel,
    ) -> Result<Vec<u8>, NotOptimised> {
        if let Some(artifact) = self.artifacts.load(hash, Setting::Best) {
            return Ok(artifact);
        }
        let wasm = wasm().map_err(|sentence| NotOptimised { sentence, for_good: false })?;
        let own = self.functions.of(owner);
        let own_bytes_max = self.limits.function_cache_owner_bytes_max as u64;
        let job = Job { wasm: &wasm, setting: Setting::Best, own: &own, own_bytes_max };
        let compiled = self.parts.compiler.compile_in_background(job, cancel).map_err(NotOptimised::of)?;
        if let (Some(owner), Some(functions)) = (owner, compiled.own) {
            self.functions.keep(owner, functions.into());
        }
        Ok(self.artifacts.sign(hash, Setting::Best, compiled.elf))
    }

    fn build(&self, source: &SourceTree, cancel: &Cancel, timings: &mut Timings) -> Result<Arc<Built>, BuildError> {
        let key = (source.content_hash(), self.parts.builder.version_key(source.language()));
        if let Some(built) = lock(&self.built).get(&key) {
            return Ok(built.clone());
        }
        let began = Instant::now();
        let report = self.parts.builder.build(source, &self.limits.build(), cancel);
        timings.build = Some(began.elapsed().as_secs_f64() * 1e6);
        let report = report?;
        let wasm = report.wasm.map(|wasm| (BlobHash::of(&wasm.bytes), Arc::<[u8]>::from(wasm.bytes)));
        let diagnostics: usize = report.diagnostics.iter().map(diagnostic_bytes).sum();
        let bytes = report.output.len() + diagnostics + wasm.as_ref().map_or(0, |(_, wasm)| wasm.len());
        let built = Arc::new(Built { wasm, diagnostics: report.diagnostics, output: report.output });
        lock(&self.built).insert(key, built.clone(), bytes);
        Ok(built)
    }

    fn compile(
        &self,
        hash: BlobHash,
        wasm: &Arc<[u8]>,
        owner: Option<TokenHash>,
        cancel: &Cancel,
        watch: Watch<'_>,
        timings: &mut Timings,
    ) -> Result<Product, CompileFailure> {
        let known = lock(&self.compiled).get(&hash).cloned();
        if let Some(known) = known.filter(|known| self.artifacts.load(known.wasm_hash, SETTING).is_some()) {
            return Ok(known);
        }
        watch(Stage::Validate, None);
        let told = |stage, done, total| watch(Stage::from(stage), (total > 0).then_some(Functions { done, total }));
        let own = self.functions.of(owner);
        let job = Job { wasm, setting: SETTING, own: &own, own_bytes_max: self.limits.function_cache_owner_bytes_max as u64 };
        let compiled = self.parts.compiler.compile(job, &told, cancel)?;
        let stages = compiled.timings;
        [timings.validate, timings.translate, timings.codegen, timings.link] =
            [stages.validate_us, stages.translate_us, stages.codegen_us, stages.link_us].map(Some);
        if let Some(sentence) = compiled.not_runnable {
            return Err(CompileFailure::Refused { sentence, place: None });
        }
        let (wasm_hash, wasm) = match compiled.condensed {
            // The worker is not believed in what it says the program is: under that name its artifact would serve others.
            Some(condensed) if condensed.len() > self.limits.wasm_bytes_max || !lines::is_condensed_from(&condensed, wasm) => {
                return Err(CompileFailure::Crashed("it gave another program back than it was given".into()));
            }
            Some(condensed) => (BlobHash::of(&condensed), condensed.into()),
            None => (hash, wasm.clone()),
        };
        let artifact_bytes = self.artifacts.sign(wasm_hash, SETTING, compiled.elf).len();
        let made = Product { wasm, wasm_hash, kind: kind_of(compiled.kind), stubs: compiled.stubs.into(), artifact_bytes, functions: None };
        lock(&self.compiled).insert(hash, made.clone(), made.wasm.len());
        let functions = compiled.own.map(Arc::<[u8]>::from);
        let functions = match owner {
            Some(owner) => {
                functions.into_iter().for_each(|functions| self.functions.keep(owner, functions));
                None
            }
            None => functions,
        };
        Ok(Product { functions, ..made })
    }
}

/// Why a program stays on the code that it was compiled to first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotOptimised {
    pub sentence: String,
    /// Trying again would end the same way.
    pub for_good: bool,
}

impl NotOptimised {
    fn of(failure: CompileFailure) -> NotOptimised {
        let for_good = matches!(failure, CompileFailure::Refused { .. } | CompileFailure::Crashed(_) | CompileFailure::TimedOut { .. });
        NotOptimised { sentence: failure.to_string(), for_good }
    }
}

/// A refusal whose place in the source is known is shown where the compilers' errors are.
fn diagnostic(sentence: String, place: SourcePlace) -> Diagnostic {
    let SourcePlace { file, line, column } = place;
    let column = Some(column).filter(|column| *column > 0);
    Diagnostic { file: Some(file), line: Some(line), column, ..Diagnostic::without_place(Severity::Error, "vivarium", sentence) }
}

fn kind_of(kind: vivarium_abi::program::Kind) -> ProgramKind {
    match kind {
        vivarium_abi::program::Kind::Service => ProgramKind::Service,
        vivarium_abi::program::Kind::Command => ProgramKind::Command,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
