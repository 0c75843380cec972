//! The open toolchains: which languages there are, in which jail, and the one function that builds.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::crates::Crates;
use crate::drivers::assemblyscript::{Workers, sdk_digest};
use crate::drivers::{self, Built, Purpose, Tools};
use crate::format::{self, Formatted};
use crate::jail::{self, JailKind, OpenOptions};
use crate::libraries::Libraries;
use crate::process::{Budget, Spawner};
use crate::stamp::Stamp;
use crate::{
    BuildError, BuildLimits, BuildReport, Cancel, CheckReport, Diagnostic, FormatReport, Language, Library, Severity, SourceTree,
    WasmBinary, job, text,
};

/// Changes when a driver's options or the SDK do, so that no cache keeps what the drivers before it made.
const DRIVERS_VERSION: u32 = 4;

/// Whether programs of a language can be built.
#[derive(Clone, Debug, Serialize)]
pub struct LanguageStatus {
    pub language: Language,
    pub available: bool,
    /// The tool and its version, as in "clang 22.1.8".
    pub version: Option<String>,
    /// Why it is not available.
    pub reason: Option<String>,
    /// What mends that: a command to type.
    pub mend: Option<String>,
    pub libraries: Vec<Library>,
}

/// Why compilers cannot be run, and what mends it.
#[derive(Clone, Debug)]
struct Absence {
    reason: String,
    mend: String,
    /// The compilers are there; what lacks is a jail.
    no_jail: bool,
}

/// The toolchains of one folder. One for a process; share it between threads.
#[derive(Debug)]
pub struct Toolchains {
    tools: Result<Arc<Tools>, Absence>,
    workers: Arc<Workers>,
}

impl Toolchains {
    /// Opens the folder that `toolchains/setup/install` makes, and finds a jail. Never fails: what is missing is told by
    /// [`Toolchains::status`]. This program must answer to the word `jail` with [`crate::run_jail_role`].
    pub fn open(folder: &Path) -> Toolchains {
        Toolchains::open_with(folder, &OpenOptions::default())
    }

    /// As [`Toolchains::open`], with a choice.
    pub fn open_with(folder: &Path, options: &OpenOptions) -> Toolchains {
        job::remove_abandoned(folder);
        Toolchains { tools: open_tools(folder, options).map(Arc::new), workers: Arc::default() }
    }

    /// One entry for each language, in the order of [`Language::ALL`].
    pub fn status(&self) -> Vec<LanguageStatus> {
        Language::ALL.iter().map(|&language| self.status_of(language)).collect()
    }

    fn status_of(&self, language: Language) -> LanguageStatus {
        let absence = self.tools.as_ref().err().filter(|_| needs_tools(language));
        LanguageStatus {
            language,
            available: absence.is_none(),
            version: absence.is_none().then(|| self.tool(language)),
            reason: absence.map(|absence| absence.reason.clone()),
            mend: absence.map(|absence| absence.mend.clone()),
            libraries: self.libraries(language),
        }
    }

    /// The jail that was found when the toolchains were opened.
    pub fn jail(&self) -> JailKind {
        self.tools.as_ref().map_or(JailKind::None, |tools| tools.jail.kind)
    }

    /// Starts what is quicker when warm, and keeps it so from then on. Blocks until it is, some seconds.
    /// An error means that AssemblyScript is as slow as it is cold; its builds say what is wrong.
    pub fn warm(&self) -> Result<(), BuildError> {
        match &self.tools {
            Ok(tools) => self.workers.warm(tools),
            Err(_) => Ok(()),
        }
    }

    /// Builds a program. Blocks; call it from any number of threads. A program with errors is a report without WebAssembly.
    pub fn build(&self, source: &SourceTree, limits: &BuildLimits, cancel: &Cancel) -> Result<BuildReport, BuildError> {
        let started = Instant::now();
        let language = source.language();
        let mut built = self.run_driver(source, &Budget::new(limits, cancel), Purpose::Build)?;
        if built.wasm.is_none() && !built.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
            built.diagnostics.push(unexplained(&built.output, language));
        }
        Ok(BuildReport {
            wasm: checked_size(built.wasm, limits)?.map(|bytes| WasmBinary { bytes, language }),
            diagnostics: built.diagnostics,
            output: text::shortened(built.output, limits.build_output_bytes_max),
            build_us: started.elapsed().as_micros() as u64,
            tool: self.tool(language),
        })
    }

    /// Finds what is wrong with a program, for an editor: no program is made, so what only a linker finds is not told. Blocks.
    pub fn check(&self, source: &SourceTree, limits: &BuildLimits, cancel: &Cancel) -> Result<CheckReport, BuildError> {
        let started = Instant::now();
        let built = self.run_driver(source, &Budget::new(limits, cancel), Purpose::Check)?;
        Ok(CheckReport { diagnostics: built.diagnostics, check_us: started.elapsed().as_micros() as u64 })
    }

    /// Lays out a program. Blocks. A file with mistakes stays as it is, and so does a program that would grow past its limit; diagnostics say why.
    pub fn format(&self, source: &SourceTree, limits: &BuildLimits, cancel: &Cancel) -> Result<FormatReport, BuildError> {
        let started = Instant::now();
        let limits = format::limits_for(source, limits);
        let budget = Budget::new(&limits, cancel);
        budget.check()?;
        let language = source.language();
        let formatted = match language {
            Language::C | Language::Cpp => drivers::clang::format(self.tools(language)?, source, &budget),
            Language::Rust => drivers::rust::format(self.tools(language)?, source, &budget),
            Language::AssemblyScript => drivers::assemblyscript::format(self.tools(language)?, source, &budget),
            Language::Wat => drivers::wat::format(source),
        };
        let Formatted { files, diagnostics } = format::settle(source, formatted, limits.source_bytes_max)?;
        Ok(FormatReport { files, diagnostics, format_us: started.elapsed().as_micros() as u64 })
    }

    fn run_driver(&self, source: &SourceTree, budget: &Budget, purpose: Purpose) -> Result<Built, BuildError> {
        budget.check()?;
        match source.language() {
            language @ (Language::C | Language::Cpp) => drivers::clang::run(self.tools(language)?, source, budget, purpose),
            Language::Rust => drivers::rust::run(self.tools(Language::Rust)?, source, budget, purpose),
            Language::AssemblyScript => self.run_assemblyscript(source, budget, purpose),
            Language::Wat => drivers::wat::build(source),
        }
    }

    /// The worker that a build used up is replaced behind its back; a replacement that fails is tried again after the next build.
    fn run_assemblyscript(&self, source: &SourceTree, budget: &Budget, purpose: Purpose) -> Result<Built, BuildError> {
        let built = drivers::assemblyscript::run(self.tools(Language::AssemblyScript)?, &self.workers, source, budget, purpose);
        let workers = self.workers.clone();
        let _ = std::thread::Builder::new().name("asc warmer".to_owned()).spawn(move || workers.refill());
        built
    }

    fn tools(&self, language: Language) -> Result<&Tools, BuildError> {
        self.tools.as_deref().map_err(|absence| {
            let Absence { reason, mend, no_jail } = absence.clone();
            if no_jail { BuildError::JailUnavailable { reason } } else { BuildError::Unavailable { language, reason, mend } }
        })
    }

    /// The tool of a language and its version.
    fn tool(&self, language: Language) -> String {
        let version =
            |package: &str| self.tools.as_ref().ok().and_then(|tools| tools.stamp.version(package)).unwrap_or("of unknown version");
        match language {
            Language::C | Language::Cpp => {
                let llvm = self.tools.as_ref().ok().and_then(|tools| tools.stamp.llvm()).unwrap_or_default();
                let name = if language == Language::Cpp { "clang++" } else { "clang" };
                format!("{name} {}", version(&format!("clang-{llvm}")))
            }
            Language::Rust => format!("rustc {}", version("rustc-web")),
            Language::AssemblyScript => format!("asc {}", version("assemblyscript")),
            Language::Wat => format!("wast {}", drivers::wat::VERSION),
        }
    }

    /// What programs of a language may use beside its own library; empty when nothing has been built.
    pub fn libraries(&self, language: Language) -> Vec<Library> {
        let Ok(tools) = &self.tools else { return Vec::new() };
        match language {
            Language::Rust => tools.crates.libraries(),
            Language::C | Language::Cpp | Language::AssemblyScript | Language::Wat => tools.libraries.of(language),
        }
    }

    /// Changes whenever the toolchain would make other output from the same source: part of the key of every cache.
    pub fn version_key(&self, language: Language) -> String {
        let digest = self.tools.as_ref().map_or("none", |tools| tools.stamp.digest());
        let digest = if needs_tools(language) { digest } else { "built-in" };
        let sdk = match language {
            Language::AssemblyScript => sdk_digest(),
            Language::Rust => {
                let crates = self.tools.as_ref().map_or("none", |tools| tools.crates.digest());
                format!("{crates}-{}", digest_of(drivers::rust::sdk::SDK))
            }
            Language::C | Language::Cpp => digest_of(drivers::clang::SDK),
            Language::Wat => String::new(),
        };
        format!("{}/{DRIVERS_VERSION}/{digest}/{sdk}", self.tool(language))
    }
}

fn digest_of(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text))
}

/// WAT is read in this process; everything else is a program in the jail.
fn needs_tools(language: Language) -> bool {
    language != Language::Wat
}

fn open_tools(folder: &Path, options: &OpenOptions) -> Result<Tools, Absence> {
    let mend = format!("run toolchains/setup/install {}", folder.display());
    let absent = |reason: String| Absence { reason, mend: mend.clone(), no_jail: false };
    let stamp = Stamp::read(folder).map_err(absent)?;
    let spawner = Spawner::new().map_err(|error| absent(format!("no thread can be started: {error}")))?;
    let jail = jail::probe(folder, options, &stamp, &spawner).map_err(|reason| Absence {
        reason: format!("no jail for compilers holds on this system: {reason}"),
        mend: "allow user namespaces (sysctl user.max_user_namespaces) or use a kernel with Landlock".to_owned(),
        no_jail: true,
    })?;
    let (crates, libraries) = (Crates::read(folder), Libraries::read(folder));
    Ok(Tools { spawner, jail, stamp, crates, libraries, sdk: OnceLock::new() })
}

/// A program that failed always has an error to show.
fn unexplained(output: &str, language: Language) -> Diagnostic {
    let line = output.lines().find(|line| !line.trim().is_empty()).unwrap_or("the compiler failed and did not say why");
    Diagnostic::without_place(Severity::Error, language.name(), line)
}

fn checked_size(wasm: Option<Vec<u8>>, limits: &BuildLimits) -> Result<Option<Vec<u8>>, BuildError> {
    match wasm {
        Some(bytes) if bytes.len() > limits.wasm_bytes_max => {
            Err(BuildError::WasmTooLarge { bytes: bytes.len() as u64, wasm_bytes_max: limits.wasm_bytes_max })
        }
        wasm => Ok(wasm),
    }
}
