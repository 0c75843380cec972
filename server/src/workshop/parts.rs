//! What the workshop asks of the rest: a builder of sources, a compiler of wasm, a gateway. It is handed these when it starts, so that
//! it can be tested without a jail, a compiler or a second process.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use vivarium_abi::Backends;
use vivarium_toolchains::{
    BuildError, BuildLimits, BuildReport, Cancel, CheckReport, FormatReport, Language, LanguageStatus, SourceTree, Toolchains,
};

use crate::compile::pool::{CompileFailure, CompilePool, CompiledWasm, Job, Stage};
use crate::control::messages::{KvTold, Loaded, Run, RunOutcome, Settings, Wanted};
use crate::fetch::supervisor::FetchProxy;
use crate::gateway::supervisor::{Gateway, LoadFailure};

/// An answer that is on its way.
pub type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// Told of each stage, with functions done and in total.
pub type Progress<'a> = &'a dyn Fn(Stage, u32, u32);

pub trait SourceBuilder: Send + Sync {
    fn status(&self) -> Vec<LanguageStatus>;
    /// How compilers are confined, by name.
    fn jail(&self) -> String;
    /// Part of the key of a cached build.
    fn version_key(&self, language: Language) -> String;
    /// Blocks.
    fn build(&self, source: &SourceTree, limits: &BuildLimits, cancel: &Cancel) -> Result<BuildReport, BuildError>;
    /// Blocks.
    fn check(&self, source: &SourceTree, limits: &BuildLimits, cancel: &Cancel) -> Result<CheckReport, BuildError>;
    /// Blocks.
    fn format(&self, source: &SourceTree, limits: &BuildLimits, cancel: &Cancel) -> Result<FormatReport, BuildError>;
}

pub trait WasmCompiler: Send + Sync {
    /// Blocks.
    fn compile(&self, job: Job<'_>, progress: Progress<'_>, cancel: &Cancel) -> Result<CompiledWasm, CompileFailure>;
    /// Blocks, and gives way to everybody else.
    fn compile_in_background(&self, job: Job<'_>, cancel: &Cancel) -> Result<CompiledWasm, CompileFailure>;
}

pub trait GuestServer: Send + Sync {
    /// Serves a revision from now on; microseconds that loading took, or why it is not served.
    fn load(&self, loaded: Loaded, artifact: Vec<u8>) -> Pending<Result<f64, LoadFailure>>;
    /// The deployment ends at this moment, which may have passed.
    fn expire(&self, slug: &str, at_unix_ms: u64);
    /// Nobody ever deployed this.
    fn unknown(&self, wanted: Wanted);
    /// It exists and cannot be served; the sentence says why.
    fn failed(&self, wanted: Wanted, sentence: &str);
    /// Serves this revision no more; requests in flight end on it. The deployment's own address stays with it until [`GuestServer::set_current`].
    fn unload(&self, slug: &str, revision: u32);
    /// Changes which of the loaded revisions the deployment's own address serves.
    fn set_current(&self, slug: &str, revision: u32);
    /// What a deployment keeps for its program, from its next request on.
    fn set_settings(&self, slug: &str, settings: Settings);
    /// Tells of key-value stores, in this order; done when it is on its way.
    fn tell_kv(&self, told: Vec<KvTold>) -> Pending<()>;
    /// Runs a program as a command, to its end.
    fn run(&self, run: Run, artifact: Vec<u8>) -> Pending<Result<RunOutcome, String>>;
    /// What `/healthz` tells about it.
    fn status(&self) -> serde_json::Value;
    /// Lets requests in flight finish and ends it.
    fn drain(&self) -> Pending<()>;
}

#[derive(Clone)]
pub struct Parts {
    pub builder: Arc<dyn SourceBuilder>,
    pub compiler: Arc<dyn WasmCompiler>,
    pub guests: Arc<dyn GuestServer>,
    /// Those that every deployment has; a deployment may give a name another origin.
    pub backends: Arc<Backends>,
    /// Who sends requests to backends, if anybody does.
    pub fetcher: Option<Arc<FetchProxy>>,
}

impl SourceBuilder for Toolchains {
    fn status(&self) -> Vec<LanguageStatus> {
        Toolchains::status(self)
    }

    fn jail(&self) -> String {
        Toolchains::jail(self).to_string()
    }

    fn version_key(&self, language: Language) -> String {
        Toolchains::version_key(self, language)
    }

    fn build(&self, source: &SourceTree, limits: &BuildLimits, cancel: &Cancel) -> Result<BuildReport, BuildError> {
        Toolchains::build(self, source, limits, cancel)
    }

    fn check(&self, source: &SourceTree, limits: &BuildLimits, cancel: &Cancel) -> Result<CheckReport, BuildError> {
        Toolchains::check(self, source, limits, cancel)
    }

    fn format(&self, source: &SourceTree, limits: &BuildLimits, cancel: &Cancel) -> Result<FormatReport, BuildError> {
        Toolchains::format(self, source, limits, cancel)
    }
}

impl WasmCompiler for CompilePool {
    fn compile(&self, job: Job<'_>, progress: Progress<'_>, cancel: &Cancel) -> Result<CompiledWasm, CompileFailure> {
        CompilePool::compile(self, job, progress, cancel)
    }

    fn compile_in_background(&self, job: Job<'_>, cancel: &Cancel) -> Result<CompiledWasm, CompileFailure> {
        CompilePool::compile_in_background(self, job, cancel)
    }
}

impl GuestServer for Gateway {
    fn load(&self, loaded: Loaded, artifact: Vec<u8>) -> Pending<Result<f64, LoadFailure>> {
        Box::pin(Gateway::load(self, loaded, &artifact))
    }

    fn expire(&self, slug: &str, at_unix_ms: u64) {
        Gateway::expire(self, slug, at_unix_ms);
    }

    fn unknown(&self, wanted: Wanted) {
        Gateway::unknown(self, wanted);
    }

    fn failed(&self, wanted: Wanted, sentence: &str) {
        Gateway::failed(self, wanted, sentence);
    }

    fn unload(&self, slug: &str, revision: u32) {
        Gateway::unload(self, slug, revision);
    }

    fn set_current(&self, slug: &str, revision: u32) {
        Gateway::set_current(self, slug, revision);
    }

    fn set_settings(&self, slug: &str, settings: Settings) {
        Gateway::set_settings(self, slug, settings);
    }

    fn tell_kv(&self, told: Vec<KvTold>) -> Pending<()> {
        Box::pin(Gateway::tell_kv(self, told))
    }

    fn run(&self, run: Run, artifact: Vec<u8>) -> Pending<Result<RunOutcome, String>> {
        Box::pin(Gateway::run(self, run, &artifact))
    }

    fn status(&self) -> serde_json::Value {
        // Plain fields serialize.
        serde_json::to_value([Gateway::status(self)]).unwrap_or_default()
    }

    fn drain(&self) -> Pending<()> {
        Box::pin(Gateway::drain(self))
    }
}
