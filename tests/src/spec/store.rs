//! Instances by name, and what they link to: the `spectest` host module, and functions and immutable globals of instances that were registered.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use vivarium_artifact::{ExportedItem, FunctionType, GlobalInitial, Setting, ValueType};
use vivarium_compiler::{CompileError, ImportPolicy, Policy};
use vivarium_runtime::{Exit, Instance, LoadedModule, Pool, Trap};

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
    /// It is valid only with a feature that the compiler does not translate.
    Feature(String),
    /// The compiler does not translate it, though no feature is to blame.
    Unsupported(String),
    /// Instantiation trapped.
    Trap(Trap),
    Host(String),
}

impl std::fmt::Display for InstantiateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            InstantiateError::Invalid(reason) => write!(f, "invalid: {reason}"),
            InstantiateError::Link(reason) => write!(f, "does not link: {reason}"),
            InstantiateError::Feature(reason) | InstantiateError::Unsupported(reason) => write!(f, "not translated: {reason}"),
            InstantiateError::Trap(trap) => write!(f, "instantiation trapped: {}", trap.kind),
            InstantiateError::Host(reason) => write!(f, "the host failed: {reason}"),
        }
    }
}

/// All instances of one file.
pub struct Store {
    pool: Pool,
    instances: Vec<Option<Instance>>,
    by_name: HashMap<String, usize>,
    registered: HashMap<String, usize>,
    definitions: HashMap<String, Vec<u8>>,
    last: Option<usize>,
    last_definition: Option<Vec<u8>>,
}

/// Who answers an imported function.
enum Callee {
    /// A function of `spectest` that prints: nothing to see here.
    Print,
    Other {
        instance: usize,
        function: u32,
    },
}

impl Store {
    pub fn new(pool: Pool) -> Store {
        Store {
            pool,
            instances: vec![],
            by_name: HashMap::new(),
            registered: HashMap::new(),
            definitions: HashMap::new(),
            last: None,
            last_definition: None,
        }
    }

    pub fn define(&mut self, name: Option<String>, wasm: Vec<u8>) -> Result<(), String> {
        self.compile(&wasm).map_err(|error| error.to_string())?;
        if let Some(name) = name {
            self.definitions.insert(name, wasm.clone());
        }
        self.last_definition = Some(wasm);
        Ok(())
    }

    pub fn instantiate_definition(&mut self, name: Option<String>, definition: Option<&str>) -> Result<(), String> {
        let wasm = match definition {
            Some(definition) => self.definitions.get(definition).cloned(),
            None => self.last_definition.clone(),
        };
        let wasm = wasm.ok_or("no such definition")?;
        self.instantiate(name, &wasm).map_err(|error| error.to_string())
    }

    pub fn register(&mut self, name: &str, module: Option<&str>) -> Result<(), String> {
        let instance = self.find(module)?;
        self.registered.insert(name.to_string(), instance);
        Ok(())
    }

    pub fn compile(&self, wasm: &[u8]) -> Result<Arc<LoadedModule>, InstantiateError> {
        let policy = Policy { imports: self.imports(), imported_globals: true, memory_bytes_max: 4 << 30, ..Policy::default() };
        load(wasm, &policy, setting()).map_err(|error| match error {
            CompileError::Invalid { .. } => InstantiateError::Invalid(error.to_string()),
            CompileError::Unsupported { ref what, .. } if !what.contains("imported global") => InstantiateError::Feature(error.to_string()),
            CompileError::UnknownImport { .. } | CompileError::ImportType { .. } => InstantiateError::Link(error.to_string()),
            other => InstantiateError::Unsupported(other.to_string()),
        })
    }

    pub fn instantiate(&mut self, name: Option<String>, wasm: &[u8]) -> Result<(), InstantiateError> {
        let module = self.compile(wasm)?;
        let mut instance = self.pool.acquire(&module, limits()).map_err(|error| InstantiateError::Host(error.to_string()))?;
        self.set_imported_globals(&mut instance)?;
        let must_run = instance.initialize().map_err(|error| InstantiateError::Host(error.to_string()))?;
        self.instances.push(Some(instance));
        let index = self.instances.len() - 1;
        if must_run {
            self.resume(index).map_err(InstantiateError::Host)?.map_err(InstantiateError::Trap)?;
        }
        if let Some(name) = name {
            self.by_name.insert(name, index);
        }
        let replaced = self.last.replace(index);
        self.drop_if_unreachable(replaced);
        Ok(())
    }

    pub fn call(&mut self, module: Option<&str>, export: &str, arguments: &[u128]) -> Result<Call, String> {
        let index = self.find(module)?;
        let instance = self.instances[index].as_mut().ok_or("the instance is in a call")?;
        let Some(ExportedItem::Function(function)) = instance.module().contract().export(export) else {
            return Err(format!("no exported function {export}"));
        };
        self.call_function(index, function, arguments)
    }

    pub fn global(&self, module: Option<&str>, export: &str) -> Result<Typed, String> {
        let instance = self.instances[self.find(module)?].as_ref().ok_or("the instance is in a call")?;
        match instance.module().contract().export(export) {
            Some(ExportedItem::Global(global)) => {
                let ty = instance.module().contract().globals[global as usize].ty.value;
                Ok(Typed { ty, bits: instance.global(global) })
            }
            _ => Err(format!("no exported global {export}")),
        }
    }

    fn call_function(&mut self, index: usize, function: u32, arguments: &[u128]) -> Result<Call, String> {
        let instance = self.instances[index].as_mut().ok_or("the instance is in a call")?;
        instance.invoke(function, arguments).map_err(|error| error.to_string())?;
        let call = self.resume(index)?;
        Ok(call.map(|()| {
            let instance = self.instances[index].as_ref().expect("resume puts the instance back");
            let results = &instance.module().contract().function_type(function).expect("it was called").results;
            results.iter().enumerate().map(|(result, ty)| Typed { ty: *ty, bits: instance.result(result as u32) }).collect()
        }))
    }

    /// Resumes an instance until its call ends, answering its hostcalls.
    fn resume(&mut self, index: usize) -> Result<Result<(), Trap>, String> {
        let deadline = Instant::now() + CALL_MAX;
        loop {
            let mut instance = self.instances[index].take().ok_or("the instance is in a call")?;
            let exit = instance.resume();
            let module = instance.module().clone();
            let parameters = match exit {
                Exit::Hostcall { import } => module.contract().imports[import as usize].ty.parameters.len(),
                _ => 0,
            };
            let arguments: Vec<u128> = (0..parameters as u32).map(|argument| instance.argument_bits(argument)).collect();
            self.instances[index] = Some(instance);
            match exit {
                Exit::Done => return Ok(Ok(())),
                Exit::Trapped(trap) => return Ok(Err(trap)),
                Exit::Preempted if Instant::now() > deadline => return Err(format!("the call did not end within {CALL_MAX:?}")),
                Exit::Preempted => {}
                Exit::Hostcall { import } => match self.callee(&module, import) {
                    Callee::Print => self.answer(index, &[]),
                    Callee::Other { instance, function } => match self.call_function(instance, function, &arguments)? {
                        Ok(results) => self.answer(index, &results.iter().map(|result| result.bits).collect::<Vec<_>>()),
                        Err(trap) => {
                            self.instances[index].as_mut().expect("resume puts the instance back").abandon();
                            return Ok(Err(trap));
                        }
                    },
                },
            }
        }
    }

    fn answer(&mut self, index: usize, results: &[u128]) {
        self.instances[index].as_mut().expect("resume puts the instance back").answer_bits(results);
    }

    fn callee(&self, module: &LoadedModule, import: u32) -> Callee {
        let import = &module.contract().imports[import as usize];
        let Some(&instance) = self.registered.get(&import.module) else { return Callee::Print };
        let exporter = self.instances[instance].as_ref().expect("a registered instance that is in a call has no callee resolved");
        match exporter.module().contract().export(&import.name) {
            Some(ExportedItem::Function(function)) => Callee::Other { instance, function },
            _ => Callee::Print,
        }
    }

    fn imports(&self) -> ImportPolicy {
        use ValueType::{F32, F64, I32, I64};
        let print = |parameters: &[ValueType]| FunctionType { parameters: parameters.to_vec(), results: vec![] };
        let mut globals: Vec<(&str, &str)> =
            ["global_i32", "global_i64", "global_f32", "global_f64"].map(|name| ("spectest", name)).to_vec();
        let mut imports = vec![
            ("spectest".to_string(), "print".to_string(), print(&[])),
            ("spectest".into(), "print_i32".into(), print(&[I32])),
            ("spectest".into(), "print_i64".into(), print(&[I64])),
            ("spectest".into(), "print_f32".into(), print(&[F32])),
            ("spectest".into(), "print_f64".into(), print(&[F64])),
            ("spectest".into(), "print_i32_f32".into(), print(&[I32, F32])),
            ("spectest".into(), "print_f64_f64".into(), print(&[F64, F64])),
        ];
        for (name, index) in &self.registered {
            let Some(instance) = &self.instances[*index] else { continue };
            let contract = instance.module().contract();
            for export in &contract.exports {
                match export.item {
                    ExportedItem::Function(function) => {
                        let ty = contract.function_type(function).expect("exports name functions that exist");
                        imports.push((name.clone(), export.name.clone(), ty.clone()));
                    }
                    ExportedItem::Global(_) => globals.push((name, &export.name)),
                    ExportedItem::Memory(_) | ExportedItem::Table(_) => {}
                }
            }
        }
        let policy = ImportPolicy::new(imports.iter().map(|(module, name, ty)| (module.as_str(), name.as_str(), ty.clone())));
        globals.into_iter().fold(policy, |policy, (module, name)| match self.imported_global(module, name) {
            Some(value) => policy.with_global_value(module, name, value.bits),
            None => policy,
        })
    }

    fn set_imported_globals(&self, instance: &mut Instance) -> Result<(), InstantiateError> {
        let module = instance.module().clone();
        for (index, plan) in module.contract().globals.iter().enumerate() {
            if let GlobalInitial::Imported { module, name } = &plan.initial {
                let value = self.imported_global(module, name).filter(|value| value.ty == plan.ty.value && !plan.ty.mutable);
                let value = value.ok_or_else(|| InstantiateError::Link(format!("no global {module}.{name} of this type")))?;
                instance.set_global(index as u32, value.bits);
            }
        }
        Ok(())
    }

    fn imported_global(&self, module: &str, name: &str) -> Option<Typed> {
        if module == "spectest" {
            let (ty, bits) = match name {
                "global_i32" => (ValueType::I32, 666),
                "global_i64" => (ValueType::I64, 666),
                "global_f32" => (ValueType::F32, u128::from(666.6f32.to_bits())),
                "global_f64" => (ValueType::F64, u128::from(666.6f64.to_bits())),
                _ => return None,
            };
            return Some(Typed { ty, bits });
        }
        let instance = self.instances[*self.registered.get(module)?].as_ref()?;
        match instance.module().contract().export(name)? {
            ExportedItem::Global(global) => {
                let ty = &instance.module().contract().globals[global as usize].ty;
                // Importing a mutable global as an immutable one does not link.
                (!ty.mutable).then(|| Typed { ty: ty.value, bits: instance.global(global) })
            }
            _ => None,
        }
    }

    /// Files make hundreds of modules; one that no name leads to gives its slot back when the next one takes its place.
    fn drop_if_unreachable(&mut self, instance: Option<usize>) {
        if let Some(index) = instance
            && !self.by_name.values().chain(self.registered.values()).any(|reachable| *reachable == index)
        {
            self.instances[index] = None;
        }
    }

    fn find(&self, module: Option<&str>) -> Result<usize, String> {
        match module {
            Some(name) => self.by_name.get(name).copied().ok_or_else(|| format!("no instance ${name}")),
            None => self.last.ok_or_else(|| "no instance yet".to_string()),
        }
    }
}

/// `SPEC_SETTING=best` runs the suite over optimised code.
fn setting() -> Setting {
    match std::env::var("SPEC_SETTING").as_deref() {
        Ok("best") => Setting::Best,
        _ => Setting::Fast,
    }
}
