//! Which exports are called with what, and what is looked at afterwards.

use vivarium_artifact::{Contract, ExportedItem, FunctionType, ValueType};

use super::random::Random;

/// Exported functions that are called at most, each once with every set of arguments.
const FUNCTIONS_MAX: usize = 40;
const ARGUMENT_SETS: usize = 3;

/// A call of an export.
#[derive(Debug)]
pub struct Call {
    pub export: String,
    /// Its index in the module.
    pub function: u32,
    pub ty: FunctionType,
    /// The bits of each argument; references are null.
    pub arguments: Vec<u128>,
}

/// Calls in order, then names and indices of what is looked at.
#[derive(Debug, Default)]
pub struct Plan {
    pub calls: Vec<Call>,
    pub memories: Vec<(String, u32)>,
    pub globals: Vec<(String, u32, ValueType)>,
    pub tables: Vec<(String, u32)>,
}

/// The plan for a module: the seed decides the arguments.
pub fn of(contract: &Contract, seed: u64) -> Plan {
    let mut random = Random::new(!seed);
    let mut plan = Plan::default();
    let mut functions = Vec::new();
    for export in &contract.exports {
        let name = export.name.clone();
        match export.item {
            ExportedItem::Function(index) => functions.push((name, index)),
            ExportedItem::Memory(index) => plan.memories.push((name, index)),
            ExportedItem::Global(index) => plan.globals.push((name, index, contract.globals[index as usize].ty.value)),
            ExportedItem::Table(index) => plan.tables.push((name, index)),
            // Of a tag nothing can be seen but what throws and catches it.
            ExportedItem::Tag(_) => {}
        }
    }
    for set in 0..ARGUMENT_SETS {
        for (export, function) in functions.iter().take(FUNCTIONS_MAX) {
            let ty = contract.function_type(*function).expect("an exported function has a type");
            let arguments = ty.parameters.iter().map(|ty| argument(*ty, set, &mut random)).collect();
            plan.calls.push(Call { export: export.clone(), function: *function, ty: ty.clone(), arguments });
        }
    }
    plan
}

/// Zeros first, then numbers near an edge, then any bits.
fn argument(ty: ValueType, set: usize, random: &mut Random) -> u128 {
    const EDGES: [u64; 8] = [1, u64::MAX, 0x8000_0000, 0x7fff_ffff, 65_535, 65_536, 0x3ff0_0000_0000_0000, 0x3f80_0000];
    let word = |random: &mut Random| match set {
        0 => 0,
        1 => EDGES[(random.next() % 8) as usize],
        _ => random.next(),
    };
    let bits = u128::from(word(random)) | u128::from(word(random)) << 64;
    if is_reference(ty) { 0 } else { normal(ty, bits) }
}

/// The bits that a type has; of a reference only whether it is null.
pub fn normal(ty: ValueType, bits: u128) -> u128 {
    match ty {
        ValueType::I32 | ValueType::F32 => u128::from(bits as u32),
        ValueType::I64 | ValueType::F64 => u128::from(bits as u64),
        ValueType::V128 => bits,
        _ => u128::from(bits as u64 != 0),
    }
}

fn is_reference(ty: ValueType) -> bool {
    !matches!(ty, ValueType::I32 | ValueType::F32 | ValueType::I64 | ValueType::F64 | ValueType::V128)
}
