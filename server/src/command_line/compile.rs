//! `vivarium compile`: wasm or WAT to a signed artifact.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use vivarium_artifact::Setting;

use super::failure::Failure;
use super::{Context, artifact};
use crate::limits::Limits;
use crate::sparse;

#[derive(Debug, Args)]
pub struct Compile {
    /// A wasm binary or its text
    input: PathBuf,
    /// Where the artifact goes [default: beside the input, with the ending .viva]
    #[arg(short, long, value_name = "OUT.viva")]
    output: Option<PathBuf>,
    /// Optimise: slower to compile, quicker to run
    #[arg(long)]
    best: bool,
}

impl Compile {
    pub fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let limits = Limits::default();
        let wasm = artifact::read_wasm(&self.input, &limits)?;
        let setting = if self.best { Setting::Best } else { Setting::Fast };
        let (signed, timings) = artifact::compile(&wasm, &context.data_folder()?, setting, &limits)?;
        let output = self.output.unwrap_or_else(|| self.input.with_extension("viva"));
        let written = File::create(&output).and_then(|mut file| sparse::write(&mut file, &signed.bytes));
        written.map_err(|error| Failure::system(format!("cannot write {}: {error}", output.display())))?;
        let json = || {
            json!({
                "artifact": output.display().to_string(),
                "artifact_bytes": signed.bytes.len(),
                "wasm_bytes": wasm.len(),
                "timings": {
                    "validate": timings.validate_us,
                    "translate": timings.translate_us,
                    "codegen": timings.codegen_us,
                    "link": timings.link_us,
                },
            })
        };
        context.print(json, || format!("{} ({} bytes)\n", output.display(), signed.bytes.len()));
        Ok(ExitCode::SUCCESS)
    }
}
