//! Every host function, once. What may be imported, with which types, and who answers: all read this table.
//!
//! ```text
//! table() = preview1::ROWS ++ compute::ROWS    a family of modules is a file in table/, its functions a folder beside
//! ```

mod compute;
mod preview1;

use vivarium_artifact::contract::{FunctionType, ValueType};

use crate::{compute as compute_abi, wasi};

/// One host function.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub module: &'static str,
    pub name: &'static str,
    pub parameters: &'static [ValueType],
    pub results: &'static [ValueType],
    pub(crate) handling: Handling,
}

/// Who answers a call, and in which convention.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Handling {
    /// A function of WASI preview 1.
    Preview1(wasi::Function),
    /// A function of the Compute ABI.
    Compute(compute_abi::Function),
    /// A function that is known and not implemented: it always answers this value.
    Stub(u64),
}

impl Row {
    /// False for a stub, which answers "unsupported" in its family's convention.
    pub fn implemented(&self) -> bool {
        !matches!(self.handling, Handling::Stub(_))
    }

    /// What a stub answers.
    pub fn stub_answer(&self) -> Option<u64> {
        match self.handling {
            Handling::Stub(value) => Some(value),
            Handling::Preview1(_) | Handling::Compute(_) => None,
        }
    }

    /// "module.name", as messages show it.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.module, self.name)
    }

    pub fn ty(&self) -> FunctionType {
        FunctionType { parameters: self.parameters.to_vec(), results: self.results.to_vec() }
    }
}

const FAMILIES: &[&[Row]] = &[preview1::ROWS, compute::ROWS];
static TABLE: [Row; row_count(FAMILIES)] = flatten(FAMILIES);

const fn row_count(families: &[&[Row]]) -> usize {
    let (mut count, mut family) = (0, 0);
    while family < families.len() {
        count += families[family].len();
        family += 1;
    }
    count
}

const fn flatten<const N: usize>(families: &[&[Row]]) -> [Row; N] {
    let mut rows = [families[0][0]; N];
    let (mut next, mut family) = (0, 0);
    while family < families.len() {
        let mut row = 0;
        while row < families[family].len() {
            rows[next] = families[family][row];
            next += 1;
            row += 1;
        }
        family += 1;
    }
    rows
}

/// All host functions.
pub fn table() -> &'static [Row] {
    &TABLE
}

/// What a program may import: the table as the compiler's policy takes it.
pub fn imports() -> Vec<(&'static str, &'static str, FunctionType)> {
    TABLE.iter().map(|row| (row.module, row.name, row.ty())).collect()
}

/// A row of the table, by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostFunction(u16);

impl HostFunction {
    /// The function of this name.
    pub fn find(module: &str, name: &str) -> Option<HostFunction> {
        let index = TABLE.iter().position(|row| row.module == module && row.name == name)?;
        u16::try_from(index).ok().map(HostFunction)
    }

    pub fn row(self) -> &'static Row {
        // Only `find` makes one, so the index is in the table.
        &TABLE[usize::from(self.0)]
    }
}

/// Whether any host function lives in this module.
pub(crate) fn knows_module(module: &str) -> bool {
    TABLE.iter().any(|row| row.module == module)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for row in table() {
            assert!(std::ptr::eq(HostFunction::find(row.module, row.name).unwrap().row(), row), "{}", row.full_name());
        }
        assert_eq!(imports().len(), table().len());
    }

    #[test]
    fn a_function_has_at_most_one_result() {
        assert!(table().iter().all(|row| row.results.len() <= 1));
    }

    #[test]
    fn a_row_is_implemented_or_has_an_answer() {
        assert!(table().iter().all(|row| row.implemented() == row.stub_answer().is_none()));
        assert!(table().iter().all(|row| row.stub_answer().is_none() || row.results.len() == 1));
    }
}
