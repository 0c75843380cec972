//! Where a guest was at each tick: handed from the signal handler to the thread that it interrupts.
//!
//! ```text
//!   │ length │ top │ top │ pc │ caller │ caller │ … ║ length │ top │ … ║ free             │
//!                                                   ▲ used
//! ```
//!
//! The buffer is made before anything runs; a sample that does not fit is counted as lost. The handler adds only while the thread is in guest code, and the thread
//! drains only in host code, so neither finds the other halfway. All places are offsets in the module's text.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Functions of a call stack that one sample tells at most, the innermost ones.
pub const SAMPLE_FRAMES_MAX: usize = 64;
/// Words of a sample before its places.
const HEAD: usize = 3;

/// What the handler notes.
#[derive(Debug)]
pub struct Samples {
    words: Box<[AtomicU32]>,
    used: AtomicU32,
    lost: AtomicU64,
}

/// One sample, as it is drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample<'s> {
    /// The two words at the stack pointer, as places; [`Samples::NOWHERE`] where they are none. The innermost function's return address may be there only.
    pub top: [u32; 2],
    /// Where it was, then where each caller that has a frame goes on.
    pub places: &'s [u32],
}

impl Samples {
    /// Stands for an address outside the text.
    pub const NOWHERE: u32 = u32::MAX;

    /// Room for so many samples of full depth.
    pub fn new(samples_max: usize) -> Samples {
        let words = samples_max.saturating_mul(HEAD + SAMPLE_FRAMES_MAX).min(u32::MAX as usize);
        Samples { words: (0..words).map(|_| AtomicU32::new(0)).collect(), used: AtomicU32::new(0), lost: AtomicU64::new(0) }
    }

    /// Adds a sample, or counts it as lost. Called by the signal handler: loads and stores.
    pub fn add(&self, top: [u32; 2], places: impl Iterator<Item = u32>) {
        let used = self.used.load(Ordering::Relaxed) as usize;
        let Some(room) = self.words.get(used..used + HEAD + SAMPLE_FRAMES_MAX) else {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let mut told = 0;
        for (word, place) in room[HEAD..].iter().zip(places) {
            word.store(place, Ordering::Relaxed);
            told += 1;
        }
        for (word, value) in room.iter().zip([told as u32, top[0], top[1]]) {
            word.store(value, Ordering::Relaxed);
        }
        self.used.store((used + HEAD + told) as u32, Ordering::Relaxed);
    }

    /// Calls `visit` with each sample in the order of time, and forgets them.
    pub fn drain(&self, mut visit: impl FnMut(Sample<'_>)) {
        let used = self.used.swap(0, Ordering::Relaxed) as usize;
        let mut words = self.words[..used].iter().map(|word| word.load(Ordering::Relaxed));
        let mut places = Vec::with_capacity(SAMPLE_FRAMES_MAX);
        while let (Some(told), Some(first), Some(second)) = (words.next(), words.next(), words.next()) {
            places.clear();
            places.extend(words.by_ref().take(told as usize));
            visit(Sample { top: [first, second], places: &places });
        }
    }

    /// Samples that found no room, from the beginning.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drained(samples: &Samples) -> Vec<([u32; 2], Vec<u32>)> {
        let mut found = vec![];
        samples.drain(|sample| found.push((sample.top, sample.places.to_vec())));
        found
    }

    #[test]
    fn a_full_buffer_counts_what_it_loses_and_is_empty_once_drained() {
        let samples = Samples::new(2);
        let deep = || 0..u32::MAX;
        for _ in 0..5 {
            samples.add([1, 2], deep());
        }
        assert_eq!(samples.lost(), 3);
        let expected = ([1, 2], (0..SAMPLE_FRAMES_MAX as u32).collect::<Vec<_>>());
        assert_eq!(drained(&samples), [expected.clone(), expected]);
        assert_eq!(drained(&samples), []);
        samples.add([3, 4], std::iter::once(7));
        assert_eq!((drained(&samples), samples.lost()), (vec![([3, 4], vec![7])], 3));
    }

    proptest! {
        #[test]
        fn what_is_drained_is_what_was_added(rounds in prop::collection::vec(prop::collection::vec((any::<[u32; 2]>(), prop::collection::vec(any::<u32>(), 0..80)), 0..12), 1..4)) {
            let samples = Samples::new(8);
            let mut lost = 0;
            for round in rounds {
                let mut used = 0;
                let mut expected = vec![];
                for (top, places) in round {
                    samples.add(top, places.iter().copied());
                    let told = places.len().min(SAMPLE_FRAMES_MAX);
                    if used + HEAD + SAMPLE_FRAMES_MAX <= 8 * (HEAD + SAMPLE_FRAMES_MAX) {
                        used += HEAD + told;
                        expected.push((top, places[..told].to_vec()));
                    } else {
                        lost += 1;
                    }
                }
                prop_assert_eq!(drained(&samples), expected);
                prop_assert_eq!(samples.lost(), lost);
            }
        }
    }
}
