//! A line of assertions, read.

use super::comparison::Comparison;
use super::target::Target;

#[derive(Debug, Clone)]
pub struct Assertion {
    /// In its text, from 1.
    pub line: usize,
    /// What it is called; its own words, where it has no label.
    pub label: String,
    pub target: Target,
    pub comparison: Comparison,
}

/// A line that says nothing that could hold or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    pub line: usize,
    pub text: String,
    /// A sentence.
    pub reason: String,
}

/// The assertions of a text, in order.
pub fn read(text: &str) -> Vec<Result<Assertion, Unreadable>> {
    said(text).map(|(line, text)| assertion(line, text).map_err(|reason| Unreadable { line, text: text.to_owned(), reason })).collect()
}

/// How many assertions there are in a text.
pub fn count(text: &str) -> usize {
    said(text).count()
}

/// Lines that say something, by their number.
fn said(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

fn assertion(line: usize, text: &str) -> Result<Assertion, String> {
    let (label, rest) = label_of(text)?;
    let (target, rest) = split_target(rest);
    let (word, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let target = Target::read(target)?;
    if word.is_empty() {
        return Err(format!("nothing is said of {target}: write {target} is …"));
    }
    let comparison = Comparison::read(word, value.trim(), matches!(target, Target::Timing(_)))?;
    Ok(Assertion { line, label: label.unwrap_or(text).to_owned(), target, comparison })
}

/// `[label] rest`
fn label_of(text: &str) -> Result<(Option<&str>, &str), String> {
    match text.strip_prefix('[') {
        None => Ok((None, text)),
        Some(rest) => {
            let (label, rest) = rest.split_once(']').ok_or("the label has no ] at its end")?;
            Ok((Some(label.trim()), rest.trim_start()))
        }
    }
}

/// The target ends at the first blank that is not within `["…"]`.
fn split_target(text: &str) -> (&str, &str) {
    let mut is_quoted = false;
    let end = text.find(|letter: char| {
        is_quoted ^= letter == '"';
        letter.is_whitespace() && !is_quoted
    });
    let end = end.unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}
