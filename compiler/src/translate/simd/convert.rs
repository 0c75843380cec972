//! Conversions between integer and floating-point lanes, half as many lanes of twice the width included.

use cranelift_codegen::ir::types::{F64X2, I32X4, I64X2};
use cranelift_codegen::ir::{InstBuilder, Opcode, Type};

use super::super::FunctionTranslator;
use super::Extend;

impl FunctionTranslator<'_, '_> {
    /// Lanes of one shape from as many of another, of the same width.
    pub fn convert_lanes(&mut self, from: Type, opcode: Opcode, to: Type) {
        let operand = self.pop_lanes(from);
        let value = self.apply1(opcode, to, operand);
        self.push(value);
    }

    /// The two low integer lanes as floats of twice the width: exact.
    pub fn convert_low_to_f64(&mut self, extend: Extend) {
        let operand = self.pop_lanes(I32X4);
        let value = match extend {
            Extend::Signed => {
                let low = self.builder.ins().swiden_low(operand);
                self.builder.ins().fcvt_from_sint(F64X2, low)
            }
            Extend::Unsigned => {
                let low = self.builder.ins().uwiden_low(operand);
                self.builder.ins().fcvt_from_uint(F64X2, low)
            }
        };
        self.push(value);
    }

    /// Both lanes as integers of half the width, NaN as zero, what is out of range as the nearest; the high lanes are zero.
    pub fn saturate_f64(&mut self, extend: Extend) {
        let operand = self.pop_lanes(F64X2);
        let zero = self.vector_constant(I64X2, 0);
        let value = match extend {
            Extend::Signed => {
                let wide = self.builder.ins().fcvt_to_sint_sat(I64X2, operand);
                self.builder.ins().snarrow(wide, zero)
            }
            Extend::Unsigned => {
                let wide = self.builder.ins().fcvt_to_uint_sat(I64X2, operand);
                self.builder.ins().uunarrow(wide, zero)
            }
        };
        self.push(value);
    }
}
