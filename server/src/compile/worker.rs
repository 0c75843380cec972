//! `vivarium compile-worker`: takes wasm, gives artifacts, until its standard input ends.

use std::borrow::Cow;
use std::io::{self, Stdin, Stdout};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use vivarium_abi::program::Kind;
use vivarium_abi::{Linkage, entry_point};
use vivarium_artifact::{LineTable, Setting};
use vivarium_compiler::{CompileError, Compiled, FunctionCache, Pack, PackBounds, Policy, lines};

use super::frames::{Blob, FromWorker, Product, ToWorker, read, write};
use super::pool::Stage;
use super::start::{Starter, has_start};
use crate::confine::{Apart, Lowered, Role};
use crate::control::messages::SourcePlace;

/// Progress is told at most this often for each job.
const PROGRESS_STEPS_MAX: u32 = 32;
/// Functions whose code one job may leave behind.
const OWN_ENTRIES_MAX: usize = 100_000;
/// What is added to the priority of every compile worker for one that works in the background.
const BACKGROUND_NICE: i32 = 9;
/// The smallest module with a function: compiling it fills whatever a compiler makes once.
const WARM_UP: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x04\x01\x02\0\x0b";

/// Runs the role.
pub fn run() -> ExitCode {
    run_beside(|| ())
}

/// The same, with something else in the process, behind the same walls: `begin` is called before they close. For tests of the walls.
pub fn run_beside(begin: fn()) -> ExitCode {
    match Apart::begin().and_then(|apart| serve(apart, begin, &mut io::stdin(), io::stdout())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vivarium compile-worker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(apart: Apart, begin: fn(), input: &mut Stdin, output: Stdout) -> io::Result<()> {
    let Some(ToWorker::Setup { bounds, in_background }) = read(input)? else {
        return Err(io::Error::other("the first message must set the worker up: it is started by `vivarium serve`"));
    };
    // Where it cannot be prepared, start functions run in each instance.
    let mut starter = Starter::prepare().ok();
    let reserved_bytes = starter.as_ref().map_or(0, |_| Starter::address_space_bytes());
    let role = Role::CompileWorker { memory_bytes_max: bounds.compile_memory_bytes_max + reserved_bytes };
    let mut compiler = Compiler { policy: bounds.policy(), shared: Arc::default(), output };
    // Before it is sealed: whatever the first compilation reads of the system.
    let _ = compiler.compile(WARM_UP, Setting::Fast, Vec::new(), 0, &mut None);
    if in_background {
        rustix::process::nice(BACKGROUND_NICE)?;
    }
    let output = &mut compiler.output;
    if let Err(error) = apart.lower(role).inspect(|_| begin()).and_then(Lowered::seal) {
        write(output, &FromWorker::Unable { sentence: error.to_string() })?;
        return Err(io::Error::other(error));
    }
    write(output, &FromWorker::Ready)?;
    while let Some(message) = read(input)? {
        match message {
            ToWorker::Setup { .. } => return Err(io::Error::other("a worker is set up once")),
            ToWorker::Share { pack } => compiler.shared = Arc::new(Pack::read(pack.0).unwrap_or_default()),
            ToWorker::Compile { wasm, setting, own, own_bytes_max } => {
                let answer = match compiler.compile(&wasm.0, setting, own.0, own_bytes_max, &mut starter) {
                    Ok(product) => FromWorker::Compiled(product),
                    Err(Refused { sentence, place }) => FromWorker::Refused { sentence, place },
                };
                write(&mut compiler.output, &answer)?;
            }
        }
    }
    Ok(())
}

struct Compiler {
    /// Exactly the functions that the host answers may be imported.
    policy: Policy,
    /// Served to every job. What is of one job is gone when it is done.
    shared: Arc<Pack>,
    output: Stdout,
}

impl Compiler {
    /// Debug information is read here, behind the wall, whoever wrote it.
    fn compile(
        &self,
        wasm: &[u8],
        setting: Setting,
        own: Vec<u8>,
        own_bytes_max: u64,
        starter: &mut Option<Starter>,
    ) -> Result<Product, Refused> {
        let telling = Telling { output: &self.output, told: Mutex::new(None) };
        let tell = |stage: vivarium_compiler::Stage, done, total| telling.tell(stage.into(), done, total);
        // A pack that is damaged, or of another build, is as good as none.
        let cache = FunctionCache { shared: self.shared.clone(), own: Arc::new(Pack::read(own).unwrap_or_default()) };
        let wasm = lines::condense(wasm);
        let compiled = vivarium_compiler::compile_cached(&wasm, &self.policy, setting, Some(&cache), &tell);
        let mut compiled = compiled.map_err(|error| Refused::at(&error, &wasm))?;
        if let Some(starter) = Some(starter).filter(|_| has_start(&compiled.artifact.contract)).and_then(Option::take) {
            // Whatever keeps it from being run here, it runs in each instance then.
            drop(starter.run(&mut compiled.artifact, &self.policy));
        }
        let bounds = PackBounds { entries_max: OWN_ENTRIES_MAX, bytes_max: usize::try_from(own_bytes_max).unwrap_or(usize::MAX) };
        let own = cache.updated(&compiled.cache, bounds).map(|pack| Blob(pack.bytes().to_vec()));
        Ok(Product { own, ..product(compiled, wasm)? })
    }
}

/// Why a module is not compiled, and where in its source that is.
struct Refused {
    sentence: String,
    place: Option<SourcePlace>,
}

impl Refused {
    fn at(error: &CompileError, wasm: &[u8]) -> Refused {
        Refused { sentence: error.to_string(), place: error.offset().and_then(|offset| place(wasm, offset)) }
    }
}

impl<E: std::error::Error> From<E> for Refused {
    fn from(error: E) -> Refused {
        Refused { sentence: error.to_string(), place: None }
    }
}

/// Where in the source the code at this offset comes from.
pub fn place(wasm: &[u8], offset: u64) -> Option<SourcePlace> {
    let table = lines::table(wasm);
    let place = LineTable::parse(&table)?.at(u32::try_from(offset).ok()?)?;
    Some(SourcePlace { file: place.file.to_owned(), line: place.line, column: place.column })
}

fn product(compiled: Compiled, wasm: Cow<'_, [u8]>) -> Result<Product, Refused> {
    let contract = &compiled.artifact.contract;
    let stubs = Linkage::resolve(contract)?.stubs();
    Ok(Product {
        is_service: Kind::of(&contract.imports, &wasm) == Kind::Service,
        stubs,
        exports: contract.exports.iter().map(|export| export.name.clone()).collect(),
        not_runnable: entry_point(contract).err().map(|error| error.to_string()),
        validate_us: compiled.timings.validate_us,
        translate_us: compiled.timings.translate_us,
        codegen_us: compiled.timings.codegen_us,
        link_us: compiled.timings.link_us,
        elf: Blob(compiled.artifact.encode()?),
        condensed: if let Cow::Owned(condensed) = wasm { Some(Blob(condensed)) } else { None },
        own: None,
        functions_found: compiled.cache.found,
        functions: compiled.cache.functions,
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
