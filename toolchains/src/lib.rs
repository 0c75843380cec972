//! Source tree in, WebAssembly and diagnostics out, by driving real compilers in a jail.
//!
//! ```text
//! SourceTree ─► drivers/<language> ─► process, in a job folder, in the jail ─► messages/<tool> ─► BuildReport
//! ```
//!
//! Parts: [`Toolchains`] opens the folder that `toolchains/setup/install` makes and builds; `drivers` has a file for each language, with
//! the command lines; `messages` turns what compilers print into [`Diagnostic`]s; `jail` confines every compiler and is the role
//! `vivarium jail`; `process` runs one under limits; `job` is its folder; `crates` and `libraries` know what programs may use, `settings` what a project says of its build; [`starters`] are the programs to begin with.
//!
//! Invariants: no compiler runs outside a jail (without one, nothing is compiled). A user gives text and file names, never an option, a
//! plug-in or a build script. What a compiler prints and writes is bounded, checked, and carries the user's file names only.
//!
//! This crate does not know about artifacts, the runtime or HTTP.

#![forbid(unsafe_code)]

mod build;
mod columns;
mod crates;
mod diagnostic;
mod drivers;
mod format;
mod jail;
mod job;
mod language;
mod libraries;
pub mod library;
mod linked;
mod messages;
mod output_guard;
mod process;
mod room;
mod settings;
mod source;
mod stamp;
pub mod starters;
mod text;
mod toolchains;
mod verdict;

pub use build::{BuildError, BuildLimits, BuildReport, Cancel, CheckReport, WasmBinary};
pub use diagnostic::{Diagnostic, Edit, Fix, Note, Severity};
pub use format::FormatReport;
pub use jail::{JailKind, OpenOptions, run_role as run_jail_role};
pub use language::{Language, ProgramKind};
pub use libraries::Library;
pub use settings::SETTINGS_FILE;
pub use source::{ContentHash, SourceError, SourceLimits, SourceTree};
pub use toolchains::{LanguageStatus, Toolchains};
