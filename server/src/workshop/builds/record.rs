//! A build as the API shows it.

use serde::Serialize;
use vivarium_toolchains::{Diagnostic, Fix, Language, ProgramKind};

use super::failure::Fault;
use crate::compile::pool::Stage as CompileStage;
use crate::control::messages::{Timestamp, Timings};

/// Where a build is: `queued → building → ready`, or `failed` from either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildState {
    Queued,
    Building,
    /// It gave nothing to run; `diagnostics` or `error` say why. Final.
    Failed,
    /// Its artifact is there. Final.
    Ready,
}

impl BuildState {
    pub fn is_final(self) -> bool {
        matches!(self, BuildState::Failed | BuildState::Ready)
    }
}

/// The stages of a build, by the names that `timings` has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Queue,
    Build,
    Validate,
    Translate,
    Codegen,
    Link,
}

impl From<CompileStage> for Stage {
    fn from(stage: CompileStage) -> Stage {
        match stage {
            CompileStage::Validate => Stage::Validate,
            CompileStage::Translate => Stage::Translate,
            CompileStage::Codegen => Stage::Codegen,
            CompileStage::Link => Stage::Link,
        }
    }
}

/// Functions compiled so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Functions {
    pub done: u32,
    pub total: u32,
}

/// The object Build of the HTTP contract.
#[derive(Clone, Debug, Serialize)]
pub struct Build {
    pub id: String,
    pub language: Language,
    pub state: BuildState,
    /// Place in the queue, from 1; 0 when not queued.
    pub position: usize,
    pub stage: Option<Stage>,
    pub functions: Option<Functions>,
    pub timings: Timings,
    pub diagnostics: Vec<Diagnostic>,
    /// As the compiler printed it.
    pub output: String,
    /// A sentence, where something other than the program's errors ended it.
    pub error: Option<String>,
    /// The limit that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<&'static str>,
    /// Of `error`.
    #[serde(skip)]
    pub fault: Fault,
    pub kind: Option<ProgramKind>,
    pub wasm_bytes: Option<usize>,
    pub artifact_bytes: Option<usize>,
    pub created_at: Timestamp,
}

/// What a diagnostic takes in memory, in bytes.
pub fn diagnostic_bytes(diagnostic: &Diagnostic) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let notes: usize = diagnostic.notes.iter().map(|note| size_of_val(note) + note.message.len() + text(&note.file)).sum();
    let edits = |fix: &Fix| fix.edits.iter().map(|edit| size_of_val(edit) + edit.file.len() + edit.text.len()).sum::<usize>();
    let fixes: usize = diagnostic.fixes.iter().map(|fix| size_of_val(fix) + fix.message.len() + edits(fix)).sum();
    let Diagnostic { file, code, message, source, .. } = diagnostic;
    size_of_val(diagnostic) + text(file) + text(code) + message.len() + source.len() + notes + fixes
}

impl Build {
    pub fn queued(id: String, language: Language) -> Build {
        Build {
            id,
            language,
            state: BuildState::Queued,
            position: 0,
            stage: Some(Stage::Queue),
            functions: None,
            timings: Timings::default(),
            diagnostics: Vec::new(),
            output: String::new(),
            error: None,
            limit: None,
            fault: Fault::default(),
            kind: None,
            wasm_bytes: None,
            artifact_bytes: None,
            created_at: Timestamp::now(),
        }
    }
}
