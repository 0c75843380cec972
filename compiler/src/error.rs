//! Why a module was not compiled, as sentences that its author can act on.

use thiserror::Error;
use vivarium_artifact::FunctionType;

/// The first reason found. Offsets are in bytes of the wasm binary.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CompileError {
    #[error("the wasm is not valid: {message} (at offset {offset:#x})")]
    Invalid { offset: u64, message: String },
    #[error("the wasm needs what this compiler does not translate yet: {what} (at offset {offset:#x})")]
    Unsupported { offset: u64, what: String },
    #[error("the wasm uses {feature}, which programs may not use here: {message} (at offset {offset:#x})")]
    Feature { offset: u64, feature: String, message: String },
    #[error("the program imports {module}.{name}, which no host function answers")]
    UnknownImport { module: String, name: String },
    #[error("the program imports {module}.{name} as {found}, the host function is {expected}")]
    ImportType { module: String, name: String, found: Box<FunctionType>, expected: Box<FunctionType> },
    #[error("the program imports the {kind} {module}.{name}: only functions can be imported, define it in the program")]
    ImportKind { module: String, name: String, kind: &'static str },
    #[error("{what}: {found}, the limit is {limit}")]
    Limit { what: String, found: u64, limit: u64 },
    #[error("the code generator refused {what}: {message}")]
    Codegen { what: String, message: String },
    #[error("this machine cannot compile: {0}")]
    Machine(String),
}

impl CompileError {
    /// Where in the wasm binary it is, where one place is to blame.
    pub fn offset(&self) -> Option<u64> {
        match self {
            CompileError::Invalid { offset, .. } | CompileError::Unsupported { offset, .. } => Some(*offset),
            _ => None,
        }
    }

    pub(crate) fn limit(what: impl Into<String>, found: u64, limit: u64) -> CompileError {
        CompileError::Limit { what: what.into(), found, limit }
    }

    pub(crate) fn unsupported(offset: u64, what: impl Into<String>) -> CompileError {
        CompileError::Unsupported { offset, what: what.into() }
    }
}

impl From<wasmparser::Error> for CompileError {
    fn from(error: wasmparser::Error) -> CompileError {
        CompileError::Invalid { offset: error.offset(), message: error.message().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vivarium_artifact::ValueType;

    #[test]
    fn a_wrong_import_type_shows_both_signatures() {
        let error = CompileError::ImportType {
            module: "env".into(),
            name: "emit".into(),
            found: Box::new(FunctionType { parameters: vec![ValueType::I32, ValueType::F64], results: vec![] }),
            expected: Box::new(FunctionType { parameters: vec![ValueType::I32], results: vec![ValueType::I32] }),
        };
        assert_eq!(error.to_string(), "the program imports env.emit as (i32 f64) -> (), the host function is (i32) -> (i32)");
    }
}
