//! Types of values and functions, and when one of another module is the same or may stand in (core specification, 2.3 and 3.3).
//!
//! A signature that a type refers to is named by its canonical number, which means something in its own module only; between modules a [`TypeDigest`] does.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::Contract;

/// A type of value (core specification, 2.3.5). GC types come with the feature that needs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ValueType {
    I32,
    I64,
    F32,
    F64,
    V128,
    Reference(ReferenceType),
}

/// A type of reference (core specification, 2.3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ReferenceType {
    pub nullable: bool,
    pub heap: HeapType,
}

/// What a reference refers to (core specification, 2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HeapType {
    Func,
    NoFunc,
    Extern,
    NoExtern,
    /// An exception.
    Exn,
    NoExn,
    /// A function of the signature with this canonical number.
    Signature(u32),
}

/// Types of parameters and results.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct FunctionType {
    pub parameters: Vec<ValueType>,
    pub results: Vec<ValueType>,
}

/// SHA-256 of a signature with its recursion group and all that these refer to: equal in two modules exactly when the types are equal.
pub type TypeDigest = [u8; 32];

impl ValueType {
    /// `funcref`.
    pub const FUNC_REF: ValueType = ValueType::Reference(ReferenceType { nullable: true, heap: HeapType::Func });
    /// `externref`.
    pub const EXTERN_REF: ValueType = ValueType::Reference(ReferenceType { nullable: true, heap: HeapType::Extern });

    /// `exnref`.
    pub const EXN_REF: ValueType = ValueType::Reference(ReferenceType { nullable: true, heap: HeapType::Exn });

    /// Whether values are references to functions.
    pub fn is_function_reference(self) -> bool {
        let ValueType::Reference(reference) = self else { return false };
        matches!(reference.heap, HeapType::Func | HeapType::NoFunc | HeapType::Signature(_))
    }

    /// Whether values are references to exceptions.
    pub fn is_exception_reference(self) -> bool {
        let ValueType::Reference(reference) = self else { return false };
        matches!(reference.heap, HeapType::Exn | HeapType::NoExn)
    }

    /// Whether values mean something in their own instance only: a function has another number in each module, an exception in each instance.
    pub fn is_local(self) -> bool {
        self.is_function_reference() || self.is_exception_reference()
    }
}

impl Contract {
    /// Whether two signatures, each by its number in its own module, are the same.
    pub fn is_same_signature(&self, number: u32, other: &Contract, other_number: u32) -> bool {
        if std::ptr::eq(self, other) {
            return number == other_number;
        }
        let digest = |contract: &Contract, number: u32| contract.type_digests.get(number.wrapping_sub(1) as usize).copied();
        digest(self, number).is_some_and(|digest_here| digest(other, other_number) == Some(digest_here))
    }

    /// Whether a type of this module and one of another are the same.
    pub fn is_same_type(&self, ty: ValueType, other: &Contract, other_ty: ValueType) -> bool {
        self.is_subtype(ty, other, other_ty) && other.is_subtype(other_ty, self, ty)
    }

    /// Whether values of a type of this module may stand where another module wants ones of its own type (core specification, 3.3).
    pub fn is_subtype(&self, ty: ValueType, other: &Contract, wanted: ValueType) -> bool {
        match (ty, wanted) {
            (ValueType::Reference(reference), ValueType::Reference(wanted)) => {
                (wanted.nullable || !reference.nullable) && self.heap_matches(reference.heap, other, wanted.heap)
            }
            _ => ty == wanted,
        }
    }

    fn heap_matches(&self, heap: HeapType, other: &Contract, wanted: HeapType) -> bool {
        match (heap, wanted) {
            (HeapType::Signature(number), HeapType::Signature(wanted)) => self.is_same_signature(number, other, wanted),
            (HeapType::Signature(_) | HeapType::NoFunc, HeapType::Func) => true,
            (HeapType::NoFunc, HeapType::Signature(_)) | (HeapType::NoExtern, HeapType::Extern) | (HeapType::NoExn, HeapType::Exn) => true,
            _ => heap == wanted,
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueType::I32 => f.write_str("i32"),
            ValueType::I64 => f.write_str("i64"),
            ValueType::F32 => f.write_str("f32"),
            ValueType::F64 => f.write_str("f64"),
            ValueType::V128 => f.write_str("v128"),
            ValueType::Reference(reference) => reference.fmt(f),
        }
    }
}

/// `funcref`, or `(ref null 3)` with the canonical number of a signature.
impl fmt::Display for ReferenceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let abstract_name = match self.heap {
            HeapType::Func => "func",
            HeapType::NoFunc => "nofunc",
            HeapType::Extern => "extern",
            HeapType::NoExtern => "noextern",
            HeapType::Exn => "exn",
            HeapType::NoExn => "noexn",
            HeapType::Signature(number) if self.nullable => return write!(f, "(ref null {number})"),
            HeapType::Signature(number) => return write!(f, "(ref {number})"),
        };
        match (self.nullable, self.heap) {
            (true, HeapType::NoFunc | HeapType::NoExtern | HeapType::NoExn) => {
                write!(f, "null{}ref", abstract_name.trim_start_matches("no"))
            }
            (true, _) => write!(f, "{abstract_name}ref"),
            (false, _) => write!(f, "(ref {abstract_name})"),
        }
    }
}

/// In the words of the text format: `(i32 i32) -> (i32)`.
impl fmt::Display for FunctionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |types: &[ValueType]| types.iter().map(ValueType::to_string).collect::<Vec<_>>().join(" ");
        write!(f, "({}) -> ({})", list(&self.parameters), list(&self.results))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(nullable: bool, heap: HeapType) -> ValueType {
        ValueType::Reference(ReferenceType { nullable, heap })
    }

    fn contract(digests: &[u8]) -> Contract {
        Contract {
            types: vec![FunctionType::default(); digests.len()],
            type_digests: digests.iter().map(|digest| [*digest; 32]).collect(),
            ..Contract::empty()
        }
    }

    #[test]
    fn numbers_of_signatures_mean_something_in_their_own_module_only() {
        let (one, other) = (contract(&[1, 2]), contract(&[2, 1, 3]));
        let to = |number| reference(true, HeapType::Signature(number));
        assert!(one.is_same_type(to(1), &other, to(2)) && one.is_same_type(to(2), &other, to(1)));
        assert!(!one.is_same_type(to(1), &other, to(1)) && !one.is_same_type(to(1), &other, to(3)));
        assert!(one.is_same_type(to(1), &one, to(1)) && !one.is_same_type(to(1), &one, to(2)));
        let unlinked = Contract { type_digests: vec![], ..one.clone() };
        assert!(!unlinked.is_same_type(to(1), &one, to(1)), "without digests nothing is known to be equal");
    }

    #[test]
    fn a_reference_may_stand_in_for_one_that_says_less() {
        let contract = contract(&[1]);
        let is_subtype = |ty, wanted| contract.is_subtype(ty, &contract, wanted);
        let signature = HeapType::Signature(1);
        for (ty, wanted) in [
            (reference(false, signature), reference(true, signature)),
            (reference(false, signature), ValueType::FUNC_REF),
            (reference(true, HeapType::NoFunc), reference(true, signature)),
            (reference(true, HeapType::NoFunc), ValueType::FUNC_REF),
            (reference(true, HeapType::NoExtern), ValueType::EXTERN_REF),
            (reference(true, HeapType::NoExn), ValueType::EXN_REF),
        ] {
            assert!(is_subtype(ty, wanted) && !is_subtype(wanted, ty), "{ty} and {wanted}");
        }
        assert!(!is_subtype(ValueType::EXTERN_REF, ValueType::FUNC_REF) && !is_subtype(ValueType::I32, ValueType::I64));
    }

    #[test]
    fn types_are_shown_as_the_text_format_writes_them() {
        let shown = [
            ValueType::FUNC_REF,
            reference(false, HeapType::Extern),
            reference(true, HeapType::NoFunc),
            reference(false, HeapType::NoFunc),
            reference(true, HeapType::Signature(3)),
            ValueType::V128,
        ]
        .map(|ty| ty.to_string());
        assert_eq!(shown, ["funcref", "(ref extern)", "nullfuncref", "(ref nofunc)", "(ref null 3)", "v128"]);
    }
}
