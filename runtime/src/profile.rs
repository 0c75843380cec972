//! Where a guest spends its time: the tick that may end its turn also notes where it is (`runtime/decisions/0009-profiler.md`).
//!
//! A [`Profile`] is attached to instances of one module ([`crate::Instance::profile`]). The handler fills its buffer; whoever drives the instance calls
//! [`Profile::collect`] now and then, at the latest when the instance has ended, and reads [`Profile::stacks`] afterwards.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use vivarium_artifact::FunctionRecord;

use crate::module::LoadedModule;
use crate::samples::{Sample, Samples};
use crate::trap::Frame;

/// Samples of full depth for which there is room between two collections: four seconds of ticks twice a millisecond.
const SAMPLES_MAX: usize = 8_192;
/// Different call stacks that are kept; further ones are counted as lost.
const STACKS_MAX: usize = 1 << 16;

/// What a profiler has learned of one module's instances on one thread.
#[derive(Debug)]
pub struct Profile {
    module: Arc<LoadedModule>,
    samples: Rc<Samples>,
    /// How often each call stack was found: places in the text, innermost first.
    found: BTreeMap<Box<[u32]>, u64>,
    too_many: u64,
}

/// A call stack and in how many samples it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfiledStack {
    /// Innermost first, never empty; at most [`crate::samples::SAMPLE_FRAMES_MAX`] and the caller that a prologue hides. Of nested calls the topmost one's only.
    pub frames: Vec<Frame>,
    pub samples: u64,
}

impl Profile {
    pub fn new(module: &Arc<LoadedModule>) -> Profile {
        Profile::with_room_for(module, SAMPLES_MAX)
    }

    /// With room for so many samples between two collections, more where their call stacks are not as deep as they may be.
    pub fn with_room_for(module: &Arc<LoadedModule>, samples: usize) -> Profile {
        Profile { module: module.clone(), samples: Rc::new(Samples::new(samples)), found: BTreeMap::new(), too_many: 0 }
    }

    pub(crate) fn samples_of(&self, module: &Arc<LoadedModule>) -> Rc<Samples> {
        assert!(Arc::ptr_eq(module, &self.module), "a profile is of one module");
        self.samples.clone()
    }

    /// Takes over what the handler has noted since the last time.
    pub fn collect(&mut self) {
        let (module, found, too_many) = (&self.module, &mut self.found, &mut self.too_many);
        self.samples.drain(|sample| {
            let stack = with_hidden_caller(sample, |place| module.functions().at(place), module.text());
            if let Some(count) = found.get_mut(&stack[..]) {
                *count += 1;
            } else if found.len() < STACKS_MAX {
                found.insert(stack.into(), 1);
            } else {
                *too_many += 1;
            }
        });
    }

    /// How many samples were taken and kept.
    pub fn taken(&self) -> u64 {
        self.found.values().sum()
    }

    /// How many found no room: they were not collected often enough, or their call stacks are too many.
    pub fn lost(&self) -> u64 {
        self.samples.lost() + self.too_many
    }

    /// All call stacks with functions of the module in them, in no order.
    pub fn stacks(&self) -> Vec<ProfiledStack> {
        let described = self.found.iter().map(|(places, samples)| {
            let frames = places.iter().zip(0..).filter_map(|(place, depth)| {
                // A caller goes on behind its call, which is what is to be shown.
                let address = self.module.text_address(*place) - u64::from(depth > 0);
                self.module.describe(address)
            });
            ProfiledStack { frames: frames.collect(), samples: *samples }
        });
        described.filter(|stack| !stack.frames.is_empty()).collect()
    }
}

/// The places of a sample, with the innermost function's caller also where its frame is not in the chain: at its first two instructions the function
/// has not linked its own frame yet, at its return it has given it up, and a stub has none.
fn with_hidden_caller<'f>(sample: Sample<'_>, function_at: impl Fn(u32) -> Option<&'f FunctionRecord>, text: &[u8]) -> Vec<u32> {
    const PUSH_RBP: u8 = 0x55;
    const RETURNS: [u8; 2] = [0xc3, 0xc2];
    let Some((place, callers)) = sample.places.split_first() else { return vec![] };
    let byte = |place: u32| text.get(place as usize).copied().unwrap_or(0);
    let hidden = match function_at(*place).map(|function| function.text_offset) {
        None => Some(sample.top[0]),
        Some(start) if *place == start => Some(sample.top[0]),
        Some(start) if *place == start + 1 && byte(start) == PUSH_RBP => Some(sample.top[1]),
        Some(_) if RETURNS.contains(&byte(*place)) => Some(sample.top[0]),
        Some(_) => None,
    };
    let hidden = hidden.filter(|place| *place != Samples::NOWHERE);
    std::iter::once(*place).chain(hidden).chain(callers.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `push rbp; mov rbp, rsp; nop; pop rbp; ret` from 4 on; before it and behind it nobody's code.
    const TEXT: [u8; 16] = [0x90, 0x90, 0x90, 0x90, 0x55, 0x48, 0x89, 0xe5, 0x90, 0x5d, 0xc3, 0x90, 0x90, 0x90, 0x90, 0x90];

    #[test]
    fn a_caller_is_found_wherever_its_frame_is_not_linked() {
        let function = FunctionRecord { index: 0, name: None, text_offset: 4, text_bytes: 7, wasm_offset: 0, wasm_bytes: 0 };
        let at = |place: u32| (4..11).contains(&place).then_some(&function);
        let stack = |place: u32| with_hidden_caller(Sample { top: [100, 200], places: &[place, 300] }, at, &TEXT);
        assert_eq!(stack(4), [4, 100, 300], "before its first instruction the return address is on top");
        assert_eq!(stack(5), [5, 200, 300], "then below the frame pointer that it pushed");
        assert_eq!(stack(8), [8, 300], "then in the chain");
        assert_eq!(stack(9), [9, 300]);
        assert_eq!(stack(10), [10, 100, 300], "and on top again");
        assert_eq!(stack(12), [12, 100, 300], "a stub has no frame");
        let nowhere = Sample { top: [Samples::NOWHERE; 2], places: &[4, 300] };
        assert_eq!(with_hidden_caller(nowhere, at, &TEXT), [4, 300]);
    }
}
