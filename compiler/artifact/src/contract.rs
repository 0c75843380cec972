//! The contract: what a module may import, how much of everything it gets, and how it is laid out. Written by the compiler, enforced by the runtime.

use serde::{Deserialize, Serialize};

use crate::PAGE_BYTES;
use crate::trap::TrapKind;
pub use crate::types::{FunctionType, TypeDigest, ValueType};

/// A function that the module imports and that the policy permitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedFunction {
    pub module: String,
    pub name: String,
    pub ty: FunctionType,
}

/// The two names of an import.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ImportName {
    pub module: String,
    pub name: String,
}

/// How wide the addresses of a memory or the indices of a table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AddressType {
    I32,
    I64,
}

/// One linear memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryPlan {
    pub address: AddressType,
    /// Size of its pages, in bytes: 64 KiB, or 1.
    pub page_bytes: u64,
    /// Length at instantiation, in pages.
    pub minimum_pages: u64,
    /// The module's own declared maximum, in pages.
    pub declared_maximum_pages: Option<u64>,
    /// Length beyond which `memory.grow` answers −1: the smaller of the declared maximum and the policy's, in pages.
    pub maximum_pages: u64,
    /// How much of the memory's beginning is in the image, in bytes: a multiple of the processor's page.
    pub image_bytes: u64,
    /// Set when it is another instance's: then only its type says something, and it has no place in the slot.
    pub import: Option<ImportName>,
}

impl MemoryPlan {
    /// Length at instantiation, in bytes.
    pub fn minimum_bytes(&self) -> u64 {
        self.minimum_pages.saturating_mul(self.page_bytes)
    }

    /// Length beyond which `memory.grow` answers −1, in bytes.
    pub fn maximum_bytes(&self) -> u64 {
        self.maximum_pages.saturating_mul(self.page_bytes)
    }

    /// Whether this import may be a memory of that type that has so many pages now (core specification, 4.5.2).
    pub fn accepts(&self, offered: &MemoryPlan, pages: u64) -> bool {
        self.address == offered.address
            && self.page_bytes == offered.page_bytes
            && limits_accept(self.minimum_pages, self.declared_maximum_pages, pages, offered.declared_maximum_pages)
    }

    /// Whether the pages behind the memory catch what is out of bounds: it is the module's own, its addresses are 32 bits wide, and it ends where a page
    /// of the processor does.
    pub fn is_guarded(&self) -> bool {
        self.import.is_none() && self.address == AddressType::I32 && self.page_bytes.is_multiple_of(PAGE_BYTES)
    }
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TablePlan {
    pub address: AddressType,
    pub element: ValueType,
    /// Length at instantiation, in elements.
    pub minimum: u64,
    pub declared_maximum: Option<u64>,
    /// Length beyond which `table.grow` answers −1, in elements; room for as many is in the image.
    pub capacity: u64,
    /// Set when it is another instance's: then only its type says something, and it has no place in the slot.
    pub import: Option<ImportName>,
}

impl TablePlan {
    /// Whether this import of a module may be a table of another, of that type, that has so many elements now (core specification, 4.5.2).
    pub fn accepts(&self, module: &Contract, offered: &TablePlan, owner: &Contract, elements: u64) -> bool {
        self.address == offered.address
            && module.is_same_type(self.element, owner, offered.element)
            && limits_accept(self.minimum, self.declared_maximum, elements, offered.declared_maximum)
    }
}

/// Whether what is this long now and may become so long is within the limits of an import.
fn limits_accept(minimum: u64, maximum: Option<u64>, length: u64, offered_maximum: Option<u64>) -> bool {
    length >= minimum && maximum.is_none_or(|maximum| offered_maximum.is_some_and(|offered| offered <= maximum))
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalType {
    pub value: ValueType,
    pub mutable: bool,
}

/// Where a global has its first value from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum GlobalInitial {
    /// The image holds it, or the initializer computes it.
    Image,
    /// It is another instance's. The host copies an immutable one before the first instruction; the place of a mutable one holds the address of the original.
    Imported(ImportName),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalPlan {
    pub ty: GlobalType,
    pub initial: GlobalInitial,
}

impl GlobalPlan {
    /// The names by which it is imported.
    pub fn import(&self) -> Option<&ImportName> {
        match &self.initial {
            GlobalInitial::Image => None,
            GlobalInitial::Imported(name) => Some(name),
        }
    }

    /// Whether it is reached through the address of the original. One whose values mean something in their own instance only is not.
    pub fn is_linked(&self) -> bool {
        self.ty.mutable && self.import().is_some() && !self.ty.value.is_local()
    }
}

/// A tag of exceptions: what they carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagPlan {
    /// Canonical number of the signature whose parameters an exception carries; it has no results.
    pub type_number: u32,
    /// Set when it is another instance's.
    pub import: Option<ImportName>,
}

/// What an export names, by index in the module's index spaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExportedItem {
    Function(u32),
    Table(u32),
    Memory(u32),
    Global(u32),
    Tag(u32),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    pub name: String,
    pub item: ExportedItem,
}

/// The code by which the host calls a function of one signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryTrampoline {
    /// Canonical number of the signature, from 1.
    pub type_number: u32,
    /// Offset in the text.
    pub text_offset: u32,
}

/// How the code generator was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// No optimisation and single-pass register allocation: what a fresh Run uses.
    Fast,
    /// Optimised.
    Best,
}

/// The contract of one artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    /// Version of the compiler that made this.
    pub compiler_version: String,
    pub setting: Setting,
    /// Names of processor features that the code needs, as `std::arch::is_x86_feature_detected!` spells them.
    pub cpu_features: Vec<String>,
    /// SHA-256 of the wasm.
    pub wasm_sha256: [u8; 32],
    /// Canonical signatures; number n is `types[n - 1]`.
    pub types: Vec<FunctionType>,
    /// What the same signatures are called in every module; none unless instances may be linked.
    pub type_digests: Vec<TypeDigest>,
    pub imports: Vec<ImportedFunction>,
    /// Canonical type number of every function, imported ones first.
    pub function_types: Vec<u32>,
    pub memories: Vec<MemoryPlan>,
    pub tables: Vec<TablePlan>,
    pub globals: Vec<GlobalPlan>,
    /// Imported ones first.
    pub tags: Vec<TagPlan>,
    /// Length of each data segment that `memory.init` may still copy from at instantiation, in bytes; active ones count as zero.
    pub data_segments: Vec<u64>,
    /// Length of each element segment that `table.init` may still copy from at instantiation, in elements; active and declared ones count as zero.
    pub element_segments: Vec<u64>,
    pub exports: Vec<Export>,
    /// Function to run before any export, by index.
    pub start: Option<u32>,
    /// Offset in the text of the function that finishes instantiation where imports decide how, `start` included; it takes and gives nothing.
    pub initializer: Option<u32>,
    /// Whether instances may be linked to others (`runtime/decisions/0008-linking.md`): nothing in the product is.
    pub linked: bool,
    /// An active segment is out of bounds: instantiation traps so, before `start`.
    pub instantiation_trap: Option<TrapKind>,
    /// Size of the native stack, in bytes: a multiple of the processor's page.
    pub stack_bytes: u64,
    /// How many cells arguments and results need at most.
    pub cells: u32,
    /// Offset in the text of the offset table: one `i32` for each function, relative to the table's first byte.
    pub offset_table: u32,
    pub entries: Vec<EntryTrampoline>,
}

impl Contract {
    /// The contract of a module with nothing in it but a stack of one page: a field that is added later is at rest here.
    pub fn empty() -> Contract {
        Contract {
            compiler_version: String::new(),
            setting: Setting::Fast,
            cpu_features: vec![],
            wasm_sha256: [0; 32],
            types: vec![],
            type_digests: vec![],
            imports: vec![],
            function_types: vec![],
            memories: vec![],
            tables: vec![],
            globals: vec![],
            tags: vec![],
            data_segments: vec![],
            element_segments: vec![],
            exports: vec![],
            start: None,
            initializer: None,
            linked: false,
            instantiation_trap: None,
            stack_bytes: PAGE_BYTES,
            cells: 0,
            offset_table: 0,
            entries: vec![],
        }
    }

    /// The export of this name.
    pub fn export(&self, name: &str) -> Option<ExportedItem> {
        self.exports.iter().find(|export| export.name == name).map(|export| export.item)
    }

    /// How many of the memories are imported: these come first.
    pub fn imported_memories(&self) -> u32 {
        self.memories.iter().filter(|memory| memory.import.is_some()).count() as u32
    }

    /// The memories of the module's own.
    pub fn own_memories(&self) -> impl Iterator<Item = &MemoryPlan> + Clone {
        self.memories.iter().filter(|memory| memory.import.is_none())
    }

    /// The signature of a function, by index.
    pub fn function_type(&self, function: u32) -> Option<&FunctionType> {
        let number = *self.function_types.get(function as usize)?;
        self.types.get(number.checked_sub(1)? as usize)
    }

    /// Types of what an exception of a tag carries; none when the module has no such tag.
    pub fn tag_parameters(&self, tag: u32) -> Option<&[ValueType]> {
        let number = self.tags.get(tag as usize)?.type_number;
        Some(&self.types.get(number.checked_sub(1)? as usize)?.parameters)
    }

    /// The canonical number of a signature.
    pub fn type_number(&self, ty: &FunctionType) -> Option<u32> {
        self.types.iter().position(|other| other == ty).map(|index| index as u32 + 1)
    }

    /// The offset in the text of the entry trampoline for a signature.
    pub fn entry(&self, type_number: u32) -> Option<u32> {
        self.entries.iter().find(|entry| entry.type_number == type_number).map(|entry| entry.text_offset)
    }
}
