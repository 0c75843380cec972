//! What compilers print, read into diagnostics: a file for each compiler. Text goes in with the user's file names already.

pub(crate) mod clang;
pub(crate) mod rustc;
pub(crate) mod wasm_ld;

use std::collections::BTreeMap;

use crate::Diagnostic;

/// Text by file name.
pub(crate) type Sources = BTreeMap<String, String>;

/// More than these of one compiler are left out; they stay in the output.
pub(crate) const DIAGNOSTICS_MAX: usize = 200;
/// More notes than these of one diagnostic are left out.
pub(crate) const NOTES_MAX: usize = 16;
/// More fixes than these of one diagnostic are left out, and more edits of one fix make it none.
pub(crate) const FIXES_MAX: usize = 8;
pub(crate) const EDITS_MAX: usize = 64;

/// What a compiler printed.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    pub diagnostics: Vec<Diagnostic>,
    /// As a person reads it.
    pub output: String,
}
