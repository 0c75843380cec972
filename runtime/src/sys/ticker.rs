//! Who has the thread, and until when.
//!
//! A *turn* is a thread's attention for one guest, from the first instruction until it is preempted, waits, finishes, or another guest gets the thread;
//! hostcalls in between belong to it. Each thread that runs guests has a timer of its own, which signals it twice a slice while guests run: no other thread
//! must be scheduled first, so that a turn ends in time on a machine whose processors are all busy. What the signals count is [`crate::turn`]'s. A turn
//! that is over is marked due; the mark also ends it at its next hostcall, so that a guest which is hardly ever in its own code cannot keep the thread.
//!
//! A guest goes on without more ado while its turn is *live*: begun and not over. Whether the timer is quick is looked at when a turn begins, not at each hostcall: the
//! ticks become slow only after so many in one turn that it has been over for long.
//!
//! Kept true here: (a) a ticker is used by its own thread and the handler on it only, and what both use is atomic or the handler's alone: the handler may come between
//! any two instructions. (b) From the first turn on the timer is never without a next tick. It is slowed by the handler only, after a turn that is over, and `begin` names the
//! next turn before it looks whether the timer is quick. However long a thread rests between finding its turn live and entering the guest: the next slow tick finds the
//! guest, makes the timer quick again, and that turn is over.

use std::cell::Cell;
use std::io;
use std::mem::zeroed;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, compiler_fence};
use std::time::Duration;

use crate::turn::Count;

/// Shorter slices would be spent on switching.
const SLICE_MIN: Duration = Duration::from_micros(10);
/// Longer ones are none.
const SLICE_MAX: Duration = Duration::from_secs(1);

/// Between two ticks while no guest runs; at least half of the longest slice.
const IDLE_INTERVAL: Duration = Duration::from_millis(500);

/// No turn has this number.
const NONE: u64 = u64::MAX;

/// A thread's timer and turns.
#[derive(Debug)]
pub struct Ticker {
    /// Number of the turn that was begun last. Written by its own thread only.
    current: AtomicU64,
    /// The same until it is over, then [`NONE`].
    live: AtomicU64,
    timer: libc::timer_t,
    /// Half a slice.
    interval: Duration,
    /// Whether the next tick comes within half a slice; false before the first turn, when there is none, and while no guest runs.
    quick: AtomicBool,
    /// The handler's alone.
    count: Cell<Count>,
}

impl Ticker {
    /// A ticker of the calling thread; a slice is between ten microseconds and a second long.
    pub fn new(slice: Duration) -> io::Result<Ticker> {
        if !(SLICE_MIN..=SLICE_MAX).contains(&slice) {
            return Err(io::Error::other("a slice is between ten microseconds and a second long"));
        }
        Ok(Ticker {
            current: AtomicU64::new(0),
            live: AtomicU64::new(NONE),
            timer: make_timer()?,
            interval: slice / 2,
            quick: AtomicBool::new(false),
            count: Cell::default(),
        })
    }

    /// Begins the next turn of this thread; returns its number, which is at least one.
    pub fn begin(&self) -> u64 {
        let number = self.current.load(Ordering::Relaxed) + 1;
        self.current.store(number, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        self.live.store(number, Ordering::Relaxed);
        if !self.quick.load(Ordering::Relaxed) {
            assert!(self.set_timer(self.interval), "no guest runs without a timer: {}", io::Error::last_os_error());
            self.quick.store(true, Ordering::Relaxed);
        }
        number
    }

    /// Whether this turn was begun last and is not over.
    #[inline(always)]
    pub fn is_live(&self, turn: u64) -> bool {
        self.live.load(Ordering::Relaxed) == turn
    }

    /// Whether this turn was begun last.
    pub fn is_current(&self, turn: u64) -> bool {
        self.current.load(Ordering::Relaxed) == turn
    }

    /// Whether the running turn is to end. Called by the signal handler: one load.
    pub fn is_due(&self) -> bool {
        self.is_live(NONE)
    }

    /// One tick, which found a guest in its own code or none. Called by the signal handler on this thread: loads, stores, and at most one timer_settime, which is
    /// async-signal-safe.
    pub fn tick(&self, in_guest: bool) {
        let mut count = self.count.get();
        let tick = count.tick(self.current.load(Ordering::Relaxed), in_guest);
        self.count.set(count);
        if tick.over {
            self.live.store(NONE, Ordering::Relaxed);
        }
        let quick = self.quick.load(Ordering::Relaxed);
        if tick.idle && quick {
            self.set_timer(IDLE_INTERVAL);
            self.quick.store(false, Ordering::Relaxed);
        } else if in_guest && !quick {
            self.set_timer(self.interval);
            self.quick.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it was set. Once it was a further call cannot fail, so that `errno` stays as it is for code that the handler interrupts.
    fn set_timer(&self, interval: Duration) -> bool {
        let time = libc::timespec { tv_sec: 0, tv_nsec: i64::from(interval.subsec_nanos()) };
        let setting = libc::itimerspec { it_interval: time, it_value: time };
        // SAFETY: the timer lives until `drop`; the setting is a valid one on our stack, and nothing old is asked for.
        unsafe { libc::timer_settime(self.timer, 0, &setting, null_mut()) == 0 }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        // SAFETY: the timer is ours and not used again. A signal that it has sent finds no ticker any more: the thread's block names none when it goes.
        unsafe { libc::timer_delete(self.timer) };
    }
}

/// A timer, still disarmed, that sends SIGURG to this thread.
fn make_timer() -> io::Result<libc::timer_t> {
    // SAFETY: zero is a valid value of this plain structure; the fields that count are set below.
    let mut event: libc::sigevent = unsafe { zeroed() };
    event.sigev_notify = libc::SIGEV_THREAD_ID;
    event.sigev_signo = libc::SIGURG;
    // SAFETY: gettid has no preconditions.
    event.sigev_notify_thread_id = unsafe { libc::gettid() };
    let mut timer: libc::timer_t = null_mut();
    // SAFETY: both pointers are to locals of the right types.
    match unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, &mut timer) } {
        0 => Ok(timer),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long enough that no tick comes by itself.
    fn ticker() -> Ticker {
        Ticker::new(SLICE_MAX).unwrap()
    }

    impl Ticker {
        /// Whether the kernel has a next tick, and one within this time.
        fn next_tick_within(&self, interval: Duration) -> bool {
            // SAFETY: zero is a valid value of this plain structure.
            let mut setting: libc::itimerspec = unsafe { zeroed() };
            // SAFETY: the timer lives, and the pointer is to a local of the right type.
            assert_eq!(unsafe { libc::timer_gettime(self.timer, &mut setting) }, 0);
            let next = Duration::new(setting.it_value.tv_sec as u64, setting.it_value.tv_nsec as u32);
            !next.is_zero() && next <= interval
        }
    }

    #[test]
    fn a_turn_is_due_only_under_its_own_number() {
        let ticker = ticker();
        let first = ticker.begin();
        ticker.tick(true);
        assert!(!ticker.is_due() && ticker.is_live(first));
        ticker.tick(true);
        assert!(ticker.is_due() && !ticker.is_live(first) && ticker.is_current(first));
        let second = ticker.begin();
        assert!(!ticker.is_due() && ticker.is_live(second) && !ticker.is_current(first));
    }

    #[test]
    fn the_timer_is_made_quick_by_a_turn_or_a_guest_and_slow_when_no_guest_runs() {
        let ticker = ticker();
        ticker.begin();
        for _ in 0..100 {
            ticker.tick(true);
        }
        assert!(ticker.quick.load(Ordering::Relaxed), "it stays quick while a guest runs");
        for ticks in 1..=crate::turn::IDLE_TICKS_MAX {
            assert!(ticker.quick.load(Ordering::Relaxed), "after {ticks} ticks");
            ticker.tick(false);
        }
        assert!(!ticker.quick.load(Ordering::Relaxed));
        assert!(ticker.next_tick_within(IDLE_INTERVAL), "a slow timer ticks nevertheless");
        ticker.tick(true);
        assert!(ticker.quick.load(Ordering::Relaxed) && ticker.is_due(), "a guest that entered after all is found, and its turn is over");
        (0..crate::turn::IDLE_TICKS_MAX).for_each(|_| ticker.tick(false));
        assert!(!ticker.quick.load(Ordering::Relaxed));
        ticker.begin();
        assert!(ticker.quick.load(Ordering::Relaxed));
    }

    /// Whatever ticks come: a guest whose turn is live, or that a tick found, has a quick timer.
    #[test]
    fn no_guest_is_without_quick_ticks() {
        for sequence in 0..3u32.pow(10) {
            let ticker = ticker();
            let mut turn = ticker.begin();
            for place in 0..10 {
                let step = sequence / 3u32.pow(place) % 3;
                match step {
                    0 => turn = ticker.begin(),
                    step => ticker.tick(step == 1),
                }
                let may_be_slow = step == 2 && !ticker.is_live(turn);
                assert!(ticker.quick.load(Ordering::Relaxed) || may_be_slow, "sequence {sequence}, step {place}");
            }
        }
    }

    #[test]
    fn slices_have_bounds() {
        for slice in [Duration::ZERO, Duration::from_micros(9), Duration::from_secs(2)] {
            assert!(Ticker::new(slice).is_err(), "{slice:?}");
        }
    }
}
