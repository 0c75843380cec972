//! Loads, stores, size and growth of linear memory (core specification, 2.4.7).
//!
//! A 32-bit address plus a constant offset of at most the guard's length stays within the slot's own reservation: what lies past the current length
//! faults there. Larger offsets are compared with the current length.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::immediates::Offset32;
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};
use vivarium_artifact::abi::Builtin;
use vivarium_artifact::layout::GUARD_BYTES;
use vivarium_artifact::{TrapKind, WASM_PAGE_BYTES};
use wasmparser::MemArg;

use super::FunctionTranslator;
use crate::plan::builtin_signature;
use crate::symbol::Symbol;

/// What of a value is in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Whole,
    /// The low bits, zero-extended when loaded.
    Unsigned(u32),
    /// The low bits, sign-extended when loaded.
    Signed(u32),
}

impl Part {
    fn bytes(self, ty: Type) -> u64 {
        match self {
            Part::Whole => u64::from(ty.bytes()),
            Part::Unsigned(bits) | Part::Signed(bits) => u64::from(bits / 8),
        }
    }
}

impl FunctionTranslator<'_, '_> {
    pub fn load(&mut self, memarg: &MemArg, ty: Type, part: Part) {
        let index = self.pop_extended();
        let (address, offset) = self.memory_address(index, memarg.offset, part.bytes(ty));
        let flags = self.regions.memory;
        let ins = self.builder.ins();
        let value = match part {
            Part::Whole => ins.load(ty, flags, address, offset),
            Part::Unsigned(8) => ins.uload8(ty, flags, address, offset),
            Part::Signed(8) => ins.sload8(ty, flags, address, offset),
            Part::Unsigned(16) => ins.uload16(ty, flags, address, offset),
            Part::Signed(16) => ins.sload16(ty, flags, address, offset),
            Part::Unsigned(_) => ins.uload32(flags, address, offset),
            Part::Signed(_) => ins.sload32(flags, address, offset),
        };
        self.push(value);
    }

    pub fn store(&mut self, memarg: &MemArg, part: Part) {
        let value = self.pop();
        let index = self.pop_extended();
        let bytes = part.bytes(self.builder.func.dfg.value_type(value));
        let (address, offset) = self.memory_address(index, memarg.offset, bytes);
        let flags = self.regions.memory;
        let ins = self.builder.ins();
        match part {
            Part::Whole => ins.store(flags, value, address, offset),
            Part::Unsigned(8) | Part::Signed(8) => ins.istore8(flags, value, address, offset),
            Part::Unsigned(16) | Part::Signed(16) => ins.istore16(flags, value, address, offset),
            Part::Unsigned(_) | Part::Signed(_) => ins.istore32(flags, value, address, offset),
        };
    }

    pub fn memory_size(&mut self, memory: u32) {
        let bytes = self.memory_length(memory);
        let pages = self.builder.ins().ushr_imm_u(bytes, i64::from(WASM_PAGE_BYTES.trailing_zeros()));
        let pages = self.builder.ins().ireduce(types::I32, pages);
        self.push(pages);
    }

    pub fn memory_grow(&mut self, memory: u32) {
        let delta = self.pop_extended();
        let previous = self.call_builtin(Builtin::MemoryGrow, &[delta], memory);
        let previous = self.builder.ins().ireduce(types::I32, previous);
        self.push(previous);
    }

    /// The current length of a memory, in bytes.
    pub fn memory_length(&mut self, memory: u32) -> Value {
        let environment = self.environment;
        match environment.fixed_memory_length(memory) {
            Some(length) => self.builder.ins().iconst(types::I64, length as i64),
            None => self.load_length(environment.layout().memory_length(memory)),
        }
    }

    /// A length in the context, by its place in the slot.
    pub fn load_length(&mut self, slot_offset: u64) -> Value {
        let offset = self.environment.vmctx_offset(slot_offset);
        self.builder.ins().load(types::I64, self.regions.lengths, self.vmctx, offset)
    }

    /// Calls a builtin with arguments and the index of what it works on.
    pub fn call_builtin(&mut self, builtin: Builtin, arguments: &[Value], index: u32) -> Value {
        let function = self.function(Symbol::Builtin(builtin), |environment| environment.signature(&builtin_signature(builtin)));
        let index = self.builder.ins().iconst(types::I32, i64::from(index));
        let arguments: Vec<Value> = [self.vmctx].into_iter().chain(arguments.iter().copied()).chain([index]).collect();
        let call = self.builder.ins().call(function, &arguments);
        self.builder.inst_results(call)[0]
    }

    /// Base and offset of an access; traps first where the guard does not catch it.
    fn memory_address(&mut self, index: Value, offset: u64, bytes: u64) -> (Value, Offset32) {
        let reach = offset + bytes;
        let address = self.builder.ins().iadd(self.vmctx, index);
        if reach <= GUARD_BYTES {
            return (address, Offset32::new(offset as i32));
        }
        let end = self.builder.ins().iadd_imm_u(index, reach as i64);
        let length = self.memory_length(0);
        let is_outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, end, length);
        self.trap_if(is_outside, TrapKind::MemoryOutOfBounds);
        let address = self.builder.ins().iadd_imm_u(address, offset as i64);
        let null = self.builder.ins().iconst(types::I64, 0);
        // What is read speculatively past the check is at null, not in a neighbour's slot.
        (self.builder.ins().select_spectre_guard(is_outside, null, address), Offset32::new(0))
    }
}
