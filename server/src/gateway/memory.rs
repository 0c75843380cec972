//! How much memory all guests of a gateway may have together, with what they read and wrote: by present length, not by what was touched.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The account of one gateway.
#[derive(Debug)]
pub struct Memory {
    used_bytes: AtomicU64,
    bytes_max: u64,
}

/// What one guest has; given back when this is dropped.
#[derive(Debug)]
pub struct Share {
    memory: Arc<Memory>,
    bytes: u64,
}

impl Memory {
    pub fn new(bytes_max: u64) -> Arc<Memory> {
        Arc::new(Memory { used_bytes: AtomicU64::new(0), bytes_max })
    }

    /// Admits a guest, or not.
    pub fn admit(self: &Arc<Memory>, bytes: u64) -> Option<Share> {
        let mut share = Share { memory: self.clone(), bytes: 0 };
        share.cover(bytes).then_some(share)
    }

    pub fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// What one of so many threads may keep populated in slots that wait for the next guest, in bytes: of what is free, at most an eighth of the whole.
    pub fn warm_bytes_max(&self, threads: usize) -> u64 {
        self.bytes_max.saturating_sub(self.used_bytes()).min(self.bytes_max / 8) / threads.max(1) as u64
    }

    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }
}

impl Share {
    /// Follows a guest's memory as it grows. False when there is no room for it: that guest must end.
    pub fn cover(&mut self, bytes: u64) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return true;
        }
        let room = |used: u64| used.checked_add(more).filter(|sum| *sum <= self.memory.bytes_max);
        let covered = self.memory.used_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok();
        self.bytes += if covered { more } else { 0 };
        covered
    }

    /// The guest has ended; so much is left of it, its answer. False when that is more than before and there is no room for it.
    pub fn keep(&mut self, bytes: u64) -> bool {
        let less = self.bytes.saturating_sub(bytes);
        self.memory.used_bytes.fetch_sub(less, Ordering::Relaxed);
        self.bytes -= less;
        self.cover(bytes)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.used_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_share_what_there_is() {
        let memory = Memory::new(100);
        let mut first = memory.admit(40).unwrap();
        let second = memory.admit(40).unwrap();
        assert!(memory.admit(40).is_none());
        assert!(first.cover(60));
        assert!(!first.cover(61));
        assert_eq!(memory.used_bytes(), 100);
        assert_eq!(memory.warm_bytes_max(1), 0, "guests come before warm slots");
        drop(second);
        assert_eq!([1, 2].map(|threads| memory.warm_bytes_max(threads)), [12, 6]);
        assert!(first.cover(100));
        assert!(first.keep(10));
        assert_eq!(memory.used_bytes(), 10);
        assert!(first.keep(100) && !first.keep(101));
        drop(first);
        assert_eq!(memory.used_bytes(), 0);
    }
}
