//! Modules that packages of npm ship, as `tests/modules/package-lock.json` pins them: what other people's toolchains make of C, C++, Go and Rust.
//!
//! [`Guest`] calls their exports and answers what they import: WASI with the product's own host functions, everything else by an [`Imports`]. [`bindgen`]
//! is one for what wasm-bindgen makes.

pub mod bindgen;

use std::path::Path;
use std::sync::Arc;

use vivarium_abi::{Answer, Host, HostFunction, HostInput, HostLimits};
use vivarium_artifact::{ExportedItem, FunctionType, Setting, ValueType};
use vivarium_compiler::{CompileError, ImportPolicy, Policy};
use vivarium_runtime::{Exit, Instance, LoadedModule, Pool};
use wasmparser::{Parser, Payload, TypeRef, Validator};

use crate::engine::{limits, load, run};

/// A file of one of the packages, such as `sql.js/dist/sql-wasm.wasm`.
pub fn file(path: &str) -> Vec<u8> {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("modules/node_modules");
    std::fs::read(packages.join(path)).unwrap_or_else(|error| panic!("{path}: {error}; `make modules` fetches it"))
}

/// What the product permits, but for what these modules import and for how large the largest is.
pub fn policy(wasm: &[u8]) -> Policy {
    let imports = imported_functions(wasm);
    let imports = ImportPolicy::new(imports.iter().map(|(module, name, ty)| (module.as_str(), name.as_str(), ty.clone())));
    Policy { imports, wasm_bytes_max: 32 << 20, table_elements_max: 20_000, ..Policy::default() }
}

/// Compiles and loads.
pub fn compile(wasm: &[u8], setting: Setting) -> Result<Arc<LoadedModule>, CompileError> {
    load(wasm, &policy(wasm), setting)
}

/// Every import of a function at the type that the module gives it.
fn imported_functions(wasm: &[u8]) -> Vec<(String, String, FunctionType)> {
    let types = Validator::new().validate_all(wasm).expect("the package ships valid wasm");
    let types = types.as_ref();
    let mut imports = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::ImportSection(section) = payload.expect("it was validated") else { continue };
        for import in section.into_imports() {
            let import = import.expect("it was validated");
            if let TypeRef::Func(index) = import.ty {
                let ty = types[types.core_type_at_in_module(index)].unwrap_func();
                let list = |values: &[wasmparser::ValType]| values.iter().map(|ty| value_type(*ty)).collect();
                let ty = FunctionType { parameters: list(ty.params()), results: list(ty.results()) };
                imports.push((import.module.to_owned(), import.name.to_owned(), ty));
            }
        }
    }
    imports
}

fn value_type(ty: wasmparser::ValType) -> ValueType {
    match ty {
        wasmparser::ValType::I32 => ValueType::I32,
        wasmparser::ValType::I64 => ValueType::I64,
        wasmparser::ValType::F32 => ValueType::F32,
        wasmparser::ValType::F64 => ValueType::F64,
        other => panic!("a function over {other} is imported"),
    }
}

/// Answers what is imported beside WASI.
pub trait Imports {
    /// The result of a call of this function, if it has one. The guest may be called meanwhile.
    fn answer(&mut self, name: &str, arguments: &[u64], guest: &mut Guest) -> Option<u64>;
}

/// Nothing is imported.
#[derive(Debug, Clone, Copy)]
pub struct NoImports;

impl Imports for NoImports {
    fn answer(&mut self, name: &str, _: &[u64], _: &mut Guest) -> Option<u64> {
        panic!("{name} was called")
    }
}

/// An instance, and the world that WASI gives it.
#[derive(Debug)]
pub struct Guest {
    instance: Instance,
    wasi: Host,
}

impl Guest {
    /// A fresh instance whose start function, if it has one, has run.
    pub fn start(pool: &Pool, module: &Arc<LoadedModule>, input: HostInput, imports: &mut dyn Imports) -> Guest {
        let wasi = Host::new(input, HostLimits::default()).expect("what the test gives it is within the limits");
        let instance = pool.acquire(module, limits()).expect("a slot is free");
        let mut guest = Guest { instance, wasi };
        if guest.instance.initialize().expect("instantiation begins") {
            assert_eq!(guest.finish(imports), None);
        }
        guest
    }

    /// Calls an export, which must return. Arguments and results are bits.
    pub fn call(&mut self, imports: &mut dyn Imports, export: &str, arguments: &[u64]) -> Vec<u64> {
        let Some(ExportedItem::Function(function)) = self.instance.module().contract().export(export) else {
            panic!("no function {export} is exported");
        };
        let arguments: Vec<u128> = arguments.iter().map(|bits| u128::from(*bits)).collect();
        self.instance.invoke(function, &arguments).unwrap_or_else(|error| panic!("{export}: {error}"));
        assert_eq!(self.finish(imports), None, "{export}");
        let results = self.instance.module().contract().function_type(function).expect("it has a type").results.len();
        (0..results as u32).map(|index| self.instance.result(index) as u64).collect()
    }

    /// [`Guest::call`] of a function with one result.
    pub fn call_one(&mut self, imports: &mut dyn Imports, export: &str, arguments: &[u64]) -> u64 {
        self.call(imports, export, arguments)[0]
    }

    /// Runs a command to its end; its exit code, and what it wrote to stdout.
    pub fn run_command(&mut self) -> (u32, String) {
        let start = vivarium_abi::entry_point(self.instance.module().contract()).expect("it is a command");
        self.instance.invoke(start, &[]).expect("the call can begin");
        let code = self.finish(&mut NoImports).unwrap_or(0);
        (code, String::from_utf8_lossy(&self.wasi.take_stdout()).into_owned())
    }

    /// How many parameters an export has.
    pub fn parameters(&self, export: &str) -> usize {
        let contract = self.instance.module().contract();
        let Some(ExportedItem::Function(function)) = contract.export(export) else { panic!("no function {export} is exported") };
        contract.function_type(function).expect("it has a type").parameters.len()
    }

    pub fn read(&self, address: u64, bytes: u64) -> &[u8] {
        &self.instance.memory()[address as usize..][..bytes as usize]
    }

    pub fn read_u32(&self, address: u64) -> u64 {
        u32::from_le_bytes(self.read(address, 4).try_into().expect("four bytes")).into()
    }

    /// Up to the next zero.
    pub fn read_text(&self, address: u64) -> String {
        let bytes = self.instance.memory()[address as usize..].split(|byte| *byte == 0).next().expect("memory goes on there");
        String::from_utf8_lossy(bytes).into_owned()
    }

    pub fn write(&mut self, address: u64, bytes: &[u8]) {
        self.instance.memory_mut(address, bytes.len() as u64).expect("it lies in memory").copy_from_slice(bytes);
    }

    /// Answers what the guest imports until its topmost call returns; the code if it exits instead.
    fn finish(&mut self, imports: &mut dyn Imports) -> Option<u32> {
        loop {
            match run(&mut self.instance) {
                Exit::Done => return None,
                Exit::Hostcall { import } => {
                    if let Some(code) = self.answer(import, imports) {
                        return Some(code);
                    }
                }
                exit => panic!("{exit:?}; it wrote {:?}", String::from_utf8_lossy(&self.wasi.take_stderr())),
            }
        }
    }

    fn answer(&mut self, import: u32, imports: &mut dyn Imports) -> Option<u32> {
        let module = self.instance.module().clone();
        let import = &module.contract().imports[import as usize];
        let Some(function) = HostFunction::find(&import.module, &import.name) else {
            let arguments: Vec<u64> = (0..import.ty.parameters.len() as u32).map(|index| self.instance.argument(index)).collect();
            let answer = imports.answer(&import.name, &arguments, self);
            self.instance.answer(answer.as_slice());
            return None;
        };
        let mut answer = self.wasi.call_function(function, &mut self.instance);
        while let Answer::Wait(_) = answer {
            answer = self.wasi.finish_wait(&mut self.instance);
        }
        match answer {
            Answer::Return(values) => self.instance.answer(values.as_slice()),
            Answer::Exit(code) => return Some(code),
            answer => panic!("{}: {answer:?}", import.name),
        }
        None
    }
}
