//! Instances by name, each a *member* of the store. A name stands for why there is no instance, too: what asks for it then fails for that reason.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use vivarium_artifact::{Contract, ExportedItem, Setting};
use vivarium_compiler::{CompileError, Features, Policy};
use vivarium_runtime::{Exception, Instance, LoadedModule, Pool, Trap};

use super::folders::{Rules, Segments};
use super::linking::{Owners, Place};
use super::values::Typed;
use crate::engine::{limits, load};

/// What a call gave: results, or what ended it.
pub type Call = Result<Vec<Typed>, End>;

/// What ended a call that did not return.
#[derive(Debug)]
pub enum End {
    Trap(Trap),
    /// Nothing in the instance has caught it.
    Thrown(Exception),
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            End::Trap(trap) => write!(f, "trapped: {}", trap.kind),
            End::Thrown(_) => f.write_str("threw an exception"),
        }
    }
}

/// Why there is no instance.
#[derive(Debug)]
pub enum InstantiateError {
    /// The bytes are malformed or invalid.
    Invalid(String),
    /// An import is unknown or has another type.
    Link(String),
    /// It is valid, but larger than the store permits.
    Limit(String),
    /// It is valid only with a feature that the file's folder does not have.
    Feature(String),
    /// It is valid, but the compiler does not translate it.
    Unsupported(String),
    /// Instantiation did not come to its end.
    End(End),
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
            InstantiateError::End(end) => write!(f, "instantiation {end}"),
            InstantiateError::Host(reason) => write!(f, "the host failed: {reason}"),
        }
    }
}

/// What a name stands for, or why it stands for nothing.
type Named<T> = Result<T, String>;

/// All instances of one file. A member's number stays its own; one that nothing leads to any more is `None`.
pub struct Store {
    pool: Pool,
    rules: Rules,
    members: Vec<Option<Member>>,
    /// Functions that some member holds a foreign reference to: the reference's number is the position here.
    foreign: Vec<Place>,
    by_name: HashMap<String, Named<usize>>,
    registered: HashMap<String, Named<usize>>,
    definitions: HashMap<String, Named<Arc<LoadedModule>>>,
    last: Named<usize>,
    last_definition: Named<Arc<LoadedModule>>,
}

/// An instance and who owns what it imports.
pub struct Member {
    pub instance: Instance,
    pub owners: Owners,
}

impl Store {
    /// A store with the host module `spectest`; modules are taken by these rules.
    pub fn new(pool: Pool, rules: Rules) -> Store {
        let mut store = Store {
            pool,
            rules,
            members: vec![],
            foreign: vec![],
            by_name: HashMap::new(),
            registered: HashMap::new(),
            definitions: HashMap::new(),
            last: Err("no instance yet".into()),
            last_definition: Err("no definition yet".into()),
        };
        let spectest = store.instantiate_module(&spectest()).expect("spectest imports nothing");
        store.registered.insert("spectest".into(), Ok(spectest));
        store
    }

    /// Instantiates a module; until the next one, it is the one that directives without a name mean.
    pub fn instantiate_named(&mut self, name: Option<&str>, wasm: Named<Vec<u8>>) -> Result<(), String> {
        let member = wasm.and_then(|wasm| self.instantiate(&wasm).map_err(|error| error.to_string()));
        self.name(name, member)
    }

    /// Compiles a module to be instantiated later. One that is valid and only too large for the store is defined nevertheless.
    pub fn define(&mut self, name: Option<&str>, wasm: Named<Vec<u8>>) -> Result<(), String> {
        let compiled = wasm.map(|wasm| self.compile(&wasm));
        let is_valid = matches!(compiled, Ok(Ok(_) | Err(InstantiateError::Limit(_))));
        let module = compiled.and_then(|module| module.map_err(|error| error.to_string()));
        if let Some(name) = name {
            self.definitions.insert(name.to_owned(), module.clone());
        }
        self.last_definition = module.clone();
        if is_valid { Ok(()) } else { module.map(drop) }
    }

    pub fn instantiate_definition(&mut self, name: Option<&str>, definition: Option<&str>) -> Result<(), String> {
        let module = match definition {
            Some(definition) => self.definitions.get(definition).cloned().unwrap_or_else(|| Err(format!("no definition ${definition}"))),
            None => self.last_definition.clone(),
        };
        let member = module.and_then(|module| self.instantiate_module(&module).map_err(|error| error.to_string()));
        self.name(name, member)
    }

    pub fn register(&mut self, name: &str, module: Option<&str>) -> Result<(), String> {
        let member = self.find(module);
        self.registered.insert(name.to_string(), member.clone());
        member.map(drop)
    }

    /// Gives what a directive has made its name, if it has one.
    fn name(&mut self, name: Option<&str>, member: Named<usize>) -> Result<(), String> {
        let unnamed = std::mem::replace(&mut self.last, member.clone());
        let renamed = name.and_then(|name| self.by_name.insert(name.to_owned(), member.clone()));
        for replaced in renamed.into_iter().chain([unnamed]).flatten() {
            self.drop_if_unreachable(replaced);
        }
        member.map(drop)
    }

    pub fn compile(&self, wasm: &[u8]) -> Result<Arc<LoadedModule>, InstantiateError> {
        load(wasm, &policy(self.rules.features), setting()).map_err(|error| match error {
            CompileError::Invalid { .. } => InstantiateError::Invalid(error.to_string()),
            CompileError::Limit { .. } => InstantiateError::Limit(error.to_string()),
            CompileError::Feature { .. } => InstantiateError::Feature(error.to_string()),
            CompileError::Unsupported { what, .. } => InstantiateError::Unsupported(what),
            other => InstantiateError::Unsupported(other.to_string()),
        })
    }

    /// A new member, which nothing leads to yet.
    pub fn instantiate(&mut self, wasm: &[u8]) -> Result<usize, InstantiateError> {
        let module = self.compile(wasm)?;
        if self.rules.segments == Segments::CheckedFirst {
            let owners = self.resolve(module.contract()).map_err(InstantiateError::Link)?;
            self.check_segments(wasm, module.contract(), &owners).map_err(InstantiateError::Link)?;
        }
        self.instantiate_module(&module)
    }

    fn instantiate_module(&mut self, module: &Arc<LoadedModule>) -> Result<usize, InstantiateError> {
        let host = |error: &dyn std::fmt::Display| InstantiateError::Host(error.to_string());
        let owners = self.resolve(module.contract()).map_err(InstantiateError::Link)?;
        let mut instance = self.pool.acquire(module, limits()).map_err(|error| host(&error))?;
        self.link(&mut instance, &owners).map_err(|error| InstantiateError::Link(error.to_string()))?;
        let must_run = instance.initialize().map_err(|error| host(&error))?;
        let index = self.next_member();
        self.members.push(Some(Member { instance, owners }));
        let initialized = if must_run { self.resume(index) } else { Ok(Ok(())) };
        match initialized.map_err(InstantiateError::Host)? {
            Ok(()) => Ok(index),
            Err(end) => {
                self.drop_if_unreachable(index);
                Err(InstantiateError::End(end))
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

    /// Files make hundreds of modules; one that nothing leads to gives its slot back when the next one takes its place.
    pub fn drop_if_unreachable(&mut self, index: usize) {
        let names = self.by_name.values().chain(self.registered.values()).chain([&self.last]);
        let is_named = names.flatten().any(|reachable| *reachable == index);
        let is_referred_to = self.foreign.iter().any(|place| place.0 == index);
        let is_owner = self.members.iter().flatten().any(|member| member.owners.include(index));
        if !is_named && !is_referred_to && !is_owner {
            self.members[index] = None;
        }
    }

    fn find(&self, module: Option<&str>) -> Named<usize> {
        match module {
            Some(name) => self.by_name.get(name).cloned().unwrap_or_else(|| Err(format!("no instance ${name}"))),
            None => self.last.clone(),
        }
    }

    /// The member that others import from by this name: one that was registered, or else one that a directive named, for files that are not the suite's
    /// rely on that.
    pub fn registered(&self, name: &str) -> Named<usize> {
        let named = self.registered.get(name).or_else(|| self.by_name.get(name));
        named.cloned().unwrap_or_else(|| Err(format!("nothing is registered as {name}")))
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
fn policy(features: Features) -> Policy {
    Policy { features, linked: true, memory_bytes_max: 4 << 30, ..Policy::default() }
}

/// The host module of the suite.
fn spectest() -> Arc<LoadedModule> {
    static MODULE: LazyLock<Arc<LoadedModule>> = LazyLock::new(|| {
        let wasm = wat::parse_str(include_str!("spectest.wat")).expect("spectest is right");
        load(&wasm, &policy(Features::PRODUCT), setting()).expect("spectest compiles")
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
