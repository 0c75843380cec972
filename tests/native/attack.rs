//! The binary of the server, taken over: in each gateway and each compile worker, native code tries every way out once the process is sealed, and says
//! on standard error what came of it: `attack ROLE NAME ERRNO`, where the errno is 0 for what went through.
//!
//! `attack serve …` is a whole server with such processes. `attack nowhere` tries the same in a process without walls, which shows that the attempts are
//! real; `attack jail …` is the jail's role, and `attack inside` what is run in it.

use std::process::ExitCode;
use std::time::Duration;

mod attack {
    pub mod attempts;
}

use attack::attempts::{self, Prepared};

/// After so long a process that is not sealed will not be: the operator accepted the risk.
const SEALED_WITHIN: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_deref().and_then(|word| word.to_str()) {
        Some("gateway") => vivarium::gateway::role::run_beside(|| begin("gateway")),
        Some("compile-worker") => vivarium::compile::worker::run_beside(|| begin("compile-worker")),
        Some("fetch") => vivarium::fetch::role::run(),
        Some("jail") => vivarium_toolchains::run_jail_role(arguments),
        Some(place @ ("nowhere" | "inside")) => {
            attempts::all(place, &Prepared::new());
            ExitCode::SUCCESS
        }
        _ => vivarium::command_line::run(),
    }
}

/// A thread that waits for the seal, then tries.
fn begin(role: &'static str) {
    let prepared = Prepared::new();
    std::thread::spawn(move || {
        let began = std::time::Instant::now();
        while !attempts::is_sealed() && began.elapsed() < SEALED_WITHIN {
            std::thread::sleep(Duration::from_millis(1));
        }
        attempts::all(role, &prepared);
    });
}
