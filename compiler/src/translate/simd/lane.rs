//! Single lanes and their order: constants, splats, extracting and replacing lanes, shuffles, swizzles.

use cranelift_codegen::ir::types::{I8X16, I32};
use cranelift_codegen::ir::{ConstantData, InstBuilder, Type, Value};

use super::super::FunctionTranslator;
use super::Extend;

impl FunctionTranslator<'_, '_> {
    pub fn v128_const(&mut self, bits: u128) {
        let value = self.vector_constant(I8X16, bits);
        self.push(value);
    }

    /// A number in every lane.
    pub fn splat(&mut self, lanes: Type) {
        let lane = self.pop_lane(lanes);
        let value = self.builder.ins().splat(lanes, lane);
        self.push(value);
    }

    pub fn extract_lane(&mut self, lanes: Type, lane: u8) {
        let value = self.extracted(lanes, lane);
        self.push(value);
    }

    /// A lane that is narrower than any number, extended to one.
    pub fn extract_narrow_lane(&mut self, lanes: Type, lane: u8, extend: Extend) {
        let value = self.extracted(lanes, lane);
        let value = match extend {
            Extend::Signed => self.builder.ins().sextend(I32, value),
            Extend::Unsigned => self.builder.ins().uextend(I32, value),
        };
        self.push(value);
    }

    pub fn replace_lane(&mut self, lanes: Type, lane: u8) {
        let replacement = self.pop_lane(lanes);
        let vector = self.pop_lanes(lanes);
        let value = self.builder.ins().insertlane(vector, replacement, lane);
        self.push(value);
    }

    /// Bytes of two vectors, by their numbers: 0 to 15 are of the first, 16 to 31 of the second.
    pub fn shuffle(&mut self, bytes: &[u8; 16]) {
        let (first, second) = self.pop2_lanes(I8X16);
        let bytes = self.builder.func.dfg.immediates.push(ConstantData::from(&bytes[..]));
        let value = self.builder.ins().shuffle(first, second, bytes);
        self.push(value);
    }

    /// Bytes of the first operand, by the numbers in the second; zero for a number that there is no byte of.
    pub fn swizzle(&mut self) {
        let (bytes, numbers) = self.pop2_lanes(I8X16);
        let value = self.builder.ins().swizzle(bytes, numbers);
        self.push(value);
    }

    fn extracted(&mut self, lanes: Type, lane: u8) -> Value {
        let vector = self.pop_lanes(lanes);
        self.builder.ins().extractlane(vector, lane)
    }

    /// Takes a number as a lane: of one that is wider, the low bits.
    fn pop_lane(&mut self, lanes: Type) -> Value {
        let number = self.pop();
        let lane = lanes.lane_type();
        if self.builder.func.dfg.value_type(number) == lane { number } else { self.builder.ins().ireduce(lane, number) }
    }
}
