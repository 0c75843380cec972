//! Calls of one instance that are under way at once (`runtime/decisions/0006-nested-activations.md`).
//!
//! ```text
//!  stack_top of the slot                                    lower addresses →
//!  │ frames of the outermost call │ frames of the next │ … │ frames of the topmost │ free │ guard
//!                                 ▲ stack pointer at the hostcall in which it waits
//! ```
//!
//! An instance that waits in a hostcall may be called again. The waiting call is set aside here, with its registers and with the arguments of its hostcall, whose
//! cells the nested call needs; the nested one gets the rest of the same stack. Only the topmost call runs.

use crate::link::ForeignRequest;
use crate::stack::Frames;
use crate::sys::activation::Activation;
use crate::sys::slot::SlotMemory;

/// Calls of one instance that may be under way at once; one more ends as if the stack were exhausted.
pub const ACTIVATIONS_MAX: usize = 128;
/// What must be left of the stack for a nested call, in bytes: with less, it ends before it begins.
pub const HEADROOM_BYTES_MIN: u64 = 16 << 10;

/// Who has not answered yet. Small, for every instance has room for one.
#[derive(Debug)]
pub(crate) enum Awaited {
    /// The imported function of this index.
    Import(u32),
    /// Another instance.
    Foreign(Box<ForeignRequest>),
}

/// A call that waits in a hostcall while a nested one runs.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub registers: Box<Activation>,
    pub awaited: Awaited,
    /// The arguments of the hostcall.
    pub arguments: Box<[u128]>,
}

impl Waiting {
    /// Its frames, innermost first.
    pub fn frames<'s>(&self, slot: &'s SlotMemory) -> Frames<'s> {
        Frames::from_hostcall(slot, &self.registers)
    }
}

/// Where the stack of a call ends that is nested in one which left with this stack pointer: an offset in the slot, for pointers inside the stack that leave
/// headroom. A stack pointer is a guest's allegation.
pub(crate) fn nested_stack_top(base: u64, stack_top: u64, stack_pointer: u64) -> Option<u64> {
    let offset = stack_pointer.checked_sub(base)?;
    (HEADROOM_BYTES_MIN..stack_top).contains(&offset).then_some(offset & !15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_call_begins_below_the_waiting_one_or_not_at_all() {
        let (base, stack_top) = (1 << 40, 1 << 20);
        let nested = |offset: u64| nested_stack_top(base, stack_top, base + offset);
        assert_eq!(nested(0x8_0008), Some(0x8_0000));
        assert_eq!(nested(stack_top - 8), Some(stack_top - 16));
        assert_eq!(nested(HEADROOM_BYTES_MIN), Some(HEADROOM_BYTES_MIN));
        assert_eq!(nested(HEADROOM_BYTES_MIN - 8), None);
        assert_eq!(nested(stack_top), None, "above the stack");
        assert_eq!(nested_stack_top(base, stack_top, base - 8), None, "below the slot");
        assert_eq!(nested_stack_top(base, stack_top, u64::MAX), None);
    }
}
