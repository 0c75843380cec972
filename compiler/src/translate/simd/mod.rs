//! Vectors of 128 bits (core specification, 2.4.2, and the proposal of relaxed SIMD).
//!
//! Wasm has one type of vectors, CLIF one for each shape of lanes. A vector on the operand stack has the shape that its operator gave it; each operator
//! takes its operands in its own shape, which costs no instruction of the processor. Where a value leaves the stack for a place with a declared type
//! (a block, a call, a local, a global) it has the one shape that `types::clif_type` declares.
//!
//! **Parts.** [`operator`]: the table of all operators. [`load_store`], [`lane`], [`integer`], [`float`], [`convert`], [`relaxed`]: the families.

pub mod convert;
pub mod float;
pub mod integer;
pub mod lane;
pub mod load_store;
pub mod operator;
pub mod relaxed;

use cranelift_codegen::ir::{Endianness, InstBuilder, MemFlagsData, Opcode, Type, Value, types};
use vivarium_artifact::ValueType;

use super::FunctionTranslator;
use crate::types::clif_type;

/// How narrow lanes become wide ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extend {
    Signed,
    Unsigned,
}

impl FunctionTranslator<'_, '_> {
    /// A value as places of its type declare it: a vector in the one declared shape.
    pub fn declared(&mut self, value: Value) -> Value {
        let is_vector = self.builder.func.dfg.value_type(value).is_vector();
        if is_vector { self.in_shape(value, clif_type(ValueType::V128)) } else { value }
    }

    /// The same 128 bits as lanes of this shape, lane 0 in the low bits.
    pub fn in_shape(&mut self, vector: Value, lanes: Type) -> Value {
        if self.builder.func.dfg.value_type(vector) == lanes {
            return vector;
        }
        self.builder.ins().bitcast(lanes, MemFlagsData::new().with_endianness(Endianness::Little), vector)
    }

    /// Takes the topmost operand, as lanes of this shape.
    pub fn pop_lanes(&mut self, lanes: Type) -> Value {
        let vector = self.pop();
        self.in_shape(vector, lanes)
    }

    /// Takes the topmost two operands, as lanes of this shape.
    pub fn pop2_lanes(&mut self, lanes: Type) -> (Value, Value) {
        let (first, second) = self.pop2();
        (self.in_shape(first, lanes), self.in_shape(second, lanes))
    }

    /// Takes the topmost three operands, as lanes of this shape.
    pub fn pop3_lanes(&mut self, lanes: Type) -> (Value, Value, Value) {
        let (first, second, third) = self.pop3();
        (self.in_shape(first, lanes), self.in_shape(second, lanes), self.in_shape(third, lanes))
    }

    /// One operand, and what an instruction makes of it.
    pub fn lanes1(&mut self, lanes: Type, opcode: Opcode) {
        let operand = self.pop_lanes(lanes);
        let result = self.apply1(opcode, lanes, operand);
        self.push(result);
    }

    /// Two operands of one shape, and what an instruction makes of them.
    pub fn lanes2(&mut self, lanes: Type, opcode: Opcode) {
        let (left, right) = self.pop2_lanes(lanes);
        let result = self.apply2(opcode, lanes, left, right);
        self.push(result);
    }

    /// An instruction with one operand; the type is the one that the instruction varies by.
    pub fn apply1(&mut self, opcode: Opcode, ty: Type, operand: Value) -> Value {
        let (instruction, graph) = self.builder.ins().Unary(opcode, ty, operand);
        graph.first_result(instruction)
    }

    /// An instruction with two operands; the type is the one that the instruction varies by.
    pub fn apply2(&mut self, opcode: Opcode, ty: Type, left: Value, right: Value) -> Value {
        let (instruction, graph) = self.builder.ins().Binary(opcode, ty, left, right);
        graph.first_result(instruction)
    }

    /// The constant with these bits, as lanes of this shape.
    pub fn vector_constant(&mut self, lanes: Type, bits: u128) -> Value {
        let constant = self.builder.func.dfg.constants.insert(bits.to_le_bytes().as_slice().into());
        self.builder.ins().vconst(lanes, constant)
    }

    fn push_i32(&mut self, boolean: Value) {
        let value = self.builder.ins().uextend(types::I32, boolean);
        self.push(value);
    }
}
