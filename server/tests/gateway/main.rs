//! The real gateway and the real compile workers, as processes, under their filters: what a visitor and the workshop see of them.

mod commands;
mod compiling;
mod exchanges;
mod programs;
mod restarts;
mod services;
mod stage;
mod start;
mod turns;
mod visits;
