//! One function's CLIF to machine code, with what linking needs to know about it.

use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{ExternalName, TrapCode};
use cranelift_codegen::{
    CodegenError, Context, FinalizedMachCallSite, FinalizedMachExceptionHandler, FinalizedMachReloc, FinalizedRelocTarget, MachTrap,
};
use vivarium_artifact::layout::GUARD_BYTES;
use vivarium_artifact::{CallSite, Clause, TrapKind};

use crate::effort::{Effort, FRUGAL_INSTRUCTIONS_MAX, LARGE_FRAME_BYTES, effort};
use crate::environment::Environment;
use crate::error::CompileError;
use crate::isa::Target;
use crate::symbol::{Number, Symbol};

/// Machine code of one function, position independent but for its relocations.
#[derive(Debug)]
pub struct CompiledFunction {
    pub code: Vec<u8>,
    /// In bytes: a power of two.
    pub alignment: u32,
    pub relocations: Vec<Relocation>,
    /// Numbers to be filled in before linking.
    pub numbers: Vec<NumberSite>,
    /// Offset in the code, and the kind of trap there.
    pub traps: Vec<(u32, TrapKind)>,
    /// Calls whose exceptions are caught here; offsets are in the code.
    pub handlers: Vec<CallSite>,
    pub locations: Vec<Location>,
}

/// Four bytes of code to be filled in: the distance from themselves to a symbol, plus the addend.
#[derive(Debug, Clone, Copy)]
pub struct Relocation {
    pub offset: u32,
    pub symbol: Symbol,
    pub addend: i64,
}

/// Eight bytes of code to be filled in with a number.
#[derive(Debug, Clone, Copy)]
pub struct NumberSite {
    pub offset: u32,
    pub number: Number,
}

/// A run of code that came from one wasm instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// Offsets in the code.
    pub start: u32,
    pub end: u32,
    /// Offset in the wasm binary.
    pub wasm_offset: u32,
}

/// However large the guard: a function also writes below its frame, when it calls and when its callee saves registers.
const FRAME_BYTES_MAX: u64 = GUARD_BYTES - (64 << 10);

/// Of larger frames not a dozen fit the usual stack, and esbuild's parser nests deeper: they are worth that time in functions up to the size below.
const HUGE_FRAME_BYTES: u64 = 80 << 10;
const HUGE_FRAME_INSTRUCTIONS_MAX: usize = 200_000;

/// Compiles the function in `context`, which has so many operators; `name` is for errors.
pub fn compile(
    context: &mut Context,
    environment: &Environment<'_>,
    operators: u64,
    name: &dyn Fn() -> String,
) -> Result<CompiledFunction, CompileError> {
    let refused = |message: String| CompileError::Codegen { what: name(), message };
    generate(context, environment.target, operators).map_err(|error| refused(sentence(&error)))?;
    let frame_bytes = frame_bytes(context);
    let frame_bytes_max = environment.policy.frame_bytes_max.min(FRAME_BYTES_MAX);
    if frame_bytes > frame_bytes_max {
        return Err(CompileError::limit(format!("stack frame of {} in bytes", name()), frame_bytes, frame_bytes_max));
    }
    let compiled = context.take_compiled_code().ok_or_else(|| refused("it made no code".into()))?;
    let buffer = &compiled.buffer;
    let (mut relocations, mut numbers) = (Vec::new(), Vec::new());
    for relocation in buffer.relocs() {
        match resolve(relocation, context).map_err(&refused)? {
            Filled::Distance(relocation) => relocations.push(relocation),
            Filled::Number(site) => numbers.push(site),
        }
    }
    let traps = buffer.traps().iter().map(|trap| classify(trap).map_err(&refused)).collect::<Result<_, _>>()?;
    let handlers = buffer.call_sites().filter(|site| !site.exception_handlers.is_empty());
    let handlers = handlers.map(|site| call_site(&site).map_err(&refused)).collect::<Result<_, _>>()?;
    let located = buffer.get_srclocs_sorted().iter().filter(|location| !location.loc.is_default());
    Ok(CompiledFunction {
        code: compiled.code_buffer().to_vec(),
        alignment: buffer.alignment,
        relocations,
        numbers,
        traps,
        handlers,
        locations: located
            .map(|location| Location { start: location.start, end: location.end, wasm_offset: location.loc.bits() })
            .collect(),
    })
}

/// Leaves the code in the context.
fn generate(context: &mut Context, target: &Target, operators: u64) -> Result<(), CodegenError> {
    let effort = effort(&context.func, operators);
    context.compile(&**target.isa_for(effort), &mut ControlPlane::default()).map_err(|error| error.inner)?;
    // What cannot be told before: values that do not leave their block may need places too.
    if let (Effort::Usual, Some(frugal)) = (effort, &target.frugal)
        && is_too_large(frame_bytes(context), context.func.dfg.num_insts())
    {
        context.compile(&**frugal, &mut ControlPlane::default()).map_err(|error| error.inner)?;
    }
    Ok(())
}

/// Whether registers are allocated again, with more care.
fn is_too_large(frame_bytes: u64, instructions: usize) -> bool {
    frame_bytes > LARGE_FRAME_BYTES && instructions <= FRUGAL_INSTRUCTIONS_MAX
        || frame_bytes > HUGE_FRAME_BYTES && instructions <= HUGE_FRAME_INSTRUCTIONS_MAX
}

fn frame_bytes(context: &Context) -> u64 {
    context.compiled_code().and_then(|code| code.buffer.frame_layout()).map_or(0, |layout| u64::from(layout.frame_to_fp_offset))
}

/// With what a place in the code is filled in.
enum Filled {
    Distance(Relocation),
    Number(NumberSite),
}

/// What a relocation refers to. Whatever is not in this text, a library function above all, cannot be reached.
fn resolve(relocation: &FinalizedMachReloc, context: &Context) -> Result<Filled, String> {
    let FinalizedRelocTarget::ExternalName(ExternalName::User(name)) = &relocation.target else {
        return Err(format!("it needs {}, which is not in the module", relocation.target.display(Some(&context.func.params))));
    };
    let symbol = Symbol::from_external_name(&context.func.params.user_named_funcs()[*name]);
    let symbol = symbol.ok_or_else(|| "it refers to an unknown place".to_owned())?;
    match (relocation.kind, symbol, relocation.addend) {
        (Reloc::Abs8, Symbol::Number(number), 0) => Ok(Filled::Number(NumberSite { offset: relocation.offset, number })),
        (Reloc::X86PCRel4 | Reloc::X86CallPCRel4, symbol, addend) if !matches!(symbol, Symbol::Number(_)) => {
            Ok(Filled::Distance(Relocation { offset: relocation.offset, symbol, addend }))
        }
        (kind, ..) => Err(format!("it refers to another place by {kind:?}")),
    }
}

fn classify(trap: &MachTrap) -> Result<(u32, TrapKind), String> {
    let kind = match trap.code {
        TrapCode::STACK_OVERFLOW => Some(TrapKind::StackOverflow),
        TrapCode::HEAP_OUT_OF_BOUNDS => Some(TrapKind::MemoryOutOfBounds),
        TrapCode::INTEGER_OVERFLOW => Some(TrapKind::IntegerOverflow),
        TrapCode::INTEGER_DIVISION_BY_ZERO => Some(TrapKind::IntegerDivideByZero),
        TrapCode::BAD_CONVERSION_TO_INTEGER => Some(TrapKind::BadConversionToInteger),
        code => TrapKind::from_number(code.as_raw().get()),
    };
    kind.map(|kind| (trap.offset, kind)).ok_or_else(|| format!("its trap {} is unknown", trap.code))
}

fn call_site(site: &FinalizedMachCallSite<'_>) -> Result<CallSite, String> {
    let clause = |handler: &FinalizedMachExceptionHandler| match handler {
        FinalizedMachExceptionHandler::Tag(code, landing_offset) => Ok(Clause::new(code.as_u32(), *landing_offset)),
        other => Err(format!("it catches by {other:?}")),
    };
    Ok(CallSite {
        return_offset: site.ret_addr,
        frame_bytes: site.frame_offset.ok_or_else(|| "a call with handlers has no frame".to_owned())?,
        clauses: site.exception_handlers.iter().map(clause).collect::<Result<_, _>>()?,
    })
}

fn sentence(error: &CodegenError) -> String {
    match error {
        CodegenError::CodeTooLarge | CodegenError::ImplLimitExceeded => "it is too large, split it".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_code_generator_is_a_kind_of_ours() {
        for code in TrapCode::non_user_traps() {
            assert!(classify(&MachTrap { offset: 1, code: *code }).is_ok(), "{code}");
        }
        for kind in TrapKind::ALL {
            assert_eq!(classify(&MachTrap { offset: 1, code: crate::translate::trap_code(kind) }), Ok((1, kind)));
        }
        assert!(classify(&MachTrap { offset: 1, code: TrapCode::unwrap_user(99) }).is_err());
    }
}
