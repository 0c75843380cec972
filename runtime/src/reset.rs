//! How a slot is given back its image, and what is learned of a module's writes. Pure: `sys` applies what is decided here.
//!
//! ```text
//!  WriteSet ── the module writes too many pages, or ever new ones ──► PageScan ──► Madvise
//!            (or PageScan is not available)                             (one large reset at a time)
//! ```

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Pages of a learned write set at most: copying more costs about what asking the kernel does.
pub const WRITE_SET_PAGES_MAX: usize = 64;
/// Written bytes that a slot keeps populated at most; what is beyond is dropped, and fresh pages are faulted in again.
pub const KEPT_BYTES_MAX: u64 = 16 << 20;
/// Where the kernel cannot be asked, memory behind the image up to so many bytes is filled, more is dropped.
pub const FILLED_BYTES_MAX: u64 = 64 << 10;
/// Resets after which a module's write set does not grow any more: a rare large writer must not make every request pay, and a visitor must not learn from
/// a fault that nobody had written a page before.
const WARM_UP_RESETS: u64 = 64;
/// A module whose misses outnumber this and an eighth of its resets is better served by asking the kernel.
const MISSES_MIN: u64 = 96;
/// What outgrowing the set counts as, in misses.
const OVERFLOW_MISSES: u64 = 24;

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
    pages: Vec<u32>,
    resets: u64,
    misses: u64,
}

impl Learned {
    /// Nothing but the pages that every run writes.
    pub fn new(ladder: Ladder, always: impl IntoIterator<Item = u32>) -> Learned {
        let mut learned = Learned { ladder, method: ladder.best(), pages: Vec::new(), resets: 0, misses: 0 };
        for page in always {
            learned.admit(page);
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

    /// The write set: numbers of pages of the image.
    pub fn pages(&self) -> &[u32] {
        &self.pages
    }

    /// Whether a page that a run has written may stay writable, as part of the set from now on.
    pub fn admit(&mut self, page: u32) -> bool {
        if self.pages.contains(&page) {
            return true;
        }
        let room = self.resets < WARM_UP_RESETS && self.pages.len() < WRITE_SET_PAGES_MAX;
        if room {
            self.pages.push(page);
        }
        room
    }

    /// One more reset of a watched slot, which had so many first writes outside its set, or outgrew it.
    pub fn note_reset(&mut self, first_writes: usize, outgrown: bool) {
        self.resets += 1;
        // During warm-up first writes are how the set is learned.
        self.misses += if self.resets > WARM_UP_RESETS { first_writes as u64 } else { 0 };
        self.misses += if outgrown { OVERFLOW_MISSES } else { 0 };
        if self.misses > MISSES_MIN + self.resets / 8 {
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
        let mut learned = Learned::new(ALL, [7]);
        assert!(learned.admit(9));
        for _ in 0..WARM_UP_RESETS {
            learned.note_reset(1, false);
        }
        assert!(learned.admit(9), "a page of the set stays in it");
        assert!(!learned.admit(10));
        assert_eq!((learned.pages(), learned.method()), (&[7, 9][..], ResetMethod::WriteSet));
    }

    #[test]
    fn a_module_that_writes_ever_new_pages_gives_its_set_up() {
        for (ladder, below) in [(ALL, ResetMethod::PageScan), (Ladder::only(ResetMethod::WriteSet), ResetMethod::Madvise)] {
            let mut learned = Learned::new(ladder, [0]);
            (0..WARM_UP_RESETS + 2 * MISSES_MIN).for_each(|_| learned.note_reset(1, false));
            assert_eq!(learned.method(), below);
        }
    }

    #[test]
    fn a_module_that_rarely_writes_more_keeps_its_set() {
        let mut learned = Learned::new(ALL, [0]);
        for reset in 0..10_000 {
            learned.note_reset(usize::from(reset % 16 == 0), reset % 1000 == 0);
        }
        assert_eq!(learned.method(), ResetMethod::WriteSet);
        (0..100).for_each(|_| learned.note_reset(3, true));
        assert_eq!(learned.method(), ResetMethod::PageScan, "until it does so often");
    }

    proptest! {
        #[test]
        fn the_set_is_bounded_and_has_each_page_once(written in prop::collection::vec(0u32..200, 0..300)) {
            let mut learned = Learned::new(ALL, [3, 3]);
            for page in &written {
                let admitted = learned.admit(*page);
                prop_assert_eq!(admitted, learned.pages().contains(page));
            }
            let mut pages = learned.pages().to_vec();
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
