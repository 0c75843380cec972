//! Laying out source: what a formatter of each language makes of a program's text. Nothing but layout changes.

use std::collections::BTreeMap;

use crate::drivers::Tools;
use crate::jail::JailPaths;
use crate::job::JobFolder;
use crate::process::Budget;
use crate::{BuildError, BuildLimits, Diagnostic, Severity, SourceTree, text, verdict};

/// A program laid out.
#[derive(Clone, Debug)]
pub struct FormatReport {
    /// Every file of the program by name; one that no formatter knows, or that has mistakes, as it was.
    pub files: BTreeMap<String, String>,
    /// Why files stayed as they were.
    pub diagnostics: Vec<Diagnostic>,
    /// Wall time, microseconds.
    pub format_us: u64,
}

/// What a driver made of a program's files.
#[derive(Debug, Default)]
pub(crate) struct Formatted {
    /// Those that it laid out.
    pub files: BTreeMap<String, String>,
    pub diagnostics: Vec<Diagnostic>,
}

/// What a formatter did that writes over the files that it is given.
pub(crate) struct InPlace {
    pub files: BTreeMap<String, String>,
    pub code: i32,
    /// As the user may read it.
    pub output: String,
}

/// What a formatter may write: no file that is longer than all may be together. Indentation makes a text of so many lines much longer than it was.
pub(crate) fn limits_for(source: &SourceTree, limits: &BuildLimits) -> BuildLimits {
    let source_bytes_max = limits.source_bytes_max.max(bytes_of(source.files()));
    BuildLimits { source_bytes_max, build_file_bytes_max: source_bytes_max as u64, ..*limits }
}

/// All files of the program: those that were laid out in the place of what they were, or all as they were when they would be longer than a program may be.
pub(crate) fn settle(
    source: &SourceTree,
    formatted: Result<Formatted, BuildError>,
    source_bytes_max: usize,
) -> Result<Formatted, BuildError> {
    let mut files = source.files().clone();
    let diagnostics = match formatted {
        Err(BuildError::FileTooLarge { .. }) => return Ok(too_large(source, source_bytes_max)),
        formatted => {
            let formatted = formatted?;
            files.extend(formatted.files);
            formatted.diagnostics
        }
    };
    if bytes_of(&files) > source_bytes_max {
        return Ok(too_large(source, source_bytes_max));
    }
    Ok(Formatted { files, diagnostics })
}

fn too_large(source: &SourceTree, source_bytes_max: usize) -> Formatted {
    let sentence =
        format!("laid out, the program would be longer than the limit source_bytes_max of {source_bytes_max} bytes: it stays as it was");
    let diagnostic = Diagnostic::without_place(Severity::Error, "layout", &sentence);
    Formatted { files: source.files().clone(), diagnostics: vec![diagnostic] }
}

fn bytes_of(files: &BTreeMap<String, String>) -> usize {
    files.values().map(String::len).sum()
}

/// An empty file beside nothing of the program's, in the folder that a formatter may not write: settings that leave everything as it is.
const NO_SETTINGS: &str = "no-settings.toml";

/// Where that file is for the formatter.
pub(crate) fn no_settings(paths: &JailPaths) -> String {
    format!("{}/{NO_SETTINGS}", paths.source)
}

/// Runs a formatter that writes over its files, which are copies in the job's output folder. `is_wanted` says which files it may change, `arguments` are
/// made of the job's paths.
pub(crate) fn run_in_place(
    tools: &Tools,
    source: &SourceTree,
    budget: &Budget,
    program: &str,
    is_wanted: impl Fn(&str) -> bool,
    arguments: impl FnOnce(&JailPaths) -> Vec<String>,
) -> Result<InPlace, BuildError> {
    let job = JobFolder::create(&tools.jail.toolchains)?;
    job.write_input(NO_SETTINGS, b"")?;
    job.write_outputs(source.files())?;
    let paths = tools.jail.paths(&job);
    let finished = tools.run(&job, budget, &format!("{}{program}", paths.root), &arguments(&paths))?;
    let code = verdict::exit_code(&finished, &budget.limits)?;
    let output = text::with_user_paths(&text::plain(&String::from_utf8_lossy(&finished.output)), &paths);
    let names = source.files().keys().filter(|name| is_wanted(name));
    let files = names.map(|name| Ok((name.clone(), read_text(&job, name, budget)?))).collect::<Result<_, BuildError>>()?;
    Ok(InPlace { files, code, output })
}

/// The text that a formatter left. An empty file is no output to others, and a text like any here.
pub(crate) fn read_text(job: &JobFolder, name: &str, budget: &Budget) -> Result<String, BuildError> {
    let bytes_max = usize::try_from(budget.limits.build_file_bytes_max).unwrap_or(usize::MAX);
    let bytes = job.read_text(name, bytes_max).map_err(|error| match error {
        BuildError::WasmTooLarge { .. } => BuildError::FileTooLarge { build_file_bytes_max: budget.limits.build_file_bytes_max },
        error => error,
    })?;
    String::from_utf8(bytes).map_err(|_| BuildError::Crashed { last_words: format!("the formatter left no text in {name}") })
}
