//! The layout of WAT: each line is indented by the parentheses and blocks that are open where it begins. Lines stay as they were divided, and all that is
//! in them but the blanks at their ends; so do lines inside block comments.

use std::collections::BTreeMap;

use crate::format::Formatted;
use crate::{BuildError, Language, SourceTree};

const INDENT: &str = "  ";
/// Deeper lines are indented no further.
const INDENTS_MAX: usize = 40;
/// Instructions that end with an `end` of their own where they stand in no parentheses.
const OPENERS: &[&str] = &["block", "loop", "if", "try", "try_table"];
/// They belong to the instruction that is open, and stand below its beginning.
const DIVIDERS: &[&str] = &["else", "catch", "catch_all", "delegate"];

pub(crate) fn format(source: &SourceTree) -> Result<Formatted, BuildError> {
    let file = Language::Wat.main_file();
    let text = source.files().get(file).map(String::as_str).unwrap_or_default();
    match laid_out(text) {
        Some(text) => Ok(Formatted { files: BTreeMap::from([(file.to_owned(), text)]), diagnostics: Vec::new() }),
        None => Ok(Formatted { files: BTreeMap::new(), diagnostics: super::build(source)?.diagnostics }),
    }
}

/// `None` when parentheses, blocks, strings or comments do not match.
fn laid_out(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut reader = Reader::default();
    let mut blank_lines = 0;
    for line in text.lines() {
        if reader.comment_depth > 0 {
            reader.read(line)?;
            out.push_str(line.trim_end());
            out.push('\n');
            continue;
        }
        let line = line.trim();
        if line.is_empty() {
            blank_lines += 1;
            continue;
        }
        if blank_lines > 0 && !out.is_empty() {
            out.push('\n');
        }
        blank_lines = 0;
        let depth = reader.depth;
        reader.read(line)?;
        let indents = depth.checked_sub(closed_first(line))?;
        out.extend(std::iter::repeat_n(INDENT, indents.min(INDENTS_MAX)));
        out.push_str(line);
        out.push('\n');
    }
    (reader.depth == 0 && reader.comment_depth == 0).then_some(out)
}

/// How much of what is open a line closes, or divides, before anything else is in it.
fn closed_first(line: &str) -> usize {
    let closers = line.bytes().take_while(|byte| matches!(byte, b')' | b' ')).filter(|&byte| byte == b')').count();
    let word = line.split(|character: char| character.is_whitespace() || matches!(character, '(' | ')' | ';')).next().unwrap_or_default();
    if closers == 0 && (word == "end" || DIVIDERS.contains(&word)) { 1 } else { closers }
}

/// What is open after the lines that were read.
#[derive(Default)]
struct Reader {
    /// Parentheses and blocks.
    depth: usize,
    comment_depth: usize,
    /// The last token was a parenthesis that opens: a word now names what is in it.
    opened: bool,
}

impl Reader {
    /// `None` when more is closed than is open, or a string does not end.
    fn read(&mut self, line: &str) -> Option<()> {
        let mut rest = line;
        while let Some(first) = rest.bytes().next() {
            let taken = if rest.starts_with("(;") {
                self.comment_depth += 1;
                2
            } else if self.comment_depth > 0 {
                let ends = rest.starts_with(";)");
                self.comment_depth -= usize::from(ends);
                if ends { 2 } else { rest.chars().next().map_or(1, char::len_utf8) }
            } else if rest.starts_with(";;") {
                return Some(());
            } else {
                self.token(first, rest)?
            };
            rest = &rest[taken..];
        }
        Some(())
    }

    /// Takes one token; its length.
    fn token(&mut self, first: u8, rest: &str) -> Option<usize> {
        let opened = self.opened;
        self.opened = first == b'(' || (opened && first.is_ascii_whitespace());
        match first {
            b'(' => self.depth += 1,
            b')' => self.depth = self.depth.checked_sub(1)?,
            b'"' => return string_length(rest),
            _ if first.is_ascii_whitespace() => {}
            _ => {
                let end = rest.find(|character: char| character.is_whitespace() || matches!(character, '(' | ')' | '"' | ';'));
                let word = &rest[..end.unwrap_or(rest.len())];
                if !opened && OPENERS.contains(&word) {
                    self.depth += 1;
                } else if !opened && matches!(word, "end" | "delegate") {
                    self.depth = self.depth.checked_sub(1)?;
                }
                return Some(word.len().max(1));
            }
        }
        Some(1)
    }
}

/// With both quotes.
fn string_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    let end = text.bytes().enumerate().skip(1).find(|&(_, byte)| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map(|(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(laid_out(text).as_deref(), Some(expected));
        assert_eq!(laid_out(expected).as_deref(), Some(expected), "a second time");
    }

    #[test]
    fn lines_are_indented_by_what_is_open() {
        check(
            "(module\n(func $f (param i32)\n      block $out  \n(br_if $out\n(local.get 0))\nlocal.get 0\nif\nnop\nelse\nunreachable\nend\nend\n)\n)",
            "(module\n  (func $f (param i32)\n    block $out\n      (br_if $out\n        (local.get 0))\n      local.get 0\n      if\n        nop\n      else\n        unreachable\n      end\n    end\n  )\n)\n",
        );
    }

    #[test]
    fn words_in_strings_comments_and_names_open_nothing() {
        check(
            "(module ;; (((\n(data \"(\\\" block\") (; ( ;) (export \"if\"\n(func $block)))",
            "(module ;; (((\n  (data \"(\\\" block\") (; ( ;) (export \"if\"\n    (func $block)))\n",
        );
        check(
            "(module\n(; a\n      picture \u{1f33f}  ;)\n\n\n\n(func))\n\n",
            "(module\n  (; a\n      picture \u{1f33f}  ;)\n\n  (func))\n",
        );
    }

    #[test]
    fn what_does_not_match_is_left() {
        for text in ["(module", "(module))", "(module (data \"a))", "(; a", "(func end)) (", "end"] {
            assert_eq!(laid_out(text), None, "{text}");
        }
    }
}
