//! A clock that costs next to nothing: the processor's time-stamp counter where it runs at one pace, else the system's monotonic clock.
//!
//! For durations that are shown, and for processor time that is counted per turn; whatever is decided by wall time asks the system.

use std::arch::x86_64::{__cpuid, _rdtsc};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long the counter is compared with the system's clock, once a process: exact to a few parts in ten thousand.
const CALIBRATION: Duration = Duration::from_micros(200);

/// Readings of counter and clock of which the closest counts.
const READINGS: usize = 16;

#[derive(Debug)]
struct Clock {
    /// None where the counter changes its pace.
    ticks_per_second: Option<f64>,
    epoch: Instant,
}

static CLOCK: OnceLock<Clock> = OnceLock::new();

/// Compares the counter with the system's clock, once for the process.
pub fn prepare() {
    clock();
}

fn clock() -> &'static Clock {
    CLOCK.get_or_init(|| {
        let epoch = Instant::now();
        let ticks_per_second = counter_is_steady().then(|| {
            let (first_counter, first) = both();
            while first.elapsed() < CALIBRATION {
                std::hint::spin_loop();
            }
            let (last_counter, last) = both();
            last_counter.saturating_sub(first_counter) as f64 / (last - first).as_secs_f64()
        });
        Clock { ticks_per_second: ticks_per_second.filter(|pace| *pace > 0.0), epoch }
    })
}

/// Ticks since some moment. Two threads' may differ by little.
#[inline]
pub fn ticks() -> u64 {
    let clock = clock();
    if clock.ticks_per_second.is_some() { counter() } else { clock.epoch.elapsed().as_nanos() as u64 }
}

/// Processor time of the calling thread so far, in ticks. A system call.
pub fn thread_ticks() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: fills in a structure of ours; this clock exists since Linux 2.6.12, so that the call cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    ticks_of(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

/// How long so many ticks are.
pub fn duration(ticks: u64) -> Duration {
    match clock().ticks_per_second {
        Some(pace) => Duration::from_nanos((ticks as f64 * 1e9 / pace) as u64),
        None => Duration::from_nanos(ticks),
    }
}

/// How many ticks a duration is.
pub fn ticks_of(duration: Duration) -> u64 {
    match clock().ticks_per_second {
        Some(pace) => (duration.as_secs_f64() * pace) as u64,
        None => duration.as_nanos() as u64,
    }
}

/// Counter and clock at one moment: the closest of some readings, for whoever is stopped between the two reads moments that are far apart.
fn both() -> (u64, Instant) {
    let read = |_| {
        let (before, now, after) = (counter(), Instant::now(), counter());
        (after.saturating_sub(before), before, now)
    };
    let (_, counter, now) = (0..READINGS).map(read).min_by_key(|(apart, ..)| *apart).expect("there are some");
    (counter, now)
}

fn counter() -> u64 {
    // SAFETY: every x86-64 processor has the counter; Linux lets programs read it unless a process asks to be forbidden, which none of ours does.
    unsafe { _rdtsc() }
}

/// Whether the counter runs at one pace whatever the processor does ("invariant TSC", Intel SDM 3B, 18.17.1).
fn counter_is_steady() -> bool {
    const EXTENDED: u32 = 0x8000_0000;
    const POWER_MANAGEMENT: u32 = 0x8000_0007;
    __cpuid(EXTENDED).eax >= POWER_MANAGEMENT && __cpuid(POWER_MANAGEMENT).edx & 1 << 8 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_and_durations_are_each_others_inverse() {
        for duration_us in [1, 50, 1000, 10_000_000] {
            let there = Duration::from_micros(duration_us);
            let back = duration(ticks_of(there));
            assert!(back.abs_diff(there) < Duration::from_nanos(10 + duration_us / 1000), "{there:?} became {back:?}");
        }
        assert!(ticks() <= ticks());
    }

    #[test]
    fn a_thread_that_sleeps_takes_no_processor_time() {
        let (before, started) = (thread_ticks(), ticks());
        std::thread::sleep(Duration::from_millis(20));
        let slept = thread_ticks() - before;
        assert!(slept < ticks_of(Duration::from_millis(15)), "{:?}", duration(slept));
        while duration(ticks() - started) < Duration::from_millis(40) {}
        assert!(thread_ticks() - before > slept);
    }

    #[test]
    fn ticks_are_as_long_as_the_systems_clock_says() {
        let (start, first) = (Instant::now(), ticks());
        std::thread::sleep(Duration::from_millis(20));
        // Each lies inside the other's, whatever happened in between.
        let (inner, outer) = (duration(ticks() - first), start.elapsed());
        assert!(inner >= Duration::from_millis(19) && inner <= outer + Duration::from_millis(1), "{inner:?} of {outer:?}");
    }
}
