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

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

use crate::reset::WRITE_SET_PAGES_MAX;

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
        WriteSet {
            watch: AtomicU8::new(Watch::Unwatched as u8),
            length: AtomicU32::new(0),
            image_pages: AtomicU32::new(0),
            pages: [const { AtomicU32::new(0) }; WRITE_SET_PAGES_MAX],
        }
    }
}

impl WriteSet {
    pub fn watch(&self) -> Watch {
        match self.watch.load(Relaxed) {
            1 => Watch::Watched,
            2 => Watch::Outgrown,
            _ => Watch::Unwatched,
        }
    }

    /// From now on an image of so many pages is watched, with these writable.
    pub fn begin(&self, image_pages: u32, writable: &[u32]) {
        self.image_pages.store(image_pages, Relaxed);
        self.keep(0);
        for page in writable {
            self.push(*page);
        }
        self.watch.store(Watch::Watched as u8, Relaxed);
    }

    /// Nothing is watched any more.
    pub fn forget(&self) {
        self.watch.store(Watch::Unwatched as u8, Relaxed);
        self.image_pages.store(0, Relaxed);
        self.keep(0);
    }

    /// More pages are writable than the set can name.
    pub fn outgrow(&self) {
        self.watch.store(Watch::Outgrown as u8, Relaxed);
    }

    /// Adds a page that is not in the set; false when the set is full.
    pub fn push(&self, page: u32) -> bool {
        let length = self.length.load(Relaxed);
        let Some(place) = self.pages.get(length as usize) else { return false };
        place.store(page, Relaxed);
        self.length.store(length + 1, Relaxed);
        true
    }

    pub fn len(&self) -> usize {
        self.length.load(Relaxed) as usize
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn page(&self, index: usize) -> u32 {
        self.pages[index].load(Relaxed)
    }

    /// The pages in the order in which they joined.
    pub fn pages(&self) -> impl Iterator<Item = u32> + '_ {
        self.pages[..self.len().min(WRITE_SET_PAGES_MAX)].iter().map(|page| page.load(Relaxed))
    }

    /// Writes a page's number over another's.
    pub fn set(&self, index: usize, page: u32) {
        self.pages[index].store(page, Relaxed);
    }

    /// Forgets all but the first `length` pages.
    pub fn keep(&self, length: usize) {
        self.length.store(length as u32, Relaxed);
    }

    /// Whether a write to this page of a watched image would fault.
    pub fn is_protected(&self, page: u32) -> bool {
        self.watch() == Watch::Watched && page < self.image_pages.load(Relaxed) && !self.pages().any(|other| other == page)
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
        set.begin(10, &[3]);
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
                prop_assert_eq!(set.push(*page), count < WRITE_SET_PAGES_MAX);
            }
            let held = &pages[..pages.len().min(WRITE_SET_PAGES_MAX)];
            prop_assert_eq!(set.pages().collect::<Vec<_>>(), held);
            prop_assert!(held.iter().all(|page| !set.is_protected(*page)));
            let kept = kept.min(set.len());
            set.keep(kept);
            prop_assert_eq!(set.pages().collect::<Vec<_>>(), &held[..kept]);
        }
    }
}
