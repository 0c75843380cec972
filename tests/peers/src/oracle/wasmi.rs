//! A module in wasmi: an interpreter, which shares no code generator with us. Fuel bounds it; in what it lacks it does not take part.

use vivarium_artifact::{TrapKind, ValueType};
use wasmi::errors::{ErrorKind, TableError};
use wasmi::{Config, Engine, Error, F32, F64, Instance, Linker, Module, Ref, Store, TrapCode, Val};

use super::plan::{Call, Plan, normal};
use super::{Observed, Outcome};

/// Fuel of a whole run: far more than a generated module can use, for it counts its own loops.
const FUEL: u64 = 1 << 32;

pub struct Wasmi(Engine);

impl Wasmi {
    pub fn start() -> Wasmi {
        let mut config = Config::default();
        config.consume_fuel(true);
        config.wasm_multi_memory(true).wasm_memory64(true).wasm_tail_call(true).wasm_wide_arithmetic(true).wasm_custom_page_sizes(true);
        // Where results are its choice, it chooses otherwise than the processor.
        config.wasm_relaxed_simd(false);
        Wasmi(Engine::new(&config))
    }

    /// What can be seen of a run; none when wasmi does not take the module.
    pub fn observe(&self, wasm: &[u8], plan: &Plan) -> Option<Observed> {
        let module = Module::new(&self.0, wasm).ok()?;
        let mut store = Store::new(&self.0, ());
        store.set_fuel(FUEL).ok()?;
        let mut observed = Observed::default();
        let instance = match Linker::new(&self.0).instantiate_and_start(&mut store, &module) {
            Ok(instance) => instance,
            Err(error) => {
                observed.outcomes.push(outcome(&error)?);
                return Some(observed);
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
        look(&instance, &store, plan, &mut observed)?;
        Some(observed)
    }
}

fn run(instance: &Instance, store: &mut Store<()>, call: &Call) -> Option<Outcome> {
    let function = instance.get_func(&*store, &call.export)?;
    let arguments: Vec<Val> = call.ty.parameters.iter().zip(&call.arguments).map(|(ty, bits)| value(*ty, *bits)).collect();
    let mut results = vec![Val::I32(0); call.ty.results.len()];
    match function.call(&mut *store, &arguments, &mut results) {
        Ok(()) => Some(Outcome::Returned(call.ty.results.iter().zip(&results).map(|(ty, value)| normal(*ty, bits(value))).collect())),
        Err(error) => outcome(&error),
    }
}

fn look(instance: &Instance, store: &Store<()>, plan: &Plan, observed: &mut Observed) -> Option<()> {
    for (name, _) in &plan.memories {
        observed.memories.push(instance.get_memory(store, name)?.data(store).to_vec());
    }
    for (name, _, ty) in &plan.globals {
        observed.globals.push(normal(*ty, bits(&instance.get_global(store, name)?.get(store))));
    }
    for (name, _) in &plan.tables {
        observed.tables.push(instance.get_table(store, name)?.size(store));
    }
    Some(())
}

fn value(ty: ValueType, bits: u128) -> Val {
    match ty {
        ValueType::I32 => Val::I32(bits as i32),
        ValueType::I64 => Val::I64(bits as i64),
        ValueType::F32 => Val::F32(F32::from_bits(bits as u32)),
        ValueType::F64 => Val::F64(F64::from_bits(bits as u64)),
        ValueType::V128 => Val::V128(bits.into()),
        ValueType::EXTERN_REF => Val::ExternRef(Ref::Null),
        _ => Val::FuncRef(Ref::Null),
    }
}

fn bits(value: &Val) -> u128 {
    match value {
        Val::I32(value) => u128::from(*value as u32),
        Val::I64(value) => u128::from(*value as u64),
        Val::F32(value) => u128::from(value.to_bits()),
        Val::F64(value) => u128::from(value.to_bits()),
        Val::V128(value) => value.as_u128(),
        Val::FuncRef(reference) => u128::from(!reference.is_null()),
        Val::ExternRef(reference) => u128::from(!reference.is_null()),
    }
}

/// None for errors that are no traps.
fn outcome(error: &Error) -> Option<Outcome> {
    // This one trap has no code.
    if let ErrorKind::Table(TableError::CopyOutOfBounds) = error.kind() {
        return Some(Outcome::Trapped(TrapKind::TableOutOfBounds));
    }
    Some(match error.as_trap_code()? {
        TrapCode::UnreachableCodeReached => Outcome::Trapped(TrapKind::Unreachable),
        TrapCode::MemoryOutOfBounds => Outcome::Trapped(TrapKind::MemoryOutOfBounds),
        TrapCode::TableOutOfBounds => Outcome::Trapped(TrapKind::TableOutOfBounds),
        TrapCode::IndirectCallToNull => Outcome::Trapped(TrapKind::IndirectCallToNull),
        TrapCode::IntegerDivisionByZero => Outcome::Trapped(TrapKind::IntegerDivideByZero),
        TrapCode::IntegerOverflow => Outcome::Trapped(TrapKind::IntegerOverflow),
        TrapCode::BadConversionToInteger => Outcome::Trapped(TrapKind::BadConversionToInteger),
        TrapCode::BadSignature => Outcome::Trapped(TrapKind::BadSignature),
        _ => Outcome::Bounded,
    })
}
