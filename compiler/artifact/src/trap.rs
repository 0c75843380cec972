//! Kinds of trap, and the table of places in the text that may trap.

use serde::{Deserialize, Serialize};

/// Why a guest was stopped by its own doing (core specification, 4.4; the names are ours, the sentences are what a person reads).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum TrapKind {
    Unreachable = 1,
    MemoryOutOfBounds = 2,
    TableOutOfBounds = 3,
    IndirectCallToNull = 4,
    BadSignature = 5,
    IntegerOverflow = 6,
    IntegerDivideByZero = 7,
    BadConversionToInteger = 8,
    StackOverflow = 9,
    NullReference = 10,
    UncaughtException = 11,
    TooManyExceptions = 12,
}

impl TrapKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [TrapKind; 12] = [
        TrapKind::Unreachable,
        TrapKind::MemoryOutOfBounds,
        TrapKind::TableOutOfBounds,
        TrapKind::IndirectCallToNull,
        TrapKind::BadSignature,
        TrapKind::IntegerOverflow,
        TrapKind::IntegerDivideByZero,
        TrapKind::BadConversionToInteger,
        TrapKind::StackOverflow,
        TrapKind::NullReference,
        TrapKind::UncaughtException,
        TrapKind::TooManyExceptions,
    ];

    /// The kind with this number.
    pub fn from_number(number: u8) -> Option<TrapKind> {
        TrapKind::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// The name in JSON and logs.
    pub fn name(self) -> &'static str {
        match self {
            TrapKind::Unreachable => "unreachable",
            TrapKind::MemoryOutOfBounds => "memory_out_of_bounds",
            TrapKind::TableOutOfBounds => "table_out_of_bounds",
            TrapKind::IndirectCallToNull => "indirect_call_to_null",
            TrapKind::BadSignature => "bad_signature",
            TrapKind::IntegerOverflow => "integer_overflow",
            TrapKind::IntegerDivideByZero => "integer_divide_by_zero",
            TrapKind::BadConversionToInteger => "bad_conversion_to_integer",
            TrapKind::StackOverflow => "stack_overflow",
            TrapKind::NullReference => "null_reference",
            TrapKind::UncaughtException => "uncaught_exception",
            TrapKind::TooManyExceptions => "too_many_exceptions",
        }
    }

    /// What happened, in the words of the specification's tests.
    pub fn message(self) -> &'static str {
        match self {
            TrapKind::Unreachable => "unreachable",
            TrapKind::MemoryOutOfBounds => "out of bounds memory access",
            TrapKind::TableOutOfBounds => "out of bounds table access",
            TrapKind::IndirectCallToNull => "uninitialized element",
            TrapKind::BadSignature => "indirect call type mismatch",
            TrapKind::IntegerOverflow => "integer overflow",
            TrapKind::IntegerDivideByZero => "integer divide by zero",
            TrapKind::BadConversionToInteger => "invalid conversion to integer",
            TrapKind::StackOverflow => "call stack exhausted",
            TrapKind::NullReference => "null reference",
            TrapKind::UncaughtException => "an exception was thrown and nothing caught it",
            TrapKind::TooManyExceptions => "more exceptions were caught by reference than one run may keep",
        }
    }
}

impl std::fmt::Display for TrapKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message())
    }
}

/// A place in the text that may trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrapSite {
    /// Offset in the text of the instruction.
    pub text_offset: u32,
    pub kind: TrapKind,
}

/// Trap sites sorted by offset. Encoded as all offsets (`u32`, little-endian), then all kinds (`u8`), so that a lookup touches few lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrapTable {
    offsets: Vec<u32>,
    kinds: Vec<TrapKind>,
}

impl TrapTable {
    /// A table of these sites, in any order.
    pub fn new(mut sites: Vec<TrapSite>) -> TrapTable {
        sites.sort_by_key(|site| site.text_offset);
        TrapTable { offsets: sites.iter().map(|site| site.text_offset).collect(), kinds: sites.iter().map(|site| site.kind).collect() }
    }

    /// The kind of trap at exactly this offset in the text. Takes no lock and allocates nothing: signal handlers call it.
    pub fn lookup(&self, text_offset: u32) -> Option<TrapKind> {
        let index = self.offsets.binary_search(&text_offset).ok()?;
        self.kinds.get(index).copied()
    }

    /// How many sites there are.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect();
        bytes.extend(self.kinds.iter().map(|kind| *kind as u8));
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<TrapTable> {
        if !bytes.len().is_multiple_of(5) {
            return None;
        }
        let (offsets, kinds) = bytes.split_at(bytes.len() / 5 * 4);
        let offsets: Vec<u32> = offsets.as_chunks::<4>().0.iter().map(|chunk| u32::from_le_bytes(*chunk)).collect();
        let kinds = kinds.iter().map(|number| TrapKind::from_number(*number)).collect::<Option<Vec<_>>>()?;
        offsets.is_sorted().then_some(TrapTable { offsets, kinds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookup_finds_exact_offsets_only() {
        let table = TrapTable::new(vec![
            TrapSite { text_offset: 40, kind: TrapKind::Unreachable },
            TrapSite { text_offset: 8, kind: TrapKind::MemoryOutOfBounds },
        ]);
        assert_eq!(table.lookup(8), Some(TrapKind::MemoryOutOfBounds));
        assert_eq!(table.lookup(40), Some(TrapKind::Unreachable));
        assert_eq!(table.lookup(9), None);
        assert_eq!(TrapTable::decode(&table.encode()), Some(table));
    }

    #[test]
    fn damaged_tables_are_refused() {
        assert_eq!(TrapTable::decode(&[1, 2, 3]), None);
        assert_eq!(TrapTable::decode(&[1, 0, 0, 0, 99]), None);
    }

    #[test]
    fn every_number_names_its_kind() {
        for kind in TrapKind::ALL {
            assert_eq!(TrapKind::from_number(kind as u8), Some(kind));
        }
    }
}
