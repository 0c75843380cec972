//! Numbers (core specification, 2.4.1): constants, arithmetic, comparisons. Integer division traps by the processor's own exception.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, Value, types};
use cranelift_frontend::FuncInstBuilder;

use super::FunctionTranslator;

impl FunctionTranslator<'_, '_> {
    pub fn i32_const(&mut self, value: i32) {
        let value = match self.relocated() {
            Some(value) => self.builder.ins().ireduce(types::I32, value),
            // `iconst` wants the bits beyond the type to be zero.
            None => self.builder.ins().iconst(types::I32, i64::from(value as u32)),
        };
        self.push(value);
    }

    pub fn i64_const(&mut self, value: i64) {
        let value = self.builder.ins().iconst(types::I64, value);
        self.push(value);
    }

    pub fn f32_const(&mut self, bits: u32) {
        let value = self.builder.ins().f32const(cranelift_codegen::ir::immediates::Ieee32::with_bits(bits));
        self.push(value);
    }

    pub fn f64_const(&mut self, bits: u64) {
        let value = self.builder.ins().f64const(cranelift_codegen::ir::immediates::Ieee64::with_bits(bits));
        self.push(value);
    }

    /// One operand, one result.
    pub fn unary(&mut self, build: impl FnOnce(FuncInstBuilder<'_, '_>, Value) -> Value) {
        let operand = self.pop();
        let result = build(self.builder.ins(), operand);
        self.push(result);
    }

    /// Two operands, one result.
    pub fn binary(&mut self, build: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value) {
        let (left, right) = self.pop2();
        let result = build(self.builder.ins(), left, right);
        self.push(result);
    }

    pub fn compare(&mut self, condition: IntCC) {
        let (left, right) = self.pop2();
        let result = self.builder.ins().icmp(condition, left, right);
        self.push_boolean(result);
    }

    pub fn compare_float(&mut self, condition: FloatCC) {
        let (left, right) = self.pop2();
        let result = self.builder.ins().fcmp(condition, left, right);
        self.push_boolean(result);
    }

    /// Whether an integer or a reference is zero.
    pub fn is_zero(&mut self) {
        let operand = self.pop();
        let result = self.builder.ins().icmp_imm_u(IntCC::Equal, operand, 0);
        self.push_boolean(result);
    }

    fn push_boolean(&mut self, condition: Value) {
        let value = self.builder.ins().uextend(types::I32, condition);
        self.push(value);
    }
}
