//! What is loaded is what was signed, sealed, of this version and for this processor; anything else is refused by name.

use std::io::Write as _;

use ed25519_dalek::SigningKey;
use vivarium_artifact::{Artifact, Setting, SignedArtifact};
use vivarium_compiler::{Policy, compile};
use vivarium_runtime::SealedFile;
use vivarium_tests::engine::runtime;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[5; 32])
}

fn artifact() -> Artifact {
    let wasm = wat::parse_str("(module (memory 1) (func (export \"f\")))").unwrap();
    compile(&wasm, &Policy::default(), Setting::Fast, &|_, _, _| {}).unwrap().artifact
}

/// Loads a file as it is; the error is its sentence.
fn load(file: &[u8]) -> Result<(), String> {
    let sealed = SealedFile::from_bytes(file).unwrap();
    runtime().load(sealed, &key().verifying_key()).map(drop).map_err(|error| error.to_string())
}

fn signed(artifact: &Artifact) -> Vec<u8> {
    let mut file = artifact.encode().unwrap();
    SignedArtifact::sign(&mut file, &key());
    file
}

fn check(file: &[u8], words: &str) {
    let sentence = load(file).unwrap_err();
    assert!(sentence.contains(words), "{sentence}");
}

#[test]
fn what_was_compiled_here_loads() {
    assert_eq!(load(&signed(&artifact())), Ok(()));
}

#[test]
fn other_processor_features_are_refused_by_name() {
    let mut artifact = artifact();
    artifact.contract.cpu_features.push("avx512vbmi2".into());
    check(&signed(&artifact), "needs the processor feature avx512vbmi2");
}

#[test]
fn another_version_is_refused_by_its_number() {
    let mut file = artifact().encode().unwrap();
    file[12..14].copy_from_slice(&0x7777u16.to_le_bytes());
    SignedArtifact::sign(&mut file, &key());
    check(&file, "format version 30583");
}

#[test]
fn another_key_and_no_signature_are_refused() {
    let mut file = artifact().encode().unwrap();
    check(&file, "signed by another key");
    SignedArtifact::sign(&mut file, &SigningKey::from_bytes(&[6; 32]));
    check(&file, "signed by another key");
}

/// A file that somebody could still write to after it was checked.
#[test]
fn a_missing_seal_is_refused() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&signed(&artifact())).unwrap();
    let refused = SealedFile::receive(file.into()).map(drop).unwrap_err().to_string();
    assert!(refused.contains("seal"), "{refused}");
}
