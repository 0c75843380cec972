//! One validated function to CLIF.
//!
//! [`translate`] walks the operators once. [`operator`] dispatches each to its family: [`control`], [`numeric`], [`convert`], [`memory`], [`bulk`],
//! [`table`], [`call`], [`variable`], [`reference`]. All families work on one [`FunctionTranslator`]: CLIF under construction, the operand stack as
//! CLIF values, and the frames of open blocks. What cannot be reached is skipped, not translated.

pub mod bulk;
pub mod call;
pub mod control;
pub mod convert;
pub mod flags;
pub mod memory;
pub mod numeric;
pub mod operator;
pub mod reference;
pub mod table;
pub mod variable;

use std::collections::HashMap;

use cranelift_codegen::ir::{
    ExtFuncData, ExternalName, FuncRef, Function, GlobalValue, GlobalValueData, InstBuilder, SigRef, Signature, SourceLoc, TrapCode,
    UserFuncName, Value, types,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use vivarium_artifact::{AddressType, FunctionType, TrapKind};
use wasmparser::FunctionBody;

use crate::environment::{Environment, stub_signature};
use crate::error::CompileError;
use crate::symbol::{Stub, Symbol};
use control::Frame;
use flags::Regions;

/// Translates the body with this number (imported functions have none) into `function`, which must be empty.
pub fn translate(
    environment: &Environment<'_>,
    body: u32,
    context: &mut FunctionBuilderContext,
    function: &mut Function,
) -> Result<(), CompileError> {
    let index = environment.module.function_of_body(body);
    let ty = environment.module.signature(environment.module.function_type(index));
    function.name = UserFuncName::User(Symbol::Function(index).external_name());
    function.signature = environment.signature(ty);
    let wasm = &environment.module.bodies[body as usize];
    let mut translator = FunctionTranslator::new(environment, FunctionBuilder::new(function, context), ty);
    translator.declare_locals(ty, wasm)?;
    translator.translate_operators(index, wasm)?;
    translator.builder.finalize(environment.isa.frontend_config());
    Ok(())
}

/// The code of a trap in CLIF: the number of its kind.
pub fn trap_code(kind: TrapKind) -> TrapCode {
    TrapCode::unwrap_user(kind as u8)
}

/// A function under translation.
pub struct FunctionTranslator<'f, 'm> {
    pub environment: &'m Environment<'m>,
    pub builder: FunctionBuilder<'f>,
    /// Address of memory 0 and of the context below it.
    pub vmctx: Value,
    pub regions: Regions,
    stack: Vec<Value>,
    frames: Vec<Frame>,
    /// Whether the next operator can be reached.
    reachable: bool,
    /// How many blocks are open that began where nothing could be reached.
    skipped_depth: usize,
    /// How many values branches have handed on so far: a few instructions can make many.
    values_handed_on: u64,
    locals: Vec<Variable>,
    functions: HashMap<Symbol, FuncRef>,
    signatures: HashMap<u32, SigRef>,
    addresses: HashMap<Symbol, GlobalValue>,
}

impl<'f, 'm> FunctionTranslator<'f, 'm> {
    fn new(environment: &'m Environment<'m>, mut builder: FunctionBuilder<'f>, ty: &FunctionType) -> FunctionTranslator<'f, 'm> {
        let entry = builder.create_block();
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        builder.seal_block(entry);
        let vmctx = builder.block_params(entry)[0];
        let regions = Regions::declare(builder.func);
        let mut translator = FunctionTranslator {
            environment,
            builder,
            vmctx,
            regions,
            stack: Vec::new(),
            frames: Vec::new(),
            reachable: true,
            skipped_depth: 0,
            values_handed_on: 0,
            locals: Vec::new(),
            functions: HashMap::new(),
            signatures: HashMap::new(),
            addresses: HashMap::new(),
        };
        translator.begin_function(ty);
        translator
    }

    fn translate_operators(&mut self, function: u32, body: &FunctionBody<'_>) -> Result<(), CompileError> {
        let mut reader = body.get_operators_reader()?;
        let mut operators = 0;
        while !reader.eof() {
            operators += 1;
            self.check_size(function, operators)?;
            let (operator, offset) = reader.read_with_offset()?;
            self.builder.set_srcloc(SourceLoc::new(offset as u32));
            if self.reachable {
                operator::translate(self, &operator, offset)?;
            } else {
                self.skip(&operator);
            }
        }
        Ok(())
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
        Ok(())
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

    /// Takes the topmost `count` operands, in the order in which they were pushed.
    pub fn pop_many(&mut self, count: usize) -> Vec<Value> {
        self.stack.split_off(self.stack.len() - count)
    }

    /// The topmost `count` operands.
    pub fn peek_many(&self, count: usize) -> &[Value] {
        &self.stack[self.stack.len() - count..]
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

    /// The address of a place in the text.
    pub fn address_of(&mut self, symbol: Symbol) -> Value {
        let global = match self.addresses.get(&symbol) {
            Some(global) => *global,
            None => {
                let name = ExternalName::user(self.builder.func.declare_imported_user_function(symbol.external_name()));
                let data = GlobalValueData::Symbol { name, offset: 0.into(), colocated: true, tls: false };
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
