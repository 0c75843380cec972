//! How much the code generator may do for a function, so that compiling takes time in proportion to the wasm.
//!
//! Optimising and its register allocator take more than their share for functions of very many operators. The allocator alone does for smaller ones
//! that keep very many values at once: then it takes the square of their size. The single-pass allocator of the setting `fast` takes neither.

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Function, Value};

/// Functions of more operators are compiled as with the setting `fast`, whatever the setting.
const OPTIMISED_OPERATORS_MAX: u64 = 200_000;
/// The same for functions that keep more values than this at once, in the mean over their instructions.
const VALUES_KEPT_MAX: u64 = 512;
/// Functions of fewer instructions are not looked at: the square of their size is small.
const INSTRUCTIONS_MIN: usize = 2_000;

/// How much may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// What the setting says.
    Usual,
    /// What takes time in proportion, whatever the setting.
    Little,
}

/// The effort that a function of so many operators is worth.
pub fn effort(function: &Function, operators: u64) -> Effort {
    let instructions = function.dfg.num_insts();
    let is_large = operators > OPTIMISED_OPERATORS_MAX;
    if is_large || instructions >= INSTRUCTIONS_MIN && lifetimes(function) > VALUES_KEPT_MAX * instructions as u64 {
        Effort::Little
    } else {
        Effort::Usual
    }
}

/// The sum over all values of how many instructions there are from where each is made to where it is last used, in the order of the wasm.
fn lifetimes(function: &Function) -> u64 {
    let mut last_seen: SecondaryMap<Value, u32> = SecondaryMap::with_capacity(function.dfg.num_values());
    let (mut position, mut sum) = (0u32, 0u64);
    for block in function.layout.blocks() {
        for parameter in function.dfg.block_params(block) {
            last_seen[*parameter] = position;
        }
        for instruction in function.layout.block_insts(block) {
            position += 1;
            for used in function.dfg.inst_values(instruction) {
                let used = function.dfg.resolve_aliases(used);
                sum += u64::from(position.saturating_sub(last_seen[used]));
                last_seen[used] = position;
            }
            for result in function.dfg.inst_results(instruction) {
                last_seen[*result] = position;
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use cranelift_codegen::cursor::{Cursor, FuncCursor};
    use cranelift_codegen::ir::{InstBuilder, types};

    use super::*;

    /// A function that makes so many constants before it adds them all up, as often as is said.
    fn function(constants: usize, times: usize) -> Function {
        let mut function = Function::new();
        let block = function.dfg.make_block();
        function.layout.append_block(block);
        let mut cursor = FuncCursor::new(&mut function).at_bottom(block);
        for _ in 0..times {
            let values: Vec<Value> = (0..constants as i64).map(|number| cursor.ins().iconst(types::I64, number)).collect();
            values.into_iter().rev().reduce(|sum, value| cursor.ins().iadd(sum, value));
        }
        cursor.ins().return_(&[]);
        function
    }

    #[test]
    fn values_are_kept_from_where_they_are_made_to_their_last_use() {
        // Two constants at 1 and 2, their sum at 3.
        assert_eq!(lifetimes(&function(2, 1)), 2 + 1);
        assert_eq!(lifetimes(&function(2, 10)), 10 * (2 + 1));
    }

    #[test]
    fn functions_that_are_too_much_are_worth_little() {
        assert_eq!(effort(&function(10, 10_000), OPTIMISED_OPERATORS_MAX), Effort::Usual);
        assert_eq!(effort(&function(10, 10_000), OPTIMISED_OPERATORS_MAX + 1), Effort::Little);
        assert_eq!(effort(&function(5_000, 1), 15_000), Effort::Little, "each of 5,000 values is kept");
        assert_eq!(effort(&function(500, 1), 1_500), Effort::Usual, "they are few");
    }
}
