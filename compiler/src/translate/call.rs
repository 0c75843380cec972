//! Calls (core specification, 2.4.8): direct ones to a colocated function, indirect ones through a table and the module's offset table. A tail call
//! leaves the frame of its caller to its callee; all functions have the convention that permits it.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, FuncRef, InstBuilder, SigRef, Value, types};
use vivarium_artifact::TrapKind;

use super::{FunctionTranslator, trap_code};
use crate::symbol::{Number, Symbol};

/// Code that can be called.
#[derive(Debug, Clone, Copy)]
pub enum Callee {
    Function(FuncRef),
    Address(SigRef, Value),
}

impl FunctionTranslator<'_, '_> {
    pub fn call(&mut self, function: u32) {
        let (callee, arguments) = self.direct(function);
        self.call_code(callee, &arguments);
    }

    pub fn return_call(&mut self, function: u32) {
        let (callee, arguments) = self.direct(function);
        self.return_call_code(callee, &arguments);
    }

    pub fn call_indirect(&mut self, type_index: u32, table: u32) {
        let (callee, arguments) = self.indirect(type_index, table);
        self.call_code(callee, &arguments);
    }

    pub fn return_call_indirect(&mut self, type_index: u32, table: u32) {
        let (callee, arguments) = self.indirect(type_index, table);
        self.return_call_code(callee, &arguments);
    }

    pub fn call_ref(&mut self, type_index: u32) {
        let (callee, arguments) = self.referenced(type_index);
        self.call_code(callee, &arguments);
    }

    pub fn return_call_ref(&mut self, type_index: u32) {
        let (callee, arguments) = self.referenced(type_index);
        self.return_call_code(callee, &arguments);
    }

    /// A function and what it is called with.
    fn direct(&mut self, function: u32) -> (Callee, Vec<Value>) {
        let module = self.environment.module;
        let ty = module.signature(module.function_type(function));
        let callee = self.function(Symbol::Function(function), |environment| environment.signature(ty));
        (Callee::Function(callee), self.pop_arguments(ty.parameters.len()))
    }

    /// What an element of a table refers to, or the trap, and what it is called with.
    fn indirect(&mut self, type_index: u32, table: u32) -> (Callee, Vec<Value>) {
        let index = self.pop_widened(self.environment.module.table_address(table));
        let reference = self.load_element(table, index);
        let number = self.environment.module.types[type_index as usize];
        let address = self.callee(reference, number);
        self.with_arguments(number, address)
    }

    /// What the topmost operand refers to, or the trap where it is null, and what it is called with. That it is of this signature the validator has checked.
    fn referenced(&mut self, type_index: u32) -> (Callee, Vec<Value>) {
        let reference = self.pop();
        let number = self.environment.module.types[type_index as usize];
        self.builder.ins().trapz(reference, trap_code(TrapKind::NullReference));
        let address = match self.environment.contract().linked {
            true => self.known_callee(reference, number),
            false => self.code_address(reference),
        };
        self.with_arguments(number, address)
    }

    fn with_arguments(&mut self, number: u32, address: Value) -> (Callee, Vec<Value>) {
        let parameters = self.environment.module.signature(number).parameters.len();
        (Callee::Address(self.signature(number), address), self.pop_arguments(parameters))
    }

    /// Calls, and pushes the results.
    pub fn call_code(&mut self, callee: Callee, arguments: &[Value]) {
        if !self.handlers.is_empty() {
            return self.try_call(callee, arguments);
        }
        let call = match callee {
            Callee::Function(function) => self.builder.ins().call(function, arguments),
            Callee::Address(signature, address) => self.builder.ins().call_indirect(signature, address, arguments),
        };
        self.stack.extend_from_slice(self.builder.inst_results(call));
    }

    /// Returns what the callee will return.
    fn return_call_code(&mut self, callee: Callee, arguments: &[Value]) {
        match callee {
            Callee::Function(function) => self.builder.ins().return_call(function, arguments),
            Callee::Address(signature, address) => self.builder.ins().return_call_indirect(signature, address, arguments),
        };
        self.reachable = false;
    }

    /// The address of the code that a reference to a function of this signature names, or the trap.
    fn callee(&mut self, reference: Value, number: u32) -> Value {
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
        self.builder.seal_block(wrong);
        self.builder.set_cold_block(wrong);
        self.builder.switch_to_block(wrong);
        self.builder.ins().trapz(found, trap_code(TrapKind::IndirectCallToNull));
        if self.environment.contract().linked {
            self.check_foreign(reference, found, number);
            return self.own_or_foreign_callee(reference, number, right);
        }
        self.builder.ins().trap(trap_code(TrapKind::BadSignature));
        self.builder.seal_block(right);
        self.builder.switch_to_block(right);
        self.code_address(reference)
    }

    /// The address of the code that a reference names, which is of this signature and perhaps foreign.
    fn known_callee(&mut self, reference: Value, number: u32) -> Value {
        let found = self.builder.ins().ireduce(types::I32, reference);
        let is_own = self.builder.ins().icmp_imm_s(IntCC::SignedGreaterThan, found, 0);
        let (own, foreign) = (self.builder.create_block(), self.builder.create_block());
        self.builder.ins().brif(is_own, own, &[], foreign, &[]);
        self.builder.seal_block(foreign);
        self.builder.switch_to_block(foreign);
        self.own_or_foreign_callee(reference, number, own)
    }

    /// In the block where a reference is known to be foreign: goes on in a block that both ways lead to.
    fn own_or_foreign_callee(&mut self, reference: Value, number: u32, own: Block) -> Value {
        let joined = self.builder.create_block();
        let callee = self.builder.append_block_param(joined, types::I64);
        let foreign_code = self.foreign_callee(reference, number);
        self.builder.ins().jump(joined, &[foreign_code.into()]);
        self.builder.seal_block(own);
        self.builder.switch_to_block(own);
        let own_code = self.code_address(reference);
        self.builder.ins().jump(joined, &[own_code.into()]);
        self.builder.seal_block(joined);
        self.builder.switch_to_block(joined);
        callee
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

    /// The context, and the topmost operands: with what a function is called.
    pub fn pop_arguments(&mut self, count: usize) -> Vec<Value> {
        let mut arguments = vec![self.vmctx];
        arguments.extend(self.pop_many(count));
        arguments
    }
}
