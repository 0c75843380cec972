//! Formatters of all languages, in both jails: what they lay out stays the same program, and a second time changes nothing.

mod support;

use std::collections::BTreeMap;

use support::{JAILS, toolchains, tree};
use vivarium_toolchains::{BuildLimits, Cancel, FormatReport, JailKind, Language, starters};

fn format(jail: JailKind, language: Language, files: &[(&str, &str)]) -> FormatReport {
    toolchains(jail).format(&tree(language, files), &BuildLimits::default(), &Cancel::new()).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn check(language: Language, file: &str, text: &str, expected: &str) {
    for jail in JAILS {
        let once = format(jail, language, &[(file, text)]);
        assert!(once.diagnostics.is_empty(), "{jail}: {:?}", once.diagnostics);
        assert_eq!(once.files[file], expected, "{jail}");
    }
    let twice = format(JailKind::Bwrap, language, &[(file, expected)]);
    assert_eq!(twice.files[file], expected, "a second time");
}

#[test]
fn c_and_cpp_are_laid_out() {
    check(
        Language::C,
        "main.c",
        "#include <stdio.h>\nint main( ){puts ( \"leaf\" ) ;}",
        "#include <stdio.h>\nint main() { puts(\"leaf\"); }\n",
    );
    check(Language::Cpp, "main.cpp", "int  main(){return 0 ;}\n", "int main() { return 0; }\n");
}

#[test]
fn rust_is_laid_out_through_its_modules() {
    check(Language::Rust, "main.rs", "fn main(){println!( \"leaf\" )}\n", "fn main() {\n    println!(\"leaf\")\n}\n");
    let files = [("main.rs", "mod fern;\nfn main(){fern::grow( )}\n"), ("fern.rs", "pub fn grow(){}\n"), ("words.txt", "a  b")];
    let report = format(JailKind::Bwrap, Language::Rust, &files);
    let expected = [("fern.rs", "pub fn grow() {}\n"), ("main.rs", "mod fern;\nfn main() {\n    fern::grow()\n}\n"), ("words.txt", "a  b")];
    assert_eq!(report.files, expected.map(|(name, text)| (name.to_owned(), text.to_owned())).into_iter().collect::<BTreeMap<_, _>>());
}

/// Settings that lay out otherwise, or that no rustfmt reads, are the project's, and a text like any here.
#[test]
fn settings_of_the_project_change_no_layout() {
    let (text, expected) =
        ("fn main(){if true{println!( \"leaf\" )}}\n", "fn main() {\n    if true {\n        println!(\"leaf\")\n    }\n}\n");
    for jail in JAILS {
        for settings in ["tab_spaces = 1\n", "fern = [\n"] {
            let report = format(jail, Language::Rust, &[("main.rs", text), ("rustfmt.toml", settings)]);
            assert!(report.diagnostics.is_empty(), "{jail}: {settings:?}: {:?}", report.diagnostics);
            assert_eq!(report.files["main.rs"], expected, "{jail}: {settings:?}");
        }
    }
}

#[test]
fn assemblyscript_is_laid_out_with_its_own_decorators() {
    check(
        Language::AssemblyScript,
        "main.ts",
        "@inline function  f(a:i32):i32{return a}\n@external(\"host\",'*/') declare function emit(x: i32): void\nnamespace N { @lazy let z:i32=<i32>2 }\nclass A { @operator(\"+\") add(o:A):A{return this} }\nconsole.log(`${f(1)}`)",
        "@inline function f(a: i32): i32 {\n  return a;\n}\n@external(\"host\",'*/') declare function emit(x: i32): void;\nnamespace N {\n  @lazy let z: i32 = <i32>2;\n}\nclass A {\n  @operator(\"+\") add(o: A): A {\n    return this;\n  }\n}\nconsole.log(`${f(1)}`);\n",
    );
}

#[test]
fn wat_is_laid_out() {
    check(Language::Wat, "main.wat", "(module\n(func (export \"run\")\nnop))", "(module\n  (func (export \"run\")\n    nop))\n");
}

#[test]
fn a_file_with_mistakes_stays_and_says_why() {
    let cases = [
        (Language::Rust, "main.rs", "fn  main() {\n    let x = ;\n}\n", 2),
        (Language::AssemblyScript, "main.ts", "const a =  1;\nfunction (\n", 2),
        (Language::Wat, "main.wat", "(module\n   (func\n", 3),
    ];
    for (language, file, text, line) in cases {
        let report = format(JailKind::Bwrap, language, &[(file, text)]);
        assert_eq!(report.files[file], text, "{language}");
        let told = &report.diagnostics[0];
        assert_eq!((told.file.as_deref(), told.line), (Some(file), Some(line)), "{language}: {:?}", report.diagnostics);
    }
}

#[test]
fn a_mistake_behind_decorators_is_told_where_it_is() {
    let text =
        "@inline function f(): void {}\n@external(\n\"a\",\n\"b\") declare function g(): void\n@inline function h(): i32 { let x = ; }\n";
    let report = format(JailKind::Bwrap, Language::AssemblyScript, &[("main.ts", text)]);
    let told = &report.diagnostics[0];
    let column = text.lines().nth(4).unwrap().find(" ;").unwrap() as u32 + 2;
    assert_eq!((told.line, told.column), (Some(5), Some(column)), "{told:?}");
}

/// Indentation is quadratic in what is nested: a small program that would be longer than one may be stays as it was, whatever the formatter.
#[test]
fn a_program_that_would_grow_past_its_limit_stays() {
    let nested = |open: &str, levels: usize, close: &str| format!("{}{}", open.repeat(levels), close.repeat(levels));
    let wat = format!("(module (func\n{}{}{}))\n", "block\n".repeat(50), "nop\n".repeat(5_000), "end\n".repeat(50));
    let cases = [
        (Language::C, "main.c", format!("int main(void) {}\n", nested("{", 500, "}"))),
        (Language::Cpp, "main.cpp", format!("int main() {}\n", nested("{", 2_000, "}"))),
        (Language::Rust, "main.rs", format!("fn main() {{}}\n{}\n", nested("mod a{", 400, "}"))),
        // Below its nesting prettier has no stack left. The second is longer than its answer may be.
        (Language::AssemblyScript, "main.ts", format!("{}{}{}\n", "{".repeat(100), "f();".repeat(2_000), "}".repeat(100))),
        (Language::AssemblyScript, "main.ts", format!("{}{}{}\n", "{".repeat(100), "f();".repeat(10_000), "}".repeat(100))),
        (Language::Wat, "main.wat", wat),
    ];
    for (language, file, text) in cases {
        for jail in JAILS {
            let report = format(jail, language, &[(file, &text)]);
            let said = &report.diagnostics[0].message;
            assert!(said.contains("longer than the limit source_bytes_max of 262144 bytes"), "{jail}: {language}: {said}");
            assert!(report.files[file] == text, "{jail}: {language}: the text has changed");
        }
    }
}

/// Each starter as it is laid out is a program that its formatter leaves as it is.
#[test]
fn a_second_time_changes_no_starter() {
    for starter in starters::all() {
        let once = format(JailKind::Bwrap, starter.language, starter.files);
        assert!(once.diagnostics.is_empty(), "{}: {:?}", starter.name, once.diagnostics);
        let files: Vec<(&str, &str)> = once.files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let twice = format(JailKind::Bwrap, starter.language, &files);
        assert_eq!(twice.files, once.files, "{}", starter.name);
    }
}
