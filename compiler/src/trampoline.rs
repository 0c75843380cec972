//! CLIF that no wasm function was translated to: the ways out of a module's code and into it (`runtime/decisions/0001-abi.md`).
//!
//! *Out*: a trampoline with the signature of an imported function or builtin stores its arguments in cells, leaves through the hostcall thunk, and
//! loads its results from cells. *In*: an entry trampoline loads arguments from cells, calls, stores results in cells, and leaves for good.

use cranelift_codegen::ir::{ExtFuncData, ExternalName, Function, InstBuilder, MemFlagsData, Signature, UserFuncName, Value, types};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use vivarium_artifact::abi::Builtin;
use vivarium_artifact::{FunctionType, TrapKind, ValueType};

use crate::environment::{Environment, entry_signature, stub_signature};
use crate::plan::builtin_signature;
use crate::symbol::{Stub, Symbol};
use crate::translate::flags::Regions;
use crate::translate::trap_code;
use crate::types::clif_type;

/// The trampoline of an imported function.
pub fn import(environment: &Environment<'_>, index: u32, context: &mut FunctionBuilderContext, function: &mut Function) {
    let ty = &environment.module.imports[index as usize].ty;
    build_exit(environment, Symbol::Function(index), ty, index, context, function);
}

/// The trampoline of a builtin.
pub fn builtin(environment: &Environment<'_>, builtin: Builtin, context: &mut FunctionBuilderContext, function: &mut Function) {
    let ty = builtin_signature(builtin);
    build_exit(environment, Symbol::Builtin(builtin), &ty, builtin as u32, context, function);
}

/// The entry for functions of one signature: `(vmctx, address of the callee)`.
pub fn entry(environment: &Environment<'_>, type_number: u32, context: &mut FunctionBuilderContext, function: &mut Function) {
    let ty = environment.module.signature(type_number);
    let mut trampoline = Trampoline::begin(environment, entry_signature(), context, function);
    let (vmctx, callee) = (trampoline.parameters[0], trampoline.parameters[1]);
    let mut arguments = vec![vmctx];
    arguments.extend(trampoline.load_cells(&ty.parameters));
    let signature = trampoline.builder.import_signature(environment.signature(ty));
    let call = trampoline.builder.ins().call_indirect(signature, callee, &arguments);
    let results = trampoline.builder.inst_results(call).to_vec();
    trampoline.store_cells(&ty.results, &results);
    trampoline.call_stub(Stub::Done, &[vmctx]);
    trampoline.builder.ins().trap(trap_code(TrapKind::Unreachable));
    trampoline.builder.finalize(environment.isa.frontend_config());
}

fn build_exit(
    environment: &Environment<'_>,
    symbol: Symbol,
    ty: &FunctionType,
    number: u32,
    context: &mut FunctionBuilderContext,
    function: &mut Function,
) {
    function.name = UserFuncName::User(symbol.external_name());
    let mut trampoline = Trampoline::begin(environment, environment.signature(ty), context, function);
    let arguments = trampoline.parameters[1..].to_vec();
    trampoline.store_cells(&ty.parameters, &arguments);
    let number = trampoline.builder.ins().iconst(types::I32, i64::from(number));
    trampoline.call_stub(Stub::Hostcall, &[trampoline.parameters[0], number]);
    let results = trampoline.load_cells(&ty.results);
    trampoline.builder.ins().return_(&results);
    trampoline.builder.finalize(environment.isa.frontend_config());
}

/// A trampoline under construction.
struct Trampoline<'f, 'm> {
    environment: &'m Environment<'m>,
    builder: FunctionBuilder<'f>,
    /// `vmctx` first.
    parameters: Vec<Value>,
    regions: Regions,
}

impl<'f, 'm> Trampoline<'f, 'm> {
    fn begin(
        environment: &'m Environment<'m>,
        signature: Signature,
        context: &'f mut FunctionBuilderContext,
        function: &'f mut Function,
    ) -> Trampoline<'f, 'm> {
        function.signature = signature;
        let regions = Regions::declare(function);
        let mut builder = FunctionBuilder::new(function, context);
        let block = builder.create_block();
        builder.append_block_params_for_function_params(block);
        builder.switch_to_block(block);
        builder.seal_block(block);
        let parameters = builder.block_params(block).to_vec();
        Trampoline { environment, builder, parameters, regions }
    }

    fn cell(&self, index: usize) -> i32 {
        self.environment.vmctx_offset(self.environment.layout().cell(index as u32))
    }

    /// Stores values in cells from 0, the narrow ones zero-extended to eight bytes.
    fn store_cells(&mut self, types: &[ValueType], values: &[Value]) {
        for (index, (ty, value)) in types.iter().zip(values).enumerate() {
            let offset = self.cell(index);
            let value = self.widen(*ty, *value);
            self.builder.ins().store(self.regions.cells, value, self.parameters[0], offset);
        }
    }

    fn load_cells(&mut self, types: &[ValueType]) -> Vec<Value> {
        let mut values = Vec::with_capacity(types.len());
        for (index, ty) in types.iter().enumerate() {
            let offset = self.cell(index);
            values.push(self.builder.ins().load(clif_type(*ty), self.regions.cells, self.parameters[0], offset));
        }
        values
    }

    fn widen(&mut self, ty: ValueType, value: Value) -> Value {
        match ty {
            ValueType::I32 => self.builder.ins().uextend(types::I64, value),
            ValueType::F32 => {
                let bits = self.builder.ins().bitcast(types::I32, MemFlagsData::new(), value);
                self.builder.ins().uextend(types::I64, bits)
            }
            _ => value,
        }
    }

    fn call_stub(&mut self, stub: Stub, arguments: &[Value]) {
        let signature = self.builder.import_signature(stub_signature(stub));
        let name = self.builder.func.declare_imported_user_function(Symbol::Stub(stub).external_name());
        let data = ExtFuncData { name: ExternalName::user(name), signature, colocated: true, patchable: false };
        let stub = self.builder.import_function(data);
        self.builder.ins().call(stub, arguments);
    }
}
