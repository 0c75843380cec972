//! Functions of any size, each of another shape: what a compiler could take more than its share of time for.

use wasm_encoder::{
    BlockType, CodeSection, ElementSection, Elements, Function, FunctionSection, Ieee64, InstructionSink, MemArg, MemArgTarget,
    MemorySection, MemoryType, Module, RefType, TableSection, TableType, TypeSection, ValType,
};

/// Functions that the large one may call, each of a type of its own.
const CALLEES: u32 = 20;
/// Locals of the large one: integers, floats behind them, vectors behind those.
const LOCALS: u32 = 20;
const FLOATS: u32 = 2;
const VECTORS: u32 = 4;
/// What stands around the pieces: a constant, a `local.set`, the function's `end`, and the stores of all locals.
const ENDING_OPERATORS: usize = 3 + 3 * (LOCALS + FLOATS + VECTORS) as usize;
/// In a function that holds locals there is one for so many operators, up to as many as the format permits.
const OPERATORS_OF_HELD: usize = 6;
const HELD_MAX: usize = 40_000;
/// Blocks that are open at once where blocks are nested, and labels of a table.
const DEPTH: usize = 20;

/// What a function consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Arithmetic on a few locals, in one block.
    Straight,
    /// Operands that stay on the stack until the end of the function, where nobody can compute them as late as that.
    Deep,
    /// Locals written at the beginning and read at the end, the last one first.
    Held,
    /// Short `if`s one after another, each writing one of many locals.
    Branches,
    /// Blocks in blocks, left from the innermost by `br_table` to all of them.
    Nested,
    /// Loads and stores, and reads of lengths.
    Memory,
    /// Calls of many functions, directly and through a table.
    Calls,
    /// Vectors in changing shapes.
    Vectors,
}

impl Shape {
    pub const ALL: [Shape; 8] =
        [Shape::Straight, Shape::Deep, Shape::Held, Shape::Branches, Shape::Nested, Shape::Memory, Shape::Calls, Shape::Vectors];

    /// A module with one function of this shape, of about so many operators.
    pub fn module(self, operators: usize) -> Vec<u8> {
        let mut types = TypeSection::new();
        let mut functions = FunctionSection::new();
        let mut code = CodeSection::new();
        for callee in 0..CALLEES {
            types.ty().function(vec![ValType::I64; callee as usize % 7], vec![ValType::I64; callee as usize % 3]);
            functions.function(callee);
            let mut body = Function::new([]);
            for _ in 0..callee % 3 {
                body.instructions().i64_const(1);
            }
            body.instructions().end();
            code.function(&body);
        }
        types.ty().function([], []);
        functions.function(CALLEES);
        code.function(&self.function(operators));

        let mut tables = TableSection::new();
        let minimum = u64::from(CALLEES);
        tables.table(TableType { element_type: RefType::FUNCREF, table64: false, minimum, maximum: Some(minimum), shared: false });
        let mut memories = MemorySection::new();
        memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
        let mut elements = ElementSection::new();
        let all: Vec<u32> = (0..CALLEES).collect();
        elements.active(None, &wasm_encoder::ConstExpr::i32_const(0), Elements::Functions(all.into()));
        let mut module = Module::new();
        module.section(&types).section(&functions).section(&tables).section(&memories).section(&elements).section(&code);
        module.finish()
    }

    fn function(self, operators: usize) -> Function {
        let held_locals = if self == Shape::Held { (operators / OPERATORS_OF_HELD).min(HELD_MAX) as u32 } else { 0 };
        let first_held = LOCALS + FLOATS + VECTORS;
        let mut function =
            Function::new([(LOCALS, ValType::I64), (FLOATS, ValType::F64), (VECTORS, ValType::V128), (held_locals, ValType::I64)]);
        let mut body = function.instructions();
        let mut left = operators.saturating_sub(ENDING_OPERATORS + 5 * held_locals as usize);
        let mut held = 0;
        for local in first_held..first_held + held_locals {
            body.i32_const(local as i32).i64_load(at(0, 0)).local_set(local);
        }
        body.i64_const(0);
        for number in 0.. {
            let Some(rest) = left.checked_sub(self.piece_operators(number)) else { break };
            self.write_piece(number, &mut body);
            left = rest;
            held += usize::from(self == Shape::Deep);
        }
        for _ in 0..held {
            body.i64_add();
        }
        for local in (first_held..first_held + held_locals).rev() {
            body.local_get(local).i64_add();
        }
        body.local_set(0);
        store_locals(&mut body);
        body.end();
        function
    }

    /// How many operators a piece has; a label of a table counts as one, for it is as long.
    fn piece_operators(self, number: usize) -> usize {
        match self {
            Shape::Straight | Shape::Held => 10,
            // And what adds its operand in the end.
            Shape::Deep => 4,
            Shape::Branches => 11,
            Shape::Nested => 6 * DEPTH + 5 + DEPTH,
            Shape::Memory => 9,
            Shape::Calls => 4 + number % CALLEES as usize % 7 + number % CALLEES as usize % 3,
            Shape::Vectors => 13,
        }
    }

    fn write_piece(self, number: usize, body: &mut InstructionSink<'_>) {
        let local = (number * 7 % LOCALS as usize) as u32;
        match self {
            Shape::Straight | Shape::Held => {
                body.local_get(local).i64_const(number as i64).i64_add().local_get(0).i64_xor().local_set(local);
                body.local_get(LOCALS).f64_const(Ieee64::from(1.5)).f64_mul().local_set(LOCALS);
            }
            Shape::Deep => {
                body.local_get(1).i32_wrap_i64().i64_load(at(number as u64 % 4096, 0));
            }
            Shape::Branches => {
                body.local_get(local).i64_eqz().if_(BlockType::Empty).local_get(0).i64_const(number as i64).i64_add().local_set(local);
                body.else_().i64_const(1).local_set(0).end();
            }
            Shape::Nested => {
                for _ in 0..DEPTH {
                    body.block(BlockType::Empty);
                }
                body.block(BlockType::Empty).local_get(local).i32_wrap_i64().br_table(0..DEPTH as u32, 0).end();
                for _ in 0..DEPTH {
                    body.local_get(0).i64_const(1).i64_add().local_set(0).end();
                }
            }
            Shape::Memory => {
                let memarg = |align| at(number as u64 % 4096, align);
                body.memory_size(0).i32_const(8).i32_add().local_get(local).i64_store(memarg(3));
                body.i32_const(16).i64_load(memarg(0)).local_set(local).nop();
            }
            Shape::Calls => {
                let callee = number as u32 % CALLEES;
                for _ in 0..callee % 7 {
                    body.local_get(local);
                }
                if number.is_multiple_of(2) {
                    body.nop().nop().nop().call(callee);
                } else {
                    body.nop().nop().i32_const(callee as i32).call_indirect(0, callee);
                }
                for _ in 0..callee % 3 {
                    body.local_set(local);
                }
            }
            Shape::Vectors => {
                let vector = LOCALS + FLOATS + number as u32 % VECTORS;
                body.local_get(vector).local_get(LOCALS + FLOATS).i32x4_add().local_get(vector).f64x2_mul().i16x8_abs().local_set(vector);
                body.local_get(local).i64x2_splat().local_get(vector).i8x16_swizzle().i8x16_bitmask().drop();
            }
        }
    }
}

/// What the locals hold is worth something: nobody may leave out what computes it.
fn store_locals(body: &mut InstructionSink<'_>) {
    for local in 0..LOCALS {
        body.i32_const(0).local_get(local).i64_store(at(16 * u64::from(local), 3));
    }
    for local in LOCALS..LOCALS + FLOATS {
        body.i32_const(0).local_get(local).f64_store(at(16 * u64::from(local), 3));
    }
    for local in LOCALS + FLOATS..LOCALS + FLOATS + VECTORS {
        body.i32_const(0).local_get(local).v128_store(at(16 * u64::from(local), 4));
    }
}

fn at(offset: u64, align: u32) -> MemArg {
    MemArg { offset, align, target: MemArgTarget::Memory(0), ordering: None }
}
