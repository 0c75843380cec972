//! Integer lanes: shifts, comparisons, tests, bits, sums and products of extended lanes. What is one instruction of CLIF is in the table alone.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8X16, I16X8, I32};
use cranelift_codegen::ir::{InstBuilder, Opcode, Type, Value};

use super::super::FunctionTranslator;
use super::Extend;

impl FunctionTranslator<'_, '_> {
    /// Shifts every lane by a number modulo the lane's width, as CLIF does too.
    pub fn shift_lanes(&mut self, lanes: Type, opcode: Opcode) {
        let distance = self.pop();
        let vector = self.pop_lanes(lanes);
        let value = self.apply2(opcode, lanes, vector, distance);
        self.push(value);
    }

    /// Lanes of ones where the condition holds, of zeros where it does not.
    pub fn compare_lanes(&mut self, lanes: Type, condition: IntCC) {
        let (left, right) = self.pop2_lanes(lanes);
        let value = self.builder.ins().icmp(condition, left, right);
        self.push(value);
    }

    /// Whether any lane, or every lane, is other than zero.
    pub fn test_lanes(&mut self, lanes: Type, opcode: Opcode) {
        let vector = self.pop_lanes(lanes);
        let boolean = self.apply1(opcode, lanes, vector);
        self.push_i32(boolean);
    }

    /// The highest bit of each lane, that of lane 0 lowest.
    pub fn bitmask(&mut self, lanes: Type) {
        let vector = self.pop_lanes(lanes);
        let value = self.builder.ins().vhigh_bits(I32, vector);
        self.push(value);
    }

    /// Bits of the first operand where the second has none.
    pub fn and_not(&mut self) {
        let (left, right) = self.pop2_lanes(I8X16);
        let value = self.builder.ins().band_not(left, right);
        self.push(value);
    }

    /// Bits of the first operand where the mask has ones, of the second elsewhere.
    pub fn bit_select(&mut self) {
        let (first, second, mask) = self.pop3_lanes(I8X16);
        let value = self.builder.ins().bitselect(mask, first, second);
        self.push(value);
    }

    /// The sum of each two neighbouring lanes, both extended to twice their width.
    pub fn add_pairs_extended(&mut self, lanes: Type, extend: Extend) {
        let vector = self.pop_lanes(lanes);
        let (low, high) = self.halves_extended(vector, extend);
        let value = self.builder.ins().iadd_pairwise(low, high);
        self.push(value);
    }

    /// The product of one half of the lanes, extended by this instruction, which says which half.
    pub fn multiply_extended(&mut self, lanes: Type, extend: Opcode) {
        let (left, right) = self.pop2_lanes(lanes);
        let left = self.apply1(extend, lanes, left);
        let right = self.apply1(extend, lanes, right);
        let value = self.builder.ins().imul(left, right);
        self.push(value);
    }

    /// The sum of each two neighbouring products of 16-bit lanes, as 32-bit lanes.
    pub fn dot(&mut self) {
        let (left, right) = self.pop2_lanes(I16X8);
        let (left_low, left_high) = self.halves_extended(left, Extend::Signed);
        let (right_low, right_high) = self.halves_extended(right, Extend::Signed);
        let low = self.builder.ins().imul(left_low, right_low);
        let high = self.builder.ins().imul(left_high, right_high);
        let value = self.builder.ins().iadd_pairwise(low, high);
        self.push(value);
    }

    /// The low and the high half of the lanes, each extended to twice its width.
    pub fn halves_extended(&mut self, vector: Value, extend: Extend) -> (Value, Value) {
        let low = match extend {
            Extend::Signed => self.builder.ins().swiden_low(vector),
            Extend::Unsigned => self.builder.ins().uwiden_low(vector),
        };
        let high = match extend {
            Extend::Signed => self.builder.ins().swiden_high(vector),
            Extend::Unsigned => self.builder.ins().uwiden_high(vector),
        };
        (low, high)
    }
}
