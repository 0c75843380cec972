//! Tables (core specification, 2.4.6). An element is eight bytes, the same as in a register; its address is null where the index is out of bounds,
//! also when the processor only speculates that it is not, and the fault there is the trap.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use vivarium_artifact::abi::{Builtin, REFERENCE_BYTES};
use vivarium_artifact::{AddressType, TrapKind};

use super::FunctionTranslator;
use super::bulk::narrower;
use crate::error::CompileError;
use crate::symbol::{Number, Place, Stub, Symbol};

const REFERENCE_SHIFT: i64 = REFERENCE_BYTES.trailing_zeros() as i64;

impl FunctionTranslator<'_, '_> {
    pub fn table_get(&mut self, table: u32) {
        let index = self.pop_widened(self.environment.module.table_address(table));
        let element = self.load_element(table, index);
        self.push(element);
    }

    pub fn table_set(&mut self, table: u32) {
        let (index, reference) = self.pop2();
        let index = self.widen(index, self.environment.module.table_address(table));
        if self.environment.table_is_imported(table) {
            self.check_element(table, index);
            return self.store_imported_element(table, index, reference);
        }
        let address = self.element_address(table, index);
        self.builder.ins().store(self.regions.tables, reference, address, 0);
    }

    pub fn table_size(&mut self, table: u32) {
        let length = self.table_length(table);
        self.push_narrowed(length, self.environment.module.table_address(table));
    }

    pub fn table_grow(&mut self, table: u32) {
        let ty = self.environment.module.table_address(table);
        let (reference, delta) = self.pop2();
        let delta = self.widen(delta, ty);
        let previous = self.call_builtin(Builtin::TableGrow, &[reference, delta], table);
        self.push_narrowed(previous, ty);
    }

    pub fn table_fill(&mut self, table: u32) {
        let ty = self.environment.module.table_address(table);
        let (start, reference, count) = self.pop3();
        let (start, count) = (self.widen(start, ty), self.widen(count, ty));
        self.check_table(table, start, count);
        if self.environment.table_is_imported(table) {
            let forwards = self.builder.ins().iconst(types::I8, 0);
            return self.for_each(count, forwards, |t, number| {
                let index = t.builder.ins().iadd(start, number);
                t.store_imported_element(table, index, reference);
            });
        }
        let destination = self.unchecked_element_address(table, start);
        self.call_stub(Stub::FillReferences, &[destination, reference, count]);
    }

    pub fn table_copy(&mut self, destination_table: u32, source_table: u32) {
        let module = self.environment.module;
        let (to, from) = (module.table_address(destination_table), module.table_address(source_table));
        let (destination, source, count) = self.pop3();
        let (destination, source) = (self.widen(destination, to), self.widen(source, from));
        let count = self.widen(count, narrower(to, from));
        self.check_table(destination_table, destination, count);
        self.check_table(source_table, source, count);
        if [destination_table, source_table].iter().any(|table| self.environment.table_is_imported(*table)) {
            // Two imports may be the same table.
            let backwards = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, destination, source);
            return self.for_each(count, backwards, |t, number| {
                let from = t.builder.ins().iadd(source, number);
                let reference = t.load_element_within(source_table, from);
                let to = t.builder.ins().iadd(destination, number);
                t.store_element_within(destination_table, to, reference);
            });
        }
        let destination = self.unchecked_element_address(destination_table, destination);
        let source = self.unchecked_element_address(source_table, source);
        let bytes = self.builder.ins().ishl_imm_u(count, REFERENCE_SHIFT);
        self.call_stub(Stub::Copy, &[destination, source, bytes]);
    }

    pub fn table_init(&mut self, segment: u32, table: u32) -> Result<(), CompileError> {
        let (destination, source, count) = self.pop3_init(self.environment.module.table_address(table));
        let length = self.load_length(Place::ElementSegmentLength(segment));
        self.check_range(AddressType::I32, source, count, length, TrapKind::TableOutOfBounds);
        self.check_table(table, destination, count);
        self.copy_segment(segment, table, destination, source, count);
        self.store_late_items(segment, table, destination, source, count)
    }

    /// Copies from the text.
    fn copy_segment(&mut self, segment: u32, table: u32, destination: Value, source: Value, count: Value) {
        let references = self.address_of(Symbol::ElementSegment(segment));
        let source = self.builder.ins().ishl_imm_u(source, REFERENCE_SHIFT);
        let source = self.builder.ins().iadd(references, source);
        if self.environment.table_is_imported(table) {
            let forwards = self.builder.ins().iconst(types::I8, 0);
            return self.for_each(count, forwards, |t, number| {
                let distance = t.builder.ins().ishl_imm_u(number, REFERENCE_SHIFT);
                let from = t.builder.ins().iadd(source, distance);
                let reference = t.builder.ins().load(types::I64, t.regions.text, from, 0);
                let to = t.builder.ins().iadd(destination, number);
                t.store_imported_element(table, to, reference);
            });
        }
        let destination = self.unchecked_element_address(table, destination);
        let bytes = self.builder.ins().ishl_imm_u(count, REFERENCE_SHIFT);
        self.call_stub(Stub::Copy, &[destination, source, bytes]);
    }

    /// Items that depend on imports are null in the text: those of them that were copied are computed.
    fn store_late_items(&mut self, segment: u32, table: u32, destination: Value, source: Value, count: Value) -> Result<(), CompileError> {
        let module = self.environment.module;
        for (position, expression) in &module.elements[segment as usize].late {
            let position = self.builder.ins().iconst(types::I64, i64::from(*position));
            let distance = self.builder.ins().isub(position, source);
            let is_copied = self.builder.ins().icmp(IntCC::UnsignedLessThan, distance, count);
            let (copied, next) = (self.builder.create_block(), self.builder.create_block());
            self.builder.ins().brif(is_copied, copied, &[], next, &[]);
            self.builder.switch_to_block(copied);
            self.builder.seal_block(copied);
            self.constant_expression(expression)?;
            let reference = self.pop();
            let index = self.builder.ins().iadd(destination, distance);
            self.store_element_within(table, index, reference);
            self.builder.ins().jump(next, &[]);
            self.builder.switch_to_block(next);
            self.builder.seal_block(next);
        }
        Ok(())
    }

    /// Fills the first elements of a table of the module's own, which has so many, with the topmost operand.
    pub fn fill_own_table(&mut self, table: u32, count: u64) {
        let reference = self.pop();
        let first = self.builder.ins().iconst(types::I64, 0);
        let destination = self.unchecked_element_address(table, first);
        let count = self.builder.ins().iconst(types::I64, count as i64);
        self.call_stub(Stub::FillReferences, &[destination, reference, count]);
    }

    pub fn elem_drop(&mut self, segment: u32) {
        self.empty_length(Place::ElementSegmentLength(segment));
    }

    /// The element at an index (`i64`), or the trap.
    pub fn load_element(&mut self, table: u32, index: Value) -> Value {
        if self.environment.table_is_imported(table) {
            self.check_element(table, index);
            return self.load_imported_element(table, index);
        }
        let address = self.element_address(table, index);
        self.builder.ins().load(types::I64, self.regions.tables, address, 0)
    }

    /// The element at an index that is within bounds.
    fn load_element_within(&mut self, table: u32, index: Value) -> Value {
        if self.environment.table_is_imported(table) {
            return self.load_imported_element(table, index);
        }
        let address = self.unchecked_element_address(table, index);
        self.builder.ins().load(types::I64, self.regions.tables, address, 0)
    }

    /// Sets the element at an index that is within bounds.
    pub fn store_element_within(&mut self, table: u32, index: Value, reference: Value) {
        if self.environment.table_is_imported(table) {
            return self.store_imported_element(table, index, reference);
        }
        let address = self.unchecked_element_address(table, index);
        self.builder.ins().store(self.regions.tables, reference, address, 0);
    }

    /// Traps unless an index is within bounds.
    fn check_element(&mut self, table: u32, index: Value) {
        let length = self.table_length(table);
        let is_outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, length);
        self.trap_if(is_outside, TrapKind::TableOutOfBounds);
    }

    fn element_address(&mut self, table: u32, index: Value) -> Value {
        let length = self.table_length(table);
        let is_outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, length);
        let address = self.unchecked_element_address(table, index);
        self.null_where(is_outside, address)
    }

    fn unchecked_element_address(&mut self, table: u32, index: Value) -> Value {
        let (base, offset) = self.place(Place::Table(table));
        let base = if offset == 0 { base } else { self.builder.ins().iadd_imm_s(base, i64::from(offset)) };
        let distance = self.builder.ins().ishl_imm_u(index, REFERENCE_SHIFT);
        self.builder.ins().iadd(base, distance)
    }

    /// Traps unless `count` elements from `start` are within bounds.
    pub fn check_table(&mut self, table: u32, start: Value, count: Value) {
        let length = self.table_length(table);
        self.check_range(self.environment.module.table_address(table), start, count, length, TrapKind::TableOutOfBounds);
    }

    /// The current length of a table, in elements.
    fn table_length(&mut self, table: u32) -> Value {
        let environment = self.environment;
        match environment.fixed_table_length(table) {
            Some(_) if self.shared.is_some() => self.number(Number::TableLength(table)),
            Some(length) => self.builder.ins().iconst(types::I64, length as i64),
            None if environment.table_is_imported(table) => self.imported_table_length(table),
            None => self.load_length(Place::TableLength(table)),
        }
    }
}
