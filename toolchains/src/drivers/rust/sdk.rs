//! The crate `vivarium`: compiled once by this process, in a jail of its own, and put beside each program that names it.

use crate::job::JobFolder;
use crate::process::Budget;
use crate::{BuildError, SourceTree, verdict};

use crate::drivers::Tools;

/// Its source.
pub(crate) const SDK: &str = include_str!("../../../sdk/rust/vivarium.rs");
const NAME: &str = "vivarium";
const LIBRARY: &str = "libvivarium.rlib";
/// A longer library is none of ours, in bytes.
const LIBRARY_BYTES_MAX: usize = 4 << 20;

const COMPILE_OPTIONS: &[&str] =
    &["--target=wasm32-wasip1", "--edition=2024", "--crate-type=rlib", "--crate-name=vivarium", "-Copt-level=s", "-Cpanic=abort"];

/// Puts it beside a program; the options by which rustc finds it. None for a program that does not name it.
pub(super) fn provide(tools: &Tools, source: &SourceTree, job: &JobFolder, budget: &Budget) -> Result<Vec<String>, BuildError> {
    if !source.files().values().any(|text| text.contains(NAME)) {
        return Ok(vec![]);
    }
    let library = match tools.sdk.get() {
        Some(library) => library,
        None => {
            let library = compile(tools, budget)?;
            tools.sdk.get_or_init(|| library)
        }
    };
    job.write_input(LIBRARY, library)?;
    Ok(vec!["--extern".to_owned(), format!("{NAME}={}/{LIBRARY}", tools.jail.paths(job).source)])
}

fn compile(tools: &Tools, budget: &Budget) -> Result<Vec<u8>, BuildError> {
    let job = JobFolder::create(&tools.jail.toolchains)?;
    job.write_input("vivarium.rs", SDK.as_bytes())?;
    let paths = tools.jail.paths(&job);
    let root = &paths.root;
    let mut args: Vec<String> = COMPILE_OPTIONS.iter().map(|option| option.to_string()).collect();
    args.extend([format!("--sysroot={root}/rust"), format!("--remap-path-prefix={}=/vivarium", paths.source)]);
    args.extend(["-o".to_owned(), format!("{}/{LIBRARY}", paths.output), "vivarium.rs".to_owned()]);
    let finished = tools.run(&job, budget, &format!("{root}/rust/bin/rustc"), &args)?;
    match verdict::exit_code(&finished, &budget.limits)? {
        0 => job.read_output(LIBRARY, LIBRARY_BYTES_MAX),
        _ => Err(BuildError::OutputMissing),
    }
}
