//! The clocks of one instance. All step together, in steps coarse enough to be of no use for timing what other guests do.
//!
//! Both clocks start with the instance: the monotonic one at zero, the real one at the time of day. The time of day does not
//! jump while an instance lives.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How far a clock moves at once, in nanoseconds.
pub(crate) const STEP_NS: u64 = 100_000;

/// The longest single wait, in nanoseconds; a longer one is waited for in parts.
const WAIT_NS_MAX: u64 = 24 * 60 * 60 * 1_000_000_000;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Clocks {
    started: Instant,
    /// Time of day at `started`, in nanoseconds since 1970, on a step.
    realtime_start_ns: u64,
}

impl Clocks {
    pub(crate) fn start() -> Clocks {
        let realtime = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clocks { started: Instant::now(), realtime_start_ns: floor(nanoseconds(realtime)) }
    }

    /// Nanoseconds since the start, on a step.
    pub(crate) fn monotonic_ns(&self) -> u64 {
        floor(self.elapsed_ns())
    }

    /// Nanoseconds since 1970, on a step.
    pub(crate) fn realtime_ns(&self) -> u64 {
        self.realtime_start_ns.saturating_add(self.monotonic_ns())
    }

    /// The moment of a timeout that counts from now. On a step, so that a guest never wakes before its own clock says so.
    pub(crate) fn after(&self, timeout_ns: u64) -> Moment {
        Moment(ceil(self.elapsed_ns().saturating_add(timeout_ns)))
    }

    /// The moment at which the monotonic clock shows this.
    pub(crate) fn at_monotonic(&self, time_ns: u64) -> Moment {
        Moment(ceil(time_ns))
    }

    /// The moment at which the real clock shows this.
    pub(crate) fn at_realtime(&self, time_ns: u64) -> Moment {
        Moment(ceil(time_ns.saturating_sub(self.realtime_start_ns)))
    }

    pub(crate) fn is_past(&self, moment: Moment) -> bool {
        self.elapsed_ns() >= moment.0
    }

    /// When to look again whether a moment is past.
    pub(crate) fn wake_at(&self, moment: Moment) -> Instant {
        let left_ns = moment.0.saturating_sub(self.elapsed_ns()).min(WAIT_NS_MAX);
        Instant::now() + Duration::from_nanos(left_ns)
    }

    fn elapsed_ns(&self) -> u64 {
        nanoseconds(self.started.elapsed())
    }
}

/// A point in an instance's time, in nanoseconds since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

/// The last step at or before a time.
pub(crate) fn floor(time_ns: u64) -> u64 {
    time_ns - time_ns % STEP_NS
}

fn ceil(time_ns: u64) -> u64 {
    time_ns.div_ceil(STEP_NS).saturating_mul(STEP_NS)
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_lie_on_steps() {
        assert_eq!((floor(0), floor(99_999), floor(100_000), floor(u64::MAX) % STEP_NS), (0, 0, 100_000, 0));
        assert_eq!((ceil(0), ceil(1), ceil(100_000), ceil(u64::MAX)), (0, 100_000, 100_000, u64::MAX));
        let clocks = Clocks::start();
        assert_eq!(clocks.monotonic_ns() % STEP_NS, 0);
        assert_eq!(clocks.realtime_ns() % STEP_NS, 0);
    }

    #[test]
    fn a_past_moment_is_past_and_a_far_one_is_not() {
        let clocks = Clocks::start();
        assert!(clocks.is_past(clocks.at_monotonic(0)));
        assert!(clocks.is_past(clocks.at_realtime(1)));
        assert!(!clocks.is_past(clocks.at_realtime(u64::MAX)));
        assert!(!clocks.is_past(clocks.after(u64::MAX)));
        assert!(clocks.wake_at(clocks.after(u64::MAX)) <= Instant::now() + Duration::from_nanos(WAIT_NS_MAX));
    }
}
