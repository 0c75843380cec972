//! Wide arithmetic (the proposal of that name): integers of 128 bits as two of 64, the low half first.

use cranelift_codegen::ir::{InstBuilder, Value, types};
use cranelift_frontend::FuncInstBuilder;

use super::FunctionTranslator;

impl FunctionTranslator<'_, '_> {
    /// Adds or subtracts two integers of 128 bits.
    pub fn wide_binary(&mut self, build: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value) {
        let right = self.pop_wide();
        let left = self.pop_wide();
        let value = build(self.builder.ins(), left, right);
        self.push_wide(value);
    }

    pub fn multiply_wide_signed(&mut self) {
        self.multiply_wide(|ins, operand| ins.sextend(types::I128, operand));
    }

    pub fn multiply_wide_unsigned(&mut self) {
        self.multiply_wide(|ins, operand| ins.uextend(types::I128, operand));
    }

    /// The whole product of two integers of 64 bits; in this form the code generator finds the processor's own instruction.
    fn multiply_wide(&mut self, extend: fn(FuncInstBuilder<'_, '_>, Value) -> Value) {
        let (left, right) = self.pop2();
        let left = extend(self.builder.ins(), left);
        let right = extend(self.builder.ins(), right);
        let value = self.builder.ins().imul(left, right);
        self.push_wide(value);
    }

    fn pop_wide(&mut self) -> Value {
        let (low, high) = self.pop2();
        self.builder.ins().iconcat(low, high)
    }

    fn push_wide(&mut self, value: Value) {
        let (low, high) = self.builder.ins().isplit(value);
        self.push(low);
        self.push(high);
    }
}
