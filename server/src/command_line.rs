//! The commands, one file each. What a command finds out goes to stdout, as text or (`--json`) as one JSON object; what went wrong goes to
//! stderr as a sentence.
//!
//! Exit codes: 0 done · 1 the program does not build or compile · 2 wrong usage · 3 the server or the system failed. `run` ends with the
//! guest's own code; 134 when it trapped, 124 when a limit ended it.

mod artifact;
mod backup;
mod build;
mod client;
mod compile;
mod deploy;
mod disassembly;
mod doctor;
mod failure;
mod folders;
mod inspect;
mod invoke;
mod kv;
mod logs;
mod profile;
mod run;
mod serve;
mod server;
mod share;
mod source;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::data_folder::{DataFolder, DataFolderError};

/// A WebAssembly playground on your own machine: write a program, press Run, get a URL.
#[derive(Debug, Parser)]
#[command(name = "vivarium", version, propagate_version = true)]
struct CommandLine {
    /// The data folder [default: VIVARIUM_DATA, else XDG_DATA_HOME/vivarium, else ~/.local/share/vivarium]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Answer with one JSON object
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the workshop and all deployments until ctrl-C
    Serve(serve::Serve),
    /// Source file or folder to wasm
    Build(build::Build),
    /// Wasm or WAT to an artifact
    Compile(compile::Compile),
    /// Run source, wasm, WAT or an artifact as a command
    Run(run::Run),
    /// Show what an artifact imports, exports and needs
    Inspect(inspect::Inspect),
    /// Deploy source to a running server; prints its URL
    Deploy(deploy::Deploy),
    /// Print what a deployment's program wrote
    Logs(logs::Logs),
    /// Read and change a deployment's key-value stores
    Kv(kv::Kv),
    /// Keep a program under an address of its own; prints it
    Share(share::Share),
    /// Send the requests that are kept with a program, and say which of their assertions hold
    Test(test::Test),
    /// Open a deployment in a browser
    Open(share::Open),
    /// Show what is installed, what is missing, and what mends it
    Doctor(doctor::Doctor),
    /// Write all that is kept into one file, also while a server runs
    Backup(backup::Backup),
}

/// What every command is given.
struct Context {
    data: Option<PathBuf>,
    json: bool,
}

impl Context {
    fn data_folder(&self) -> Result<DataFolder, DataFolderError> {
        DataFolder::open(&DataFolder::place(self.data.clone())?)
    }

    /// Prints the result, in the form that was asked for.
    fn print(&self, json: impl FnOnce() -> serde_json::Value, text: impl FnOnce() -> String) {
        // A reader that went away (a pipe to `head`) is no failure of ours.
        let _ = std::io::Write::write_all(&mut std::io::stdout(), if self.json { json().to_string() + "\n" } else { text() }.as_bytes());
    }
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let CommandLine { data, json, command } = CommandLine::parse();
    let context = Context { data, json };
    let done = match command {
        Command::Serve(serve) => serve.run(&context),
        Command::Build(build) => build.run(&context),
        Command::Compile(compile) => compile.run(&context),
        Command::Run(run) => run.run(&context),
        Command::Inspect(inspect) => inspect.run(&context),
        Command::Deploy(deploy) => deploy.run(&context),
        Command::Logs(logs) => logs.run(&context),
        Command::Kv(kv) => kv.run(&context),
        Command::Share(share) => share.run(&context),
        Command::Test(test) => test.run(&context),
        Command::Open(open) => open.run(&context),
        Command::Doctor(doctor) => doctor.run(&context),
        Command::Backup(backup) => backup.run(&context),
    };
    done.unwrap_or_else(|failure| failure.report(json))
}
