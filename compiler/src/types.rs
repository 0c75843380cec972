//! Types of wasm, of the contract and of CLIF, and the numbering of signatures.

use std::collections::HashMap;

use cranelift_codegen::ir::{self, types};
use sha2::{Digest as _, Sha256};
use vivarium_artifact::{FunctionType, HeapType, ReferenceType, TypeDigest, ValueType};
use wasmparser::{AbstractHeapType, CompositeInnerType, FuncType, RefType, SubType, TypeSectionReader, UnpackedIndex, ValType};

use crate::error::CompileError;

/// How a value lies in a register: references are eight bytes (`runtime/decisions/0001-abi.md`).
pub fn clif_type(ty: ValueType) -> ir::Type {
    match ty {
        ValueType::I32 => types::I32,
        ValueType::F32 => types::F32,
        ValueType::F64 => types::F64,
        ValueType::V128 => types::I8X16,
        ValueType::I64 | ValueType::Reference(_) => types::I64,
    }
}

/// The same of a wasm type, whatever a reference refers to; none for types of features that are not translated.
pub fn register_type(ty: ValType) -> Option<ir::Type> {
    match ty {
        ValType::I32 => Some(types::I32),
        ValType::I64 => Some(types::I64),
        ValType::F32 => Some(types::F32),
        ValType::F64 => Some(types::F64),
        ValType::V128 => Some(types::I8X16),
        ValType::Ref(reference) => match reference.heap_type() {
            wasmparser::HeapType::Abstract { shared: false, ty } => abstract_type(ty).map(|_| types::I64),
            wasmparser::HeapType::Concrete(_) => Some(types::I64),
            _ => None,
        },
    }
}

fn abstract_type(ty: AbstractHeapType) -> Option<HeapType> {
    match ty {
        AbstractHeapType::Func => Some(HeapType::Func),
        AbstractHeapType::NoFunc => Some(HeapType::NoFunc),
        AbstractHeapType::Extern => Some(HeapType::Extern),
        AbstractHeapType::NoExtern => Some(HeapType::NoExtern),
        AbstractHeapType::Exn => Some(HeapType::Exn),
        AbstractHeapType::NoExn => Some(HeapType::NoExn),
        _ => None,
    }
}

/// Numbers signatures from 1 so that equal ones have equal numbers, which is what `call_indirect` compares: those at the same place of recursion groups that
/// are the same, whatever they are called (core specification, 3.1.2).
#[derive(Debug, Default)]
pub struct Signatures {
    /// Number n is at n − 1.
    signatures: Vec<FunctionType>,
    /// What the same signatures are called in every module.
    digests: Vec<TypeDigest>,
    /// The number of the first signature of each recursion group, by that one's digest.
    groups: HashMap<TypeDigest, u32>,
    /// The signature's number of each type index.
    types: Vec<u32>,
}

impl Signatures {
    /// Reads a section that the validator has accepted. Types of garbage collection are refused by name.
    pub fn read(&mut self, section: TypeSectionReader<'_>) -> Result<(), CompileError> {
        for group in section.into_iter_with_offsets() {
            let (offset, group) = group?;
            let types: Vec<SubType> = group.into_types().collect();
            self.add_group(&types).ok_or_else(|| CompileError::unsupported(offset, "types of garbage collection"))?;
        }
        Ok(())
    }

    /// Adds a recursion group. None when one of its types is not translated.
    fn add_group(&mut self, types: &[SubType]) -> Option<()> {
        let before = self.types.len();
        // As if the group were a new one, so that its types can name each other.
        self.types.extend((self.signatures.len() as u32 + 1..).take(types.len()));
        let functions = types.iter().map(|ty| Some((self.function_type(function(ty)?)?, ty.is_final))).collect::<Option<_>>()?;
        let first = self.number_group(functions);
        for (number, position) in self.types[before..].iter_mut().zip(0..) {
            *number = first + position;
        }
        Some(())
    }

    /// The number of the first signature of a group, which is added when it is a new one: its types name each other by the numbers that they have then.
    fn number_group(&mut self, functions: Vec<(FunctionType, bool)>) -> u32 {
        let next = self.signatures.len() as u32 + 1;
        let group = functions.iter().fold(Sha256::new_with_prefix((functions.len() as u64).to_le_bytes()), |group, (ty, is_final)| {
            self.hash_signature(group.chain_update([u8::from(*is_final)]), next, ty)
        });
        let digest = |position: u64| -> TypeDigest { group.clone().chain_update(position.to_le_bytes()).finalize().into() };
        let first = *self.groups.entry(digest(0)).or_insert(next);
        if first == next {
            for ((signature, _), position) in functions.into_iter().zip(0..) {
                self.signatures.push(signature);
                self.digests.push(digest(position));
            }
        }
        first
    }

    /// Hashes a signature so that no other gives the same bytes. A signature of its own group, which begins with number `first`, goes in by its position, another by its digest.
    fn hash_signature(&self, mut hash: Sha256, first: u32, signature: &FunctionType) -> Sha256 {
        for list in [&signature.parameters, &signature.results] {
            hash.update((list.len() as u64).to_le_bytes());
            for ty in list {
                hash.update(format!("{};", without_number(*ty)));
                let Some(number) = signature_of(*ty) else { continue };
                match number.checked_sub(first) {
                    Some(position) => hash.update([&[0][..], &position.to_le_bytes()].concat()),
                    None => hash.update([&[1][..], &self.digests[number as usize - 1]].concat()),
                }
            }
        }
        hash
    }

    /// The signature's number of each type index so far.
    pub fn types(&self) -> &[u32] {
        &self.types
    }

    /// The signature of a number.
    pub fn signature(&self, number: u32) -> &FunctionType {
        &self.signatures[number as usize - 1]
    }

    /// Numbers the signature that takes and gives nothing, where the module has none.
    pub fn number_empty(&mut self) {
        if !self.signatures.contains(&FunctionType::default()) {
            self.number_group(vec![(FunctionType::default(), true)]);
        }
    }

    /// All signatures, their digests, and their numbers by type index.
    pub fn into_parts(self) -> (Vec<FunctionType>, Vec<TypeDigest>, Vec<u32>) {
        (self.signatures, self.digests, self.types)
    }

    /// The contract's name of a wasm type; none for types of features that are not translated.
    pub fn value_type(&self, ty: ValType) -> Option<ValueType> {
        match ty {
            ValType::I32 => Some(ValueType::I32),
            ValType::I64 => Some(ValueType::I64),
            ValType::F32 => Some(ValueType::F32),
            ValType::F64 => Some(ValueType::F64),
            ValType::V128 => Some(ValueType::V128),
            ValType::Ref(reference) => self.reference_type(reference),
        }
    }

    /// The contract's name of a reference type.
    pub fn reference_type(&self, ty: RefType) -> Option<ValueType> {
        let heap = match ty.heap_type() {
            wasmparser::HeapType::Abstract { shared: false, ty } => abstract_type(ty)?,
            wasmparser::HeapType::Concrete(UnpackedIndex::Module(index)) => HeapType::Signature(*self.types.get(index as usize)?),
            _ => return None,
        };
        Some(ValueType::Reference(ReferenceType { nullable: ty.is_nullable(), heap }))
    }

    fn function_type(&self, ty: &FuncType) -> Option<FunctionType> {
        let list = |types: &[ValType]| types.iter().map(|ty| self.value_type(*ty)).collect::<Option<Vec<_>>>();
        Some(FunctionType { parameters: list(ty.params())?, results: list(ty.results())? })
    }
}

/// The function type that a type is, unless it is one of garbage collection.
fn function(ty: &SubType) -> Option<&FuncType> {
    match &ty.composite_type.inner {
        CompositeInnerType::Func(function) if ty.supertype_idxs.is_empty() && !ty.composite_type.shared => Some(function),
        _ => None,
    }
}

fn signature_of(ty: ValueType) -> Option<u32> {
    match ty {
        ValueType::Reference(ReferenceType { heap: HeapType::Signature(number), .. }) => Some(number),
        _ => None,
    }
}

/// The type with no signature's number in it.
fn without_number(ty: ValueType) -> ValueType {
    match ty {
        ValueType::Reference(ReferenceType { heap: HeapType::Signature(_), nullable }) => {
            ValueType::Reference(ReferenceType { nullable, heap: HeapType::Signature(0) })
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmparser::{Parser, Payload};

    /// The signatures of a module that declares these types.
    fn signatures(types: &str) -> Signatures {
        let wasm = wat::parse_str(format!("(module {types})")).expect("the test's WAT is right");
        let mut signatures = Signatures::default();
        for payload in Parser::new(0).parse_all(&wasm) {
            if let Payload::TypeSection(section) = payload.unwrap() {
                signatures.read(section).unwrap();
            }
        }
        signatures
    }

    #[test]
    fn equal_signatures_share_a_number() {
        let signatures =
            signatures("(type (func)) (type (func (param i32))) (type (func)) (type (func (param (ref 0)))) (type (func (param (ref 2))))");
        assert_eq!(signatures.types(), [1, 2, 1, 3, 3]);
        assert_eq!(signatures.signature(2), &FunctionType { parameters: vec![ValueType::I32], results: vec![] });
    }

    #[test]
    fn a_recursive_signature_is_known_by_its_whole_group() {
        let own = "(type (func (param (ref null 0))))";
        let two = "(rec (type (func)) (type (func (param i32))))";
        let signatures = signatures(&format!("{own} {} (type (func)) {two} {two}", own.replace('0', "1")));
        assert_eq!(signatures.types(), [1, 1, 2, 3, 4, 3, 4], "one that stands alone is not one of a group");
        let to_itself = ValueType::Reference(ReferenceType { nullable: true, heap: HeapType::Signature(1) });
        assert_eq!(signatures.signature(1).parameters, [to_itself]);
    }

    #[test]
    fn digests_are_equal_in_two_modules_exactly_when_the_types_are() {
        let text = "(type $a (func (param i32))) (type $b (func (result (ref $a)))) (rec (type $c (func (param (ref $d)))) (type $d (func (param (ref $c)))))";
        let (one, other) = (signatures(text), signatures(&format!("(type (func)) (type (func (param i64) (param (ref 0)))) {text}")));
        assert_eq!((one.types(), other.types()), (&[1, 2, 3, 4][..], &[1, 2, 3, 4, 5, 6][..]));
        assert_eq!(one.digests, other.digests[2..]);
        let changed = signatures(&text.replace("i32", "i64"));
        assert!(one.digests.iter().zip(&changed.digests).take(2).all(|(one, other)| one != other), "what a type refers to belongs to it");
        let mut all = one.digests.clone();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 4, "types of a group differ by their places");
    }

    #[test]
    fn types_of_garbage_collection_are_not_translated() {
        let wasm = wat::parse_str("(module (type (struct)))").unwrap();
        for payload in Parser::new(0).parse_all(&wasm) {
            if let Payload::TypeSection(section) = payload.unwrap() {
                assert!(Signatures::default().read(section).is_err());
            }
        }
    }
}
