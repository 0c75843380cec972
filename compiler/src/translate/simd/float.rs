//! Floating-point lanes: comparisons and the minimum and maximum by comparison. What is one instruction of CLIF is in the table alone.

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{InstBuilder, Type, Value};

use super::super::FunctionTranslator;

impl FunctionTranslator<'_, '_> {
    /// Lanes of ones where the condition holds, of zeros where it does not.
    pub fn compare_float_lanes(&mut self, lanes: Type, condition: FloatCC) {
        let (left, right) = self.pop2_lanes(lanes);
        let value = self.builder.ins().fcmp(condition, left, right);
        self.push(value);
    }

    /// The second lane where it is less than the first, else the first: also where one is NaN or both are zero.
    pub fn minimum_by_comparison(&mut self, lanes: Type) {
        let (first, second) = self.pop2_lanes(lanes);
        let value = self.second_where_less(lanes, second, first, first, second);
        self.push(value);
    }

    /// The second lane where the first is less, else the first: also where one is NaN or both are zero.
    pub fn maximum_by_comparison(&mut self, lanes: Type) {
        let (first, second) = self.pop2_lanes(lanes);
        let value = self.second_where_less(lanes, first, second, first, second);
        self.push(value);
    }

    /// In this form the code generator finds the processor's own instruction.
    fn second_where_less(&mut self, lanes: Type, less: Value, greater: Value, first: Value, second: Value) -> Value {
        let is_less = self.builder.ins().fcmp(FloatCC::LessThan, less, greater);
        let is_less = self.in_shape(is_less, lanes);
        self.builder.ins().bitselect(is_less, second, first)
    }
}
