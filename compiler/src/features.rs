//! Which features of WebAssembly a module may use: sets of proposals, by the names that proposals have.

use wasmparser::WasmFeatures;

/// A set of features. The validator refuses whatever is not in it; the translator refuses what is in it and not translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Features(WasmFeatures);

impl Features {
    /// Version 1.0 of the core specification, of 2019.
    pub const VERSION_1: Features = Features(WasmFeatures::WASM1);
    /// Version 2.0 of the core specification, of 2022.
    pub const VERSION_2: Features = Features(WasmFeatures::WASM2);
    /// Version 3.0 of the core specification, of 2025, which has no threads.
    pub const VERSION_3: Features = Features(WasmFeatures::WASM3.difference(WasmFeatures::THREADS));

    pub const BULK_MEMORY: Features = Features(WasmFeatures::BULK_MEMORY);
    pub const COMPACT_IMPORTS: Features = Features(WasmFeatures::COMPACT_IMPORTS);
    pub const CUSTOM_PAGE_SIZES: Features = Features(WasmFeatures::CUSTOM_PAGE_SIZES);
    pub const EXCEPTIONS: Features = Features(WasmFeatures::EXCEPTIONS);
    pub const EXTENDED_CONST: Features = Features(WasmFeatures::EXTENDED_CONST);
    pub const FUNCTION_REFERENCES: Features = Features(WasmFeatures::FUNCTION_REFERENCES);
    pub const GC: Features = Features(WasmFeatures::GC);
    pub const MEMORY64: Features = Features(WasmFeatures::MEMORY64);
    pub const MULTI_MEMORY: Features = Features(WasmFeatures::MULTI_MEMORY);
    pub const MULTI_VALUE: Features = Features(WasmFeatures::MULTI_VALUE);
    pub const MUTABLE_GLOBAL: Features = Features(WasmFeatures::MUTABLE_GLOBAL);
    pub const REFERENCE_TYPES: Features = Features(WasmFeatures::REFERENCE_TYPES);
    pub const RELAXED_SIMD: Features = Features(WasmFeatures::RELAXED_SIMD);
    pub const SATURATING_FLOAT_TO_INT: Features = Features(WasmFeatures::SATURATING_FLOAT_TO_INT);
    pub const SIGN_EXTENSION: Features = Features(WasmFeatures::SIGN_EXTENSION);
    pub const SIMD: Features = Features(WasmFeatures::SIMD);
    pub const TAIL_CALL: Features = Features(WasmFeatures::TAIL_CALL);
    pub const WIDE_ARITHMETIC: Features = Features(WasmFeatures::WIDE_ARITHMETIC);

    /// What programs may use: all that is translated. A feature joins here once all its operators and types are.
    pub const PRODUCT: Features = Features::VERSION_1
        .with(Features::SIGN_EXTENSION)
        .with(Features::SATURATING_FLOAT_TO_INT)
        .with(Features::MULTI_VALUE)
        .with(Features::BULK_MEMORY)
        .with(Features::REFERENCE_TYPES)
        .with(Features::EXTENDED_CONST)
        .with(Features::TAIL_CALL)
        .with(Features::SIMD)
        .with(Features::RELAXED_SIMD)
        .with(Features::WIDE_ARITHMETIC)
        .with(Features::MULTI_MEMORY)
        .with(Features::MEMORY64)
        .with(Features::CUSTOM_PAGE_SIZES)
        .with(Features::FUNCTION_REFERENCES)
        .with(Features::EXCEPTIONS);

    /// Version 3.0 and every later proposal of the official test suite, but for threads and custom descriptors, which are refused by policy.
    pub const EVERY: Features =
        Features::VERSION_3.with(Features::CUSTOM_PAGE_SIZES).with(Features::WIDE_ARITHMETIC).with(Features::COMPACT_IMPORTS);

    /// This set and another.
    pub const fn with(self, other: Features) -> Features {
        Features(self.0.union(other.0))
    }

    /// This set without another.
    pub const fn without(self, other: Features) -> Features {
        Features(self.0.difference(other.0))
    }

    /// Whether all of another set is in this one.
    pub const fn contains(self, other: Features) -> bool {
        self.0.contains(other.0)
    }

    /// The names of the features, as proposals have them.
    pub fn names(self) -> impl Iterator<Item = String> {
        self.0.iter_names().map(|(name, _)| name.to_lowercase().replace('_', "-"))
    }

    /// From what the validator names.
    pub(crate) const fn of(flags: WasmFeatures) -> Features {
        Features(flags)
    }

    /// As the validator takes them.
    pub(crate) const fn flags(self) -> WasmFeatures {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn threads_are_in_no_set() {
        for set in [Features::PRODUCT, Features::EVERY, Features::VERSION_3] {
            assert!(!set.flags().threads());
        }
    }

    #[test]
    fn the_product_has_the_core_of_version_1() {
        assert!(Features::PRODUCT.contains(Features::VERSION_1));
        assert!(Features::EVERY.contains(Features::PRODUCT));
    }

    #[test]
    fn the_readme_names_the_features_of_the_product() {
        let line = include_str!("../../README.md").lines().find_map(|line| line.strip_prefix("Features: ")).expect("the README has a line");
        let (has, not_yet) = line.split_once(" Not yet: ").expect("what is missing follows");
        let quoted = |text: &'static str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>();
        let product = Features::PRODUCT.without(Features::VERSION_1).with(Features::MUTABLE_GLOBAL);
        assert_eq!(quoted(has), product.names().collect());
        let missing = Features::EVERY.without(Features::PRODUCT).without(Features::COMPACT_IMPORTS);
        assert_eq!(quoted(not_yet), missing.names().collect());
    }

    #[test]
    fn a_set_without_a_feature_lacks_only_that() {
        let set = Features::VERSION_2.without(Features::SIMD);
        assert!(!set.contains(Features::SIMD) && set.contains(Features::BULK_MEMORY));
    }
}
