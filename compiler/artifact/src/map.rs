//! From a native address to the function it is in, and to the wasm offset it came from.

use serde::{Deserialize, Serialize};

/// One function of the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionRecord {
    /// Index in the module's function index space.
    pub index: u32,
    /// Name from the name section or from an export; none when the module gives none.
    pub name: Option<String>,
    pub text_offset: u32,
    pub text_bytes: u32,
    /// Offset of the body in the wasm binary, in bytes.
    pub wasm_offset: u32,
    pub wasm_bytes: u32,
}

impl FunctionRecord {
    /// The name, or `function[index]`.
    pub fn display_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("function[{}]", self.index))
    }
}

/// Functions sorted by their place in the text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FunctionTable(Vec<FunctionRecord>);

impl FunctionTable {
    /// A table of these records, in any order.
    pub fn new(mut records: Vec<FunctionRecord>) -> FunctionTable {
        records.sort_by_key(|record| record.text_offset);
        FunctionTable(records)
    }

    /// Reads an encoded table; records out of order are damage.
    pub(crate) fn decode(bytes: &[u8]) -> Option<FunctionTable> {
        let table: FunctionTable = postcard::from_bytes(bytes).ok()?;
        table.0.is_sorted_by_key(|record| record.text_offset).then_some(table)
    }

    /// The function that this offset in the text is in.
    pub fn at(&self, text_offset: u32) -> Option<&FunctionRecord> {
        let after = self.0.partition_point(|record| record.text_offset <= text_offset);
        let record = self.0.get(after.checked_sub(1)?)?;
        (text_offset - record.text_offset < record.text_bytes).then_some(record)
    }

    /// All functions, by their place in the text.
    pub fn records(&self) -> &[FunctionRecord] {
        &self.0
    }
}

/// Runs of native code and the wasm offset each came from, sorted by offset in the text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressMap {
    text_offsets: Vec<u32>,
    wasm_offsets: Vec<u32>,
}

impl AddressMap {
    /// Marks code that came from no wasm instruction: prologues, trampolines, stubs.
    pub const NO_WASM: u32 = u32::MAX;

    /// A map of `(first offset in the text, wasm offset)`, in any order; each run reaches to the next.
    pub fn new(mut runs: Vec<(u32, u32)>) -> AddressMap {
        runs.sort_by_key(|run| run.0);
        AddressMap { text_offsets: runs.iter().map(|run| run.0).collect(), wasm_offsets: runs.iter().map(|run| run.1).collect() }
    }

    /// The wasm offset that the code at this offset in the text came from.
    pub fn wasm_offset(&self, text_offset: u32) -> Option<u32> {
        let after = self.text_offsets.partition_point(|start| *start <= text_offset);
        let wasm = *self.wasm_offsets.get(after.checked_sub(1)?)?;
        (wasm != AddressMap::NO_WASM).then_some(wasm)
    }

    /// All runs, by offset in the text.
    pub fn runs(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.text_offsets.iter().copied().zip(self.wasm_offsets.iter().copied())
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        self.text_offsets.iter().chain(&self.wasm_offsets).flat_map(|number| number.to_le_bytes()).collect()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<AddressMap> {
        if !bytes.len().is_multiple_of(8) {
            return None;
        }
        let numbers: Vec<u32> = bytes.as_chunks::<4>().0.iter().map(|chunk| u32::from_le_bytes(*chunk)).collect();
        let (text_offsets, wasm_offsets) = numbers.split_at(numbers.len() / 2);
        text_offsets.is_sorted().then(|| AddressMap { text_offsets: text_offsets.to_vec(), wasm_offsets: wasm_offsets.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_belongs_to_the_run_before_it() {
        let map = AddressMap::new(vec![(20, 7), (10, 5), (30, AddressMap::NO_WASM)]);
        assert_eq!(map.wasm_offset(9), None);
        assert_eq!(map.wasm_offset(10), Some(5));
        assert_eq!(map.wasm_offset(25), Some(7));
        assert_eq!(map.wasm_offset(31), None);
        assert_eq!(AddressMap::decode(&map.encode()), Some(map));
    }

    #[test]
    fn gaps_between_functions_belong_to_none() {
        let record = |text_offset, name: &str| FunctionRecord {
            index: 0,
            name: Some(name.into()),
            text_offset,
            text_bytes: 8,
            wasm_offset: 0,
            wasm_bytes: 0,
        };
        let table = FunctionTable::new(vec![record(32, "b"), record(16, "a")]);
        assert_eq!(table.at(15), None);
        assert_eq!(table.at(23).map(|found| found.display_name()), Some("a".into()));
        assert_eq!(table.at(24), None);
        assert_eq!(table.at(32).map(|found| found.display_name()), Some("b".into()));
    }
}
