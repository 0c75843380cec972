//! Calls (core specification, 2.4.8): direct ones to a colocated function, indirect ones through a table and the module's offset table.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Inst, InstBuilder, Value, types};
use vivarium_artifact::TrapKind;

use super::{FunctionTranslator, trap_code};
use crate::symbol::{Number, Symbol};

impl FunctionTranslator<'_, '_> {
    pub fn call(&mut self, function: u32) {
        let module = self.environment.module;
        let ty = module.signature(module.function_type(function));
        let callee = self.function(Symbol::Function(function), |environment| environment.signature(ty));
        let arguments = self.pop_arguments(ty.parameters.len());
        let call = self.builder.ins().call(callee, &arguments);
        self.push_results(call);
    }

    pub fn call_indirect(&mut self, type_index: u32, table: u32) {
        let index = self.pop_widened(self.environment.module.table_address(table));
        let reference = self.load_element(table, index);
        let number = self.environment.module.types[type_index as usize];
        self.check_type(reference, number);
        let callee = self.code_address(reference);
        let parameters = self.environment.module.signature(number).parameters.len();
        let signature = self.signature(number);
        let arguments = self.pop_arguments(parameters);
        let call = self.builder.ins().call_indirect(signature, callee, &arguments);
        self.push_results(call);
    }

    /// Traps unless a reference is to a function of this signature.
    fn check_type(&mut self, reference: Value, number: u32) {
        let found = self.builder.ins().ireduce(types::I32, reference);
        let is_expected = match self.shared {
            Some(_) => {
                let number = self.number(Number::Signature(number));
                let number = self.builder.ins().ireduce(types::I32, number);
                self.builder.ins().icmp(IntCC::Equal, found, number)
            }
            None => self.builder.ins().icmp_imm_u(IntCC::Equal, found, i64::from(number)),
        };
        let (right, wrong) = (self.builder.create_block(), self.builder.create_block());
        self.builder.ins().brif(is_expected, right, &[], wrong, &[]);
        self.builder.seal_block(right);
        self.builder.seal_block(wrong);
        self.builder.set_cold_block(wrong);
        self.builder.switch_to_block(wrong);
        self.builder.ins().trapz(found, trap_code(TrapKind::IndirectCallToNull));
        self.builder.ins().trap(trap_code(TrapKind::BadSignature));
        self.builder.switch_to_block(right);
    }

    /// The address of the code that a reference names: its function's entry in the offset table, which is relative to the table itself.
    fn code_address(&mut self, reference: Value) -> Value {
        let function = self.builder.ins().ushr_imm_u(reference, 32);
        let table = self.address_of(Symbol::OffsetTable);
        let distance = self.builder.ins().ishl_imm_u(function, 2);
        let entry = self.builder.ins().iadd(table, distance);
        let offset = self.builder.ins().sload32(self.regions.text, entry, 0);
        self.builder.ins().iadd(table, offset)
    }

    fn pop_arguments(&mut self, count: usize) -> Vec<Value> {
        let mut arguments = vec![self.vmctx];
        arguments.extend(self.pop_many(count));
        arguments
    }

    fn push_results(&mut self, call: Inst) {
        self.stack.extend_from_slice(self.builder.inst_results(call));
    }
}
