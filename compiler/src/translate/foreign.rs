//! What belongs to another instance (`runtime/decisions/0008-linking.md`). A memory and a mutable global are reached through absolute addresses; a table, and
//! a global that holds references to functions, by exits, for such references mean something else in each module. A reference whose type has its top bit set
//! is to a foreign function: it is called by an exit too.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use vivarium_artifact::TrapKind;
use vivarium_artifact::abi::Builtin;

use super::{FunctionTranslator, trap_code};
use crate::symbol::Symbol;

impl FunctionTranslator<'_, '_> {
    /// The address of the first byte of an imported memory, which the runtime has put in the context.
    pub fn imported_memory_base(&mut self, memory: u32) -> Value {
        let layout = self.environment.layout();
        let offset = layout.from_vmctx(layout.memory_link(memory));
        self.builder.ins().load(types::I64, self.regions.lengths, self.vmctx, offset)
    }

    /// In a cold block, with `found` the type of a reference that is not of signature `number`: traps unless the reference is foreign and has that signature
    /// after all.
    pub fn check_foreign(&mut self, reference: Value, found: Value, number: u32) {
        let is_own = self.builder.ins().icmp_imm_s(IntCC::SignedGreaterThan, found, 0);
        self.builder.ins().trapnz(is_own, trap_code(TrapKind::BadSignature));
        let has_signature = self.call_builtin(Builtin::ForeignType, &[reference], number);
        self.builder.ins().trapz(has_signature, trap_code(TrapKind::BadSignature));
    }

    /// The code by which a foreign reference of this signature is called.
    pub fn foreign_callee(&mut self, reference: Value, number: u32) -> Value {
        let layout = self.environment.layout();
        let offset = layout.from_vmctx(layout.foreign_reference());
        self.builder.ins().store(self.regions.lengths, reference, self.vmctx, offset);
        self.address_of(Symbol::Foreign(number))
    }

    pub fn imported_table_length(&mut self, table: u32) -> Value {
        self.call_builtin(Builtin::TableSize, &[], table)
    }

    /// The element at an index that is within bounds.
    pub fn load_imported_element(&mut self, table: u32, index: Value) -> Value {
        self.call_builtin(Builtin::TableGet, &[index], table)
    }

    /// Sets the element at an index that is within bounds.
    pub fn store_imported_element(&mut self, table: u32, index: Value, reference: Value) {
        self.call_builtin(Builtin::TableSet, &[index, reference], table);
    }

    pub fn load_imported_reference(&mut self, global: u32) -> Value {
        self.call_builtin(Builtin::GlobalGet, &[], global)
    }

    pub fn store_imported_reference(&mut self, global: u32, reference: Value) {
        self.call_builtin(Builtin::GlobalSet, &[reference], global);
    }

    /// Runs a piece of code for each number below `count`, from 0, or from the last when `backwards` holds.
    pub fn for_each(&mut self, count: Value, backwards: Value, each: impl FnOnce(&mut Self, Value)) {
        let header = self.builder.create_block();
        let body = self.builder.create_block();
        let end = self.builder.create_block();
        let done = self.builder.append_block_param(header, types::I64);
        let zero = self.builder.ins().iconst(types::I64, 0);
        self.builder.ins().jump(header, &[zero.into()]);
        self.builder.switch_to_block(header);
        let is_over = self.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, done, count);
        self.builder.ins().brif(is_over, end, &[], body, &[]);
        self.builder.switch_to_block(body);
        self.builder.seal_block(body);
        let left = self.builder.ins().isub(count, done);
        let from_end = self.builder.ins().iadd_imm_s(left, -1);
        let number = self.builder.ins().select(backwards, from_end, done);
        each(self, number);
        let done = self.builder.ins().iadd_imm_u(done, 1);
        self.builder.ins().jump(header, &[done.into()]);
        self.builder.seal_block(header);
        self.builder.switch_to_block(end);
        self.builder.seal_block(end);
    }
}
