//! prettier, in a node of its own in the jail: the warm workers are for builds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::diagnostic::Diagnostic;
use crate::drivers::Tools;
use crate::format::{Formatted, read_text};
use crate::job::JobFolder;
use crate::process::Budget;
use crate::{BuildError, SourceTree, verdict};

use super::NODE_HEAP_OPTION;

const SCRIPT: &str = include_str!("format.mjs");
const ANSWER: &str = "formatted.json";
/// JSON writes a control character as six bytes.
const JSON_BYTES_PER_BYTE_MAX: u64 = 6;
/// What is in the answer beside text: names and diagnostics.
const ANSWER_BYTES: u64 = 64 * 1024;

#[derive(Serialize)]
struct Request<'a> {
    files: BTreeMap<&'a str, &'a str>,
}

#[derive(Deserialize)]
struct Answer {
    files: BTreeMap<String, String>,
    diagnostics: Vec<Diagnostic>,
}

pub(crate) fn format(tools: &Tools, source: &SourceTree, budget: &Budget) -> Result<Formatted, BuildError> {
    let budget = &with_room_for_json(budget);
    let job = JobFolder::create(&tools.jail.toolchains)?;
    let files =
        source.files().iter().map(|(name, text)| (name.as_str(), text.as_str())).filter(|(name, _)| name.ends_with(".ts")).collect();
    let request = serde_json::to_string(&Request { files }).map_err(|error| unreadable("the request", error))?;
    job.write_sources(&BTreeMap::from([("format.mjs".to_owned(), SCRIPT.to_owned()), ("request.json".to_owned(), request)]))?;
    let paths = tools.jail.paths(&job);
    let arguments = [
        NODE_HEAP_OPTION.to_owned(),
        format!("{}/format.mjs", paths.source),
        format!("{}/asc", paths.root),
        format!("{}/{ANSWER}", paths.output),
    ];
    let finished = tools.run(&job, budget, &format!("{}/usr/bin/node", paths.root), &arguments)?;
    if verdict::exit_code(&finished, &budget.limits)? != 0 {
        return Err(BuildError::Crashed { last_words: verdict::last_words(&finished.output) });
    }
    let mut answer: Answer = serde_json::from_str(&read_text(&job, ANSWER, budget)?).map_err(|error| unreadable("the answer", error))?;
    // Whoever took node over must not add files to the program.
    answer.files.retain(|name, _| source.files().contains_key(name));
    Ok(Formatted { files: answer.files, diagnostics: answer.diagnostics })
}

/// The text of all files comes in one.
fn with_room_for_json(budget: &Budget) -> Budget {
    let mut budget = budget.clone();
    let text_bytes_max = budget.limits.build_file_bytes_max;
    budget.limits.build_file_bytes_max = text_bytes_max.saturating_mul(JSON_BYTES_PER_BYTE_MAX).saturating_add(ANSWER_BYTES);
    budget
}

fn unreadable(what: &str, error: serde_json::Error) -> BuildError {
    BuildError::Io { what: format!("{what} of prettier cannot be written or read"), error: error.into() }
}
