//! Arguments into bits, results against patterns.

use vivarium_artifact::{HeapType, ValueType};
use wast::core::{NanPattern, V128Pattern, WastArgCore, WastRetCore};
use wast::{WastArg, WastRet};

/// A value with its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Typed {
    pub ty: ValueType,
    pub bits: u128,
}

const F32_CANONICAL_NAN: u32 = 0x7fc0_0000;
const F64_CANONICAL_NAN: u64 = 0x7ff8_0000_0000_0000;

/// The bits of an argument.
pub fn argument(argument: &WastArg<'_>) -> Result<u128, String> {
    let WastArg::Core(argument) = argument else { return Err("not a core value".into()) };
    Ok(match argument {
        WastArgCore::I32(value) => u128::from(*value as u32),
        WastArgCore::I64(value) => u128::from(*value as u64),
        WastArgCore::F32(value) => u128::from(value.bits),
        WastArgCore::F64(value) => u128::from(value.bits),
        WastArgCore::V128(value) => u128::from_le_bytes(value.to_le_bytes()),
        WastArgCore::RefNull(_) => 0,
        // Handles count from 1: zero is null.
        WastArgCore::RefExtern(handle) => u128::from(*handle) + 1,
        WastArgCore::RefHost(_) => return Err("host references need GC types".into()),
    })
}

/// Compares results with what a directive expects.
pub fn compare(actual: &[Typed], expected: &[WastRet<'_>]) -> Result<(), String> {
    if actual.len() != expected.len() {
        return Err(format!("{} results, expected {}", actual.len(), expected.len()));
    }
    for (actual, expected) in actual.iter().zip(expected) {
        let WastRet::Core(expected) = expected else { return Err("not a core value".into()) };
        if !matches(*actual, expected) {
            return Err(format!("result {:?} {:#x}, expected {expected:?}", actual.ty, actual.bits));
        }
    }
    Ok(())
}

fn matches(actual: Typed, expected: &WastRetCore<'_>) -> bool {
    let bits = actual.bits;
    match (actual.ty, expected) {
        (ValueType::I32, WastRetCore::I32(value)) => bits as u32 == *value as u32,
        (ValueType::I64, WastRetCore::I64(value)) => bits as u64 == *value as u64,
        (ValueType::F32, WastRetCore::F32(pattern)) => matches_f32(bits as u32, &map_nan(pattern, |value| value.bits)),
        (ValueType::F64, WastRetCore::F64(pattern)) => matches_f64(bits as u64, &map_nan(pattern, |value| value.bits)),
        (ValueType::V128, WastRetCore::V128(pattern)) => matches_v128(bits, pattern),
        (ValueType::Reference(_), WastRetCore::RefNull(_)) => bits as u64 == 0,
        (ty, WastRetCore::RefFunc(_)) if ty.is_function_reference() => bits as u64 != 0,
        (ValueType::Reference(reference), WastRetCore::RefExtern(handle)) if reference.heap == HeapType::Extern => match handle {
            None => bits as u64 != 0,
            Some(handle) => bits as u64 == u64::from(*handle) + 1,
        },
        (_, WastRetCore::Either(choices)) => choices.iter().any(|choice| matches(actual, choice)),
        _ => false,
    }
}

fn map_nan<T, B>(pattern: &NanPattern<T>, bits: impl Fn(&T) -> B) -> NanPattern<B> {
    match pattern {
        NanPattern::CanonicalNan => NanPattern::CanonicalNan,
        NanPattern::ArithmeticNan => NanPattern::ArithmeticNan,
        NanPattern::Value(value) => NanPattern::Value(bits(value)),
    }
}

fn matches_f32(bits: u32, pattern: &NanPattern<u32>) -> bool {
    match pattern {
        NanPattern::CanonicalNan => bits & 0x7fff_ffff == F32_CANONICAL_NAN,
        NanPattern::ArithmeticNan => bits & F32_CANONICAL_NAN == F32_CANONICAL_NAN,
        NanPattern::Value(value) => bits == *value,
    }
}

fn matches_f64(bits: u64, pattern: &NanPattern<u64>) -> bool {
    match pattern {
        NanPattern::CanonicalNan => bits & 0x7fff_ffff_ffff_ffff == F64_CANONICAL_NAN,
        NanPattern::ArithmeticNan => bits & F64_CANONICAL_NAN == F64_CANONICAL_NAN,
        NanPattern::Value(value) => bits == *value,
    }
}

fn matches_v128(bits: u128, pattern: &V128Pattern) -> bool {
    let lane = |index: usize, width: usize| (bits >> (index * width)) as u64;
    match pattern {
        V128Pattern::I8x16(lanes) => lanes.iter().enumerate().all(|(index, value)| lane(index, 8) as u8 == *value as u8),
        V128Pattern::I16x8(lanes) => lanes.iter().enumerate().all(|(index, value)| lane(index, 16) as u16 == *value as u16),
        V128Pattern::I32x4(lanes) => lanes.iter().enumerate().all(|(index, value)| lane(index, 32) as u32 == *value as u32),
        V128Pattern::I64x2(lanes) => lanes.iter().enumerate().all(|(index, value)| lane(index, 64) == *value as u64),
        V128Pattern::F32x4(lanes) => {
            lanes.iter().enumerate().all(|(index, pattern)| matches_f32(lane(index, 32) as u32, &map_nan(pattern, |value| value.bits)))
        }
        V128Pattern::F64x2(lanes) => {
            lanes.iter().enumerate().all(|(index, pattern)| matches_f64(lane(index, 64), &map_nan(pattern, |value| value.bits)))
        }
    }
}

/// Trap messages that older versions of the suite spell otherwise.
pub fn synonymous(told: &str, expected: &str) -> bool {
    matches!(
        (told, expected),
        ("out of bounds table access", "undefined element" | "undefined")
            | ("uninitialized element", "uninitialized")
            | ("null reference", "null function reference" | "null structure reference" | "null array reference" | "null i31 reference")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_patterns_are_told_apart() {
        assert!(matches_f32(0xffc0_0000, &NanPattern::CanonicalNan));
        assert!(!matches_f32(0x7fc0_0001, &NanPattern::CanonicalNan));
        assert!(matches_f32(0x7fc0_0001, &NanPattern::ArithmeticNan));
        assert!(!matches_f32(0x7f80_0001, &NanPattern::ArithmeticNan));
        assert!(matches_f64(0x7ff8_0000_0000_0000, &NanPattern::CanonicalNan));
    }
}
