//! `vivarium run --invoke NAME`: one exported function, numbers in, numbers out.

use std::sync::Arc;
use std::time::Instant;

use vivarium_abi::{Answer, Host, HostInput, HostLimits, Linkage};
use vivarium_artifact::{ExportedItem, FunctionType, ValueType};
use vivarium_runtime::{Exit, Instance, InstanceLimits, LoadedModule, Pool};

use super::failure::Failure;
use super::profile::Recording;
use super::run::{Ended, pass_on, waits_in_vain};
use crate::control::messages::{LimitReport, Outcome};
use crate::gateway::guest::told;

/// Instantiates, calls, and gives what the function returned.
pub fn invoke(
    pool: &Pool,
    module: &Arc<LoadedModule>,
    name: &str,
    arguments: &[String],
    input: HostInput,
    memory_bytes_max: u64,
    recording: &mut Recording,
) -> Result<Ended, Failure> {
    let contract = module.contract();
    let function = match contract.export(name) {
        Some(ExportedItem::Function(function)) => function,
        _ => return Err(Failure::usage(format!("the program exports no function {name:?}; it exports {}", exports(module)))),
    };
    let ty = contract.function_type(function).ok_or_else(|| Failure::system("the contract lacks the function's type"))?;
    let cells = parse_arguments(ty, arguments)?;
    let linkage = Linkage::resolve(contract).map_err(Failure::program)?;
    let host = Host::new(input, HostLimits::default()).map_err(|reached| Failure::usage(reached.to_string()))?;
    let mut instance = pool.acquire(module, InstanceLimits { memory_bytes_max }).map_err(Failure::system)?;
    instance.profile(recording.of(module));
    let mut call = Call { instance, host, linkage, recording };
    if call.instance.initialize().map_err(Failure::system)?
        && let Some(outcome) = call.run()?
    {
        return Ok(Ended::Outcome(outcome));
    }
    call.instance.invoke(function, &cells).map_err(Failure::system)?;
    if let Some(outcome) = call.run()? {
        return Ok(Ended::Outcome(outcome));
    }
    let results = ty.results.iter().enumerate().map(|(index, ty)| show(*ty, call.instance.result(index as u32)));
    Ok(Ended::Values(results.collect()))
}

struct Call<'r> {
    instance: Instance,
    host: Host,
    linkage: Linkage,
    recording: &'r mut Recording,
}

impl Call<'_> {
    /// Runs until the function returns (none), or something else ends it.
    fn run(&mut self) -> Result<Option<Outcome>, Failure> {
        loop {
            let exit = self.instance.resume();
            self.recording.collect();
            let mut answer = match exit {
                Exit::Done => {
                    self.pass_on()?;
                    return Ok(None);
                }
                Exit::Preempted => continue,
                Exit::Trapped(trap) => {
                    self.pass_on()?;
                    return Ok(Some(Outcome::Trapped(told(trap))));
                }
                Exit::Hostcall { import } => self.host.call(&self.linkage, import, &mut self.instance),
            };
            self.pass_on()?;
            while let Answer::Wait(wait) = answer {
                let Some(moment) = wait.until() else { return Ok(Some(waits_in_vain())) };
                std::thread::sleep(moment.saturating_duration_since(Instant::now()));
                answer = self.host.finish_wait(&mut self.instance);
            }
            match answer {
                Answer::Return(values) => self.instance.answer(values.as_slice()),
                Answer::Exit(exit_code) => return Ok(Some(Outcome::Exited { exit_code })),
                Answer::Limit(reached) => {
                    let (name, message) = (reached.name.to_string(), reached.to_string());
                    return Ok(Some(Outcome::Limited(LimitReport { name, message })));
                }
                Answer::Failed(failure) => return Err(Failure::system(failure)),
                Answer::Wait(_) => {}
            }
        }
    }

    fn pass_on(&mut self) -> Result<(), Failure> {
        pass_on(&self.host.take_stdout(), &self.host.take_stderr())?;
        drop(self.host.take_log_lines());
        Ok(())
    }
}

fn exports(module: &LoadedModule) -> String {
    let functions = module.contract().exports.iter().filter(|export| matches!(export.item, ExportedItem::Function(_)));
    let names: Vec<_> = functions.map(|export| export.name.as_str()).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

fn parse_arguments(ty: &FunctionType, arguments: &[String]) -> Result<Vec<u128>, Failure> {
    if arguments.len() != ty.parameters.len() {
        return Err(Failure::usage(format!("the function is {}: give {} numbers, not {}", ty, ty.parameters.len(), arguments.len())));
    }
    ty.parameters.iter().zip(arguments).map(|(ty, text)| parse(*ty, text)).collect()
}

/// Integers as signed or as unsigned.
fn parse(ty: ValueType, text: &str) -> Result<u128, Failure> {
    let parsed = match ty {
        ValueType::I32 => text.parse::<i32>().map(|number| number as u32).or_else(|_| text.parse()).ok().map(u128::from),
        ValueType::I64 => text.parse::<i64>().map(|number| number as u64).or_else(|_| text.parse()).ok().map(u128::from),
        ValueType::F32 => text.parse::<f32>().ok().map(|number| u128::from(number.to_bits())),
        ValueType::F64 => text.parse::<f64>().ok().map(|number| u128::from(number.to_bits())),
        ValueType::V128 | ValueType::Reference(_) => {
            return Err(Failure::usage("only functions of numbers can be called from here"));
        }
    };
    parsed.ok_or_else(|| Failure::usage(format!("{text:?} is no number of the type {ty}")))
}

fn show(ty: ValueType, cell: u128) -> String {
    match ty {
        ValueType::I32 => (cell as u32 as i32).to_string(),
        ValueType::I64 => (cell as u64 as i64).to_string(),
        ValueType::F32 => f32::from_bits(cell as u32).to_string(),
        ValueType::F64 => f64::from_bits(cell as u64).to_string(),
        ValueType::V128 => format!("{cell:#034x}"),
        ValueType::Reference(_) => {
            if cell as u64 == 0 {
                "null".into()
            } else {
                "a reference".into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_in_and_out_as_they_are_written() {
        for (ty, text, shown) in [
            (ValueType::I32, "-1", "-1"),
            (ValueType::I32, "4294967295", "-1"),
            (ValueType::I64, "18446744073709551615", "-1"),
            (ValueType::F32, "0.1", "0.1"),
            (ValueType::F64, "-2.5e300", &(-2.5e300f64).to_string()),
            (ValueType::F64, "nan", "NaN"),
        ] {
            assert_eq!(show(ty, parse(ty, text).unwrap()), shown, "{text}");
        }
        assert!(parse(ValueType::I32, "4294967296").is_err());
        assert!(parse(ValueType::V128, "1").is_err());
    }
}
