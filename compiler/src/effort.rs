//! How much the code generator may do for a function, so that compiling takes time in proportion to the wasm.
//!
//! Optimising and its register allocator take more than their share for functions of very many operators. The allocator alone does for smaller ones
//! that keep very many values at once: then it takes the square of their size. The single-pass allocator of the setting `fast` takes neither.

use cranelift_codegen::entity::{EntitySet, SecondaryMap};
use cranelift_codegen::ir::{Function, Opcode, Value, ValueDef};

/// Functions of more operators are compiled as with the setting `fast`, whatever the setting.
const OPTIMISED_OPERATORS_MAX: u64 = 200_000;
/// The same for functions that keep more values than this at once, in the mean over their instructions.
const VALUES_KEPT_MAX: u64 = 512;
/// Functions of fewer instructions are not looked at: the square of their size is small, and so is their frame.
const INSTRUCTIONS_MIN: usize = 2_000;
/// A larger frame is worth the time that the slower allocator takes: programs that nest a few dozen calls deep must not find the stack used up by code
/// that was only compiled quickly.
pub const LARGE_FRAME_BYTES: u64 = 16 << 10;
/// That allocator takes more than twice the time: for functions of more instructions of Cranelift's their time would not be in proportion.
pub const FRUGAL_INSTRUCTIONS_MAX: usize = 20_000;
/// A place in the frame, in bytes.
const PLACE_BYTES: u64 = 8;

/// How much may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// What the setting says.
    Usual,
    /// The same, but with the slower allocator: with the quick one the frame would be large.
    Frugal,
    /// What takes time in proportion, whatever the setting.
    Little,
}

/// The effort that a function of so many operators is worth.
pub fn effort(function: &Function, operators: u64) -> Effort {
    let instructions = function.dfg.num_insts();
    if operators > OPTIMISED_OPERATORS_MAX {
        return Effort::Little;
    }
    if instructions < INSTRUCTIONS_MIN {
        return Effort::Usual;
    }
    let kept = Kept::of(function);
    if kept.lifetimes > VALUES_KEPT_MAX * instructions as u64 {
        Effort::Little
    } else if instructions <= FRUGAL_INSTRUCTIONS_MAX && kept.between_blocks * PLACE_BYTES > LARGE_FRAME_BYTES {
        Effort::Frugal
    } else {
        Effort::Usual
    }
}

/// How long values are kept.
#[derive(Debug, PartialEq, Eq)]
struct Kept {
    /// The sum over all values of how many instructions there are from where each is made to where it is last used, in the order of the wasm.
    lifetimes: u64,
    /// How many are used in another block than that which makes them: the quick allocator has a place in the frame for each.
    between_blocks: u64,
}

impl Kept {
    fn of(function: &Function) -> Kept {
        let mut last_seen: SecondaryMap<Value, u32> = SecondaryMap::with_capacity(function.dfg.num_values());
        let mut between: EntitySet<Value> = EntitySet::with_capacity(function.dfg.num_values());
        let (mut position, mut lifetimes, mut between_blocks) = (0u32, 0u64, 0u64);
        for block in function.layout.blocks() {
            let beginning = position;
            for parameter in function.dfg.block_params(block) {
                // Behind the block's beginning.
                last_seen[*parameter] = position + 1;
            }
            position += 1;
            for instruction in function.layout.block_insts(block) {
                position += 1;
                for used in function.dfg.inst_values(instruction) {
                    let used = function.dfg.resolve_aliases(used);
                    lifetimes += u64::from(position.saturating_sub(last_seen[used]));
                    // What was seen in this block already came into it before, or was made in it.
                    if last_seen[used] <= beginning && !is_constant(function, used) && between.insert(used) {
                        between_blocks += 1;
                    }
                    last_seen[used] = position;
                }
                for result in function.dfg.inst_results(instruction) {
                    last_seen[*result] = position;
                }
            }
        }
        Kept { lifetimes, between_blocks }
    }
}

/// Constants are made where they are used.
fn is_constant(function: &Function, value: Value) -> bool {
    match function.dfg.value_def(value) {
        ValueDef::Result(instruction, _) => {
            matches!(function.dfg.insts[instruction].opcode(), Opcode::Iconst | Opcode::F32const | Opcode::F64const)
        }
        _ => false,
    }
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
        // Behind the block's beginning two constants, then their sum.
        assert_eq!(Kept::of(&function(2, 1)), Kept { lifetimes: 2 + 1, between_blocks: 0 });
        assert_eq!(Kept::of(&function(2, 10)), Kept { lifetimes: 10 * (2 + 1), between_blocks: 0 });
    }

    #[test]
    fn functions_that_are_too_much_are_worth_little() {
        assert_eq!(effort(&function(10, 10_000), OPTIMISED_OPERATORS_MAX), Effort::Usual);
        assert_eq!(effort(&function(10, 10_000), OPTIMISED_OPERATORS_MAX + 1), Effort::Little);
        assert_eq!(effort(&function(5_000, 1), 15_000), Effort::Little, "each of 5,000 values is kept");
        assert_eq!(effort(&function(500, 1), 1_500), Effort::Usual, "they are few");
    }

    /// Blocks in a row; each makes so many values of those that the one before it made.
    fn chain(blocks: usize, values: usize) -> Function {
        let mut function = Function::new();
        let blocks: Vec<_> = (0..blocks).map(|_| function.dfg.make_block()).collect();
        let parameter = function.dfg.append_block_param(blocks[0], types::I64);
        let mut made = vec![parameter; values];
        for (index, block) in blocks.iter().enumerate() {
            function.layout.append_block(*block);
            let mut cursor = FuncCursor::new(&mut function).at_bottom(*block);
            let one = cursor.ins().iconst(types::I64, 1);
            made = made.iter().map(|value| cursor.ins().iadd(*value, one)).collect();
            match blocks.get(index + 1) {
                Some(next) => cursor.ins().jump(*next, &[]),
                None => cursor.ins().return_(&[]),
            };
        }
        function
    }

    #[test]
    fn values_that_another_block_uses_have_places_of_their_own() {
        assert_eq!(Kept::of(&chain(200, 10)).between_blocks, 1990, "those of the last block nobody uses");
        assert_eq!(effort(&chain(200, 10), 5_000), Effort::Usual, "they are no large frame");
        assert_eq!(effort(&chain(300, 10), 8_000), Effort::Frugal);
        assert_eq!(effort(&chain(3_000, 10), 80_000), Effort::Usual, "more care would take too long");
    }
}
