//! Locals and globals (core specification, 2.4.5).

use cranelift_codegen::ir::immediates::{Ieee32, Ieee64};
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};
use vivarium_artifact::FunctionType;
use wasmparser::FunctionBody;

use super::FunctionTranslator;
use crate::constant::Constant;
use crate::error::CompileError;
use crate::symbol::Place;
use crate::types::{clif_type, register_type};

impl FunctionTranslator<'_, '_> {
    /// Declares parameters with their values and locals with zero.
    pub fn declare_locals(&mut self, ty: &FunctionType, body: &FunctionBody<'_>) -> Result<(), CompileError> {
        let entry = self.builder.current_block().expect("the function begins in its entry block");
        let parameters: Vec<Value> = self.builder.block_params(entry)[1..].to_vec();
        for (ty, value) in ty.parameters.iter().zip(parameters) {
            self.declare_local(clif_type(*ty), value);
        }
        for declaration in body.get_locals_reader()? {
            let (count, ty) = declaration?;
            let ty = register_type(ty).ok_or_else(|| CompileError::unsupported(body.range().start, "a type of a later feature"))?;
            // The validator has checked that nobody reads a local that may not be null before it is set.
            let zero = self.constant(ty, 0);
            for _ in 0..count {
                self.declare_local(ty, zero);
            }
        }
        Ok(())
    }

    pub fn local_get(&mut self, local: u32) {
        let value = self.builder.use_var(self.locals[local as usize]);
        self.push(value);
    }

    pub fn local_set(&mut self, local: u32) {
        let value = self.pop_declared();
        self.builder.def_var(self.locals[local as usize], value);
    }

    pub fn local_tee(&mut self, local: u32) {
        let value = self.peek_many(1)[0];
        self.builder.def_var(self.locals[local as usize], value);
    }

    pub fn global_get(&mut self, global: u32) {
        let environment = self.environment;
        let ty = clif_type(environment.module.globals[global as usize].ty.value);
        let value = match environment.fixed_global(global) {
            Some(bits) => self.constant(ty, bits),
            None if self.is_exit(global) => self.load_imported_reference(global),
            None => {
                let (base, offset) = self.global_place(global);
                self.builder.ins().load(ty, self.regions.globals, base, offset)
            }
        };
        self.push(value);
    }

    pub fn global_set(&mut self, global: u32) {
        let value = self.pop_declared();
        if self.is_exit(global) {
            return self.store_imported_reference(global, value);
        }
        let (base, offset) = self.global_place(global);
        self.builder.ins().store(self.regions.globals, value, base, offset);
    }

    /// Whether a global is another instance's and holds references to functions.
    fn is_exit(&self, global: u32) -> bool {
        let plan = self.environment.global(global);
        plan.ty.mutable && plan.import().is_some() && !plan.is_linked()
    }

    fn global_place(&mut self, global: u32) -> (Value, i32) {
        let (base, offset) = self.place(Place::Global(global));
        if self.environment.global(global).is_linked() {
            (self.builder.ins().load(types::I64, self.regions.lengths, base, offset), 0)
        } else {
            (base, offset)
        }
    }

    /// Takes the topmost operand, as places of its type declare it.
    fn pop_declared(&mut self) -> Value {
        let value = self.pop();
        self.declared(value)
    }

    fn declare_local(&mut self, ty: Type, value: Value) {
        let variable = self.builder.declare_var(ty);
        self.builder.def_var(variable, value);
        self.locals.push(variable);
    }

    fn constant(&mut self, ty: Type, bits: Constant) -> Value {
        let ins = self.builder.ins();
        match ty {
            types::I32 => ins.iconst(types::I32, i64::from(bits as u32)),
            types::F32 => ins.f32const(Ieee32::with_bits(bits as u32)),
            types::F64 => ins.f64const(Ieee64::with_bits(bits as u64)),
            types::I8X16 => self.vector_constant(types::I8X16, bits),
            _ => ins.iconst(types::I64, bits as i64),
        }
    }
}
