//! Function bodies, validated on as many threads as there are processors: each by itself, once the rest of the module is known to be valid.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use wasmparser::{FuncToValidate, FuncValidatorAllocations, FunctionBody, ValidatorResources};

use crate::error::CompileError;
use crate::parallel::threads_for;

/// Functions that a thread takes at once.
const FUNCTIONS_TAKEN: usize = 64;

/// Validates all bodies, each by what the module says of its function. Of several that are invalid, some function's error is given.
pub fn validate(functions: Vec<FuncToValidate<ValidatorResources>>, bodies: &[FunctionBody<'_>]) -> Result<(), CompileError> {
    let bytes = bodies.iter().map(|body| body.range().end - body.range().start).sum();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut allocations = FuncValidatorAllocations::default();
        loop {
            let from = next.fetch_add(FUNCTIONS_TAKEN, Ordering::Relaxed).min(functions.len());
            let until = (from + FUNCTIONS_TAKEN).min(functions.len());
            if from == until {
                return Ok(());
            }
            for (function, body) in functions[from..until].iter().zip(&bodies[from..until]) {
                let FuncToValidate { ref resources, index, ty, features } = *function;
                let function = FuncToValidate { resources: resources.clone(), index, ty, features };
                let mut validator = function.into_validator(allocations);
                validator.validate(body)?;
                allocations = validator.into_allocations();
            }
        }
    };
    match threads_for(bytes, functions.len()) {
        1 => work(),
        threads => thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let crashed = |_| Err(CompileError::Codegen { what: "this module".into(), message: "validating it failed".into() });
            let ended: Vec<_> = workers.into_iter().map(|worker| worker.join().unwrap_or_else(crashed)).collect();
            ended.into_iter().collect()
        }),
    }
}
