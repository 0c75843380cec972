//! Who has the thread, and until when.
//!
//! A *turn* is a thread's attention for one guest, from the first instruction until it is preempted, waits, finishes, or another guest gets the thread;
//! hostcalls in between belong to it. Each thread that runs guests has a timer of its own, which signals it twice a slice while guests run: no other thread
//! must be scheduled first, so that a turn ends in time on a machine whose processors are all busy. What the signals count is [`crate::turn`]'s. A turn
//! that is over is marked due; the mark also ends it at its next hostcall, so that a guest which is hardly ever in its own code cannot keep the thread.
//!
//! Kept true here: (a) [`CURRENT`] points at a live ticker or is null: it is set and unset by the thread that owns it. (b) A ticker is used
//! by its own thread and the handler on it only, and what both use is atomic: the handler may come between any two instructions. (c) An armed timer is disarmed by
//! the handler only while no guest runs, and `enter` says that one runs before it looks whether the timer is armed.

use std::cell::Cell;
use std::io;
use std::mem::zeroed;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, compiler_fence};
use std::time::Duration;

use crate::turn::Count;

/// Shorter slices would be spent on switching.
const SLICE_MIN: Duration = Duration::from_micros(10);
/// Longer ones are none.
const SLICE_MAX: Duration = Duration::from_secs(1);

thread_local! {
    /// For the signal handler: the ticker of this thread, or null. Constant initialisation, no destructor: reading it takes no lock and allocates nothing.
    static CURRENT: Cell<*const Ticker> = const { Cell::new(null()) };
}

/// A thread's timer and turns.
#[derive(Debug)]
pub struct Ticker {
    /// Number of the turn, doubled, and one more while a guest runs. Written by its own thread only.
    state: AtomicU64,
    /// Number of the last turn that was ended.
    due: AtomicU64,
    timer: libc::timer_t,
    /// Half a slice.
    interval: Duration,
    armed: AtomicBool,
    /// The handler's alone.
    count: Cell<Count>,
}

impl Ticker {
    /// Gives the calling thread a ticker; a slice is between ten microseconds and a second long.
    pub fn install(slice: Duration) -> io::Result<Box<Ticker>> {
        if !(SLICE_MIN..=SLICE_MAX).contains(&slice) {
            return Err(io::Error::other("a slice is between ten microseconds and a second long"));
        }
        let ticker = Box::new(Ticker {
            state: AtomicU64::new(0),
            due: AtomicU64::new(0),
            timer: make_timer()?,
            interval: slice / 2,
            armed: AtomicBool::new(false),
            count: Cell::default(),
        });
        CURRENT.set(&raw const *ticker);
        Ok(ticker)
    }

    /// Begins the next turn of this thread; returns its number.
    pub fn begin(&self) -> u64 {
        let number = (self.state.load(Ordering::Relaxed) >> 1) + 1;
        self.state.store(number << 1, Ordering::Relaxed);
        number
    }

    pub fn is_current(&self, turn: u64) -> bool {
        self.state.load(Ordering::Relaxed) >> 1 == turn
    }

    pub fn is_over(&self, turn: u64) -> bool {
        self.due.load(Ordering::Relaxed) == turn
    }

    /// Whether the running turn is to end. Called by the signal handler: two loads.
    pub fn is_due(&self) -> bool {
        self.is_over(self.state.load(Ordering::Relaxed) >> 1)
    }

    /// A guest begins to run.
    pub fn enter(&self) {
        self.state.store(self.state.load(Ordering::Relaxed) | 1, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        if !self.armed.load(Ordering::Relaxed) {
            self.armed.store(true, Ordering::Relaxed);
            assert!(self.set_timer(self.interval), "no guest runs without a timer: {}", io::Error::last_os_error());
        }
    }

    /// The guest is back.
    pub fn leave(&self) {
        self.state.store(self.state.load(Ordering::Relaxed) & !1, Ordering::Relaxed);
    }

    /// One tick. Called by the signal handler on this thread: loads, stores, and at most one timer_settime, which is async-signal-safe.
    fn tick(&self) {
        let state = self.state.load(Ordering::Relaxed);
        let mut count = self.count.get();
        let tick = count.tick(state >> 1, state & 1 == 1);
        self.count.set(count);
        if tick.over {
            self.due.store(state >> 1, Ordering::Relaxed);
        }
        if tick.idle && self.armed.load(Ordering::Relaxed) {
            self.set_timer(Duration::ZERO);
            self.armed.store(false, Ordering::Relaxed);
        }
    }

    /// Whether it was set; zero disarms. Once it was armed a further call cannot fail, so that `errno` stays as it is for code that the handler interrupts.
    fn set_timer(&self, interval: Duration) -> bool {
        let time = libc::timespec { tv_sec: 0, tv_nsec: i64::from(interval.subsec_nanos()) };
        let setting = libc::itimerspec { it_interval: time, it_value: time };
        // SAFETY: the timer lives until `drop`; the setting is a valid one on our stack, and nothing old is asked for.
        unsafe { libc::timer_settime(self.timer, 0, &setting, null_mut()) == 0 }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        CURRENT.set(null());
        // SAFETY: the timer is ours and not used again. A signal that it has sent finds no ticker any more.
        unsafe { libc::timer_delete(self.timer) };
    }
}

/// Counts a tick of this thread. For the signal handler.
pub fn tick() {
    // SAFETY: (a).
    if let Some(ticker) = unsafe { CURRENT.get().as_ref() } {
        ticker.tick();
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
    fn ticker() -> Box<Ticker> {
        Ticker::install(SLICE_MAX).unwrap()
    }

    #[test]
    fn a_turn_is_due_only_under_its_own_number() {
        let ticker = ticker();
        let first = ticker.begin();
        assert!(!ticker.is_due());
        tick();
        assert!(!ticker.is_due());
        tick();
        assert!(ticker.is_due() && ticker.is_over(first));
        let second = ticker.begin();
        assert!(!ticker.is_due() && !ticker.is_over(second) && ticker.is_current(second));
    }

    #[test]
    fn the_timer_is_armed_by_a_guest_and_disarmed_when_none_runs() {
        let ticker = ticker();
        ticker.begin();
        ticker.enter();
        for _ in 0..100 {
            tick();
        }
        assert!(ticker.armed.load(Ordering::Relaxed), "it stays armed while a guest runs");
        ticker.leave();
        for ticks in 1..=crate::turn::IDLE_TICKS_MAX {
            assert!(ticker.armed.load(Ordering::Relaxed), "after {ticks} ticks");
            tick();
        }
        assert!(!ticker.armed.load(Ordering::Relaxed));
        ticker.enter();
        assert!(ticker.armed.load(Ordering::Relaxed));
    }

    #[test]
    fn slices_have_bounds() {
        for slice in [Duration::ZERO, Duration::from_micros(9), Duration::from_secs(2)] {
            assert!(Ticker::install(slice).is_err(), "{slice:?}");
        }
    }
}
