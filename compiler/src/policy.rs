//! What a module may import and how large everything may be. The caller decides; the contract carries the decision to the runtime.

use std::collections::HashMap;

use vivarium_artifact::FunctionType;

use crate::features::Features;

/// Bounds and permissions of one compilation. [`Policy::default`] permits no import.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Which features of WebAssembly may be used.
    pub features: Features,
    /// Which functions may be imported, with their types.
    pub imports: ImportPolicy,
    /// Largest length of a memory, and of all at instantiation, in bytes; `memory.grow` beyond it answers −1.
    pub memory_bytes_max: u64,
    /// Largest length of a table, in elements: room for as many is kept in every slot.
    pub table_elements_max: u64,
    /// Size of the native stack, in bytes: a multiple of the processor's page.
    pub stack_bytes: u64,
    /// Largest wasm binary, in bytes.
    pub wasm_bytes_max: u64,
    /// Most functions of a module, imported ones included.
    pub functions_max: u64,
    /// Most instructions of one function.
    pub operators_of_function_max: u64,
    /// Most values in one function: results of instructions, and what branches hand on.
    pub values_of_function_max: u64,
    /// What may catch an exception at one call: a throw looks at all of them, in each frame that it passes, while nobody else runs on its thread.
    pub clauses_of_call_max: u64,
    /// Largest stack frame of a function, in bytes; the compiler itself permits none that could jump over the guard below a stack.
    pub frame_bytes_max: u64,
    /// Largest machine code of a module with what lies beside it, its passive segments above all, in bytes.
    pub code_bytes_max: u64,
    /// Largest part of a slot below memory 0, in bytes: stack, context and tables. The runtime's slots have room for 16 MiB.
    pub head_bytes_max: u64,
    /// Largest image of a slot without its stack, in bytes: context, tables and the part of memory that begins with data.
    pub image_bytes_max: u64,
    /// Whether the module becomes part of a group of linked instances: it may import anything then, and whoever instantiates it compares the types. Only
    /// drivers of test suites can.
    pub linked: bool,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            features: Features::PRODUCT,
            imports: ImportPolicy::default(),
            memory_bytes_max: 128 << 20,
            table_elements_max: 10_000,
            stack_bytes: 1 << 20,
            wasm_bytes_max: 16 << 20,
            functions_max: 50_000,
            operators_of_function_max: 1_000_000,
            values_of_function_max: 16_000_000,
            clauses_of_call_max: 64,
            frame_bytes_max: 1 << 20,
            code_bytes_max: 64 << 20,
            head_bytes_max: 16 << 20,
            image_bytes_max: 64 << 20,
            linked: false,
        }
    }
}

/// What hosts answer, by module and name.
#[derive(Debug, Clone, Default)]
pub struct ImportPolicy {
    functions: HashMap<String, HashMap<String, FunctionType>>,
}

impl ImportPolicy {
    /// A policy that permits exactly these functions: module, name, type.
    pub fn new<'a>(functions: impl IntoIterator<Item = (&'a str, &'a str, FunctionType)>) -> ImportPolicy {
        let mut policy = ImportPolicy::default();
        for (module, name, ty) in functions {
            policy.functions.entry(module.to_owned()).or_default().insert(name.to_owned(), ty);
        }
        policy
    }

    /// The type that an import of this name must have; none when it is not permitted.
    pub fn lookup(&self, module: &str, name: &str) -> Option<&FunctionType> {
        self.functions.get(module)?.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_is_found_by_both_of_its_names() {
        let policy = ImportPolicy::new([("env", "emit", FunctionType::default())]);
        assert_eq!(policy.lookup("env", "emit"), Some(&FunctionType::default()));
        assert_eq!(policy.lookup("emit", "env"), None);
        assert_eq!(policy.lookup("env", "emits"), None);
    }
}
