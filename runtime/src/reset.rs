//! How a slot is given back its image, and what is learned of a module's writes. Pure: `sys` applies what is decided here.
//!
//! ```text
//!  WriteSet ── the module writes too many pages, or ever new ones ──► PageScan ──► Madvise
//!            (or PageScan is not available)                             (one large reset at a time)
//! ```

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::write_set::Written;

/// Pages of a learned write set at most: copying more costs about what asking the kernel does.
pub const WRITE_SET_PAGES_MAX: usize = 64;
/// Written bytes that a slot keeps populated at most; what is beyond is dropped, and fresh pages are faulted in again.
pub const KEPT_BYTES_MAX: u64 = 16 << 20;
/// Where the kernel cannot be asked, memory behind the image up to so many bytes is filled, more is dropped.
pub const FILLED_BYTES_MAX: u64 = 64 << 10;
/// Resets after which a module's write set does not grow any more: a rare large writer must not make every request pay, and a visitor must not learn from
/// a fault that nobody had written a page before.
const WARM_UP_RESETS: u64 = 64;
/// Resets with first writes outside a frozen set, besides one in eight, after which the module has changed its ways and its set is open again.
const MISSES_MIN: u64 = 32;
/// How often a set is opened again; a module that changes its ways more often is better served by asking the kernel.
const OPENINGS_MAX: u32 = 16;
/// Runs that outgrow the set, besides one in 256, after which the module has none.
const OUTGROWN_MIN: u64 = 3;

/// How a slot is given back its image. The better ones need a newer kernel, and permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetMethod {
    /// Pages that the module is known to write are copied back; all others are write-protected (userfaultfd, Linux 5.19).
    WriteSet,
    /// The kernel says which pages were written (`PAGEMAP_SCAN`, Linux 6.7).
    PageScan,
    /// All pages are dropped (`madvise`).
    Madvise,
}

impl ResetMethod {
    /// Best first.
    pub const ALL: [ResetMethod; 3] = [ResetMethod::WriteSet, ResetMethod::PageScan, ResetMethod::Madvise];

    pub fn name(self) -> &'static str {
        match self {
            ResetMethod::WriteSet => "write-set",
            ResetMethod::PageScan => "page-scan",
            ResetMethod::Madvise => "madvise",
        }
    }
}

impl fmt::Display for ResetMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No method has this name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no reset method {0:?}: write-set, page-scan and madvise are the three")]
pub struct UnknownMethod(String);

impl FromStr for ResetMethod {
    type Err = UnknownMethod;

    fn from_str(name: &str) -> Result<ResetMethod, UnknownMethod> {
        ResetMethod::ALL.into_iter().find(|method| method.name() == name).ok_or_else(|| UnknownMethod(name.to_owned()))
    }
}

/// The methods that a process may use; `madvise` always works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ladder {
    pub write_set: bool,
    pub page_scan: bool,
}

impl Ladder {
    /// This method alone, with `madvise` below it: what a system without the others does.
    pub fn only(method: ResetMethod) -> Ladder {
        Ladder { write_set: method == ResetMethod::WriteSet, page_scan: method == ResetMethod::PageScan }
    }

    /// The method with which a module begins.
    pub fn best(self) -> ResetMethod {
        if self.write_set { ResetMethod::WriteSet } else { self.without_write_set() }
    }

    fn without_write_set(self) -> ResetMethod {
        if self.page_scan { ResetMethod::PageScan } else { ResetMethod::Madvise }
    }
}

/// What one thread knows of the writes of one module.
#[derive(Debug)]
pub struct Learned {
    ladder: Ladder,
    method: ResetMethod,
    pages: Vec<Written>,
    resets: u64,
    /// The set is frozen from this reset on.
    frozen_at: u64,
    openings: u32,
    /// Resets since the set was frozen that had first writes outside it.
    misses: u64,
    outgrown: u64,
}

impl Learned {
    /// Nothing but the pages that every run writes.
    pub fn new(ladder: Ladder, always: impl IntoIterator<Item = Written>) -> Learned {
        let mut learned = Learned {
            ladder,
            method: ladder.best(),
            pages: Vec::new(),
            resets: 0,
            frozen_at: WARM_UP_RESETS,
            openings: 0,
            misses: 0,
            outgrown: 0,
        };
        for written in always {
            learned.admit(written);
        }
        learned
    }

    /// How this module's slots are reset from now on.
    pub fn method(&self) -> ResetMethod {
        self.method
    }

    pub fn ladder(&self) -> Ladder {
        self.ladder
    }

    /// The write set.
    pub fn pages(&self) -> &[Written] {
        &self.pages
    }

    /// Whether a page that a run has written may stay writable, as part of the set from now on.
    pub fn admit(&mut self, written: Written) -> bool {
        if self.pages.iter().any(|other| other.page() == written.page()) {
            return true;
        }
        let room = self.resets < self.frozen_at && self.pages.len() < WRITE_SET_PAGES_MAX;
        if room {
            self.pages.push(written);
        }
        room
    }

    /// One more reset of a watched slot, which had first writes that the set did not take, or outgrew it.
    pub fn note_reset(&mut self, missed: bool, outgrown: bool) {
        self.resets += 1;
        self.outgrown += u64::from(outgrown);
        // Until then first writes are how the set is learned.
        if self.resets > self.frozen_at {
            self.misses += u64::from(missed);
        }
        if self.outgrown > OUTGROWN_MIN + self.resets / 256 {
            self.give_up_the_set();
        } else if self.misses > MISSES_MIN + (self.resets - self.frozen_at.min(self.resets)) / 8 {
            self.open_again();
        }
    }

    fn open_again(&mut self) {
        self.openings += 1;
        self.misses = 0;
        self.frozen_at = self.resets + WARM_UP_RESETS;
        if self.openings > OPENINGS_MAX || self.pages.len() == WRITE_SET_PAGES_MAX {
            self.give_up_the_set();
        }
    }

    /// This module writes too much for a set.
    pub fn give_up_the_set(&mut self) {
        if self.method == ResetMethod::WriteSet {
            self.method = self.ladder.without_write_set();
            self.pages = Vec::new();
        }
    }
}

/// Which pages of an image hold data; the others are zero.
#[derive(Debug)]
pub struct DataPages(Box<[u64]>);

impl DataPages {
    /// From ranges of pages that hold data.
    pub fn new(pages: usize, ranges: impl IntoIterator<Item = std::ops::Range<usize>>) -> DataPages {
        let mut words = vec![0u64; pages.div_ceil(64)];
        for page in ranges.into_iter().flatten().filter(|page| *page < pages) {
            words[page / 64] |= 1 << (page % 64);
        }
        DataPages(words.into_boxed_slice())
    }

    /// Whether this page must be copied; one beyond the image is zero.
    pub fn holds(&self, page: usize) -> bool {
        self.0.get(page / 64).is_some_and(|word| word >> (page % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn page(number: u32) -> Written {
        Written::whole(number)
    }

    const ALL: Ladder = Ladder { write_set: true, page_scan: true };

    #[test]
    fn methods_have_names() {
        for method in ResetMethod::ALL {
            assert_eq!(method.name().parse(), Ok(method));
        }
        assert!("uffd".parse::<ResetMethod>().unwrap_err().to_string().contains("write-set"));
    }

    #[test]
    fn the_set_grows_during_warm_up_only() {
        let mut learned = Learned::new(ALL, [page(7)]);
        assert!(learned.admit(page(9)));
        for _ in 0..WARM_UP_RESETS {
            learned.note_reset(true, false);
        }
        assert!(learned.admit(page(9)), "a page of the set stays in it");
        assert!(!learned.admit(page(10)));
        assert_eq!((learned.pages(), learned.method()), (&[page(7), page(9)][..], ResetMethod::WriteSet));
    }

    #[test]
    fn a_module_that_writes_ever_new_pages_gives_its_set_up() {
        for (ladder, below) in [(ALL, ResetMethod::PageScan), (Ladder::only(ResetMethod::WriteSet), ResetMethod::Madvise)] {
            let mut learned = Learned::new(ladder, [page(0)]);
            let lives = u64::from(OPENINGS_MAX + 1) * (WARM_UP_RESETS + 2 * MISSES_MIN);
            (0..lives).for_each(|_| learned.note_reset(true, false));
            assert_eq!(learned.method(), below);
        }
    }

    #[test]
    fn a_module_that_changes_its_ways_is_learned_anew() {
        let mut learned = Learned::new(ALL, [page(0)]);
        for way in 1..10 {
            let mut first_writes = 0;
            for _ in 0..1000 {
                let missed = !learned.pages().contains(&page(way)) && !learned.admit(page(way));
                first_writes += u64::from(missed);
                learned.note_reset(missed, false);
            }
            assert!(learned.admit(page(way)), "after {first_writes} first writes");
        }
        assert_eq!(learned.method(), ResetMethod::WriteSet);
    }

    #[test]
    fn a_module_that_fills_its_set_and_goes_on_gives_it_up() {
        let mut learned = Learned::new(ALL, []);
        for number in 0..1000 {
            let missed = !learned.admit(page(number));
            learned.note_reset(missed, false);
        }
        assert_eq!(learned.method(), ResetMethod::PageScan);
    }

    #[test]
    fn a_module_that_rarely_writes_more_keeps_its_set() {
        let mut learned = Learned::new(ALL, [page(0)]);
        for reset in 1..10_000 {
            learned.note_reset(reset % 16 == 0, reset % 1000 == 0);
        }
        assert_eq!(learned.method(), ResetMethod::WriteSet);
        (0..100).for_each(|_| learned.note_reset(true, true));
        assert_eq!(learned.method(), ResetMethod::PageScan, "until it does so often");
    }

    proptest! {
        #[test]
        fn the_set_is_bounded_and_has_each_page_once(written in prop::collection::vec(0u32..200, 0..300)) {
            let mut learned = Learned::new(ALL, [page(3), page(3)]);
            for number in &written {
                let admitted = learned.admit(page(*number));
                prop_assert_eq!(admitted, learned.pages().contains(&page(*number)));
            }
            let mut pages: Vec<u32> = learned.pages().iter().map(|written| written.page()).collect();
            pages.sort_unstable();
            pages.dedup();
            prop_assert_eq!(pages.len(), learned.pages().len());
            prop_assert!(pages.len() <= WRITE_SET_PAGES_MAX);
        }

        #[test]
        fn data_pages_are_those_of_the_ranges(pages in 1usize..300, ranges in prop::collection::vec((0usize..320, 0usize..40), 0..8)) {
            let ranges: Vec<_> = ranges.into_iter().map(|(start, length)| start..start + length).collect();
            let map = DataPages::new(pages, ranges.clone());
            for page in 0..400 {
                let expected = page < pages && ranges.iter().any(|range| range.contains(&page));
                prop_assert_eq!(map.holds(page), expected);
            }
        }
    }
}
