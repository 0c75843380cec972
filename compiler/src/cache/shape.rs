//! What is the same in all modules that may share the code of one body: its bytes, with whatever the linker or the module decides taken out.
//!
//! Taken out are relocated immediates (only their places stay) and indices of functions, signatures, globals and tags, for which stands what the
//! translation asks about them and which of them are the same one. All else stays as it is, the length of each operator included, for traps are told by
//! offsets. An operator that this file does not know makes the body one that is not shared.

use vivarium_artifact::layout::GUARD_BYTES;
use wasmparser::{BlockType, Catch, FunctionBody, MemArg, MemArgTarget, Operator, TryTable};

use super::key::encode;
use super::references::{Immediate, References};
use crate::environment::Environment;
use crate::error::CompileError;
use crate::relocations::{IMMEDIATE_BYTES, Relocations};
use crate::types::register_type;

/// The largest access of memory, in bytes.
const ACCESS_BYTES_MAX: u64 = 16;
/// In the first byte of an alignment: an index of a memory follows.
const MEMORY_INDEX_FOLLOWS: u8 = 0x40;
/// The first byte of an operator of vectors; which one it is follows as LEB128.
const VECTOR_PREFIX: u8 = 0xfd;
/// Length of the number of a lane, in bytes.
const LANE_BYTES: u64 = 1;

/// A body without what differs between modules, and that.
pub struct Shape {
    pub bytes: Vec<u8>,
    pub references: References,
}

/// The shape of a body; none when its code is for this module only.
pub fn shape(environment: &Environment<'_>, body: &FunctionBody<'_>, function: u32) -> Result<Option<Shape>, CompileError> {
    let module = environment.module;
    let Some(relocations) = module.relocations.as_ref().filter(|_| environment.shares_code) else { return Ok(None) };
    let wasm = body.as_bytes();
    let start = body.range().start;
    let mut shaping = Shaping {
        environment,
        relocations,
        wasm,
        start,
        bytes: Vec::with_capacity(2 * wasm.len()),
        references: References::default(),
        copied: 0,
    };
    encode(&mut shaping.bytes, module.signature(module.function_type(function)));
    let mut reader = body.get_operators_reader()?;
    while !reader.eof() {
        let (operator, offset) = reader.read_with_offset()?;
        if !shaping.add(&operator, offset, reader.original_position()) {
            return Ok(None);
        }
    }
    shaping.copy_until(wasm.len());
    // Where immediates were taken out, first: whoever reads on knows which operators have theirs.
    let taken_out: Vec<u64> = shaping.references.immediates.iter().map(|immediate| immediate.operator_offset - start).collect();
    let mut bytes = Vec::with_capacity(shaping.bytes.len() + 4 * taken_out.len());
    encode(&mut bytes, &taken_out);
    bytes.extend(shaping.bytes);
    Ok(Some(Shape { bytes, references: shaping.references }))
}

struct Shaping<'s> {
    environment: &'s Environment<'s>,
    relocations: &'s Relocations,
    wasm: &'s [u8],
    /// Offset of the body in the wasm binary.
    start: u64,
    bytes: Vec<u8>,
    references: References,
    /// How much of the body `bytes` stands for.
    copied: usize,
}

impl Shaping<'_> {
    /// Adds the operator between two offsets in the wasm binary; false when it is not known here.
    fn add(&mut self, operator: &Operator<'_>, offset: u64, end: u64) -> bool {
        match *operator {
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                self.replace(offset, end);
                self.function(function_index);
            }
            Operator::RefFunc { function_index } => {
                self.replace(offset, end);
                self.function(function_index);
            }
            Operator::CallIndirect { type_index, table_index: 0 } | Operator::ReturnCallIndirect { type_index, table_index: 0 } => {
                self.replace(offset, end);
                self.signature(type_index);
            }
            // Which signature it is the validator has checked: the code depends on how values of it lie in registers.
            Operator::CallRef { type_index } | Operator::ReturnCallRef { type_index } => {
                self.replace(offset, end);
                let module = self.environment.module;
                encode(&mut self.bytes, module.signature(module.types[type_index as usize]));
            }
            Operator::GlobalGet { global_index } | Operator::GlobalSet { global_index } => {
                self.replace(offset, end);
                self.global(global_index);
            }
            Operator::Block { blockty: BlockType::FuncType(type_index) }
            | Operator::Loop { blockty: BlockType::FuncType(type_index) }
            | Operator::If { blockty: BlockType::FuncType(type_index) } => {
                self.replace(offset, end);
                let module = self.environment.module;
                encode(&mut self.bytes, module.signature(module.types[type_index as usize]));
            }
            Operator::I32Const { value } if self.is_relocated(offset, end, 0) => self.immediate(offset, end, value as u32),
            Operator::Throw { tag_index } => {
                self.replace(offset, end);
                self.tag(tag_index);
            }
            Operator::ThrowRef => {
                // Where nothing can be thrown there is nothing to throw again.
                self.replace(offset, end);
                self.bytes.push(u8::from(self.environment.module.tags.is_empty()));
            }
            Operator::TryTable { ref try_table } => {
                self.replace(offset, end);
                return self.try_table(try_table);
            }
            ref other => match memory_access(other) {
                Some(Access { memarg, bytes_behind })
                    if memarg.target == MemArgTarget::Memory(0) && self.is_relocated(offset, end - bytes_behind, 1) =>
                {
                    // Past the guard its code would need a check: it is made for this module alone.
                    if memarg.offset + ACCESS_BYTES_MAX > GUARD_BYTES {
                        return false;
                    }
                    self.immediate(offset, end - bytes_behind, memarg.offset as u32);
                }
                _ => return self.stands_alone(offset),
            },
        }
        true
    }

    /// Whether the immediate of an operator that ends here, behind so many others, is one that a linker filled in. It must be five bytes long, as
    /// it is encoded there: exactly what is taken out of the key, or bodies that differ in more than its value would share code.
    fn is_relocated(&self, offset: u64, end: u64, immediates_before: usize) -> bool {
        let (from, to) = ((offset - self.start) as usize, (end - self.start) as usize);
        let mut rest = match self.wasm.get(from..to).unwrap_or_default() {
            [VECTOR_PREFIX, rest @ ..] => without_leb(rest),
            [_, rest @ ..] => rest,
            [] => return false,
        };
        // An index of a memory stands between alignment and offset where the alignment says so.
        if immediates_before > 0 && rest.first().is_none_or(|alignment| alignment & MEMORY_INDEX_FOLLOWS != 0) {
            return false;
        }
        for _ in 0..immediates_before {
            rest = without_leb(rest);
        }
        rest.len() as u64 == IMMEDIATE_BYTES && self.relocations.ends_at(end)
    }

    /// Whether an operator means the same in every module with the same first memory and table, by its first bytes.
    fn stands_alone(&self, offset: u64) -> bool {
        let Some(rest) = self.wasm.get((offset - self.start) as usize..) else { return false };
        match *rest {
            // Control, but for blocks with parameters; variables; memory; constants; numbers.
            [0x00..=0x05 | 0x0b..=0x0f | 0x1a | 0x1b | 0x20..=0x22 | 0x25 | 0x26 | 0x28..=0x44 | 0x45..=0xc4, ..] => true,
            // Saturating conversions, memory.copy and memory.fill, table.copy, table.grow, table.size and table.fill, wide arithmetic.
            [0xfc, 0..=7 | 10 | 11 | 14..=17 | 19..=22, ..] => true,
            [VECTOR_PREFIX, ..] => true,
            // ref.is_null, ref.as_non_null, br_on_null, br_on_non_null.
            [0xd1 | 0xd4..=0xd6, ..] => true,
            _ => false,
        }
    }

    fn copy_until(&mut self, end: usize) {
        self.bytes.extend_from_slice(&self.wasm[self.copied..end]);
        self.copied = end;
    }

    /// Takes an operator out, but for its first byte and its length.
    fn replace(&mut self, offset: u64, end: u64) {
        let (from, to) = ((offset - self.start) as usize, (end - self.start) as usize);
        self.copy_until(from + 1);
        self.copied = to;
        self.bytes.extend_from_slice(&((to - from) as u32).to_le_bytes());
    }

    /// Takes out the immediate that ends here. The alignment of an access stays, and the number of a lane behind it.
    fn immediate(&mut self, offset: u64, end: u64, value: u32) {
        self.copy_until((end - self.start - IMMEDIATE_BYTES) as usize);
        self.copied = (end - self.start) as usize;
        self.references.immediates.push(Immediate { operator_offset: offset, value });
    }

    fn function(&mut self, function: u32) {
        let module = self.environment.module;
        let (slot, is_new) = self.references.functions.take(function);
        self.bytes.extend_from_slice(&slot.to_le_bytes());
        if is_new {
            self.bytes.push(u8::from((function as usize) < module.imports.len()));
            encode(&mut self.bytes, module.signature(module.function_type(function)));
        }
    }

    /// The type of a block with handlers, and these, in their order. False when its type is not known here.
    fn try_table(&mut self, table: &TryTable) -> bool {
        let module = self.environment.module;
        match table.ty {
            BlockType::Empty => encode(&mut self.bytes, &0),
            BlockType::Type(ty) => match register_type(ty) {
                Some(ty) => encode(&mut self.bytes, &(1, ty.to_string())),
                None => return false,
            },
            BlockType::FuncType(index) => encode(&mut self.bytes, &(2, module.signature(module.types[index as usize]))),
        }
        encode(&mut self.bytes, &table.catches.len());
        for catch in &table.catches {
            let (tag, label) = match *catch {
                Catch::One { tag, label } | Catch::OneRef { tag, label } => (Some(tag), label),
                Catch::All { label } | Catch::AllRef { label } => (None, label),
            };
            let by_reference = matches!(catch, Catch::OneRef { .. } | Catch::AllRef { .. });
            encode(&mut self.bytes, &(tag.is_some(), by_reference, label));
            if let Some(tag) = tag {
                self.tag(tag);
            }
        }
        true
    }

    fn tag(&mut self, tag: u32) {
        let (slot, is_new) = self.references.tags.take(tag);
        self.bytes.extend_from_slice(&slot.to_le_bytes());
        if is_new {
            encode(&mut self.bytes, self.environment.module.tag_parameters(tag));
        }
    }

    fn signature(&mut self, type_index: u32) {
        let module = self.environment.module;
        let number = module.types[type_index as usize];
        let (slot, is_new) = self.references.signatures.take(number);
        self.bytes.extend_from_slice(&slot.to_le_bytes());
        if is_new {
            encode(&mut self.bytes, module.signature(number));
        }
    }

    fn global(&mut self, global: u32) {
        let (slot, is_new) = self.references.globals.take(global);
        self.bytes.extend_from_slice(&slot.to_le_bytes());
        if is_new {
            encode(&mut self.bytes, &self.environment.contract().globals[global as usize]);
            encode(&mut self.bytes, &self.environment.fixed_global(global));
        }
    }
}

/// Bytes without the LEB128 number that they begin with.
fn without_leb(bytes: &[u8]) -> &[u8] {
    let length = bytes.iter().position(|byte| byte & 0x80 == 0).map_or(bytes.len(), |last| last + 1);
    &bytes[length..]
}

/// An access of memory.
struct Access {
    memarg: MemArg,
    /// How many bytes of the operator stand behind its offset: the number of a lane.
    bytes_behind: u64,
}

fn memory_access(operator: &Operator<'_>) -> Option<Access> {
    use Operator::*;
    let (memarg, bytes_behind) = match *operator {
        I32Load { memarg }
        | I64Load { memarg }
        | F32Load { memarg }
        | F64Load { memarg }
        | I32Load8S { memarg }
        | I32Load8U { memarg }
        | I32Load16S { memarg }
        | I32Load16U { memarg }
        | I64Load8S { memarg }
        | I64Load8U { memarg }
        | I64Load16S { memarg }
        | I64Load16U { memarg }
        | I64Load32S { memarg }
        | I64Load32U { memarg }
        | I32Store { memarg }
        | I64Store { memarg }
        | F32Store { memarg }
        | F64Store { memarg }
        | I32Store8 { memarg }
        | I32Store16 { memarg }
        | I64Store8 { memarg }
        | I64Store16 { memarg }
        | I64Store32 { memarg }
        | V128Load { memarg }
        | V128Load8x8S { memarg }
        | V128Load8x8U { memarg }
        | V128Load16x4S { memarg }
        | V128Load16x4U { memarg }
        | V128Load32x2S { memarg }
        | V128Load32x2U { memarg }
        | V128Load8Splat { memarg }
        | V128Load16Splat { memarg }
        | V128Load32Splat { memarg }
        | V128Load64Splat { memarg }
        | V128Load32Zero { memarg }
        | V128Load64Zero { memarg }
        | V128Store { memarg } => (memarg, 0),
        V128Load8Lane { memarg, .. }
        | V128Load16Lane { memarg, .. }
        | V128Load32Lane { memarg, .. }
        | V128Load64Lane { memarg, .. }
        | V128Store8Lane { memarg, .. }
        | V128Store16Lane { memarg, .. }
        | V128Store32Lane { memarg, .. }
        | V128Store64Lane { memarg, .. } => (memarg, LANE_BYTES),
        _ => return None,
    };
    Some(Access { memarg, bytes_behind })
}
