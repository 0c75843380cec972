//! Bulk operations on linear memory (core specification, 2.4.7). Bounds are checked first, so that one that traps has written nothing; then a stub
//! copies or fills.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use vivarium_artifact::TrapKind;

use super::FunctionTranslator;
use crate::symbol::{Stub, Symbol};

impl FunctionTranslator<'_, '_> {
    pub fn memory_fill(&mut self, memory: u32) {
        let (start, byte, count) = self.pop3();
        let (start, count) = (self.extend(start), self.extend(count));
        let length = self.memory_length(memory);
        self.check_range(start, count, length, TrapKind::MemoryOutOfBounds);
        let destination = self.builder.ins().iadd(self.vmctx, start);
        self.call_stub(Stub::Fill, &[destination, byte, count]);
    }

    pub fn memory_copy(&mut self, destination_memory: u32, source_memory: u32) {
        let (destination, source, count) = self.pop3_extended();
        let length = self.memory_length(destination_memory);
        self.check_range(destination, count, length, TrapKind::MemoryOutOfBounds);
        let length = self.memory_length(source_memory);
        self.check_range(source, count, length, TrapKind::MemoryOutOfBounds);
        let destination = self.builder.ins().iadd(self.vmctx, destination);
        let source = self.builder.ins().iadd(self.vmctx, source);
        self.call_stub(Stub::Copy, &[destination, source, count]);
    }

    pub fn memory_init(&mut self, segment: u32, memory: u32) {
        let (destination, source, count) = self.pop3_extended();
        let length = self.load_length(self.environment.layout().data_segment_length(segment));
        self.check_range(source, count, length, TrapKind::MemoryOutOfBounds);
        let length = self.memory_length(memory);
        self.check_range(destination, count, length, TrapKind::MemoryOutOfBounds);
        let bytes = self.address_of(Symbol::DataSegment(segment));
        let destination = self.builder.ins().iadd(self.vmctx, destination);
        let source = self.builder.ins().iadd(bytes, source);
        self.call_stub(Stub::Copy, &[destination, source, count]);
    }

    pub fn data_drop(&mut self, segment: u32) {
        self.empty_length(self.environment.layout().data_segment_length(segment));
    }

    /// Sets a length in the context to zero.
    pub fn empty_length(&mut self, slot_offset: u64) {
        let zero = self.builder.ins().iconst(types::I64, 0);
        let offset = self.environment.vmctx_offset(slot_offset);
        self.builder.ins().store(self.regions.lengths, zero, self.vmctx, offset);
    }

    /// Traps unless `count` from `start` lie within `length`; all are zero-extended from 32 bits or smaller than 2^33, so nothing wraps.
    pub fn check_range(&mut self, start: Value, count: Value, length: Value, kind: TrapKind) {
        let end = self.builder.ins().iadd(start, count);
        let is_outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, end, length);
        self.trap_if(is_outside, kind);
    }

    /// Takes destination, source and count.
    pub fn pop3_extended(&mut self) -> (Value, Value, Value) {
        let (destination, source, count) = self.pop3();
        (self.extend(destination), self.extend(source), self.extend(count))
    }
}
