//! Embeds `web/dist`, when it was built, into the binary. Never builds it: that is the Makefile's work, and `cargo` needs no Node.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

fn main() {
    let crate_folder = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let output_folder = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let dist = Path::new(&crate_folder).join("../web/dist");
    println!("cargo::rerun-if-changed=../web/dist");

    let table = embedded_files(&dist);
    fs::write(Path::new(&output_folder).join("embedded_files.rs"), table).expect("cargo's OUT_DIR can be written");
}

/// The source of a slice of (name, bytes); empty when the folder is missing. Sorted, so that the output depends on the files alone.
fn embedded_files(dist: &Path) -> String {
    let mut paths: Vec<_> = fs::read_dir(dist)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    let mut table = String::from("&[\n");
    for path in paths {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        println!("cargo::rerun-if-changed={}", path.display());
        writeln!(table, "    ({name:?}, include_bytes!({path:?})),").expect("a String can be written to");
    }
    table.push(']');
    table
}
