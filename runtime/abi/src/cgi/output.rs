//! Where a program's output has its header block, if it has one.
//!
//! ```text
//! Content-Type: text/html   ┐ header block: lines "name: value", one of them
//! X-Greeting: hello         ┘ Content-Type, Status or Location
//!                             an empty line
//! <!doctype html>…            body
//! ```
//! Anything else is all body: a first `printf("hello")` must show something.

/// How long a header block may be, in bytes.
pub(super) const HEADER_BLOCK_BYTES_MAX: usize = 64 << 10;

/// What output consists of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Output<'o> {
    /// Lines of the header block, and where the body begins.
    Headed { lines: Vec<&'o [u8]>, body_start: usize },
    /// All is body; the hint says why that may not be what was meant.
    Body { hint: &'static str },
}

const EMPTY: &str = "the program printed nothing";
const NO_HEADER: &str =
    "the output has no header block, so it is served as text; print a line \"Content-Type: …\" and an empty line before it";
const HTML: &str = "the output looks like HTML but has no header block, so it is served as text; print \"Content-Type: text/html\" and an empty line before it";
const SVG: &str = "the output looks like SVG but has no header block, so it is served as text; print \"Content-Type: image/svg+xml\" and an empty line before it";
const NOT_FIRST: &str =
    "the output begins with a line that is no header, so its header block is served as text; print the header block before anything else";
const NO_END: &str =
    "the header block does not end in an empty line, so all is served as text; print an empty line between header block and body";

/// Finds the header block.
pub(super) fn divide(stdout: &[u8]) -> Output<'_> {
    let block = Block::read(stdout);
    let headed = block.lines.first().is_some_and(|line| is_header(line));
    match block.body_start {
        Some(body_start) if headed && block.decides => Output::Headed { lines: block.lines, body_start },
        None if headed && block.decides => Output::Body { hint: NO_END },
        _ if block.decides => Output::Body { hint: NOT_FIRST },
        _ => Output::Body { hint: hint(stdout) },
    }
}

/// Whether nothing that a program prints from now on changes how its output is divided: its header block has ended, or it can have none.
pub(super) fn is_divided(stdout: &[u8]) -> bool {
    let first = stdout.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let whole_line = first.len() < stdout.len();
    let may_be_header = if whole_line { is_header(first) } else { may_become_header(first) };
    !may_be_header || stdout.len() > HEADER_BLOCK_BYTES_MAX || Block::read(stdout).body_start.is_some()
}

/// Of a line that is not complete.
fn may_become_header(line: &[u8]) -> bool {
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    name.is_empty() && line.is_empty() || http::HeaderName::from_bytes(name).is_ok()
}

/// The lines before the first empty one.
struct Block<'o> {
    lines: Vec<&'o [u8]>,
    /// Whether a line among them makes it a header block.
    decides: bool,
    body_start: Option<usize>,
}

impl<'o> Block<'o> {
    fn read(stdout: &'o [u8]) -> Block<'o> {
        let mut block = Block { lines: Vec::new(), decides: false, body_start: None };
        let mut at = 0;
        for line in stdout.split_inclusive(|byte| *byte == b'\n') {
            at += line.len();
            if at > HEADER_BLOCK_BYTES_MAX {
                break;
            }
            let text = line.strip_suffix(b"\n").map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line));
            if text.is_empty() {
                block.body_start = Some(at);
                break;
            }
            block.decides |= decides(text);
            block.lines.push(text);
        }
        block
    }
}

fn is_header(line: &[u8]) -> bool {
    name(line).is_some_and(|name| http::HeaderName::from_bytes(name).is_ok())
}

fn decides(line: &[u8]) -> bool {
    const DECIDING: [&[u8]; 3] = [b"content-type", b"status", b"location"];
    name(line).is_some_and(|name| DECIDING.iter().any(|deciding| name.eq_ignore_ascii_case(deciding)))
}

fn name(line: &[u8]) -> Option<&[u8]> {
    line.split(|byte| *byte == b':').next().filter(|name| name.len() < line.len())
}

fn hint(stdout: &[u8]) -> &'static str {
    let text = stdout.trim_ascii_start();
    let begins = |tag: &str| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes()));
    match () {
        () if stdout.is_empty() => EMPTY,
        () if begins("<!doctype html") || begins("<html") => HTML,
        () if begins("<svg") => SVG,
        () => NO_HEADER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn headed(stdout: &str, body: &str) {
        match divide(stdout.as_bytes()) {
            Output::Headed { body_start, .. } => assert_eq!(&stdout[body_start..], body),
            other => panic!("{stdout:?} gives {other:?}"),
        }
    }

    #[track_caller]
    fn body(stdout: &str, hint: &'static str) {
        assert_eq!(divide(stdout.as_bytes()), Output::Body { hint }, "{stdout:?}");
    }

    #[test]
    fn a_header_block_decides_and_ends() {
        headed("Content-Type: text/html\n\n<p>", "<p>");
        headed("content-type: text/html\r\n\r\n<p>", "<p>");
        headed("X-A: b\nStatus: 404\n\n", "");
        headed("Location: /\n\nx\n\ny", "x\n\ny");
        headed("Status: 200\r\n\nmixed", "mixed");
    }

    #[test]
    fn anything_else_is_body() {
        body("", EMPTY);
        body("hello", NO_HEADER);
        body("Hello: world\n\nmore", NO_HEADER);
        body("\nContent-Type: text/html\n\n", NO_HEADER);
        body("hello\nContent-Type: text/html\n\n<p>", NOT_FIRST);
        body("Content-Type: text/html\n<p>", NO_END);
        body("Content-Type: text/html\n", NO_END);
        body("Content-Type", NO_HEADER);
        body("\u{1F33F}: x\nStatus: 200\n\n", NOT_FIRST);
    }

    #[test]
    fn output_is_divided_once_nothing_can_change_that() {
        for undecided in ["", "C", "Content-Type: text/html\n", "Content-Type: text/html\n<p>", "hello", "X: y\nz\n"] {
            assert!(!is_divided(undecided.as_bytes()), "{undecided:?}");
        }
        for decided in ["hello world", "hello\n", "\n", "<html>", "Content-Type: text/html\n\n", "X: y\r\n\r\n", ": x", "\u{1F33F}"] {
            assert!(is_divided(decided.as_bytes()), "{decided:?}");
        }
        assert!(is_divided(format!("Status: 200\nX: {}", "x".repeat(HEADER_BLOCK_BYTES_MAX)).as_bytes()));
    }

    #[test]
    fn pages_without_header_are_recognised() {
        body("<!DOCTYPE html><p>", HTML);
        body("\n <html>", HTML);
        body("<svg xmlns=\"\">", SVG);
        body("<p>", NO_HEADER);
    }

    #[test]
    fn a_block_is_bounded() {
        let long = format!("Status: 200\nX: {}\n\nbody", "x".repeat(HEADER_BLOCK_BYTES_MAX));
        body(&long, NO_END);
        let newlines = format!("a: {}", "b:\n".repeat(HEADER_BLOCK_BYTES_MAX));
        body(&newlines, NO_HEADER);
    }
}
