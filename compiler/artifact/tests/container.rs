//! An artifact survives its container, and nothing else passes for one.

use ed25519_dalek::SigningKey;
use vivarium_artifact::lines::LineTableBuilder;
use vivarium_artifact::sign::SIGNATURE_BYTES;
use vivarium_artifact::{
    AddressMap, AddressType, Artifact, ArtifactError, CallSite, Clause, Contract, FunctionRecord, FunctionTable, HandlerTable, MemoryPlan,
    PAGE_BYTES, Place, SignedArtifact, SlotLayout, TrapKind, TrapSite, TrapTable,
};

fn lines() -> Vec<u8> {
    let mut builder = LineTableBuilder::default();
    builder.push(1, Some(Place { file: "main.c", line: 3, column: 5 }));
    builder.push(9, None);
    builder.finish()
}

fn artifact() -> Artifact {
    let contract = Contract {
        cpu_features: vec!["sse4.1".into()],
        memories: vec![MemoryPlan {
            address: AddressType::I32,
            page_bytes: 65536,
            minimum_pages: 1,
            declared_maximum_pages: None,
            maximum_pages: 1,
            image_bytes: 4096,
            import: None,
        }],
        ..Contract::empty()
    };
    let image_bytes = SlotLayout::of(&contract).unwrap().image_bytes as usize;
    Artifact {
        contract,
        text: vec![0xcc; 100],
        image: (0..image_bytes).map(|index| index as u8).collect(),
        traps: TrapTable::new(vec![TrapSite { text_offset: 4, kind: TrapKind::Unreachable }]),
        handlers: HandlerTable::new(vec![CallSite { return_offset: 12, frame_bytes: 32, clauses: vec![Clause::new(1, 40)] }]),
        functions: FunctionTable::new(vec![FunctionRecord {
            index: 0,
            name: Some("frond".into()),
            text_offset: 0,
            text_bytes: 50,
            wasm_offset: 1,
            wasm_bytes: 9,
        }]),
        map: AddressMap::new(vec![(0, 1), (8, 3)]),
        lines: lines(),
    }
}

#[test]
fn what_is_encoded_is_what_is_parsed() {
    let artifact = artifact();
    let file = artifact.encode().unwrap();
    let parsed = Artifact::parse(&file).unwrap();
    assert_eq!(parsed.contract, artifact.contract);
    assert_eq!(&file[parsed.text.clone()], &artifact.text[..]);
    assert_eq!(&file[parsed.image.clone()], &artifact.image[..]);
    assert_eq!(parsed.line_table(&file).at(3), Some(Place { file: "main.c", line: 3, column: 5 }));
    assert_eq!((parsed.traps, parsed.functions, parsed.map), (artifact.traps, artifact.functions, artifact.map));
    assert_eq!(parsed.handlers, artifact.handlers);
}

/// Length of the file that is flipped and cut, in bytes.
const FLIPPED_BYTES: usize = 64 << 10;

/// A signed file of exactly that length.
fn signed_64_kib(key: &SigningKey) -> Vec<u8> {
    let mut artifact = artifact();
    let mut file = artifact.encode().unwrap();
    // The text begins on the first page after the headers and what follows it on another: it fills whole pages, the lines the rest.
    while file.len() + SIGNATURE_BYTES < FLIPPED_BYTES {
        let missing = FLIPPED_BYTES - SIGNATURE_BYTES - file.len();
        if missing >= 2 * PAGE_BYTES as usize {
            artifact.text.resize(artifact.text.len() + PAGE_BYTES as usize, 0xcc);
        } else {
            artifact.lines.push(0);
        }
        file = artifact.encode().unwrap();
    }
    SignedArtifact::sign(&mut file, key);
    file
}

/// How many of these places are refused; each is tried by one of a few threads.
fn refused(places: usize, is_refused: impl Fn(usize) -> bool + Sync) -> usize {
    const THREADS: usize = 4;
    std::thread::scope(|scope| {
        let counts: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn({
                    let is_refused = &is_refused;
                    move || (thread..places).step_by(THREADS).filter(|place| is_refused(*place)).count()
                })
            })
            .collect();
        counts.into_iter().map(|count| count.join().unwrap()).sum()
    })
}

#[test]
fn every_flipped_byte_and_every_shorter_length_of_a_signed_file_is_refused() {
    let key = SigningKey::from_bytes(&[3; 32]);
    let file = signed_64_kib(&key);
    assert_eq!(file.len(), FLIPPED_BYTES);
    assert!(SignedArtifact::verify(&file, &key.verifying_key()).is_ok() && Artifact::parse(&file).is_ok());
    let flipped = refused(file.len(), |index| {
        let mut flipped = file.clone();
        flipped[index] ^= 1 << (index % 8);
        SignedArtifact::verify(&flipped, &key.verifying_key()).is_err()
    });
    let cut = refused(file.len(), |length| SignedArtifact::verify(&file[..length], &key.verifying_key()).is_err());
    println!("flipped bytes refused: {flipped} of {FLIPPED_BYTES}; shorter lengths refused: {cut} of {FLIPPED_BYTES}");
    assert_eq!((flipped, cut), (FLIPPED_BYTES, FLIPPED_BYTES));
    assert_eq!(SignedArtifact::verify(&file[..40], &key.verifying_key()).unwrap_err(), ArtifactError::Foreign);
    assert_eq!(SignedArtifact::verify(&file[..4000], &key.verifying_key()).unwrap_err(), ArtifactError::Signature);
}

#[test]
fn another_version_and_other_files_fail_on_their_first_bytes() {
    let mut file = artifact().encode().unwrap();
    file[12] = 0xfe;
    assert_eq!(Artifact::parse(&file).unwrap_err(), ArtifactError::Version { found: 0xfe });
    assert_eq!(Artifact::parse(b"\0asm").unwrap_err(), ArtifactError::Foreign);
    assert_eq!(Artifact::parse(&[]).unwrap_err(), ArtifactError::Foreign);
}

#[test]
fn damaged_files_give_errors_and_never_panic() {
    let file = artifact().encode().unwrap();
    for index in 16..file.len() {
        let mut damaged = file.clone();
        damaged[index] ^= 0x80;
        let _ = Artifact::parse(&damaged);
        let _ = Artifact::parse(&file[..index]);
    }
}
