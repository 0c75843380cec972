//! From native code to wasm to the lines that a person wrote: how much of it is mapped, and that it is mapped rightly.

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};

use serde_json::json;
use tempfile::TempDir;
use vivarium_artifact::{Artifact, FunctionRecord, LineTable, Setting};
use vivarium_compiler::{ImportPolicy, Policy, lines};
use vivarium_tests::server::{Server, binary, eventually, toolchains};
use vivarium_toolchains::{BuildLimits, Cancel, Language, OpenOptions, SourceLimits, SourceTree, Toolchains, starters};

fn build(toolchains: &Toolchains, language: Language, files: BTreeMap<String, String>) -> Vec<u8> {
    let tree = SourceTree::new(language, files, &SourceLimits::default()).unwrap();
    let report = toolchains.build(&tree, &BuildLimits::default(), &Cancel::new()).unwrap();
    report.wasm.unwrap_or_else(|| panic!("{}", report.output)).bytes
}

fn compile(wasm: &[u8], setting: Setting) -> Artifact {
    let policy = Policy { imports: ImportPolicy::new(vivarium_abi::imports()), ..Policy::default() };
    vivarium_compiler::compile(wasm, &policy, setting, &|_, _, _| {}).unwrap().artifact
}

/// Whether the program's author wrote this function, by its name alone.
fn is_own(language: Language, source: &str, record: &FunctionRecord) -> bool {
    let name = record.display_name();
    let begins_a_definition = |line: &str| line.starts_with(|first: char| first.is_alphabetic()) && line.ends_with('{');
    match language {
        Language::C => source.lines().any(|line| begins_a_definition(line) && line.contains(&format!("{name}("))),
        // Its name has the namespace and the types of the parameters with it.
        Language::Cpp => {
            let plain = name.split(['(', '<']).next().and_then(|path| path.rsplit("::").next()).unwrap_or_default();
            !name.starts_with("std::") && source.lines().any(|line| begins_a_definition(line) && line.contains(&format!("{plain}(")))
        }
        Language::Rust => name.starts_with("main::") || name.starts_with("<main::"),
        Language::AssemblyScript => name.starts_with("main/") || name == "start:main",
        Language::Wat => record.wasm_bytes > 0,
    }
}

/// Part of a whole, in bytes.
#[derive(Default)]
struct Share {
    mapped: usize,
    all: usize,
}

impl Share {
    fn add(&mut self, mapped: impl Iterator<Item = bool>) {
        for mapped in mapped {
            self.mapped += usize::from(mapped);
            self.all += 1;
        }
    }

    fn percent(&self) -> f64 {
        self.mapped as f64 * 100.0 / self.all as f64
    }
}

#[test]
fn starters_map_native_code_to_wasm_and_wasm_to_lines() {
    let toolchains = Toolchains::open_with(&toolchains(), &OpenOptions { jail_program: binary(), jail: None });
    let (mut native, mut code, mut own) = (Share::default(), Share::default(), Share::default());
    for starter in starters::all() {
        let files: BTreeMap<String, String> = starter.files.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect();
        let source = files[starter.language.main_file()].clone();
        let wasm = build(&toolchains, starter.language, files);
        let stored = lines::condense(&wasm).into_owned();
        for setting in [Setting::Fast, Setting::Best] {
            let artifact = compile(&stored, setting);
            let table = LineTable::parse(&artifact.lines).unwrap();
            let (mut of_native, mut of_own) = (Share::default(), Share::default());
            for record in artifact.functions.records().iter().filter(|record| record.wasm_bytes > 0) {
                let text = record.text_offset..record.text_offset + record.text_bytes;
                let body = record.wasm_offset..record.wasm_offset + record.wasm_bytes;
                let wasm_offset = |offset| artifact.map.wasm_offset(offset).filter(|offset| body.contains(offset));
                of_native.add(text.map(|offset| wasm_offset(offset).is_some()));
                if is_own(starter.language, &source, record) {
                    let own_line = |offset| table.at(offset).is_some();
                    of_own.add(body.clone().map(own_line));
                }
            }
            // Thunks, stubs, trampolines and the space between functions come from no wasm at all.
            code.add((0..artifact.contract.offset_table).map(|offset| artifact.map.wasm_offset(offset).is_some()));
            println!(
                "{:>15} {:<11} {setting:?}: {:6.2} % of {} native bytes to wasm, {:6.2} % of {} wasm bytes of its own functions to lines; wasm {} bytes, stored {}, table {}",
                starter.language.name(),
                starter.name,
                of_native.percent(),
                of_native.all,
                of_own.percent(),
                of_own.all,
                wasm.len(),
                stored.len(),
                artifact.lines.len(),
            );
            assert!(of_own.all > 0, "{}: no function of its own was found", starter.name);
            assert!(of_own.percent() >= 95.0 && of_native.percent() >= 99.0, "{}", starter.name);
            for share in [(&mut native, of_native), (&mut own, of_own)] {
                share.0.mapped += share.1.mapped;
                share.0.all += share.1.all;
            }
        }
    }
    println!(
        "all starters: {:.2} % of the native bytes of functions map to wasm ({:.2} % of all code, trampolines and padding counted), {:.2} % of the wasm bytes of their own functions to lines",
        native.percent(),
        code.percent(),
        own.percent()
    );
}

fn run(file: &str, text: &str) -> Output {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join(file), text).unwrap();
    let mut command = Command::new(binary());
    command.args(["run", file]).current_dir(folder.path()).stdin(Stdio::null());
    command.env("VIVARIUM_TOOLCHAINS", toolchains()).env("VIVARIUM_DATA", folder.path().join("data"));
    command.output().unwrap()
}

const C: &str = r#"#include <stdlib.h>

__attribute__((noinline)) static int divide(int a, int b) {
    int c = a + 1;
    return c / b;
}

int main(void) {
    int sum = 0;
    sum += divide(3, atoi("0"));
    return sum;
}
"#;

const RUST: &str = r#"fn element(of: &[i32], index: usize) -> i32 {
    let doubled = 2 * index;
    of[doubled]
}

fn main() {
    let index = std::env::args().count() + 2;
    println!("{}", element(&[1, 2, 3], index));
}
"#;

const ASSEMBLYSCRIPT: &str = r#"function divide(a: i32, b: i32): i32 {
  const c = a + 1;
  return c / b;
}

const zero = process.argv.length - 1;
console.log(divide(3, zero).toString());
"#;

const WAT: &str = r#"(module
  (memory (export "memory") 1)
  (func $divide (param $a i32) (param $b i32) (result i32)
    local.get $a
    i32.const 1
    i32.add
    local.get $b
    i32.div_s)
  (func (export "_start")
    (drop
      (call $divide (i32.const 3)
                    (i32.const 0)))))
"#;

/// The program traps, and says so with these words in this order.
fn check(file: &str, text: &str, words: &[&str]) {
    let output = run(file, text);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(134), "{file}: {said}");
    let mut rest = said.as_str();
    for word in words {
        let found = rest.find(word).unwrap_or_else(|| panic!("{file}: {word:?} is not in its place in:\n{said}"));
        rest = &rest[found..];
    }
    assert!(!said.contains("/job/") && !said.contains("/src/main"), "{file}: a path of the jail's is in:\n{said}");
}

#[test]
fn a_trap_is_told_with_function_file_and_line_and_the_frames_above() {
    check("main.c", C, &["integer divide by zero", "in divide at main.c:5", "in main at main.c:10"]);
    check("main.rs", RUST, &["unreachable", "in main::element at main.rs:3", "in main::main at main.rs:8"]);
    check("main.ts", ASSEMBLYSCRIPT, &["integer divide by zero", "in main/divide at main.ts:3", "in start:main at main.ts:7"]);
    check("main.wat", WAT, &["integer divide by zero", "in divide at main.wat:8:5", "in _start at main.wat:11:8"]);
}

/// Of what the toolchain made, only the wasm with its table of lines is stored: a server that must compile it again knows the lines still.
#[test]
fn page_and_report_name_the_line_also_when_the_artifact_was_made_again() {
    let server = Server::start();
    let source = C.replace("int sum = 0;", "int sum = 0; getenv(\"GATEWAY_INTERFACE\");");
    let body = json!({"language": "c", "files": {"main.c": source}, "kind": "service"});
    let made = server.call("POST", "/api/v1/deployments", Some(&body), None);
    assert_eq!(made.status, 201, "{}", made.text());
    let deployment = made.json();
    let page = server.visit(&deployment, "/");
    assert_eq!(page.status, 500);
    let data = server.kill();
    let artifacts = data.path().join("artifacts");
    std::fs::remove_dir_all(&artifacts).unwrap();
    let server = Server::start_in(data);
    let slug = deployment["slug"].as_str().unwrap();
    let deployment = server.get(&format!("/api/v1/deployments/{slug}")).json();
    let again = eventually("the deployment answers again", || {
        let again = server.visit(&deployment, "/");
        (again.status != 503).then_some(again)
    });
    for page in [page, again] {
        let html = page.text();
        assert!(html.contains("<code>divide</code></b>, at <code>main.c:5"), "{html}");
        assert!(html.contains("<span>main.c:10"), "{html}");
    }
    let report = eventually("a report of the visit", || {
        server.get(&format!("/api/v1/deployments/{slug}/requests")).json()["requests"].as_array()?.first().cloned()
    });
    let trap = &report["outcome"]["trap"];
    assert_eq!((&trap["function"], &trap["place"]["file"], &trap["place"]["line"]), (&json!("divide"), &json!("main.c"), &json!(5)));
    assert_eq!((&trap["frames"][1]["function"], &trap["frames"][1]["place"]["line"]), (&json!("main"), &json!(10)));
}

/// What the validator refuses has a place too: the line of the instruction.
#[test]
fn an_invalid_module_is_told_at_its_line() {
    let invalid = "(module\n  (func (export \"_start\")\n    i32.const 1\n    f32.sqrt\n    drop))\n";
    let server = Server::start();
    let made = server.call("POST", "/api/v1/builds?wait=20", Some(&json!({"language": "wat", "files": {"main.wat": invalid}})), None);
    let build = made.json();
    let diagnostic = &build["diagnostics"][0];
    assert_eq!((&diagnostic["file"], &diagnostic["line"], &diagnostic["column"]), (&json!("main.wat"), &json!(4), &json!(5)), "{build}");
    assert!(diagnostic["message"].as_str().unwrap().contains("type mismatch"), "{build}");
    let output = run("main.wat", invalid);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("main.wat:4:5: error") || said.contains("main.wat:4:5: the wasm is not valid"), "{said}");
}

#[test]
fn inspect_shows_native_code_with_names_wasm_offsets_and_lines() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("main.wat"), WAT).unwrap();
    let vivarium = |arguments: &[&str]| {
        let output =
            Command::new(binary()).args(arguments).current_dir(folder.path()).env("VIVARIUM_DATA", folder.path().join("data")).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    vivarium(&["compile", "main.wat", "-o", "main.viva"]);
    let text = vivarium(&["inspect", "main.viva", "--disassemble"]);
    for part in [
        "source     lines of main.wat",
        "divide (function 0",
        "idiv ",
        "wasm 0x3f",
        "main.wat:8:5",
        "<divide>",
        "memory     0:",
        "export     _start",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
    let shown: serde_json::Value = serde_json::from_str(&vivarium(&["--json", "inspect", "main.viva", "--disassemble"])).unwrap();
    let instructions = shown["disassembly"][0]["instructions"].as_array().unwrap();
    let division = instructions.iter().find(|line| line["text"].as_str().unwrap().starts_with("idiv")).unwrap();
    assert_eq!((&division["wasm_offset"], &division["place"]["line"]), (&json!(0x3f), &json!(8)));
    assert!(!vivarium(&["inspect", "main.viva"]).contains("idiv"), "only when asked for");
}
