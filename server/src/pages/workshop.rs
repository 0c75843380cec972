//! The workshop: the page itself, and the same page with what a posted form came to, for a browser without JavaScript.

mod view;

use super::filters::{byte_text, life_text};
use super::rendered;
use askama::Template;
use serde::Serialize;
use view::{Files, PlainTemplate, WorkshopTemplate};

/// `Content-Security-Policy` of the workshop page. `style_nonce` is that of the page: the editor writes a style element.
/// `guest_origins` are the sources of the preview, such as "http://*.localhost:7879 http://127.0.0.1:7879".
pub fn workshop_policy(style_nonce: &str, guest_origins: &str) -> String {
    format!(
        "default-src 'self'; script-src 'self'; style-src 'self' 'nonce-{style_nonce}'; img-src 'self' data:; \
         connect-src 'self'; frame-src {guest_origins}; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
    )
}

/// The workshop page. Without a built front end it is a plain form that says how to build it.
#[derive(Clone, Debug, Default)]
pub struct WorkshopPage {
    /// Fresh for each response, in base64 or hexadecimal, at least 128 bits; the same as in `workshop_policy`.
    pub style_nonce: String,
    pub languages: Vec<LanguageChoice>,
    /// Name of the chosen language.
    pub language: String,
    /// Name of the starter the code began as; shown as the program's name.
    pub starter: String,
    /// Text of the main file.
    pub code: String,
    pub starters: Vec<StarterLink>,
    /// As the body of `GET /api/v1/starters`, with what the script needs at once.
    pub starters_json: String,
    pub limits: Vec<LimitLine>,
    pub ttl_seconds_default: u64,
    /// Of the deployment that the next Run makes a revision of; both empty for a new one.
    pub slug: String,
    pub owner_token: String,
    /// What the form held, for commands.
    pub arguments: String,
    pub stdin: String,
    /// The chosen starter is a command: its arguments and input are shown from the start.
    pub command: bool,
    /// The stored program in the editor, by its snapshot and as the script is told of it; both empty where it is none.
    pub stored_id: String,
    pub stored_json: String,
    /// A sentence: why the address leads to no program.
    pub missing: String,
    /// What a posted form came to.
    pub result: Option<FormResult>,
}

/// A language of the chips, as `GET /api/v1/languages` has it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LanguageChoice {
    /// "c"
    pub name: String,
    /// "C"
    pub display_name: String,
    /// "main.c"
    pub main_file: String,
    pub available: bool,
    /// "clang 22.1.3"
    pub version: Option<String>,
    /// A sentence, when it is not available.
    pub reason: Option<String>,
}

/// A starter, as a link to `/?language=…&starter=…`, which the server answers with that program in the editor.
#[derive(Clone, Debug, Default)]
pub struct StarterLink {
    pub name: String,
    /// Name of its language: "c".
    pub language: String,
    pub description: String,
}

/// A row of "What a program gets".
#[derive(Clone, Debug, Default)]
pub struct LimitLine {
    /// "Processor time"
    pub label: String,
    /// "500 ms"
    pub value: String,
    /// "a request", or empty.
    pub scope: String,
}

impl LimitLine {
    pub fn bytes(label: &str, bytes: u64, scope: &str) -> Self {
        Self { label: label.into(), value: byte_text(bytes), scope: scope.into() }
    }
    pub fn milliseconds(label: &str, milliseconds: u64, scope: &str) -> Self {
        let value = if milliseconds >= 1000 && milliseconds.is_multiple_of(1000) {
            format!("{} s", milliseconds / 1000)
        } else {
            format!("{milliseconds} ms")
        };
        Self { label: label.into(), value, scope: scope.into() }
    }
    pub fn seconds(label: &str, seconds: u64, scope: &str) -> Self {
        Self { label: label.into(), value: life_text(seconds), scope: scope.into() }
    }
}

/// What a posted form came to.
#[derive(Clone, Debug, Default)]
pub struct FormResult {
    /// What is served now, also when this build failed.
    pub deployment: Option<DeploymentLine>,
    pub diagnostics: Vec<DiagnosticLine>,
    /// As the compiler printed it.
    pub compiler_output: String,
    pub command: Option<CommandOutput>,
    /// A sentence: why nothing came of it.
    pub error: Option<String>,
    /// The stages that ran, in order.
    pub stages: Vec<StageTime>,
}

#[derive(Clone, Debug, Default)]
pub struct DeploymentLine {
    pub url: String,
    pub path_url: String,
    pub revision: u32,
    /// As it is to be shown: "26 November, 14:03 UTC".
    pub expires_at: String,
}

#[derive(Clone, Debug, Default)]
pub struct DiagnosticLine {
    /// "error", "warning" or "note".
    pub severity: String,
    /// "main.c:25:25"; empty without a place.
    pub place: String,
    pub message: String,
}

#[derive(Clone, Debug, Default)]
pub struct CommandOutput {
    /// `None` when it did not come to an exit: it trapped or reached a limit.
    pub exit_code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// What it came to without an exit code: "Trapped: unreachable in main".
    pub message: String,
}

#[derive(Clone, Debug, Default)]
pub struct StageTime {
    /// A key of `timings`: "build".
    pub name: String,
    pub microseconds: f64,
}

impl WorkshopPage {
    pub fn render(&self) -> String {
        match Files::embedded() {
            Some(files) => rendered(WorkshopTemplate::of(self, files).render()),
            None => rendered(PlainTemplate { page: WorkshopTemplate::of(self, Files::default()) }.render()),
        }
    }
}

#[cfg(test)]
mod tests;
