//! Constant expressions, evaluated at compile time so that an instance begins as a copy of bytes.

use vivarium_artifact::abi::function_reference;
use wasmparser::{ConstExpr, Operator};

use crate::error::CompileError;

/// The bits of a value, as they lie in a global's room: narrower types in the low bytes, references as in a table, null as zero.
pub type Constant = u128;

/// What constant expressions may refer to.
#[derive(Debug, Clone, Copy)]
pub struct ConstantScope<'a> {
    /// The value of each global so far; none when only the host knows it.
    pub globals: &'a [Option<Constant>],
    /// The signature's number of each function.
    pub function_types: &'a [u32],
}

impl ConstantScope<'_> {
    /// The value of a validated expression; none when it depends on what only the host knows.
    pub fn evaluate(&self, expression: &ConstExpr<'_>) -> Result<Option<Constant>, CompileError> {
        let mut reader = expression.get_operators_reader();
        let mut stack: Vec<Constant> = Vec::new();
        while !reader.eof() {
            let (operator, offset) = reader.read_with_offset()?;
            match operator {
                Operator::End => break,
                Operator::GlobalGet { global_index } => match self.globals.get(global_index as usize).copied().flatten() {
                    Some(value) => stack.push(value),
                    None => return Ok(None),
                },
                _ => match self.leaf(&operator) {
                    Some(value) => stack.push(value),
                    None => arithmetic(&operator, offset, &mut stack)?,
                },
            }
        }
        stack.pop().map(Some).ok_or_else(|| CompileError::unsupported(reader.original_position(), "an empty constant expression"))
    }

    /// The reference to a function.
    pub fn reference(&self, function: u32) -> u64 {
        let number = self.function_types.get(function as usize).copied().unwrap_or_default();
        function_reference(number, function)
    }

    fn leaf(&self, operator: &Operator<'_>) -> Option<Constant> {
        match *operator {
            Operator::I32Const { value } => Some(Constant::from(value as u32)),
            Operator::I64Const { value } => Some(Constant::from(value as u64)),
            Operator::F32Const { value } => Some(Constant::from(value.bits())),
            Operator::F64Const { value } => Some(Constant::from(value.bits())),
            Operator::V128Const { value } => Some(value.i128() as Constant),
            Operator::RefNull { .. } => Some(0),
            Operator::RefFunc { function_index } => Some(Constant::from(self.reference(function_index))),
            _ => None,
        }
    }
}

fn arithmetic(operator: &Operator<'_>, offset: u64, stack: &mut Vec<Constant>) -> Result<(), CompileError> {
    let (Some(right), Some(left)) = (stack.pop(), stack.pop()) else {
        return Err(CompileError::unsupported(offset, format!("{operator:?} in a constant expression")));
    };
    let narrow = |combine: fn(u32, u32) -> u32| Constant::from(combine(left as u32, right as u32));
    let wide = |combine: fn(u64, u64) -> u64| Constant::from(combine(left as u64, right as u64));
    stack.push(match operator {
        Operator::I32Add => narrow(u32::wrapping_add),
        Operator::I32Sub => narrow(u32::wrapping_sub),
        Operator::I32Mul => narrow(u32::wrapping_mul),
        Operator::I64Add => wide(u64::wrapping_add),
        Operator::I64Sub => wide(u64::wrapping_sub),
        Operator::I64Mul => wide(u64::wrapping_mul),
        other => return Err(CompileError::unsupported(offset, format!("{other:?} in a constant expression"))),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use wasmparser::BinaryReader;

    use super::*;

    fn evaluate(bytes: &[u8], globals: &[Option<Constant>]) -> Result<Option<Constant>, CompileError> {
        ConstantScope { globals, function_types: &[3] }.evaluate(&ConstExpr::new(BinaryReader::new(bytes, 0)))
    }

    #[test]
    fn negative_numbers_keep_their_width() {
        assert_eq!(evaluate(&[0x41, 0x7f, 0x0b], &[]), Ok(Some(0xffff_ffff)));
        assert_eq!(evaluate(&[0x42, 0x7f, 0x0b], &[]), Ok(Some(0xffff_ffff_ffff_ffff)));
    }

    #[test]
    fn arithmetic_wraps() {
        // i32.const 2, i32.const 3, i32.sub
        assert_eq!(evaluate(&[0x41, 2, 0x41, 3, 0x6b, 0x0b], &[]), Ok(Some(0xffff_ffff)));
    }

    #[test]
    fn a_function_reference_holds_type_and_index() {
        assert_eq!(evaluate(&[0xd2, 0, 0x0b], &[]), Ok(Some(3)));
    }

    #[test]
    fn what_only_the_host_knows_has_no_value_yet() {
        assert_eq!(evaluate(&[0x23, 0, 0x0b], &[Some(9)]), Ok(Some(9)));
        assert_eq!(evaluate(&[0x23, 0, 0x0b], &[None]), Ok(None));
    }
}
