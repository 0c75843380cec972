//! The jail keeps what is outside from compilers, in both kinds; and without a jail nothing is compiled.

mod support;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use support::{JAILS, contains, folder, toolchains, tree, try_build};
use vivarium_toolchains::{BuildError, BuildLimits, Cancel, JailKind, Language, OpenOptions, Toolchains};

/// What the canary holds; sources name its path, never this word.
const SECRET: &str = "vermillion_kookaburra";

/// A file that every user of the host may read, so that only a jail keeps it.
fn canary() -> tempfile::NamedTempFile {
    let everyone = std::fs::Permissions::from_mode(0o644);
    let mut file = tempfile::Builder::new().permissions(everyone).suffix(".rs").tempfile().unwrap();
    writeln!(file, "pub const LEAK: &str = \"{SECRET}\"; // {SECRET}").unwrap();
    file
}

fn attempts(path: &str) -> Vec<(Language, String)> {
    let c = |text: &str| (Language::C, text.replace("PATH", path));
    let rust = |text: &str| (Language::Rust, text.replace("PATH", path));
    let cpp = |text: &str| (Language::Cpp, text.replace("PATH", path));
    let script = |text: &str| (Language::AssemblyScript, text.replace("PATH", path));
    vec![
        c("#include \"PATH\"\nint main(void) { return 0; }\n"),
        c("#include \"../../../../../../../../../..PATH\"\nint main(void) { return 0; }\n"),
        c("const char leaf[] = {\n#embed \"PATH\"\n};\n#include <stdio.h>\nint main(void) { puts(leaf); }\n"),
        c("__asm__(\".section .rodata.x,\\\"\\\",@\\n.incbin \\\"PATH\\\"\\n\");\nint main(void) { return 0; }\n"),
        c("#if __has_include(\"PATH\")\n#include \"PATH\"\n#endif\nint main(void) { return 0; }\n"),
        rust("fn main() { println!(\"{}\", include_str!(\"PATH\")); }\n"),
        rust("static LEAF: &[u8] = include_bytes!(\"PATH\");\nfn main() { println!(\"{LEAF:?}\"); }\n"),
        rust("include!(\"PATH\");\nfn main() { println!(\"{LEAK}\"); }\n"),
        rust("#[path = \"PATH\"]\nmod leaf;\nfn main() { println!(\"{}\", leaf::LEAK); }\n"),
        rust("#![doc = include_str!(\"PATH\")]\nfn main() {}\n"),
        rust("fn main() { println!(\"{:?} {:?}\", option_env!(\"VIVARIUM_CANARY\"), option_env!(\"CARGO_MANIFEST_DIR\")); }\n"),
        rust("fn main() { println!(\"{}\", include_str!(\"/proc/self/environ\")); }\n"),
        script("import { LEAK } from \"PATH\";\nconsole.log(LEAK);\n"),
        script("import { LEAK } from \"../../../../../..PATH\";\nconsole.log(LEAK);\n"),
        c("#import \"PATH\"\nint main(void) { return 0; }\n"),
        c("#include_next \"PATH\"\nint main(void) { return 0; }\n"),
        c("#define LEAF \"PATH\"\n#include LEAF\nint main(void) { return 0; }\n"),
        c("#include </PATH>\nint main(void) { return 0; }\n"),
        c("const char leaf[] = {\n#embed \"PATH\" limit(40)\n};\n#include <stdio.h>\nint main(void) { puts(leaf); }\n"),
        c("#line 1 \"PATH\"\nint main(void) { return leaf; }\n"),
        c("#pragma GCC dependency \"PATH\"\nint main(void) { return 0; }\n"),
        c("#pragma comment(lib, \"PATH\")\n#pragma clang __debug parser_crash\nint main(void) { return 0; }\n"),
        c("__asm__(\".include \\\"PATH\\\"\");\nint main(void) { return 0; }\n"),
        c("#include \"/proc/self/environ\"\nint main(void) { return 0; }\n"),
        c("#include \"/proc/self/cmdline\"\nint main(void) { return 0; }\n"),
        c("#include \"/proc/1/environ\"\nint main(void) { return 0; }\n"),
        c("#include \"/dev/stdin\"\nint main(void) { return 0; }\n"),
        c("#include \"/etc/passwd\"\nint main(void) { return 0; }\n"),
        cpp("#include \"PATH\"\nint main() { return 0; }\n"),
        cpp("import \"PATH\";\nint main() { return 0; }\n"),
        cpp("constexpr char leaf[] = {\n#embed \"PATH\"\n};\nstatic_assert(leaf[0] == 0, \"x\");\nint main() { return leaf[0]; }\n"),
        cpp("#if __has_include(\"/proc/self/environ\")\n#include \"/proc/self/environ\"\n#endif\nint main() { return 0; }\n"),
        rust("#[path = \"/proc/self/environ\"]\nmod leaf;\nfn main() {}\n"),
        rust("fn main() { println!(\"{}\", include_str!(\"/proc/self/cmdline\")); }\n"),
        rust("fn main() { println!(\"{}\", env!(\"CARGO_MANIFEST_DIR\")); }\n"),
        rust("fn main() { println!(\"{:?} {:?}\", option_env!(\"HOME\"), option_env!(\"CARGO_MANIFEST_DIR\")); }\n"),
        rust("macro_rules! leaf { ($p:literal) => { include_str!($p) } }\nfn main() { println!(\"{}\", leaf!(\"PATH\")); }\n"),
        rust("compile_error!(include_str!(\"PATH\"));\nfn main() {}\n"),
        rust("const _: () = { let leaf = include_bytes!(\"PATH\"); assert!(leaf[0] == 0, \"x\"); };\nfn main() {}\n"),
        rust("#[link(name = \"PATH\", kind = \"static\")]\nunsafe extern \"C\" {}\nfn main() {}\n"),
        rust("core::arch::global_asm! (\".include \\\"PATH\\\"\");\nfn main() {}\n"),
        script("/// <reference path=\"PATH\" />\nconsole.log(\"x\");\n"),
        script("export * from \"PATH\";\n"),
        script("import \"/proc/self/environ\";\nconsole.log(\"x\");\n"),
    ]
}

#[test]
fn no_byte_of_a_canary_reaches_the_user() {
    let file = canary();
    let path = file.path().display().to_string();
    assert!(attempts(&path).len() >= 40);
    for jail in JAILS {
        for (language, text) in attempts(&path) {
            let (told, wasm) = match try_build(jail, language, &[(language.main_file(), &text)], &BuildLimits::default()) {
                Ok(report) => {
                    (format!("{:?} {}", report.diagnostics, report.output), report.wasm.map(|wasm| wasm.bytes).unwrap_or_default())
                }
                // A compiler that is made to crash tells more of itself than another.
                Err(BuildError::Killed { signal, last_words }) => (format!("{signal} {last_words}"), Vec::new()),
                // As any other program may, where others compile too.
                Err(error) if error.limit().is_some() => (error.to_string(), Vec::new()),
                Err(error) => panic!("{jail}: {text}: {error}"),
            };
            assert!(!told.contains(SECRET) && !contains(&wasm, SECRET), "{jail}: {text}\n{told}");
            let inside = ["/job/src", "/job/job-", folder().to_str().unwrap()].iter().any(|path| told.contains(path));
            assert!(!inside, "{jail}: a path of the jail is told: {told}");
            assert!(!contains(&wasm, env!("CARGO_MANIFEST_DIR")), "{jail}: an environment variable of the host is in the binary");
        }
    }
}

#[test]
fn code_of_the_users_is_not_run_by_the_compiler() {
    let proc_macro = "#![crate_type = \"proc-macro\"]\nextern crate proc_macro;\n#[proc_macro]\npub fn leaf(input: proc_macro::TokenStream) -> proc_macro::TokenStream { input }\nfn main() {}\n";
    let attempts = [
        (proc_macro, "proc-macro"),
        ("#![feature(rustc_attrs)]\nfn main() {}\n", "E0554"),
        ("#[link(name = \"leaf\", kind = \"static\")]\nunsafe extern \"C\" {}\nfn main() {}\n", "unable to find library -lleaf"),
    ];
    for (text, message) in attempts {
        let report = try_build(JailKind::Bwrap, Language::Rust, &[("main.rs", text)], &BuildLimits::default()).unwrap();
        assert!(report.wasm.is_none() && report.output.contains(message), "{text}: {}", report.output);
    }
}

#[test]
fn nothing_of_a_job_stays() {
    let jobs = folder().join("root/job");
    let before = std::fs::read_dir(&jobs).unwrap().count();
    for jail in JAILS {
        try_build(jail, Language::C, &[("main.c", "int main(void) { return 0 }\n")], &BuildLimits::default()).unwrap();
    }
    // Tests beside this one have jobs of their own; each is a folder, and none may be left by ours.
    assert!(std::fs::read_dir(&jobs).unwrap().count() <= before + 8);
}

#[test]
fn builds_run_beside_each_other() {
    std::thread::scope(|scope| {
        for jail in JAILS.repeat(3) {
            scope.spawn(move || {
                let report = toolchains(jail).build(
                    &tree(Language::C, &[("main.c", "int main(void) { return 0; }\n")]),
                    &BuildLimits::default(),
                    &Cancel::new(),
                );
                assert!(report.unwrap().wasm.is_some());
            });
        }
    });
}

/// A program that does not become the jail is as good as a system without one.
#[test]
fn without_a_jail_nothing_is_compiled() {
    let options = OpenOptions { jail_program: PathBuf::from("/bin/true"), jail: None };
    let toolchains = Toolchains::open_with(&folder(), &options);
    assert_eq!(toolchains.jail(), JailKind::None);
    let result =
        toolchains.build(&tree(Language::C, &[("main.c", "int main(void) { return 0; }\n")]), &BuildLimits::default(), &Cancel::new());
    assert!(matches!(result, Err(BuildError::JailUnavailable { .. })), "{result:?}");
    let status = toolchains.status();
    assert!(!status[0].available && status[0].reason.as_ref().unwrap().contains("no jail"), "{status:?}");
    assert!(status.last().unwrap().available, "WAT needs none");
}

/// A "jail" that confines nothing is found out by the canary.
#[test]
fn a_wall_with_a_hole_is_refused() {
    let script = tempfile::tempdir().unwrap();
    let path = script.path().join("jail");
    let root = folder().join("root");
    let text = format!(
        "#!/bin/bash\nwhile [ \"$1\" != -- ]; do [ \"$1\" = --job ] && cd \"$2/src\"; shift; done; shift\nexport LD_LIBRARY_PATH={0}/usr/lib/x86_64-linux-gnu\nexec {0}\"$@\"\n",
        root.display()
    );
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let toolchains = Toolchains::open_with(&folder(), &OpenOptions { jail_program: path, jail: Some(JailKind::Bwrap) });
    assert_eq!(toolchains.jail(), JailKind::None);
    let reason = toolchains.status()[0].reason.clone().unwrap();
    assert!(reason.contains("can read a file outside"), "{reason}");
}

#[test]
fn missing_toolchains_say_what_installs_them() {
    let empty = tempfile::tempdir().unwrap();
    let toolchains = Toolchains::open(empty.path());
    let status = &toolchains.status()[0];
    assert!(status.mend.as_ref().unwrap().starts_with("run toolchains/setup/install /"), "{status:?}");
    let result = toolchains.build(&tree(Language::Rust, &[("main.rs", "fn main() {}\n")]), &BuildLimits::default(), &Cancel::new());
    assert!(matches!(result, Err(BuildError::Unavailable { .. })), "{result:?}");
}
