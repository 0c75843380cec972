//! What a build takes and gives: limits, a way to cancel, the report, and why there may be no report.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Diagnostic, Language};

/// Bounds of one build. Times and sizes hold for every compiler process of it.
#[derive(Clone, Copy, Debug)]
pub struct BuildLimits {
    /// Wall time from spawn to end; the whole process group is killed.
    pub build_wall_ms: u64,
    /// Processor time of one process, rounded up to whole seconds.
    pub build_cpu_ms: u64,
    /// Address space of one process; for AssemblyScript the heap of node.
    pub build_memory_bytes_max: u64,
    /// The longest file that a compiler may write.
    pub build_file_bytes_max: u64,
    /// What compilers print, stdout and stderr together; more ends the build.
    pub build_output_bytes_max: usize,
    /// The finished WebAssembly binary.
    pub wasm_bytes_max: usize,
    /// All files together of a program that was laid out.
    pub source_bytes_max: usize,
}

impl Default for BuildLimits {
    fn default() -> Self {
        BuildLimits {
            build_wall_ms: 20_000,
            build_cpu_ms: 15_000,
            build_memory_bytes_max: 2 << 30,
            build_file_bytes_max: 64 << 20,
            build_output_bytes_max: 256 << 10,
            wasm_bytes_max: 16 << 20,
            source_bytes_max: 256 << 10,
        }
    }
}

/// Ends a build from another thread. Clones share one flag.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    pub fn new() -> Cancel {
        Cancel::default()
    }

    /// The build ends within some milliseconds with [`BuildError::Cancelled`].
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A WebAssembly binary as a toolchain made it, not validated: with its name section, and with relocations (`reloc.*`) where the
/// linker keeps them.
#[derive(Clone, PartialEq, Eq)]
pub struct WasmBinary {
    pub bytes: Vec<u8>,
    /// What the program was written in.
    pub language: Language,
}

impl std::fmt::Debug for WasmBinary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WasmBinary({} bytes from {})", self.bytes.len(), self.language)
    }
}

/// How a build ended that ran to its end.
#[derive(Clone, Debug)]
pub struct BuildReport {
    /// `None`: the program has errors, which `diagnostics` tell.
    pub wasm: Option<WasmBinary>,
    pub diagnostics: Vec<Diagnostic>,
    /// What the tools printed: without colours and control characters, with the user's file names.
    pub output: String,
    /// Wall time, microseconds.
    pub build_us: u64,
    /// The tool and its version, as in "clang 22.1.3".
    pub tool: String,
}

/// What is wrong with a program, as far as it was read.
#[derive(Clone, Debug)]
pub struct CheckReport {
    pub diagnostics: Vec<Diagnostic>,
    /// Wall time, microseconds.
    pub check_us: u64,
}

/// Why there is no report: the host failed, or a limit ended the build.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("{language} is not available: {reason}; {mend}")]
    Unavailable { language: Language, reason: String, mend: String },
    #[error("the build took longer than the limit build_wall_ms of {build_wall_ms} ms and was stopped")]
    TimedOut { build_wall_ms: u64 },
    #[error("the compiler used more processor time than the limit build_cpu_ms of {build_cpu_ms} ms and was stopped")]
    CpuExceeded { build_cpu_ms: u64 },
    #[error("the compiler needed more memory than the limit build_memory_bytes_max of {build_memory_bytes_max} bytes and was stopped")]
    MemoryExceeded { build_memory_bytes_max: u64 },
    #[error("the compiler wrote a file longer than the limit build_file_bytes_max of {build_file_bytes_max} bytes and was stopped")]
    FileTooLarge { build_file_bytes_max: u64 },
    #[error("the compiler left more than {folder_bytes_max} bytes or {folder_files_max} files in its output folder and was stopped")]
    FolderTooLarge { folder_bytes_max: u64, folder_files_max: usize },
    #[error("the compiler was ended by {signal}; its last words: {last_words}")]
    Killed { signal: String, last_words: String },
    #[error("the compiler failed without an answer; its last words: {last_words}")]
    Crashed { last_words: String },
    #[error("the compiler reported success and wrote no output; this is a fault of the toolchain, run the set-up again")]
    OutputMissing,
    #[error("the compiler left something that is no plain file where its output should be")]
    OutputRefused,
    #[error("the compiler printed more than the limit build_output_bytes_max of {build_output_bytes_max} bytes and was stopped")]
    OutputTooLarge { build_output_bytes_max: usize },
    #[error("the program has {bytes} bytes of WebAssembly, more than the limit wasm_bytes_max of {wasm_bytes_max} bytes")]
    WasmTooLarge { bytes: u64, wasm_bytes_max: usize },
    #[error("this system offers no jail for compilers, so nothing is compiled: {reason}")]
    JailUnavailable { reason: String },
    #[error("the build was cancelled")]
    Cancelled,
    #[error("{what}: {error}")]
    Io { what: String, error: std::io::Error },
}

impl BuildError {
    /// The limit that ended the build, by the name under which limits are listed.
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            BuildError::TimedOut { .. } => Some("build_wall_ms"),
            BuildError::CpuExceeded { .. } => Some("build_cpu_ms"),
            BuildError::MemoryExceeded { .. } => Some("build_memory_bytes_max"),
            BuildError::FileTooLarge { .. } => Some("build_file_bytes_max"),
            BuildError::OutputTooLarge { .. } => Some("build_output_bytes_max"),
            BuildError::WasmTooLarge { .. } => Some("wasm_bytes_max"),
            BuildError::Unavailable { .. }
            | BuildError::FolderTooLarge { .. }
            | BuildError::Killed { .. }
            | BuildError::Crashed { .. }
            | BuildError::OutputMissing
            | BuildError::OutputRefused
            | BuildError::JailUnavailable { .. }
            | BuildError::Cancelled
            | BuildError::Io { .. } => None,
        }
    }
}
