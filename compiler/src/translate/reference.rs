//! References (core specification, 2.4.5): eight bytes, zero when null (`runtime/decisions/0001-abi.md`).

use cranelift_codegen::ir::InstBuilder;
use cranelift_codegen::ir::condcodes::IntCC;
use vivarium_artifact::TrapKind;
use vivarium_artifact::abi::function_reference;

use super::{FunctionTranslator, trap_code};
use crate::symbol::Number;

impl FunctionTranslator<'_, '_> {
    pub fn ref_null(&mut self) {
        self.i64_const(0);
    }

    pub fn ref_is_null(&mut self) {
        self.is_zero();
    }

    pub fn ref_func(&mut self, function: u32) {
        if self.shared.is_some() {
            let reference = self.number(Number::Reference(function));
            return self.push(reference);
        }
        let number = self.environment.module.function_type(function);
        self.i64_const(function_reference(number, function) as i64);
    }

    pub fn ref_as_non_null(&mut self) {
        let reference = self.peek_many(1)[0];
        self.builder.ins().trapz(reference, trap_code(TrapKind::NullReference));
    }

    /// Branches without the reference where it is null.
    pub fn br_on_null(&mut self, depth: u32) {
        let reference = self.pop();
        let is_null = self.builder.ins().icmp_imm_u(IntCC::Equal, reference, 0);
        self.branch_if(is_null, depth);
        self.push(reference);
    }

    /// Branches with the reference where it is not null, and drops it where it is.
    pub fn br_on_non_null(&mut self, depth: u32) {
        let reference = self.peek_many(1)[0];
        self.branch_if(reference, depth);
        self.pop();
    }
}
