//! One validated function to CLIF.
//!
//! [`translate`] walks the operators once. [`operator`] dispatches each to its family: [`control`], [`numeric`], [`convert`], [`memory`], [`bulk`],
//! [`table`], [`call`], [`exception`], [`variable`], [`reference`], [`simd`], [`wide`]; [`foreign`] is their common way to what belongs to another instance,
//! [`initialize`] the one function that is not of the module. All families work on one [`FunctionTranslator`]: CLIF under construction, the operand stack as
//! CLIF values, and the frames of open blocks. What cannot be reached is skipped, not translated.

pub mod bulk;
pub mod call;
pub mod control;
pub mod convert;
pub mod exception;
pub mod flags;
pub mod foreign;
pub mod initialize;
pub mod memory;
pub mod numeric;
pub mod operator;
pub mod reference;
pub mod simd;
pub mod table;
pub mod variable;
pub mod wide;

use std::collections::HashMap;

use cranelift_codegen::ir::{
    ExtFuncData, ExternalName, FuncRef, Function, GlobalValue, GlobalValueData, InstBuilder, SigRef, Signature, SourceLoc, TrapCode,
    UserFuncName, Value, types,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use vivarium_artifact::{AddressType, FunctionType, TrapKind};
use wasmparser::FunctionBody;

use crate::cache::References;
use crate::environment::{Environment, stub_signature};
use crate::error::CompileError;
use crate::symbol::{Number, Place, Stub, Symbol};
use control::Frame;
use exception::Handler;
use flags::Regions;

/// Translates the body with this number (imported functions have none) into `function`, which must be empty. With its references the code comes
/// out so that every module with such a body can have it. How many operators the body has.
pub fn translate(
    environment: &Environment<'_>,
    body: u32,
    shared: Option<&References>,
    context: &mut FunctionBuilderContext,
    function: &mut Function,
) -> Result<u64, CompileError> {
    let index = environment.module.function_of_body(body);
    let ty = environment.module.signature(environment.module.function_type(index));
    function.name = UserFuncName::User(Symbol::Function(index).external_name());
    function.signature = environment.signature(ty);
    let wasm = &environment.module.bodies[body as usize];
    let mut translator = FunctionTranslator::new(environment, shared, FunctionBuilder::new(function, context), ty);
    translator.declare_locals(ty, wasm)?;
    let operators = translator.translate_operators(index, wasm)?;
    translator.builder.finalize(environment.target.isa.frontend_config());
    Ok(operators)
}

/// The code of a trap in CLIF: the number of its kind.
pub fn trap_code(kind: TrapKind) -> TrapCode {
    TrapCode::unwrap_user(kind as u8)
}

/// A function under translation.
pub struct FunctionTranslator<'f, 'm> {
    pub environment: &'m Environment<'m>,
    /// What the body refers to, when its code is to be shared.
    pub shared: Option<&'m References>,
    pub builder: FunctionBuilder<'f>,
    /// Address of memory 0 and of the context below it.
    pub vmctx: Value,
    pub regions: Regions,
    stack: Vec<Value>,
    frames: Vec<Frame>,
    /// Clauses of all open blocks that catch: the last are asked first.
    handlers: Vec<Handler>,
    /// Whether the next operator can be reached.
    reachable: bool,
    /// Of the operator that is being translated, in the wasm binary.
    operator_offset: u64,
    /// How many blocks are open that began where nothing could be reached.
    skipped_depth: usize,
    /// How many values branches have handed on so far: a few instructions can make many.
    values_handed_on: u64,
    /// The most that one call may be caught by.
    clauses_of_call: u64,
    locals: Vec<Variable>,
    functions: HashMap<Symbol, FuncRef>,
    signatures: HashMap<u32, SigRef>,
    addresses: HashMap<Symbol, GlobalValue>,
}

impl<'f, 'm> FunctionTranslator<'f, 'm> {
    fn new(
        environment: &'m Environment<'m>,
        shared: Option<&'m References>,
        mut builder: FunctionBuilder<'f>,
        ty: &FunctionType,
    ) -> FunctionTranslator<'f, 'm> {
        let entry = builder.create_block();
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        builder.seal_block(entry);
        let vmctx = builder.block_params(entry)[0];
        let regions = Regions::declare(builder.func);
        let mut translator = FunctionTranslator {
            environment,
            shared,
            operator_offset: 0,
            builder,
            vmctx,
            regions,
            stack: Vec::new(),
            frames: Vec::new(),
            handlers: Vec::new(),
            reachable: true,
            skipped_depth: 0,
            values_handed_on: 0,
            clauses_of_call: 0,
            locals: Vec::new(),
            functions: HashMap::new(),
            signatures: HashMap::new(),
            addresses: HashMap::new(),
        };
        translator.begin_function(ty);
        translator
    }

    fn translate_operators(&mut self, function: u32, body: &FunctionBody<'_>) -> Result<u64, CompileError> {
        let mut reader = body.get_operators_reader()?;
        let mut operators = 0;
        while !reader.eof() {
            operators += 1;
            self.check_size(function, operators)?;
            let (operator, offset) = reader.read_with_offset()?;
            self.builder.set_srcloc(SourceLoc::new(offset as u32));
            self.operator_offset = offset;
            if self.reachable {
                operator::translate(self, &operator, offset)?;
            } else {
                self.skip(&operator);
            }
        }
        Ok(operators)
    }

    /// What a function may grow to, so that compiling it takes time in proportion to the wasm.
    fn check_size(&self, function: u32, operators: u64) -> Result<(), CompileError> {
        let policy = self.environment.policy;
        let name = || self.environment.module.display_name(function);
        if operators > policy.operators_of_function_max {
            return Err(CompileError::limit(format!("instructions of function {}", name()), operators, policy.operators_of_function_max));
        }
        let values = self.builder.func.dfg.num_values() as u64 + self.values_handed_on;
        if values > policy.values_of_function_max {
            return Err(CompileError::limit(format!("values in function {}", name()), values, policy.values_of_function_max));
        }
        if self.clauses_of_call > policy.clauses_of_call_max {
            let what = format!("tags that one call of function {} catches", name());
            return Err(CompileError::limit(what, self.clauses_of_call, policy.clauses_of_call_max));
        }
        Ok(())
    }

    /// The wasm offset of the operator under translation.
    pub fn offset(&self) -> u64 {
        u64::from(self.builder.srcloc().bits())
    }

    /// Takes the topmost operand.
    pub fn pop(&mut self) -> Value {
        self.stack.pop().expect("the validator has checked the operand stack")
    }

    /// Takes the topmost two operands, in the order in which they were pushed.
    pub fn pop2(&mut self) -> (Value, Value) {
        let second = self.pop();
        (self.pop(), second)
    }

    /// Takes the topmost three operands, in the order in which they were pushed.
    pub fn pop3(&mut self) -> (Value, Value, Value) {
        let (second, third) = self.pop2();
        (self.pop(), second, third)
    }

    /// Takes the topmost `count` operands, in the order in which they were pushed, as places of their types declare them.
    pub fn pop_many(&mut self, count: usize) -> Vec<Value> {
        self.peek_many(count);
        self.stack.split_off(self.stack.len() - count)
    }

    /// The topmost `count` operands, as places of their types declare them.
    pub fn peek_many(&mut self, count: usize) -> &[Value] {
        let first = self.stack.len() - count;
        for index in first..self.stack.len() {
            self.stack[index] = self.declared(self.stack[index]);
        }
        &self.stack[first..]
    }

    pub fn push(&mut self, value: Value) {
        self.stack.push(value);
    }

    /// Pops an address, index or length of this type as an `i64`.
    pub fn pop_widened(&mut self, ty: AddressType) -> Value {
        let value = self.pop();
        self.widen(value, ty)
    }

    /// An address, index or length as an `i64`: a narrow one zero-extended.
    pub fn widen(&mut self, value: Value, ty: AddressType) -> Value {
        match ty {
            AddressType::I32 => self.builder.ins().uextend(types::I64, value),
            AddressType::I64 => value,
        }
    }

    /// Pushes an `i64` as an address, index or length of this type.
    pub fn push_narrowed(&mut self, value: Value, ty: AddressType) {
        let value = match ty {
            AddressType::I32 => self.builder.ins().ireduce(types::I32, value),
            AddressType::I64 => value,
        };
        self.push(value);
    }

    /// Traps when the condition holds.
    pub fn trap_if(&mut self, condition: Value, kind: TrapKind) {
        self.builder.ins().trapnz(condition, trap_code(kind));
    }

    /// A function that this one may call.
    pub fn function(&mut self, symbol: Symbol, signature: impl FnOnce(&Environment<'_>) -> Signature) -> FuncRef {
        if let Some(function) = self.functions.get(&symbol) {
            return *function;
        }
        let signature = self.builder.import_signature(signature(self.environment));
        let name = self.builder.func.declare_imported_user_function(symbol.external_name());
        let data = ExtFuncData { name: ExternalName::user(name), signature, colocated: true, patchable: false };
        let function = self.builder.import_function(data);
        self.functions.insert(symbol, function);
        function
    }

    /// A signature that this function may call through a table.
    pub fn signature(&mut self, number: u32) -> SigRef {
        if let Some(signature) = self.signatures.get(&number) {
            return *signature;
        }
        let signature = self.environment.signature(self.environment.module.signature(number));
        let signature = self.builder.import_signature(signature);
        self.signatures.insert(number, signature);
        signature
    }

    /// A place in the context: base and offset.
    pub fn place(&mut self, place: Place) -> (Value, i32) {
        if self.shared.is_none() {
            return (self.vmctx, self.environment.vmctx_offset(place));
        }
        let distance = self.number(Number::Place(place));
        (self.builder.ins().iadd(self.vmctx, distance), 0)
    }

    /// The immediate of the present operator (`i64`), when the linker filled it in and the code is to be shared.
    pub fn relocated(&mut self) -> Option<Value> {
        let order = self.shared?.immediate_of(self.operator_offset)?;
        Some(self.number(Number::Immediate(order)))
    }

    /// A number that is filled in behind the code generator (`i64`). Only code that is shared has such.
    pub fn number(&mut self, number: Number) -> Value {
        self.symbol_value(Symbol::Number(number), false)
    }

    /// The address of a place in the text.
    pub fn address_of(&mut self, symbol: Symbol) -> Value {
        self.symbol_value(symbol, true)
    }

    fn symbol_value(&mut self, symbol: Symbol, colocated: bool) -> Value {
        let global = match self.addresses.get(&symbol) {
            Some(global) => *global,
            None => {
                let name = ExternalName::user(self.builder.func.declare_imported_user_function(symbol.external_name()));
                let data = GlobalValueData::Symbol { name, offset: 0.into(), colocated, tls: false };
                let global = self.builder.create_global_value(data);
                self.addresses.insert(symbol, global);
                global
            }
        };
        self.builder.ins().symbol_value(types::I64, global)
    }

    /// Calls a stub.
    pub fn call_stub(&mut self, stub: Stub, arguments: &[Value]) {
        let stub_function = self.function(Symbol::Stub(stub), |_| stub_signature(stub));
        self.builder.ins().call(stub_function, arguments);
    }
}
