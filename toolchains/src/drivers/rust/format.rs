//! rustfmt, from `main.rs` through the modules that it names.

use crate::columns;
use crate::diagnostic::{Diagnostic, Severity};
use crate::drivers::Tools;
use crate::format::{Formatted, no_settings, run_in_place};
use crate::jail::JailPaths;
use crate::messages::{DIAGNOSTICS_MAX, Sources};
use crate::process::Budget;
use crate::{BuildError, Language, SourceTree};

const PROGRAM: &str = "/rust/bin/rustfmt";

pub(crate) fn format(tools: &Tools, source: &SourceTree, budget: &Budget) -> Result<Formatted, BuildError> {
    // Without settings of ours rustfmt looks for the project's beside `main.rs`, and for the host's in all folders above.
    let arguments = |paths: &JailPaths| {
        let main = format!("{}/{}", paths.output, Language::Rust.main_file());
        let settings = format!("--config-path={}", no_settings(paths));
        ["--edition=2024", "--color=never", "--emit=files", &settings, &main].map(str::to_owned).to_vec()
    };
    let run = run_in_place(tools, source, budget, PROGRAM, |name| name.ends_with(".rs"), arguments)?;
    let diagnostics = if run.code == 0 { Vec::new() } else { read(&run.output, source.files()) };
    Ok(Formatted { files: run.files, diagnostics })
}

/// What rustfmt prints is for people: `error: MESSAGE`, and ` --> FILE:LINE:COLUMN` on the next line.
fn read(output: &str, sources: &Sources) -> Vec<Diagnostic> {
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    for line in output.lines() {
        if let Some(message) = line.strip_prefix("error").and_then(|rest| Some(rest.split_once(": ")?.1)) {
            diagnostics.push(Diagnostic::without_place(Severity::Error, "rustfmt", message));
        } else if let (Some(place), Some(last)) = (line.trim_start().strip_prefix("--> "), diagnostics.last_mut()) {
            set_place(last, place, sources);
        }
    }
    diagnostics.truncate(DIAGNOSTICS_MAX);
    if diagnostics.is_empty() {
        diagnostics.push(Diagnostic::without_place(Severity::Error, "rustfmt", output.lines().next().unwrap_or("rustfmt failed")));
    }
    diagnostics
}

fn set_place(diagnostic: &mut Diagnostic, place: &str, sources: &Sources) {
    let mut parts = place.rsplitn(3, ':');
    let (Some(column), Some(line), Some(file)) = (parts.next(), parts.next(), parts.next()) else { return };
    let (Ok(column), Ok(line)) = (column.parse(), line.parse()) else { return };
    let text = sources.get(file).map(String::as_str);
    diagnostic.column = Some(columns::from_character_column(text, line, column));
    (diagnostic.file, diagnostic.line) = (Some(file.to_owned()), Some(line));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_has_its_place() {
        let output = "error: expected expression, found `}`\n --> main.rs:2:3\n  |\n2 | \u{1f33f} }\n  |   ^ expected expression\n\n";
        let sources = Sources::from([("main.rs".to_owned(), "\n\u{1f33f} }".to_owned())]);
        let diagnostics = read(output, &sources);
        assert_eq!(diagnostics.len(), 1);
        let told = &diagnostics[0];
        assert_eq!((told.file.as_deref(), told.line, told.column), (Some("main.rs"), Some(2), Some(4)));
        assert_eq!(told.message, "expected expression, found `}`");
        assert_eq!(read("thread panicked\n", &sources)[0].message, "thread panicked");
    }
}
