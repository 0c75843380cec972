//! Commits a fault in host code on a thread that may run guests; the process must die of it, for it is nobody's trap.

use vivarium_artifact::Setting;
use vivarium_tests::engine::{limits, load_wat, pool};

fn main() {
    let pool = pool(1);
    let instance = pool.acquire(&load_wat("(module (memory 1) (func (export \"f\")))", Setting::Fast), limits()).expect("a slot is free");
    let memory = instance.memory();
    let address = match std::env::args().nth(1).as_deref() {
        Some("null") => std::ptr::without_provenance::<u8>(8),
        // An address that would be a trap, were the program counter in guest code.
        Some("guard") => memory.as_ptr().wrapping_add(memory.len()),
        Some("sent") => {
            // SAFETY: the signal ends this process, which is what it exists for.
            unsafe { libc::raise(libc::SIGSEGV) };
            return println!("survived");
        }
        _ => panic!("usage: host-fault null|guard|sent"),
    };
    // SAFETY: none is claimed: the read faults on purpose, and this process exists to die of it.
    let byte = unsafe { address.read_volatile() };
    println!("survived, and read {byte}");
}
