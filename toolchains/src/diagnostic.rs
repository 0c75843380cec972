//! One shape for what every compiler has to say. Lines and columns count from 1; columns count UTF-16 code units, as editors do.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
    Note,
}

/// A message about the user's source. What has no place (a linker's) has no file or no line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    pub file: Option<String>,
    pub line: Option<u32>,
    pub column: Option<u32>,
    pub end_line: Option<u32>,
    /// The column behind the last character.
    pub end_column: Option<u32>,
    pub severity: Severity,
    /// The compiler's own name for it, such as "E0308" or "-Wunused-variable".
    pub code: Option<String>,
    pub message: String,
    /// The tool: "clang", "wasm-ld", "rustc", "asc" or "wat".
    pub source: String,
    pub notes: Vec<Note>,
    /// What the compiler is certain would mend it; each for itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixes: Vec<Fix>,
}

/// A change of the source that can be made without a person's thought. Its edits belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    pub message: String,
    pub edits: Vec<Edit>,
}

/// Text in place of what is from a place up to another; the same place twice inserts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    pub file: String,
    pub line: u32,
    pub column: u32,
    pub end_line: u32,
    pub end_column: u32,
    pub text: String,
}

/// More about a diagnostic, perhaps at another place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

impl Diagnostic {
    /// A diagnostic without a place.
    pub fn without_place(severity: Severity, source: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            file: None,
            line: None,
            column: None,
            end_line: None,
            end_column: None,
            severity,
            code: None,
            message: message.into(),
            source: source.to_owned(),
            notes: Vec::new(),
            fixes: Vec::new(),
        }
    }
}
