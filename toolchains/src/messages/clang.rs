//! clang: `FILE:LINE:COLUMN:{RANGES}: error: MESSAGE [-Wname]`, with notes and excerpts of the source below. Its SARIF output would be
//! easier to read but is declared unstable, and lacks the names of warnings and the notes on macros.

mod fix_it;

use super::{DIAGNOSTICS_MAX, EDITS_MAX, Messages, NOTES_MAX, Sources};
use crate::columns;
use crate::diagnostic::{Diagnostic, Edit, Fix, Note, Severity};

const LEVELS: &[(&str, Severity)] = &[
    (": fatal error: ", Severity::Error),
    (": error: ", Severity::Error),
    (": warning: ", Severity::Warning),
    (": note: ", Severity::Note),
    (": remark: ", Severity::Note),
];

/// Reads what clang printed about one file.
pub(crate) fn read(text: &str, sources: &Sources) -> Messages {
    let mut messages = Messages::default();
    // Edits of a note are one of several ways; those behind one that was lost are a part of one.
    let mut mends_the_last = false;
    for line in text.lines() {
        if let Some(edit) = line.strip_prefix("fix-it:") {
            if let Some(last) = messages.diagnostics.last_mut().filter(|_| mends_the_last) {
                mends_the_last = add_edit(last, fix_it::parse(edit, sources));
            }
            continue;
        }
        let header = Header::parse(line);
        messages.output.push_str(&header.as_ref().map_or_else(|| line.to_owned(), Header::to_text));
        messages.output.push('\n');
        if let Some(header) = header {
            mends_the_last = header.severity != Severity::Note && messages.diagnostics.len() < DIAGNOSTICS_MAX;
            add(&mut messages.diagnostics, header, sources);
        }
    }
    messages
}

fn add(diagnostics: &mut Vec<Diagnostic>, header: Header, sources: &Sources) {
    if header.severity == Severity::Note {
        let last = diagnostics.last_mut().filter(|diagnostic| diagnostic.notes.len() < NOTES_MAX);
        if let Some(last) = last {
            last.notes.push(header.note(sources));
        }
    } else if diagnostics.len() < DIAGNOSTICS_MAX {
        diagnostics.push(header.diagnostic(sources));
    }
}

/// All edits of a message are one fix; one that cannot be read, or is one too many, makes it none for good: then this is false.
fn add_edit(diagnostic: &mut Diagnostic, edit: Option<Edit>) -> bool {
    if diagnostic.fixes.is_empty() {
        diagnostic.fixes.push(Fix { message: "as the compiler proposes".to_owned(), edits: Vec::new() });
    }
    let Some(fix) = diagnostic.fixes.first_mut() else { return false };
    let edit = edit.filter(|_| fix.edits.len() < EDITS_MAX);
    let is_whole = edit.is_some();
    match edit {
        Some(edit) => fix.edits.push(edit),
        None => diagnostic.fixes.clear(),
    }
    is_whole
}

/// The line that a message begins with.
struct Header<'a> {
    place: Option<Place<'a>>,
    severity: Severity,
    level: &'a str,
    message: &'a str,
}

#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a str,
    line: u32,
    byte_column: u32,
    /// Line and byte column behind the expression that begins here.
    end: Option<(u32, u32)>,
}

impl<'a> Header<'a> {
    fn parse(line: &'a str) -> Option<Header<'a>> {
        // An excerpt of the source begins with a blank; what it quotes is no message.
        if line.starts_with([' ', '\t']) {
            return None;
        }
        let found = LEVELS.iter().filter_map(|&(level, severity)| line.find(level).map(|at| (at, level, severity)));
        let (at, level, severity) = found.min_by_key(|&(at, ..)| at)?;
        let message = &line[at + level.len()..];
        match Place::parse(&line[..at]) {
            Some(place) => Some(Header { place: Some(place), severity, level, message }),
            None if &line[..at] == "clang" => Some(Header { place: None, severity, level, message }),
            None => None,
        }
    }

    /// As clang prints it without ranges.
    fn to_text(&self) -> String {
        match self.place {
            Some(Place { file, line, byte_column, .. }) => format!("{file}:{line}:{byte_column}{}{}", self.level, self.message),
            None => format!("clang{}{}", self.level, self.message),
        }
    }

    fn diagnostic(&self, sources: &Sources) -> Diagnostic {
        let (message, code) = split_code(self.message);
        let mut diagnostic = Diagnostic { code, ..Diagnostic::without_place(self.severity, "clang", message) };
        if let Some(place) = self.place {
            let text = sources.get(place.file).map(String::as_str);
            diagnostic.file = Some(place.file.to_owned());
            diagnostic.line = Some(place.line);
            diagnostic.column = Some(columns::from_byte_column(text, place.line, place.byte_column));
            diagnostic.end_line = place.end.map(|(line, _)| line);
            diagnostic.end_column = place.end.map(|(line, column)| columns::from_byte_column(text, line, column));
        }
        diagnostic
    }

    fn note(&self, sources: &Sources) -> Note {
        let diagnostic = self.diagnostic(sources);
        Note { message: diagnostic.message, file: diagnostic.file, line: diagnostic.line, column: diagnostic.column }
    }
}

impl<'a> Place<'a> {
    fn parse(text: &'a str) -> Option<Place<'a>> {
        let (text, ranges) = match text.split_once(":{") {
            Some((text, ranges)) => (text, ranges),
            None => (text, ""),
        };
        let mut parts = text.rsplitn(3, ':');
        let byte_column = parts.next()?.parse().ok()?;
        let line = parts.next()?.parse().ok()?;
        let file = parts.next()?;
        let start = (line, byte_column);
        let end = ranges.split('}').filter_map(parse_range).find(|range| range.0 == start).map(|range| range.1);
        Some(Place { file: file.strip_prefix("./").unwrap_or(file), line, byte_column, end })
    }
}

/// `{6:47-6:53`, its brace perhaps cut off.
fn parse_range(text: &str) -> Option<((u32, u32), (u32, u32))> {
    let point = |text: &str| {
        let (line, column) = text.split_once(':')?;
        Some((line.parse().ok()?, column.parse().ok()?))
    };
    let (start, end) = text.trim_start_matches('{').split_once('-')?;
    Some((point(start)?, point(end)?))
}

/// Takes the warning's name off the end of a message.
fn split_code(message: &str) -> (&str, Option<String>) {
    let found = message.strip_suffix(']').and_then(|message| message.rsplit_once(" [-W"));
    match found {
        Some((message, name)) => (message, Some(format!("-W{name}"))),
        None => (message, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "In file included from main.c:1:
./x.h:2:25:{2:25-2:39}: error: use of undeclared identifier 'no'
    2 | \"main.c:1:1: error: not a message\"
main.c:6:12:{6:3-6:5}{6:12-6:16}: warning: unused variable 'h' [-Wunused-variable]
main.c:1:5:{1:12-1:24}: note: 'helper' declared here
1 warning and 1 error generated.
";

    fn sources() -> Sources {
        Sources::from([("main.c".to_owned(), "\n\n\n\n\n\u{1f33f}\u{e9}     = 1234;".to_owned())])
    }

    #[test]
    fn messages_have_places_codes_and_notes() {
        let messages = read(TEXT, &sources());
        assert_eq!(messages.diagnostics.len(), 2, "{:?}", messages.diagnostics);
        let error = &messages.diagnostics[0];
        assert_eq!((error.file.as_deref(), error.line, error.end_column), (Some("x.h"), Some(2), Some(39)));
        let warning = &messages.diagnostics[1];
        assert_eq!(warning.code.as_deref(), Some("-Wunused-variable"));
        assert_eq!(warning.message, "unused variable 'h'");
        // Byte 12 of a line that begins with a character of four bytes and one of two.
        assert_eq!((warning.column, warning.end_column), (Some(9), Some(13)));
        assert_eq!(warning.notes[0].message, "'helper' declared here");
    }

    #[test]
    fn fix_its_of_errors_and_warnings_can_be_applied() {
        let text = "main.c:6:12: error: expected ';'
fix-it:\"main.c\":{6:12-6:12}:\";\"
fix-it:\"./main.c\":{1:1-1:1}:\"a\\\"\\n\"
main.c:6:1: note: or else
fix-it:\"main.c\":{6:1-6:5}:\"\"
main.c:1:1: warning: odd [-Wodd]
fix-it:\"/usr/include/stdio.h\":{1:1-1:1}:\"\"
";
        let messages = read(text, &sources());
        let edit = |line, column, text: &str| Edit {
            file: "main.c".to_owned(),
            line,
            column,
            end_line: line,
            end_column: column,
            text: text.to_owned(),
        };
        assert_eq!(messages.diagnostics[0].fixes[0].edits, [edit(6, 9, ";"), edit(1, 1, "a\"\n")]);
        assert_eq!(messages.diagnostics[0].fixes.len(), 1);
        assert!(messages.diagnostics[1].fixes.is_empty());
        assert!(!messages.output.contains("fix-it"), "{}", messages.output);
    }

    #[test]
    fn a_part_of_a_fix_is_no_fix() {
        let ours = "fix-it:\"main.c\":{6:12-6:12}:\";\"\n";
        let foreign = "fix-it:\"/usr/include/stdio.h\":{1:1-1:1}:\"\"\n";
        let fixes = |edits: String| read(&format!("main.c:6:12: error: odd\n{edits}"), &sources()).diagnostics[0].fixes.clone();
        assert!(fixes(format!("{foreign}{ours}{ours}")).is_empty());
        assert!(fixes(format!("{ours}{foreign}{ours}")).is_empty());
        assert_eq!(fixes(ours.repeat(EDITS_MAX))[0].edits.len(), EDITS_MAX);
        for too_many in 1..3 {
            assert!(fixes(ours.repeat(EDITS_MAX + too_many)).is_empty(), "{too_many} too many");
        }
        let next = read(&format!("main.c:6:12: error: odd\n{foreign}main.c:6:12: error: even\n{ours}"), &sources());
        assert_eq!(next.diagnostics[1].fixes.len(), 1, "the next message has its own");
    }

    #[test]
    fn the_output_is_as_clang_prints_it_for_people() {
        let output = read(TEXT, &sources()).output;
        assert!(output.contains("\nmain.c:6:12: warning: unused variable 'h' [-Wunused-variable]\n"), "{output}");
        assert!(output.contains("    2 | \"main.c:1:1: error: not a message\"\n"));
    }
}
