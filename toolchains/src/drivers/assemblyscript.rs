//! AssemblyScript: asc takes a second to load and to get warm, so it waits in jailed workers of node, each for one tenant's program.

mod format;
mod worker;

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::process::Budget;
use crate::settings::{Optimise, Settings};
use crate::{BuildError, SourceTree, room, text};

use super::{Built, Purpose, Tools};

pub(crate) use format::format;
pub(crate) use worker::Workers;

/// The heap of node; what it has besides falls under the limit of the jail.
const NODE_HEAP_OPTION: &str = "--max-old-space-size=1024";

/// Room to start with, as the other languages have it.
const HEAP_BYTES: u64 = 512 << 10;

/// The options of every compilation. The stack is that of references, which the collector looks through; it is checked at each call. Optimising would double the time of an edit; `--debug` keeps the names of functions; the aliases put this SDK's WASI in the place of browser calls.
const OPTIONS: &[&str] = &[
    "--noColors",
    "--debug",
    "--sourceMap",
    "--stackSize=1048576",
    "--exportStart=_start",
    "--use=abort=wasi_abort",
    "--use=trace=wasi_trace",
    "--use=seed=wasi_seed",
    "--use=console=wasi_console",
    "--use=crypto=wasi_crypto",
    "--use=performance=wasi_performance",
    "--use=process=wasi_process",
    "--use=Date=wasi_Date",
];

macro_rules! sdk_file {
    ($name:literal) => {
        ($name, include_str!(concat!("../../sdk/assemblyscript/", $name)))
    };
}

const SDK: &[(&str, &str)] = &[
    sdk_file!("wasi_console.ts"),
    sdk_file!("wasi_globals.ts"),
    sdk_file!("wasi_io.ts"),
    sdk_file!("wasi_preview1.ts"),
    sdk_file!("wasi_process.ts"),
    // In a folder of its own it is read by programs that import it, and by no other.
    ("vivarium/index.ts", include_str!("../../sdk/assemblyscript/vivarium.ts")),
];

/// What a worker is asked to compile.
#[derive(Serialize)]
struct Request<'a> {
    files: &'a BTreeMap<String, String>,
    sdk: BTreeMap<&'static str, &'static str>,
    options: Vec<String>,
}

impl Request<'_> {
    fn to_json(files: &BTreeMap<String, String>, settings: &Settings, purpose: Purpose) -> Result<String, BuildError> {
        let check = (purpose == Purpose::Check).then_some("--noEmit");
        let options = OPTIONS.iter().copied().chain(check).map(str::to_owned).chain(options_of(settings)).collect();
        let request = Request { files, sdk: SDK.iter().copied().collect(), options };
        serde_json::to_string(&request)
            .map_err(|error| BuildError::Io { what: "cannot write the request to asc".to_owned(), error: error.into() })
    }
}

fn options_of(settings: &Settings) -> Vec<String> {
    let levels = match settings.optimise {
        None | Some(Optimise::None) => (0, 0),
        Some(Optimise::Speed) => (3, 0),
        Some(Optimise::Size) => (2, 2),
    };
    let defines = settings.defines.iter().map(|define| format!("--use={}=1", define.name()));
    [format!("--optimizeLevel={}", levels.0), format!("--shrinkLevel={}", levels.1)].into_iter().chain(defines).collect()
}

pub(crate) fn run(tools: &Tools, workers: &Workers, source: &SourceTree, budget: &Budget, purpose: Purpose) -> Result<Built, BuildError> {
    let mut worker = match workers.take(purpose, budget) {
        Some(worker) => worker,
        None => worker::Worker::start(tools)?,
    };
    let answer = worker.compile(source.files(), source.settings(), budget, purpose)?;
    let is_asked_for = answer.compiled && purpose == Purpose::Build;
    let wasm = if is_asked_for { Some(room::lengthen(worker.read_output(budget)?, HEAP_BYTES)) } else { None };
    Ok(Built { wasm, diagnostics: answer.diagnostics, output: text::plain(&answer.output) })
}

/// A digest of what this driver adds to a program.
pub(crate) fn sdk_digest() -> String {
    let mut hash = Sha256::new();
    for text in SDK.iter().map(|(_, text)| *text).chain(OPTIONS.iter().copied()) {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    HEXLOWER.encode(&hash.finalize())
}
