//! Instances by name, each a *member* of the store, and what becomes of their exits: a member calls, reads and changes others through here.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use vivarium_artifact::{Contract, ExportedItem, Setting, ValueType};
use vivarium_compiler::{CompileError, Policy};
use vivarium_runtime::{Exit, ForeignRequest, Instance, LinkedExit, LoadedModule, Pool, Trap};

use super::linking::{Owners, Place};
use super::values::Typed;
use crate::engine::{CALL_MAX, limits, load};

/// What a call gave: results, or the trap that ended it.
pub type Call = Result<Vec<Typed>, Trap>;

/// Why there is no instance.
#[derive(Debug)]
pub enum InstantiateError {
    /// The bytes are malformed or invalid.
    Invalid(String),
    /// An import is unknown or has another type.
    Link(String),
    /// It is valid, but larger than the store permits.
    Limit(String),
    /// It is valid only with a feature that it may not use.
    Feature(String),
    /// It is valid, but the compiler does not translate it.
    Unsupported(String),
    /// Instantiation trapped.
    Trap(Trap),
    Host(String),
}

impl std::fmt::Display for InstantiateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            InstantiateError::Invalid(reason) => write!(f, "invalid: {reason}"),
            InstantiateError::Limit(reason) => write!(f, "too large: {reason}"),
            InstantiateError::Link(reason) => write!(f, "does not link: {reason}"),
            InstantiateError::Feature(reason) => write!(f, "lacks a feature: {reason}"),
            InstantiateError::Unsupported(reason) => write!(f, "not translated: {reason}"),
            InstantiateError::Trap(trap) => write!(f, "instantiation trapped: {}", trap.kind),
            InstantiateError::Host(reason) => write!(f, "the host failed: {reason}"),
        }
    }
}

/// All instances of one file. A member's number stays its own; one that nothing leads to any more is `None`.
pub struct Store {
    pool: Pool,
    members: Vec<Option<Member>>,
    /// Functions that some member holds a foreign reference to: the reference's number is the position here.
    foreign: Vec<Place>,
    by_name: HashMap<String, usize>,
    registered: HashMap<String, usize>,
    definitions: HashMap<String, Option<Arc<LoadedModule>>>,
    last: Option<usize>,
    last_definition: Option<Arc<LoadedModule>>,
}

/// An instance and who owns what it imports.
pub struct Member {
    pub instance: Instance,
    pub owners: Owners,
}

impl Store {
    /// A store with the host module `spectest`.
    pub fn new(pool: Pool) -> Store {
        let mut store = Store {
            pool,
            members: vec![],
            foreign: vec![],
            by_name: HashMap::new(),
            registered: HashMap::new(),
            definitions: HashMap::new(),
            last: None,
            last_definition: None,
        };
        let spectest = store.instantiate_module(spectest()).expect("spectest imports nothing");
        store.registered.insert("spectest".into(), spectest);
        store.last = None;
        store
    }

    /// Compiles a module to be instantiated later. One that is valid and only too large for the store is defined nevertheless.
    pub fn define(&mut self, name: Option<String>, wasm: &[u8]) -> Result<(), String> {
        let module = match self.compile(wasm) {
            Ok(module) => Some(module),
            Err(InstantiateError::Limit(_)) => None,
            Err(error) => return Err(error.to_string()),
        };
        if let Some(name) = name {
            self.definitions.insert(name, module.clone());
        }
        self.last_definition = module;
        Ok(())
    }

    pub fn instantiate_definition(&mut self, name: Option<String>, definition: Option<&str>) -> Result<(), String> {
        let module = match definition {
            Some(definition) => self.definitions.get(definition).cloned().flatten(),
            None => self.last_definition.clone(),
        };
        let member = self.instantiate_module(module.ok_or("no such definition")?).map_err(|error| error.to_string())?;
        self.by_name.extend(name.map(|name| (name, member)));
        Ok(())
    }

    pub fn register(&mut self, name: &str, module: Option<&str>) -> Result<(), String> {
        let member = self.find(module)?;
        self.registered.insert(name.to_string(), member);
        Ok(())
    }

    pub fn compile(&self, wasm: &[u8]) -> Result<Arc<LoadedModule>, InstantiateError> {
        load(wasm, &policy(), setting()).map_err(|error| match error {
            CompileError::Invalid { .. } => InstantiateError::Invalid(error.to_string()),
            CompileError::Limit { .. } => InstantiateError::Limit(error.to_string()),
            CompileError::Feature { .. } => InstantiateError::Feature(error.to_string()),
            other => InstantiateError::Unsupported(other.to_string()),
        })
    }

    pub fn instantiate(&mut self, name: Option<String>, wasm: &[u8]) -> Result<(), InstantiateError> {
        let module = self.compile(wasm)?;
        let member = self.instantiate_module(module)?;
        self.by_name.extend(name.map(|name| (name, member)));
        Ok(())
    }

    fn instantiate_module(&mut self, module: Arc<LoadedModule>) -> Result<usize, InstantiateError> {
        let host = |error: &dyn std::fmt::Display| InstantiateError::Host(error.to_string());
        let owners = self.resolve(module.contract()).map_err(InstantiateError::Link)?;
        let mut instance = self.pool.acquire(&module, limits()).map_err(|error| host(&error))?;
        self.link(&mut instance, &owners).map_err(|error| InstantiateError::Link(error.to_string()))?;
        let must_run = instance.initialize().map_err(|error| host(&error))?;
        let index = self.next_member();
        self.members.push(Some(Member { instance, owners }));
        let initialized = if must_run { self.resume(index) } else { Ok(Ok(())) };
        match initialized.map_err(InstantiateError::Host)? {
            Ok(()) => {
                let replaced = self.last.replace(index);
                self.drop_if_unreachable(replaced);
                Ok(index)
            }
            Err(trap) => {
                self.drop_if_unreachable(Some(index));
                Err(InstantiateError::Trap(trap))
            }
        }
    }

    pub fn call(&mut self, module: Option<&str>, export: &str, arguments: &[u128]) -> Result<Call, String> {
        let member = self.find(module)?;
        let Some(ExportedItem::Function(function)) = self.contract(member).export(export) else {
            return Err(format!("no exported function {export}"));
        };
        self.call_function((member, function), arguments)
    }

    pub fn global(&self, module: Option<&str>, export: &str) -> Result<Typed, String> {
        let member = self.find(module)?;
        match self.contract(member).export(export) {
            Some(ExportedItem::Global(global)) => {
                let place = self.member(member).owners.globals.get(global as usize).copied().unwrap_or((member, global));
                let ty = self.contract(place.0).globals[place.1 as usize].ty.value;
                Ok(Typed { ty, bits: self.instance(place.0).global(place.1) })
            }
            _ => Err(format!("no exported global {export}")),
        }
    }

    /// Calls a function with values of its own member.
    fn call_function(&mut self, (member, function): Place, arguments: &[u128]) -> Result<Call, String> {
        let instance = self.instance_mut(member);
        instance.invoke(function, arguments).map_err(|error| error.to_string())?;
        let call = self.resume(member)?;
        let instance = self.instance(member);
        let types = &instance.module().contract().function_type(function).expect("it was called").results;
        Ok(call.map(|()| (0..).zip(types).map(|(result, ty)| Typed { ty: *ty, bits: instance.result(result) }).collect()))
    }

    /// Resumes an instance until its call ends, answering its hostcalls and requests.
    fn resume(&mut self, member: usize) -> Result<Result<(), Trap>, String> {
        let deadline = Instant::now() + CALL_MAX;
        loop {
            match self.instance_mut(member).resume_linked() {
                LinkedExit::Plain(Exit::Done) => return Ok(Ok(())),
                LinkedExit::Plain(Exit::Trapped(trap)) => return Ok(Err(trap)),
                LinkedExit::Plain(Exit::Preempted) if Instant::now() > deadline => {
                    return Err(format!("the call did not end within {CALL_MAX:?}"));
                }
                LinkedExit::Plain(Exit::Preempted) => {}
                LinkedExit::Plain(Exit::Hostcall { import }) => {
                    let place = self.member(member).owners.functions[import as usize];
                    match self.call_from(member, place)? {
                        Ok(results) => self.instance_mut(member).answer_bits(&results),
                        Err(trap) => return Ok(Err(self.abandon(member, trap))),
                    }
                }
                LinkedExit::Foreign(ForeignRequest::Call { reference, .. }) => {
                    let place = self.named_function(member, reference).ok_or("a foreign reference names no function")?;
                    match self.call_from(member, place)? {
                        Ok(results) => self.instance_mut(member).answer_foreign(&results),
                        Err(trap) => return Ok(Err(self.abandon(member, trap))),
                    }
                }
                LinkedExit::Foreign(request) => {
                    let answer = self.answer(member, request);
                    self.instance_mut(member).answer_foreign(&[answer]);
                }
            }
        }
    }

    /// Calls a function of another member with the arguments in the caller's cells; the results are the caller's values.
    fn call_from(&mut self, caller: usize, place: Place) -> Result<Result<Vec<u128>, Trap>, String> {
        let (from, to) = (self.module(caller), self.module(place.0));
        let types = to.contract().function_type(place.1).expect("owners have their functions").clone();
        let arguments: Vec<u128> = (0..).zip(&types.parameters).map(|(index, _)| self.instance(caller).argument_bits(index)).collect();
        let translated = types.parameters.iter().zip(arguments);
        let arguments: Vec<u128> = translated.map(|(ty, bits)| self.translate(*ty, bits, caller, (place.0, to.contract()))).collect();
        let call = self.call_function(place, &arguments)?;
        Ok(call.map(|results| {
            let translated = results.into_iter();
            translated.map(|result| self.translate(result.ty, result.bits, place.0, (caller, from.contract()))).collect()
        }))
    }

    /// Answers what a member needs of another, but for calls.
    fn answer(&mut self, member: usize, request: ForeignRequest) -> u128 {
        let module = self.module(member);
        let refused = u64::MAX;
        match request {
            ForeignRequest::MemoryGrow { memory, delta_pages } => {
                let place = self.member(member).owners.memories[memory as usize];
                self.instance_mut(place.0).grow_memory(place.1, delta_pages).unwrap_or(refused).into()
            }
            ForeignRequest::TableGrow { table, delta, reference } => {
                let (place, ty) = self.table(member, table);
                let owner = self.module(place.0);
                let reference = self.translate(ty, reference.into(), member, (place.0, owner.contract())) as u64;
                self.instance_mut(place.0).grow_table(place.1, delta, reference).unwrap_or(refused).into()
            }
            ForeignRequest::TableSize { table } => {
                let (place, _) = self.table(member, table);
                self.instance(place.0).table_length(place.1).expect("owners have their tables").into()
            }
            ForeignRequest::TableGet { table, index } => {
                let (place, ty) = self.table(member, table);
                let element = self.instance(place.0).table_element(place.1, index).expect("the guest has checked the index");
                self.translate(ty, element.into(), place.0, (member, module.contract()))
            }
            ForeignRequest::TableSet { table, index, reference } => {
                let (place, ty) = self.table(member, table);
                let owner = self.module(place.0);
                let reference = self.translate(ty, reference.into(), member, (place.0, owner.contract())) as u64;
                self.instance_mut(place.0).set_table_element(place.1, index, reference).expect("the guest has checked the index");
                0
            }
            ForeignRequest::GlobalGet { global } => {
                let place = self.member(member).owners.globals[global as usize];
                let ty = module.contract().globals[global as usize].ty.value;
                let value = self.instance(place.0).global(place.1);
                self.translate(ty, value, place.0, (member, module.contract()))
            }
            ForeignRequest::GlobalSet { global, reference } => {
                let place = self.member(member).owners.globals[global as usize];
                let ty = module.contract().globals[global as usize].ty.value;
                let owner = self.module(place.0);
                let value = self.translate(ty, reference.into(), member, (place.0, owner.contract()));
                self.instance_mut(place.0).set_global(place.1, value);
                0
            }
            ForeignRequest::HasType { reference, type_number } => {
                let expected = &module.contract().types[type_number as usize - 1];
                let place = self.named_function(member, reference);
                place.is_some_and(|place| self.contract(place.0).function_type(place.1) == Some(expected)).into()
            }
            ForeignRequest::Call { .. } => unreachable!("calls are answered by whoever resumes"),
        }
    }

    fn table(&self, member: usize, table: u32) -> (Place, ValueType) {
        (self.member(member).owners.tables[table as usize], self.contract(member).tables[table as usize].element)
    }

    /// A trap in another member has ended what this one waits for.
    fn abandon(&mut self, member: usize, trap: Trap) -> Trap {
        self.instance_mut(member).abandon();
        trap
    }

    /// Files make hundreds of modules; one that nothing leads to gives its slot back when the next one takes its place.
    fn drop_if_unreachable(&mut self, member: Option<usize>) {
        let Some(index) = member else { return };
        let is_named = self.by_name.values().chain(self.registered.values()).any(|reachable| *reachable == index);
        let is_referred_to = self.foreign.iter().any(|place| place.0 == index);
        let is_owner = self.members.iter().flatten().any(|member| member.owners.include(index));
        if !is_named && !is_referred_to && !is_owner {
            self.members[index] = None;
        }
    }

    fn find(&self, module: Option<&str>) -> Result<usize, String> {
        match module {
            Some(name) => self.by_name.get(name).copied().ok_or_else(|| format!("no instance ${name}")),
            None => self.last.ok_or_else(|| "no instance yet".to_string()),
        }
    }

    pub fn registered(&self, name: &str) -> Option<usize> {
        self.registered.get(name).copied()
    }

    pub fn next_member(&self) -> usize {
        self.members.len()
    }

    /// A member that something leads to.
    pub fn member(&self, index: usize) -> &Member {
        self.members[index].as_ref().expect("what something leads to is kept")
    }

    pub fn instance(&self, member: usize) -> &Instance {
        &self.member(member).instance
    }

    pub fn instance_mut(&mut self, member: usize) -> &mut Instance {
        &mut self.members[member].as_mut().expect("what something leads to is kept").instance
    }

    pub fn module(&self, member: usize) -> Arc<LoadedModule> {
        self.instance(member).module().clone()
    }

    pub fn contract(&self, member: usize) -> &Contract {
        self.instance(member).module().contract()
    }

    /// The function of a foreign reference's number.
    pub fn foreign(&self, number: u32) -> Place {
        self.foreign[number as usize]
    }

    /// The number by which other members than its own refer to a function.
    pub fn foreign_number(&mut self, place: Place) -> u32 {
        let known = self.foreign.iter().position(|other| *other == place);
        known.unwrap_or_else(|| {
            self.foreign.push(place);
            self.foreign.len() - 1
        }) as u32
    }
}

/// Every module may be linked to every other.
fn policy() -> Policy {
    Policy { linked: true, memory_bytes_max: 4 << 30, ..Policy::default() }
}

/// The host module of the suite.
fn spectest() -> Arc<LoadedModule> {
    static MODULE: LazyLock<Arc<LoadedModule>> = LazyLock::new(|| {
        let wasm = wat::parse_str(include_str!("spectest.wat")).expect("spectest is right");
        load(&wasm, &policy(), setting()).expect("spectest compiles")
    });
    MODULE.clone()
}

/// `SPEC_SETTING=best` runs the suite over optimised code.
fn setting() -> Setting {
    match std::env::var("SPEC_SETTING").as_deref() {
        Ok("best") => Setting::Best,
        _ => Setting::Fast,
    }
}
