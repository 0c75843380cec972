//! The contract, but for what linking adds: how much of everything the module gets, and where it lies in a slot.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};
use vivarium_artifact::abi::{Builtin, REFERENCE_BYTES};
use vivarium_artifact::layout::{IMAGE_MEMORY_BYTES_WHOLE, MEMORIES_MAX, MEMORY_RESERVATION_BYTES};
use vivarium_artifact::{
    AddressType, Contract, ExportedItem, FunctionType, GlobalInitial, GlobalPlan, MemoryPlan, PAGE_BYTES, Setting, SlotLayout, TablePlan,
    ValueType,
};

use crate::error::CompileError;
use crate::module::{GlobalSource, Memory, SegmentMode, Table, TableInitial, ValidatedModule};
use crate::policy::Policy;
use crate::segments::{LateSegment, Placement};

/// What the code may rely on.
#[derive(Debug)]
pub struct Plan {
    /// Complete but for `offset_table`, `entries` and `initializer`.
    pub contract: Contract,
    pub layout: SlotLayout,
    /// Numbers of the signatures that need an entry trampoline.
    pub entry_types: BTreeSet<u32>,
    /// Active segments that the initializer copies, in order.
    pub late: Vec<LateSegment>,
    /// Whether instantiation needs an initializer.
    pub has_initializer: bool,
}

/// Plans a module within the policy.
pub fn plan(
    wasm: &[u8],
    module: &ValidatedModule<'_>,
    placement: &Placement<'_>,
    policy: &Policy,
    setting: Setting,
    cpu_features: Vec<String>,
) -> Result<Plan, CompileError> {
    let has_initializer = has_initializer(module, placement);
    let entry_types = entry_types(module, has_initializer);
    let memories = plan_memories(module, placement, policy)?;
    let tables = module.tables.iter().map(|table| plan_table(table, policy)).collect::<Result<Vec<_>, _>>()?;
    let contract = Contract {
        compiler_version: env!("CARGO_PKG_VERSION").to_owned(),
        setting,
        cpu_features,
        wasm_sha256: Sha256::digest(wasm).into(),
        types: module.signatures.clone(),
        type_digests: if policy.linked { module.type_digests.clone() } else { vec![] },
        imports: module.imports.clone(),
        function_types: module.function_types.clone(),
        memories,
        tables,
        globals: plan_globals(module),
        tags: module.tags.clone(),
        data_segments: module.data.iter().map(|data| passive_length(&data.mode, data.bytes.len())).collect(),
        element_segments: module.elements.iter().map(|elements| passive_length(&elements.mode, elements.items.len())).collect(),
        exports: module.exports.clone(),
        start: module.start,
        initializer: None,
        linked: policy.linked,
        instantiation_trap: placement.trap,
        stack_bytes: policy.stack_bytes,
        cells: cells(module, &entry_types, policy.linked),
        offset_table: 0,
        entries: vec![],
    };
    let layout = lay_out(&contract, policy)?;
    Ok(Plan { contract, layout, entry_types, late: placement.late.clone(), has_initializer })
}

/// The layout, when it is within the policy.
fn lay_out(contract: &Contract, policy: &Policy) -> Result<SlotLayout, CompileError> {
    let too_large = |bytes| CompileError::limit("size of stack, globals and tables in bytes", bytes, policy.head_bytes_max);
    let layout = SlotLayout::of(contract).ok_or_else(|| too_large(table_bytes(contract)))?;
    if layout.memory_offset > policy.head_bytes_max {
        return Err(too_large(layout.memory_offset));
    }
    let image_bytes = layout.image_bytes - contract.stack_bytes;
    if image_bytes > policy.image_bytes_max {
        return Err(CompileError::limit("size of tables, globals and initial data in bytes", image_bytes, policy.image_bytes_max));
    }
    Ok(layout)
}

/// What tables and stack take: nothing else can be so large that there is no layout.
fn table_bytes(contract: &Contract) -> u64 {
    let tables = contract.tables.iter().map(|table| table.capacity.saturating_mul(REFERENCE_BYTES));
    tables.fold(contract.stack_bytes, u64::saturating_add)
}

fn plan_memories(module: &ValidatedModule<'_>, placement: &Placement<'_>, policy: &Policy) -> Result<Vec<MemoryPlan>, CompileError> {
    let own = module.memories.iter().filter(|memory| memory.import.is_none()).count();
    if own > MEMORIES_MAX {
        return Err(CompileError::limit("memories of the module", own as u64, MEMORIES_MAX as u64));
    }
    let plan = |(memory, index)| plan_memory(memory, placement.data_end(index), policy);
    let plans = module.memories.iter().zip(0..).map(plan).collect::<Result<Vec<_>, _>>()?;
    let initial_bytes = plans.iter().filter(|plan| plan.import.is_none()).map(MemoryPlan::minimum_bytes).sum();
    if initial_bytes > policy.memory_bytes_max {
        return Err(CompileError::limit("initial memories in bytes", initial_bytes, policy.memory_bytes_max));
    }
    Ok(plans)
}

/// A memory whose data ends at `data_end`. Whatever its addresses could reach, it gets the reservation of a 32-bit memory.
fn plan_memory(memory: &Memory, data_end: u64, policy: &Policy) -> Result<MemoryPlan, CompileError> {
    let ty = MemoryPlan {
        address: memory.address,
        page_bytes: memory.page_bytes,
        minimum_pages: memory.minimum_pages,
        declared_maximum_pages: memory.maximum_pages,
        maximum_pages: memory.maximum_pages.unwrap_or(u64::MAX),
        image_bytes: 0,
        import: memory.import.clone(),
    };
    if ty.import.is_some() {
        return Ok(ty);
    }
    let pages_max = policy.memory_bytes_max.min(MEMORY_RESERVATION_BYTES) / memory.page_bytes;
    let pages_max = if memory.address == AddressType::I32 { pages_max.min(u64::from(u32::MAX)) } else { pages_max };
    if memory.minimum_pages > pages_max {
        let page = if memory.page_bytes == 1 { "1 byte" } else { "64 KiB" };
        return Err(CompileError::limit(format!("initial memory in pages of {page}"), memory.minimum_pages, pages_max));
    }
    let initial_bytes = memory.minimum_bytes();
    let in_image = if initial_bytes <= IMAGE_MEMORY_BYTES_WHOLE { initial_bytes } else { data_end };
    Ok(MemoryPlan { maximum_pages: ty.maximum_pages.min(pages_max), image_bytes: in_image.next_multiple_of(PAGE_BYTES), ..ty })
}

fn plan_table(table: &Table<'_>, policy: &Policy) -> Result<TablePlan, CompileError> {
    let ty = TablePlan {
        address: table.address,
        element: table.element,
        minimum: table.minimum,
        declared_maximum: table.maximum,
        capacity: 0,
        import: table.import.clone(),
    };
    if ty.import.is_some() {
        return Ok(ty);
    }
    if table.minimum > policy.table_elements_max {
        return Err(CompileError::limit("initial elements of a table", table.minimum, policy.table_elements_max));
    }
    let capacity = table.maximum.unwrap_or(policy.table_elements_max).min(policy.table_elements_max);
    Ok(TablePlan { capacity, ..ty })
}

fn plan_globals(module: &ValidatedModule<'_>) -> Vec<GlobalPlan> {
    let initial = |source: &GlobalSource<'_>| match source {
        GlobalSource::Constant(_) | GlobalSource::Late(_) => GlobalInitial::Image,
        GlobalSource::Imported(name) => GlobalInitial::Imported(name.clone()),
    };
    module.globals.iter().map(|global| GlobalPlan { ty: global.ty.clone(), initial: initial(&global.source) }).collect()
}

fn passive_length(mode: &SegmentMode<'_>, length: usize) -> u64 {
    if mode.is_passive() { length as u64 } else { 0 }
}

/// Whether the image alone does not say how an instance begins.
fn has_initializer(module: &ValidatedModule<'_>, placement: &Placement<'_>) -> bool {
    !placement.late.is_empty()
        || module.globals.iter().any(|global| matches!(global.source, GlobalSource::Late(_)))
        || module.tables.iter().any(|table| matches!(table.initial, TableInitial::Late(_)))
}

/// Signatures of the functions that a host may come to call: exported ones, the start function, the initializer, and those that a reference may name.
fn entry_types(module: &ValidatedModule<'_>, has_initializer: bool) -> BTreeSet<u32> {
    let exported = module.exports.iter().filter_map(|export| match export.item {
        ExportedItem::Function(function) => Some(module.function_type(function)),
        _ => None,
    });
    let start = module.start.map(|function| module.function_type(function));
    let references = module.globals.iter().filter(|global| global.ty.value.is_function_reference());
    let in_globals = references.filter_map(|global| match global.source {
        GlobalSource::Constant(reference) => Some(reference as u32),
        GlobalSource::Late(_) | GlobalSource::Imported(_) => None,
    });
    let in_elements = module.elements.iter().flat_map(|segment| &segment.items).map(|reference| *reference as u32);
    let in_tables = module.tables.iter().filter(|table| table.element.is_function_reference()).filter_map(|table| match table.initial {
        TableInitial::Constant(reference) => Some(reference as u32),
        TableInitial::Late(_) => None,
    });
    // A null reference has the type number 0, which is no signature's.
    let initializer = has_initializer.then(|| empty_signature(module)).flatten();
    exported.chain(start).chain(initializer).chain(in_globals).chain(in_elements).chain(in_tables).filter(|number| *number != 0).collect()
}

/// The number of the signature that takes and gives nothing.
fn empty_signature(module: &ValidatedModule<'_>) -> Option<u32> {
    let is_empty = |ty: &FunctionType| ty.parameters.is_empty() && ty.results.is_empty();
    module.signatures.iter().position(is_empty).map(|index| index as u32 + 1)
}

/// Cells that imports, builtins, entries, exceptions and, in linked instances, calls of foreign functions need at most.
fn cells(module: &ValidatedModule<'_>, entry_types: &BTreeSet<u32>, linked: bool) -> u32 {
    let of = |ty: &FunctionType| ty.parameters.len().max(ty.results.len());
    let foreign = module.signatures.iter().filter(|_| linked).map(of);
    let imports = module.imports.iter().map(|import| of(&import.ty));
    let entries = entry_types.iter().map(|number| of(module.signature(*number)));
    let builtins = Builtin::ALL.map(|builtin| of(&builtin_signature(builtin)));
    // Behind what it carries, the reference to it.
    let exceptions = (0..module.tags.len() as u32).map(|tag| module.tag_parameters(tag).len() + 1);
    imports.chain(entries).chain(builtins).chain(exceptions).chain(foreign).max().unwrap_or(0) as u32
}

/// The signature of a builtin, as its documentation in the crate `artifact` says it.
pub fn builtin_signature(builtin: Builtin) -> FunctionType {
    let parameters = match builtin {
        Builtin::TableSize | Builtin::GlobalGet => vec![ValueType::I32],
        Builtin::MemoryGrow | Builtin::TableGet | Builtin::GlobalSet | Builtin::ForeignType => vec![ValueType::I64, ValueType::I32],
        Builtin::TableGrow | Builtin::TableSet => vec![ValueType::I64, ValueType::I64, ValueType::I32],
        Builtin::ThrowRef => return FunctionType { parameters: vec![ValueType::I64], results: vec![] },
    };
    FunctionType { parameters, results: vec![ValueType::I64] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vivarium_artifact::WASM_PAGE_BYTES;

    fn memory(minimum_pages: u64, maximum_pages: Option<u64>, data_end: u64) -> Result<MemoryPlan, CompileError> {
        let memory = Memory { address: AddressType::I32, page_bytes: WASM_PAGE_BYTES, minimum_pages, maximum_pages, import: None };
        plan_memory(&memory, data_end, &Policy::default())
    }

    #[test]
    fn a_small_memory_is_in_the_image_as_a_whole() {
        assert_eq!(memory(2, Some(3), 10).unwrap().image_bytes, 2 * WASM_PAGE_BYTES);
        assert_eq!(memory(0, None, 0).unwrap().image_bytes, 0);
    }

    #[test]
    fn of_a_large_memory_the_image_holds_the_data() {
        assert_eq!(memory(100, None, 5000).unwrap().image_bytes, 2 * PAGE_BYTES);
    }

    #[test]
    fn the_smaller_maximum_wins() {
        assert_eq!(memory(1, Some(3), 0).unwrap().maximum_pages, 3);
        assert_eq!(memory(1, Some(60000), 0).unwrap().maximum_pages, 2048);
        assert_eq!(memory(1, None, 0).unwrap().maximum_pages, 2048);
        assert!(matches!(memory(2049, None, 0), Err(CompileError::Limit { found: 2049, limit: 2048, .. })));
    }

    #[test]
    fn pages_of_one_byte_count_bytes_and_the_image_holds_whole_pages_of_the_processor() {
        let plan = |address, minimum_pages| {
            plan_memory(&Memory { address, page_bytes: 1, minimum_pages, maximum_pages: None, import: None }, 0, &Policy::default())
        };
        let narrow = plan(AddressType::I32, 5).unwrap();
        assert_eq!((narrow.minimum_bytes(), narrow.maximum_bytes(), narrow.image_bytes), (5, 128 << 20, PAGE_BYTES));
        assert!(!narrow.is_guarded());
        assert!(plan(AddressType::I64, u64::MAX).unwrap_err().to_string().contains("134217728"));
    }

    #[test]
    fn a_table_has_room_for_its_maximum() {
        let capacity = |minimum, maximum| {
            plan_table(
                &Table {
                    address: AddressType::I32,
                    element: ValueType::FUNC_REF,
                    minimum,
                    maximum,
                    initial: TableInitial::Constant(0),
                    import: None,
                },
                &Policy::default(),
            )
            .map(|plan| plan.capacity)
        };
        assert_eq!(capacity(5, Some(7)), Ok(7));
        assert_eq!(capacity(5, None), Ok(10_000));
        assert_eq!(capacity(5, Some(1 << 30)), Ok(10_000));
        assert!(capacity(10_001, None).unwrap_err().to_string().contains("10000"));
    }
}
