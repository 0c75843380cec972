//! What the tests share: an engine that compiles, signs, loads and runs, and the driver of the official suite.
//!
//! [`requests`] is what benches and tests of reset ask of a guest. [`engine`] is the only test code that knows how the crates are put together; [`server`] the only one that knows the binary and its HTTP interface;
//! [`backend`] is whom programs send requests to; [`large`] is functions of any size; [`programs`] builds and runs source files; [`real`] runs modules that packages of npm ship; [`kernels`] are computations, [`shapes`] is code that must be stopped from outside; [`spec`] drives `.wast` files; [`table`] is what benches print; [`browser`] runs the stories in Chromium.
#![forbid(unsafe_code)]

pub mod backend;
pub mod browser;
pub mod engine;
pub mod kernels;
pub mod large;
pub mod programs;
pub mod real;
pub mod requests;
pub mod server;
pub mod services;
pub mod shapes;
pub mod spec;
pub mod table;
pub mod wire;
