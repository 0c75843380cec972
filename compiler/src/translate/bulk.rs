//! Bulk operations on linear memory (core specification, 2.4.7). Bounds are checked first, so that one that traps has written nothing; then a stub
//! copies or fills.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use vivarium_artifact::{AddressType, TrapKind};

use super::FunctionTranslator;
use crate::symbol::{Place, Stub, Symbol};

impl FunctionTranslator<'_, '_> {
    pub fn memory_fill(&mut self, memory: u32) {
        let address = self.environment.memory(memory).address;
        let (start, byte, count) = self.pop3();
        let (start, count) = (self.widen(start, address), self.widen(count, address));
        self.check_memory(memory, start, count);
        let destination = self.memory_place(memory, start);
        self.call_stub(Stub::Fill, &[destination, byte, count]);
    }

    pub fn memory_copy(&mut self, destination_memory: u32, source_memory: u32) {
        let (to, from) = (self.environment.memory(destination_memory).address, self.environment.memory(source_memory).address);
        let (destination, source, count) = self.pop3();
        let (destination, source) = (self.widen(destination, to), self.widen(source, from));
        let count = self.widen(count, narrower(to, from));
        self.check_memory(destination_memory, destination, count);
        self.check_memory(source_memory, source, count);
        let destination = self.memory_place(destination_memory, destination);
        let source = self.memory_place(source_memory, source);
        self.call_stub(Stub::Copy, &[destination, source, count]);
    }

    pub fn memory_init(&mut self, segment: u32, memory: u32) {
        let (destination, source, count) = self.pop3_init(self.environment.memory(memory).address);
        let length = self.load_length(Place::DataSegmentLength(segment));
        self.check_range(AddressType::I32, source, count, length, TrapKind::MemoryOutOfBounds);
        self.check_memory(memory, destination, count);
        let bytes = self.address_of(Symbol::DataSegment(segment));
        let destination = self.memory_place(memory, destination);
        let source = self.builder.ins().iadd(bytes, source);
        self.call_stub(Stub::Copy, &[destination, source, count]);
    }

    pub fn data_drop(&mut self, segment: u32) {
        self.empty_length(Place::DataSegmentLength(segment));
    }

    /// Sets a length in the context to zero.
    pub fn empty_length(&mut self, place: Place) {
        let zero = self.builder.ins().iconst(types::I64, 0);
        let (base, offset) = self.place(place);
        self.builder.ins().store(self.regions.lengths, zero, base, offset);
    }

    /// Traps unless `count` from `start`, both of this type and widened, lie within `length`.
    pub fn check_range(&mut self, ty: AddressType, start: Value, count: Value, length: Value, kind: TrapKind) {
        let is_outside = match ty {
            // The sum of two of these does not wrap.
            AddressType::I32 => {
                let end = self.builder.ins().iadd(start, count);
                self.builder.ins().icmp(IntCC::UnsignedGreaterThan, end, length)
            }
            AddressType::I64 => {
                let is_longer = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, count, length);
                let last = self.builder.ins().isub(length, count);
                let begins_behind = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, start, last);
                self.builder.ins().bor(is_longer, begins_behind)
            }
        };
        self.trap_if(is_outside, kind);
    }

    /// Takes destination, source and count of an initialisation: only the destination can be wider than 32 bits.
    pub fn pop3_init(&mut self, destination_type: AddressType) -> (Value, Value, Value) {
        let (destination, source, count) = self.pop3();
        let destination = self.widen(destination, destination_type);
        (destination, self.widen(source, AddressType::I32), self.widen(count, AddressType::I32))
    }

    fn check_memory(&mut self, memory: u32, start: Value, count: Value) {
        let length = self.memory_length(memory);
        self.check_range(self.environment.memory(memory).address, start, count, length, TrapKind::MemoryOutOfBounds);
    }

    /// The address of a byte of a memory, whether or not it is within bounds.
    pub fn memory_place(&mut self, memory: u32, index: Value) -> Value {
        let base = self.memory_base(memory);
        self.builder.ins().iadd(base, index)
    }
}

/// The type of the length of a copy between two of these types.
pub fn narrower(one: AddressType, other: AddressType) -> AddressType {
    if one == other { one } else { AddressType::I32 }
}
