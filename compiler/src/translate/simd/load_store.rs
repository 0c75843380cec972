//! Loads and stores of vectors: whole, extended, in every lane, in one lane. Addresses are checked as those of numbers are.

use cranelift_codegen::ir::types::{I16X8, I32X4, I64X2};
use cranelift_codegen::ir::{InstBuilder, Type};
use wasmparser::MemArg;

use super::super::FunctionTranslator;
use super::super::memory::Part;
use super::Extend;

/// What `v128.load8x8_s` and its like take from memory, in bytes.
const HALF_VECTOR_BYTES: u64 = 8;

impl FunctionTranslator<'_, '_> {
    /// Eight bytes, as lanes of half the width, each extended to a lane of this shape.
    pub fn load_extended(&mut self, memarg: &MemArg, lanes: Type, extend: Extend) {
        let (address, offset) = self.pop_address(memarg, HALF_VECTOR_BYTES);
        let flags = self.regions.memory;
        let ins = self.builder.ins();
        let value = match (lanes, extend) {
            (I16X8, Extend::Signed) => ins.sload8x8(flags, address, offset),
            (I16X8, Extend::Unsigned) => ins.uload8x8(flags, address, offset),
            (I32X4, Extend::Signed) => ins.sload16x4(flags, address, offset),
            (I32X4, Extend::Unsigned) => ins.uload16x4(flags, address, offset),
            (I64X2, Extend::Signed) => ins.sload32x2(flags, address, offset),
            (I64X2, Extend::Unsigned) => ins.uload32x2(flags, address, offset),
            _ => unreachable!("the table of operators has no other shape here"),
        };
        self.push(value);
    }

    /// One lane from memory, in every lane.
    pub fn load_splat(&mut self, memarg: &MemArg, lanes: Type) {
        let lane = self.loaded(memarg, lanes.lane_type(), Part::Whole);
        let value = self.builder.ins().splat(lanes, lane);
        self.push(value);
    }

    /// One lane from memory as lane 0, the others zero.
    pub fn load_zero(&mut self, memarg: &MemArg, lanes: Type) {
        let lane = self.loaded(memarg, lanes.lane_type(), Part::Whole);
        let value = self.builder.ins().scalar_to_vector(lanes, lane);
        self.push(value);
    }

    /// One lane from memory in the place of one of a vector.
    pub fn load_lane(&mut self, memarg: &MemArg, lanes: Type, lane: u8) {
        let vector = self.pop_lanes(lanes);
        let loaded = self.loaded(memarg, lanes.lane_type(), Part::Whole);
        let value = self.builder.ins().insertlane(vector, loaded, lane);
        self.push(value);
    }

    pub fn store_lane(&mut self, memarg: &MemArg, lanes: Type, lane: u8) {
        let vector = self.pop_lanes(lanes);
        let stored = self.builder.ins().extractlane(vector, lane);
        self.push(stored);
        self.store(memarg, Part::Whole);
    }
}
