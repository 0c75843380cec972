//! The server: everything that listens, stores and starts processes. One binary, several roles.
//!
//! **In and out.** HTTP and command lines in; pages, JSON, events and responses of guests out.
//!
//! **Parts.** [`workshop`]: pages, API, builds, database. [`gateway`]: the process that serves visitors, and its supervisor. [`fetch`]: the
//! one that sends programs' requests to backends. [`compile`]:
//! the workers that turn wasm into artifacts. [`control`]: messages between workshop and gateway. [`processes`]: the one place that spawns.
//! [`confine`]: what a role gives up after it began. [`command_line`]: the commands. [`limits`]: every bound. [`callers`] and [`heads`]: what both
//! ports keep of connections. [`project`]: the
//! files of a program. [`reset`]: how slots are given back here. [`sparse`]: files without their zeros. [`data_folder`]: what is kept. [`backup`]: a copy of it in one file.
//!
//! **Invariants.** The workshop neither compiles nor runs a guest. No request of a visitor crosses a process boundary. What was
//! acknowledged is durable; what can be made again is not.
//!
//! **Does not know about** signals, raw memory, CLIF.

#![forbid(unsafe_code)]

pub mod assertions;
pub mod assets;
pub mod backup;
pub mod callers;
pub mod command_line;
pub mod compile;
pub mod confine;
pub mod control;
pub mod data_folder;
pub mod fetch;
pub mod gateway;
pub mod heads;
pub mod limits;
pub mod pages;
pub mod processes;
pub mod project;
pub mod reset;
pub mod sparse;
pub mod workshop;
