//! The rule of before bulk memory operations: whether all active segments fit is decided before one of them is copied, by whoever links.

use vivarium_artifact::Contract;
use wasmparser::{ConstExpr, DataKind, ElementItems, ElementKind, Operator, Parser, Payload};

use super::linking::{Owners, Place};
use super::store::Store;

impl Store {
    /// Checks the active segments of a valid module whose imports are these; the error names the first kind that does not fit.
    pub fn check_segments(&self, wasm: &[u8], contract: &Contract, owners: &Owners) -> Result<(), String> {
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.expect("it was compiled") {
                Payload::ElementSection(section) => {
                    for segment in section {
                        let segment = segment.expect("it was compiled");
                        let ElementKind::Active { table_index, offset_expr } = segment.kind else { continue };
                        let count = match segment.items {
                            ElementItems::Functions(items) => items.count(),
                            ElementItems::Expressions(_, items) => items.count(),
                        };
                        let end = self.offset(&offset_expr, owners)? + u64::from(count);
                        if end > self.table_elements(table_index.unwrap_or(0), contract, owners) {
                            return Err("elements segment does not fit".into());
                        }
                    }
                }
                Payload::DataSection(section) => {
                    for segment in section {
                        let segment = segment.expect("it was compiled");
                        let DataKind::Active { memory_index, offset_expr } = segment.kind else { continue };
                        let end = self.offset(&offset_expr, owners)? + segment.data.len() as u64;
                        if end > self.memory_bytes(memory_index, contract, owners) {
                            return Err("data segment does not fit".into());
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The value of a constant expression as version 1.0 has them: a constant, or an imported global.
    fn offset(&self, expression: &ConstExpr<'_>, owners: &Owners) -> Result<u64, String> {
        match expression.get_operators_reader().read().expect("it was compiled") {
            Operator::I32Const { value } => Ok(u64::from(value as u32)),
            Operator::GlobalGet { global_index } => {
                let (member, global) = owners.globals[global_index as usize];
                Ok(u64::from(self.instance(member).global(global) as u32))
            }
            other => Err(format!("the offset of a segment is {other:?}, which version 1.0 does not have")),
        }
    }

    fn table_elements(&self, table: u32, contract: &Contract, owners: &Owners) -> u64 {
        let owned = |(member, table): &Place| self.instance(*member).table_length(*table).expect("an owner has its table");
        owners.tables.get(table as usize).map_or_else(|| contract.tables[table as usize].minimum, owned)
    }

    fn memory_bytes(&self, memory: u32, contract: &Contract, owners: &Owners) -> u64 {
        let owned = |(member, memory): &Place| self.instance(*member).memory_length(*memory).expect("an owner has its memory");
        owners.memories.get(memory as usize).map_or_else(|| contract.memories[memory as usize].minimum_bytes(), owned)
    }
}
