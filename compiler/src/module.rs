//! A module that the validator has accepted, in the form that the later stages use.

use vivarium_artifact::{AddressType, Export, FunctionType, GlobalType, ImportName, ImportedFunction, TagPlan, TypeDigest, ValueType};
use wasmparser::{ConstExpr, FunctionBody};

use crate::constant::Constant;
use crate::relocations::Relocations;

/// A valid module whose imports the policy permits. Only `validate` makes one; later stages rely on its indices being in range.
#[derive(Debug)]
pub struct ValidatedModule<'a> {
    /// Canonical signatures; number n is at n − 1.
    pub signatures: Vec<FunctionType>,
    /// What the same are called in every module.
    pub type_digests: Vec<TypeDigest>,
    /// The signature's number of each type index.
    pub types: Vec<u32>,
    pub imports: Vec<ImportedFunction>,
    /// The signature's number of each function, imported ones first.
    pub function_types: Vec<u32>,
    /// Each function's name, from the name section or an export.
    pub function_names: Vec<Option<String>>,
    pub tables: Vec<Table<'a>>,
    pub memories: Vec<Memory>,
    pub globals: Vec<Global<'a>>,
    /// Imported ones first.
    pub tags: Vec<TagPlan>,
    pub exports: Vec<Export>,
    pub start: Option<u32>,
    pub elements: Vec<ElementSegment<'a>>,
    pub data: Vec<DataSegment<'a>>,
    /// Bodies of the functions that are not imported, in order.
    pub bodies: Vec<FunctionBody<'a>>,
    /// Where the linker kept them.
    pub relocations: Option<Relocations>,
}

/// A table.
#[derive(Debug, Clone)]
pub struct Table<'a> {
    pub address: AddressType,
    pub element: ValueType,
    /// In elements.
    pub minimum: u64,
    pub maximum: Option<u64>,
    pub initial: TableInitial<'a>,
    pub import: Option<ImportName>,
}

/// What a table of the module's own is filled with before any segment is copied.
#[derive(Debug, Clone)]
pub enum TableInitial<'a> {
    /// A reference, zero when null.
    Constant(u64),
    /// It depends on what is imported.
    Late(ConstExpr<'a>),
}

/// A memory.
#[derive(Debug, Clone)]
pub struct Memory {
    pub address: AddressType,
    /// Size of its pages, in bytes: 64 KiB, or 1.
    pub page_bytes: u64,
    pub minimum_pages: u64,
    pub maximum_pages: Option<u64>,
    pub import: Option<ImportName>,
}

/// A global.
#[derive(Debug, Clone)]
pub struct Global<'a> {
    pub ty: GlobalType,
    pub source: GlobalSource<'a>,
}

/// Where a global's first value comes from.
#[derive(Debug, Clone)]
pub enum GlobalSource<'a> {
    Constant(Constant),
    /// It depends on what is imported.
    Late(ConstExpr<'a>),
    Imported(ImportName),
}

/// An element segment, its items evaluated to references.
#[derive(Debug, Clone)]
pub struct ElementSegment<'a> {
    pub mode: SegmentMode<'a>,
    /// Null where `late` has an expression.
    pub items: Vec<u64>,
    /// Positions and items that depend on what is imported, in order.
    pub late: Vec<(u32, ConstExpr<'a>)>,
}

/// A data segment.
#[derive(Debug, Clone)]
pub struct DataSegment<'a> {
    pub mode: SegmentMode<'a>,
    pub bytes: &'a [u8],
}

/// When a segment is copied.
#[derive(Debug, Clone)]
pub enum SegmentMode<'a> {
    /// At instantiation, to this table or memory.
    Active { target: u32, offset: SegmentOffset<'a> },
    /// By an instruction.
    Passive,
    /// Never: it only declares functions that `ref.func` may name.
    Declared,
}

/// Where an active segment goes.
#[derive(Debug, Clone)]
pub enum SegmentOffset<'a> {
    Constant(u64),
    /// It depends on what is imported.
    Late(ConstExpr<'a>),
}

impl SegmentMode<'_> {
    pub fn is_passive(&self) -> bool {
        matches!(self, SegmentMode::Passive)
    }
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

    /// Types of what an exception of a tag carries.
    pub fn tag_parameters(&self, tag: u32) -> &[ValueType] {
        &self.signature(self.tags[tag as usize].type_number).parameters
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
