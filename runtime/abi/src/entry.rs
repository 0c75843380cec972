//! Which export is run, and what its end means.

use vivarium_artifact::contract::{Contract, ExportedItem, FunctionType};

/// How a program came to its end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finish {
    /// 0 is success.
    pub exit_code: u32,
}

impl Finish {
    /// `_start` returned: the same as `proc_exit(0)`.
    pub const RETURNED: Finish = Finish { exit_code: 0 };

    pub fn is_success(self) -> bool {
        self.exit_code == 0
    }
}

/// Why a module has nothing to run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoEntry {
    #[error("the program exports no function _start, so there is nothing to run; give it a main function, or export one as \"_start\"")]
    Missing,
    #[error("the program is a library: it exports _initialize but no _start; link it as a command (without -mexec-model=reactor)")]
    Library,
    #[error("the program exports _start, but not as a function without parameters and results, so it cannot be run")]
    Type,
}

/// The function to run, by index: `_start`, as a WASI command exports it. The module's own start function has run before.
pub fn entry_point(contract: &Contract) -> Result<u32, NoEntry> {
    match contract.export("_start") {
        Some(ExportedItem::Function(function)) if contract.function_type(function) == Some(&FunctionType::default()) => Ok(function),
        Some(_) => Err(NoEntry::Type),
        None if contract.export("_initialize").is_some() => Err(NoEntry::Library),
        None => Err(NoEntry::Missing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vivarium_artifact::contract::{Export, ValueType};

    fn entry(exports: &[(&str, ExportedItem)]) -> Result<u32, NoEntry> {
        let mut contract = crate::linkage::tests::contract(&[]);
        contract.types = vec![FunctionType { parameters: vec![ValueType::I32], results: vec![] }, FunctionType::default()];
        contract.function_types = vec![1, 2];
        contract.exports = exports.iter().map(|(name, item)| Export { name: name.to_string(), item: *item }).collect();
        entry_point(&contract)
    }

    #[test]
    fn start_is_the_entry() {
        assert_eq!(entry(&[("memory", ExportedItem::Memory(0)), ("_start", ExportedItem::Function(1))]), Ok(1));
        assert_eq!(entry(&[("_start", ExportedItem::Function(0))]), Err(NoEntry::Type));
        assert_eq!(entry(&[("_start", ExportedItem::Function(7))]), Err(NoEntry::Type));
        assert_eq!(entry(&[("_start", ExportedItem::Memory(0))]), Err(NoEntry::Type));
        assert_eq!(entry(&[("_initialize", ExportedItem::Function(1))]), Err(NoEntry::Library));
        assert_eq!(entry(&[("main", ExportedItem::Function(1))]), Err(NoEntry::Missing));
    }

    #[test]
    fn returning_is_success() {
        assert!(Finish::RETURNED.is_success());
        assert!(!Finish { exit_code: 1 }.is_success());
    }
}
