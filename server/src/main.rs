//! The binary. Its roles come before its commands: they are started by the server itself, and confine themselves before anything else.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next();
    match first.as_deref().and_then(|word| word.to_str()) {
        Some("jail") => vivarium_toolchains::run_jail_role(arguments),
        Some("gateway") => vivarium::gateway::role::run(),
        Some("fetch") => vivarium::fetch::role::run(),
        Some("compile-worker") => vivarium::compile::worker::run(),
        _ => vivarium::command_line::run(),
    }
}
