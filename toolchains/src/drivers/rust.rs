//! Rust: one call of rustc, with its standard library and a set of crates that were built before: no cargo, no build script, no procedural macro of
//! the user's.

mod format;
pub(crate) mod sdk;

use crate::job::JobFolder;
use crate::messages::rustc;
use crate::process::Budget;
use crate::settings::{Define, Optimise, Settings};
use crate::{BuildError, Language, SourceTree, text, verdict};

use super::{Built, LINK_OPTIONS, Purpose, Tools, read_linked, stub_options};

pub(crate) use format::format;

const WASM: &str = "main.wasm";

const COMPILE_OPTIONS: &[&str] = &[
    "--target=wasm32-wasip1",
    "--edition=2024",
    "--crate-type=bin",
    "--error-format=json",
    "-Cdebuginfo=line-tables-only",
    // Version 5 says in which folder the compiler ran: so the compiler of wasm knows the user's files from those of the standard library.
    "-Cdwarf-version=5",
];

/// Each message comes with its places and their macros as JSON, besides the text for people.
const PRINTED_TIMES: usize = 16;

/// Not optimised without a wish: what is optimised is the native code made from it, and rustc takes a fifth of the time.
fn options_of(settings: &Settings) -> Vec<String> {
    let level = match settings.optimise {
        None | Some(Optimise::None) => "0",
        Some(Optimise::Speed) => "2",
        Some(Optimise::Size) => "s",
    };
    let known = Define::ALL.iter().map(|define| format!("--check-cfg=cfg({})", define.name().to_lowercase()));
    let chosen = settings.defines.iter().map(|define| format!("--cfg={}", define.name().to_lowercase()));
    [format!("-Copt-level={level}")].into_iter().chain(known).chain(chosen).collect()
}

pub(crate) fn run(tools: &Tools, source: &SourceTree, budget: &Budget, purpose: Purpose) -> Result<Built, BuildError> {
    let job = JobFolder::create(&tools.jail.toolchains)?;
    job.write_sources(source.files())?;
    let paths = tools.jail.paths(&job);
    let root = &paths.root;
    let mut args: Vec<String> = COMPILE_OPTIONS.iter().map(|option| option.to_string()).collect();
    args.extend(options_of(source.settings()));
    // The folder in which rustc runs is in the debug information too.
    args.push(format!("--remap-path-prefix={}=.", paths.source));
    args.extend([format!("--sysroot={root}/rust"), format!("-Clinker={}/bin/wasm-ld", tools.llvm_folder(root))]);
    args.extend(tools.crates.options(root));
    args.extend(sdk::provide(tools, source, &job, budget)?);
    args.extend(LINK_OPTIONS.iter().map(|option| format!("-Clink-arg={option}")));
    args.extend(stub_options(root).iter().map(|option| format!("-Clink-arg={option}")));
    let output = match purpose {
        Purpose::Build => vec!["-o".to_owned(), format!("{}/{WASM}", paths.output)],
        // Types and borrows are checked for it, code is not made.
        Purpose::Check => vec!["--emit=metadata".to_owned(), "-o".to_owned(), format!("{}/main.rmeta", paths.output)],
    };
    args.extend(output);
    args.push(Language::Rust.main_file().to_owned());
    let finished = tools.run_wordy(&job, budget, &format!("{root}/rust/bin/rustc"), &args, PRINTED_TIMES)?;
    let code = verdict::exit_code(&finished, &budget.limits)?;
    let printed = text::with_user_paths(&String::from_utf8_lossy(&finished.output), &paths);
    let mut messages = rustc::read(&printed, source.files());
    tools.crates.name_alternatives(&mut messages);
    let wasm = if code == 0 && purpose == Purpose::Build { Some(read_linked(&job, WASM, &budget.limits)?) } else { None };
    Ok(Built { wasm, diagnostics: messages.diagnostics, output: text::plain(&messages.output) })
}
