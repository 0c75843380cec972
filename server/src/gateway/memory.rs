//! How much memory all guests of a gateway may have together, with what they read and wrote: by present length, not by what was touched.
//!
//! A guest for which there is no room waits, for a while and with a bounded number of others; a memory that would grow beyond it does not
//! (`memory.grow` answers −1).

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use vivarium_runtime::MemoryBudget;

use crate::control::messages::{LimitReport, Outcome};
use crate::limits::Limits;

/// The account of one gateway.
#[derive(Debug)]
pub struct Memory {
    used_bytes: AtomicU64,
    bytes_max: u64,
    /// Guests that wait. Whoever gives memory back wakes them; both sides are ordered, so that nobody waits for what is there already.
    waiting: AtomicUsize,
    waiting_max: usize,
    wait: Duration,
    freed: Notify,
}

/// What one guest has; given back when this and the guest are gone.
#[derive(Debug, Clone)]
pub struct Share(Arc<Held>);

#[derive(Debug)]
struct Held {
    memory: Arc<Memory>,
    bytes: AtomicU64,
}

/// One place among those who wait.
struct Waiting<'m>(&'m Memory);

impl Memory {
    pub fn new(limits: &Limits) -> Arc<Memory> {
        Arc::new(Memory {
            used_bytes: AtomicU64::new(0),
            bytes_max: limits.gateway_memory_bytes_max,
            waiting: AtomicUsize::new(0),
            waiting_max: limits.memory_waiting_max,
            wait: Duration::from_millis(limits.memory_wait_ms),
            freed: Notify::new(),
        })
    }

    /// Admits a guest, or not.
    pub fn admit(self: &Arc<Memory>, bytes: u64) -> Option<Share> {
        let share = Share(Arc::new(Held { memory: self.clone(), bytes: AtomicU64::new(0) }));
        share.cover(bytes).then_some(share)
    }

    /// Admits a guest as soon as there is room; none when that takes too long, too many wait, or there never will be.
    pub async fn admit_or_wait(self: &Arc<Memory>, bytes: u64) -> Option<Share> {
        if let Some(share) = self.admit(bytes) {
            return Some(share);
        }
        let _waiting = Waiting::begin(self).filter(|_| bytes <= self.bytes_max)?;
        let deadline = Instant::now() + self.wait;
        loop {
            let mut freed = pin!(self.freed.notified());
            // From here on it is noticed what others give back.
            freed.as_mut().enable();
            if let Some(share) = self.admit(bytes) {
                return Some(share);
            }
            tokio::time::timeout_at(deadline.into(), freed).await.ok()?;
        }
    }

    pub fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// What one of so many threads may keep populated in slots that wait for the next guest, in bytes: of what is free, at most an eighth of the whole.
    pub fn warm_bytes_max(&self, threads: usize) -> u64 {
        self.bytes_max.saturating_sub(self.used_bytes()).min(self.bytes_max / 8) / threads.max(1) as u64
    }

    /// What a visitor is told for whose guest there is no room.
    pub fn refusal(&self) -> String {
        format!(
            "All programs together use the {} bytes of memory that this gateway has for them (gateway_memory_bytes_max).",
            self.bytes_max
        )
    }

    /// The end of a guest for which there is no room any more.
    pub fn exhausted(&self) -> Outcome {
        let message = format!("all programs together use the {} bytes of memory that this gateway has for them", self.bytes_max);
        Outcome::Limited(LimitReport { name: "gateway_memory_bytes_max".into(), message })
    }

    fn take(&self, bytes: u64) -> bool {
        let room = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.bytes_max);
        self.used_bytes.fetch_update(Ordering::SeqCst, Ordering::Relaxed, room).is_ok()
    }

    /// Nothing is given back by whoever was not admitted: it wakes nobody, itself included.
    fn give_back(&self, bytes: u64) {
        if bytes == 0 {
            return;
        }
        self.used_bytes.fetch_sub(bytes, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.freed.notify_waiters();
        }
    }
}

impl<'m> Waiting<'m> {
    fn begin(memory: &'m Memory) -> Option<Waiting<'m>> {
        let room = |waiting: usize| (waiting < memory.waiting_max).then_some(waiting + 1);
        memory.waiting.fetch_update(Ordering::SeqCst, Ordering::Relaxed, room).ok().map(|_| Waiting(memory))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Share {
    /// Follows a guest's memory as it grows. False when there is no room for it: that guest must end.
    pub fn cover(&self, bytes: u64) -> bool {
        let more = bytes.saturating_sub(self.0.bytes.load(Ordering::Relaxed));
        more == 0 || self.0.take(more)
    }

    /// The guest has ended; so much is left of it, its answer. False when that is more than before and there is no room for it.
    pub fn keep(&self, bytes: u64) -> bool {
        self.0.give_back(self.0.bytes.load(Ordering::Relaxed).saturating_sub(bytes));
        self.cover(bytes)
    }

    /// Where the guest's own memories ask before they grow.
    pub fn budget(&self) -> Arc<dyn MemoryBudget> {
        self.0.clone()
    }
}

impl MemoryBudget for Held {
    fn take(&self, bytes: u64) -> bool {
        let taken = self.memory.take(bytes);
        self.bytes.fetch_add(if taken { bytes } else { 0 }, Ordering::Relaxed);
        taken
    }

    fn give_back(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.memory.give_back(bytes);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.give_back(*self.bytes.get_mut());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(gateway_memory_bytes_max: u64, memory_wait_ms: u64) -> Arc<Memory> {
        Memory::new(&Limits { gateway_memory_bytes_max, memory_wait_ms, memory_waiting_max: 2, ..Limits::default() })
    }

    #[test]
    fn guests_share_what_there_is() {
        let memory = memory(100, 0);
        let first = memory.admit(40).unwrap();
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

    #[test]
    fn what_a_memory_grows_by_is_in_the_guests_share() {
        let memory = memory(100, 0);
        let share = memory.admit(40).unwrap();
        let budget = share.budget();
        assert!(budget.take(50) && !budget.take(11) && share.cover(90) && !share.cover(101));
        assert_eq!(memory.used_bytes(), 90);
        budget.give_back(20);
        assert!(share.keep(5));
        drop(share);
        assert_eq!(memory.used_bytes(), 5, "the guest is still there");
        drop(budget);
        assert_eq!(memory.used_bytes(), 0);
    }

    #[tokio::test]
    async fn whoever_finds_no_room_waits_for_it() {
        let memory = memory(100, 60_000);
        let first = memory.admit(80).unwrap();
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let memory = memory.clone();
                tokio::spawn(async move { memory.admit_or_wait(50).await })
            })
            .collect();
        while memory.waiting.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        assert!(memory.admit_or_wait(50).await.is_none(), "so many wait and no more");
        assert!(memory.admit_or_wait(20).await.is_some(), "who finds room does not wait");
        drop(first);
        for admitted in waiting {
            assert!(admitted.await.unwrap().is_some());
        }
        assert_eq!((memory.used_bytes(), memory.waiting.load(Ordering::Relaxed)), (0, 0));
    }

    #[tokio::test]
    async fn waiting_ends() {
        let memory = memory(100, 20);
        let _all = memory.admit(100).unwrap();
        assert!(memory.admit_or_wait(1).await.is_none());
        let patient = super::tests::memory(100, 60_000);
        assert!(patient.admit_or_wait(101).await.is_none(), "for what there will never be nobody waits");
    }
}
