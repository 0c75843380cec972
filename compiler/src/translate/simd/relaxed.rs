//! Relaxed SIMD: where the specification permits several results, ours are those that x86-64 gives in the fewest instructions.
//!
//! | operator | where results may differ | ours |
//! |---|---|---|
//! | `relaxed_swizzle` | numbers from 16 to 127 | modulo 16 (`pshufb`) |
//! | `relaxed_trunc` signed | NaN, out of range | the lowest integer (`cvttps2dq`, `cvttpd2dq`) |
//! | `relaxed_trunc` unsigned | NaN, out of range | as `trunc_sat` |
//! | `relaxed_madd`, `relaxed_nmadd` | rounding of the product | not rounded where the processor has FMA, else rounded |
//! | `relaxed_laneselect` | masks that are neither ones nor zeros | by the highest bit (`blendv`), of each byte for bytes; 16-bit lanes bit by bit |
//! | `relaxed_min`, `relaxed_max` | NaN, zeros of both signs | as `pmin`, `pmax` with the operands as they stand |
//! | `relaxed_q15mulr_s` | −1 times −1 | −1 (`pmulhrsw`) |
//! | `relaxed_dot_i8x16_i7x16` | second operand outside 0 to 127 | it counts as unsigned, sums of two saturate (`pmaddubsw`) |
//!
//! The results of one artifact are the same in every run and on every machine that may load it, for it names the processor features that it needs.

use cranelift_codegen::ir::types::{F32X4, F64X2, I8X16, I16X8, I32X4, I64X2};
use cranelift_codegen::ir::{InstBuilder, Type, Value};

use super::super::FunctionTranslator;
use super::Extend;

impl FunctionTranslator<'_, '_> {
    pub fn relaxed_swizzle(&mut self) {
        let (bytes, numbers) = self.pop2_lanes(I8X16);
        let value = self.builder.ins().x86_pshufb(bytes, numbers);
        self.push(value);
    }

    pub fn relaxed_truncate_f32_signed(&mut self) {
        let operand = self.pop_lanes(F32X4);
        let value = self.builder.ins().x86_cvtt2dq(I32X4, operand);
        self.push(value);
    }

    pub fn relaxed_truncate_f64_signed(&mut self) {
        let operand = self.pop_lanes(F64X2);
        let wide = self.builder.ins().x86_cvtt2dq(I64X2, operand);
        let zero = self.vector_constant(I64X2, 0);
        let value = self.builder.ins().snarrow(wide, zero);
        self.push(value);
    }

    /// The product of the first two operands plus the third.
    pub fn relaxed_multiply_add(&mut self, lanes: Type) {
        let (left, right, addend) = self.pop3_lanes(lanes);
        let value = self.multiplied_and_added(left, right, addend);
        self.push(value);
    }

    /// The third operand minus the product of the first two.
    pub fn relaxed_negated_multiply_add(&mut self, lanes: Type) {
        let (left, right, addend) = self.pop3_lanes(lanes);
        let left = self.builder.ins().fneg(left);
        let value = self.multiplied_and_added(left, right, addend);
        self.push(value);
    }

    pub fn relaxed_lane_select(&mut self, lanes: Type) {
        let (first, second, mask) = self.pop3_lanes(lanes);
        let value = if self.environment.target.isa.has_blendv_lowering(lanes) {
            self.builder.ins().blendv(mask, first, second)
        } else {
            self.builder.ins().bitselect(mask, first, second)
        };
        self.push(value);
    }

    pub fn relaxed_multiply_q15(&mut self) {
        let (left, right) = self.pop2_lanes(I16X8);
        let value = self.builder.ins().x86_pmulhrsw(left, right);
        self.push(value);
    }

    pub fn relaxed_dot(&mut self) {
        let value = self.pop_products_of_bytes();
        self.push(value);
    }

    /// The sum of each four neighbouring products of bytes, added to 32-bit lanes.
    pub fn relaxed_dot_add(&mut self) {
        let addend = self.pop_lanes(I32X4);
        let products = self.pop_products_of_bytes();
        let (low, high) = self.halves_extended(products, Extend::Signed);
        let sums = self.builder.ins().iadd_pairwise(low, high);
        let value = self.builder.ins().iadd(sums, addend);
        self.push(value);
    }

    /// Takes two vectors of bytes; gives the sum of each two neighbouring products.
    fn pop_products_of_bytes(&mut self) -> Value {
        let (signed, small) = self.pop2_lanes(I8X16);
        self.builder.ins().x86_pmaddubsw(signed, small)
    }

    fn multiplied_and_added(&mut self, left: Value, right: Value, addend: Value) -> Value {
        if self.environment.target.isa.has_native_fma() {
            return self.builder.ins().fma(left, right, addend);
        }
        let product = self.builder.ins().fmul(left, right);
        self.builder.ins().fadd(product, addend)
    }
}
