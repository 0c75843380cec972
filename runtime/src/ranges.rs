//! Who has which part of the code arena: a first-fit allocator of granules. Safe and pure; `sys` applies what it says.

use std::collections::BTreeMap;

/// Free runs of granules, by first granule.
#[derive(Debug)]
pub struct Ranges {
    free: BTreeMap<u32, u32>,
}

impl Ranges {
    /// All `granules` are free.
    pub fn new(granules: u32) -> Ranges {
        Ranges { free: BTreeMap::from([(0, granules)]) }
    }

    /// The first granule of a run of `count`, or none when no run is long enough.
    pub fn take(&mut self, count: u32) -> Option<u32> {
        let (&start, &length) = self.free.iter().find(|(_, length)| **length >= count)?;
        self.free.remove(&start);
        if length > count {
            self.free.insert(start + count, length - count);
        }
        Some(start)
    }

    /// Gives back a run that [`Ranges::take`] handed out, and joins it with its neighbours.
    pub fn give_back(&mut self, start: u32, count: u32) {
        let (mut start, mut count) = (start, count);
        if let Some((&before, &length)) = self.free.range(..start).next_back()
            && before + length == start
        {
            self.free.remove(&before);
            (start, count) = (before, length + count);
        }
        if let Some(length) = self.free.remove(&(start + count)) {
            count += length;
        }
        self.free.insert(start, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn runs_join_when_they_come_back() {
        let mut ranges = Ranges::new(10);
        let (a, b, c) = (ranges.take(3).unwrap(), ranges.take(3).unwrap(), ranges.take(4).unwrap());
        assert_eq!(ranges.take(1), None);
        ranges.give_back(a, 3);
        ranges.give_back(c, 4);
        assert_eq!(ranges.take(5), None);
        ranges.give_back(b, 3);
        assert_eq!(ranges.take(10), Some(0));
    }

    proptest! {
        #[test]
        fn nothing_is_handed_out_twice_or_lost(steps in prop::collection::vec((1u32..8, any::<bool>()), 1..200)) {
            let mut ranges = Ranges::new(64);
            let mut held: Vec<(u32, u32)> = vec![];
            for (count, give) in steps {
                if give && !held.is_empty() {
                    let (start, length) = held.swap_remove(count as usize % held.len());
                    ranges.give_back(start, length);
                } else if let Some(start) = ranges.take(count) {
                    prop_assert!(start + count <= 64);
                    prop_assert!(held.iter().all(|(other, length)| start + count <= *other || other + length <= start));
                    held.push((start, count));
                }
            }
            for (start, length) in held {
                ranges.give_back(start, length);
            }
            prop_assert_eq!(ranges.take(64), Some(0));
        }
    }
}
