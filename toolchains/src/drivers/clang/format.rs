//! clang-format. It lays out what it does not understand as well as it can, so it has no mistakes to tell.

use crate::diagnostic::{Diagnostic, Severity};
use crate::drivers::Tools;
use crate::format::{Formatted, run_in_place};
use crate::jail::JailPaths;
use crate::process::Budget;
use crate::{BuildError, SourceTree};

/// The layout of the starters. Given in full, so that no file of the project is read for it.
const STYLE: &str = "--style={BasedOnStyle: LLVM, IndentWidth: 4, ColumnLimit: 120, AccessModifierOffset: -4, \
    AllowShortFunctionsOnASingleLine: All, InsertNewlineAtEOF: true, PackConstructorInitializers: CurrentLine, AlignAfterOpenBracket: Align}";

pub(crate) fn format(tools: &Tools, source: &SourceTree, budget: &Budget) -> Result<Formatted, BuildError> {
    let names: Vec<&str> = source.files().keys().map(String::as_str).filter(|name| is_laid_out(name)).collect();
    let arguments = |paths: &JailPaths| {
        let files = names.iter().map(|name| format!("{}/{name}", paths.output));
        [STYLE.to_owned(), "-i".to_owned()].into_iter().chain(files).collect()
    };
    let program = format!("{}/bin/clang-format", tools.llvm_folder(""));
    let run = run_in_place(tools, source, budget, &program, is_laid_out, arguments)?;
    let failed = (run.code != 0).then(|| Diagnostic::without_place(Severity::Error, "clang-format", run.output.trim()));
    Ok(Formatted { files: run.files, diagnostics: failed.into_iter().collect() })
}

fn is_laid_out(name: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    matches!(extension, Some("c" | "cc" | "cpp" | "cxx" | "h" | "hh" | "hpp"))
}
