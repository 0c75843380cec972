//! What was looked at from end to end: signature, parts, processor, sizes. Once for each artifact; mapping it needs none of that again.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use ed25519_dalek::VerifyingKey;
use thiserror::Error;
use vivarium_artifact::layout::{GUARD_BYTES, MEMORIES_MAX, MEMORY_RESERVATION_BYTES};
use vivarium_artifact::sign::{SIGNATURE_BYTES, signature};
use vivarium_artifact::{
    AddressMap, Artifact, ArtifactError, ArtifactFile, Clause, Contract, Digest, FunctionTable, FunctionType, HandlerTable, MemoryPlan,
    PAGE_BYTES, SignedArtifact, SlotLayout, TrapTable, WASM_PAGE_BYTES,
};

use crate::reset::DataPages;
use crate::signatures::Signatures;
use crate::slot::SLOT_HEAD_BYTES_MAX;
use crate::sys::file::SealedFile;
use crate::write_set::PAGES_MAX;

/// Why a module cannot be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    #[error("the artifact needs the processor feature {0}, which this machine lacks: compile it here")]
    Processor(String),
    #[error("the module's stack, tables and globals need {needed} bytes, a slot has room for {SLOT_HEAD_BYTES_MAX}")]
    TooLarge { needed: u64 },
    #[error("mapping the artifact failed: {0}")]
    Map(#[from] io::Error),
}

/// A sealed file whose signature and parts were checked, with the tables that were read from it.
#[derive(Debug)]
pub struct VerifiedArtifact {
    pub(crate) file: SealedFile,
    pub(crate) digest: Digest,
    pub(crate) contract: Contract,
    pub(crate) layout: SlotLayout,
    pub(crate) functions: FunctionTable,
    pub(crate) map: AddressMap,
    pub(crate) handlers: HandlerTable,
    pub(crate) signatures: Signatures,
    pub(crate) traps: Arc<TrapTable>,
    pub(crate) image_offset: u64,
    /// Which pages of the image hold data.
    pub(crate) data_pages: DataPages,
    /// Where the text lies in the file.
    pub(crate) text: Range<usize>,
    /// And its table of function offsets.
    pub(crate) offset_table: usize,
    /// Where the table of lines lies in the file.
    pub(crate) lines: Range<usize>,
    verify_us: f64,
}

impl VerifiedArtifact {
    /// Verifies the signature, reads the parts, checks processor and sizes: takes time in proportion to the file.
    pub(crate) fn verify(file: SealedFile, key: &VerifyingKey) -> Result<VerifiedArtifact, LoadError> {
        let started = Instant::now();
        let data = file.data_pages(0..file.bytes().len())?;
        let digest = SignedArtifact::verify_data(file.bytes(), data, key)?.digest;
        let parts = Artifact::parse(file.bytes())?;
        check_processor(&parts.contract)?;
        if parts.layout.memory_offset > SLOT_HEAD_BYTES_MAX {
            return Err(LoadError::TooLarge { needed: parts.layout.memory_offset });
        }
        if parts.layout.image_bytes > u64::from(PAGES_MAX) * PAGE_BYTES {
            return Err(ArtifactError::Damaged("its image is larger than a gibibyte").into());
        }
        check_contract(&parts.contract, &file.bytes()[parts.text.clone()])?;
        check_handlers(&parts)?;
        let data_pages = DataPages::new(parts.image.len() / PAGE_BYTES as usize, file.data_pages(parts.image.clone())?);
        Ok(VerifiedArtifact {
            digest,
            signatures: Signatures::of(&parts.contract),
            offset_table: parts.text.start + parts.contract.offset_table as usize,
            contract: parts.contract,
            layout: parts.layout,
            functions: parts.functions,
            map: parts.map,
            handlers: parts.handlers,
            traps: Arc::new(parts.traps),
            image_offset: parts.image.start as u64,
            data_pages,
            text: parts.text,
            lines: parts.lines,
            verify_us: started.elapsed().as_secs_f64() * 1e6,
            file,
        })
    }

    /// What the module may import and how much of everything it gets.
    pub fn contract(&self) -> &Contract {
        &self.contract
    }

    /// SHA-256 of the artifact.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How long verifying took, in microseconds.
    pub fn verify_us(&self) -> f64 {
        self.verify_us
    }
}

/// What a process has verified and still uses, by signature. Two files with one signature would have one digest, or one of them is forged; of a second file
/// nothing but its signature is read, and what is mapped is the one that was verified.
#[derive(Debug)]
pub struct VerifiedArtifacts {
    key: VerifyingKey,
    known: Mutex<HashMap<[u8; SIGNATURE_BYTES], Weak<VerifiedArtifact>>>,
}

impl VerifiedArtifacts {
    /// None so far; all are to be signed with this key.
    pub fn new(key: VerifyingKey) -> VerifiedArtifacts {
        VerifiedArtifacts { key, known: Mutex::default() }
    }

    /// The verified artifact with this file's signature: a known one, or the file itself, which is verified now.
    pub fn obtain(&self, file: SealedFile) -> Result<Arc<VerifiedArtifact>, LoadError> {
        let signature = *signature(file.bytes())?;
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(artifact) = known().get(&signature).and_then(Weak::upgrade) {
            return Ok(artifact);
        }
        let artifact = Arc::new(VerifiedArtifact::verify(file, &self.key)?);
        let mut known = known();
        // As many remain as are in use.
        known.retain(|_, artifact| artifact.strong_count() > 0);
        known.insert(signature, Arc::downgrade(&artifact));
        Ok(artifact)
    }
}

/// Names of processor features, as the contract spells them, and whether this machine has them.
fn has_feature(name: &str) -> bool {
    macro_rules! detect {
        ($($feature:tt)*) => {
            match name {
                $($feature => std::arch::is_x86_feature_detected!($feature),)*
                _ => false,
            }
        };
    }
    // None with registers beyond xmm0 to xmm15: preemption saves no others.
    detect!("sse3" "ssse3" "sse4.1" "sse4.2" "popcnt" "avx" "avx2" "fma" "bmi1" "bmi2" "lzcnt" "cmpxchg16b")
}

/// Slots and entries rely on these; the compiler keeps them, a damaged contract may not.
fn check_contract(contract: &Contract, text: &[u8]) -> Result<(), LoadError> {
    let damaged = |what| Err(LoadError::from(ArtifactError::Damaged(what)));
    let memory_is_sound = |memory: &MemoryPlan| {
        memory.image_bytes.is_multiple_of(PAGE_BYTES)
            && [1, WASM_PAGE_BYTES].contains(&memory.page_bytes)
            && memory.minimum_pages <= memory.maximum_pages
            && memory.maximum_bytes() <= MEMORY_RESERVATION_BYTES
            && memory.image_bytes <= memory.minimum_bytes().next_multiple_of(PAGE_BYTES)
    };
    if contract.own_memories().count() > MEMORIES_MAX {
        return damaged("it has more memories than a slot has room for");
    }
    if contract.stack_bytes == 0 || !contract.stack_bytes.is_multiple_of(PAGE_BYTES) || !contract.own_memories().all(memory_is_sound) {
        return damaged("its memory plan contradicts itself");
    }
    if !contract.linked && has_imports_of_instances(contract) {
        return damaged("it imports more than functions and is not to be linked");
    }
    if contract.tables.iter().any(|table| table.import.is_none() && table.minimum > table.capacity) {
        return damaged("its table plan contradicts itself");
    }
    let offset_of = |function: usize| -> Option<i64> {
        let entry = contract.offset_table as usize + 4 * function;
        let relative = i32::from_le_bytes(*text.get(entry..)?.first_chunk()?);
        Some(i64::from(contract.offset_table) + i64::from(relative))
    };
    let in_text = |offset: i64| (0..text.len() as i64).contains(&offset);
    if text.len() > u32::MAX as usize || !(0..contract.function_types.len()).all(|function| offset_of(function).is_some_and(in_text)) {
        return damaged("its offset table leads out of its text");
    }
    let ways_in = contract.entries.iter().map(|entry| entry.text_offset).chain(contract.initializer);
    if !ways_in.map(i64::from).all(in_text) {
        return damaged("an entry leads out of its text");
    }
    let cells = contract.cells as usize;
    let fits = |ty: &FunctionType| ty.parameters.len().max(ty.results.len()) <= cells;
    let called = contract.entries.iter().map(|entry| contract.types.get(entry.type_number.wrapping_sub(1) as usize));
    let imported = contract.imports.iter().map(|import| Some(&import.ty));
    let carried = contract.tags.iter().map(|tag| contract.types.get(tag.type_number.wrapping_sub(1) as usize));
    // Behind what an exception carries, the reference to it.
    if carried.into_iter().any(|ty| ty.is_none_or(|ty| ty.parameters.len() >= cells)) {
        return damaged("its exceptions do not fit its cells");
    }
    if !called.chain(imported).all(|ty| ty.is_some_and(fits)) {
        return damaged("its signatures do not fit its cells");
    }
    Ok(())
}

fn has_imports_of_instances(contract: &Contract) -> bool {
    contract.memories.iter().any(|memory| memory.import.is_some())
        || contract.tables.iter().any(|table| table.import.is_some())
        || contract.globals.iter().any(|global| global.import().is_some())
        || contract.tags.iter().any(|tag| tag.import.is_some())
}

/// Exceptions go where these say: each handler lies in the function whose call it belongs to, with a frame that such a function may have.
fn check_handlers(parts: &ArtifactFile) -> Result<(), LoadError> {
    let is_sound = |(return_offset, frame_bytes, clauses): (u32, u32, &[Clause])| {
        // Behind a call at the very end of a function its return address would be another's.
        let Some(function) = return_offset.checked_sub(1).and_then(|call| parts.functions.at(call)) else { return false };
        let is_inside = |offset: u32| parts.functions.at(offset).is_some_and(|other| other.text_offset == function.text_offset);
        let is_known = |clause: &Clause| clause.tag.is_none_or(|tag| (tag as usize) < parts.contract.tags.len());
        let is_frame = frame_bytes.is_multiple_of(16) && u64::from(frame_bytes) <= GUARD_BYTES;
        is_frame && clauses.iter().all(|clause| is_inside(clause.landing_offset) && is_known(clause))
    };
    let is_in_text = |(return_offset, ..): (u32, u32, &[Clause])| (return_offset as usize) < parts.text.len();
    let has_cell = parts.handlers.is_empty() || parts.contract.cells > 0;
    if has_cell && parts.handlers.sites().all(|site| is_in_text(site) && is_sound(site)) {
        Ok(())
    } else {
        Err(ArtifactError::Damaged("its handlers of exceptions contradict its functions").into())
    }
}

fn check_processor(contract: &Contract) -> Result<(), LoadError> {
    match contract.cpu_features.iter().find(|feature| !has_feature(feature)) {
        Some(missing) => Err(LoadError::Processor(missing.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_of_this_machine_are_known_by_name_and_others_are_not() {
        assert!(has_feature("sse4.1"), "every machine that runs these tests has SSE 4.1");
        assert!(!has_feature("sse9"));
    }
}
