//! The clocks.

use super::{Errno, Stop};
use crate::clocks::{Clocks, Moment, STEP_NS, floor, nanoseconds};
use crate::guest::Call;

/// A clock of the specification's `clockid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClockId {
    Realtime,
    Monotonic,
    /// Processor time of the process or of the thread: an instance is one thread.
    ProcessorTime,
}

impl ClockId {
    fn alleged(id: u32) -> Result<ClockId, Errno> {
        match id {
            0 => Ok(ClockId::Realtime),
            1 => Ok(ClockId::Monotonic),
            2 | 3 => Ok(ClockId::ProcessorTime),
            _ => Err(Errno::Inval),
        }
    }
}

pub(crate) fn clock_res_get(call: &mut Call<'_>) -> Result<(), Stop> {
    ClockId::alleged(call.u32(0))?;
    call.pointer(1).write_u64(call.instance, STEP_NS)?;
    Ok(())
}

/// The precision that the guest asks for has no effect: every clock has the one of its step.
pub(crate) fn clock_time_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let time_ns = match ClockId::alleged(call.u32(0))? {
        ClockId::Realtime => call.host.clocks.realtime_ns(),
        ClockId::Monotonic => call.host.clocks.monotonic_ns(),
        ClockId::ProcessorTime => floor(nanoseconds(call.instance.ran())),
    };
    call.pointer(2).write_u64(call.instance, time_ns)?;
    Ok(())
}

/// The moment for which a clock subscription waits. Processor time does not pass while waiting, so nobody can wait for it.
pub(super) fn timeout(clocks: &Clocks, id: u32, timeout_ns: u64, absolute: bool) -> Result<Moment, Errno> {
    match (ClockId::alleged(id)?, absolute) {
        (ClockId::ProcessorTime, _) => Err(Errno::Notsup),
        (_, false) => Ok(clocks.after(timeout_ns)),
        (ClockId::Monotonic, true) => Ok(clocks.at_monotonic(timeout_ns)),
        (ClockId::Realtime, true) => Ok(clocks.at_realtime(timeout_ns)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::testing::{Guest, check, host};

    #[test]
    fn every_clock_has_steps_of_100_microseconds() {
        let mut guest = Guest::with_memory(16);
        for id in 0..4 {
            check(&mut host(), &mut guest, "clock_res_get", &[id, 8], 0);
            assert_eq!(guest.u64_at(8), 100_000);
        }
        check(&mut host(), &mut guest, "clock_res_get", &[4, 8], 28);
        check(&mut host(), &mut guest, "clock_res_get", &[0, 9], 21);
    }

    #[test]
    fn realtime_is_the_time_of_day_and_monotonic_begins_with_the_instance() {
        let (mut host, mut guest) = (host(), Guest::with_memory(16));
        let day_2020_ns = 1_577_836_800_000_000_000;
        check(&mut host, &mut guest, "clock_time_get", &[0, 1, 0], 0);
        assert!(guest.u64_at(0) > day_2020_ns);
        check(&mut host, &mut guest, "clock_time_get", &[1, 1, 0], 0);
        assert!(guest.u64_at(0) < day_2020_ns);
        assert_eq!(guest.u64_at(0) % 100_000, 0);
    }

    #[test]
    fn processor_time_is_the_instances() {
        let (mut host, mut guest) = (host(), Guest::with_memory(16));
        guest.ran = Duration::from_nanos(1_234_567);
        for id in [2, 3] {
            check(&mut host, &mut guest, "clock_time_get", &[id, 0, 8], 0);
            assert_eq!(guest.u64_at(8), 1_200_000);
        }
        guest.ran = Duration::MAX;
        check(&mut host, &mut guest, "clock_time_get", &[2, 0, 8], 0);
    }

    #[test]
    fn bad_clocks_and_addresses_are_refused() {
        let (mut host, mut guest) = (host(), Guest::with_memory(16));
        check(&mut host, &mut guest, "clock_time_get", &[u64::from(u32::MAX), 0, 0], 28);
        check(&mut host, &mut guest, "clock_time_get", &[1, 0, 9], 21);
        check(&mut host, &mut guest, "clock_time_get", &[1, 0, u64::from(u32::MAX)], 21);
        // What lies above an i32 in its cell means nothing.
        check(&mut host, &mut guest, "clock_time_get", &[0xFFFF_FFFF_0000_0001, 0, 0xFFFF_FFFF_0000_0000], 0);
    }
}
