//! Our compiler and runtime beside Wasmtime and wasmi: oracles for what programs compute.
//!
//! [`engine`] is the only code here that knows how our crates are put together. [`oracle`] runs one generated module in every engine and compares what
//! can be seen of it; `src/bin/fuzz.rs` does so for any number of seeds.
#![forbid(unsafe_code)]

pub mod engine;
pub mod oracle;
