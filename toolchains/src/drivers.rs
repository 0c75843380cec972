//! One file for each language: which names it reserves, which commands it runs, how its messages are read.

pub(crate) mod assemblyscript;
pub(crate) mod clang;
pub(crate) mod rust;
pub(crate) mod wat;

use std::sync::OnceLock;

use crate::crates::Crates;
use crate::jail::Jail;
use crate::job::JobFolder;
use crate::libraries::Libraries;
use crate::output_guard::OutputGuard;
use crate::process::{self, Budget, Finished, Spawner};
use crate::stamp::Stamp;
use crate::{BuildError, BuildLimits, Diagnostic, Language, linked};

/// What every driver that runs a compiler works with.
#[derive(Debug)]
pub(crate) struct Tools {
    pub spawner: Spawner,
    pub jail: Jail,
    pub stamp: Stamp,
    /// What Rust programs may use.
    pub crates: Crates,
    /// What those of other languages may.
    pub libraries: Libraries,
    /// The crate `vivarium`, once it has been compiled.
    pub sdk: OnceLock<Vec<u8>>,
}

impl Tools {
    /// Runs a compiler of the root to its end.
    pub fn run(&self, job: &JobFolder, budget: &Budget, program: &str, args: &[String]) -> Result<Finished, BuildError> {
        self.run_wordy(job, budget, program, args, 1)
    }

    /// As [`Tools::run`], for a compiler that prints so many times what a person gets to read.
    pub fn run_wordy(
        &self,
        job: &JobFolder,
        budget: &Budget,
        program: &str,
        args: &[String],
        times: usize,
    ) -> Result<Finished, BuildError> {
        let command = self.jail.command(job, &budget.limits, program, args);
        process::run(&self.spawner, command, OutputGuard::new(job), budget, budget.limits.build_output_bytes_max.saturating_mul(times))
    }

    /// LLVM's folder in the root, as the jail has it.
    fn llvm_folder(&self, root: &str) -> String {
        format!("{root}/usr/lib/llvm-{}", self.stamp.llvm().unwrap_or_default())
    }
}

/// What a driver is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A program to run.
    Build,
    /// Its diagnostics alone, as quickly as they can be had.
    Check,
}

/// What a driver made of a source tree.
#[derive(Debug, Default)]
pub(crate) struct Built {
    /// `None`: the program has errors, or was only checked.
    pub wasm: Option<Vec<u8>>,
    pub diagnostics: Vec<Diagnostic>,
    pub output: String,
}

/// File names that would be read as a compiler's settings.
pub(crate) fn is_reserved_name(language: Language, name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    match language {
        Language::AssemblyScript => matches!(file, "asconfig.json" | "package.json"),
        Language::C | Language::Cpp | Language::Rust | Language::Wat => false,
    }
}

/// The options that every link of C, C++ and Rust has: relocations for the compiler's cache, a stack below the data so that an overflow traps
/// before it overwrites anything, and room to start with, so that small programs never grow their memory. Debug information stays: the compiler makes a
/// table of lines of it and throws it away.
const LINK_OPTIONS: &[&str] = &["--emit-relocs", "--stack-first", "-zstack-size=1048576", "--initial-heap=524288"];

/// The program that wasm-ld wrote. What counts against the limit is the program, not the zeros that it writes with it.
fn read_linked(job: &JobFolder, name: &str, limits: &BuildLimits) -> Result<Vec<u8>, BuildError> {
    let bytes_max = usize::try_from(limits.build_file_bytes_max).unwrap_or(usize::MAX).max(limits.wasm_bytes_max);
    let wasm = linked::slim(job.read_output(name, bytes_max)?);
    if wasm.len() > limits.wasm_bytes_max {
        return Err(BuildError::WasmTooLarge { bytes: wasm.len() as u64, wasm_bytes_max: limits.wasm_bytes_max });
    }
    Ok(wasm)
}

/// Objects that are linked only for the symbols that are missing otherwise.
fn stub_options(root: &str) -> [String; 4] {
    let object = |name: &str| format!("{root}/usr/lib/wasm32-wasi/{name}.o");
    ["--start-lib".to_owned(), object("stubs"), object("stack_guard"), "--end-lib".to_owned()]
}
