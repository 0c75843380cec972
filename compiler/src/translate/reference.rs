//! References (core specification, 2.4.3): eight bytes, zero when null (`runtime/decisions/0001-abi.md`).

use vivarium_artifact::abi::function_reference;

use super::FunctionTranslator;
use crate::symbol::Number;

impl FunctionTranslator<'_, '_> {
    pub fn ref_null(&mut self) {
        self.i64_const(0);
    }

    pub fn ref_is_null(&mut self) {
        self.is_zero();
    }

    pub fn ref_func(&mut self, function: u32) {
        if self.shared.is_some() {
            let reference = self.number(Number::Reference(function));
            return self.push(reference);
        }
        let number = self.environment.module.function_type(function);
        self.i64_const(function_reference(number, function) as i64);
    }
}
