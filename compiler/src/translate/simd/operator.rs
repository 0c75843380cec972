//! The one table of vector operators: a row says what is done, then for which shape of lanes each operator does it.

use cranelift_codegen::ir::Opcode;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32X4, F64X2, I8X16, I16X8, I32X4, I64X2};
use wasmparser::Operator;

use super::super::FunctionTranslator;
use super::super::memory::Part;
use super::super::operator::name;
use super::Extend::{Signed, Unsigned};
use crate::error::CompileError;

/// Rows of `method(arguments): LANES Operator, …;` as one match that calls `method(LANES, arguments)`; false for an operator of no row.
macro_rules! rows {
    ($t:ident, $operator:ident; $($method:ident $arguments:tt: $($lanes:ident $name:ident),+;)+) => {
        match $operator {
            $($(Operator::$name => rows!(@call $t $method $lanes $arguments),)+)+
            _ => return false,
        }
    };
    (@call $t:ident $method:ident $lanes:ident ($($argument:expr),*)) => { $t.$method($lanes, $($argument),*) };
}

/// Translates a vector operator that can be reached; of another, says that it is not translated.
pub fn translate(t: &mut FunctionTranslator<'_, '_>, operator: &Operator<'_>, offset: u64) -> Result<(), CompileError> {
    if with_immediates(t, operator) || in_one_shape(t, operator) || in_several_shapes(t, operator) {
        return Ok(());
    }
    Err(CompileError::unsupported(offset, name(operator)))
}

/// Operators that say a place in memory, a lane, an order of lanes or a constant.
fn with_immediates(t: &mut FunctionTranslator<'_, '_>, operator: &Operator<'_>) -> bool {
    match operator {
        Operator::V128Load { memarg } => t.load(memarg, I8X16, Part::Whole),
        Operator::V128Load8x8S { memarg } => t.load_extended(memarg, I16X8, Signed),
        Operator::V128Load8x8U { memarg } => t.load_extended(memarg, I16X8, Unsigned),
        Operator::V128Load16x4S { memarg } => t.load_extended(memarg, I32X4, Signed),
        Operator::V128Load16x4U { memarg } => t.load_extended(memarg, I32X4, Unsigned),
        Operator::V128Load32x2S { memarg } => t.load_extended(memarg, I64X2, Signed),
        Operator::V128Load32x2U { memarg } => t.load_extended(memarg, I64X2, Unsigned),
        Operator::V128Load8Splat { memarg } => t.load_splat(memarg, I8X16),
        Operator::V128Load16Splat { memarg } => t.load_splat(memarg, I16X8),
        Operator::V128Load32Splat { memarg } => t.load_splat(memarg, I32X4),
        Operator::V128Load64Splat { memarg } => t.load_splat(memarg, I64X2),
        Operator::V128Load32Zero { memarg } => t.load_zero(memarg, I32X4),
        Operator::V128Load64Zero { memarg } => t.load_zero(memarg, I64X2),
        Operator::V128Load8Lane { memarg, lane } => t.load_lane(memarg, I8X16, *lane),
        Operator::V128Load16Lane { memarg, lane } => t.load_lane(memarg, I16X8, *lane),
        Operator::V128Load32Lane { memarg, lane } => t.load_lane(memarg, I32X4, *lane),
        Operator::V128Load64Lane { memarg, lane } => t.load_lane(memarg, I64X2, *lane),
        Operator::V128Store { memarg } => t.store(memarg, Part::Whole),
        Operator::V128Store8Lane { memarg, lane } => t.store_lane(memarg, I8X16, *lane),
        Operator::V128Store16Lane { memarg, lane } => t.store_lane(memarg, I16X8, *lane),
        Operator::V128Store32Lane { memarg, lane } => t.store_lane(memarg, I32X4, *lane),
        Operator::V128Store64Lane { memarg, lane } => t.store_lane(memarg, I64X2, *lane),
        Operator::V128Const { value } => t.v128_const(value.i128() as u128),
        Operator::I8x16Shuffle { lanes } => t.shuffle(lanes),
        Operator::I8x16ExtractLaneS { lane } => t.extract_narrow_lane(I8X16, *lane, Signed),
        Operator::I8x16ExtractLaneU { lane } => t.extract_narrow_lane(I8X16, *lane, Unsigned),
        Operator::I16x8ExtractLaneS { lane } => t.extract_narrow_lane(I16X8, *lane, Signed),
        Operator::I16x8ExtractLaneU { lane } => t.extract_narrow_lane(I16X8, *lane, Unsigned),
        Operator::I32x4ExtractLane { lane } => t.extract_lane(I32X4, *lane),
        Operator::I64x2ExtractLane { lane } => t.extract_lane(I64X2, *lane),
        Operator::F32x4ExtractLane { lane } => t.extract_lane(F32X4, *lane),
        Operator::F64x2ExtractLane { lane } => t.extract_lane(F64X2, *lane),
        Operator::I8x16ReplaceLane { lane } => t.replace_lane(I8X16, *lane),
        Operator::I16x8ReplaceLane { lane } => t.replace_lane(I16X8, *lane),
        Operator::I32x4ReplaceLane { lane } => t.replace_lane(I32X4, *lane),
        Operator::I64x2ReplaceLane { lane } => t.replace_lane(I64X2, *lane),
        Operator::F32x4ReplaceLane { lane } => t.replace_lane(F32X4, *lane),
        Operator::F64x2ReplaceLane { lane } => t.replace_lane(F64X2, *lane),
        _ => return false,
    }
    true
}

/// Operators that exist for one shape only, or that have none.
fn in_one_shape(t: &mut FunctionTranslator<'_, '_>, operator: &Operator<'_>) -> bool {
    match operator {
        // bits
        Operator::V128Not => t.lanes1(I8X16, Opcode::Bnot),
        Operator::V128And => t.lanes2(I8X16, Opcode::Band),
        Operator::V128AndNot => t.and_not(),
        Operator::V128Or => t.lanes2(I8X16, Opcode::Bor),
        Operator::V128Xor => t.lanes2(I8X16, Opcode::Bxor),
        Operator::V128Bitselect => t.bit_select(),
        Operator::V128AnyTrue => t.test_lanes(I8X16, Opcode::VanyTrue),

        // integer
        Operator::I8x16Swizzle => t.swizzle(),
        Operator::I8x16Popcnt => t.lanes1(I8X16, Opcode::Popcnt),
        Operator::I16x8Q15MulrSatS => t.lanes2(I16X8, Opcode::SqmulRoundSat),
        Operator::I32x4DotI16x8S => t.dot(),

        // convert
        Operator::I32x4TruncSatF32x4S => t.convert_lanes(F32X4, Opcode::FcvtToSintSat, I32X4),
        Operator::I32x4TruncSatF32x4U => t.convert_lanes(F32X4, Opcode::FcvtToUintSat, I32X4),
        Operator::F32x4ConvertI32x4S => t.convert_lanes(I32X4, Opcode::FcvtFromSint, F32X4),
        Operator::F32x4ConvertI32x4U => t.convert_lanes(I32X4, Opcode::FcvtFromUint, F32X4),
        Operator::I32x4TruncSatF64x2SZero => t.saturate_f64(Signed),
        Operator::I32x4TruncSatF64x2UZero => t.saturate_f64(Unsigned),
        Operator::F64x2ConvertLowI32x4S => t.convert_low_to_f64(Signed),
        Operator::F64x2ConvertLowI32x4U => t.convert_low_to_f64(Unsigned),
        Operator::F32x4DemoteF64x2Zero => t.lanes1(F64X2, Opcode::Fvdemote),
        Operator::F64x2PromoteLowF32x4 => t.lanes1(F32X4, Opcode::FvpromoteLow),

        // relaxed
        Operator::I8x16RelaxedSwizzle => t.relaxed_swizzle(),
        Operator::I32x4RelaxedTruncF32x4S => t.relaxed_truncate_f32_signed(),
        Operator::I32x4RelaxedTruncF32x4U => t.convert_lanes(F32X4, Opcode::FcvtToUintSat, I32X4),
        Operator::I32x4RelaxedTruncF64x2SZero => t.relaxed_truncate_f64_signed(),
        Operator::I32x4RelaxedTruncF64x2UZero => t.saturate_f64(Unsigned),
        Operator::I16x8RelaxedQ15mulrS => t.relaxed_multiply_q15(),
        Operator::I16x8RelaxedDotI8x16I7x16S => t.relaxed_dot(),
        Operator::I32x4RelaxedDotI8x16I7x16AddS => t.relaxed_dot_add(),
        _ => return false,
    }
    true
}

/// Operators that differ from others by their shape only: that of their operands.
fn in_several_shapes(t: &mut FunctionTranslator<'_, '_>, operator: &Operator<'_>) -> bool {
    rows! { t, operator;
        splat(): I8X16 I8x16Splat, I16X8 I16x8Splat, I32X4 I32x4Splat, I64X2 I64x2Splat, F32X4 F32x4Splat, F64X2 F64x2Splat;

        compare_lanes(IntCC::Equal): I8X16 I8x16Eq, I16X8 I16x8Eq, I32X4 I32x4Eq, I64X2 I64x2Eq;
        compare_lanes(IntCC::NotEqual): I8X16 I8x16Ne, I16X8 I16x8Ne, I32X4 I32x4Ne, I64X2 I64x2Ne;
        compare_lanes(IntCC::SignedLessThan): I8X16 I8x16LtS, I16X8 I16x8LtS, I32X4 I32x4LtS, I64X2 I64x2LtS;
        compare_lanes(IntCC::UnsignedLessThan): I8X16 I8x16LtU, I16X8 I16x8LtU, I32X4 I32x4LtU;
        compare_lanes(IntCC::SignedGreaterThan): I8X16 I8x16GtS, I16X8 I16x8GtS, I32X4 I32x4GtS, I64X2 I64x2GtS;
        compare_lanes(IntCC::UnsignedGreaterThan): I8X16 I8x16GtU, I16X8 I16x8GtU, I32X4 I32x4GtU;
        compare_lanes(IntCC::SignedLessThanOrEqual): I8X16 I8x16LeS, I16X8 I16x8LeS, I32X4 I32x4LeS, I64X2 I64x2LeS;
        compare_lanes(IntCC::UnsignedLessThanOrEqual): I8X16 I8x16LeU, I16X8 I16x8LeU, I32X4 I32x4LeU;
        compare_lanes(IntCC::SignedGreaterThanOrEqual): I8X16 I8x16GeS, I16X8 I16x8GeS, I32X4 I32x4GeS, I64X2 I64x2GeS;
        compare_lanes(IntCC::UnsignedGreaterThanOrEqual): I8X16 I8x16GeU, I16X8 I16x8GeU, I32X4 I32x4GeU;
        compare_float_lanes(FloatCC::Equal): F32X4 F32x4Eq, F64X2 F64x2Eq;
        compare_float_lanes(FloatCC::NotEqual): F32X4 F32x4Ne, F64X2 F64x2Ne;
        compare_float_lanes(FloatCC::LessThan): F32X4 F32x4Lt, F64X2 F64x2Lt;
        compare_float_lanes(FloatCC::GreaterThan): F32X4 F32x4Gt, F64X2 F64x2Gt;
        compare_float_lanes(FloatCC::LessThanOrEqual): F32X4 F32x4Le, F64X2 F64x2Le;
        compare_float_lanes(FloatCC::GreaterThanOrEqual): F32X4 F32x4Ge, F64X2 F64x2Ge;
        test_lanes(Opcode::VallTrue): I8X16 I8x16AllTrue, I16X8 I16x8AllTrue, I32X4 I32x4AllTrue, I64X2 I64x2AllTrue;
        bitmask(): I8X16 I8x16Bitmask, I16X8 I16x8Bitmask, I32X4 I32x4Bitmask, I64X2 I64x2Bitmask;

        lanes1(Opcode::Iabs): I8X16 I8x16Abs, I16X8 I16x8Abs, I32X4 I32x4Abs, I64X2 I64x2Abs;
        lanes1(Opcode::Ineg): I8X16 I8x16Neg, I16X8 I16x8Neg, I32X4 I32x4Neg, I64X2 I64x2Neg;
        shift_lanes(Opcode::Ishl): I8X16 I8x16Shl, I16X8 I16x8Shl, I32X4 I32x4Shl, I64X2 I64x2Shl;
        shift_lanes(Opcode::Sshr): I8X16 I8x16ShrS, I16X8 I16x8ShrS, I32X4 I32x4ShrS, I64X2 I64x2ShrS;
        shift_lanes(Opcode::Ushr): I8X16 I8x16ShrU, I16X8 I16x8ShrU, I32X4 I32x4ShrU, I64X2 I64x2ShrU;
        lanes2(Opcode::Iadd): I8X16 I8x16Add, I16X8 I16x8Add, I32X4 I32x4Add, I64X2 I64x2Add;
        lanes2(Opcode::Isub): I8X16 I8x16Sub, I16X8 I16x8Sub, I32X4 I32x4Sub, I64X2 I64x2Sub;
        lanes2(Opcode::Imul): I16X8 I16x8Mul, I32X4 I32x4Mul, I64X2 I64x2Mul;
        lanes2(Opcode::SaddSat): I8X16 I8x16AddSatS, I16X8 I16x8AddSatS;
        lanes2(Opcode::UaddSat): I8X16 I8x16AddSatU, I16X8 I16x8AddSatU;
        lanes2(Opcode::SsubSat): I8X16 I8x16SubSatS, I16X8 I16x8SubSatS;
        lanes2(Opcode::UsubSat): I8X16 I8x16SubSatU, I16X8 I16x8SubSatU;
        lanes2(Opcode::Smin): I8X16 I8x16MinS, I16X8 I16x8MinS, I32X4 I32x4MinS;
        lanes2(Opcode::Umin): I8X16 I8x16MinU, I16X8 I16x8MinU, I32X4 I32x4MinU;
        lanes2(Opcode::Smax): I8X16 I8x16MaxS, I16X8 I16x8MaxS, I32X4 I32x4MaxS;
        lanes2(Opcode::Umax): I8X16 I8x16MaxU, I16X8 I16x8MaxU, I32X4 I32x4MaxU;
        lanes2(Opcode::AvgRound): I8X16 I8x16AvgrU, I16X8 I16x8AvgrU;
        lanes2(Opcode::Snarrow): I16X8 I8x16NarrowI16x8S, I32X4 I16x8NarrowI32x4S;
        lanes2(Opcode::Unarrow): I16X8 I8x16NarrowI16x8U, I32X4 I16x8NarrowI32x4U;
        lanes1(Opcode::SwidenLow): I8X16 I16x8ExtendLowI8x16S, I16X8 I32x4ExtendLowI16x8S, I32X4 I64x2ExtendLowI32x4S;
        lanes1(Opcode::SwidenHigh): I8X16 I16x8ExtendHighI8x16S, I16X8 I32x4ExtendHighI16x8S, I32X4 I64x2ExtendHighI32x4S;
        lanes1(Opcode::UwidenLow): I8X16 I16x8ExtendLowI8x16U, I16X8 I32x4ExtendLowI16x8U, I32X4 I64x2ExtendLowI32x4U;
        lanes1(Opcode::UwidenHigh): I8X16 I16x8ExtendHighI8x16U, I16X8 I32x4ExtendHighI16x8U, I32X4 I64x2ExtendHighI32x4U;
        multiply_extended(Opcode::SwidenLow): I8X16 I16x8ExtMulLowI8x16S, I16X8 I32x4ExtMulLowI16x8S, I32X4 I64x2ExtMulLowI32x4S;
        multiply_extended(Opcode::SwidenHigh): I8X16 I16x8ExtMulHighI8x16S, I16X8 I32x4ExtMulHighI16x8S, I32X4 I64x2ExtMulHighI32x4S;
        multiply_extended(Opcode::UwidenLow): I8X16 I16x8ExtMulLowI8x16U, I16X8 I32x4ExtMulLowI16x8U, I32X4 I64x2ExtMulLowI32x4U;
        multiply_extended(Opcode::UwidenHigh): I8X16 I16x8ExtMulHighI8x16U, I16X8 I32x4ExtMulHighI16x8U, I32X4 I64x2ExtMulHighI32x4U;
        add_pairs_extended(Signed): I8X16 I16x8ExtAddPairwiseI8x16S, I16X8 I32x4ExtAddPairwiseI16x8S;
        add_pairs_extended(Unsigned): I8X16 I16x8ExtAddPairwiseI8x16U, I16X8 I32x4ExtAddPairwiseI16x8U;

        lanes1(Opcode::Ceil): F32X4 F32x4Ceil, F64X2 F64x2Ceil;
        lanes1(Opcode::Floor): F32X4 F32x4Floor, F64X2 F64x2Floor;
        lanes1(Opcode::Trunc): F32X4 F32x4Trunc, F64X2 F64x2Trunc;
        lanes1(Opcode::Nearest): F32X4 F32x4Nearest, F64X2 F64x2Nearest;
        lanes1(Opcode::Fabs): F32X4 F32x4Abs, F64X2 F64x2Abs;
        lanes1(Opcode::Fneg): F32X4 F32x4Neg, F64X2 F64x2Neg;
        lanes1(Opcode::Sqrt): F32X4 F32x4Sqrt, F64X2 F64x2Sqrt;
        lanes2(Opcode::Fadd): F32X4 F32x4Add, F64X2 F64x2Add;
        lanes2(Opcode::Fsub): F32X4 F32x4Sub, F64X2 F64x2Sub;
        lanes2(Opcode::Fmul): F32X4 F32x4Mul, F64X2 F64x2Mul;
        lanes2(Opcode::Fdiv): F32X4 F32x4Div, F64X2 F64x2Div;
        lanes2(Opcode::Fmin): F32X4 F32x4Min, F64X2 F64x2Min;
        lanes2(Opcode::Fmax): F32X4 F32x4Max, F64X2 F64x2Max;
        minimum_by_comparison(): F32X4 F32x4PMin, F64X2 F64x2PMin, F32X4 F32x4RelaxedMin, F64X2 F64x2RelaxedMin;
        maximum_by_comparison(): F32X4 F32x4PMax, F64X2 F64x2PMax, F32X4 F32x4RelaxedMax, F64X2 F64x2RelaxedMax;

        relaxed_multiply_add(): F32X4 F32x4RelaxedMadd, F64X2 F64x2RelaxedMadd;
        relaxed_negated_multiply_add(): F32X4 F32x4RelaxedNmadd, F64X2 F64x2RelaxedNmadd;
        relaxed_lane_select(): I8X16 I8x16RelaxedLaneselect, I16X8 I16x8RelaxedLaneselect,
            I32X4 I32x4RelaxedLaneselect, I64X2 I64x2RelaxedLaneselect;
    }
    true
}
