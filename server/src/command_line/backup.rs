//! `vivarium backup`: what is kept, in one file.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::Context;
use super::failure::Failure;
use crate::backup;

#[derive(Debug, Args)]
pub struct Backup {
    /// Where it goes; unpacked into an empty folder (tar -xf FILE -C DIR) it is a data folder
    #[arg(value_name = "FILE.tar")]
    output: PathBuf,
}

impl Backup {
    pub fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let written = backup::write(&context.data_folder()?, &self.output).map_err(Failure::system)?;
        let json = || json!({ "backup": self.output.display().to_string(), "blobs": written.blobs, "bytes": written.bytes });
        context.print(json, || format!("{} ({} blobs, {} bytes)\n", self.output.display(), written.blobs, written.bytes));
        Ok(ExitCode::SUCCESS)
    }
}
