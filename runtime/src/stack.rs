//! The call stack of a guest, by frame pointers.
//!
//! What lies on a guest's stack is an allegation: each frame must lie inside the part of the stack that belongs to its call, and higher than the last, else the
//! walk ends. It ends by itself at the entry trampoline, which begins with a frame pointer of zero.

use std::ops::Range;

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
    /// The call's part of the stack, as addresses.
    pub fn stack(&self) -> Range<u64> {
        self.base..self.base + self.stack_top
    }

    /// From where a guest was stopped. Its stack pointer is not known then, or not to be trusted.
    pub fn from_fault(slot: &'s SlotMemory, stack_top: u64, pc: u64, pointer: u64) -> Frames<'s> {
        let base = slot.bounds().base;
        Frames { slot, base, stack_top, next: Some(CallFrame { address: pc, pointer, lowest: base }) }
    }

    /// From a hostcall. The thunk through which it left has no frame: the return address is at the stack pointer.
    pub fn from_hostcall(slot: &'s SlotMemory, registers: &Activation) -> Frames<'s> {
        let stack_top = registers.stack_top;
        let base = slot.bounds().base;
        let in_stack = registers.rsp.checked_sub(base).filter(|offset| offset.checked_add(8).is_some_and(|end| end <= stack_top));
        let next = in_stack.and_then(|offset| slot.word(offset)).map(|address| CallFrame {
            address,
            pointer: registers.rbp,
            lowest: registers.rsp + 8,
        });
        Frames { slot, base, stack_top, next }
    }
}

impl CallFrame {
    /// The frame of the function that called the one with this frame, on the stack of the slot at `base` that ends at the offset `stack_top`; `word` reads the
    /// eight bytes at an offset below that. Called by the signal handler too.
    pub fn caller(self, base: u64, stack_top: u64, word: impl Fn(u64) -> Option<u64>) -> Option<CallFrame> {
        let offset = self.pointer.checked_sub(base)?;
        if self.pointer < self.lowest || offset.checked_add(16)? > stack_top {
            return None;
        }
        Some(CallFrame { pointer: word(offset)?, address: word(offset + 8)?, lowest: self.pointer + 16 })
    }
}

impl Iterator for Frames<'_> {
    type Item = CallFrame;

    fn next(&mut self) -> Option<CallFrame> {
        let frame = self.next.take()?;
        self.next = frame.caller(self.base, self.stack_top, |offset| self.slot.word(offset));
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BASE: u64 = 1 << 40;
    const WORDS: u64 = 64;

    /// The frames of a stack of these words, from a frame pointer on.
    fn walk(words: &[u64], pointer: u64, lowest: u64) -> Vec<CallFrame> {
        let stack_top = 8 * words.len() as u64;
        let word = |offset: u64| {
            assert!(offset + 8 <= stack_top, "only the call's part of the stack is read");
            // Frame pointers need not be aligned: a guest's stack is an allegation.
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            bytes[offset as usize..].first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
        };
        let first = CallFrame { address: 1, pointer, lowest };
        std::iter::successors(Some(first), |frame| frame.caller(BASE, stack_top, word)).collect()
    }

    #[test]
    fn a_chain_of_frames_is_followed_to_the_entry_trampoline() {
        let mut words = [0; WORDS as usize];
        for (frame, caller, address) in [(2, 10, 100), (10, 20, 200), (20, 0, 300)] {
            words[frame] = if caller == 0 { 0 } else { BASE + 8 * caller };
            words[frame + 1] = address;
        }
        let frames = walk(&words, BASE + 16, BASE);
        assert_eq!(frames.iter().map(|frame| frame.address).collect::<Vec<_>>(), [1, 100, 200, 300]);
        assert_eq!(walk(&words, BASE + 16, BASE + 24).len(), 1, "a frame below the stack pointer is none");
        assert_eq!(walk(&words, BASE + 8 * (WORDS - 1), BASE).len(), 1, "nor is one that reaches out of the stack");
        assert_eq!(walk(&words, BASE - 8, 0).len(), 1);
        assert_eq!(walk(&words, u64::MAX, 0).len(), 1);
    }

    proptest! {
        #[test]
        fn any_stack_is_walked_upwards_and_to_an_end(
            words in prop::collection::vec(prop_oneof![any::<u64>(), (0..8 * WORDS).prop_map(|offset| BASE + offset)], 1..WORDS as usize),
            pointer in prop_oneof![any::<u64>(), (0..8 * WORDS).prop_map(|offset| BASE + offset)],
        ) {
            let frames = walk(&words, pointer, BASE);
            prop_assert!(frames.len() <= words.len() / 2 + 1);
            prop_assert!(frames.windows(2).all(|pair| pair[1].lowest == pair[0].pointer + 16 && pair[1].lowest > pair[0].lowest));
        }
    }
}
