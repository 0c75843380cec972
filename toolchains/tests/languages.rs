//! Each language builds with the real toolchains: programs that work, programs with errors, programs of two files.

mod support;

use support::node;
use support::{JAILS, build, contains, custom_sections, toolchains, try_build, wasm_of, without_debug};
use vivarium_toolchains::{BuildLimits, Diagnostic, JailKind, Language, Severity};

const HELLO: &[(Language, &str, &str)] = &[
    (Language::C, "main.c", "#include <stdio.h>\nint main(void) { puts(\"hello\"); }\n"),
    (Language::Cpp, "main.cpp", "#include <iostream>\nint main() { std::cout << \"hello\\n\"; }\n"),
    (Language::Rust, "main.rs", "fn main() { println!(\"hello\"); }\n"),
    (Language::AssemblyScript, "main.ts", "console.log(\"hello\");\n"),
    (
        Language::Wat,
        "main.wat",
        "(module (import \"wasi_snapshot_preview1\" \"fd_write\" (func $w (param i32 i32 i32 i32) (result i32))) (memory (export \"memory\") 1)
         (data (i32.const 0) \"\\10\\00\\00\\00\\06\\00\\00\\00\") (data (i32.const 16) \"hello\\n\")
         (func $main (export \"_start\") (drop (call $w (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))",
    ),
];

/// What the program prints, without arguments and stdin.
fn run(wasm: &[u8]) -> String {
    let output = node::run(wasm, "", &[], "");
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

#[test]
fn hello_is_the_same_bytes_in_both_jails_and_runs() {
    for &(language, file, text) in HELLO {
        let [one, other] = JAILS.map(|jail| {
            let report = try_build(jail, language, &[(file, text)], &BuildLimits::default())
                .unwrap_or_else(|error| panic!("{language}, {jail}: {error}"));
            println!("{language}, {jail}: {} ms with {}", report.build_us / 1000, report.tool);
            wasm_of(report)
        });
        // Where the headers of C++ come precompiled, its debug information counts their files in another order.
        match language {
            Language::Cpp => assert!(without_debug(&one) == without_debug(&other), "{language}"),
            _ => assert!(one == other, "{language}"),
        }
        assert_eq!(run(&one), "hello\n", "{language}");
    }
}

#[test]
fn names_and_lines_stay_and_linked_programs_keep_relocations() {
    for &(language, file, text) in HELLO {
        let sections = custom_sections(&wasm_of(build(language, &[(file, text)])));
        let linked: &[&str] = if matches!(language, Language::C | Language::Cpp | Language::Rust) { &["reloc.CODE"] } else { &[] };
        let lines = if language == Language::AssemblyScript { "vivarium.source_map" } else { ".debug_line" };
        for needed in [&["name", lines], linked].concat() {
            assert!(sections.iter().any(|name| name == needed), "{language}: no section {needed} in {sections:?}");
        }
        let absent = |name: &String| name == "linking" || (name.starts_with("reloc.") && name != "reloc.CODE");
        assert!(!sections.iter().any(absent), "{language}: {sections:?}");
    }
}

#[test]
fn what_begins_as_zeros_takes_no_room() {
    let text = "#include <stdio.h>\nstatic char leaf[20000000];\nint main(int n, char **a) { leaf[19999999 - n] = 'x'; printf(\"%c%d\\n\", leaf[19999998], leaf[n]); }\n";
    let wasm = wasm_of(build(Language::C, &[("main.c", text)]));
    assert!(wasm.len() < 200_000, "{} bytes", wasm.len());
    assert_eq!(run(&wasm), "x0\n");
}

/// Builds a program with an error and compares where the first one is.
fn check_error(language: Language, files: &[(&str, &str)], file: Option<&str>, line: Option<u32>, column: Option<u32>, message: &str) {
    let report = build(language, files);
    assert!(report.wasm.is_none(), "{language}: {files:?} was built");
    let error = report.diagnostics.iter().find(|diagnostic| diagnostic.severity == Severity::Error).unwrap();
    assert_eq!((error.file.as_deref(), error.line, error.column), (file, line, column), "{error:#?}");
    assert!(error.message.contains(message), "{error:#?}");
    assert!(report.output.contains(message.split('\n').next().unwrap()), "{}", report.output);
}

#[test]
fn errors_have_file_line_and_column_in_utf16_units() {
    let leaf = "/* \u{1f33f}\u{e9} */ ";
    let columns = leaf.encode_utf16().count() as u32;
    let c = format!("int main(void) {{\n{leaf}return missing;\n}}\n");
    check_error(Language::C, &[("main.c", &c)], Some("main.c"), Some(2), Some(columns + 8), "undeclared identifier 'missing'");
    let cpp = format!("#include <iostream>\nint main() {{\n{leaf}std::cout << missing;\n}}\n");
    check_error(Language::Cpp, &[("main.cpp", &cpp)], Some("main.cpp"), Some(3), Some(columns + 14), "undeclared identifier 'missing'");
    let rust = format!("fn main() {{\n{leaf}let x: u32 = \"a\";\n}}\n");
    check_error(Language::Rust, &[("main.rs", &rust)], Some("main.rs"), Some(2), Some(columns + 14), "mismatched types");
    let script = format!("\n{leaf}console.log(missing);\n");
    check_error(
        Language::AssemblyScript,
        &[("main.ts", &script)],
        Some("main.ts"),
        Some(2),
        Some(columns + 13),
        "Cannot find name 'missing'",
    );
    check_error(Language::Wat, &[("main.wat", "(module\n  (func (nop) (nope)))")], Some("main.wat"), Some(2), Some(16), "unknown operator");
}

#[test]
fn errors_in_other_files_and_in_the_linker_are_told() {
    let main_c = "#include \"lib/x.h\"\nint main(void) { return x(); }\n";
    check_error(Language::C, &[("main.c", main_c), ("lib/x.h", "int x(void)\n")], Some("lib/x.h"), Some(1), Some(12), "expected ';'");
    check_error(Language::C, &[("main.c", main_c), ("lib/x.h", "int x(void);\n")], Some("main.c"), None, None, "undefined symbol: x");
    let rust = "unsafe extern \"C\" { fn missing_one(); }\nfn main() { unsafe { missing_one() } }\n";
    check_error(Language::Rust, &[("main.rs", rust)], None, None, None, "undefined symbol: missing_one");
    check_error(
        Language::Rust,
        &[("main.rs", "mod leaf;\nfn main() {}\n"), ("leaf.rs", "fn f( {}\n")],
        Some("leaf.rs"),
        Some(1),
        Some(9),
        "unclosed delimiter",
    );
}

#[test]
fn a_check_tells_what_a_build_tells_but_for_the_linker() {
    let wrong = [
        (Language::C, "main.c", "int main(void) {\nreturn missing;\n}\n"),
        (Language::Cpp, "main.cpp", "#include <iostream>\nint main() { std::cout << missing; }\n"),
        (Language::Rust, "main.rs", "fn main() {\n    let text = String::new();\n    drop(text);\n    drop(text);\n}\n"),
        (Language::AssemblyScript, "main.ts", "\nconsole.log(missing);\n"),
        (Language::Wat, "main.wat", "(module\n  (func (nope)))"),
    ];
    let check = |language, file, text: &str| {
        let source = support::tree(language, &[(file, text)]);
        let began = std::time::Instant::now();
        let report = toolchains(JailKind::Bwrap).check(&source, &BuildLimits::default(), &Default::default()).unwrap();
        println!("{language}: {} ms", began.elapsed().as_millis());
        report.diagnostics
    };
    for (language, file, text) in wrong {
        let errors = |all: Vec<Diagnostic>| all.into_iter().filter(|one| one.severity == Severity::Error).collect::<Vec<_>>();
        let checked = errors(check(language, file, text));
        assert_eq!(checked, errors(build(language, &[(file, text)]).diagnostics), "{language}");
        assert!(!checked.is_empty(), "{language}");
    }
    for &(language, file, text) in HELLO {
        assert_eq!(check(language, file, text), [], "{language}");
    }
    let unlinked = "int missing(void);\nint main(void) { return missing(); }\n";
    assert_eq!(check(Language::C, "main.c", unlinked), []);
}

#[test]
fn warnings_come_with_the_binary() {
    let report = build(Language::C, &[("main.c", "int main(void) {\n    int leaf;\n    return 0;\n}\n")]);
    assert!(report.wasm.is_some());
    let warning = &report.diagnostics[0];
    assert_eq!((warning.severity, warning.line, warning.column), (Severity::Warning, Some(2), Some(9)));
    assert_eq!(warning.code.as_deref(), Some("-Wunused-variable"));
    let report = build(Language::Rust, &[("main.rs", "fn main() {\n    let leaf = 1;\n}\n")]);
    assert_eq!(report.diagnostics.len(), 1, "{:#?}", report.diagnostics);
    assert_eq!(report.diagnostics[0].code.as_deref(), Some("unused_variables"));
}

#[test]
fn programs_of_several_files() {
    let c = [
        ("main.c", "#include <stdio.h>\n#include \"lib/leaf.h\"\nint main(void) { printf(\"%d\\n\", leaf(2)); }\n"),
        ("lib/leaf.h", "int leaf(int);\n"),
        ("lib/leaf.c", "#include \"leaf.h\"\nint leaf(int n) { return n * 21; }\n"),
    ];
    assert_eq!(run(&wasm_of(build(Language::C, &c))), "42\n");
    let cpp = [
        ("main.cpp", "#include \"lib/leaf.hpp\"\n#include <iostream>\nint main() { std::cout << twice(leaf(1)) << \"\\n\"; }\n"),
        ("lib/leaf.hpp", "#include <string>\nextern \"C\" int leaf(int);\nint twice(int);\n"),
        ("lib/leaf.c", "int leaf(int n) { return n * 21; }\n"),
        ("lib/twice.cc", "#include \"leaf.hpp\"\nint twice(int n) { return std::stoi(std::to_string(n)) * 2; }\n"),
    ];
    assert_eq!(run(&wasm_of(build(Language::Cpp, &cpp))), "42\n");
    let rust = [
        ("main.rs", "mod lib;\nfn main() { println!(\"{}\", lib::leaf::count()); }\n"),
        ("lib/mod.rs", "pub mod leaf;\n"),
        ("lib/leaf.rs", "pub fn count() -> u32 { 42 }\n"),
    ];
    assert_eq!(run(&wasm_of(build(Language::Rust, &rust))), "42\n");
    let script = [
        ("main.ts", "import { count } from \"./lib/leaf\";\nconsole.log(count().toString());\n"),
        ("lib/leaf.ts", "export function count(): i32 { return 42; }\n"),
    ];
    assert_eq!(run(&wasm_of(build(Language::AssemblyScript, &script))), "42\n");
}

#[test]
fn cpp_is_of_2020_and_reads_headers_that_are_precompiled_and_others() {
    let plain = "#include <cstdio>\n#include <regex>\nint main() { std::puts(std::regex_match(\"abc\", std::regex(\"a.c\")) ? \"42\" : \"no\"); }\n";
    let precompiled = "#include <ranges>\n#include <iostream>\nint main() { for (int n : std::views::iota(0, 9) | std::views::filter([](int n) { return n == 2 || n == 4; }) | std::views::reverse) std::cout << n; }\n";
    for (text, printed) in [(plain, "42\n"), (precompiled, "42")] {
        assert_eq!(run(&wasm_of(build(Language::Cpp, &[("main.cpp", text)]))), printed);
    }
    let throws = "#include <string>\nint main() { throw std::string(\"x\"); }\n";
    check_error(Language::Cpp, &[("main.cpp", throws)], Some("main.cpp"), Some(2), Some(14), "cannot use 'throw' with exceptions disabled");
    // One that a macro steers is read with the macro.
    let steered =
        "#define NDEBUG\n#include <string>\n#include <cassert>\n#include <cstdio>\nint main() { assert(false); std::puts(\"42\"); }\n";
    assert_eq!(run(&wasm_of(build(Language::Cpp, &[("main.cpp", steered)]))), "42\n");
}

#[test]
fn what_the_c_library_lacks_is_stubbed() {
    let division = "#include <stdio.h>\nint main(int argc, char **argv) { __int128 n = (__int128)argc << 100; printf(\"%llx\\n\", (unsigned long long)(n / (argc + 2) >> 64)); }\n";
    assert_eq!(run(&wasm_of(build(Language::C, &[("main.c", division)]))), "555555555\n");
    let own = "#include <stdio.h>\nint chmod(const char *path, unsigned mode) { return 7; }\nint main(void) { printf(\"%d\\n\", chmod(\"x\", 1)); }\n";
    assert_eq!(run(&wasm_of(build(Language::C, &[("main.c", own)]))), "7\n");
    let thread = "fn main() { println!(\"{}\", std::thread::Builder::new().spawn(|| ()).is_err()); }\n";
    assert_eq!(run(&wasm_of(build(Language::Rust, &[("main.rs", thread)]))), "true\n");
}

#[test]
fn assemblyscript_writes_errors_to_stderr_and_traps_on_abort() {
    let script = "console.error(\"to stderr\");\nconst a = new Array<i32>(1);\nconsole.log(a[process.argv.length + 4].toString());\n";
    let output = node::run(&wasm_of(build(Language::AssemblyScript, &[("main.ts", script)])), "", &[], "");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("to stderr\nabort: Index out of range in ~lib/array.ts:"), "{stderr}");
    assert!(stderr.contains("RuntimeError: unreachable"), "{stderr}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_warm_worker_compiles_and_is_replaced() {
    let toolchains = toolchains(JailKind::Bwrap);
    toolchains.warm().unwrap();
    for number in ["1", "2", "3"] {
        let script = format!("console.log(\"{number}\");\n");
        assert_eq!(run(&wasm_of(build(Language::AssemblyScript, &[("main.ts", &script)]))), format!("{number}\n"));
    }
}

#[test]
fn version_keys_differ_by_language_and_name_the_tool() {
    let keys: Vec<String> = Language::ALL.iter().map(|&language| toolchains(JailKind::Bwrap).version_key(language)).collect();
    let unique: std::collections::BTreeSet<&String> = keys.iter().collect();
    assert_eq!(unique.len(), Language::ALL.len(), "{keys:?}");
    assert!(keys[0].starts_with("clang 2"), "{keys:?}");
}

#[test]
fn programs_name_no_folder_of_the_machine_that_built_them() {
    // Spawning brings in what only a message about its failure needs: the path of its own source.
    let text = "fn main() { std::thread::spawn(|| {}).join().unwrap(); println!(\"{:?}\", std::fs::read_dir(\".\")); }\n";
    let wasm = wasm_of(build(Language::Rust, &[("main.rs", text)]));
    let home = support::folder().parent().unwrap().to_string_lossy().into_owned();
    for leak in [home.as_str(), ".partial", "/usr/src/rustc", "lib/rustlib/src"] {
        assert!(!contains(&wasm, leak), "the program holds {leak}");
    }
}

#[test]
fn programs_that_pull_in_the_libraries_build() {
    for source in vivarium_toolchains::library::programs() {
        let report = toolchains(JailKind::Bwrap).build(&source, &BuildLimits::default(), &Default::default()).unwrap();
        assert!(report.wasm.is_some(), "{}: {:?}", source.language(), report.diagnostics);
    }
}
