//! From a sealed file to code that can run: verify, check the contract, map.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use ed25519_dalek::VerifyingKey;
use thiserror::Error;
use vivarium_artifact::abi::{FOREIGN_TYPE, RESUME_STUB};
use vivarium_artifact::layout::{GUARD_BYTES, MEMORIES_MAX, MEMORY_RESERVATION_BYTES};
use vivarium_artifact::{
    AddressMap, Artifact, ArtifactError, ArtifactFile, Clause, Contract, Digest, FunctionTable, FunctionType, HandlerTable, HeapType,
    LineTable, MemoryPlan, PAGE_BYTES, ReferenceType, SignedArtifact, SlotLayout, ValueType, WASM_PAGE_BYTES,
};

use crate::reset::DataPages;
use crate::slot::SLOT_HEAD_BYTES_MAX;
use crate::sys::arena::MappedCode;
use crate::sys::file::SealedFile;
use crate::trap::{Frame, SourcePlace};
use crate::write_set::{LINE_BYTES, PAGES_MAX, Written};

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

/// A verified, checked and mapped artifact. Shared by all its instances; unmapped when the last owner lets go.
#[derive(Debug)]
pub struct LoadedModule {
    file: SealedFile,
    digest: Digest,
    contract: Contract,
    layout: SlotLayout,
    functions: FunctionTable,
    map: AddressMap,
    handlers: HandlerTable,
    image_offset: u64,
    /// Which pages of the image hold data.
    data_pages: DataPages,
    number: Number,
    /// Where the text lies in the file.
    text: Range<usize>,
    /// Where the table of lines lies in the file.
    lines: Range<usize>,
    retired: AtomicBool,
    code: Box<MappedCode>,
    load_us: f64,
}

impl LoadedModule {
    /// Verifies the signature, reads the parts, checks processor and sizes, maps the code.
    pub(crate) fn load(file: SealedFile, key: &VerifyingKey) -> Result<LoadedModule, LoadError> {
        let started = Instant::now();
        let digest = SignedArtifact::verify_reader(file.reader(), file.bytes().len() as u64, key)?.digest;
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
        let text = parts.text.clone();
        let code = MappedCode::map(&file, parts.text, parts.traps)?;
        let data_pages = DataPages::new(parts.image.len() / PAGE_BYTES as usize, file.data_pages(parts.image.clone())?);
        Ok(LoadedModule {
            digest,
            contract: parts.contract,
            layout: parts.layout,
            functions: parts.functions,
            map: parts.map,
            handlers: parts.handlers,
            lines: parts.lines,
            image_offset: parts.image.start as u64,
            data_pages,
            number: Number::take(),
            text,
            retired: AtomicBool::new(false),
            code,
            load_us: started.elapsed().as_secs_f64() * 1e6,
            file,
        })
    }

    /// What the module may import and how much of everything it gets.
    pub fn contract(&self) -> &Contract {
        &self.contract
    }

    /// Names and places of its functions.
    pub fn functions(&self) -> &FunctionTable {
        &self.functions
    }

    /// SHA-256 of the artifact.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How long verifying and mapping took, in microseconds.
    pub fn load_us(&self) -> f64 {
        self.load_us
    }

    /// Bytes of the sealed file: what the module costs in memory besides its instances, holes not subtracted.
    pub fn artifact_bytes(&self) -> usize {
        self.file.bytes().len()
    }

    /// Where things lie in a slot.
    pub fn layout(&self) -> &SlotLayout {
        &self.layout
    }

    /// What every slot of this module begins with.
    pub fn image_view(&self) -> &[u8] {
        &self.file.bytes()[self.image_offset as usize..][..self.layout.image_bytes as usize]
    }

    /// Whether every instance of this module begins as one of the other does, byte for byte, in the same place.
    pub fn begins_as(&self, other: &LoadedModule) -> bool {
        let pages = (self.layout.image_bytes / PAGE_BYTES) as usize;
        self.layout == other.layout
            && self.contract.memories == other.contract.memories
            && (0..pages).all(|page| self.image_page(page) == other.image_page(page))
    }

    /// A page of the image that holds data; `None` for one of zeros, and behind the image. A view's hole is not looked at: that would fill it.
    pub(crate) fn image_page(&self, page: usize) -> Option<&[u8]> {
        let start = self.image_offset as usize + page * PAGE_BYTES as usize;
        self.data_pages.holds(page).then(|| &self.file.bytes()[start..][..PAGE_BYTES as usize])
    }

    /// A page of the first piece of the image, with the lines of it that hold data.
    pub(crate) fn written(&self, page: u32) -> Written {
        let Some(bytes) = self.image_page(page as usize) else { return Written::new(page, 0, 0) };
        let holds_data = |line: &[u8]| line.iter().any(|byte| *byte != 0);
        let mut lines = bytes.chunks(LINE_BYTES);
        let from = lines.position(holds_data);
        let to = bytes.chunks(LINE_BYTES).rposition(holds_data).map(|last| last + 1);
        Written::new(page, from.unwrap_or(0) as u32, to.unwrap_or(0) as u32)
    }

    /// Pages of the image that every run writes: the stack's first, and that of the cells; one, most often.
    pub(crate) fn pages_always_written(&self) -> [Written; 2] {
        [self.layout.stack_top - 1, self.layout.cell(0)].map(|offset| self.written((offset / PAGE_BYTES) as u32))
    }

    /// A small number that no other loaded module of the process has: pools find its slots by it.
    pub(crate) fn number(&self) -> usize {
        self.number.0 as usize
    }

    pub(crate) fn image(&self) -> (&File, u64) {
        (self.file.file(), self.image_offset)
    }

    pub(crate) fn text_address(&self, offset: u32) -> u64 {
        self.code.start() + u64::from(offset)
    }

    pub(crate) fn resume_stub(&self) -> u64 {
        self.text_address(RESUME_STUB)
    }

    /// The address of a function's code, by index, through the module's own offset table.
    pub(crate) fn function_address(&self, function: u32) -> Option<u64> {
        let table = self.contract.offset_table;
        let entry = table as usize + 4 * function as usize;
        let offset = i32::from_le_bytes(*self.text().get(entry..)?.first_chunk()?);
        ((function as usize) < self.contract.function_types.len()).then(|| self.text_address(table).wrapping_add_signed(i64::from(offset)))
    }

    /// What catches exceptions of the call that returns to exactly this address: the bytes of its frame, and its clauses.
    pub(crate) fn handlers_at(&self, return_address: u64) -> Option<(u32, &[Clause])> {
        self.handlers.at(self.code.offset_of(return_address)?)
    }

    /// What catches exceptions, and where.
    pub fn handlers(&self) -> &HandlerTable {
        &self.handlers
    }

    /// What is told of an address in the text of a function.
    pub(crate) fn describe(&self, address: u64) -> Option<Frame> {
        let offset = self.code.offset_of(address)?;
        let function = self.functions.at(offset)?;
        let wasm_offset = self.map.wasm_offset(offset);
        let place = wasm_offset.and_then(|offset| self.lines().at(offset));
        let place = place.map(|place| SourcePlace { file: place.file.to_owned(), line: place.line, column: place.column });
        Some(Frame { function: function.display_name(), wasm_offset, place })
    }

    /// From wasm offset to line, read where it lies in the file.
    pub fn lines(&self) -> LineTable<'_> {
        LineTable::parse(&self.file.bytes()[self.lines.clone()]).unwrap_or_default()
    }

    /// Whether an address lies in this module's text.
    pub(crate) fn holds(&self, address: u64) -> bool {
        self.code.offset_of(address).is_some()
    }

    /// No further instances will be wanted: slots of this module become empty when their instances end.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    /// Whether these bits may stand for a value of this type: a reference to a function must name one of the module's, under its own signature, or, in a
    /// linked instance, be foreign; only where the type says so may it be null.
    pub(crate) fn is_value(&self, ty: ValueType, bits: u128) -> bool {
        let ValueType::Reference(ReferenceType { nullable, heap }) = ty else { return true };
        if bits as u64 == 0 {
            return nullable;
        }
        let (type_number, function) = (bits as u32, (bits as u64 >> 32) as usize);
        let is_foreign = self.contract.linked && type_number == FOREIGN_TYPE;
        let is_function = || is_foreign || self.contract.function_types.get(function) == Some(&type_number);
        match heap {
            HeapType::Func => is_function(),
            HeapType::Signature(number) => is_function() && (is_foreign || type_number == number),
            HeapType::Extern => true,
            // Which exceptions there are only the instance knows.
            HeapType::Exn | HeapType::NoExn | HeapType::NoFunc | HeapType::NoExtern => false,
        }
    }

    pub(crate) fn text(&self) -> &[u8] {
        &self.file.bytes()[self.text.clone()]
    }
}

/// The number of a loaded module; another may have it afterwards.
#[derive(Debug)]
struct Number(u32);

/// Numbers that came back, and the lowest that was never taken.
static NUMBERS: Mutex<(Vec<u32>, u32)> = Mutex::new((Vec::new(), 0));

impl Number {
    fn take() -> Number {
        let (returned, next) = &mut *NUMBERS.lock().unwrap_or_else(PoisonError::into_inner);
        Number(returned.pop().unwrap_or_else(|| {
            *next += 1;
            *next - 1
        }))
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        NUMBERS.lock().unwrap_or_else(PoisonError::into_inner).0.push(self.0);
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
