//! Whatever a path names, as a signed artifact: source is built, wasm and WAT are compiled, an artifact is checked.

use std::fs;
use std::path::Path;

use ed25519_dalek::VerifyingKey;
use vivarium_artifact::{Artifact, ArtifactError, Setting, SignedArtifact};
use vivarium_compiler::{CompileError, Timings};

use super::Context;
use super::failure::Failure;
use super::source::Source;
use crate::compile::frames::Bounds;
use crate::compile::worker::place;
use crate::data_folder::DataFolder;
use crate::limits::Limits;
use crate::project::Files;

/// A signed artifact, the key that its signature was checked with, and the files of its project, where it was built from source.
pub struct Signed {
    pub bytes: Vec<u8>,
    pub key: VerifyingKey,
    pub files: Files,
}

/// Reads, builds and compiles as far as needed.
pub fn obtain(path: &Path, context: &Context, limits: &Limits) -> Result<Signed, Failure> {
    let folder = context.data_folder()?;
    if is(path, "viva") {
        return check(read(path)?, &folder);
    }
    let (wasm, files) = if is(path, "wasm") || is(path, "wat") {
        (read_wasm(path, limits)?, Files::new())
    } else if Source::is_source(path) {
        let source = Source::read(path, limits)?;
        let files = source.program_files(limits)?;
        (source.build(context, limits)?.wasm.ok_or(Failure::Program(None))?.bytes, files)
    } else {
        return Err(Failure::usage(format!("{} is neither source, wasm, WAT nor an artifact (.viva)", path.display())));
    };
    Ok(Signed { files, ..compile(&wasm, &folder, Setting::Fast, limits)?.0 })
}

/// The wasm of a binary or of its text.
pub fn read_wasm(path: &Path, limits: &Limits) -> Result<Vec<u8>, Failure> {
    let bytes = read(path)?;
    let wasm = if bytes.starts_with(b"\0asm") {
        bytes
    } else {
        wat::Parser::new()
            .generate_dwarf(wat::GenerateDwarf::Lines)
            .parse_bytes(Some(path), &bytes)
            .map_err(|mut error| {
                error.set_path(path);
                Failure::program(error)
            })?
            .into_owned()
    };
    if wasm.len() > limits.wasm_bytes_max {
        let detail =
            format!("the program has {} bytes of wasm, more than the limit wasm_bytes_max of {}", wasm.len(), limits.wasm_bytes_max);
        return Err(Failure::program(detail));
    }
    Ok(wasm)
}

/// Compiles in this process and signs with the data folder's key: what a user compiles for himself needs no wall of its own.
pub fn compile(wasm: &[u8], folder: &DataFolder, setting: Setting, limits: &Limits) -> Result<(Signed, Timings), Failure> {
    let policy = Bounds::of(limits).policy();
    let compiled = vivarium_compiler::compile(wasm, &policy, setting, &|_, _, _| {}).map_err(|error| refused(&error, wasm))?;
    let mut bytes = compiled.artifact.encode().map_err(Failure::program)?;
    let key = folder.signing_key()?;
    SignedArtifact::sign(&mut bytes, &key);
    Ok((Signed { bytes, key: key.verifying_key(), files: Files::new() }, compiled.timings))
}

/// As compilers print it, where the place in the source is known.
fn refused(error: &CompileError, wasm: &[u8]) -> Failure {
    match error.offset().and_then(|offset| place(wasm, offset)) {
        Some(place) => Failure::program(format!("{place}: {error}")),
        None => Failure::program(error),
    }
}

fn check(bytes: Vec<u8>, folder: &DataFolder) -> Result<Signed, Failure> {
    let key = folder.signing_key()?.verifying_key();
    match SignedArtifact::verify(&bytes, &key) {
        Ok(_) => Ok(Signed { bytes, key, files: Files::new() }),
        Err(ArtifactError::Signature) => Err(Failure::program("this artifact was made elsewhere, or changed: compile it here")),
        Err(error) => Err(Failure::program(error)),
    }
}

/// Reads any artifact, signed by whomever; the second is whether by us.
pub fn read_any(path: &Path, context: &Context) -> Result<(Vec<u8>, vivarium_artifact::ArtifactFile, bool), Failure> {
    let bytes = read(path)?;
    let parsed = Artifact::parse(&bytes).map_err(Failure::program)?;
    let key = context.data_folder()?.signing_key()?.verifying_key();
    let ours = SignedArtifact::verify(&bytes, &key).is_ok();
    Ok((bytes, parsed, ours))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))
}

fn is(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}
