//! A module from a seed: valid, importing nothing, exporting everything, using what our compiler translates, and bound to end in every engine alike,
//! because it counts its own calls and turns of loops.

use arbitrary::{Arbitrary, Unstructured};
use wasm_smith::{Config, Module};

use vivarium_compiler::Features;

use super::added;
use super::random::Random;

/// Calls and turns of loops after which a module traps.
const FUEL: u32 = 1_000;
/// Bytes that decide about a module: at least, and how many more at most.
const ENTROPY_BYTES: (usize, u64) = (256, 6_000);
const MEMORY_BYTES_MAX: u64 = 5 << 16;
const TABLE_ELEMENTS_MAX: u64 = 500;

/// The module of a seed; none when the bytes make none.
pub fn module(seed: u64) -> Option<Vec<u8>> {
    module_with_fuel(seed, FUEL)
}

/// The same module with so many calls and turns of loops.
pub fn module_with_fuel(seed: u64, fuel: u32) -> Option<Vec<u8>> {
    let mut random = Random::new(seed);
    let length = ENTROPY_BYTES.0 + (random.next() % ENTROPY_BYTES.1) as usize;
    // wasm-smith does not draw this one.
    let custom_page_sizes = random.next().is_multiple_of(4);
    let bytes = random.bytes(length);
    // What wasmi lacks is in some modules only, so that it takes part in the others.
    let [exceptions, relaxed_simd, typed_references] = [(); 3].map(|()| random.next().is_multiple_of(6));
    let mut source = Unstructured::new(&bytes);
    let drawn = Config::arbitrary(&mut source).ok()?;
    let mut module = Module::new(
        bounded(Config {
            custom_page_sizes_enabled: custom_page_sizes,
            exceptions_enabled: exceptions,
            relaxed_simd_enabled: relaxed_simd,
            ..drawn
        }),
        &mut source,
    )
    .ok()?;
    module.ensure_termination(fuel).ok()?;
    let typed_references = typed_references && Features::PRODUCT.contains(Features::FUNCTION_REFERENCES);
    Some(added::added_to(&module.to_bytes(), typed_references))
}

/// What was drawn decides which instructions a module has, and whether it uses what else programs may use; we decide how large it gets.
fn bounded(drawn: Config) -> Config {
    let has = |feature| Features::PRODUCT.contains(feature);
    Config {
        available_imports: None,
        exports: None,
        module_shape: None,
        min_imports: 0,
        max_imports: 0,
        export_everything: true,
        canonicalize_nans: true,
        allow_invalid_funcs: false,
        min_funcs: 3,
        max_funcs: 12,
        max_instructions: 300,
        max_globals: 12,
        max_memories: if has(Features::MULTI_MEMORY) { 3 } else { 1 },
        max_tables: 3,
        min_memories: drawn.min_memories.min(1),
        min_tables: drawn.min_tables.min(1),
        max_memory32_bytes: MEMORY_BYTES_MAX,
        max_memory64_bytes: MEMORY_BYTES_MAX.into(),
        memory_max_size_required: true,
        max_table_elements: TABLE_ELEMENTS_MAX,
        table_max_size_required: true,
        bulk_memory_enabled: true,
        reference_types_enabled: true,
        multi_value_enabled: true,
        saturating_float_to_int_enabled: true,
        sign_extension_ops_enabled: true,
        extended_const_enabled: true,
        simd_enabled: has(Features::SIMD) && drawn.simd_enabled,
        // Its results are the processor's choice: Wasmtime's are on the same one, wasmi does not take part.
        relaxed_simd_enabled: has(Features::RELAXED_SIMD) && drawn.relaxed_simd_enabled,
        memory64_enabled: has(Features::MEMORY64) && drawn.memory64_enabled,
        tail_call_enabled: has(Features::TAIL_CALL),
        exceptions_enabled: has(Features::EXCEPTIONS) && drawn.exceptions_enabled,
        max_tags: 4,
        custom_page_sizes_enabled: has(Features::CUSTOM_PAGE_SIZES) && drawn.custom_page_sizes_enabled,
        wide_arithmetic_enabled: has(Features::WIDE_ARITHMETIC),
        gc_enabled: false,
        threads_enabled: false,
        shared_everything_threads_enabled: false,
        acquire_release_atomics_enabled: false,
        multibyte_array_access_enabled: false,
        custom_descriptors_enabled: false,
        compact_imports_enabled: false,
        generate_custom_sections: false,
        ..drawn
    }
}
