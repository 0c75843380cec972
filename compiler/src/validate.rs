//! Wasm bytes to a [`ValidatedModule`]: which features a module may use, and why it is refused.

use wasmparser::{Validator, WasmFeatures};

use crate::error::CompileError;
use crate::module::ValidatedModule;
use crate::policy::Policy;
use crate::sections;

/// Exactly what the translator knows; whatever else a module uses is refused by name.
const FEATURES: WasmFeatures = WasmFeatures::MVP
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::EXTENDED_CONST);

/// Checks a module and reads it.
pub fn validate<'a>(wasm: &'a [u8], policy: &Policy) -> Result<ValidatedModule<'a>, CompileError> {
    if wasm.len() as u64 > policy.wasm_bytes_max {
        return Err(CompileError::limit("size of the wasm in bytes", wasm.len() as u64, policy.wasm_bytes_max));
    }
    sections::read(wasm, FEATURES, policy).map_err(|error| name_refusal(wasm, error))
}

/// Why a module was refused. That it is invalid comes first, whatever else is wrong with it; one that is valid with a feature that we lack is not
/// invalid: the message then names the feature.
fn name_refusal(wasm: &[u8], error: CompileError) -> CompileError {
    let Err(invalid) = Validator::new_with_features(FEATURES).validate_all(wasm) else { return error };
    let (offset, message) = (invalid.offset(), invalid.message().to_owned());
    if !is_valid(wasm, WasmFeatures::all()) {
        return CompileError::Invalid { offset, message };
    }
    let lacking = WasmFeatures::all().difference(FEATURES);
    let missing = lacking.iter_names().find(|(_, feature)| is_valid(wasm, FEATURES.union(*feature)));
    let what = match missing {
        Some((feature, _)) => format!("{} ({message})", feature.to_lowercase().replace('_', "-")),
        None => message,
    };
    CompileError::Unsupported { offset, what }
}

fn is_valid(wasm: &[u8], features: WasmFeatures) -> bool {
    Validator::new_with_features(features).validate_all(wasm).is_ok()
}
