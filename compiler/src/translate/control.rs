//! Blocks, branches and returns (core specification, 2.4.8): structured control to a graph of CLIF blocks.

use std::collections::BTreeMap;

use cranelift_codegen::ir::{Block, BlockArg, BlockCall, InstBuilder, JumpTableData, Type, Value};
use vivarium_artifact::{FunctionType, TrapKind};
use wasmparser::{BlockType, BrTable, Operator};

use super::{FunctionTranslator, trap_code};
use crate::error::CompileError;
use crate::types::{clif_type, register_type};

/// A target of a longer table is reached through a block of its own. Locals that differ where branches meet are handed on by the branch: whoever adds one looks
/// at all labels of a table, for each target of it.
const EDGELESS_LABELS_MAX: u32 = 64;

/// An open block.
#[derive(Debug)]
pub struct Frame {
    kind: FrameKind,
    /// Where execution goes on behind the block; its parameters are the block's results.
    next: Block,
    /// Whether anything has branched to `next`.
    branched: bool,
    results: usize,
    /// Height of the operand stack below the block's parameters.
    height: usize,
}

#[derive(Debug)]
enum FrameKind {
    Function,
    Block,
    Loop {
        header: Block,
        parameters: usize,
    },
    /// Until `else` is seen: where to go when the condition is false, and the values that both arms begin with.
    If {
        otherwise: Block,
        parameters: Vec<Value>,
    },
    Else,
    /// With how many handlers were open before its own.
    Try {
        outer_handlers: usize,
    },
}

impl Frame {
    fn target(&self) -> (Block, usize) {
        match self.kind {
            FrameKind::Loop { header, parameters } => (header, parameters),
            _ => (self.next, self.results),
        }
    }
}

impl FunctionTranslator<'_, '_> {
    /// Opens the frame that `return` and branches out of the body go to.
    pub fn begin_function(&mut self, ty: &FunctionType) {
        let results: Vec<Type> = ty.results.iter().map(|ty| clif_type(*ty)).collect();
        self.open(FrameKind::Function, 0, &results);
    }

    pub fn unreachable(&mut self) {
        self.builder.ins().trap(trap_code(TrapKind::Unreachable));
        self.reachable = false;
    }

    pub fn block(&mut self, ty: BlockType) -> Result<(), CompileError> {
        let (parameters, results) = self.block_types(ty)?;
        self.open(FrameKind::Block, parameters.len(), &results);
        Ok(())
    }

    /// Opens the block of a `try_table` whose handlers are open already.
    pub fn open_try(&mut self, ty: BlockType, outer_handlers: usize) -> Result<(), CompileError> {
        let (parameters, results) = self.block_types(ty)?;
        self.open(FrameKind::Try { outer_handlers }, parameters.len(), &results);
        Ok(())
    }

    pub fn loop_(&mut self, ty: BlockType) -> Result<(), CompileError> {
        let (parameters, results) = self.block_types(ty)?;
        let header = self.block_with_parameters(&parameters);
        let values = self.handed_on(parameters.len());
        self.builder.ins().jump(header, &values);
        self.builder.switch_to_block(header);
        self.stack.truncate(self.stack.len() - parameters.len());
        self.stack.extend_from_slice(self.builder.block_params(header));
        self.open(FrameKind::Loop { header, parameters: parameters.len() }, parameters.len(), &results);
        Ok(())
    }

    pub fn if_(&mut self, ty: BlockType) -> Result<(), CompileError> {
        let condition = self.pop();
        let (parameters, results) = self.block_types(ty)?;
        let saved = self.peek_many(parameters.len()).to_vec();
        let (then, otherwise) = (self.builder.create_block(), self.builder.create_block());
        self.builder.ins().brif(condition, then, &[], otherwise, &[]);
        self.builder.switch_to_block(then);
        self.builder.seal_block(then);
        self.builder.seal_block(otherwise);
        self.open(FrameKind::If { otherwise, parameters: saved }, parameters.len(), &results);
        Ok(())
    }

    pub fn else_(&mut self) {
        if self.reachable {
            self.jump_to_next();
        }
        let frame = self.frames.last_mut().expect("the validator has matched every else with its if");
        self.stack.truncate(frame.height);
        if let FrameKind::If { otherwise, parameters } = std::mem::replace(&mut frame.kind, FrameKind::Else) {
            self.stack.extend(parameters);
            self.builder.switch_to_block(otherwise);
            self.reachable = true;
        }
    }

    pub fn end(&mut self) {
        let is_joined = {
            let frame = self.frames.last().expect("the validator has matched every end with its block");
            frame.branched || matches!(frame.kind, FrameKind::If { .. } | FrameKind::Else)
        };
        // Without a branch to its end, a block's results are simply on the stack.
        if is_joined && self.reachable {
            self.jump_to_next();
        }
        let Some(frame) = self.frames.pop() else { return };
        let mut joined = frame.branched;
        match frame.kind {
            FrameKind::Loop { header, .. } => self.builder.seal_block(header),
            FrameKind::If { otherwise, parameters } => {
                let values: Vec<BlockArg> = parameters.into_iter().map(BlockArg::Value).collect();
                self.builder.switch_to_block(otherwise);
                self.builder.ins().jump(frame.next, &values);
                joined = true;
            }
            FrameKind::Try { outer_handlers } => self.close_handlers(outer_handlers),
            FrameKind::Function | FrameKind::Block | FrameKind::Else => {}
        }
        if joined {
            self.stack.truncate(frame.height);
            self.builder.switch_to_block(frame.next);
            self.builder.seal_block(frame.next);
            self.stack.extend_from_slice(self.builder.block_params(frame.next));
            self.reachable = true;
        } else if !self.reachable {
            self.stack.truncate(frame.height);
        }
        if self.frames.is_empty() && self.reachable {
            let results = self.pop_many(self.stack.len());
            self.builder.ins().return_(&results);
        }
    }

    pub fn br(&mut self, depth: u32) {
        let (target, count) = self.branch_to(depth);
        let values = self.handed_on(count);
        self.builder.ins().jump(target, &values);
        self.reachable = false;
    }

    pub fn br_if(&mut self, depth: u32) {
        let condition = self.pop();
        self.branch_if(condition, depth);
    }

    /// Branches where the condition is not zero, with the topmost operands that the target takes.
    pub fn branch_if(&mut self, condition: Value, depth: u32) {
        let (target, count) = self.branch_to(depth);
        let values = self.handed_on(count);
        let next = self.builder.create_block();
        self.builder.ins().brif(condition, target, &values, next, &[]);
        self.builder.switch_to_block(next);
        self.builder.seal_block(next);
    }

    pub fn br_table(&mut self, table: &BrTable<'_>) -> Result<(), wasmparser::Error> {
        let index = self.pop();
        // Values are handed on in one block for each distinct target, so that a long table does not repeat them; in
        // order of depth, so that the same module always gives the same code.
        let mut edges: BTreeMap<u32, Block> = BTreeMap::new();
        let mut calls = Vec::with_capacity(table.len() as usize);
        let is_long = table.len() > EDGELESS_LABELS_MAX;
        for depth in table.targets() {
            calls.push(self.edge(depth?, is_long, &mut edges));
        }
        let default = self.edge(table.default(), is_long, &mut edges);
        // Every target takes as many values, of the same types.
        let (_, count) = self.branch_to(table.default());
        let values = self.handed_on(count);
        let jump_table = self.builder.create_jump_table(JumpTableData::new(default, &calls));
        self.builder.ins().br_table(index, jump_table);
        for (depth, edge) in edges {
            let (target, _) = self.branch_to(depth);
            if edge != target {
                self.values_handed_on += count as u64;
                self.builder.switch_to_block(edge);
                self.builder.seal_block(edge);
                self.builder.ins().jump(target, &values);
            }
        }
        self.reachable = false;
        Ok(())
    }

    pub fn return_(&mut self) {
        let count = self.frames.first().map_or(0, |frame| frame.results);
        let values = self.pop_many(count);
        self.builder.ins().return_(&values);
        self.reachable = false;
    }

    pub fn select(&mut self) {
        let condition = self.pop();
        let values = self.pop_many(2);
        let value = self.builder.ins().select(condition, values[0], values[1]);
        self.push(value);
    }

    /// Follows the structure of code that cannot be reached.
    pub fn skip(&mut self, operator: &Operator<'_>) {
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } | Operator::TryTable { .. } => self.skipped_depth += 1,
            Operator::End if self.skipped_depth > 0 => self.skipped_depth -= 1,
            Operator::End => self.end(),
            Operator::Else if self.skipped_depth == 0 => self.else_(),
            _ => {}
        }
    }

    /// The topmost operands, as a branch hands them on.
    fn handed_on(&mut self, count: usize) -> Vec<BlockArg> {
        self.values_handed_on += count as u64;
        self.peek_many(count).iter().map(|value| BlockArg::Value(*value)).collect()
    }

    fn open(&mut self, kind: FrameKind, parameters: usize, results: &[Type]) {
        let next = self.block_with_parameters(results);
        let height = self.stack.len() - parameters;
        self.frames.push(Frame { kind, next, branched: false, results: results.len(), height });
    }

    pub fn block_with_parameters(&mut self, parameters: &[Type]) -> Block {
        let block = self.builder.create_block();
        for ty in parameters {
            self.builder.append_block_param(block, *ty);
        }
        block
    }

    fn block_types(&self, ty: BlockType) -> Result<(Vec<Type>, Vec<Type>), CompileError> {
        Ok(match ty {
            BlockType::Empty => (vec![], vec![]),
            BlockType::Type(ty) => {
                let ty = register_type(ty).ok_or_else(|| CompileError::unsupported(self.offset(), "a type of a later feature"))?;
                (vec![], vec![ty])
            }
            BlockType::FuncType(index) => {
                let module = self.environment.module;
                let signature = module.signature(module.types[index as usize]);
                let list = |types: &[_]| types.iter().map(|ty| clif_type(*ty)).collect();
                (list(&signature.parameters), list(&signature.results))
            }
        })
    }

    /// The block that a branch of this depth goes to, and how many values it hands on.
    pub fn branch_to(&mut self, depth: u32) -> (Block, usize) {
        let index = self.frames.len() - 1 - depth as usize;
        let frame = &mut self.frames[index];
        frame.branched |= !matches!(frame.kind, FrameKind::Loop { .. });
        frame.target()
    }

    fn edge(&mut self, depth: u32, is_long: bool, edges: &mut BTreeMap<u32, Block>) -> BlockCall {
        let (target, count) = self.branch_to(depth);
        let builder = &mut self.builder;
        let is_edgeless = count == 0 && !is_long;
        let block = *edges.entry(depth).or_insert_with(|| if is_edgeless { target } else { builder.create_block() });
        BlockCall::new(block, [], &mut builder.func.dfg.value_lists)
    }

    fn jump_to_next(&mut self) {
        let (next, results) = {
            let frame = self.frames.last_mut().expect("the caller has an open frame");
            frame.branched = true;
            (frame.next, frame.results)
        };
        let values = self.handed_on(results);
        self.builder.ins().jump(next, &values);
    }
}
