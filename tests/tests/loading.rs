//! What is loaded is what was signed, sealed, of this version and for this processor; anything else is refused by name.

use std::io::Write as _;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use vivarium_artifact::sign::SIGNATURE_BYTES;
use vivarium_artifact::{Artifact, CallSite, Clause, HandlerTable, Setting, SignedArtifact};
use vivarium_compiler::{Policy, compile};
use vivarium_runtime::{SealedFile, VerifiedArtifacts};
use vivarium_tests::engine::{call, limits, runtime};

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

/// An exception would send control there: whoever wrote the table must not choose freely where.
#[test]
fn handlers_of_exceptions_that_contradict_the_code_are_refused() {
    let wasm = wat::parse_str(
        "(module (tag $e) (func $throw (throw $e)) (func $other) (func (export \"f\") (block (try_table (catch $e 0) (call $throw)))))",
    )
    .unwrap();
    let sound = compile(&wasm, &Policy::default(), Setting::Fast, &|_, _, _| {}).unwrap().artifact;
    assert_eq!(load(&signed(&sound)), Ok(()));
    let (return_offset, frame_bytes, clauses) = sound.handlers.sites().next().expect("the call has a handler");
    let clause = clauses[0];
    let site = CallSite { return_offset, frame_bytes, clauses: vec![clause] };
    let other = sound.functions.records().iter().find(|record| record.name.as_deref() == Some("other")).unwrap().text_offset;
    let with = |clause: Clause| CallSite { clauses: vec![clause], ..site.clone() };
    for (lie, site) in [
        ("a landing in another function", with(Clause { landing_offset: other, ..clause })),
        ("a landing in the thunks", with(Clause { landing_offset: 0, ..clause })),
        ("a landing outside the text", with(Clause { landing_offset: u32::MAX, ..clause })),
        ("a tag that there is not", with(Clause { tag: Some(1), ..clause })),
        ("a call in another function", CallSite { return_offset: other + 1, ..site.clone() }),
        ("a call outside the text", CallSite { return_offset: u32::MAX, ..site.clone() }),
        ("a call before the text", CallSite { return_offset: 0, ..site.clone() }),
        ("a frame that is not aligned", CallSite { frame_bytes: frame_bytes + 8, ..site.clone() }),
        ("a frame larger than the guard", CallSite { frame_bytes: 64 << 20, ..site.clone() }),
    ] {
        let lying = Artifact { handlers: HandlerTable::new(vec![site]), ..sound.clone() };
        assert_eq!(
            load(&signed(&lying)),
            Err("this artifact is damaged: its handlers of exceptions contradict its functions".into()),
            "{lie}"
        );
    }
}

fn signed_wat(wat: &str) -> Vec<u8> {
    let wasm = wat::parse_str(wat).unwrap();
    signed(&compile(&wasm, &Policy::default(), Setting::Fast, &|_, _, _| {}).unwrap().artifact)
}

/// Of a file with a signature that is known nothing else is looked at: what runs is what was verified, whatever else the second file holds.
#[test]
fn what_is_verified_already_is_mapped_without_being_read_again() {
    let file = signed_wat("(module (func (export \"f\") (result i32) (i32.const 4711)))");
    let verified = VerifiedArtifacts::new(key().verifying_key());
    let first = verified.obtain(SealedFile::from_bytes(&file).unwrap()).unwrap();
    let mut forged = file.clone();
    forged[..file.len() - SIGNATURE_BYTES].fill(0xcc);
    let second = verified.obtain(SealedFile::from_bytes(&forged).unwrap()).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    let modules = [&first, &second].map(|artifact| runtime().map(artifact).unwrap());
    let pool = runtime().pool(2).unwrap();
    for module in &modules {
        let mut instance = pool.acquire(module, limits()).unwrap();
        assert_eq!(call(&mut instance, "f", &[]).unwrap(), [4711]);
    }
    // When nobody has it any more, it is not known any more.
    drop((first, second, modules, pool));
    assert!(verified.obtain(SealedFile::from_bytes(&forged).unwrap()).is_err());
    assert!(verified.obtain(SealedFile::from_bytes(&file).unwrap()).is_ok());
    assert!(verified.obtain(SealedFile::from_bytes(&[0; 40]).unwrap()).is_err(), "too short for a signature");
}
