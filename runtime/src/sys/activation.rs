//! Registers of a guest that is not running, as the assembly of `switch` and the signal handler leave them.
//!
//! Every instance has room for what a hostcall saves. Preemption saves ten times as much and is rare, so each thread has one record for it, which the handler
//! fills; while the guest waits for its next turn a copy lies on the heap.

/// Registers of a guest that is not running: about to be called, in a hostcall, or preempted.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Activation {
    /// Where it goes on.
    pub pc: u64,
    // Saved by a hostcall.
    pub rsp: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    // What an entry trampoline is given.
    pub rdi: u64,
    pub rsi: u64,
    /// The lone `ret` in the module's text at which a hostcall is resumed.
    resume_stub: u64,
    /// End of the call's part of the stack, as an offset in the slot.
    pub stack_top: u64,
    /// Of a guest that was preempted.
    pub interrupted: Option<Box<Interrupted>>,
}

/// A call that is to begin: all but `stack_top`, which is an offset in the slot, are addresses. The word below the stack's top stands for a return address: the image
/// has zero there.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    pub trampoline: u64,
    pub callee: u64,
    pub vmctx: u64,
    pub resume_stub: u64,
    pub slot_base: u64,
    pub stack_top: u64,
}

impl Call {
    #[inline]
    pub fn stack_pointer(&self) -> u64 {
        self.slot_base.wrapping_add(self.stack_top).wrapping_sub(8)
    }
}

impl Activation {
    /// At the entry of a call. Nothing of what ran before is left in it.
    #[inline]
    pub fn of_call(call: Call) -> Activation {
        Activation {
            pc: call.trampoline,
            rsp: call.stack_pointer(),
            rdi: call.vmctx,
            rsi: call.callee,
            resume_stub: call.resume_stub,
            stack_top: call.stack_top,
            ..Activation::default()
        }
    }

    /// What must be known of a call that begins at once; an exit says the rest.
    #[inline(always)]
    pub fn begin(&mut self, call: &Call) {
        self.resume_stub = call.resume_stub;
        self.stack_top = call.stack_top;
    }

    /// Goes on behind the hostcall by which it left.
    #[inline]
    pub fn return_from_hostcall(&mut self) {
        self.pc = self.resume_stub;
    }

    /// Goes on at a handler of exceptions, which finds its values in its frame and relies on no register but those of the stack.
    pub fn land(&mut self, landing: u64, stack_pointer: u64, frame_pointer: u64) {
        let (resume_stub, stack_top) = (self.resume_stub, self.stack_top);
        *self = Activation { pc: landing, rsp: stack_pointer, rbp: frame_pointer, resume_stub, stack_top, ..Activation::default() };
    }
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
