//! The call stack of a guest, by frame pointers.
//!
//! What lies on a guest's stack is an allegation: each frame must lie inside the part of the stack that belongs to its call, and higher than the last, else the
//! walk ends. It ends by itself at the entry trampoline, which begins with a frame pointer of zero.

use crate::sys::activation::Activation;
use crate::sys::slot::SlotMemory;

/// Where one function of the call stack stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CallFrame {
    /// Where it goes on: behind a call; of a function that was stopped, the instruction at which it was.
    pub address: u64,
    /// Its frame pointer, absolute. Of the innermost frame it may still be the caller's.
    pub pointer: u64,
    /// First address that the frame may begin at: all below belongs to functions that it called.
    pub lowest: u64,
}

/// The frames of one call, innermost first.
#[derive(Debug)]
pub(crate) struct Frames<'s> {
    slot: &'s SlotMemory,
    base: u64,
    /// End of the call's part of the stack, as an offset in the slot.
    stack_top: u64,
    next: Option<CallFrame>,
}

impl<'s> Frames<'s> {
    /// From where a guest was stopped. Its stack pointer is not known then, or not to be trusted.
    pub fn from_fault(slot: &'s SlotMemory, stack_top: u64, pc: u64, pointer: u64) -> Frames<'s> {
        let base = slot.bounds().base;
        Frames { slot, base, stack_top, next: Some(CallFrame { address: pc, pointer, lowest: base }) }
    }

    /// From a hostcall. The thunk through which it left has no frame: the return address is at the stack pointer.
    pub fn from_hostcall(slot: &'s SlotMemory, stack_top: u64, registers: &Activation) -> Frames<'s> {
        let base = slot.bounds().base;
        let in_stack = registers.rsp.checked_sub(base).filter(|offset| offset.checked_add(8).is_some_and(|end| end <= stack_top));
        let next = in_stack.and_then(|offset| slot.word(offset)).map(|address| CallFrame {
            address,
            pointer: registers.rbp,
            lowest: registers.rsp + 8,
        });
        Frames { slot, base, stack_top, next }
    }

    /// The frame of the function that called the one with this frame.
    fn caller(&self, frame: CallFrame) -> Option<CallFrame> {
        let offset = frame.pointer.checked_sub(self.base)?;
        if frame.pointer < frame.lowest || offset.checked_add(16)? > self.stack_top {
            return None;
        }
        Some(CallFrame { pointer: self.slot.word(offset)?, address: self.slot.word(offset + 8)?, lowest: frame.pointer + 16 })
    }
}

impl Iterator for Frames<'_> {
    type Item = CallFrame;

    fn next(&mut self) -> Option<CallFrame> {
        let frame = self.next.take()?;
        self.next = self.caller(frame);
        Some(frame)
    }
}
