//! Limits end builds that would not end themselves, and nothing of them stays. The figures are lowered so that the tests are quick.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use support::{JAILS, build, folder, jail_program, toolchains, tree, try_build};
use vivarium_toolchains::{BuildError, BuildLimits, BuildReport, Cancel, JailKind, Language, OpenOptions, Toolchains};

/// Constant evaluation that never ends, with the compiler's own limit switched off.
const ENDLESS: &str = "#![allow(long_running_const_eval)]\nconst fn spin() -> u32 { let mut n = 0u32; loop { n = n.wrapping_add(1); if n == 7 && n == 8 { return n; } } }\nconst ENDLESS: u32 = spin();\nfn main() { println!(\"{}\", ENDLESS); }\n";

fn quick() -> BuildLimits {
    BuildLimits { build_wall_ms: 10_000, build_cpu_ms: 1_000, ..BuildLimits::default() }
}

/// The limit that ended the build; a report is shown.
fn limit(result: Result<BuildReport, BuildError>) -> &'static str {
    match result {
        Ok(report) => panic!("the build ended by itself: {:#?}", report.diagnostics),
        Err(error) => error.limit().unwrap_or_else(|| panic!("no limit: {error}")),
    }
}

/// A macro that doubles its text so many times.
fn macro_bomb(doublings: usize) -> String {
    let mut text = "#define A0 x +\n".to_owned();
    for n in 1..=doublings {
        text += &format!("#define A{n} A{} A{}\n", n - 1, n - 1);
    }
    text + &format!("int x;\nint main(void) {{ return A{doublings} 0; }}\n")
}

#[test]
fn processor_time_ends_endless_compilers_in_both_jails() {
    for jail in JAILS {
        assert_eq!(limit(try_build(jail, Language::Rust, &[("main.rs", ENDLESS)], &quick())), "build_cpu_ms", "{jail}");
    }
    let bomb = macro_bomb(40);
    let ended = limit(try_build(JailKind::Bwrap, Language::C, &[("main.c", &bomb)], &quick()));
    assert!(["build_cpu_ms", "build_memory_bytes_max"].contains(&ended), "{ended}");
}

#[test]
fn an_assembler_that_repeats_is_ended() {
    let repeat = "__asm__(\".section .data.x,\\\"\\\",@\\n.rept 2000000000\\n.int8 0\\n.endr\\n\");\nint main(void) { return 0; }\n";
    let ended = limit(try_build(JailKind::Bwrap, Language::C, &[("main.c", repeat)], &quick()));
    assert!(["build_cpu_ms", "build_memory_bytes_max"].contains(&ended), "{ended}");
}

#[test]
fn wall_time_ends_compilers_with_all_that_they_started() {
    let limits = BuildLimits { build_wall_ms: 700, ..BuildLimits::default() };
    for jail in JAILS {
        assert_eq!(limit(try_build(jail, Language::Rust, &[("main.rs", ENDLESS)], &limits)), "build_wall_ms", "{jail}");
    }
    let types = "class A<T> { next(): void { new A<A<T>>().next(); } }\nnew A<i32>().next();\n";
    let ended = limit(try_build(JailKind::Bwrap, Language::AssemblyScript, &[("main.ts", types)], &limits));
    assert_eq!(ended, "build_wall_ms");
}

#[test]
fn memory_is_bounded() {
    let limits = BuildLimits { build_memory_bytes_max: 150 << 20, ..BuildLimits::default() };
    assert_eq!(limit(try_build(JailKind::Bwrap, Language::C, &[("main.c", &macro_bomb(24))], &limits)), "build_memory_bytes_max");
    // rustc takes it for an error of the program.
    let large = "static X: [[u64; 4096]; 4096] = [[1; 4096]; 4096];\nfn main() { println!(\"{}\", X[1][1]); }\n";
    let report = try_build(JailKind::Bwrap, Language::Rust, &[("main.rs", large)], &limits).unwrap();
    assert!(report.diagnostics[0].message.contains("more memory than available"), "{:?}", report.diagnostics);
}

#[test]
fn files_and_binaries_are_bounded() {
    let large = "char leaf[9000000] = {[8999999] = 1};\nint main(void) { return leaf[0]; }\n";
    let file = BuildLimits { build_file_bytes_max: 1 << 20, ..BuildLimits::default() };
    assert_eq!(limit(try_build(JailKind::Bwrap, Language::C, &[("main.c", large)], &file)), "build_file_bytes_max");
    let wasm = BuildLimits { wasm_bytes_max: 1 << 20, ..BuildLimits::default() };
    assert_eq!(limit(try_build(JailKind::Bwrap, Language::C, &[("main.c", large)], &wasm)), "wasm_bytes_max");
    let text = format!("(module (memory 32) (data (i32.const 0) \"{}\"))", "x".repeat(2000));
    let wasm = BuildLimits { wasm_bytes_max: 1000, ..BuildLimits::default() };
    assert_eq!(limit(try_build(JailKind::Bwrap, Language::Wat, &[("main.wat", &text)], &wasm)), "wasm_bytes_max");
}

#[test]
fn what_compilers_print_is_bounded() {
    let warnings: String = (0..2000).map(|n| format!("#warning leaf number {n}\n")).collect();
    let limits = BuildLimits { build_output_bytes_max: 20_000, ..BuildLimits::default() };
    let text = warnings + "int main(void) { return 0; }\n";
    assert_eq!(limit(try_build(JailKind::Bwrap, Language::C, &[("main.c", &text)], &limits)), "build_output_bytes_max");
}

#[test]
fn recursion_in_the_source_is_the_compilers_own_error() {
    let report = build(Language::C, &[("main.c", "#include \"main.c\"\n")]);
    assert!(report.diagnostics[0].message.contains("nested too deeply"), "{:#?}", report.diagnostics);
    let report = build(Language::Rust, &[("main.rs", "macro_rules! a { ($($t:tt)*) => { a!{$($t)* x} } }\na!();\nfn main() {}\n")]);
    assert!(report.diagnostics[0].message.contains("recursion limit"), "{:#?}", report.diagnostics);
}

#[test]
fn a_cancelled_build_ends_before_its_limits() {
    for jail in JAILS {
        let cancel = Cancel::new();
        let canceller = cancel.clone();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            canceller.cancel();
        });
        let result = toolchains(jail).build(&tree(Language::Rust, &[("main.rs", ENDLESS)]), &BuildLimits::default(), &cancel);
        assert!(matches!(result, Err(BuildError::Cancelled)), "{jail}: {result:?}");
        thread.join().unwrap();
    }
}

/// A stand-in for the jail: it runs the real one for the probe, and for a build it "succeeds" without a compiler.
#[test]
fn success_without_output_is_an_error() {
    let script = tempfile::tempdir().unwrap();
    let path = script.path().join("jail");
    let text = format!("#!/bin/sh\ncase \" $* \" in *' -E '*) exec {} \"$@\";; esac\n", jail_program().display());
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let toolchains = Toolchains::open_with(&folder(), &OpenOptions { jail_program: path, jail: Some(JailKind::Bwrap) });
    let result =
        toolchains.build(&tree(Language::C, &[("main.c", "int main(void) { return 0; }\n")]), &BuildLimits::default(), &Cancel::new());
    assert!(matches!(result, Err(BuildError::OutputMissing)), "{result:?}");
}

/// A stand-in for a compiler that was taken over: it fills its output folder with files, and waits.
#[test]
fn the_output_folder_is_bounded() {
    let script = tempfile::tempdir().unwrap();
    let path = script.path().join("jail");
    let text = format!(
        "#!/bin/bash\ncase \" $* \" in *' -E '*) exec {} \"$@\";; esac\nwhile [[ $1 != --job ]]; do shift; done\ncd \"$2/out\" && for n in {{1..1100}}; do : >$n; done\nexec sleep 30\n",
        jail_program().display()
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let toolchains = Toolchains::open_with(&folder(), &OpenOptions { jail_program: path, jail: Some(JailKind::Bwrap) });
    let source = tree(Language::C, &[("main.c", "int main(void) { return 0; }\n")]);
    let result = toolchains.build(&source, &BuildLimits::default(), &Cancel::new());
    assert!(matches!(result, Err(BuildError::FolderTooLarge { .. })), "{result:?}");
}
