//! Who is signalled when.
//!
//! A *turn* is a thread's attention for one guest, from the first instruction until it is preempted, finishes, or another guest gets the thread; hostcalls
//! in between belong to it. The ticker looks at all threads at half-slice intervals. A turn that it has seen twice is over: it is marked due, and
//! the thread gets a signal, again at every tick until the turn has ended. The mark also ends a turn at its next hostcall, so that a guest
//! which is hardly ever in its own code cannot keep the thread. The ticker parks when no guest has run for a while.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

/// Ticks without any running guest after which the ticker parks.
const IDLE_TICKS_MAX: u32 = 64;
/// Shorter slices would be spent on switching.
const SLICE_MIN: Duration = Duration::from_micros(10);

/// One thread's turn, shared with the ticker.
#[derive(Debug)]
pub struct Turn {
    thread: i32,
    /// Number of the turn, doubled, and one more while a guest runs.
    state: AtomicU64,
    /// Number of the last turn that the ticker ended.
    due: AtomicU64,
}

#[derive(Debug)]
struct Ticker {
    slice: Duration,
    turns: Mutex<Vec<Arc<Turn>>>,
    parked: AtomicBool,
    handle: thread::Thread,
}

static TICKER: OnceLock<Ticker> = OnceLock::new();

impl Turn {
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
        self.due.load(Ordering::Relaxed) == self.state.load(Ordering::Relaxed) >> 1
    }

    /// A guest begins to run.
    pub fn enter(&self) {
        // Sequentially consistent against `parked`: either this sees that the ticker parked, or the ticker sees this guest before it parks.
        self.state.fetch_or(1, Ordering::SeqCst);
        if let Some(ticker) = TICKER.get()
            && ticker.parked.load(Ordering::SeqCst)
        {
            ticker.parked.store(false, Ordering::SeqCst);
            ticker.handle.unpark();
        }
    }

    /// The guest is back.
    pub fn leave(&self) {
        self.state.store(self.state.load(Ordering::Relaxed) & !1, Ordering::Release);
    }

    fn signal(&self) {
        // SAFETY: tgkill has no memory effects; the thread is one of this process that has registered, and its handler for SIGURG is ours.
        unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), self.thread, libc::SIGURG) };
    }
}

/// Starts the ticker once for the process; the slice that holds, which the first call has decided.
pub fn start(slice: Duration) -> std::io::Result<Duration> {
    if let Some(ticker) = TICKER.get() {
        return Ok(ticker.slice);
    }
    if slice < SLICE_MIN {
        return Err(std::io::Error::other("a slice is at least ten microseconds long"));
    }
    let (send, receive) = std::sync::mpsc::sync_channel::<()>(1);
    let builder = thread::Builder::new().name("ticker".into()).stack_size(256 << 10);
    let handle = builder.spawn(move || {
        if receive.recv().is_ok()
            && let Some(ticker) = TICKER.get()
        {
            ticker.run(slice / 2);
        }
    })?;
    let ticker = Ticker { slice, turns: Mutex::new(Vec::new()), parked: AtomicBool::new(false), handle: handle.thread().clone() };
    if TICKER.set(ticker).is_ok() {
        let _ = send.send(());
    }
    Ok(TICKER.get().map_or(slice, |ticker| ticker.slice))
}

/// Enters the calling thread into the ticker's list.
pub fn register_thread() -> Arc<Turn> {
    // SAFETY: gettid has no preconditions.
    let thread = unsafe { libc::gettid() };
    let turn = Arc::new(Turn { thread, state: AtomicU64::new(0), due: AtomicU64::new(0) });
    if let Some(ticker) = TICKER.get() {
        ticker.turns.lock().unwrap_or_else(PoisonError::into_inner).push(turn.clone());
    }
    turn
}

/// Takes a thread out of the list: it will not be signalled again.
pub fn forget_thread(turn: &Arc<Turn>) {
    if let Some(ticker) = TICKER.get() {
        ticker.turns.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| !Arc::ptr_eq(other, turn));
    }
}

impl Ticker {
    fn run(&self, interval: Duration) -> ! {
        // By thread: the turn seen last, and how often.
        let mut seen: Vec<(i32, u64, u32)> = Vec::new();
        let mut idle_ticks = 0;
        loop {
            thread::sleep(interval);
            idle_ticks = if self.tick(&mut seen) { 0 } else { idle_ticks + 1 };
            if idle_ticks > IDLE_TICKS_MAX {
                self.park();
                idle_ticks = 0;
            }
        }
    }

    /// Looks at each thread once; returns whether any guest was running.
    fn tick(&self, seen: &mut Vec<(i32, u64, u32)>) -> bool {
        let turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let mut any_running = false;
        let mut next = Vec::with_capacity(turns.len());
        for turn in turns.iter() {
            let state = turn.state.load(Ordering::Acquire);
            let (number, running) = (state >> 1, state & 1 == 1);
            let before = seen.iter().find(|(thread, last, _)| *thread == turn.thread && *last == number);
            let ticks = before.map_or(0, |(_, _, ticks)| ticks.saturating_add(1));
            if ticks >= 2 {
                turn.due.store(number, Ordering::Relaxed);
                if running {
                    turn.signal();
                }
            }
            any_running |= running;
            next.push((turn.thread, number, ticks));
        }
        *seen = next;
        any_running
    }

    fn park(&self) {
        self.parked.store(true, Ordering::SeqCst);
        let running = |turn: &Arc<Turn>| turn.state.load(Ordering::SeqCst) & 1 == 1;
        if self.turns.lock().unwrap_or_else(PoisonError::into_inner).iter().any(running) {
            self.parked.store(false, Ordering::SeqCst);
        }
        while self.parked.load(Ordering::SeqCst) {
            thread::park();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_due_only_under_its_own_number() {
        let turn = Turn { thread: 0, state: AtomicU64::new(0), due: AtomicU64::new(0) };
        let first = turn.begin();
        assert!(!turn.is_due());
        turn.enter();
        turn.due.store(first, Ordering::Relaxed);
        assert!(turn.is_due() && turn.is_over(first));
        turn.leave();
        let second = turn.begin();
        assert!(!turn.is_due() && !turn.is_over(second) && turn.is_current(second));
    }
}
