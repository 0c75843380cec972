//! When a turn is over, counted in ticks. Safe and pure: the signal handler asks it at each tick.
//!
//! A thread that runs guests is ticked twice a slice. A turn that a second tick finds is over, so it lasts between half a slice and a whole one. When
//! some ticks of one turn have found no guest running they may come slowly until one does: that turn has been over for long.

/// Ticks of one turn without a running guest after which they become slow; more than a turn lasts, so that none is left unended.
pub const IDLE_TICKS_MAX: u32 = 8;

/// What the last ticks found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    turn: u64,
    /// How many ticks found that turn before the last one.
    found_before: u32,
    /// How many ticks of that turn found no guest running, up to the last one; below [`IDLE_TICKS_MAX`].
    idle: u32,
}

/// What a tick means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// The turn has had its slice.
    pub over: bool,
    /// Ticks may come slowly until a guest runs.
    pub idle: bool,
}

impl Count {
    /// Counts one more tick, which found this turn, and a guest in its own code or in none.
    pub fn tick(&mut self, turn: u64, running: bool) -> Tick {
        if self.turn == turn {
            self.found_before = self.found_before.saturating_add(1);
        } else {
            *self = Count { turn, found_before: 0, idle: 0 };
        }
        self.idle = if running { 0 } else { self.idle + 1 };
        let idle = self.idle >= IDLE_TICKS_MAX;
        if idle {
            // Counted afresh: slow ticks that go on finding nobody say so again, which changes nothing.
            self.idle = 0;
        }
        Tick { over: self.found_before > 0, idle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every sequence of ten ticks between which the thread goes on, changes turns, or rests.
    #[test]
    fn a_turn_is_over_at_its_second_tick_whatever_came_before() {
        const TICKS: u32 = 10;
        for sequence in 0..3u32.pow(TICKS) {
            let (mut count, mut turn, mut found, mut rested) = (Count::default(), 1, 0, 0);
            for place in 0..TICKS {
                let step = sequence / 3u32.pow(place) % 3;
                if step == 1 {
                    (turn, found, rested) = (turn + 1, 0, 0);
                }
                let running = step != 2;
                found += 1;
                rested = if running { 0 } else { rested + 1 };
                let idle = rested > 0 && rested % IDLE_TICKS_MAX == 0;
                assert!(!idle || found >= 2, "the ticks become slow for no turn that is not over");
                assert_eq!(count.tick(turn, running), Tick { over: found >= 2, idle }, "sequence {sequence}, tick {place}");
            }
        }
    }

    #[test]
    fn rest_in_one_turn_does_not_slow_the_ticks_of_the_next() {
        let mut count = Count::default();
        for _ in 1..IDLE_TICKS_MAX {
            assert!(!count.tick(1, false).idle);
        }
        assert_eq!(count.tick(2, false), Tick { over: false, idle: false });
        assert_eq!(count.tick(2, false), Tick { over: true, idle: false });
    }

    #[test]
    fn counting_never_runs_over() {
        let mut count = Count { turn: 1, found_before: u32::MAX, idle: 0 };
        assert_eq!(count.tick(1, true), Tick { over: true, idle: false });
        assert_eq!(count.tick(2, true), Tick { over: false, idle: false });
    }
}
