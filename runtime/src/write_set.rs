//! Which pages of a slot's image are writable: the half of write tracking that the fault handler and the reset share.
//!
//! ```text
//!  Unwatched ── watch ──► Watched ── push beyond the bound ──► Outgrown
//!      ▲                     │                                    │
//!      └──────── forget ─────┴────────────────────────────────────┘
//! ```
//!
//! One set for each slot, in an array that stays where it is for as long as the thread has its pool. All fields are atomic because a signal handler
//! changes them between any two instructions of the same thread; no other thread looks.

use std::ops::Range;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

use vivarium_artifact::PAGE_BYTES;

use crate::reset::WRITE_SET_PAGES_MAX;

/// Bytes of what an image's page is told apart in: a line of the processor's cache.
pub const LINE_BYTES: usize = 64;
const LINES: u32 = (PAGE_BYTES as usize / LINE_BYTES) as u32;
const LINE_BITS: u32 = LINES.trailing_zeros() + 1;
/// Pages of the largest image that can be watched: a gibibyte.
pub const PAGES_MAX: u32 = 1 << (u32::BITS - 2 * LINE_BITS);

/// A page that is written, and which of its lines the image holds data in: the others are zero there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written(u32);

impl Written {
    /// A page of which nothing is known: all of it may hold data.
    pub fn whole(page: u32) -> Written {
        Written::new(page, 0, LINES)
    }

    /// A page with data from one line up to another.
    ///
    /// # Panics
    ///
    /// When a page has no such lines, or a slot no such page.
    pub fn new(page: u32, from_line: u32, to_line: u32) -> Written {
        assert!(from_line <= to_line && to_line <= LINES && page < PAGES_MAX, "a page and lines of it");
        Written(page << (2 * LINE_BITS) | from_line << LINE_BITS | to_line)
    }

    pub fn page(self) -> u32 {
        self.0 >> (2 * LINE_BITS)
    }

    /// The bytes of the page that hold data.
    pub fn data(self) -> Range<usize> {
        let line = |shift: u32| ((self.0 >> shift & ((1 << LINE_BITS) - 1)) as usize).min(LINES as usize);
        let (from, to) = (line(LINE_BITS), line(0));
        from.min(to) * LINE_BYTES..to * LINE_BYTES
    }
}

/// Whether the kernel reports first writes to a slot's image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Watch {
    /// No: every page is writable. → `Watched`
    Unwatched,
    /// Pages that are not in the set are write-protected. → `Outgrown`, `Unwatched`
    Watched,
    /// A run wrote more pages than the set holds: all are writable until the slot is reset. → `Watched`, `Unwatched`
    Outgrown,
}

/// The writable pages of one slot.
#[derive(Debug)]
pub struct WriteSet {
    watch: AtomicU8,
    length: AtomicU32,
    /// Length of the image, in pages.
    image_pages: AtomicU32,
    pages: [AtomicU32; WRITE_SET_PAGES_MAX],
}

impl Default for WriteSet {
    fn default() -> WriteSet {
        WriteSet::new()
    }
}

impl WriteSet {
    pub const fn new() -> WriteSet {
        WriteSet {
            watch: AtomicU8::new(Watch::Unwatched as u8),
            length: AtomicU32::new(0),
            image_pages: AtomicU32::new(0),
            pages: [const { AtomicU32::new(0) }; WRITE_SET_PAGES_MAX],
        }
    }

    pub fn watch(&self) -> Watch {
        match self.watch.load(Relaxed) {
            1 => Watch::Watched,
            2 => Watch::Outgrown,
            _ => Watch::Unwatched,
        }
    }

    /// From now on an image of so many pages is watched, with these writable.
    pub fn begin(&self, image_pages: u32, writable: &[Written]) {
        self.image_pages.store(image_pages, Relaxed);
        self.keep(0);
        for written in writable {
            self.push(*written);
        }
        self.watch.store(Watch::Watched as u8, Relaxed);
    }

    /// Nothing is watched any more.
    pub fn forget(&self) {
        if self.watch() == Watch::Unwatched {
            return;
        }
        self.watch.store(Watch::Unwatched as u8, Relaxed);
        self.image_pages.store(0, Relaxed);
        self.keep(0);
    }

    /// More pages are writable than the set can name.
    pub fn outgrow(&self) {
        self.watch.store(Watch::Outgrown as u8, Relaxed);
    }

    /// Adds a page that is not in the set; false when the set is full.
    pub fn push(&self, written: Written) -> bool {
        let length = self.length.load(Relaxed);
        let Some(place) = self.pages.get(length as usize) else { return false };
        place.store(written.0, Relaxed);
        self.length.store(length + 1, Relaxed);
        true
    }

    pub fn len(&self) -> usize {
        self.length.load(Relaxed) as usize
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pages in the order in which they joined.
    pub fn pages(&self) -> impl DoubleEndedIterator<Item = Written> + ExactSizeIterator + '_ {
        self.pages[..self.len().min(WRITE_SET_PAGES_MAX)].iter().map(|page| Written(page.load(Relaxed)))
    }

    /// Takes out the page that joined last.
    pub fn pop(&self) -> Option<Written> {
        let last = self.pages().next_back()?;
        self.keep(self.len() - 1);
        Some(last)
    }

    /// Forgets all but the first `length` pages.
    pub fn keep(&self, length: usize) {
        self.length.store(length as u32, Relaxed);
    }

    /// Whether a write to this page of a watched image would fault.
    pub fn is_protected(&self, page: u32) -> bool {
        self.watch() == Watch::Watched && page < self.image_pages.load(Relaxed) && !self.pages().any(|other| other.page() == page)
    }

    /// Whether this page belongs to an image that is watched.
    pub fn watches(&self, page: u64) -> bool {
        self.watch() == Watch::Watched && page < u64::from(self.image_pages.load(Relaxed))
    }

    pub fn image_pages(&self) -> u32 {
        self.image_pages.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_a_watched_image_has_protected_pages() {
        let set = WriteSet::default();
        assert!(!set.is_protected(0) && !set.watches(0));
        set.begin(10, &[Written::whole(3)]);
        assert!(set.is_protected(0) && !set.is_protected(3) && !set.is_protected(10));
        assert!(set.watches(3) && set.watches(9) && !set.watches(10));
        set.outgrow();
        assert!(!set.is_protected(0) && !set.watches(3));
        set.begin(10, &[]);
        assert!(set.is_protected(3));
        set.forget();
        assert!(!set.is_protected(0) && set.is_empty());
    }

    proptest! {
        #[test]
        fn a_set_holds_what_was_pushed_until_it_is_full(pages in prop::collection::vec(0u32..1000, 0..100), kept in 0usize..70) {
            let set = WriteSet::default();
            set.begin(1000, &[]);
            for (count, page) in pages.iter().enumerate() {
                prop_assert_eq!(set.push(Written::whole(*page)), count < WRITE_SET_PAGES_MAX);
            }
            let held: Vec<Written> = pages[..pages.len().min(WRITE_SET_PAGES_MAX)].iter().map(|page| Written::whole(*page)).collect();
            prop_assert_eq!(set.pages().collect::<Vec<_>>(), held.clone());
            prop_assert!(held.iter().all(|written| !set.is_protected(written.page())));
            let kept = kept.min(set.len());
            while set.len() > kept {
                prop_assert_eq!(set.pop(), Some(held[set.len()]));
            }
            prop_assert_eq!(set.pages().collect::<Vec<_>>(), &held[..kept]);
        }

        #[test]
        fn a_written_page_keeps_its_number_and_lines(page in 0u32..1 << 18, from in 0u32..=64, lines in 0u32..=64) {
            let to = (from + lines).min(64);
            let written = Written::new(page, from, to);
            prop_assert_eq!((written.page(), written.data()), (page, from as usize * LINE_BYTES..to as usize * LINE_BYTES));
            prop_assert_eq!(Written::whole(page).data(), 0..PAGE_BYTES as usize);
        }
    }
}
