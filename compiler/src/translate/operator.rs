//! The one list of operators: each arm is a single call into a family.

use cranelift_codegen::ir::InstBuilder as _;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F64, I8, I16, I32, I64};
use wasmparser::Operator;

use super::FunctionTranslator;
use super::memory::Part;
use super::simd;
use crate::error::CompileError;

/// Translates one operator that can be reached.
pub fn translate(t: &mut FunctionTranslator<'_, '_>, operator: &Operator<'_>, offset: u64) -> Result<(), CompileError> {
    match operator {
        // control
        Operator::Unreachable => t.unreachable(),
        Operator::Nop => {}
        Operator::Block { blockty } => t.block(*blockty)?,
        Operator::Loop { blockty } => t.loop_(*blockty)?,
        Operator::If { blockty } => t.if_(*blockty)?,
        Operator::Else => t.else_(),
        Operator::End => t.end(),
        Operator::Br { relative_depth } => t.br(*relative_depth),
        Operator::BrIf { relative_depth } => t.br_if(*relative_depth),
        Operator::BrTable { targets } => t.br_table(targets)?,
        Operator::Return => t.return_(),
        Operator::Select | Operator::TypedSelect { .. } => t.select(),
        Operator::Drop => drop(t.pop()),

        // call
        Operator::Call { function_index } => t.call(*function_index),
        Operator::CallIndirect { type_index, table_index } => t.call_indirect(*type_index, *table_index),
        Operator::ReturnCall { function_index } => t.return_call(*function_index),
        Operator::ReturnCallIndirect { type_index, table_index } => t.return_call_indirect(*type_index, *table_index),
        Operator::CallRef { type_index } => t.call_ref(*type_index),
        Operator::ReturnCallRef { type_index } => t.return_call_ref(*type_index),

        // exception
        Operator::TryTable { try_table } => t.try_table(try_table)?,
        Operator::Throw { tag_index } => t.throw(*tag_index),
        Operator::ThrowRef => t.throw_ref(),

        // variable
        Operator::LocalGet { local_index } => t.local_get(*local_index),
        Operator::LocalSet { local_index } => t.local_set(*local_index),
        Operator::LocalTee { local_index } => t.local_tee(*local_index),
        Operator::GlobalGet { global_index } => t.global_get(*global_index),
        Operator::GlobalSet { global_index } => t.global_set(*global_index),

        // reference
        Operator::RefNull { .. } => t.ref_null(),
        Operator::RefIsNull => t.ref_is_null(),
        Operator::RefFunc { function_index } => t.ref_func(*function_index),
        Operator::RefAsNonNull => t.ref_as_non_null(),
        Operator::BrOnNull { relative_depth } => t.br_on_null(*relative_depth),
        Operator::BrOnNonNull { relative_depth } => t.br_on_non_null(*relative_depth),

        // memory
        Operator::I32Load { memarg } => t.load(memarg, I32, Part::Whole),
        Operator::I64Load { memarg } => t.load(memarg, I64, Part::Whole),
        Operator::F32Load { memarg } => t.load(memarg, F32, Part::Whole),
        Operator::F64Load { memarg } => t.load(memarg, F64, Part::Whole),
        Operator::I32Load8S { memarg } => t.load(memarg, I32, Part::Signed(8)),
        Operator::I32Load8U { memarg } => t.load(memarg, I32, Part::Unsigned(8)),
        Operator::I32Load16S { memarg } => t.load(memarg, I32, Part::Signed(16)),
        Operator::I32Load16U { memarg } => t.load(memarg, I32, Part::Unsigned(16)),
        Operator::I64Load8S { memarg } => t.load(memarg, I64, Part::Signed(8)),
        Operator::I64Load8U { memarg } => t.load(memarg, I64, Part::Unsigned(8)),
        Operator::I64Load16S { memarg } => t.load(memarg, I64, Part::Signed(16)),
        Operator::I64Load16U { memarg } => t.load(memarg, I64, Part::Unsigned(16)),
        Operator::I64Load32S { memarg } => t.load(memarg, I64, Part::Signed(32)),
        Operator::I64Load32U { memarg } => t.load(memarg, I64, Part::Unsigned(32)),
        Operator::I32Store { memarg } | Operator::I64Store { memarg } => t.store(memarg, Part::Whole),
        Operator::F32Store { memarg } | Operator::F64Store { memarg } => t.store(memarg, Part::Whole),
        Operator::I32Store8 { memarg } | Operator::I64Store8 { memarg } => t.store(memarg, Part::Unsigned(8)),
        Operator::I32Store16 { memarg } | Operator::I64Store16 { memarg } => t.store(memarg, Part::Unsigned(16)),
        Operator::I64Store32 { memarg } => t.store(memarg, Part::Unsigned(32)),
        Operator::MemorySize { mem } => t.memory_size(*mem),
        Operator::MemoryGrow { mem } => t.memory_grow(*mem),

        // bulk
        Operator::MemoryFill { mem } => t.memory_fill(*mem),
        Operator::MemoryCopy { dst_mem, src_mem } => t.memory_copy(*dst_mem, *src_mem),
        Operator::MemoryInit { data_index, mem } => t.memory_init(*data_index, *mem),
        Operator::DataDrop { data_index } => t.data_drop(*data_index),

        // table
        Operator::TableGet { table } => t.table_get(*table),
        Operator::TableSet { table } => t.table_set(*table),
        Operator::TableSize { table } => t.table_size(*table),
        Operator::TableGrow { table } => t.table_grow(*table),
        Operator::TableFill { table } => t.table_fill(*table),
        Operator::TableCopy { dst_table, src_table } => t.table_copy(*dst_table, *src_table),
        Operator::TableInit { elem_index, table } => t.table_init(*elem_index, *table)?,
        Operator::ElemDrop { elem_index } => t.elem_drop(*elem_index),

        // numeric
        Operator::I32Const { value } => t.i32_const(*value),
        Operator::I64Const { value } => t.i64_const(*value),
        Operator::F32Const { value } => t.f32_const(value.bits()),
        Operator::F64Const { value } => t.f64_const(value.bits()),
        Operator::I32Eqz | Operator::I64Eqz => t.is_zero(),
        Operator::I32Eq | Operator::I64Eq => t.compare(IntCC::Equal),
        Operator::I32Ne | Operator::I64Ne => t.compare(IntCC::NotEqual),
        Operator::I32LtS | Operator::I64LtS => t.compare(IntCC::SignedLessThan),
        Operator::I32LtU | Operator::I64LtU => t.compare(IntCC::UnsignedLessThan),
        Operator::I32GtS | Operator::I64GtS => t.compare(IntCC::SignedGreaterThan),
        Operator::I32GtU | Operator::I64GtU => t.compare(IntCC::UnsignedGreaterThan),
        Operator::I32LeS | Operator::I64LeS => t.compare(IntCC::SignedLessThanOrEqual),
        Operator::I32LeU | Operator::I64LeU => t.compare(IntCC::UnsignedLessThanOrEqual),
        Operator::I32GeS | Operator::I64GeS => t.compare(IntCC::SignedGreaterThanOrEqual),
        Operator::I32GeU | Operator::I64GeU => t.compare(IntCC::UnsignedGreaterThanOrEqual),
        Operator::F32Eq | Operator::F64Eq => t.compare_float(FloatCC::Equal),
        Operator::F32Ne | Operator::F64Ne => t.compare_float(FloatCC::NotEqual),
        Operator::F32Lt | Operator::F64Lt => t.compare_float(FloatCC::LessThan),
        Operator::F32Gt | Operator::F64Gt => t.compare_float(FloatCC::GreaterThan),
        Operator::F32Le | Operator::F64Le => t.compare_float(FloatCC::LessThanOrEqual),
        Operator::F32Ge | Operator::F64Ge => t.compare_float(FloatCC::GreaterThanOrEqual),
        Operator::I32Clz | Operator::I64Clz => t.unary(|ins, x| ins.clz(x)),
        Operator::I32Ctz | Operator::I64Ctz => t.unary(|ins, x| ins.ctz(x)),
        Operator::I32Popcnt | Operator::I64Popcnt => t.unary(|ins, x| ins.popcnt(x)),
        Operator::I32Add | Operator::I64Add => t.binary(|ins, x, y| ins.iadd(x, y)),
        Operator::I32Sub | Operator::I64Sub => t.binary(|ins, x, y| ins.isub(x, y)),
        Operator::I32Mul | Operator::I64Mul => t.binary(|ins, x, y| ins.imul(x, y)),
        Operator::I32DivS | Operator::I64DivS => t.binary(|ins, x, y| ins.sdiv(x, y)),
        Operator::I32DivU | Operator::I64DivU => t.binary(|ins, x, y| ins.udiv(x, y)),
        Operator::I32RemS | Operator::I64RemS => t.binary(|ins, x, y| ins.srem(x, y)),
        Operator::I32RemU | Operator::I64RemU => t.binary(|ins, x, y| ins.urem(x, y)),
        Operator::I32And | Operator::I64And => t.binary(|ins, x, y| ins.band(x, y)),
        Operator::I32Or | Operator::I64Or => t.binary(|ins, x, y| ins.bor(x, y)),
        Operator::I32Xor | Operator::I64Xor => t.binary(|ins, x, y| ins.bxor(x, y)),
        Operator::I32Shl | Operator::I64Shl => t.binary(|ins, x, y| ins.ishl(x, y)),
        Operator::I32ShrS | Operator::I64ShrS => t.binary(|ins, x, y| ins.sshr(x, y)),
        Operator::I32ShrU | Operator::I64ShrU => t.binary(|ins, x, y| ins.ushr(x, y)),
        Operator::I32Rotl | Operator::I64Rotl => t.binary(|ins, x, y| ins.rotl(x, y)),
        Operator::I32Rotr | Operator::I64Rotr => t.binary(|ins, x, y| ins.rotr(x, y)),
        Operator::F32Abs | Operator::F64Abs => t.unary(|ins, x| ins.fabs(x)),
        Operator::F32Neg | Operator::F64Neg => t.unary(|ins, x| ins.fneg(x)),
        Operator::F32Ceil | Operator::F64Ceil => t.unary(|ins, x| ins.ceil(x)),
        Operator::F32Floor | Operator::F64Floor => t.unary(|ins, x| ins.floor(x)),
        Operator::F32Trunc | Operator::F64Trunc => t.unary(|ins, x| ins.trunc(x)),
        Operator::F32Nearest | Operator::F64Nearest => t.unary(|ins, x| ins.nearest(x)),
        Operator::F32Sqrt | Operator::F64Sqrt => t.unary(|ins, x| ins.sqrt(x)),
        Operator::F32Add | Operator::F64Add => t.binary(|ins, x, y| ins.fadd(x, y)),
        Operator::F32Sub | Operator::F64Sub => t.binary(|ins, x, y| ins.fsub(x, y)),
        Operator::F32Mul | Operator::F64Mul => t.binary(|ins, x, y| ins.fmul(x, y)),
        Operator::F32Div | Operator::F64Div => t.binary(|ins, x, y| ins.fdiv(x, y)),
        Operator::F32Min | Operator::F64Min => t.binary(|ins, x, y| ins.fmin(x, y)),
        Operator::F32Max | Operator::F64Max => t.binary(|ins, x, y| ins.fmax(x, y)),
        Operator::F32Copysign | Operator::F64Copysign => t.binary(|ins, x, y| ins.fcopysign(x, y)),

        // convert
        Operator::I32WrapI64 => t.wrap(),
        Operator::I64ExtendI32S => t.extend_signed(),
        Operator::I64ExtendI32U => t.extend_unsigned(),
        Operator::I32Extend8S => t.extend_low(I8, I32),
        Operator::I32Extend16S => t.extend_low(I16, I32),
        Operator::I64Extend8S => t.extend_low(I8, I64),
        Operator::I64Extend16S => t.extend_low(I16, I64),
        Operator::I64Extend32S => t.extend_low(I32, I64),
        Operator::I32TruncF32S | Operator::I32TruncF64S => t.truncate_signed(I32),
        Operator::I32TruncF32U | Operator::I32TruncF64U => t.truncate_unsigned(I32),
        Operator::I32TruncSatF32S | Operator::I32TruncSatF64S => t.saturate_signed(I32),
        Operator::I32TruncSatF32U | Operator::I32TruncSatF64U => t.saturate_unsigned(I32),
        Operator::I64TruncF32S | Operator::I64TruncF64S => t.truncate_signed(I64),
        Operator::I64TruncF32U | Operator::I64TruncF64U => t.truncate_unsigned(I64),
        Operator::I64TruncSatF32S | Operator::I64TruncSatF64S => t.saturate_signed(I64),
        Operator::I64TruncSatF32U | Operator::I64TruncSatF64U => t.saturate_unsigned(I64),
        Operator::F32ConvertI32S | Operator::F32ConvertI64S => t.convert_signed(F32),
        Operator::F32ConvertI32U | Operator::F32ConvertI64U => t.convert_unsigned(F32),
        Operator::F64ConvertI32S | Operator::F64ConvertI64S => t.convert_signed(F64),
        Operator::F64ConvertI32U | Operator::F64ConvertI64U => t.convert_unsigned(F64),
        Operator::F32DemoteF64 => t.demote(),
        Operator::F64PromoteF32 => t.promote(),
        Operator::I32ReinterpretF32 => t.reinterpret(I32),
        Operator::I64ReinterpretF64 => t.reinterpret(I64),
        Operator::F32ReinterpretI32 => t.reinterpret(F32),
        Operator::F64ReinterpretI64 => t.reinterpret(F64),

        // wide
        Operator::I64Add128 => t.wide_binary(|ins, x, y| ins.iadd(x, y)),
        Operator::I64Sub128 => t.wide_binary(|ins, x, y| ins.isub(x, y)),
        Operator::I64MulWideS => t.multiply_wide_signed(),
        Operator::I64MulWideU => t.multiply_wide_unsigned(),

        // simd
        other => simd::operator::translate(t, other, offset)?,
    }
    Ok(())
}

/// The operator's name, without what it works on.
pub fn name(operator: &Operator<'_>) -> String {
    let shown = format!("{operator:?}");
    shown.split([' ', '{']).next().unwrap_or_default().to_owned()
}
