//! What a guest's turns cost it: processor time of its own code, of builtins and of the host functions that it called, as one budget.
//!
//! A turn is measured from its beginning to its end by the clock that costs next to nothing, never at the crossings in between. One that lasted much longer than
//! a slice had a host function that took long, or the kernel had given the processor to somebody else: then the thread's own processor time decides, which takes
//! a system call. It is read before a turn too, when it was not for a slice.

use std::cell::Cell;
use std::time::Duration;

use crate::sys::clock;

/// Slices that a turn may last without anybody asking why.
const UNQUESTIONED_SLICES: u64 = 2;

/// Measures the turns of one thread.
#[derive(Debug)]
pub(crate) struct Meter {
    slice_ticks: u64,
    sample: Cell<Sample>,
}

/// The thread's processor time at a moment, both in ticks.
#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    moment: u64,
    thread: u64,
}

impl Meter {
    pub fn new(slice: Duration) -> Meter {
        Meter { slice_ticks: clock::ticks_of(slice), sample: Cell::default() }
    }

    /// A turn begins: at this moment, in ticks.
    pub fn begin(&self) -> u64 {
        let moment = clock::ticks();
        if moment.saturating_sub(self.sample.get().moment) > self.slice_ticks {
            self.sample.set(Sample { moment, thread: clock::thread_ticks() });
        }
        moment
    }

    /// What the turn that began at this moment has cost until now, in ticks. It is the last that was begun on this thread.
    pub fn cost(&self, began: u64) -> u64 {
        let elapsed = clock::ticks().saturating_sub(began);
        let unquestioned = UNQUESTIONED_SLICES * self.slice_ticks;
        if elapsed <= unquestioned {
            return elapsed;
        }
        // Never less than what was told before.
        elapsed.min(unquestioned.max(clock::thread_ticks().saturating_sub(self.sample.get().thread)))
    }

    /// The same of a turn of which nobody said when it ended.
    pub fn cost_at_most(&self, began: u64) -> u64 {
        clock::ticks().saturating_sub(began).min(UNQUESTIONED_SLICES * self.slice_ticks)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const SLICE: Duration = Duration::from_millis(5);

    fn cost_of(meter: &Meter, turn: impl FnOnce()) -> Duration {
        let began = meter.begin();
        turn();
        clock::duration(meter.cost(began))
    }

    fn work(duration: Duration) {
        let began = clock::thread_ticks();
        while clock::duration(clock::thread_ticks() - began) < duration {}
    }

    #[test]
    fn a_long_turn_costs_what_it_took_of_the_processor() {
        let meter = Meter::new(SLICE);
        for _ in 0..3 {
            let slept = cost_of(&meter, || std::thread::sleep(20 * SLICE));
            assert!(slept < 10 * SLICE, "the processor was somebody else's: {slept:?}");
            let worked = cost_of(&meter, || work(6 * SLICE));
            assert!(worked >= 6 * SLICE, "a host function took long: {worked:?}");
        }
    }

    #[test]
    fn a_turn_never_costs_less_than_it_did() {
        let meter = Meter::new(SLICE);
        let began = meter.begin();
        let mut told = 0;
        for step in 0..40 {
            match step % 8 {
                0 => std::thread::sleep(SLICE),
                1 => work(SLICE / 2),
                _ => {}
            }
            let cost = meter.cost(began);
            assert!(cost >= told, "step {step}: {cost} after {told}");
            told = cost;
        }
    }

    #[test]
    fn a_short_turn_costs_the_time_that_has_passed() {
        let meter = Meter::new(Duration::from_secs(1));
        let started = Instant::now();
        let cost = cost_of(&meter, || std::thread::sleep(Duration::from_millis(3)));
        assert!(cost >= Duration::from_millis(2) && cost <= started.elapsed() + Duration::from_millis(1), "{cost:?}");
    }
}
