//! What compilers propose, applied as an editor would: the program has no mistake of that kind left.

mod support;

use support::build;
use vivarium_toolchains::{Edit, Language};

/// The byte offset of a place, whose column counts UTF-16 units from 1.
fn offset(text: &str, line: u32, column: u32) -> usize {
    let start: usize = text.split_inclusive('\n').take(line as usize - 1).map(str::len).sum();
    let mut units = 1;
    let inside = text[start..].char_indices().find(|(_, character)| {
        let found = units >= column;
        units += character.len_utf16() as u32;
        found
    });
    inside.map_or(text.len(), |(at, _)| start + at)
}

fn apply(text: &str, edits: &[Edit]) -> String {
    let place = |edit: &Edit| (offset(text, edit.line, edit.column), offset(text, edit.end_line, edit.end_column));
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort_by_key(|edit| std::cmp::Reverse(place(edit)));
    sorted.iter().fold(text.to_owned(), |mended, edit| {
        let (start, end) = place(edit);
        format!("{}{}{}", &mended[..start], edit.text, &mended[end..])
    })
}

#[track_caller]
fn check(language: Language, file: &str, text: &str, expected: &str) {
    let report = build(language, &[(file, text)]);
    let fix = report.diagnostics.iter().flat_map(|diagnostic| &diagnostic.fixes).next();
    let fix = fix.unwrap_or_else(|| panic!("no fix in {:#?}\n{}", report.diagnostics, report.output));
    assert!(fix.edits.iter().all(|edit| edit.file == file) && !fix.message.is_empty(), "{fix:?}");
    let mended = apply(text, &fix.edits);
    assert_eq!(mended, expected);
    let again = build(language, &[(file, &mended)]);
    assert!(again.diagnostics.is_empty(), "{:?}", again.diagnostics);
    assert!(!report.output.contains("fix-it"), "{}", report.output);
}

#[test]
fn what_clang_proposes_mends_the_program() {
    let text = "#include <stdio.h>\nint main(void) {\n    /* \u{1f33f} */ puts(\"leaf\")\n    return 0;\n}\n";
    check(Language::C, "main.c", text, &text.replace("(\"leaf\")", "(\"leaf\");"));
    let text = "#include <stdio.h>\nint main(void) { printf(\"%d\\n\", 3L); }\n";
    check(Language::C, "main.c", text, &text.replace("%d", "%ld"));
}

#[test]
fn what_rustc_proposes_mends_the_program() {
    let text = "fn main() {\n    /* \u{1f33f} */ let mut leaves = 3;\n    println!(\"{leaves}\");\n}\n";
    check(Language::Rust, "main.rs", text, &text.replace("mut ", ""));
}
