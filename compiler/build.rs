//! Gives the compiler a digest of its own source and of the versions that it is linked with: code made by another build is not taken for its own.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::{fs, io};

fn main() -> io::Result<()> {
    // The workspace's manifest has the code generator's features.
    let manifests = ["Cargo.toml", "artifact/Cargo.toml", "../Cargo.toml", "../Cargo.lock"];
    let mut files: Vec<PathBuf> = manifests.iter().map(PathBuf::from).collect();
    for manifest in manifests {
        println!("cargo:rerun-if-changed={manifest}");
    }
    for folder in ["src", "artifact/src"] {
        println!("cargo:rerun-if-changed={folder}");
        list(Path::new(folder), &mut files)?;
    }
    files.sort();
    // Its keys are fixed, so that the same source gives the same digest. Nobody chooses the compiler's source to deceive it.
    let mut digest = DefaultHasher::new();
    for file in files {
        (file.display().to_string(), fs::read(&file)?).hash(&mut digest);
    }
    println!("cargo:rustc-env=VIVARIUM_COMPILER_BUILD={:016x}", digest.finish());
    Ok(())
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { list(&path, files)? } else { files.push(path) }
    }
    Ok(())
}
