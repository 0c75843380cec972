//! Stand-ins for what surrounds the workshop, for its unit tests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use vivarium_artifact::{AddressMap, Artifact, Contract, FunctionTable, HandlerTable, Setting, SignedArtifact, SlotLayout, TrapTable};
use vivarium_toolchains::{
    BuildError, BuildLimits, BuildReport, Cancel, CheckReport, Diagnostic, FormatReport, Language, LanguageStatus, ProgramKind, Severity,
    SourceLimits, SourceTree, WasmBinary,
};

use super::blobs::BlobHash;
use super::deployments::Revision;
use super::parts::{GuestServer, Parts, Pending, Progress, SourceBuilder, WasmCompiler};
use crate::compile::pool::{CompileFailure, CompiledWasm, Job, Stage};
use crate::control::messages::{
    KvTold, Loaded, LogEntry, LogStream, Outcome, Run, RunOutcome, RunReport, Settings, Timestamp, Timings, Wanted,
};
use crate::gateway::supervisor::LoadFailure;

pub fn report(slug: &str, revision: u32, id: u64, outcome: Outcome) -> RunReport {
    RunReport {
        id,
        slug: slug.into(),
        revision,
        time: Timestamp::now(),
        method: "GET".into(),
        path: "/".into(),
        status: 200,
        bytes: 4,
        outcome,
        timings: Timings::default(),
        hostcalls: 3,
        setting: Setting::Fast,
    }
}

pub fn log(slug: &str, text: &str) -> LogEntry {
    LogEntry { slug: slug.into(), revision: 1, request_id: Some(1), time: Timestamp::now(), stream: LogStream::Stderr, text: text.into() }
}

pub fn revision(number: u32) -> Revision {
    Revision {
        number,
        language: Language::C,
        kind: ProgramKind::Service,
        source: BlobHash::of(b"source"),
        wasm: BlobHash::of(b"wasm"),
        wasm_bytes: 4,
        artifact_bytes: 8,
        timings: Timings::default(),
        created_at: Timestamp::now(),
    }
}

pub fn source(text: &str) -> SourceTree {
    SourceTree::new(Language::C, BTreeMap::from([("main.c".into(), text.into())]), &SourceLimits::default()).unwrap()
}

/// The encoded artifact of a module with nothing in it.
pub fn empty_artifact() -> Vec<u8> {
    let contract = Contract::empty();
    let image = vec![0; SlotLayout::of(&contract).unwrap().image_bytes as usize];
    let functions = FunctionTable::new(vec![]);
    Artifact {
        contract,
        text: vec![0xcc; 64],
        image,
        traps: TrapTable::new(vec![]),
        handlers: HandlerTable::default(),
        functions,
        map: AddressMap::new(vec![]),
        lines: vec![],
    }
    .encode()
    .unwrap()
}

/// A language in which a program is its own wasm. Some words mean something: `error` does not build, `refuse` does not compile, `command`
/// is a command, `slow` takes until it is cancelled, `panic` panics, `long` takes too long, `plain` cannot be optimised; for `absent` a jail is missing, for `busy` a compiler.
#[derive(Default)]
pub struct Stand {
    pub builds: AtomicUsize,
    pub compilations: AtomicUsize,
    /// What was compiled: the program, the setting, what its owner had.
    pub jobs: Mutex<Vec<String>>,
    /// What the gateway was told, in words.
    pub told: Mutex<Vec<String>>,
    pub refuses_to_load: AtomicBool,
    /// So many loads end with the gateway.
    pub loses: AtomicUsize,
    pub checks: AtomicUsize,
    pub cancelled_checks: AtomicUsize,
    /// So many loads find no room in the gateway.
    pub no_room: AtomicUsize,
    /// The next load waits for this.
    pub held_load: Mutex<Option<tokio::sync::oneshot::Receiver<()>>>,
}

impl Stand {
    pub fn parts(self: &Arc<Stand>) -> Parts {
        Parts { builder: self.clone(), compiler: self.clone(), guests: self.clone(), backends: Arc::default(), fetcher: None }
    }

    fn tell(&self, what: String) {
        self.told.lock().unwrap().push(what);
    }

    pub fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

impl SourceBuilder for Stand {
    fn status(&self) -> Vec<LanguageStatus> {
        let missing = |language| LanguageStatus {
            language,
            available: false,
            version: None,
            reason: Some("it is not here".into()),
            mend: Some("install it".into()),
            libraries: Vec::new(),
        };
        let version = Some("clang 1".into());
        let c = LanguageStatus { language: Language::C, available: true, version, reason: None, mend: None, libraries: Vec::new() };
        vec![c, missing(Language::Rust)]
    }

    fn jail(&self) -> String {
        "none".into()
    }

    fn version_key(&self, language: Language) -> String {
        language.name().into()
    }

    fn build(&self, source: &SourceTree, _: &BuildLimits, cancel: &Cancel) -> Result<BuildReport, BuildError> {
        self.builds.fetch_add(1, Ordering::Relaxed);
        let text = source.files()["main.c"].clone();
        assert!(!text.contains("panic"), "as a parser with a mistake does");
        if text.contains("absent") {
            return Err(BuildError::JailUnavailable { reason: "there are no namespaces".into() });
        }
        if text.contains("long") {
            return Err(BuildError::TimedOut { build_wall_ms: 7 });
        }
        while text.contains("slow") {
            if cancel.is_cancelled() {
                return Err(BuildError::Cancelled);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(BuildReport {
            diagnostics: errors_of(&text),
            output: if text.contains("error") { "main.c:3: error: a thing is wrong".into() } else { String::new() },
            wasm: (!text.contains("error")).then(|| WasmBinary { bytes: text.into_bytes(), language: source.language() }),
            build_us: 1,
            tool: "clang 1".into(),
        })
    }

    fn check(&self, source: &SourceTree, _: &BuildLimits, cancel: &Cancel) -> Result<CheckReport, BuildError> {
        self.checks.fetch_add(1, Ordering::Relaxed);
        let text = &source.files()["main.c"];
        assert!(!text.contains("panic"), "as a parser with a mistake does");
        if text.contains("long") {
            return Err(BuildError::CpuExceeded { build_cpu_ms: 7 });
        }
        while text.contains("slow") {
            if cancel.is_cancelled() {
                self.cancelled_checks.fetch_add(1, Ordering::Relaxed);
                return Err(BuildError::Cancelled);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(CheckReport { diagnostics: errors_of(text), check_us: 1 })
    }

    fn format(&self, source: &SourceTree, _: &BuildLimits, _: &Cancel) -> Result<FormatReport, BuildError> {
        let files = source.files().iter().map(|(name, text)| (name.clone(), format!("{}\n", text.trim()))).collect();
        Ok(FormatReport { files, diagnostics: errors_of(&source.files()["main.c"]), format_us: 1 })
    }
}

/// What the stand finds wrong with a program's text.
fn errors_of(text: &str) -> Vec<Diagnostic> {
    let error = Diagnostic {
        file: Some("main.c".into()),
        line: Some(3),
        ..Diagnostic::without_place(Severity::Error, "clang", "a thing is wrong")
    };
    text.contains("error").then_some(error).into_iter().collect()
}

impl WasmCompiler for Stand {
    fn compile(&self, job: Job<'_>, progress: Progress<'_>, _: &Cancel) -> Result<CompiledWasm, CompileFailure> {
        self.compilations.fetch_add(1, Ordering::Relaxed);
        let text = String::from_utf8_lossy(job.wasm);
        self.jobs.lock().unwrap().push(format!("{text} {:?} own={}", job.setting, String::from_utf8_lossy(job.own)));
        if text.contains("refuse") {
            return Err(CompileFailure::Refused {
                sentence: "the program imports env.emit, which no host function answers".into(),
                place: None,
            });
        }
        if text.contains("plain") && job.setting == Setting::Best {
            return Err(CompileFailure::Crashed("out of memory".into()));
        }
        if text.contains("busy") {
            return Err(CompileFailure::Unavailable("no process could be started".into()));
        }
        progress(Stage::Codegen, 1, 2);
        let timings = vivarium_compiler::Timings { validate_us: 1.0, translate_us: 2.0, codegen_us: 3.0, link_us: 4.0 };
        let kind = if text.contains("command") { vivarium_abi::program::Kind::Command } else { vivarium_abi::program::Kind::Service };
        Ok(CompiledWasm {
            elf: empty_artifact(),
            condensed: None,
            own: (job.own_bytes_max > 0).then(|| [job.own, b"+", job.wasm].concat()),
            functions_found: 1,
            functions: 2,
            timings,
            kind,
            stubs: vec!["wasi.stub".into()],
            exports: vec![],
            not_runnable: None,
        })
    }

    fn compile_in_background(&self, job: Job<'_>, cancel: &Cancel) -> Result<CompiledWasm, CompileFailure> {
        self.compile(job, &|_, _, _| {}, cancel)
    }
}

impl GuestServer for Stand {
    fn load(&self, loaded: Loaded, artifact: Vec<u8>) -> Pending<Result<f64, LoadFailure>> {
        // The key is that of the data folder; what matters here is that it is signed at all.
        let signed = artifact.len() > empty_artifact().len()
            && SignedArtifact::verify(&artifact, &ed25519_dalek::SigningKey::from_bytes(&[9; 32]).verifying_key()).is_err();
        self.tell(format!(
            "load {} r{} current={} signed={signed} next={}",
            loaded.slug, loaded.revision, loaded.current, loaded.next_request_id
        ));
        let refused = self.refuses_to_load.load(Ordering::Relaxed);
        let lost = self.loses.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        let no_room = self.no_room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        let held = self.held_load.lock().unwrap().take();
        Box::pin(async move {
            if let Some(held) = held {
                drop(held.await);
            }
            match (lost, refused) {
                _ if no_room => Err(LoadFailure::Busy("too much to do".into())),
                (true, _) => Err(LoadFailure::Lost),
                (_, true) => Err(LoadFailure::Refused("no room".into())),
                _ => Ok(5.0),
            }
        })
    }

    fn expire(&self, slug: &str, at_unix_ms: u64) {
        let over = at_unix_ms <= Timestamp::now().unix_ms;
        self.tell(format!("expire {slug} over={over}"));
    }

    fn unknown(&self, wanted: Wanted) {
        self.tell(format!("unknown {}", wanted.slug));
    }

    fn failed(&self, wanted: Wanted, sentence: &str) {
        self.tell(format!("failed {}: {sentence}", wanted.slug));
    }

    fn unload(&self, slug: &str, revision: u32) {
        self.tell(format!("unload {slug} r{revision}"));
    }

    fn set_current(&self, slug: &str, revision: u32) {
        self.tell(format!("current {slug} r{revision}"));
    }

    fn set_settings(&self, slug: &str, settings: Settings) {
        self.tell(format!("environment {slug} {:?}", settings.environment));
    }

    fn tell_kv(&self, told: Vec<KvTold>) -> Pending<()> {
        self.tell(format!("{told:?}"));
        Box::pin(async {})
    }

    fn run(&self, run: Run, _: Vec<u8>) -> Pending<Result<RunOutcome, String>> {
        Box::pin(async move {
            Ok(RunOutcome {
                exit_code: Some(3),
                stdout: format!("{:?} {}", run.arguments, String::from_utf8_lossy(&run.stdin)).into_bytes(),
                stderr: b"\xff".to_vec(),
                stdout_truncated: false,
                stderr_truncated: false,
                outcome: Outcome::Exited { exit_code: 3 },
                timings: Timings { run: Some(7.0), ..Timings::default() },
            })
        })
    }

    fn status(&self) -> serde_json::Value {
        serde_json::json!([{ "ready": true }])
    }

    fn drain(&self) -> Pending<()> {
        self.tell("drain".into());
        Box::pin(async {})
    }
}
