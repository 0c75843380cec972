//! Preempts guests at chosen instructions, by stepping through them: computations must give what they give undisturbed.
//!
//! ```text
//!   trap flag set ──► every instruction raises SIGTRAP ──► in guest code: counts; at the chosen ones sends the ticks that end a turn
//!                                                    ├──► on the way in: at the `iretq` into the guest puts the flag back
//!                                                    └──► on the way out: clears it, for the host's instructions need not be looked at
//! ```
//!
//! The runtime clears the trap flag of what it saves, for it is the debugger's. Ticks are told from other SIGURG by their code, which a process may give to
//! signals that it sends itself. The handler calls nothing but `rt_tgsigqueueinfo`.

use std::arch::asm;
use std::ffi::{c_int, c_void};
use std::mem::zeroed;
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use vivarium_artifact::{ExportedItem, Setting};
use vivarium_runtime::{Exit, LoadedModule, Pool, Runtime, RuntimeSettings};
use vivarium_tests::engine::{limits, load_wat};
use vivarium_tests::kernels::small;

const TRAP_FLAG: u64 = 1 << 8;

static TEXT_START: AtomicU64 = AtomicU64::new(0);
static TEXT_END: AtomicU64 = AtomicU64::new(0);
/// Guest instructions between two ticks; a turn ends with its second one.
static EVERY: AtomicU64 = AtomicU64::new(u64::MAX);
static STEPPED: AtomicU64 = AtomicU64::new(0);
/// Whether host code is on its way into the guest.
static ENTERING: AtomicBool = AtomicBool::new(false);

fn main() {
    let settings = RuntimeSettings { slice: Duration::from_secs(1), verify_resets: true, ..RuntimeSettings::default() };
    let pool = Runtime::start(settings).expect("the runtime starts").pool(1).expect("a pool can be made");
    catch_traps();
    let mut all = 0;
    for (name, wat) in small() {
        for (setting, every) in [(Setting::Fast, 2), (Setting::Best, 1)] {
            let module = load_wat(&wat, setting);
            let (expected, instructions, _) = run(&pool, &module, u64::MAX);
            let (results, _, preempted) = run(&pool, &module, every);
            assert_eq!(results, expected, "{name}, {setting:?}, a tick every {every} instructions");
            println!("{name:<18} {setting:?}: {instructions} instructions, a tick every {every}: preempted {preempted} times");
            // The first tick of a turn only counts, so the very first instruction may be left out; after a resumption the one that comes first is found
            // once more.
            assert!(preempted + 1 >= instructions / if every == 1 { 1 } else { 2 * every }, "{name}, {setting:?}: {preempted}");
            all += preempted;
            pool.forget(&module);
        }
    }
    assert_eq!(pool.discarded(), 0);
    println!("preempted {all} times, with the results of undisturbed runs");
}

/// Calls `f(1)`: what it leaves in results and memory, how many instructions the guest ran, and how often it was preempted.
fn run(pool: &Pool, module: &Arc<LoadedModule>, every: u64) -> ((u128, Vec<u8>), u64, u64) {
    let Some(ExportedItem::Function(function)) = module.contract().export("f") else { panic!("f is exported") };
    let mut instance = pool.acquire(module, limits()).expect("a slot is free");
    instance.invoke(function, &[1]).expect("the call can begin");
    let (start, end) = guest_text();
    for (place, value) in [(&TEXT_START, start), (&TEXT_END, end), (&EVERY, every), (&STEPPED, 0)] {
        place.store(value, Relaxed);
    }
    let mut preempted = 0;
    loop {
        ENTERING.store(true, Relaxed);
        set_trap_flag(true);
        let exit = instance.resume();
        set_trap_flag(false);
        match exit {
            Exit::Preempted => preempted += 1,
            Exit::Done => return ((instance.result(0), instance.memory().to_vec()), STEPPED.load(Relaxed), preempted),
            other => panic!("it neither traps nor imports anything: {other:?}"),
        }
    }
}

/// Where code of guests is mapped: from the first to the last executable mapping of a memory file.
fn guest_text() -> (u64, u64) {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("a process can read its own mappings");
    let code = maps.lines().filter(|line| line.contains("r-xp") && line.contains("memfd:"));
    let ranges: Vec<(u64, u64)> = code
        .filter_map(|line| line.split(' ').next()?.split_once('-'))
        .filter_map(|(start, end)| Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?)))
        .collect();
    (ranges[0].0, ranges[ranges.len() - 1].1)
}

fn set_trap_flag(on: bool) {
    // SAFETY: changes the trap flag only; SIGTRAP has a handler by now.
    unsafe {
        if on {
            asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq");
        } else {
            asm!("pushfq", "and qword ptr [rsp], -0x101", "popfq");
        }
    }
}

fn catch_traps() {
    // SAFETY: zero is a valid value of these plain structures, whose fields are set; the handler keeps this file's head. The pool has blocked SIGTRAP.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = on_trap as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigfillset(&mut action.sa_mask);
        assert_eq!(libc::sigaction(libc::SIGTRAP, &action, null_mut()), 0);
        let mut trap: libc::sigset_t = zeroed();
        libc::sigemptyset(&mut trap);
        libc::sigaddset(&mut trap, libc::SIGTRAP);
        assert_eq!(libc::pthread_sigmask(libc::SIG_UNBLOCK, &trap, null_mut()), 0);
    }
}

unsafe extern "C" fn on_trap(_: c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a context of this type to handlers with SA_SIGINFO, valid until the handler returns.
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let pc = registers[libc::REG_RIP as usize] as u64;
    if (TEXT_START.load(Relaxed)..TEXT_END.load(Relaxed)).contains(&pc) {
        ENTERING.store(false, Relaxed);
        let stepped = STEPPED.fetch_add(1, Relaxed) + 1;
        if stepped.is_multiple_of(EVERY.load(Relaxed)) {
            send_tick();
        }
        return;
    }
    if !ENTERING.load(Relaxed) {
        registers[libc::REG_EFL as usize] &= !(TRAP_FLAG as i64);
        return;
    }
    const IRETQ: [u8; 2] = [0x48, 0xcf];
    // SAFETY: the instruction at the program counter is about to run, so it can be read.
    if unsafe { (pc as *const [u8; 2]).read_unaligned() } == IRETQ {
        let frame = registers[libc::REG_RSP as usize] as *mut u64;
        // SAFETY: `iretq` pops its frame from there: the third word is the flags.
        unsafe { *frame.add(2) |= TRAP_FLAG };
    }
}

/// A signal of the timer's kind to this thread. It comes when the handler has returned.
fn send_tick() {
    #[repr(C)]
    struct Info {
        signal: c_int,
        errno: c_int,
        code: c_int,
        rest: [u8; 116],
    }
    let info = Info { signal: libc::SIGURG, errno: 0, code: libc::SI_TIMER, rest: [0; 116] };
    // SAFETY: the structure has the size and the head of siginfo_t and outlives the call.
    unsafe { libc::syscall(libc::SYS_rt_tgsigqueueinfo, libc::getpid(), libc::gettid(), libc::SIGURG, &info) };
}
