//! CLIF that no wasm function was translated to: the ways out of a module's code and into it (`runtime/decisions/0001-abi.md`).
//!
//! *Out*: a trampoline with the signature of an imported function or builtin stores its arguments in cells, leaves through the hostcall thunk, and
//! loads its results from cells. *In*: an entry trampoline loads arguments from cells, calls, stores results in cells, and leaves for good.

use cranelift_codegen::ir::{
    ExtFuncData, ExternalName, FuncRef, Function, GlobalValueData, InstBuilder, MemFlagsData, Signature, UserFuncName, Value, types,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use vivarium_artifact::abi::{Builtin, CELL_BYTES, FOREIGN_BASE, THROW_BASE};
use vivarium_artifact::{FunctionType, ValueType};

use crate::environment::{Environment, entry_signature, stub_signature};
use crate::plan::builtin_signature;
use crate::symbol::{Number, Place, Stub, Symbol};
use crate::translate::flags::Regions;
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

/// The trampoline by which foreign functions of one signature are called.
pub fn foreign(environment: &Environment<'_>, type_number: u32, context: &mut FunctionBuilderContext, function: &mut Function) {
    let ty = environment.module.signature(type_number);
    build_exit(environment, Symbol::Foreign(type_number), ty, FOREIGN_BASE + type_number, context, function);
}

/// The trampoline that throws an exception of a tag: what it carries are its arguments. It does not return.
pub fn throw(environment: &Environment<'_>, tag: u32, context: &mut FunctionBuilderContext, function: &mut Function) {
    let ty = FunctionType { parameters: environment.module.tag_parameters(tag).to_vec(), results: vec![] };
    build_exit(environment, Symbol::Throw(tag), &ty, THROW_BASE + tag, context, function);
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
    // A jump, not a call that never returns: the processor predicts returns by counting calls.
    let done = trampoline.stub(Stub::Done);
    trampoline.builder.ins().return_call(done, &[vmctx]);
    trampoline.builder.finalize(environment.target.isa.frontend_config());
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
    let number = trampoline.hostcall_number(symbol, number);
    trampoline.call_stub(Stub::Hostcall, &[trampoline.parameters[0], number]);
    let results = trampoline.load_cells(&ty.results);
    trampoline.builder.ins().return_(&results);
    trampoline.builder.finalize(environment.target.isa.frontend_config());
}

/// A number that is filled in behind the code generator (`i64`).
fn number_value(builder: &mut FunctionBuilder<'_>, number: Number) -> Value {
    let name = builder.func.declare_imported_user_function(Symbol::Number(number).external_name());
    let data = GlobalValueData::Symbol { name: ExternalName::user(name), offset: 0.into(), colocated: false, tls: false };
    let global = builder.create_global_value(data);
    builder.ins().symbol_value(types::I64, global)
}

/// A trampoline under construction.
struct Trampoline<'f, 'm> {
    environment: &'m Environment<'m>,
    builder: FunctionBuilder<'f>,
    /// `vmctx` first.
    parameters: Vec<Value>,
    /// Base and offset of the first cell.
    cells: (Value, i32),
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
        let cells = if environment.shares_code {
            let distance = number_value(&mut builder, Number::Place(Place::Cells));
            (builder.ins().iadd(parameters[0], distance), 0)
        } else {
            (parameters[0], environment.vmctx_offset(Place::Cells))
        };
        Trampoline { environment, builder, parameters, cells, regions }
    }

    fn cell(&self, index: usize) -> i32 {
        self.cells.1 + (CELL_BYTES * index as u64) as i32
    }

    /// Imports and tags are told by their index, which differs between modules that share the trampoline.
    fn hostcall_number(&mut self, symbol: Symbol, number: u32) -> Value {
        let of_module = match symbol {
            Symbol::Function(function) => Some(Number::Hostcall(function)),
            Symbol::Throw(tag) => Some(Number::Throw(tag)),
            _ => None,
        };
        match of_module.filter(|_| self.environment.shares_code) {
            Some(of_module) => {
                let number = number_value(&mut self.builder, of_module);
                self.builder.ins().ireduce(types::I32, number)
            }
            None => self.builder.ins().iconst(types::I32, i64::from(number)),
        }
    }

    /// Stores values in cells from 0, the narrow ones zero-extended to eight bytes.
    fn store_cells(&mut self, types: &[ValueType], values: &[Value]) {
        for (index, (ty, value)) in types.iter().zip(values).enumerate() {
            let offset = self.cell(index);
            let value = self.widen(*ty, *value);
            self.builder.ins().store(self.regions.cells, value, self.cells.0, offset);
        }
    }

    fn load_cells(&mut self, types: &[ValueType]) -> Vec<Value> {
        let mut values = Vec::with_capacity(types.len());
        for (index, ty) in types.iter().enumerate() {
            let offset = self.cell(index);
            values.push(self.builder.ins().load(clif_type(*ty), self.regions.cells, self.cells.0, offset));
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
        let stub = self.stub(stub);
        self.builder.ins().call(stub, arguments);
    }

    fn stub(&mut self, stub: Stub) -> FuncRef {
        let signature = self.builder.import_signature(stub_signature(stub));
        let name = self.builder.func.declare_imported_user_function(Symbol::Stub(stub).external_name());
        let data = ExtFuncData { name: ExternalName::user(name), signature, colocated: true, patchable: false };
        self.builder.import_function(data)
    }
}
