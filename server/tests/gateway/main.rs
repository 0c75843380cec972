//! The real gateway and the real compile workers, as processes, under their filters: what a visitor and the workshop see of them.

mod bounds;
mod commands;
mod compiling;
mod exchanges;
mod programs;
mod restarts;
mod services;
mod stage;
mod start;
mod streams;
mod turns;
mod visits;
