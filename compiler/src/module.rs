//! A module that the validator has accepted, in the form that the later stages use.

use vivarium_artifact::{AddressType, Export, FunctionType, GlobalType, ImportedFunction, ValueType};
use wasmparser::FunctionBody;

use crate::constant::Constant;
use crate::relocations::Relocations;

/// A valid module whose imports the policy permits. Only `validate` makes one; later stages rely on its indices being in range.
#[derive(Debug)]
pub struct ValidatedModule<'a> {
    /// Canonical signatures; number n is at n − 1.
    pub signatures: Vec<FunctionType>,
    /// The signature's number of each type index.
    pub types: Vec<u32>,
    pub imports: Vec<ImportedFunction>,
    /// The signature's number of each function, imported ones first.
    pub function_types: Vec<u32>,
    /// Each function's name, from the name section or an export.
    pub function_names: Vec<Option<String>>,
    pub tables: Vec<Table>,
    pub memories: Vec<Memory>,
    pub globals: Vec<Global>,
    pub exports: Vec<Export>,
    pub start: Option<u32>,
    pub elements: Vec<ElementSegment>,
    pub data: Vec<DataSegment<'a>>,
    /// Bodies of the functions that are not imported, in order.
    pub bodies: Vec<FunctionBody<'a>>,
    /// Where the linker kept them.
    pub relocations: Option<Relocations>,
}

/// A table of the module's own.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    pub address: AddressType,
    pub element: ValueType,
    /// In elements.
    pub minimum: u64,
    pub maximum: Option<u64>,
}

/// A memory of the module's own.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    pub address: AddressType,
    /// Size of its pages, in bytes: 64 KiB, or 1.
    pub page_bytes: u64,
    pub minimum_pages: u64,
    pub maximum_pages: Option<u64>,
}

/// A global.
#[derive(Debug, Clone)]
pub struct Global {
    pub ty: GlobalType,
    pub source: GlobalSource,
}

/// Where a global's first value comes from.
#[derive(Debug, Clone)]
pub enum GlobalSource {
    Constant(Constant),
    Imported { module: String, name: String },
}

/// An element segment, its items evaluated to references.
#[derive(Debug, Clone)]
pub struct ElementSegment {
    pub mode: SegmentMode,
    pub items: Vec<u64>,
}

/// A data segment.
#[derive(Debug, Clone)]
pub struct DataSegment<'a> {
    pub mode: SegmentMode,
    pub bytes: &'a [u8],
}

/// When a segment is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentMode {
    /// At instantiation, to this table or memory.
    Active { target: u32, offset: u64 },
    /// By an instruction.
    Passive,
    /// Never: it only declares functions that `ref.func` may name.
    Declared,
}

impl Memory {
    /// Length at instantiation, in bytes.
    pub fn minimum_bytes(&self) -> u64 {
        self.minimum_pages.saturating_mul(self.page_bytes)
    }
}

impl ValidatedModule<'_> {
    /// How wide the indices of a table are.
    pub fn table_address(&self, table: u32) -> AddressType {
        self.tables[table as usize].address
    }

    /// The signature of this canonical number.
    pub fn signature(&self, number: u32) -> &FunctionType {
        &self.signatures[number as usize - 1]
    }

    /// The signature's number of a function.
    pub fn function_type(&self, function: u32) -> u32 {
        self.function_types[function as usize]
    }

    /// The index of the function with this body.
    pub fn function_of_body(&self, body: u32) -> u32 {
        self.imports.len() as u32 + body
    }

    /// The name of a function, or `function[index]`.
    pub fn display_name(&self, function: u32) -> String {
        let name = self.function_names.get(function as usize).cloned().flatten();
        name.unwrap_or_else(|| format!("function[{function}]"))
    }
}
