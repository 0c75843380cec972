//! wasm-ld: `wasm-ld: error: OBJECT: MESSAGE`. A linker knows symbols and objects, no lines.

use super::{DIAGNOSTICS_MAX, NOTES_MAX};
use crate::diagnostic::{Diagnostic, Note, Severity};

const LEVELS: &[(&str, Severity)] = &[("wasm-ld: error: ", Severity::Error), ("wasm-ld: warning: ", Severity::Warning)];

/// Reads what wasm-ld printed; `source_name` gives the user's file of an object.
pub(crate) fn read(text: &str, source_name: impl Fn(&str) -> Option<String>) -> Vec<Diagnostic> {
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    for line in text.lines().map(str::trim_start) {
        let found = LEVELS.iter().find_map(|&(level, severity)| line.strip_prefix(level).map(|message| (message, severity)));
        if let Some((message, severity)) = found.filter(|_| diagnostics.len() < DIAGNOSTICS_MAX) {
            diagnostics.push(diagnostic(message, severity, &source_name));
        } else if let (Some(more), Some(last)) =
            (line.strip_prefix(">>> "), diagnostics.last_mut().filter(|last| last.notes.len() < NOTES_MAX))
        {
            last.notes.push(Note { message: more.to_owned(), file: None, line: None, column: None });
        }
    }
    diagnostics
}

fn diagnostic(text: &str, severity: Severity, source_name: impl Fn(&str) -> Option<String>) -> Diagnostic {
    let of_object = text.split_once(": ").and_then(|(object, message)| source_name(object).map(|file| (file, message)));
    match of_object {
        Some((file, message)) => Diagnostic { file: Some(file), ..Diagnostic::without_place(severity, "wasm-ld", message) },
        None => Diagnostic::without_place(severity, "wasm-ld", text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_undefined_symbol_names_its_file() {
        let text = "wasm-ld: error: main.c.o: undefined symbol: grow\nwasm-ld: error: duplicate symbol: x\n>>> defined in a.o\n>>> defined in b.o\n";
        let diagnostics = read(text, |object| object.strip_suffix(".o").map(str::to_owned));
        assert_eq!(diagnostics[0].file.as_deref(), Some("main.c"));
        assert_eq!(diagnostics[0].message, "undefined symbol: grow");
        assert_eq!((diagnostics[1].line, diagnostics[1].notes.len()), (None, 2));
    }
}
