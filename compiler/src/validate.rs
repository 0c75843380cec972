//! Wasm bytes to a [`ValidatedModule`]: which features a module may use, and why it is refused.

use wasmparser::{Parser, Payload, Validator, WasmFeatures};

use crate::error::CompileError;
use crate::features::Features;
use crate::module::ValidatedModule;
use crate::policy::Policy;
use crate::sections;

/// Checks a module and reads it.
pub fn validate<'a>(wasm: &'a [u8], policy: &Policy) -> Result<ValidatedModule<'a>, CompileError> {
    if wasm.len() as u64 > policy.wasm_bytes_max {
        return Err(CompileError::limit("size of the wasm in bytes", wasm.len() as u64, policy.wasm_bytes_max));
    }
    sections::read(wasm, policy).map_err(|error| name_refusal(wasm, policy.features.flags(), error))
}

/// Whether a binary has a function that runs before any export. One that cannot be read so far may have.
pub fn has_start(wasm: &[u8]) -> bool {
    for payload in Parser::new(0).parse_all(wasm) {
        match payload {
            Ok(Payload::StartSection { .. }) | Err(_) => return true,
            // It would have come before.
            Ok(Payload::CodeSectionStart { .. }) => return false,
            Ok(_) => {}
        }
    }
    false
}

/// Why a module was refused. That it is invalid comes first, whatever else is wrong with it; one that is valid with features that the policy does
/// not permit is not invalid: the message then names them.
fn name_refusal(wasm: &[u8], features: WasmFeatures, error: CompileError) -> CompileError {
    let Err(invalid) = check(wasm, features) else { return error };
    let (offset, message) = (invalid.offset(), invalid.message().to_owned());
    match missing_features(wasm, features, &invalid) {
        Some(missing) => {
            let names: Vec<_> = Features::of(missing).names().collect();
            CompileError::Feature { offset, feature: names.join(" and "), message }
        }
        None => CompileError::Invalid { offset, message },
    }
}

/// The features with which a refused module is valid; none when no features help.
fn missing_features(wasm: &[u8], features: WasmFeatures, refusal: &wasmparser::Error) -> Option<WasmFeatures> {
    let all = WasmFeatures::all();
    check(wasm, all).ok()?;
    let mut named = refusal.missing_wasm_feature();
    let mut tried = features;
    // Each turn adds a feature.
    while let Some(missing) = named.filter(|missing| !tried.contains(*missing)) {
        tried |= missing;
        match check(wasm, tried) {
            Ok(()) => return Some(tried.difference(features)),
            Err(refusal) => named = refusal.missing_wasm_feature(),
        }
    }
    let helps = |feature: &WasmFeatures| check(wasm, features.union(*feature)).is_ok();
    all.difference(features).iter().find(helps).or(Some(all.difference(features)))
}

fn check(wasm: &[u8], features: WasmFeatures) -> Result<(), wasmparser::Error> {
    Validator::new_with_features(features).validate_all(wasm).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_function_is_seen_without_reading_code() {
        let start = wat::parse_str("(module (func $f) (start $f))").unwrap();
        assert!(has_start(&start) && !has_start(&wat::parse_str("(module (func))").unwrap()));
        assert!(!has_start(&wat::parse_str("(module)").unwrap()) && has_start(&start[..11]) && has_start(b"no wasm"));
    }
}
