//! What a contract is compared with at load: the bounds of whoever the program runs for. The compiler had bounds of its own, perhaps of another day.

use thiserror::Error;

use crate::PAGE_BYTES;
use crate::contract::Contract;

/// Bounds of a tenant's programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantPolicy {
    /// Most that one memory may grow to, in bytes.
    pub memory_bytes_max: u64,
    /// Most elements of one table.
    pub table_elements_max: u64,
    /// Native stack of one instance, in bytes.
    pub stack_bytes_max: u64,
}

/// The first bound that a contract does not keep.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyViolation {
    #[error("the artifact's memory {index} may grow to {bytes} bytes, the limit memory_bytes_max is {limit}: compile it again")]
    Memory { index: usize, bytes: u64, limit: u64 },
    #[error("the artifact's table {index} may hold {elements} elements, the limit table_elements_max is {limit}: compile it again")]
    Table { index: usize, elements: u64, limit: u64 },
    #[error("the artifact has a stack of {bytes} bytes, the limit stack_bytes is {limit}: compile it again")]
    Stack { bytes: u64, limit: u64 },
    #[error("the artifact is to be linked to other instances, and programs run alone: compile it again")]
    Linked,
}

impl TenantPolicy {
    /// Whether this contract keeps within the bounds.
    pub fn check(&self, contract: &Contract) -> Result<(), PolicyViolation> {
        if contract.linked {
            return Err(PolicyViolation::Linked);
        }
        for (index, memory) in contract.memories.iter().enumerate() {
            let (bytes, limit) = (memory.maximum_bytes(), self.memory_bytes_max);
            if bytes > limit {
                return Err(PolicyViolation::Memory { index, bytes, limit });
            }
        }
        for (index, table) in contract.tables.iter().enumerate() {
            let (elements, limit) = (table.capacity, self.table_elements_max);
            if elements > limit {
                return Err(PolicyViolation::Table { index, elements, limit });
            }
        }
        // Stacks are whole pages.
        let (bytes, limit) = (contract.stack_bytes, self.stack_bytes_max);
        if bytes > limit.next_multiple_of(PAGE_BYTES) {
            return Err(PolicyViolation::Stack { bytes, limit });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{AddressType, MemoryPlan, TablePlan};
    use crate::types::ValueType;

    fn contract() -> Contract {
        let memory = MemoryPlan {
            address: AddressType::I32,
            page_bytes: 65536,
            minimum_pages: 1,
            declared_maximum_pages: None,
            maximum_pages: 4,
            image_bytes: 4096,
            import: None,
        };
        let table = TablePlan {
            address: AddressType::I32,
            element: ValueType::FUNC_REF,
            minimum: 1,
            declared_maximum: None,
            capacity: 10,
            import: None,
        };
        Contract { memories: vec![memory], tables: vec![table], stack_bytes: 8192, ..Contract::empty() }
    }

    const EXACT: TenantPolicy = TenantPolicy { memory_bytes_max: 4 * 65536, table_elements_max: 10, stack_bytes_max: 8192 };

    fn check(policy: TenantPolicy, words: &str) {
        let violation = policy.check(&contract()).unwrap_err().to_string();
        assert!(violation.contains(words), "{violation}");
    }

    #[test]
    fn a_contract_within_its_bounds_is_kept() {
        assert_eq!(EXACT.check(&contract()), Ok(()));
    }

    #[test]
    fn an_artifact_that_is_to_be_linked_is_refused() {
        assert_eq!(EXACT.check(&Contract { linked: true, ..contract() }), Err(PolicyViolation::Linked));
    }

    #[test]
    fn a_memory_beyond_the_tenants_is_named() {
        check(
            TenantPolicy { memory_bytes_max: 4 * 65536 - 1, ..EXACT },
            "memory 0 may grow to 262144 bytes, the limit memory_bytes_max is 262143",
        );
    }

    #[test]
    fn a_table_beyond_the_tenants_is_named() {
        check(TenantPolicy { table_elements_max: 9, ..EXACT }, "table 0 may hold 10 elements, the limit table_elements_max is 9");
    }

    #[test]
    fn a_stack_beyond_the_tenants_is_named() {
        check(TenantPolicy { stack_bytes_max: 4096, ..EXACT }, "a stack of 8192 bytes, the limit stack_bytes is 4096");
    }
}
