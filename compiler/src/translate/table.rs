//! Tables (core specification, 2.4.6). An element is eight bytes, the same as in a register; its address is null where the index is out of bounds,
//! also when the processor only speculates that it is not, and the fault there is the trap.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use vivarium_artifact::TrapKind;
use vivarium_artifact::abi::{Builtin, REFERENCE_BYTES};

use super::FunctionTranslator;
use crate::symbol::{Stub, Symbol};

const REFERENCE_SHIFT: i64 = REFERENCE_BYTES.trailing_zeros() as i64;

impl FunctionTranslator<'_, '_> {
    pub fn table_get(&mut self, table: u32) {
        let index = self.pop_extended();
        let element = self.load_element(table, index);
        self.push(element);
    }

    pub fn table_set(&mut self, table: u32) {
        let (index, reference) = self.pop2();
        let index = self.extend(index);
        let address = self.element_address(table, index);
        self.builder.ins().store(self.regions.tables, reference, address, 0);
    }

    pub fn table_size(&mut self, table: u32) {
        let length = self.table_length(table);
        let length = self.builder.ins().ireduce(types::I32, length);
        self.push(length);
    }

    pub fn table_grow(&mut self, table: u32) {
        let (reference, delta) = self.pop2();
        let delta = self.extend(delta);
        let previous = self.call_builtin(Builtin::TableGrow, &[reference, delta], table);
        let previous = self.builder.ins().ireduce(types::I32, previous);
        self.push(previous);
    }

    pub fn table_fill(&mut self, table: u32) {
        let (start, reference, count) = self.pop3();
        let (start, count) = (self.extend(start), self.extend(count));
        let length = self.table_length(table);
        self.check_range(start, count, length, TrapKind::TableOutOfBounds);
        let destination = self.unchecked_element_address(table, start);
        self.call_stub(Stub::FillReferences, &[destination, reference, count]);
    }

    pub fn table_copy(&mut self, destination_table: u32, source_table: u32) {
        let (destination, source, count) = self.pop3_extended();
        let length = self.table_length(destination_table);
        self.check_range(destination, count, length, TrapKind::TableOutOfBounds);
        let length = self.table_length(source_table);
        self.check_range(source, count, length, TrapKind::TableOutOfBounds);
        let destination = self.unchecked_element_address(destination_table, destination);
        let source = self.unchecked_element_address(source_table, source);
        let bytes = self.builder.ins().ishl_imm_u(count, REFERENCE_SHIFT);
        self.call_stub(Stub::Copy, &[destination, source, bytes]);
    }

    pub fn table_init(&mut self, segment: u32, table: u32) {
        let (destination, source, count) = self.pop3_extended();
        let length = self.load_length(self.environment.layout().element_segment_length(segment));
        self.check_range(source, count, length, TrapKind::TableOutOfBounds);
        let length = self.table_length(table);
        self.check_range(destination, count, length, TrapKind::TableOutOfBounds);
        let references = self.address_of(Symbol::ElementSegment(segment));
        let source = self.builder.ins().ishl_imm_u(source, REFERENCE_SHIFT);
        let source = self.builder.ins().iadd(references, source);
        let destination = self.unchecked_element_address(table, destination);
        let bytes = self.builder.ins().ishl_imm_u(count, REFERENCE_SHIFT);
        self.call_stub(Stub::Copy, &[destination, source, bytes]);
    }

    pub fn elem_drop(&mut self, segment: u32) {
        self.empty_length(self.environment.layout().element_segment_length(segment));
    }

    /// The element at an index (`i64`), or the trap.
    pub fn load_element(&mut self, table: u32, index: Value) -> Value {
        let address = self.element_address(table, index);
        self.builder.ins().load(types::I64, self.regions.tables, address, 0)
    }

    fn element_address(&mut self, table: u32, index: Value) -> Value {
        let length = self.table_length(table);
        let is_outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, length);
        let address = self.unchecked_element_address(table, index);
        let null = self.builder.ins().iconst(types::I64, 0);
        self.builder.ins().select_spectre_guard(is_outside, null, address)
    }

    fn unchecked_element_address(&mut self, table: u32, index: Value) -> Value {
        let offset = self.environment.vmctx_offset(self.environment.layout().table(table));
        let base = self.builder.ins().iadd_imm_s(self.vmctx, i64::from(offset));
        let distance = self.builder.ins().ishl_imm_u(index, REFERENCE_SHIFT);
        self.builder.ins().iadd(base, distance)
    }

    /// The current length of a table, in elements.
    fn table_length(&mut self, table: u32) -> Value {
        let environment = self.environment;
        match environment.fixed_table_length(table) {
            Some(length) => self.builder.ins().iconst(types::I64, length as i64),
            None => self.load_length(environment.layout().table_length(table)),
        }
    }
}
