//! Types of wasm, of the contract and of CLIF, and the numbering of signatures.

use std::collections::HashMap;

use cranelift_codegen::ir::{self, types};
use vivarium_artifact::{FunctionType, ValueType};
use wasmparser::{RefType, ValType};

/// The contract's name of a wasm type; none for types of features that are not translated.
pub fn value_type(ty: ValType) -> Option<ValueType> {
    match ty {
        ValType::I32 => Some(ValueType::I32),
        ValType::I64 => Some(ValueType::I64),
        ValType::F32 => Some(ValueType::F32),
        ValType::F64 => Some(ValueType::F64),
        ValType::V128 => Some(ValueType::V128),
        ValType::Ref(reference) => reference_type(reference),
    }
}

/// The contract's name of a reference type.
pub fn reference_type(ty: RefType) -> Option<ValueType> {
    match ty {
        RefType::FUNCREF => Some(ValueType::FuncRef),
        RefType::EXTERNREF => Some(ValueType::ExternRef),
        _ => None,
    }
}

/// The contract's name of a wasm signature.
pub fn function_type(ty: &wasmparser::FuncType) -> Option<FunctionType> {
    let list = |types: &[ValType]| types.iter().map(|ty| value_type(*ty)).collect::<Option<Vec<_>>>();
    Some(FunctionType { parameters: list(ty.params())?, results: list(ty.results())? })
}

/// How a value lies in a register: references are eight bytes (`runtime/decisions/0001-abi.md`).
pub fn clif_type(ty: ValueType) -> ir::Type {
    match ty {
        ValueType::I32 => types::I32,
        ValueType::F32 => types::F32,
        ValueType::F64 => types::F64,
        ValueType::V128 => types::I8X16,
        ValueType::I64 | ValueType::FuncRef | ValueType::ExternRef => types::I64,
    }
}

/// Numbers signatures from 1 so that equal ones get equal numbers, which is what `call_indirect` compares.
#[derive(Debug, Default)]
pub struct SignatureNumbers {
    signatures: Vec<FunctionType>,
    numbers: HashMap<FunctionType, u32>,
}

impl SignatureNumbers {
    /// The number of a signature, which is its first use or that of an equal one.
    pub fn number(&mut self, signature: FunctionType) -> u32 {
        let signatures = &mut self.signatures;
        *self.numbers.entry(signature).or_insert_with_key(|signature| {
            signatures.push(signature.clone());
            signatures.len() as u32
        })
    }

    /// The signature of a number that [`SignatureNumbers::number`] gave.
    pub fn signature(&self, number: u32) -> &FunctionType {
        &self.signatures[number as usize - 1]
    }

    /// All signatures: number n is at n − 1.
    pub fn into_signatures(self) -> Vec<FunctionType> {
        self.signatures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_signatures_share_a_number() {
        let mut numbers = SignatureNumbers::default();
        let one = FunctionType { parameters: vec![ValueType::I32], results: vec![] };
        assert_eq!(numbers.number(FunctionType::default()), 1);
        assert_eq!(numbers.number(one.clone()), 2);
        assert_eq!(numbers.number(FunctionType::default()), 1);
        assert_eq!(numbers.into_signatures(), vec![FunctionType::default(), one]);
    }
}
