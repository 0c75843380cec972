//! Loads, stores, size and growth of linear memory (core specification, 2.4.7).
//!
//! Of a *guarded* memory, a 32-bit address plus a constant offset of at most the guard's length stays within the memory's own reservation: what lies past
//! the current length faults there. Larger offsets are compared with the current length. Where no guard can tell, for 64-bit addresses and pages smaller than
//! the processor's, each access is *checked*: its address is null where it is out of bounds, also when the processor only speculates that it is not, and
//! the fault there is the trap.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::immediates::Offset32;
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};
use vivarium_artifact::abi::Builtin;
use vivarium_artifact::layout::{GUARD_BYTES, MEMORY_RESERVATION_BYTES};
use vivarium_artifact::{PAGE_BYTES, SlotLayout, TrapKind};
use wasmparser::{MemArg, MemArgTarget};

use super::FunctionTranslator;
use crate::plan::builtin_signature;
use crate::symbol::{Place, Symbol};

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
        let value = self.loaded(memarg, ty, part);
        self.push(value);
    }

    /// Takes the address; gives the value there, which is not pushed.
    pub fn loaded(&mut self, memarg: &MemArg, ty: Type, part: Part) -> Value {
        let (address, offset) = self.pop_address(memarg, part.bytes(ty));
        let flags = self.regions.memory;
        let ins = self.builder.ins();
        match part {
            Part::Whole => ins.load(ty, flags, address, offset),
            Part::Unsigned(8) => ins.uload8(ty, flags, address, offset),
            Part::Signed(8) => ins.sload8(ty, flags, address, offset),
            Part::Unsigned(16) => ins.uload16(ty, flags, address, offset),
            Part::Signed(16) => ins.sload16(ty, flags, address, offset),
            Part::Unsigned(_) => ins.uload32(flags, address, offset),
            Part::Signed(_) => ins.sload32(flags, address, offset),
        }
    }

    pub fn store(&mut self, memarg: &MemArg, part: Part) {
        let value = self.pop();
        let bytes = part.bytes(self.builder.func.dfg.value_type(value));
        let (address, offset) = self.pop_address(memarg, bytes);
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
        let plan = self.environment.memory(memory);
        let pages = self.builder.ins().ushr_imm_u(bytes, i64::from(plan.page_bytes.trailing_zeros()));
        self.push_narrowed(pages, plan.address);
    }

    pub fn memory_grow(&mut self, memory: u32) {
        let address = self.environment.memory(memory).address;
        let delta = self.pop_widened(address);
        let previous = self.call_builtin(Builtin::MemoryGrow, &[delta], memory);
        self.push_narrowed(previous, address);
    }

    /// The address of the first byte of a memory.
    pub fn memory_base(&mut self, memory: u32) -> Value {
        match self.environment.layout().own_memory(memory) {
            Some(0) => self.vmctx,
            Some(own) => self.builder.ins().iadd_imm_u(self.vmctx, SlotLayout::memory_distance(own) as i64),
            None => self.imported_memory_base(memory),
        }
    }

    /// The current length of a memory, in bytes.
    pub fn memory_length(&mut self, memory: u32) -> Value {
        let environment = self.environment;
        match environment.fixed_memory_length(memory) {
            Some(length) => self.builder.ins().iconst(types::I64, length as i64),
            None if environment.memory(memory).import.is_some() => {
                let address = self.load_length(Place::MemoryLength(memory));
                self.builder.ins().load(types::I64, self.regions.lengths, address, 0)
            }
            None => self.load_length(Place::MemoryLength(memory)),
        }
    }

    /// A length in the context.
    pub fn load_length(&mut self, place: Place) -> Value {
        let (base, offset) = self.place(place);
        self.builder.ins().load(types::I64, self.regions.lengths, base, offset)
    }

    /// Calls a builtin with arguments and the index of what it works on.
    pub fn call_builtin(&mut self, builtin: Builtin, arguments: &[Value], index: u32) -> Value {
        let function = self.function(Symbol::Builtin(builtin), |environment| environment.signature(&builtin_signature(builtin)));
        let index = self.builder.ins().iconst(types::I32, i64::from(index));
        let arguments: Vec<Value> = [self.vmctx].into_iter().chain(arguments.iter().copied()).chain([index]).collect();
        let call = self.builder.ins().call(function, &arguments);
        self.builder.inst_results(call)[0]
    }

    /// Takes the address operand of an access of so many bytes; gives base and constant offset. What is out of bounds traps, here or at the access.
    pub fn pop_address(&mut self, memarg: &MemArg, bytes: u64) -> (Value, Offset32) {
        let MemArgTarget::Memory(memory) = memarg.target else {
            unreachable!("the validator knows no accesses to arrays by this feature set")
        };
        let plan = self.environment.memory(memory);
        let index = self.pop_widened(plan.address);
        if plan.is_guarded() {
            self.guarded_address(memory, index, memarg.offset, bytes)
        } else {
            self.checked_address(memory, index, memarg.offset, bytes)
        }
    }

    /// Traps first where the guard does not catch it.
    fn guarded_address(&mut self, memory: u32, index: Value, offset: u64, bytes: u64) -> (Value, Offset32) {
        let base = self.memory_base(memory);
        let address = self.builder.ins().iadd(base, index);
        let reach = offset + bytes;
        if let Some(offset) = self.relocated() {
            // The guard catches it: of a body with an offset that is too large, no immediate counts as relocated.
            return (self.builder.ins().iadd(address, offset), Offset32::new(0));
        }
        if reach <= GUARD_BYTES {
            return (address, Offset32::new(offset as i32));
        }
        let end = self.builder.ins().iadd_imm_u(index, reach as i64);
        let length = self.memory_length(memory);
        let is_outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, end, length);
        self.trap_if(is_outside, TrapKind::MemoryOutOfBounds);
        let address = self.builder.ins().iadd_imm_u(address, offset as i64);
        // What is read speculatively past the check is at null, not in a neighbour's slot.
        (self.null_where(is_outside, address), Offset32::new(0))
    }

    /// The base is null where any of the bytes is out of bounds.
    fn checked_address(&mut self, memory: u32, index: Value, offset: u64, bytes: u64) -> (Value, Offset32) {
        let Some(reach) = offset.checked_add(bytes).filter(|reach| *reach <= MEMORY_RESERVATION_BYTES) else {
            // No memory is so long.
            return (self.builder.ins().iconst(types::I64, 0), Offset32::new(0));
        };
        let length = self.memory_length(memory);
        let is_outside = if self.environment.memory(memory).minimum_bytes() >= reach {
            let last = self.builder.ins().iadd_imm_s(length, -(reach as i64));
            self.builder.ins().icmp(IntCC::UnsignedGreaterThan, index, last)
        } else {
            // Where the sum wraps, the address alone is larger than any length.
            let begins_outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, index, length);
            let end = self.builder.ins().iadd_imm_u(index, reach as i64);
            let ends_outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, end, length);
            self.builder.ins().bor(begins_outside, ends_outside)
        };
        let base = self.memory_base(memory);
        let address = self.builder.ins().iadd(base, index);
        if reach <= PAGE_BYTES {
            // Null plus this offset is in page zero still.
            return (self.null_where(is_outside, address), Offset32::new(offset as i32));
        }
        let address = self.builder.ins().iadd_imm_u(address, offset as i64);
        (self.null_where(is_outside, address), Offset32::new(0))
    }

    /// The address, or null where the condition holds, even for a processor that speculates that it does not.
    pub fn null_where(&mut self, condition: Value, address: Value) -> Value {
        let null = self.builder.ins().iconst(types::I64, 0);
        self.builder.ins().select_spectre_guard(condition, null, address)
    }
}
