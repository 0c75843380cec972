//! Nothing: only the sources of what it depends on are wanted.

#![no_std]
