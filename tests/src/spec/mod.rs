//! The official WebAssembly test suite, through our compiler and runtime.
//!
//! [`run_file`] takes a `.wast` file and tells for each directive whether it held; a directive that the driver does not understand has failed.
//! [`folders`] says what there is to run, and with which features; [`known`] is the list of what is known to fail. [`store`] keeps instances, [`linking`]
//! finds who owns what they import, [`segments`] has the older rule of what links, [`exchange`] answers their exits; [`values`] converts arguments and compares results, NaN patterns included.

mod exchange;
pub mod folders;
pub mod known;
mod linking;
mod segments;
mod store;
mod values;

use vivarium_runtime::{Pool, Trap};
use wast::parser::{self, ParseBuffer};
use wast::{QuoteWat, Wast, WastDirective, WastExecute, WastInvoke, Wat};

use folders::Rules;
use store::{Call, End, InstantiateError, Store};

/// What became of one file.
#[derive(Debug, Default)]
pub struct FileReport {
    pub passed: usize,
    pub failures: Vec<Failure>,
}

impl FileReport {
    /// Of a file that made the engine or the driver panic.
    pub fn panicked() -> FileReport {
        FileReport { passed: 0, failures: vec![Failure { line: 0, reason: "the file made the driver panic".into() }] }
    }
}

/// A directive that did not hold.
#[derive(Debug)]
pub struct Failure {
    /// Line in the file, from 1; 0 when it is the file as a whole.
    pub line: usize,
    pub reason: String,
}

/// Runs every directive of a file, on this thread's pool; its modules are taken by these rules.
pub fn run_file(text: &str, rules: Rules, pool: &Pool) -> FileReport {
    let mut report = FileReport::default();
    let mut lexer = wast::lexer::Lexer::new(text);
    lexer.allow_confusing_unicode(true);
    let wast = match ParseBuffer::new_with_lexer(lexer) {
        Ok(buffer) => match parser::parse::<Wast>(&buffer) {
            Ok(wast) => return run_directives(wast, text, Store::new(pool.clone(), rules)),
            Err(error) => error,
        },
        Err(error) => error,
    };
    report.failures.push(Failure { line: 0, reason: format!("the file does not parse: {wast}") });
    report
}

fn run_directives(wast: Wast<'_>, text: &str, mut store: Store) -> FileReport {
    let mut report = FileReport::default();
    for directive in wast.directives {
        let line = directive.span().linecol_in(text).0 + 1;
        match run_directive(directive, &mut store) {
            Ok(()) => report.passed += 1,
            Err(reason) => report.failures.push(Failure { line, reason }),
        }
    }
    report
}

fn run_directive(directive: WastDirective<'_>, store: &mut Store) -> Result<(), String> {
    match directive {
        WastDirective::Module(mut module) => {
            let wasm = encode(&mut module);
            store.instantiate_named(module.name().map(|id| id.name()), wasm)
        }
        WastDirective::ModuleDefinition(mut module) => {
            let wasm = encode(&mut module);
            store.define(module.name().map(|id| id.name()), wasm)
        }
        WastDirective::ModuleInstance { instance, module, .. } => {
            store.instantiate_definition(instance.map(|id| id.name()), module.map(|id| id.name()))
        }
        WastDirective::Register { name, module, .. } => store.register(name, module.map(|id| id.name())),
        WastDirective::Invoke(invoke) => match run_invoke(&invoke, store)? {
            Ok(_) => Ok(()),
            Err(end) => Err(end.to_string()),
        },
        WastDirective::AssertReturn { exec, results, .. } => {
            let actual = execute(exec, store)?.map_err(|end| end.to_string())?;
            values::compare(&actual, &results)
        }
        WastDirective::AssertTrap { exec, message, .. } => expect_trap(execute(exec, store)?, message),
        WastDirective::AssertExhaustion { call, message, .. } => expect_trap(run_invoke(&call, store)?, message),
        WastDirective::AssertMalformed { mut module, .. }
        | WastDirective::AssertMalformedCustom { mut module, .. }
        | WastDirective::AssertInvalidCustom { mut module, .. } => match module.encode() {
            Ok(wasm) => expect_refusal(&wasm, store),
            Err(_) => Ok(()),
        },
        WastDirective::AssertInvalid { mut module, .. } => expect_refusal(&encode(&mut module)?, store),
        WastDirective::AssertUnlinkable { module, .. } => expect_unlinkable(module, store),
        WastDirective::AssertException { exec, .. } => match execute(exec, store)? {
            Ok(values) => Err(format!("returned {values:?}, expected an exception")),
            Err(End::Thrown(_)) => Ok(()),
            Err(end) => Err(format!("{end}, expected an exception")),
        },
        WastDirective::AssertSuspension { .. } => Err("stacks are never switched".into()),
        WastDirective::Thread(_) | WastDirective::Wait { .. } => Err("refused by policy: memory is never shared between threads".into()),
    }
}

fn encode(module: &mut QuoteWat<'_>) -> Result<Vec<u8>, String> {
    module.encode().map_err(|error| format!("the text does not encode: {}", error.message()))
}

fn run_invoke(invoke: &WastInvoke<'_>, store: &mut Store) -> Result<Call, String> {
    let arguments = invoke.args.iter().map(values::argument).collect::<Result<Vec<_>, _>>()?;
    store.call(invoke.module.map(|id| id.name()), invoke.name, &arguments)
}

fn execute(exec: WastExecute<'_>, store: &mut Store) -> Result<Call, String> {
    match exec {
        WastExecute::Invoke(invoke) => run_invoke(&invoke, store),
        WastExecute::Get { module, global, .. } => store.global(module.map(|id| id.name()), global).map(|value| Ok(vec![value])),
        WastExecute::Wat(module) => match store.instantiate(&encode(&mut QuoteWat::Wat(module))?) {
            Ok(member) => {
                store.drop_if_unreachable(member);
                Ok(Ok(vec![]))
            }
            Err(InstantiateError::End(end)) => Ok(Err(end)),
            Err(other) => Err(other.to_string()),
        },
    }
}

fn expect_trap(call: Call, message: &str) -> Result<(), String> {
    let trap: Trap = match call {
        Ok(values) => return Err(format!("returned {values:?}, expected the trap \"{message}\"")),
        Err(End::Trap(trap)) => trap,
        Err(end) => return Err(format!("{end}, expected the trap \"{message}\"")),
    };
    let told = trap.kind.message();
    // The suite's messages differ in detail between versions; ours must begin one of them, or the other way round.
    let same = message.starts_with(told) || told.starts_with(message) || values::synonymous(told, message);
    if same { Ok(()) } else { Err(format!("trapped with \"{told}\", expected \"{message}\"")) }
}

fn expect_refusal(wasm: &[u8], store: &Store) -> Result<(), String> {
    match store.compile(wasm) {
        // A feature that the folder does not have, refused by its name, is invalid there.
        Err(InstantiateError::Invalid(_) | InstantiateError::Feature(_)) => Ok(()),
        Err(other) => Err(format!("expected a validation error, found: {other}")),
        Ok(_) => Err("compiled although it is invalid".into()),
    }
}

fn expect_unlinkable(module: Wat<'_>, store: &mut Store) -> Result<(), String> {
    match store.instantiate(&encode(&mut QuoteWat::Wat(module))?) {
        Err(InstantiateError::Link(_)) => Ok(()),
        Err(other) => Err(format!("expected a refusal to link, found: {other}")),
        Ok(member) => {
            store.drop_if_unreachable(member);
            Err("linked although it must not".into())
        }
    }
}
