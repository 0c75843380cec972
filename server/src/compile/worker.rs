//! `vivarium compile-worker`: takes wasm, gives artifacts, until its standard input ends.

use std::io::{self, Stdin, Stdout};
use std::process::ExitCode;
use std::sync::Mutex;

use vivarium_abi::program::Kind;
use vivarium_abi::{Linkage, entry_point};
use vivarium_artifact::Setting;
use vivarium_compiler::{Compiled, Policy};

use super::frames::{FromWorker, Product, ToWorker, read, write};
use super::pool::Stage;
use crate::confine::{self, Role};

/// Progress is told at most this often for each job.
const PROGRESS_STEPS_MAX: u32 = 32;
/// The smallest module with a function: compiling it fills whatever a compiler makes once.
const WARM_UP: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x04\x01\x02\0\x0b";

/// Runs the role.
pub fn run() -> ExitCode {
    match serve(&mut io::stdin(), io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vivarium compile-worker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(input: &mut Stdin, mut output: Stdout) -> io::Result<()> {
    confine::end_with_parent()?;
    let Some(ToWorker::Setup(bounds)) = read(input)? else {
        return Err(io::Error::other("the first message must set the worker up: it is started by `vivarium serve`"));
    };
    let role = Role::CompileWorker { memory_bytes_max: bounds.compile_memory_bytes_max };
    let policy = bounds.policy();
    // Before it is sealed: whatever the first compilation reads of the system.
    let _ = compile(WARM_UP, &policy, Setting::Fast, &output);
    if let Err(error) = confine::lower(role).and_then(|()| confine::seal(role)) {
        write(&mut output, &FromWorker::Unable { sentence: error.to_string() })?;
        return Err(io::Error::other(error));
    }
    write(&mut output, &FromWorker::Ready)?;
    while let Some(job) = read(input)? {
        let ToWorker::Compile { wasm, setting } = job else {
            return Err(io::Error::other("a worker is set up once"));
        };
        let answer = match compile(&wasm, &policy, setting, &output) {
            Ok(product) => FromWorker::Compiled(product),
            Err(sentence) => FromWorker::Refused { sentence },
        };
        write(&mut output, &answer)?;
    }
    Ok(())
}

/// Exactly the functions that the host answers may be imported.
fn compile(wasm: &[u8], policy: &Policy, setting: Setting, output: &Stdout) -> Result<Product, String> {
    let telling = Telling { output, told: Mutex::new(None) };
    let compiled = vivarium_compiler::compile(wasm, policy, setting, &|stage, done, total| telling.tell(stage.into(), done, total));
    product(compiled.map_err(|error| error.to_string())?, wasm)
}

fn product(compiled: Compiled, wasm: &[u8]) -> Result<Product, String> {
    let contract = &compiled.artifact.contract;
    let stubs = Linkage::resolve(contract).map_err(|error| error.to_string())?.stubs();
    Ok(Product {
        is_service: Kind::of(&contract.imports, wasm) == Kind::Service,
        stubs,
        exports: contract.exports.iter().map(|export| export.name.clone()).collect(),
        not_runnable: entry_point(contract).err().map(|error| error.to_string()),
        validate_us: compiled.timings.validate_us,
        translate_us: compiled.timings.translate_us,
        codegen_us: compiled.timings.codegen_us,
        link_us: compiled.timings.link_us,
        elf: compiled.artifact.encode().map_err(|error| error.to_string())?,
    })
}

/// Tells progress from several threads, without flooding the pipe.
struct Telling<'t> {
    output: &'t Stdout,
    told: Mutex<Option<(Stage, u32)>>,
}

impl Telling<'_> {
    fn tell(&self, stage: Stage, done: u32, total: u32) {
        let step = (u64::from(done) * u64::from(PROGRESS_STEPS_MAX) / u64::from(total.max(1))) as u32;
        let mut told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *told != Some((stage, step)) {
            *told = Some((stage, step));
            // The pool's end is gone only when the pool is: the next read notices.
            let _ = write(&mut self.output.lock(), &FromWorker::Progress { stage, done, total });
        }
    }
}
