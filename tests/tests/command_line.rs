//! The same engine in a terminal.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use ed25519_dalek::SigningKey;
use tempfile::TempDir;
use vivarium_artifact::{FunctionType, Setting, SignedArtifact};
use vivarium_compiler::{ImportPolicy, Policy, compile};
use vivarium_tests::server::{binary, toolchains};

struct Terminal {
    folder: TempDir,
}

impl Terminal {
    fn new() -> Terminal {
        Terminal { folder: TempDir::new().unwrap() }
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn vivarium(&self, arguments: &[&str], stdin: &str) -> Output {
        use std::io::Write as _;
        let mut child = Command::new(binary())
            .args(arguments)
            .current_dir(self.path())
            .env("VIVARIUM_TOOLCHAINS", toolchains())
            .env("VIVARIUM_DATA", self.path().join("data"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const HELLO: &str = r#"#include <stdio.h>
int main(int argc, char **argv) {
    int c;
    while ((c = getchar()) != EOF) putchar(c);
    printf("%s\n", argc > 1 ? argv[1] : "nobody");
    return argc;
}
"#;

#[test]
fn run_is_a_command_whose_exit_code_is_the_guests() {
    let terminal = Terminal::new();
    terminal.write("hello.c", HELLO);
    let output = terminal.vivarium(&["run", "hello.c", "world"], "from stdin\n");
    assert_eq!(stdout(&output), "from stdin\nworld\n", "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_trap_is_told_in_the_terminal() {
    let terminal = Terminal::new();
    terminal.write("trap.wat", "(module (func $deep unreachable) (func (export \"_start\") (call $deep)))");
    let output = terminal.vivarium(&["run", "trap.wat"], "");
    assert!(stderr(&output).contains("unreachable") && stderr(&output).contains("deep"), "{}", stderr(&output));
    assert!(!output.status.success());
}

#[test]
fn build_compile_inspect_and_run_follow_each_other() {
    let terminal = Terminal::new();
    terminal.write("hello.c", HELLO);
    let output = terminal.vivarium(&["build", "hello.c", "-o", "hello.wasm"], "");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(std::fs::read(terminal.path().join("hello.wasm")).unwrap().starts_with(b"\0asm"));
    let output = terminal.vivarium(&["compile", "hello.wasm", "-o", "hello.viva"], "");
    assert!(output.status.success(), "{}", stderr(&output));
    let output = terminal.vivarium(&["inspect", "hello.viva"], "");
    assert!(output.status.success() && stdout(&output).contains("fd_write") && stdout(&output).contains("_start"), "{}", stdout(&output));
    let output = terminal.vivarium(&["run", "hello.viva", "artifact"], "");
    assert_eq!(stdout(&output), "artifact\n", "{}", stderr(&output));
}

#[test]
fn an_artifact_made_elsewhere_is_refused() {
    let (here, elsewhere) = (Terminal::new(), Terminal::new());
    elsewhere.write("module.wat", "(module (func (export \"_start\")))");
    let output = elsewhere.vivarium(&["compile", "module.wat", "-o", "module.viva"], "");
    assert!(output.status.success(), "{}", stderr(&output));
    std::fs::copy(elsewhere.path().join("module.viva"), here.path().join("module.viva")).unwrap();
    let output = here.vivarium(&["run", "module.viva"], "");
    assert!(!output.status.success());
    assert!(stderr(&output).contains("compile it here"), "{}", stderr(&output));
}

#[test]
fn a_build_error_exits_one_and_shows_the_compilers_message() {
    let terminal = Terminal::new();
    terminal.write("broken.c", "int main(void) { return x; }\n");
    let output = terminal.vivarium(&["build", "broken.c", "-o", "broken.wasm"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("broken.c:1:"), "{}", stderr(&output));
    assert!(!terminal.path().join("broken.wasm").exists());
}

#[test]
fn wrong_usage_exits_two() {
    let output = Terminal::new().vivarium(&["fly"], "");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn doctor_finds_every_language() {
    let output = Terminal::new().vivarium(&["doctor"], "");
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    for language in ["C", "Rust", "AssemblyScript", "WAT"] {
        assert!(stdout(&output).contains(language), "{}", stdout(&output));
    }
}

const HOT_AND_COLD: &str = r#"#include <stdio.h>
#include <stdlib.h>
__attribute__((noinline)) unsigned scramble(unsigned n) {
    unsigned x = 1;
    for (unsigned i = 0; i < n; i++) x = x * 1664525u + (x >> 7);
    return x;
}
__attribute__((noinline)) unsigned glance(unsigned n) {
    unsigned x = 2;
    for (unsigned i = 0; i < n / 100; i++) x = x * 22695477u + (x >> 9);
    return x;
}
int main(int argc, char **argv) {
    unsigned n = argc > 1 ? atoi(argv[1]) : 0, x = 0;
    for (int round = 0; round < 300; round++) x ^= scramble(n + round) + glance(n + round);
    printf("%u\n", x);
    return 0;
}
"#;

#[test]
fn a_profile_tells_where_a_program_spends_its_time() {
    let terminal = Terminal::new();
    terminal.write("hot.c", HOT_AND_COLD);
    let ran = terminal.vivarium(&["run", "--profile", "hot.folded", "hot.c", "1000000"], "");
    assert!(ran.status.success(), "{}", stderr(&ran));
    let told = stderr(&ran);
    let busiest = told.lines().nth(2).unwrap_or_default();
    assert!(told.starts_with("vivarium: ") && busiest.contains("scramble (main.c:5)"), "{told}");
    let folded = std::fs::read_to_string(terminal.path().join("hot.folded")).unwrap();
    let samples = |line: &str| line.rsplit(' ').next().and_then(|count| count.parse::<u64>().ok()).unwrap_or_else(|| panic!("{line}"));
    let all: u64 = folded.lines().map(samples).sum();
    let hot: u64 = folded.lines().filter(|line| line.contains("main.c:15);scramble (main.c:5)")).map(samples).sum();
    assert!(hot * 10 > all * 8, "{hot} of {all} samples, where ninety-nine of a hundred rounds are its: {folded}");

    let ran = terminal.vivarium(&["run", "--profile", "hot.json", "--invoke", "_start", "hot.c"], "");
    assert!(ran.status.success(), "{}", stderr(&ran));
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(terminal.path().join("hot.json")).unwrap()).unwrap();
    assert_eq!(json["profiles"][0]["type"], "sampled");
    let ran = terminal.vivarium(&["run", "--profile", "no/such/folder/file", "hot.c"], "");
    assert!(!ran.status.success() && stderr(&ran).contains("cannot write the profile"), "{}", stderr(&ran));
}

/// Compiles with these bounds and signs with the terminal's own key, as an older version of the product with other bounds would have done.
fn compiled_with(terminal: &Terminal, policy: &Policy, wat: &str) {
    let wasm = wat::parse_str(wat).unwrap();
    let mut file = compile(&wasm, policy, Setting::Fast, &|_, _, _| {}).unwrap().artifact.encode().unwrap();
    let key = std::fs::read(terminal.path().join("data/signing.key")).unwrap();
    SignedArtifact::sign(&mut file, &SigningKey::from_bytes(key.first_chunk().unwrap()));
    std::fs::write(terminal.path().join("module.viva"), file).unwrap();
}

#[test]
fn an_artifact_beyond_the_tenants_policy_is_refused_by_name_whichever_way_it_is_run() {
    let terminal = Terminal::new();
    // Makes the key.
    terminal.write("module.wat", "(module (func (export \"_start\")))");
    assert!(terminal.vivarium(&["compile", "module.wat", "-o", "module.viva"], "").status.success());
    let policy = Policy::default();
    let unknown = ImportPolicy::new([("moon", "rise", FunctionType::default())]);
    for (policy, wat, words) in [
        (Policy { memory_bytes_max: 1 << 30, ..policy.clone() }, "(memory 1)", "the limit memory_bytes_max is 134217728"),
        (Policy { table_elements_max: 10_001, ..policy.clone() }, "(table 1 funcref)", "the limit table_elements_max is 10000"),
        (Policy { stack_bytes: 2 << 20, ..policy.clone() }, "", "the limit stack_bytes is 1048576"),
        (Policy { linked: true, ..policy.clone() }, "", "is to be linked to other instances"),
        (Policy { imports: unknown, ..policy.clone() }, "(import \"moon\" \"rise\" (func))", "moon.rise"),
    ] {
        compiled_with(&terminal, &policy, &format!("(module {wat} (func (export \"_start\")))"));
        for arguments in [&["run", "module.viva"][..], &["run", "--invoke", "_start", "module.viva"]] {
            let output = terminal.vivarium(arguments, "");
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", stderr(&output));
            assert!(stderr(&output).contains(words), "{arguments:?} says {}, not {words}", stderr(&output));
        }
    }
}

#[test]
fn inspect_shows_what_catches_exceptions_and_where() {
    let terminal = Terminal::new();
    let wat = "(module (tag $e (param i32)) (func $throw (throw $e (i32.const 1)))
        (func $careful (export \"careful\") (result i32) (block $h (result i32) (try_table (catch $e $h) (call $throw)) (i32.const 0)))
        (func (export \"_start\")))";
    terminal.write("module.wat", wat);
    assert!(terminal.vivarium(&["compile", "module.wat", "-o", "module.viva"], "").status.success());
    let shown = stdout(&terminal.vivarium(&["inspect", "module.viva"], ""));
    let handler = shown.lines().find(|line| line.starts_with("handler")).unwrap_or_else(|| panic!("no handler in {shown}"));
    assert!(handler.contains("careful at 0x") && handler.contains("tag 0 to 0x"), "{handler}");
    assert!(shown.lines().any(|line| line.starts_with("tag") && line.contains("0: ") && line.contains("i32")), "{shown}");
    let json: serde_json::Value = serde_json::from_slice(&terminal.vivarium(&["inspect", "--json", "module.viva"], "").stdout).unwrap();
    let handler = &json["handlers"][0];
    assert_eq!((&handler["function"], &handler["clauses"][0]["tag"]), (&"careful".into(), &0.into()), "{handler}");
    let (call, landing) = (handler["return_offset"].as_u64().unwrap(), handler["clauses"][0]["landing_offset"].as_u64().unwrap());
    assert!(landing > call, "a handler of this function lies behind its calls: {handler}");
}

/// The code runs from a mapping of the artifact itself, so that a profiler that is shown the file knows its functions.
#[test]
fn perf_names_the_functions_of_a_running_program_where_it_may_record() {
    let terminal = Terminal::new();
    terminal.write(
        "spin.wat",
        "(module (func $spinning (param i32) (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
            (func (export \"_start\") (call $spinning (i32.const 300000000))))",
    );
    assert!(terminal.vivarium(&["compile", "spin.wat", "-o", "spin.viva"], "").status.success());
    let perf = |arguments: &[&str]| {
        let data = terminal.path().join("data");
        Command::new("perf").args(arguments).current_dir(terminal.path()).env("VIVARIUM_DATA", data).output()
    };
    let recorded = perf(&["record", "-e", "cpu-clock", "-o", "perf.data", binary().to_str().unwrap(), "run", "spin.viva"]);
    let Some(_) = recorded.ok().filter(|output| output.status.success()) else {
        println!("perf is not installed here, or may not record");
        return;
    };
    let shown = terminal.path().join("shown");
    std::fs::create_dir(&shown).unwrap();
    std::fs::copy(terminal.path().join("spin.viva"), shown.join("memfd:vivarium-artifact (deleted)")).unwrap();
    let output = perf(&["report", "-i", "perf.data", "--stdio", "--symfs", shown.to_str().unwrap()]).unwrap();
    let report = stdout(&output);
    let busiest = report.lines().find(|line| line.contains('%') && !line.starts_with('#'));
    assert!(
        busiest.is_some_and(|line| line.contains("memfd:vivarium-artifact") && line.ends_with("spinning")),
        "{report}{}",
        stderr(&output)
    );
}
