//! Code that can run: a verified artifact, mapped.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use vivarium_artifact::abi::{FOREIGN_TYPE, RESUME_STUB};
use vivarium_artifact::{
    Clause, Contract, Digest, FunctionTable, HandlerTable, HeapType, LineTable, PAGE_BYTES, ReferenceType, SlotLayout, ValueType,
};

use crate::signatures::Signatures;
use crate::sys::arena::MappedCode;
use crate::trap::{Frame, SourcePlace};
use crate::verified::{LoadError, VerifiedArtifact};
use crate::write_set::{LINE_BYTES, Written};

/// A verified, checked and mapped artifact. Shared by all its instances; unmapped when the last owner lets go.
#[derive(Debug)]
pub struct LoadedModule {
    artifact: Arc<VerifiedArtifact>,
    number: Number,
    retired: AtomicBool,
    /// Address of the first byte of the text.
    text_start: u64,
    code: Box<MappedCode>,
    map_us: f64,
}

impl LoadedModule {
    /// Maps the code. Neither the file nor anything as long as it is looked at: this takes as long for a large artifact as for a small one.
    pub(crate) fn map(artifact: Arc<VerifiedArtifact>) -> Result<LoadedModule, LoadError> {
        let started = Instant::now();
        let code = MappedCode::map(&artifact.file, artifact.text.clone(), artifact.traps.clone())?;
        let (number, retired) = (Number::take(), AtomicBool::new(false));
        Ok(LoadedModule { number, retired, text_start: code.start(), code, map_us: started.elapsed().as_secs_f64() * 1e6, artifact })
    }

    /// What was verified: others may be mapped from it too.
    pub fn artifact(&self) -> &Arc<VerifiedArtifact> {
        &self.artifact
    }

    /// What the module may import and how much of everything it gets.
    #[inline]
    pub fn contract(&self) -> &Contract {
        &self.artifact.contract
    }

    /// Names and places of its functions.
    pub fn functions(&self) -> &FunctionTable {
        &self.artifact.functions
    }

    /// SHA-256 of the artifact.
    pub fn digest(&self) -> Digest {
        self.artifact.digest
    }

    /// How long mapping took, in microseconds.
    pub fn map_us(&self) -> f64 {
        self.map_us
    }

    /// What the module costs in memory besides its instances, in bytes: the sealed file, holes not subtracted, and what was decoded of it that a program can make large.
    pub fn artifact_bytes(&self) -> usize {
        self.artifact.file.bytes().len() + self.artifact.handlers.held_bytes()
    }

    /// Where things lie in a slot.
    #[inline]
    pub fn layout(&self) -> &SlotLayout {
        &self.artifact.layout
    }

    /// What every slot of this module begins with.
    pub fn image_view(&self) -> &[u8] {
        &self.artifact.file.bytes()[self.artifact.image_offset as usize..][..self.artifact.layout.image_bytes as usize]
    }

    /// Whether every instance of this module begins as one of the other does, byte for byte, in the same place.
    pub fn begins_as(&self, other: &LoadedModule) -> bool {
        let pages = (self.artifact.layout.image_bytes / PAGE_BYTES) as usize;
        self.artifact.layout == other.artifact.layout
            && self.artifact.contract.memories == other.artifact.contract.memories
            && (0..pages).all(|page| self.image_page(page) == other.image_page(page))
    }

    /// A page of the image that holds data; `None` for one of zeros, and behind the image. A view's hole is not looked at: that would fill it.
    pub(crate) fn image_page(&self, page: usize) -> Option<&[u8]> {
        let start = self.artifact.image_offset as usize + page * PAGE_BYTES as usize;
        self.artifact.data_pages.holds(page).then(|| &self.artifact.file.bytes()[start..][..PAGE_BYTES as usize])
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
        [self.artifact.layout.stack_top - 1, self.artifact.layout.cell(0)].map(|offset| self.written((offset / PAGE_BYTES) as u32))
    }

    /// A small number that no other loaded module of the process has: pools find its slots by it.
    pub(crate) fn number(&self) -> usize {
        self.number.0 as usize
    }

    pub(crate) fn image(&self) -> (&File, u64) {
        (self.artifact.file.file(), self.artifact.image_offset)
    }

    #[inline]
    pub(crate) fn text_address(&self, offset: u32) -> u64 {
        self.text_start.wrapping_add(u64::from(offset))
    }

    #[inline]
    pub(crate) fn resume_stub(&self) -> u64 {
        self.text_address(RESUME_STUB)
    }

    /// The address of a function's code, by index, through the module's own offset table.
    #[inline]
    pub(crate) fn function_address(&self, function: u32) -> Option<u64> {
        self.artifact.contract.function_types.get(function as usize)?;
        let entry = self.artifact.file.bytes().get(self.artifact.offset_table + 4 * function as usize..)?;
        let offset = i32::from_le_bytes(*entry.first_chunk()?);
        Some(self.text_address(self.artifact.contract.offset_table).wrapping_add_signed(i64::from(offset)))
    }

    /// The way into a function that takes so many plain numbers: the offset of its entry trampoline, and its address.
    #[inline]
    pub(crate) fn plain_call(&self, function: u32, arguments: usize) -> Option<(u32, u64)> {
        let type_number = *self.artifact.contract.function_types.get(function as usize)?;
        Some((self.signatures().plain_way_in(type_number, arguments)?, self.function_address(function)?))
    }

    #[inline]
    pub(crate) fn signatures(&self) -> &Signatures {
        &self.artifact.signatures
    }

    /// What catches exceptions of the call that returns to exactly this address: the bytes of its frame, and its clauses.
    pub(crate) fn handlers_at(&self, return_address: u64) -> Option<(u32, &[Clause])> {
        self.artifact.handlers.at(self.code.offset_of(return_address)?)
    }

    /// What catches exceptions, and where.
    pub fn handlers(&self) -> &HandlerTable {
        &self.artifact.handlers
    }

    /// What is told of an address in the text of a function.
    pub(crate) fn describe(&self, address: u64) -> Option<Frame> {
        let offset = self.code.offset_of(address)?;
        let function = self.artifact.functions.at(offset)?;
        let wasm_offset = self.artifact.map.wasm_offset(offset);
        let place = wasm_offset.and_then(|offset| self.lines().at(offset));
        let place = place.map(|place| SourcePlace { file: place.file.to_owned(), line: place.line, column: place.column });
        Some(Frame { function: function.display_name(), wasm_offset, place })
    }

    /// From wasm offset to line, read where it lies in the file.
    pub fn lines(&self) -> LineTable<'_> {
        LineTable::parse(&self.artifact.file.bytes()[self.artifact.lines.clone()]).unwrap_or_default()
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
        let is_foreign = self.artifact.contract.linked && type_number == FOREIGN_TYPE;
        let is_function = || is_foreign || self.artifact.contract.function_types.get(function) == Some(&type_number);
        match heap {
            HeapType::Func => is_function(),
            HeapType::Signature(number) => is_function() && (is_foreign || type_number == number),
            HeapType::Extern => true,
            // Which exceptions there are only the instance knows.
            HeapType::Exn | HeapType::NoExn | HeapType::NoFunc | HeapType::NoExtern => false,
        }
    }

    pub(crate) fn text(&self) -> &[u8] {
        &self.artifact.file.bytes()[self.artifact.text.clone()]
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
