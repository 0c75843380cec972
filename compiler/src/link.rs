//! Compiled functions to an [`Artifact`]: lays out the text, fills in every relocation, and joins what is known about each piece.
//!
//! ```text
//! │ thunks · stubs │ functions and trampolines │ offset table │ passive data │ passive elements │
//! ```

use std::collections::HashMap;

use vivarium_artifact::{
    AddressMap, Artifact, CallSite, Clause, EntryTrampoline, FunctionRecord, FunctionTable, HandlerTable, TrapSite, TrapTable,
};

use crate::codegen::CompiledFunction;
use crate::error::CompileError;
use crate::module::ValidatedModule;
use crate::parallel::Job;
use crate::plan::Plan;
use crate::segments::LateSegment;
use crate::stubs::{self, Stubs};
use crate::symbol::Symbol;

/// Largest text: what a 32-bit displacement reaches from anywhere in it.
const TEXT_BYTES_MAX: u64 = i32::MAX as u64;

/// Links the code of a module.
pub fn link(
    module: &ValidatedModule<'_>,
    plan: Plan,
    image: Vec<u8>,
    functions: &[(Job, CompiledFunction)],
    lines: Vec<u8>,
    code_bytes_max: u64,
) -> Result<Artifact, CompileError> {
    let mut text = Text::new(stubs::stubs());
    text.bytes.reserve(functions.iter().map(|(_, function)| function.code.len() + stubs::ALIGNMENT).sum());
    let placed: Vec<Placed<'_>> = functions.iter().map(|(job, function)| text.place_function(*job, function)).collect();
    text.place_offset_table(module.function_types.len());
    text.place_segments(module, &plan.late, code_bytes_max.min(TEXT_BYTES_MAX))?;
    placed.iter().try_for_each(|placed| text.relocate(placed))?;
    text.fill_offset_table(module.function_types.len())?;
    let mut contract = plan.contract;
    contract.offset_table = text.offset_of(Symbol::OffsetTable)?;
    contract.initializer = placed.iter().find(|placed| placed.job == Job::Initializer).map(|placed| placed.offset);
    contract.entries = placed.iter().filter_map(entry).collect();
    Ok(Artifact {
        contract,
        image,
        traps: TrapTable::new(placed.iter().flat_map(Placed::trap_sites).collect()),
        handlers: HandlerTable::new(placed.iter().flat_map(Placed::call_sites).collect()),
        functions: FunctionTable::new(placed.iter().filter_map(|placed| record(placed, module)).collect()),
        map: AddressMap::new(address_runs(&placed, module)),
        lines,
        text: text.bytes,
    })
}

/// A function and where it went.
struct Placed<'f> {
    job: Job,
    offset: u32,
    function: &'f CompiledFunction,
}

impl Placed<'_> {
    fn trap_sites(&self) -> impl Iterator<Item = TrapSite> + '_ {
        self.function.traps.iter().map(|(offset, kind)| TrapSite { text_offset: self.offset + offset, kind: *kind })
    }

    fn call_sites(&self) -> impl Iterator<Item = CallSite> + '_ {
        let clause = |clause: &Clause| Clause { landing_offset: self.offset + clause.landing_offset, ..*clause };
        self.function.handlers.iter().map(move |site| CallSite {
            return_offset: self.offset + site.return_offset,
            frame_bytes: site.frame_bytes,
            clauses: site.clauses.iter().map(clause).collect(),
        })
    }
}

/// A text under construction.
struct Text {
    bytes: Vec<u8>,
    stubs: Stubs,
    symbols: HashMap<Symbol, u32>,
}

impl Text {
    fn new(stubs: Stubs) -> Text {
        Text { bytes: stubs.bytes.clone(), stubs, symbols: HashMap::new() }
    }

    fn align(&mut self, alignment: usize) -> u32 {
        self.bytes.resize(self.bytes.len().next_multiple_of(alignment), stubs::PADDING);
        self.bytes.len() as u32
    }

    fn place_function<'f>(&mut self, job: Job, function: &'f CompiledFunction) -> Placed<'f> {
        let offset = self.align(stubs::ALIGNMENT.max(function.alignment as usize));
        self.bytes.extend_from_slice(&function.code);
        let symbol = match job {
            Job::Function { index, .. } => Some(Symbol::Function(index)),
            Job::Builtin(builtin) => Some(Symbol::Builtin(builtin)),
            Job::Foreign(number) => Some(Symbol::Foreign(number)),
            Job::Throw(tag) => Some(Symbol::Throw(tag)),
            Job::Initializer => Some(Symbol::Initializer),
            Job::Entry(_) => None,
        };
        if let Some(symbol) = symbol {
            self.symbols.insert(symbol, offset);
        }
        Placed { job, offset, function }
    }

    fn place_offset_table(&mut self, functions: usize) {
        let offset = self.align(8);
        self.symbols.insert(Symbol::OffsetTable, offset);
        self.bytes.resize(self.bytes.len() + 4 * functions, 0);
    }

    /// Passive segments and late ones; of the others, which have length zero from the beginning, only a place is needed. Of late element segments too:
    /// the initializer has their items in its code.
    fn place_segments(&mut self, module: &ValidatedModule<'_>, late: &[LateSegment], text_bytes_max: u64) -> Result<(), CompileError> {
        // An item takes eight bytes, and in the binary one: what would be too much is not made.
        let check = |text: &Text, more: usize| {
            let total = text.bytes.len() as u64 + more as u64;
            if total <= text_bytes_max {
                Ok(())
            } else {
                Err(CompileError::limit("size of the compiled code in bytes", total, text_bytes_max))
            }
        };
        check(self, 0)?;
        for (segment, index) in module.data.iter().zip(0..) {
            let offset = self.align(8);
            self.symbols.insert(Symbol::DataSegment(index), offset);
            if segment.mode.is_passive() || late.contains(&LateSegment::Data(index)) {
                check(self, segment.bytes.len())?;
                self.bytes.extend_from_slice(segment.bytes);
            }
        }
        for (segment, index) in module.elements.iter().zip(0..) {
            let offset = self.align(8);
            self.symbols.insert(Symbol::ElementSegment(index), offset);
            if segment.mode.is_passive() {
                check(self, 8 * segment.items.len())?;
                self.bytes.extend(segment.items.iter().flat_map(|item| item.to_le_bytes()));
            }
        }
        Ok(())
    }

    fn offset_of(&self, symbol: Symbol) -> Result<u32, CompileError> {
        let placed = match symbol {
            Symbol::Stub(stub) => Some(self.stubs.offset(stub)),
            other => self.symbols.get(&other).copied(),
        };
        placed.ok_or_else(|| CompileError::Codegen { what: "this module".into(), message: format!("{symbol:?} is nowhere in the text") })
    }

    fn relocate(&mut self, placed: &Placed<'_>) -> Result<(), CompileError> {
        for relocation in &placed.function.relocations {
            let at = placed.offset + relocation.offset;
            let target = self.offset_of(relocation.symbol)?;
            // Both are offsets in a text that a 32-bit displacement spans.
            let distance = i64::from(target) - i64::from(at) + relocation.addend;
            self.write(at, distance as i32);
        }
        Ok(())
    }

    fn fill_offset_table(&mut self, functions: usize) -> Result<(), CompileError> {
        let table = self.offset_of(Symbol::OffsetTable)?;
        for index in 0..functions as u32 {
            let target = self.offset_of(Symbol::Function(index))?;
            self.write(table + 4 * index, target.wrapping_sub(table) as i32);
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, value: i32) {
        self.bytes[offset as usize..][..4].copy_from_slice(&value.to_le_bytes());
    }
}

fn entry(placed: &Placed<'_>) -> Option<EntryTrampoline> {
    match placed.job {
        Job::Entry(type_number) => Some(EntryTrampoline { type_number, text_offset: placed.offset }),
        _ => None,
    }
}

/// A record for each function, imported ones included: frames of their trampolines have a name too.
fn record(placed: &Placed<'_>, module: &ValidatedModule<'_>) -> Option<FunctionRecord> {
    let Job::Function { index, body } = placed.job else { return None };
    let wasm = body.map_or(0..0, |body| module.bodies[body as usize].range());
    Some(FunctionRecord {
        index,
        name: module.function_names[index as usize].clone(),
        text_offset: placed.offset,
        text_bytes: placed.function.code.len() as u32,
        wasm_offset: wasm.start as u32,
        wasm_bytes: (wasm.end - wasm.start) as u32,
    })
}

/// Runs of code by wasm offset. What comes before a function's first instruction belongs to its beginning, what comes between two (moves, jumps) to the
/// first of them. Code that was made from no function, and the space between functions, belongs to none.
fn address_runs(placed: &[Placed<'_>], module: &ValidatedModule<'_>) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = vec![(0, AddressMap::NO_WASM)];
    let mut begin = |offset: u32, wasm_offset: u32| {
        if let Some(last) = runs.last_mut().filter(|last| last.0 == offset) {
            last.1 = wasm_offset;
        } else if runs.last().is_none_or(|last| last.1 != wasm_offset) {
            runs.push((offset, wasm_offset));
        }
    };
    for placed in placed {
        let Job::Function { body: Some(body), .. } = placed.job else { continue };
        begin(placed.offset, module.bodies[body as usize].range().start as u32);
        for location in &placed.function.locations {
            begin(placed.offset + location.start, location.wasm_offset);
        }
        begin(placed.offset + placed.function.code.len() as u32, AddressMap::NO_WASM);
    }
    runs
}
