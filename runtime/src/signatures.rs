//! What a crossing must know of a signature: how many values, and the way in. Read off the contract once, so that a call or an answer of plain numbers, which
//! most are, is checked by one comparison. Safe and pure.

use vivarium_artifact::{Contract, FunctionType, ValueType};

/// A number of values that no call or answer has: it is to be looked at value by value.
const NOT_PLAIN: u32 = u32::MAX;

/// The signatures of one module.
#[derive(Debug)]
pub struct Signatures {
    /// By canonical number less one.
    calls: Box<[WayIn]>,
    /// How many results each import has, or [`NOT_PLAIN`].
    answers: Box<[u32]>,
}

#[derive(Debug, Clone, Copy)]
struct WayIn {
    /// Offset in the text of the entry trampoline.
    trampoline: u32,
    /// How many parameters, or [`NOT_PLAIN`].
    parameters: u32,
}

impl Signatures {
    /// Those of a contract. Where instances are linked, or none ever runs, nothing is plain.
    pub fn of(contract: &Contract) -> Signatures {
        let mut calls = vec![WayIn { trampoline: 0, parameters: NOT_PLAIN }; contract.types.len()];
        if !contract.linked && contract.instantiation_trap.is_none() {
            for entry in &contract.entries {
                let index = entry.type_number.wrapping_sub(1) as usize;
                if let (Some(call), Some(ty)) = (calls.get_mut(index), contract.types.get(index)) {
                    *call = WayIn { trampoline: entry.text_offset, parameters: plain(&ty.parameters) };
                }
            }
        }
        let results = |ty: &FunctionType| if contract.linked { NOT_PLAIN } else { plain(&ty.results) };
        Signatures { calls: calls.into(), answers: contract.imports.iter().map(|import| results(&import.ty)).collect() }
    }

    /// The offset of the entry trampoline for a signature, if so many numbers are all that it takes.
    #[inline]
    pub fn plain_way_in(&self, type_number: u32, arguments: usize) -> Option<u32> {
        let call = self.calls.get(type_number.wrapping_sub(1) as usize)?;
        (call.parameters as usize == arguments).then_some(call.trampoline)
    }

    /// Whether so many numbers answer an import.
    #[inline]
    pub fn is_plain_answer(&self, import: u32, results: usize) -> bool {
        self.answers.get(import as usize).is_some_and(|count| *count as usize == results)
    }
}

fn plain(types: &[ValueType]) -> u32 {
    let is_number = |ty: &ValueType| !matches!(ty, ValueType::Reference(_));
    if types.iter().all(is_number) { types.len() as u32 } else { NOT_PLAIN }
}

#[cfg(test)]
mod tests {
    use vivarium_artifact::{EntryTrampoline, ImportedFunction, TrapKind};

    use super::*;

    const REFERENCE: ValueType = ValueType::FUNC_REF;

    fn contract() -> Contract {
        let ty = |parameters: &[ValueType], results: &[ValueType]| FunctionType { parameters: parameters.into(), results: results.into() };
        let types = vec![ty(&[ValueType::I32, ValueType::V128], &[]), ty(&[REFERENCE], &[]), ty(&[], &[])];
        let entries = vec![EntryTrampoline { type_number: 1, text_offset: 64 }, EntryTrampoline { type_number: 2, text_offset: 96 }];
        let import = |ty| ImportedFunction { module: "m".into(), name: "f".into(), ty };
        let imports = vec![import(ty(&[REFERENCE], &[ValueType::F64])), import(ty(&[], &[ValueType::I32, REFERENCE]))];
        Contract { types, entries, imports, ..Contract::empty() }
    }

    #[test]
    fn plain_is_what_takes_or_gives_numbers_alone() {
        let signatures = Signatures::of(&contract());
        let ways: Vec<_> = (0..=4).map(|number| signatures.plain_way_in(number, 2)).collect();
        assert_eq!(ways, [None, Some(64), None, None, None]);
        assert_eq!([0, 1, 3].map(|arguments| signatures.plain_way_in(1, arguments)), [None; 3]);
        assert_eq!(signatures.plain_way_in(2, 1), None, "a reference is looked at");
        assert_eq!(signatures.plain_way_in(3, 0), None, "there is no way in");
        assert_eq!([0, 1, 2].map(|import| signatures.is_plain_answer(import, 1)), [true, false, false]);
        assert!(!signatures.is_plain_answer(1, 2), "a reference is looked at");
    }

    #[test]
    fn nothing_is_plain_where_instances_are_linked_or_never_run() {
        let linked = Signatures::of(&Contract { linked: true, ..contract() });
        assert!(linked.plain_way_in(1, 2).is_none() && !linked.is_plain_answer(0, 1));
        let doomed = Signatures::of(&Contract { instantiation_trap: Some(TrapKind::MemoryOutOfBounds), ..contract() });
        assert!(doomed.plain_way_in(1, 2).is_none());
    }
}
