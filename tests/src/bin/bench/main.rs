//! `make bench`: the figures, as a table and in `target/bench.json`.
//!
//! Group `runtime`: instances in this process, from taking a slot to giving it back. Group `gateway`: a visitor's request beside others. Group `compiler`: compiling on a warm server, and functions of every size (these alone: `cost`), taking artifacts in (`loading`). Group `guests`: what programs ask of their host. Group `edit`: from
//! sending an edited source to the new code answering at its URL, on the server that a person would use. Arguments name the groups to measure; without any, all are.
#![forbid(unsafe_code)]

use vivarium_tests::table;

mod compiler;
mod cost;
mod edit;
mod guests;
mod loading;
mod preemption;
mod runtime;

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let wants = |group: &str| asked.is_empty() || asked.iter().any(|name| name == group);
    let mut rows = Vec::new();
    if wants("runtime") {
        rows.extend(runtime::rows());
        rows.extend(preemption::rows());
    }
    if wants("gateway") {
        rows.extend(preemption::neighbours());
    }
    if wants("compiler") {
        rows.extend(compiler::rows());
    }
    if wants("compiler") || wants("cost") {
        rows.extend(cost::rows());
    }
    if wants("compiler") || wants("loading") {
        rows.extend(loading::rows());
    }
    if wants("guests") {
        rows.extend(guests::rows());
    }
    if wants("edit") {
        rows.extend(edit::rows());
    }
    table::save(rows);
}
