//! What one body refers to in its module, in the order in which it first does: the same slots in every module that has such a body.

use std::collections::HashMap;

use crate::symbol::{Number, Place, Symbol};

/// The references of a body, or of a trampoline.
#[derive(Debug, Default)]
pub struct References {
    pub functions: Slots,
    /// By canonical number.
    pub signatures: Slots,
    pub globals: Slots,
    /// Of exceptions.
    pub tags: Slots,
    /// Relocated immediates, by the offset of their operators.
    pub immediates: Vec<Immediate>,
}

/// An immediate that the linker filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Immediate {
    /// Offset of its operator, in the wasm binary.
    pub operator_offset: u64,
    /// As 32 bits.
    pub value: u32,
}

/// Indices of one index space, numbered in the order in which they were first met.
#[derive(Debug, Default)]
pub struct Slots {
    indices: Vec<u32>,
    slots: HashMap<u32, u32>,
}

impl Slots {
    /// The slot of an index, and whether it is a new one.
    pub fn take(&mut self, index: u32) -> (u32, bool) {
        let next = self.indices.len() as u32;
        let slot = *self.slots.entry(index).or_insert(next);
        if slot == next {
            self.indices.push(index);
        }
        (slot, slot == next)
    }

    fn slot(&self, index: u32) -> Option<u32> {
        self.slots.get(&index).copied()
    }

    fn index(&self, slot: u32) -> Option<u32> {
        self.indices.get(slot as usize).copied()
    }
}

impl References {
    /// Of the trampoline of an imported function.
    pub fn of_import(function: u32) -> References {
        let mut references = References::default();
        references.functions.take(function);
        references
    }

    /// Of the trampoline that throws exceptions of a tag.
    pub fn of_tag(tag: u32) -> References {
        let mut references = References::default();
        references.tags.take(tag);
        references
    }

    /// The order of the immediate of an operator, when it is a relocated one.
    pub fn immediate_of(&self, operator_offset: u64) -> Option<u32> {
        let found = self.immediates.binary_search_by_key(&operator_offset, |immediate| immediate.operator_offset);
        found.ok().map(|order| order as u32)
    }

    /// The symbol with slots in the place of indices. None when it is of this module only.
    pub fn to_slots(&self, symbol: Symbol) -> Option<Symbol> {
        self.mapped(symbol, &|slots, index| slots.slot(index))
    }

    /// The symbol with this module's indices in the place of slots.
    pub fn to_indices(&self, symbol: Symbol) -> Option<Symbol> {
        self.mapped(symbol, &|slots, slot| slots.index(slot))
    }

    fn mapped(&self, symbol: Symbol, map: &dyn Fn(&Slots, u32) -> Option<u32>) -> Option<Symbol> {
        Some(match symbol {
            Symbol::Function(function) => Symbol::Function(map(&self.functions, function)?),
            Symbol::Throw(tag) => Symbol::Throw(map(&self.tags, tag)?),
            Symbol::Number(number) => Symbol::Number(match number {
                Number::Signature(signature) => Number::Signature(map(&self.signatures, signature)?),
                Number::Reference(function) => Number::Reference(map(&self.functions, function)?),
                Number::Hostcall(function) => Number::Hostcall(map(&self.functions, function)?),
                Number::Throw(tag) => Number::Throw(map(&self.tags, tag)?),
                Number::Place(Place::Global(global)) => Number::Place(Place::Global(map(&self.globals, global)?)),
                Number::Immediate(order) if (order as usize) < self.immediates.len() => number,
                // A body with other tables or memories than the first has no references.
                Number::TableLength(0) | Number::Place(Place::Table(0) | Place::TableLength(0) | Place::MemoryLength(0) | Place::Cells) => {
                    number
                }
                _ => return None,
            }),
            Symbol::Builtin(_) | Symbol::Stub(_) | Symbol::OffsetTable => symbol,
            Symbol::DataSegment(_) | Symbol::ElementSegment(_) | Symbol::Foreign(_) | Symbol::Initializer => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_become_slots_and_slots_the_indices_of_another_module() {
        let (mut first, mut second) = (References::default(), References::default());
        for (one, other) in [(7, 70), (5, 50), (7, 70)] {
            first.functions.take(one);
            second.functions.take(other);
        }
        for (one, other) in [(7, 70), (5, 50)] {
            let (one, other) = (Symbol::Number(Number::Reference(one)), Symbol::Number(Number::Reference(other)));
            assert_eq!(second.to_indices(first.to_slots(one).unwrap()), Some(other));
        }
        assert_eq!(first.to_slots(Symbol::Function(6)), None, "the body does not call it");
        assert_eq!(first.to_indices(Symbol::Function(2)), None, "there is no such slot");
        assert_eq!(first.to_slots(Symbol::DataSegment(0)), None, "of this module only");
    }
}
