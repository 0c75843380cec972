//! A module in Wasmtime: the same code generator under another translator and another runtime.

use vivarium_artifact::{HeapType, ReferenceType, Setting, TrapKind, ValueType};
use wasmtime::{Config, Engine, Instance, Module, OptLevel, Store, ThrownException, Trap, Val};

use super::plan::{Call, Plan, normal};
use super::{Observed, Outcome};

/// An engine for each of our settings.
pub struct Wasmtime {
    plain: Engine,
    optimised: Engine,
}

impl Wasmtime {
    pub fn start() -> Wasmtime {
        let engine = |level| {
            let mut config = Config::new();
            config.cranelift_opt_level(level).parallel_compilation(false);
            config.wasm_multi_memory(true).wasm_memory64(true).wasm_tail_call(true).wasm_wide_arithmetic(true).wasm_custom_page_sizes(true);
            config.wasm_function_references(true).wasm_exceptions(true);
            Engine::new(&config).expect("Wasmtime starts")
        };
        Wasmtime { plain: engine(OptLevel::None), optimised: engine(OptLevel::Speed) }
    }

    /// What can be seen of a run; an error when Wasmtime does not take the module, or ends a call in a way that we have no word for.
    pub fn observe(&self, wasm: &[u8], plan: &Plan, setting: Setting) -> Result<Observed, String> {
        let engine = if setting == Setting::Best { &self.optimised } else { &self.plain };
        let module = Module::new(engine, wasm).map_err(|error| format!("{error:#}"))?;
        let mut store = Store::new(engine, ());
        let mut observed = Observed::default();
        let instance = match Instance::new(&mut store, &module, &[]) {
            Ok(instance) => instance,
            Err(error) => {
                observed.outcomes.push(outcome(&error)?);
                return Ok(observed);
            }
        };
        observed.outcomes.push(Outcome::Returned(vec![]));
        for call in &plan.calls {
            let outcome = run(&instance, &mut store, call)?;
            let over = outcome == Outcome::Bounded;
            observed.outcomes.push(outcome);
            if over {
                break;
            }
        }
        look(&instance, &mut store, plan, &mut observed);
        Ok(observed)
    }
}

fn run(instance: &Instance, store: &mut Store<()>, call: &Call) -> Result<Outcome, String> {
    let function = instance.get_func(&mut *store, &call.export).ok_or("an export is missing")?;
    let arguments: Vec<Val> = call.ty.parameters.iter().zip(&call.arguments).map(|(ty, bits)| value(*ty, *bits)).collect();
    let mut results = vec![Val::I32(0); call.ty.results.len()];
    match function.call(&mut *store, &arguments, &mut results) {
        Ok(()) => Ok(Outcome::Returned(call.ty.results.iter().zip(&results).map(|(ty, value)| normal(*ty, bits(value))).collect())),
        Err(error) => {
            // Nobody else takes what was thrown.
            store.take_pending_exception();
            outcome(&error)
        }
    }
}

fn look(instance: &Instance, store: &mut Store<()>, plan: &Plan, observed: &mut Observed) {
    for (name, _) in &plan.memories {
        let memory = instance.get_memory(&mut *store, name).expect("the memory is exported");
        observed.memories.push(memory.data(&*store).to_vec());
    }
    for (name, _, ty) in &plan.globals {
        let global = instance.get_global(&mut *store, name).expect("the global is exported");
        let value = global.get(&mut *store);
        observed.globals.push(normal(*ty, bits(&value)));
    }
    for (name, _) in &plan.tables {
        let table = instance.get_table(&mut *store, name).expect("the table is exported");
        observed.tables.push(table.size(&*store));
    }
}

fn value(ty: ValueType, bits: u128) -> Val {
    match ty {
        ValueType::I32 => Val::I32(bits as i32),
        ValueType::I64 => Val::I64(bits as i64),
        ValueType::F32 => Val::F32(bits as u32),
        ValueType::F64 => Val::F64(bits as u64),
        ValueType::V128 => Val::V128(bits.into()),
        ValueType::EXTERN_REF => Val::ExternRef(None),
        ValueType::Reference(ReferenceType { heap: HeapType::Exn, .. }) => Val::ExnRef(None),
        _ => Val::FuncRef(None),
    }
}

fn bits(value: &Val) -> u128 {
    match value {
        Val::I32(value) => u128::from(*value as u32),
        Val::I64(value) => u128::from(*value as u64),
        Val::F32(bits) => u128::from(*bits),
        Val::F64(bits) => u128::from(*bits),
        Val::V128(value) => value.as_u128(),
        Val::FuncRef(reference) => u128::from(reference.is_some()),
        Val::ExternRef(reference) => u128::from(reference.is_some()),
        Val::ExnRef(reference) => u128::from(reference.is_some()),
        Val::AnyRef(reference) => u128::from(reference.is_some()),
        _ => 1,
    }
}

fn outcome(error: &wasmtime::Error) -> Result<Outcome, String> {
    if error.is::<ThrownException>() {
        return Ok(Outcome::Trapped(TrapKind::UncaughtException));
    }
    let trap = error.downcast_ref::<Trap>().ok_or_else(|| format!("{error:#}"))?;
    Ok(match trap {
        Trap::StackOverflow => Outcome::Bounded,
        Trap::MemoryOutOfBounds => Outcome::Trapped(TrapKind::MemoryOutOfBounds),
        Trap::TableOutOfBounds => Outcome::Trapped(TrapKind::TableOutOfBounds),
        Trap::IndirectCallToNull => Outcome::Trapped(TrapKind::IndirectCallToNull),
        Trap::BadSignature => Outcome::Trapped(TrapKind::BadSignature),
        Trap::IntegerOverflow => Outcome::Trapped(TrapKind::IntegerOverflow),
        Trap::IntegerDivisionByZero => Outcome::Trapped(TrapKind::IntegerDivideByZero),
        Trap::BadConversionToInteger => Outcome::Trapped(TrapKind::BadConversionToInteger),
        Trap::UnreachableCodeReached => Outcome::Trapped(TrapKind::Unreachable),
        Trap::NullReference => Outcome::Trapped(TrapKind::NullReference),
        other => return Err(format!("a trap of another kind: {other}")),
    })
}
