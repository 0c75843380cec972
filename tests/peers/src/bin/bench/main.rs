//! The second half of `make bench`: what a peer can do too, ours and the peer's by turns in one process, into the same table and file.
//!
//! Group `runtime`: [`instances`], [`crossings`], [`footprint`]. Group `compiler`: [`kernels`] and [`compile`]. Arguments name groups or such parts;
//! without any, all are measured. [`tuned`] says how Wasmtime is set.
#![forbid(unsafe_code)]

mod compile;
mod crossings;
mod footprint;
mod instances;
mod kernels;
mod ours;
mod tuned;

use serde_json::Value;
use vivarium_tests::table;

/// Measures, prints and gives the rows.
type Part = fn() -> Vec<Value>;

fn main() {
    // Ours first: Wasmtime's signal handlers hand on what is not theirs.
    drop(vivarium_peers::engine::Engine::start(1, false));
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let parts: [(&str, &str, Part); 5] = [
        ("runtime", "instances", instances::rows),
        ("runtime", "crossings", crossings::rows),
        ("runtime", "footprint", footprint::rows),
        ("compiler", "kernels", kernels::rows),
        ("compiler", "compile", compile::rows),
    ];
    for (group, part, rows) in parts {
        if asked.is_empty() || asked.iter().any(|name| name == group || name == part) {
            table::save(rows());
        }
    }
}
