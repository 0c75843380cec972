//! rustc: one JSON object a line (`--error-format=json`), with the text for people in it. Lines that are none are the compiler's own
//! trouble and stay in the output.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{DIAGNOSTICS_MAX, EDITS_MAX, FIXES_MAX, Messages, NOTES_MAX, Sources, wasm_ld};
use crate::columns;
use crate::diagnostic::{Diagnostic, Edit, Fix, Note, Severity};

/// How deep a macro in a macro is followed to the user's own line.
const EXPANSIONS_MAX: usize = 32;

#[derive(Deserialize)]
struct Message {
    message: String,
    code: Option<Code>,
    level: String,
    #[serde(default)]
    spans: Vec<Span>,
    #[serde(default)]
    children: Vec<Message>,
    rendered: Option<String>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
struct Span {
    file_name: String,
    line_start: u32,
    line_end: u32,
    column_start: u32,
    column_end: u32,
    is_primary: bool,
    label: Option<String>,
    /// What could stand here instead, and how certain rustc is of it.
    suggested_replacement: Option<String>,
    suggestion_applicability: Option<String>,
    /// Read a level at a time: macros nest deeper than a recursive reader may follow.
    expansion: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Expansion {
    span: Span,
}

/// Reads what rustc printed.
pub(crate) fn read(text: &str, sources: &Sources) -> Messages {
    let mut messages = Messages::default();
    for line in text.lines() {
        match serde_json::from_str::<Message>(line) {
            Ok(message) => {
                messages.output.push_str(&for_people(&message));
                add(&mut messages.diagnostics, &message, sources);
            }
            Err(_) => {
                messages.output.push_str(line);
                messages.output.push('\n');
            }
        }
    }
    messages
}

/// The crate that a message says is not there.
pub(crate) fn missing_crate(diagnostic: &Diagnostic) -> Option<&str> {
    const SAID: &[&str] = &["unlinked crate `", "no external crate `", "can't find crate for `"];
    let behind = SAID.iter().find_map(|said| Some(diagnostic.message.split_once(said)?.1));
    Some(behind?.split_once('`')?.0)
}

/// As rustc prints it. Of a failed link without the command line, which is ours and long.
fn for_people(message: &Message) -> String {
    if !is_link_failure(message) {
        return message.rendered.as_ref().unwrap_or(&message.message).clone();
    }
    let lines = message.children.iter().flat_map(|child| child.message.lines());
    lines.filter(|line| line.contains("wasm-ld: ")).map(|line| format!("{}\n", line.trim())).collect()
}

fn is_link_failure(message: &Message) -> bool {
    message.message.starts_with("linking with")
}

fn add(diagnostics: &mut Vec<Diagnostic>, message: &Message, sources: &Sources) {
    let severity = match message.level.as_str() {
        "warning" => Severity::Warning,
        level if level.starts_with("error") => Severity::Error,
        _ => return,
    };
    let is_summary = message.spans.is_empty() && (message.message.starts_with("aborting due to") || message.message.ends_with("emitted"));
    if is_summary || diagnostics.len() >= DIAGNOSTICS_MAX {
        return;
    }
    if is_link_failure(message) {
        let linker = message.children.iter().flat_map(|child| wasm_ld::read(&child.message, |_| None));
        diagnostics.extend(linker.take(DIAGNOSTICS_MAX));
        return;
    }
    diagnostics.push(diagnostic(message, severity, sources));
}

fn diagnostic(message: &Message, severity: Severity, sources: &Sources) -> Diagnostic {
    let code = message.code.as_ref().map(|code| code.code.clone());
    let mut diagnostic = Diagnostic { code, ..Diagnostic::without_place(severity, "rustc", message.message.as_str()) };
    if let Some(primary) = message.spans.iter().find(|span| span.is_primary) {
        let place = Place::of(primary, sources);
        let text = sources.get(&place.file).map(String::as_str);
        diagnostic.column = Some(place.column(sources));
        diagnostic.end_column = Some(columns::from_character_column(text, place.line_end, place.column_end));
        (diagnostic.line, diagnostic.end_line) = (Some(place.line_start), Some(place.line_end));
        diagnostic.file = Some(place.file);
        if let Some(label) = primary.label.as_deref().filter(|label| !label.is_empty()) {
            diagnostic.message = format!("{}: {label}", diagnostic.message);
        }
    }
    diagnostic.notes = notes(message, sources);
    diagnostic.fixes = message.children.iter().filter_map(|child| fix(child, sources)).take(FIXES_MAX).collect();
    diagnostic
}

/// A suggestion that rustc would apply itself, to files of the user's alone.
fn fix(child: &Message, sources: &Sources) -> Option<Fix> {
    let edits: Vec<Edit> = child.spans.iter().map(|span| edit(span, sources)).collect::<Option<_>>()?;
    (!edits.is_empty() && edits.len() <= EDITS_MAX).then(|| Fix { message: child.message.clone(), edits })
}

fn edit(span: &Span, sources: &Sources) -> Option<Edit> {
    let text = span.suggested_replacement.clone().filter(|_| span.suggestion_applicability.as_deref() == Some("MachineApplicable"))?;
    let source = Some(sources.get(&span.file_name)?.as_str()).filter(|_| span.expansion.is_none())?;
    Some(Edit {
        file: span.file_name.clone(),
        line: span.line_start,
        column: columns::from_character_column(Some(source), span.line_start, span.column_start),
        end_line: span.line_end,
        end_column: columns::from_character_column(Some(source), span.line_end, span.column_end),
        text,
    })
}

fn notes(message: &Message, sources: &Sources) -> Vec<Note> {
    let labels = message.spans.iter().filter(|span| !span.is_primary);
    let labels = labels.filter_map(|span| span.label.as_ref().map(|label| note(label.clone(), Some(span), sources)));
    let children = message.children.iter().map(|child| note(format!("{}: {}", child.level, child.message), child.spans.first(), sources));
    labels.chain(children).take(NOTES_MAX).collect()
}

fn note(message: String, span: Option<&Span>, sources: &Sources) -> Note {
    let place = span.map(|span| Place::of(span, sources));
    let column = place.as_ref().map(|place| place.column(sources));
    let line = place.as_ref().map(|place| place.line_start);
    Note { message, file: place.map(|place| place.file), line, column }
}

/// What the user wrote: an error inside a macro of the library is shown where the macro is used.
struct Place {
    file: String,
    line_start: u32,
    line_end: u32,
    column_start: u32,
    column_end: u32,
}

impl Place {
    fn of(span: &Span, sources: &Sources) -> Place {
        let mut place = Place::without_expansion(span);
        let mut expansion = span.expansion.as_deref().map(RawValue::get).map(str::to_owned);
        for _ in 0..EXPANSIONS_MAX {
            let Some(outer) = expansion.filter(|_| !sources.contains_key(&place.file)) else { break };
            let Ok(outer) = serde_json::from_str::<Expansion>(&outer) else { break };
            place = Place::without_expansion(&outer.span);
            expansion = outer.span.expansion.as_deref().map(RawValue::get).map(str::to_owned);
        }
        place
    }

    fn without_expansion(span: &Span) -> Place {
        let Span { file_name, line_start, line_end, column_start, column_end, .. } = span;
        Place {
            file: file_name.clone(),
            line_start: *line_start,
            line_end: *line_end,
            column_start: *column_start,
            column_end: *column_end,
        }
    }

    fn column(&self, sources: &Sources) -> u32 {
        columns::from_character_column(sources.get(&self.file).map(String::as_str), self.line_start, self.column_start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_its_place_in_utf16_units() {
        let text = r#"{"message":"mismatched types","code":{"code":"E0308","explanation":null},"level":"error","spans":[{"file_name":"main.rs","line_start":1,"line_end":1,"column_start":2,"column_end":4,"is_primary":true,"label":"expected u32","expansion":null}],"children":[{"message":"try this","code":null,"level":"help","spans":[],"children":[],"rendered":null}],"rendered":"error[E0308]: mismatched types\n"}
{"message":"aborting due to 1 previous error","code":null,"level":"error","spans":[],"children":[],"rendered":"error: aborting\n"}
thread 'rustc' panicked"#;
        let sources = Sources::from([("main.rs".to_owned(), "\u{1f33f}\u{e9}x".to_owned())]);
        let messages = read(text, &sources);
        assert_eq!(messages.diagnostics.len(), 1);
        let error = &messages.diagnostics[0];
        assert_eq!((error.line, error.column, error.end_column), (Some(1), Some(3), Some(5)));
        assert_eq!((error.code.as_deref(), error.message.as_str()), (Some("E0308"), "mismatched types: expected u32"));
        assert_eq!(error.notes[0].message, "help: try this");
        assert_eq!(messages.output, "error[E0308]: mismatched types\nerror: aborting\nthread 'rustc' panicked\n");
    }

    #[test]
    fn what_rustc_is_certain_of_can_be_applied() {
        let child = |applicability: &str, file: &str| {
            format!(
                r#"{{"message":"remove this `mut`","code":null,"level":"help","spans":[{{"file_name":"{file}","line_start":1,"line_end":1,"column_start":3,"column_end":7,"is_primary":true,"label":null,"suggested_replacement":"","suggestion_applicability":"{applicability}","expansion":null}}],"children":[],"rendered":null}}"#
            )
        };
        let children =
            [child("MachineApplicable", "main.rs"), child("MaybeIncorrect", "main.rs"), child("MachineApplicable", "/rustc/a.rs")];
        let text =
            format!(r#"{{"message":"m","code":null,"level":"warning","spans":[],"children":[{}],"rendered":null}}"#, children.join(","));
        let sources = Sources::from([("main.rs".to_owned(), "\u{1f33f} mut x".to_owned())]);
        let fixes = &read(&text, &sources).diagnostics[0].fixes;
        let edit = Edit { file: "main.rs".to_owned(), line: 1, column: 4, end_line: 1, end_column: 8, text: String::new() };
        assert_eq!(fixes, &[Fix { message: "remove this `mut`".to_owned(), edits: vec![edit] }]);
    }

    #[test]
    fn a_deep_macro_is_shown_where_it_is_used() {
        let span = |file: &str, expansion: &str| {
            format!(
                r#"{{"file_name":"{file}","line_start":9,"line_end":9,"column_start":3,"column_end":4,"is_primary":true,"label":null,"expansion":{expansion}}}"#
            )
        };
        let mut nested = span("main.rs", "null");
        for _ in 0..4 {
            nested = span("/rustc/library/macros.rs", &format!(r#"{{"span":{nested},"macro_decl_name":"x!"}}"#));
        }
        let mut deep = nested.clone();
        for _ in 0..300 {
            deep = span("/rustc/library/macros.rs", &format!(r#"{{"span":{deep},"macro_decl_name":"x!"}}"#));
        }
        let sources = Sources::from([("main.rs".to_owned(), String::new())]);
        let message =
            |span: &str| format!(r#"{{"message":"m","code":null,"level":"error","spans":[{span}],"children":[],"rendered":"error: m"}}"#);
        assert_eq!(read(&message(&nested), &sources).diagnostics[0].file.as_deref(), Some("main.rs"));
        assert_eq!(read(&message(&deep), &sources).output, "error: m");
    }
}
