//! The turns of one guest on its thread, from its first slice to its end.

use std::time::{Duration, Instant};

use super::fetches::Fetches;
use super::guest::{Guest, Pause};
use super::memory::Share;
use super::thread::{Driven, Thread, Wall};
use crate::control::messages::Outcome;

/// A guest that has begun.
pub struct Turns {
    began: Instant,
    wall: Wall,
    queued: Duration,
    paused: Pause,
    fetches: Fetches,
}

impl Turns {
    /// Runs the first slice.
    pub fn begin(thread: &Thread, guest: &mut Guest, wall: Wall) -> Turns {
        let fetches = Fetches::new(thread.fetcher.clone(), guest.bell());
        Turns { began: Instant::now(), wall, queued: Duration::ZERO, paused: guest.run(), fetches }
    }

    /// Waits for what the guest waits for, or for its next slice, and lets it run once more. Its memory, and bytes that it has given away and that
    /// are still held, must fit into its share.
    pub async fn next(&mut self, thread: &Thread, guest: &mut Guest, share: &Share, held_bytes: u64) {
        if self.has_ended() {
            return;
        }
        if !share.cover(guest.held_bytes() + held_bytes) {
            self.paused = Pause::Ended(thread.shared.memory.exhausted());
            return;
        }
        let deadline = self.deadline();
        let paused = std::mem::replace(&mut self.paused, Pause::Preempted);
        let next = thread.turn(guest, &mut self.fetches, paused, deadline, &mut self.queued).await;
        self.paused = next.unwrap_or_else(|| Pause::Ended(self.wall.passed()));
    }

    pub fn has_ended(&self) -> bool {
        matches!(self.paused, Pause::Ended(_))
    }

    pub fn deadline(&self) -> Instant {
        self.began + self.wall.allowed
    }

    /// Whether the guest does nothing more before this much of its time has passed.
    pub fn rests_until(&self, since_begin: Duration) -> bool {
        let moment = self.began + since_begin;
        match &self.paused {
            Pause::Preempted => Instant::now() >= moment,
            Pause::Waiting(wait) => wait.until().is_none_or(|wakes| wakes >= moment),
            Pause::Ended(_) => false,
        }
    }

    /// Another wall from now on, counted from its begin.
    pub fn move_wall(&mut self, wall: Wall) {
        self.wall = wall;
    }

    /// The wall was reached by something else than the guest.
    pub fn expire(&mut self) {
        self.paused = Pause::Ended(self.wall.passed());
    }

    /// Why its requests to backends failed, since the last call.
    pub fn take_sentences(&mut self) -> Vec<String> {
        self.fetches.take_sentences()
    }

    /// After its end.
    pub fn finish(self) -> Driven {
        let outcome = match self.paused {
            Pause::Ended(outcome) => outcome,
            Pause::Preempted | Pause::Waiting(_) => Outcome::Failed { message: "it was left before its end".into() },
        };
        Driven { outcome, queued: self.queued }
    }
}
