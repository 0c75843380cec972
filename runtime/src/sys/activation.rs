//! Registers of a guest that is not running, as the assembly of `control` and the signal handler leave them.
//!
//! Every instance has room for what a hostcall saves. Preemption saves ten times as much and is rare, so each thread has one record for it, which the handler
//! fills; while the guest waits for its next turn a copy lies on the heap.

/// Registers of a guest that is not running: in a hostcall, or preempted.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Activation {
    // Saved by a hostcall.
    pub rsp: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    /// Of a guest that was preempted.
    pub interrupted: Option<Box<Interrupted>>,
}

/// All that a guest knows of the processor, wherever it was stopped.
#[repr(C, align(16))]
#[derive(Debug, Clone)]
pub struct Interrupted {
    /// r8…r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, in the order of the kernel's `gregs`; then what `iretq` takes.
    pub general: [u64; 16],
    pub frame: InterruptFrame,
    pub vector: FxsaveArea,
}

/// What `iretq` pops.
#[repr(C)]
#[derive(Debug, Default, Clone, Copy)]
pub struct InterruptFrame {
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

#[repr(C, align(16))]
#[derive(Debug, Clone)]
pub struct FxsaveArea([u8; 512]);

impl Interrupted {
    /// A record that holds nothing yet.
    pub fn new() -> Interrupted {
        Interrupted { general: [0; 16], frame: InterruptFrame::default(), vector: FxsaveArea([0; 512]) }
    }

    /// Copies what the kernel saved of an interrupted guest. Called by the signal handler: copies memory, nothing else.
    pub fn save(&mut self, general: [u64; 15], frame: InterruptFrame, vector: &[u8; 512]) {
        self.general[..15].copy_from_slice(&general);
        self.frame = frame;
        self.vector.0 = *vector;
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;

    #[test]
    fn machine_code_and_rust_agree_on_the_layout() {
        assert_eq!(offset_of!(Interrupted, frame), offset_of!(Interrupted, general) + 128, "iretq pops what follows the general registers");
        assert_eq!(size_of::<InterruptFrame>(), 40);
        assert_eq!(offset_of!(Interrupted, vector) % 16, 0, "fxrstor needs alignment");
        assert_eq!(align_of::<Interrupted>() % 16, 0);
    }
}
