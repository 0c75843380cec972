//! A function with what a call of it needs looked up: for whoever calls the same one often.

use std::sync::Arc;

use crate::module::LoadedModule;

/// A function of one module.
#[derive(Debug, Clone)]
pub struct Callable {
    module: Arc<LoadedModule>,
    /// By index.
    pub(crate) function: u32,
    /// Addresses of its signature's entry trampoline and of its code.
    pub(crate) trampoline: u64,
    pub(crate) callee: u64,
    /// How many numbers are all that it takes; none when its arguments must be looked at one by one.
    plain_arguments: Option<u32>,
}

impl Callable {
    /// A function by index; `None` when the module has no such function, or no way into it.
    pub fn new(module: &Arc<LoadedModule>, function: u32) -> Option<Callable> {
        let contract = module.contract();
        let parameters = contract.function_type(function)?.parameters.len();
        let trampoline = module.text_address(contract.entry(contract.function_types[function as usize])?);
        let callee = module.function_address(function)?;
        let plain_arguments = module.plain_call(function, parameters).map(|_| parameters as u32);
        Some(Callable { module: module.clone(), function, trampoline, callee, plain_arguments })
    }

    #[inline(always)]
    pub(crate) fn is_of(&self, module: &Arc<LoadedModule>) -> bool {
        Arc::ptr_eq(&self.module, module)
    }

    /// Whether a call needs no further look: it is of this module, and so many numbers are what it takes.
    #[inline(always)]
    pub(crate) fn fits(&self, module: &Arc<LoadedModule>, arguments: usize) -> bool {
        self.is_of(module) && self.plain_arguments.is_some_and(|count| count as usize == arguments)
    }
}
