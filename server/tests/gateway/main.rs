//! The real gateway and the real compile workers, as processes, under their filters: what a visitor and the workshop see of them.

mod commands;
mod compiling;
mod programs;
mod restarts;
mod stage;
mod turns;
mod visits;
