//! The initializer: what instantiation does where imports decide how (core specification, 4.5.4). Globals first, then what tables begin with, then active
//! element and data segments, each in order and up to the first that is out of bounds, then the start function.
//!
//! Constant expressions are translated as the operators that they are. Whatever the image could hold already is not here.

use cranelift_codegen::ir::{Function, InstBuilder, UserFuncName, types};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use vivarium_artifact::{AddressType, FunctionType, TrapKind};
use wasmparser::{ConstExpr, Operator};

use super::{FunctionTranslator, operator};
use crate::environment::Environment;
use crate::error::CompileError;
use crate::module::{GlobalSource, SegmentMode, SegmentOffset, TableInitial};
use crate::segments::LateSegment;
use crate::symbol::{Stub, Symbol};

/// Translates the initializer of a module into `function`, which must be empty.
pub fn translate(environment: &Environment<'_>, context: &mut FunctionBuilderContext, function: &mut Function) -> Result<(), CompileError> {
    let ty = FunctionType::default();
    function.name = UserFuncName::User(Symbol::Initializer.external_name());
    function.signature = environment.signature(&ty);
    let mut translator = FunctionTranslator::new(environment, None, FunctionBuilder::new(function, context), &ty);
    for (global, index) in environment.module.globals.iter().zip(0..) {
        if let GlobalSource::Late(expression) = &global.source {
            translator.constant_expression(expression)?;
            translator.global_set(index);
        }
    }
    for (table, index) in environment.module.tables.iter().zip(0..) {
        if let TableInitial::Late(expression) = &table.initial {
            translator.constant_expression(expression)?;
            translator.fill_own_table(index, table.minimum);
        }
    }
    for segment in &environment.plan.late {
        match segment {
            LateSegment::Elements(index) => translator.initialize_table(*index)?,
            LateSegment::Data(index) => translator.initialize_memory(*index)?,
        }
    }
    if let Some(start) = environment.module.start {
        translator.call(start);
    }
    translator.end();
    translator.builder.finalize(environment.target.isa.frontend_config());
    Ok(())
}

impl FunctionTranslator<'_, '_> {
    /// Pushes the value of a constant expression.
    pub fn constant_expression(&mut self, expression: &ConstExpr<'_>) -> Result<(), CompileError> {
        let mut reader = expression.get_operators_reader();
        while !reader.eof() {
            match reader.read_with_offset()? {
                (Operator::End, _) => break,
                (operator, offset) => operator::translate(self, &operator, offset)?,
            }
        }
        Ok(())
    }

    /// Pushes where a segment goes, as an `i64`.
    fn segment_offset(&mut self, offset: &SegmentOffset<'_>, ty: AddressType) -> Result<(), CompileError> {
        match offset {
            SegmentOffset::Constant(offset) => self.i64_const(*offset as i64),
            SegmentOffset::Late(expression) => {
                self.constant_expression(expression)?;
                let offset = self.pop_widened(ty);
                self.push(offset);
            }
        }
        Ok(())
    }

    fn initialize_table(&mut self, segment: u32) -> Result<(), CompileError> {
        let module = self.environment.module;
        let segment = &module.elements[segment as usize];
        let SegmentMode::Active { target, offset } = &segment.mode else { return Ok(()) };
        self.segment_offset(offset, module.table_address(*target))?;
        let offset = self.pop();
        let count = self.builder.ins().iconst(types::I64, segment.items.len() as i64);
        self.check_table(*target, offset, count);
        let mut late = segment.late.iter().peekable();
        for (reference, position) in segment.items.iter().zip(0..) {
            match late.next_if(|(late, _)| *late == position) {
                Some((_, expression)) => self.constant_expression(expression)?,
                None => self.i64_const(*reference as i64),
            }
            let reference = self.pop();
            let index = self.builder.ins().iadd_imm_u(offset, i64::from(position));
            self.store_element_within(*target, index, reference);
        }
        Ok(())
    }

    fn initialize_memory(&mut self, index: u32) -> Result<(), CompileError> {
        let module = self.environment.module;
        let segment = &module.data[index as usize];
        let SegmentMode::Active { target, offset } = &segment.mode else { return Ok(()) };
        self.segment_offset(offset, module.memories[*target as usize].address)?;
        let offset = self.pop();
        let count = self.builder.ins().iconst(types::I64, segment.bytes.len() as i64);
        let length = self.memory_length(*target);
        self.check_range(AddressType::I64, offset, count, length, TrapKind::MemoryOutOfBounds);
        let source = self.address_of(Symbol::DataSegment(index));
        let destination = self.memory_place(*target, offset);
        self.call_stub(Stub::Copy, &[destination, source, count]);
        Ok(())
    }
}
