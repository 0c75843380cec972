//! Laying out source: what a formatter of each language makes of a program's text. Nothing but layout changes.

use std::collections::BTreeMap;

use crate::drivers::Tools;
use crate::job::JobFolder;
use crate::process::Budget;
use crate::{BuildError, Diagnostic, SourceTree, text, verdict};

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

/// Runs a formatter that writes over its files, which are copies in the job's output folder. `is_wanted` says which files it may change, `arguments` are
/// made of their folder.
pub(crate) fn run_in_place(
    tools: &Tools,
    source: &SourceTree,
    budget: &Budget,
    program: &str,
    is_wanted: impl Fn(&str) -> bool,
    arguments: impl FnOnce(&str) -> Vec<String>,
) -> Result<InPlace, BuildError> {
    let job = JobFolder::create(&tools.jail.toolchains)?;
    job.write_outputs(source.files())?;
    let paths = tools.jail.paths(&job);
    let finished = tools.run(&job, budget, &format!("{}{program}", paths.root), &arguments(&paths.output))?;
    let code = verdict::exit_code(&finished, &budget.limits)?;
    let output = text::with_user_paths(&text::plain(&String::from_utf8_lossy(&finished.output)), &paths);
    let names = source.files().keys().filter(|name| is_wanted(name));
    let files = names.map(|name| Ok((name.clone(), read_text(&job, name, budget)?))).collect::<Result<_, BuildError>>()?;
    Ok(InPlace { files, code, output })
}

/// The text that a formatter left. An empty file is no output to others, and a text like any here.
pub(crate) fn read_text(job: &JobFolder, name: &str, budget: &Budget) -> Result<String, BuildError> {
    let bytes_max = usize::try_from(budget.limits.build_file_bytes_max).unwrap_or(usize::MAX);
    String::from_utf8(job.read_text(name, bytes_max)?)
        .map_err(|_| BuildError::Crashed { last_words: format!("the formatter left no text in {name}") })
}
