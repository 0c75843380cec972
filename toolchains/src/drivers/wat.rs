//! WAT: the crate `wast`, in this process: it is a parser in safe Rust, and its input is bounded by the source limits. Decision 0003.

mod format;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use wast::Wat;
use wast::core::{EncodeOptions, GenerateDwarf};
use wast::parser::{self, ParseBuffer};

use crate::columns;
use crate::diagnostic::{Diagnostic, Severity};
use crate::{BuildError, Language, SourceTree};

use super::Built;

pub(crate) use format::format;

/// The version that the workspace pins; a test compares them.
pub(crate) const VERSION: &str = "263.0.0";
/// How much of a panic's message an error quotes.
const LAST_WORDS_CHARACTERS: usize = 400;

/// The binary of `main.wat`, with a name section made from its `$names`, or the one error that the parser stopped at.
/// A panic of the parser ends this build alone.
pub(crate) fn build(source: &SourceTree) -> Result<Built, BuildError> {
    contained(|| build_unguarded(source))
}

/// What `work` leaves half done when it panics is its own: nothing of it is used afterwards.
fn contained(work: impl FnOnce() -> Built) -> Result<Built, BuildError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let told = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        BuildError::Crashed { last_words: told.unwrap_or("a panic without words").chars().take(LAST_WORDS_CHARACTERS).collect() }
    })
}

fn build_unguarded(source: &SourceTree) -> Built {
    let file = Language::Wat.main_file();
    let text = source.files().get(file).map(String::as_str).unwrap_or_default();
    match encode(text) {
        Ok(wasm) => Built { wasm: Some(wasm), ..Built::default() },
        Err(mut error) => {
            error.set_path(Path::new(file));
            error.set_text(text);
            Built { wasm: None, diagnostics: vec![diagnostic(&error, file, text)], output: format!("error: {error}\n") }
        }
    }
}

fn encode(text: &str) -> Result<Vec<u8>, wast::Error> {
    let mut buffer = ParseBuffer::new(text)?;
    buffer.track_instr_spans(true);
    let mut wat = parser::parse::<Wat>(&buffer)?;
    EncodeOptions::new().dwarf(Path::new(Language::Wat.main_file()), text, GenerateDwarf::Lines).encode_wat(&mut wat)
}

fn diagnostic(error: &wast::Error, file: &str, text: &str) -> Diagnostic {
    let (line, column) = columns::place_of_offset(text, error.span().offset());
    Diagnostic {
        file: Some(file.to_owned()),
        line: Some(line),
        column: Some(column),
        ..Diagnostic::without_place(Severity::Error, "wat", error.message())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::SourceLimits;

    fn check(text: &str) -> Built {
        let files = BTreeMap::from([("main.wat".to_owned(), text.to_owned())]);
        build(&SourceTree::new(Language::Wat, files, &SourceLimits::default()).unwrap()).unwrap()
    }

    #[test]
    fn a_panic_of_the_parser_ends_only_the_build() {
        let ended = contained(|| panic!("leaf {}", 7));
        assert!(matches!(&ended, Err(BuildError::Crashed { last_words }) if last_words == "leaf 7"), "{ended:?}");
    }

    /// The longest nesting that the source limits allow, on a test's stack of 2 MiB: instructions nest on the heap.
    #[test]
    fn nesting_does_not_exhaust_the_stack() {
        let deep = format!("(module (func {}{}))", "(block".repeat(37_000), ")".repeat(37_000));
        assert!(check(&deep).wasm.is_some());
    }

    /// What the compiler's decision 0005 says of the size, lines included.
    #[test]
    fn the_binary_is_in_proportion_to_the_text() {
        for text in [format!("(module (func {}))", "nop ".repeat(60_000)), format!("(module {})", "(func)".repeat(40_000))] {
            let bytes = check(&text).wasm.unwrap().len();
            assert!(bytes <= 9 * text.len(), "{bytes} of {}", text.len());
        }
    }

    #[test]
    fn a_module_keeps_its_names() {
        let wasm = check("(module (func $frond (export \"run\")))").wasm.unwrap();
        assert!(wasm.starts_with(b"\0asm"));
        assert!(wasm.windows(5).any(|bytes| bytes == b"frond"));
    }

    #[test]
    fn an_error_has_line_and_column_in_utf16_units() {
        let built = check("(module\n  (; \u{1f33f} ;) (func (i32.nonsense)))");
        let error = &built.diagnostics[0];
        assert_eq!((error.line, error.column), (Some(2), Some(19)));
        assert!(error.message.contains("unknown operator"), "{}", error.message);
        assert!(built.wasm.is_none() && built.output.contains("main.wat:2:"), "{}", built.output);
    }

    #[test]
    fn the_version_is_the_one_that_the_workspace_pins() {
        let manifest = include_str!("../../../Cargo.toml");
        assert!(manifest.contains(&format!("\nwast = {{ version = \"={VERSION}\"")));
    }
}
