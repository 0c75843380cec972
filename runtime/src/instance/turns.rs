//! Turns of a guest: when it may run, and what its turns have cost it.

use std::time::Duration;

use super::Instance;
use crate::profile::Profile;
use crate::sys::clock;

impl Instance {
    /// Whether it may run: its turn is live, or it gets the next one. Not when its turn was over; afterwards it gets another.
    pub(super) fn has_turn(&mut self) -> bool {
        let ticker = self.pool.thread.ticker();
        if ticker.is_live(self.turn) {
            return true;
        }
        let was_over = self.turn != 0 && ticker.is_current(self.turn);
        match was_over {
            true => self.end_turn(),
            false => self.begin_turn(),
        }
        !was_over
    }

    /// Its turn begins, unless that is the running one: what host functions do for it from now on is its own time. [`Instance::resume`] does so by itself.
    pub fn begin_turn(&mut self) {
        if self.turn == 0 || !self.pool.thread.ticker().is_current(self.turn) {
            self.end_turn();
            self.turn_began = self.pool.meter.begin();
            self.turn = self.pool.thread.ticker().begin();
            self.pool.thread.sample_into(self.samples.as_deref());
        }
    }

    /// Ends the guest's turn, which counts on during hostcalls and after the last return: whoever lets it wait, or keeps it after its end, says so. It has a whole turn
    /// afterwards.
    pub fn end_turn(&mut self) {
        self.ran += self.cost_of_turn();
        self.turn = 0;
        self.turn_told.set(0);
    }

    /// In ticks; nothing while it has none. Never less than it was told before: the bound for a turn that another guest's has ended may lie below that.
    pub(super) fn cost_of_turn(&self) -> u64 {
        let cost = match self.turn {
            0 => 0,
            turn if self.pool.thread.ticker().is_current(turn) => self.pool.meter.cost(self.turn_began),
            _ => self.pool.meter.cost_at_most(self.turn_began),
        };
        self.turn_told.set(cost.max(self.turn_told.get()));
        self.turn_told.get()
    }

    /// From now on each tick that finds this guest in its own code notes where, until this is called with none.
    ///
    /// # Panics
    ///
    /// When the profile is of another module.
    pub fn profile(&mut self, profile: Option<&Profile>) {
        self.samples = profile.map(|profile| profile.samples_of(&self.shelf.module));
        if self.pool.thread.ticker().is_current(self.turn) {
            self.pool.thread.sample_into(self.samples.as_deref());
        }
    }

    /// Processor time that it has had so far: guest code, builtins, and what the host did between two resumptions of one turn.
    pub fn ran(&self) -> Duration {
        clock::duration(self.ran + self.cost_of_turn())
    }
}
