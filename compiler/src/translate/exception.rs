//! Exceptions (core specification, 2.4.8): a call inside an open `try_table` says where to go on when what it calls throws
//! (`runtime/decisions/0013-exceptions.md`).
//!
//! A throw is a call of a trampoline that leaves for the host and does not come back. The host finds the innermost call whose handlers catch the tag and
//! goes on at the *landing* of that clause: a block that loads what the exception carries, and the reference to it, from the cells. It takes nothing from
//! registers: values on each edge from a call to a landing would cost the register allocator time that grows with the square of their number.

use cranelift_codegen::ir::{
    Block, BlockArg, BlockCall, ExceptionTable, ExceptionTableData, ExceptionTableItem, ExceptionTag, InstBuilder, SigRef, Type, Value,
    types,
};
use vivarium_artifact::abi::{Builtin, CELL_BYTES};
use vivarium_artifact::{Clause, FunctionType, TrapKind};
use wasmparser::{Catch, TryTable};

use super::call::Callee;
use super::{FunctionTranslator, trap_code};
use crate::error::CompileError;
use crate::plan::builtin_signature;
use crate::symbol::{Place, Symbol};
use crate::types::clif_type;

/// As how many values an edge from a call to a handler counts: a few instructions can make many.
const HANDLER_VALUES: u64 = 4;

/// A clause of an open `try_table`.
#[derive(Debug, Clone, Copy)]
pub struct Handler {
    tag: Option<u32>,
    by_reference: bool,
    landing: Block,
}

impl FunctionTranslator<'_, '_> {
    pub fn try_table(&mut self, table: &TryTable) -> Result<(), CompileError> {
        let body = self.builder.create_block();
        self.builder.ins().jump(body, &[]);
        let handlers: Vec<Handler> = table.catches.iter().map(|catch| self.landing(catch)).collect();
        self.builder.switch_to_block(body);
        self.builder.seal_block(body);
        let outer = self.handlers.len();
        // The last are asked first.
        self.handlers.extend(handlers.into_iter().rev());
        self.open_try(table.ty, outer)
    }

    /// Closes the handlers of a block: all but so many.
    pub fn close_handlers(&mut self, outer: usize) {
        for handler in self.handlers.drain(outer..) {
            self.builder.seal_block(handler.landing);
        }
    }

    pub fn throw(&mut self, tag: u32) {
        let parameters = self.environment.module.tag_parameters(tag);
        let ty = FunctionType { parameters: parameters.to_vec(), results: vec![] };
        let callee = self.function(Symbol::Throw(tag), |environment| environment.signature(&ty));
        let arguments = self.pop_arguments(parameters.len());
        self.call_for_good(Callee::Function(callee), &arguments);
    }

    pub fn throw_ref(&mut self) {
        let exception = self.pop();
        self.builder.ins().trapz(exception, trap_code(TrapKind::NullReference));
        if self.environment.module.tags.is_empty() && !self.environment.contract().linked {
            // Nothing can have been thrown.
            self.builder.ins().trap(trap_code(TrapKind::NullReference));
            self.reachable = false;
            return;
        }
        let ty = builtin_signature(Builtin::ThrowRef);
        let callee = self.function(Symbol::Builtin(Builtin::ThrowRef), |environment| environment.signature(&ty));
        self.call_for_good(Callee::Function(callee), &[self.vmctx, exception]);
    }

    /// Calls what does not come back.
    fn call_for_good(&mut self, callee: Callee, arguments: &[Value]) {
        self.call_code(callee, arguments);
        self.builder.ins().trap(trap_code(TrapKind::Unreachable));
        self.reachable = false;
    }

    /// Calls, and pushes the results; what is thrown meanwhile goes to the open handlers.
    pub fn try_call(&mut self, callee: Callee, arguments: &[Value]) {
        let signature = match callee {
            Callee::Function(function) => self.builder.func.dfg.ext_funcs[function].signature,
            Callee::Address(signature, _) => signature,
        };
        let results: Vec<Type> = self.builder.func.dfg.signatures[signature].returns.iter().map(|result| result.value_type).collect();
        let next = self.block_with_parameters(&results);
        let table = self.exception_table(signature, next, results.len() as u32);
        match callee {
            Callee::Function(function) => self.builder.ins().try_call(function, arguments, table),
            Callee::Address(_, address) => self.builder.ins().try_call_indirect(address, arguments, table),
        };
        self.builder.switch_to_block(next);
        self.builder.seal_block(next);
        self.stack.extend_from_slice(self.builder.block_params(next));
    }

    /// Where a call goes on: behind it with its results, or at the landing of a clause.
    fn exception_table(&mut self, signature: SigRef, next: Block, results: u32) -> ExceptionTable {
        let (mut items, mut tags) = (Vec::new(), Vec::new());
        let values = &mut self.builder.func.dfg.value_lists;
        for handler in self.handlers.iter().rev() {
            // A tag that is caught further in never comes here.
            if handler.tag.is_some_and(|tag| tags.contains(&tag)) {
                continue;
            }
            tags.extend(handler.tag);
            let landing = BlockCall::new(handler.landing, [], values);
            let code = ExceptionTag::from_u32(Clause::code(handler.tag, handler.by_reference));
            items.push(ExceptionTableItem::Tag(code, landing));
            if handler.tag.is_none() {
                break;
            }
        }
        self.values_handed_on += HANDLER_VALUES * self.handlers.len() as u64;
        self.clauses_of_call = self.clauses_of_call.max(items.len() as u64);
        let normal = BlockCall::new(next, (0..results).map(BlockArg::TryCallRet), values);
        self.builder.func.dfg.exception_tables.push(ExceptionTableData::new(signature, normal, items))
    }

    /// Translates where a clause begins, which branches to its label.
    fn landing(&mut self, catch: &Catch) -> Handler {
        let (tag, label, by_reference) = match *catch {
            Catch::One { tag, label } => (Some(tag), label, false),
            Catch::OneRef { tag, label } => (Some(tag), label, true),
            Catch::All { label } => (None, label, false),
            Catch::AllRef { label } => (None, label, true),
        };
        let landing = self.builder.create_block();
        self.builder.switch_to_block(landing);
        let mut types: Vec<Type> =
            tag.map_or(&[][..], |tag| self.environment.module.tag_parameters(tag)).iter().map(|ty| clif_type(*ty)).collect();
        types.extend(by_reference.then_some(types::I64));
        let values: Vec<BlockArg> = self.load_cells(&types).into_iter().map(BlockArg::Value).collect();
        self.values_handed_on += values.len() as u64;
        let (target, _) = self.branch_to(label);
        self.builder.ins().jump(target, &values);
        Handler { tag, by_reference, landing }
    }

    /// Values of these types, from the cells.
    fn load_cells(&mut self, types: &[Type]) -> Vec<Value> {
        if types.is_empty() {
            return vec![];
        }
        let (base, offset) = self.place(Place::Cells);
        let offsets = (0..).map(|index| offset + CELL_BYTES as i32 * index);
        types.iter().zip(offsets).map(|(ty, offset)| self.builder.ins().load(*ty, self.regions.cells, base, offset)).collect()
    }
}
