//! `vivarium build`: source to wasm.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::Context;
use super::failure::Failure;
use super::source::Source;
use crate::limits::Limits;

#[derive(Debug, Args)]
pub struct Build {
    /// A source file, or a folder with a main file
    path: PathBuf,
    /// Where the wasm goes [default: beside the source, with the ending .wasm]
    #[arg(short, long, value_name = "OUT.wasm")]
    output: Option<PathBuf>,
}

impl Build {
    pub fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let limits = Limits::default();
        let source = Source::read(&self.path, &limits)?;
        let report = source.build(context, &limits)?;
        let output = self.output.unwrap_or_else(|| self.path.with_extension("wasm"));
        let wasm_bytes = report.wasm.as_ref().map(|wasm| wasm.bytes.len());
        if let Some(wasm) = &report.wasm {
            std::fs::write(&output, &wasm.bytes).map_err(|error| Failure::system(format!("cannot write {}: {error}", output.display())))?;
        }
        let json = || {
            json!({
                "language": source.tree.language(),
                "wasm": wasm_bytes.map(|_| output.display().to_string()),
                "wasm_bytes": wasm_bytes,
                "diagnostics": report.diagnostics,
                "output": report.output,
                "tool": report.tool,
                "timings": { "build": report.build_us },
            })
        };
        context.print(json, || wasm_bytes.map(|bytes| format!("{} ({bytes} bytes)\n", output.display())).unwrap_or_default());
        if wasm_bytes.is_some() { Ok(ExitCode::SUCCESS) } else { Err(Failure::Program(None)) }
    }
}
