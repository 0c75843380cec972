//! The shape of the house: who imports whom, what is used only where, and that documents point at things that exist.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").to_path_buf()
}

/// Folder of each crate, and which of ours it may import.
const CRATES: [(&str, &str, &[&str]); 6] = [
    ("compiler/artifact", "vivarium-artifact", &[]),
    ("compiler", "vivarium-compiler", &["vivarium-artifact"]),
    ("runtime", "vivarium-runtime", &["vivarium-artifact"]),
    ("runtime/abi", "vivarium-abi", &["vivarium-runtime", "vivarium-artifact"]),
    ("toolchains", "vivarium-toolchains", &[]),
    ("server", "vivarium", &["vivarium-abi", "vivarium-artifact", "vivarium-compiler", "vivarium-runtime", "vivarium-toolchains"]),
];

/// Dependencies that only these crates may have. `tests` may use them all.
const ONLY_IN: [(&str, &[&str]); 10] = [
    ("cranelift-codegen", &["vivarium-compiler"]),
    ("cranelift-frontend", &["vivarium-compiler"]),
    ("cranelift-native", &["vivarium-compiler"]),
    ("wasmparser", &["vivarium-compiler"]),
    ("gimli", &["vivarium-compiler"]),
    ("tokio", &["vivarium"]),
    ("axum", &["vivarium"]),
    ("hyper", &["vivarium"]),
    ("askama", &["vivarium"]),
    ("rusqlite", &["vivarium"]),
];

/// Names in the `[dependencies]` of a manifest.
fn dependencies(folder: &str) -> Vec<String> {
    let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("each crate has a manifest");
    let after = manifest.split("\n[dependencies]").nth(1).unwrap_or_default();
    let section = after.split("\n[").next().unwrap_or_default();
    let names = section.lines().filter_map(|line| line.split(['.', '=', ' ']).next());
    names.filter(|name| !name.is_empty() && !name.starts_with('#')).map(str::to_string).collect()
}

#[test]
fn crates_import_only_what_the_map_allows() {
    for (folder, name, allowed) in CRATES {
        for dependency in dependencies(folder) {
            if dependency.starts_with("vivarium") {
                assert!(allowed.contains(&dependency.as_str()), "{name} imports {dependency}, which the map does not allow");
            }
            if let Some((_, only)) = ONLY_IN.iter().find(|(restricted, _)| *restricted == dependency) {
                assert!(only.contains(&name), "{dependency} belongs to {only:?}, {name} has it");
            }
        }
    }
}

/// All files of our own with one of these extensions.
fn files(extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the tree reads").flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if path.is_dir() {
                if !["target", "node_modules", "dist", ".git", "data"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if extensions.iter().any(|extension| name.ends_with(extension)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).expect("files of the tree").to_string_lossy().into_owned()
}

/// What guests link: it declares the host's functions, which is called unsafe whatever they are, and runs behind the walls.
const GUESTS_SDK: &str = "toolchains/sdk/rust/vivarium.rs";

#[test]
fn unsafe_code_lives_in_one_folder_only() {
    for file in files(&[".rs"]) {
        let name = relative(&file);
        let allowed = name.starts_with("runtime/src/sys/")
            || name.starts_with("tests/native/")
            || name == "tests/tests/layout.rs"
            || name == GUESTS_SDK;
        let text = fs::read_to_string(&file).expect("source reads");
        // Code in a string is data: only what comes before a line's first quote counts.
        let code = text.lines().map(|line| line.split('"').next().unwrap_or_default());
        let found = code.filter(|code| ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"].iter().any(|form| code.contains(form)));
        assert!(allowed || found.count() == 0, "{name} has unsafe code; it belongs in runtime/src/sys/");
    }
    for (folder, name, _) in CRATES {
        let lib = fs::read_to_string(root().join(folder).join("src/lib.rs")).expect("each crate has a lib.rs");
        let attribute = if name == "vivarium-runtime" { "#![deny(unsafe_code)]" } else { "#![forbid(unsafe_code)]" };
        assert!(lib.contains(attribute), "{folder}/src/lib.rs lacks {attribute}");
    }
}

#[test]
fn processes_are_spawned_in_two_places_only() {
    for file in files(&[".rs"]) {
        let name = relative(&file);
        let product = CRATES.iter().any(|(folder, _, _)| name.starts_with(&format!("{folder}/src/")));
        let allowed = name.starts_with("toolchains/") || name == "server/src/processes.rs" || !product;
        let text = fs::read_to_string(&file).expect("source reads");
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        assert!(allowed || !text.contains("Command::new("), "{name} spawns processes; that belongs in server/src/processes.rs");
    }
}

#[test]
fn processor_and_system_are_named_only_where_they_may_be() {
    let allowed = |name: &str| {
        name.starts_with("runtime/src/sys/")
            || name.starts_with("tests/")
            || ["runtime/src/lib.rs", "runtime/src/module.rs", "compiler/src/stubs.rs", "compiler/artifact/src/elf.rs"].contains(&name)
    };
    for file in files(&[".rs"]) {
        let name = relative(&file);
        let text = fs::read_to_string(&file).expect("source reads");
        let named = ["target_arch", "asm!("].iter().any(|word| text.contains(word));
        assert!(allowed(&name) || !named, "{name} names the processor");
    }
}

#[test]
fn paths_that_documents_name_exist() {
    let mut missing: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files(&[".md"]) {
        let text = fs::read_to_string(&file).expect("documents read");
        for quoted in text.split('`').skip(1).step_by(2) {
            let path = quoted.trim_end_matches('/');
            let looks_like_path = path.contains('/') && path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            let ours = path.split('/').next().is_some_and(|first| !first.is_empty() && root().join(first).is_dir());
            let made = path.starts_with("web/dist") || path.starts_with("target/");
            // A document may name paths from the root or from a folder that it lies in.
            let exists = file.ancestors().skip(1).any(|folder| folder.join(path).exists());
            if looks_like_path && ours && !made && !exists {
                missing.entry(relative(&file)).or_default().push(path.to_string());
            }
        }
    }
    assert!(missing.is_empty(), "documents name paths that do not exist: {missing:#?}");
}

#[test]
fn no_file_is_named_as_if_nobody_had_decided() {
    for file in files(&[".rs", ".ts"]) {
        let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let vague = ["util", "utils", "helper", "helpers", "common", "misc", "manager", "internal"];
        assert!(!vague.contains(&stem.as_str()), "{} needs a name that says what lives there", relative(&file));
    }
}
