//! Conversions between numbers (core specification, 4.3.4): trapping, saturating, exact and bit by bit.

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, types};

use super::FunctionTranslator;

impl FunctionTranslator<'_, '_> {
    pub fn wrap(&mut self) {
        self.unary(|ins, operand| ins.ireduce(types::I32, operand));
    }

    pub fn extend_signed(&mut self) {
        self.unary(|ins, operand| ins.sextend(types::I64, operand));
    }

    pub fn extend_unsigned(&mut self) {
        self.unary(|ins, operand| ins.uextend(types::I64, operand));
    }

    /// Sign-extends the low part of an integer within its own width.
    pub fn extend_low(&mut self, low: Type, width: Type) {
        let operand = self.pop();
        let low = self.builder.ins().ireduce(low, operand);
        let result = self.builder.ins().sextend(width, low);
        self.push(result);
    }

    /// Traps on NaN and on what the integer cannot hold.
    pub fn truncate_signed(&mut self, to: Type) {
        self.unary(|ins, operand| ins.fcvt_to_sint(to, operand));
    }

    pub fn truncate_unsigned(&mut self, to: Type) {
        self.unary(|ins, operand| ins.fcvt_to_uint(to, operand));
    }

    /// NaN becomes zero, what the integer cannot hold the nearest that it can.
    pub fn saturate_signed(&mut self, to: Type) {
        self.unary(|ins, operand| ins.fcvt_to_sint_sat(to, operand));
    }

    pub fn saturate_unsigned(&mut self, to: Type) {
        self.unary(|ins, operand| ins.fcvt_to_uint_sat(to, operand));
    }

    pub fn convert_signed(&mut self, to: Type) {
        self.unary(|ins, operand| ins.fcvt_from_sint(to, operand));
    }

    pub fn convert_unsigned(&mut self, to: Type) {
        self.unary(|ins, operand| ins.fcvt_from_uint(to, operand));
    }

    pub fn demote(&mut self) {
        self.unary(|ins, operand| ins.fdemote(types::F32, operand));
    }

    pub fn promote(&mut self) {
        self.unary(|ins, operand| ins.fpromote(types::F64, operand));
    }

    pub fn reinterpret(&mut self, to: Type) {
        self.unary(|ins, operand| ins.bitcast(to, MemFlagsData::new(), operand));
    }
}
