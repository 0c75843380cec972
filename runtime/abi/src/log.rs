//! What programs print as log lines: split, cleaned of terminal controls, bounded.
//!
//! ```text
//! bytes ─► Filter (drops escape sequences and controls) ─► line under construction ─► LogLine
//! ```
//! The filter works on bytes as they come, so that a sequence cut by a write or by the length of a line is still recognised. Each stream has its own.

/// Who wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
    /// The host itself, about the program.
    Vivarium,
}

impl Stream {
    pub fn as_str(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
            Stream::Vivarium => "vivarium",
        }
    }
}

/// One line, without its newline and without control characters but tabs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub stream: Stream,
    pub text: String,
}

/// Splits what a guest writes to its streams.
#[derive(Debug)]
pub(crate) struct LogLines {
    unfinished: [Unfinished; 2],
    line_bytes_max: usize,
    /// What messages may take from now on, in bytes.
    message_bytes_left: u64,
    complete: Vec<LogLine>,
    /// How many lines may still be made.
    lines_left: u32,
    truncated: bool,
}

/// A line under construction.
#[derive(Debug)]
struct Unfinished {
    stream: Stream,
    filter: Filter,
    line: Vec<u8>,
}

impl Unfinished {
    fn of(stream: Stream) -> Unfinished {
        Unfinished { stream, filter: Filter::Text, line: Vec::new() }
    }
}

impl LogLines {
    /// `message_bytes_max` bounds what is written by [`LogLines::message`]; whoever pushes bounds that himself.
    pub(crate) fn new(line_bytes_max: usize, lines_max: u32, message_bytes_max: u64) -> LogLines {
        LogLines {
            unfinished: [Stream::Stderr, Stream::Stdout].map(Unfinished::of),
            // A line must have room for one character.
            line_bytes_max: line_bytes_max.max(4),
            message_bytes_left: message_bytes_max,
            complete: Vec::new(),
            lines_left: lines_max,
            truncated: false,
        }
    }

    /// Standard error.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.push_to(0, bytes);
    }

    /// Standard output, where that is a log.
    pub(crate) fn push_stdout(&mut self, bytes: &[u8]) {
        self.push_to(1, bytes);
    }

    fn push_to(&mut self, n: usize, bytes: &[u8]) {
        let mut line = std::mem::replace(&mut self.unfinished[n], Unfinished::of(Stream::Stderr));
        self.split(&mut line, bytes);
        self.unfinished[n] = line;
    }

    /// A message to a named endpoint: its lines, each after that name.
    pub(crate) fn message(&mut self, name: &str, bytes: &[u8]) {
        let fitting = bytes.len().min(usize::try_from(self.message_bytes_left).unwrap_or(usize::MAX));
        self.message_bytes_left -= fitting as u64;
        for line in bytes[..fitting].strip_suffix(b"\n").unwrap_or(&bytes[..fitting]).split(|byte| *byte == b'\n') {
            let mut unfinished = Unfinished::of(Stream::Stdout);
            self.split(&mut unfinished, name.as_bytes());
            unfinished.filter = Filter::Text;
            self.split(&mut unfinished, b": ");
            self.split(&mut unfinished, line);
            if !self.truncated {
                self.end_line(&mut unfinished);
            }
        }
        if fitting < bytes.len() {
            self.truncate();
        }
    }

    /// A line of the host itself, if there is room for one.
    pub(crate) fn note(&mut self, text: String) {
        if self.truncated || self.lines_left == 0 {
            return self.truncate();
        }
        self.lines_left -= 1;
        self.complete.push(LogLine { stream: Stream::Vivarium, text });
    }

    fn split(&mut self, unfinished: &mut Unfinished, bytes: &[u8]) {
        for &byte in bytes {
            if self.truncated {
                return;
            }
            match byte {
                b'\n' => self.end_line(unfinished),
                _ if unfinished.filter.passes(byte) => self.push_byte(unfinished, byte),
                _ => {}
            }
        }
    }

    /// Ends the log with a line that says so; what comes later is dropped.
    pub(crate) fn truncate(&mut self) {
        self.flush();
        if self.truncated {
            return;
        }
        self.truncated = true;
        self.complete.push(LogLine { stream: Stream::Vivarium, text: "… truncated".to_string() });
    }

    pub(crate) fn is_truncated(&self) -> bool {
        self.truncated
    }

    pub(crate) fn take(&mut self) -> Vec<LogLine> {
        std::mem::take(&mut self.complete)
    }

    /// Completes last lines that have no newline.
    pub(crate) fn flush(&mut self) {
        for n in 0..self.unfinished.len() {
            if !self.unfinished[n].line.is_empty() && !self.truncated {
                self.push_to(n, b"\n");
            }
        }
    }

    fn push_byte(&mut self, unfinished: &mut Unfinished, byte: u8) {
        if unfinished.line.len() >= self.line_bytes_max {
            let tail = unfinished.line.split_off(character_start(&unfinished.line));
            self.emit(unfinished);
            unfinished.line = tail;
        }
        unfinished.line.push(byte);
    }

    fn end_line(&mut self, unfinished: &mut Unfinished) {
        unfinished.filter = Filter::Text;
        self.emit(unfinished);
    }

    fn emit(&mut self, unfinished: &mut Unfinished) {
        let line = std::mem::take(&mut unfinished.line);
        if self.lines_left == 0 {
            return self.truncate();
        }
        self.lines_left -= 1;
        let text = String::from_utf8_lossy(&line).chars().filter(|character| *character == '\t' || !character.is_control()).collect();
        self.complete.push(LogLine { stream: unfinished.stream, text });
    }
}

/// Where to cut a full line: before its last character if that one may be incomplete, else at its end.
fn character_start(line: &[u8]) -> usize {
    let last = line.len() - line.len().min(3);
    for start in (last..line.len()).rev() {
        match line[start] {
            0x80..=0xBF => continue,
            0xC2..=0xF4 if start > 0 && std::str::from_utf8(&line[start..]).is_err() => return start,
            _ => break,
        }
    }
    line.len()
}

/// Recognises terminal control sequences (ECMA-48) in a stream of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filter {
    Text,
    /// After ESC, or after ESC and intermediate bytes.
    Escape,
    /// In a control sequence: parameters until a final byte.
    Control,
    /// In a control string: anything until BEL or ESC \.
    String,
}

impl Filter {
    /// Takes one byte and says whether it is text.
    fn passes(&mut self, byte: u8) -> bool {
        let (next, text) = match (*self, byte) {
            (_, 0x1B) => (Filter::Escape, false),
            (Filter::Text, b'\t') => (Filter::Text, true),
            (Filter::Text, 0x00..=0x1F | 0x7F) => (Filter::Text, false),
            (Filter::Text, _) => (Filter::Text, true),
            (Filter::Escape, b'[') => (Filter::Control, false),
            (Filter::Escape, b']' | b'P' | b'X' | b'^' | b'_') => (Filter::String, false),
            (Filter::Escape, 0x20..=0x2F) => (Filter::Escape, false),
            (Filter::Escape, _) => (Filter::Text, false),
            (Filter::Control, 0x40..=0x7E) => (Filter::Text, false),
            (Filter::Control, 0x80..) => (Filter::Text, true),
            (Filter::Control, _) => (Filter::Control, false),
            (Filter::String, 0x07) => (Filter::Text, false),
            (Filter::String, _) => (Filter::String, false),
        };
        *self = next;
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(writes: &[&str], expected: &[&str]) {
        let mut lines = LogLines::new(16, 100, 1000);
        for write in writes {
            lines.push(write.as_bytes());
        }
        lines.flush();
        let texts: Vec<String> = lines.take().into_iter().map(|line| line.text).collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn lines_end_at_newlines() {
        check(&["a\nb", "c\r\n\nd"], &["a", "bc", "", "d"]);
    }

    #[test]
    fn controls_and_escapes_are_dropped() {
        check(&["\x1b[1;31mred\x1b[0m\n"], &["red"]);
        check(&["\x1b]0;title\x07x\n"], &["x"]);
        check(&["\x1b]8;;u\x1b\\link\x1b]8;;\x1b\\\n"], &["link"]);
        check(&["a\x1b", "[3", "2mb\n"], &["ab"]);
        check(&["\x1b(Bc\x00\x08\x7f\td\u{9b}e\n"], &["c\tde"]);
        check(&["\x1b]never ends\nnext\n"], &["", "next"]);
        check(&["\x1b[\u{e4}\n"], &["\u{e4}"]);
    }

    #[test]
    fn long_lines_are_split_between_characters() {
        check(&["0123456789abcdefXY\n"], &["0123456789abcdef", "XY"]);
        check(&["0123456789abcdeäXY\n"], &["0123456789abcde", "äXY"]);
        check(&["0123456789abcdäXY\n"], &["0123456789abcdä", "XY"]);
        check(&["0123456789abc😀XY\n"], &["0123456789abc", "😀XY"]);
        check(&["0123456789ab😀XY\n"], &["0123456789ab😀", "XY"]);
        check(&["0123456789abcdef\n"], &["0123456789abcdef"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let mut lines = LogLines::new(16, 100, 1000);
        lines.push(&[b'a', 0xff, b'b', b'\n', 0xff, 0xff, 0xff, 0xff]);
        lines.push(&[0x80; 40]);
        lines.flush();
        assert_eq!(lines.take()[0].text, "a\u{fffd}b");
    }

    #[test]
    fn too_many_lines_end_in_one_mark() {
        let mut lines = LogLines::new(16, 2, 1000);
        lines.push(b"1\n2\n3\n4\n");
        lines.flush();
        let found: Vec<(Stream, String)> = lines.take().into_iter().map(|line| (line.stream, line.text)).collect();
        let mark = (Stream::Vivarium, "… truncated".to_string());
        assert_eq!(found, [(Stream::Stderr, "1".to_string()), (Stream::Stderr, "2".to_string()), mark]);
        lines.truncate();
        assert!(lines.take().is_empty() && lines.is_truncated());
    }
    #[test]
    fn messages_are_lines_after_a_name() {
        let mut lines = LogLines::new(64, 100, 30);
        lines.push(b"half a ");
        lines.push_stdout(b"printed\nmore");
        lines.message("jay\x1b[1", b"one\ntwo\n\x1b[0m");
        lines.message("jay", b"");
        lines.push(b"line\n");
        lines.flush();
        lines.message("jay", b"0123456789012345678");
        let found: Vec<(Stream, String)> = lines.take().into_iter().map(|line| (line.stream, line.text)).collect();
        let line = |stream: Stream, text: &str| (stream, text.to_string());
        let expected = [
            line(Stream::Stdout, "printed"),
            line(Stream::Stdout, "jay: one"),
            line(Stream::Stdout, "jay: two"),
            line(Stream::Stdout, "jay: "),
            line(Stream::Stdout, "jay: "),
            line(Stream::Stderr, "half a line"),
            line(Stream::Stdout, "more"),
            line(Stream::Stdout, "jay: 012345678901234567"),
            line(Stream::Vivarium, "… truncated"),
        ];
        assert_eq!(found, expected);
    }
}
