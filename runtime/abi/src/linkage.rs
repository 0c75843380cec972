//! A module's imports, resolved to rows of the table.

use vivarium_artifact::contract::{Contract, FunctionType, ImportedFunction};

use crate::program::speaks_of_visitor;
use crate::table::{HostFunction, knows_module};

/// Which host function answers each import of one module.
#[derive(Debug, Clone)]
pub struct Linkage {
    functions: Vec<HostFunction>,
}

/// An import that no host function answers: the program cannot be deployed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownImport {
    #[error("the program imports {module}.{name}, and no host function lives in a module named {module}")]
    Module { module: String, name: String },
    #[error("the program imports {module}.{name}, which no host function of {module} answers")]
    Name { module: String, name: String },
    #[error("the program imports {module}.{name} with the type {found}, but the host function has the type {expected}")]
    Type { module: String, name: String, found: String, expected: String },
    #[error("the program is to be linked to other instances, and hosts run programs alone")]
    Linked,
}

impl Linkage {
    /// Finds the host function of each import, in the order of the contract.
    pub fn resolve(contract: &Contract) -> Result<Linkage, UnknownImport> {
        if contract.linked {
            return Err(UnknownImport::Linked);
        }
        let functions = contract.imports.iter().map(resolve_one).collect::<Result<_, _>>()?;
        Ok(Linkage { functions })
    }

    /// The host function of an import, by index among the imported functions.
    pub fn function(&self, import: u32) -> Option<HostFunction> {
        self.functions.get(import as usize).copied()
    }

    /// Whether the program imports what speaks of its visitor, and so answers through the Compute ABI, not the CGI way.
    pub fn exchanges(&self) -> bool {
        self.functions.iter().any(|function| speaks_of_visitor(function.row().module, function.row().name))
    }

    /// "module.name" of each import that is known and not implemented: for the deployment's log.
    pub fn stubs(&self) -> Vec<String> {
        let rows = self.functions.iter().map(|function| function.row());
        rows.filter(|row| !row.implemented()).map(|row| row.full_name()).collect()
    }
}

fn resolve_one(import: &ImportedFunction) -> Result<HostFunction, UnknownImport> {
    let (module, name) = (import.module.clone(), import.name.clone());
    let Some(function) = HostFunction::find(&module, &name) else {
        let known = knows_module(&module);
        return Err(if known { UnknownImport::Name { module, name } } else { UnknownImport::Module { module, name } });
    };
    let expected = function.row().ty();
    if import.ty != expected {
        return Err(UnknownImport::Type { module, name, found: show(&import.ty), expected: show(&expected) });
    }
    Ok(function)
}

/// A type as the core specification's text format abbreviates it: `(i32, i64) -> (i32)`.
fn show(ty: &FunctionType) -> String {
    let list = |types: &[_]| types.iter().map(|ty| format!("{ty:?}").to_lowercase()).collect::<Vec<_>>().join(", ");
    format!("({}) -> ({})", list(&ty.parameters), list(&ty.results))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use vivarium_artifact::contract::ValueType;

    pub(crate) fn contract(imports: &[(&str, &str, FunctionType)]) -> Contract {
        let imports = imports.iter().map(|(module, name, ty)| ImportedFunction {
            module: module.to_string(),
            name: name.to_string(),
            ty: ty.clone(),
        });
        Contract { imports: imports.collect(), ..Contract::empty() }
    }

    fn i32s(parameters: usize) -> FunctionType {
        FunctionType { parameters: vec![ValueType::I32; parameters], results: vec![ValueType::I32] }
    }

    fn refusal(module: &str, name: &str, ty: FunctionType) -> String {
        Linkage::resolve(&contract(&[(module, name, ty)])).unwrap_err().to_string()
    }

    #[test]
    fn imports_keep_their_order() {
        let wasi = "wasi_snapshot_preview1";
        let linkage =
            Linkage::resolve(&contract(&[(wasi, "fd_write", i32s(4)), (wasi, "sock_send", i32s(5)), (wasi, "args_get", i32s(2))])).unwrap();
        assert_eq!(linkage.function(0).unwrap().row().name, "fd_write");
        assert_eq!(linkage.function(2).unwrap().row().name, "args_get");
        assert!(linkage.function(3).is_none());
        assert_eq!(linkage.stubs(), ["wasi_snapshot_preview1.sock_send"]);
    }

    #[test]
    fn unknown_imports_are_named() {
        assert_eq!(refusal("env", "emit", i32s(1)), "the program imports env.emit, and no host function lives in a module named env");
        assert_eq!(
            refusal("wasi_snapshot_preview1", "fd_teleport", i32s(1)),
            "the program imports wasi_snapshot_preview1.fd_teleport, which no host function of wasi_snapshot_preview1 answers"
        );
        assert_eq!(
            refusal("wasi_snapshot_preview1", "fd_close", i32s(2)),
            "the program imports wasi_snapshot_preview1.fd_close with the type (i32, i32) -> (i32), but the host function has the type (i32) -> (i32)"
        );
    }
}
