//! Faults and preemption: one handler for five signals.
//!
//! The handler calls nothing but: `region::first_write`, reading the thread's control block, `ControlBlock::tick` (which may call `timer_settime`), `arena::code_at`,
//! `SlotBounds::classify`, `TrapTable::lookup`, `ControlBlock::sample`, copying registers into the activation's record, and, before the process dies of a bug of ours, `sigaction` and
//! `tgkill`. It takes no lock and allocates nothing. It masks all of our
//! signals, runs on a signal stack of its own, and never writes to the guest's stack; a sample reads what of it is open.
//!
//! Faults are told apart. *Write tracking* comes first: a write to a watched page of one of this thread's slots, whatever the program counter; the page is
//! made writable and the instruction runs again. The others are told apart by the program counter and by the running instance: a *trap* has its program counter in guest text, and either its address
//! lies in one of the running instance's guards or in the page of address zero (where the guards against speculation send it), or the instruction itself traps, at a
//! site of the trap table. Anything else is a bug of the host: the default action is restored, the instruction runs
//! again, and the process dies with the right core.

use std::ffi::{c_int, c_void};
use std::io;
use std::mem::zeroed;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;

use vivarium_artifact::{PAGE_BYTES, TrapKind};

use crate::slot::Place;
use crate::sys::activation::InterruptFrame;
use crate::sys::arena;
use crate::sys::control::{self, ControlBlock, Fault};
use crate::sys::region;

/// Size of a thread's signal stack, in bytes: the kernel's frame with all vector state takes up to 12 KiB.
const SIGNAL_STACK_BYTES: usize = 64 << 10;

/// Inaccessible bytes below a signal stack.
const GUARD_BYTES: usize = PAGE_BYTES as usize;

const FAULTS: [c_int; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];
const PREEMPT: c_int = libc::SIGURG;

/// Installs the handler once for the process.
pub fn install() -> io::Result<()> {
    static INSTALLED: OnceLock<Result<(), i32>> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        for signal in FAULTS.into_iter().chain([PREEMPT]) {
            // SAFETY: zero is a valid value of this plain structure; its fields are set below.
            let mut action: libc::sigaction = unsafe { zeroed() };
            action.sa_sigaction = handle as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
            action.sa_mask = ours();
            // SAFETY: the handler keeps the rules of this file's head.
            if unsafe { libc::sigaction(signal, &action, null_mut()) } != 0 {
                return Err(io::Error::last_os_error().raw_os_error().unwrap_or(0));
            }
        }
        Ok(())
    });
    installed.map_err(io::Error::from_raw_os_error)
}

/// Blocks every signal but ours on the calling thread: a frame of another handler must never be pushed on a guest's stack.
pub fn block_others() -> io::Result<()> {
    // SAFETY: plain signal-set arithmetic on a local.
    let others = unsafe {
        let mut set: libc::sigset_t = zeroed();
        libc::sigfillset(&mut set);
        for signal in FAULTS.into_iter().chain([PREEMPT]) {
            libc::sigdelset(&mut set, signal);
        }
        set
    };
    // SAFETY: changes the mask of the calling thread only.
    match unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &others, null_mut()) } {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

fn ours() -> libc::sigset_t {
    // SAFETY: plain signal-set arithmetic on a local.
    unsafe {
        let mut set: libc::sigset_t = zeroed();
        libc::sigemptyset(&mut set);
        for signal in FAULTS.into_iter().chain([PREEMPT]) {
            libc::sigaddset(&mut set, signal);
        }
        set
    }
}

/// The signal stack of one thread, with a guard page below.
#[derive(Debug)]
pub struct SignalStack {
    mapping: *mut c_void,
    before: (*mut c_void, usize, c_int),
}

impl SignalStack {
    /// Gives the calling thread a signal stack.
    pub fn install() -> io::Result<SignalStack> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let mapping = unsafe { libc::mmap(null_mut(), SIGNAL_STACK_BYTES + GUARD_BYTES, libc::PROT_NONE, flags, -1, 0) };
        if mapping == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: within the mapping just made, past its guard page.
        let stack = unsafe { mapping.add(GUARD_BYTES) };
        // SAFETY: as above; nobody has references into it.
        if unsafe { libc::mprotect(stack, SIGNAL_STACK_BYTES, libc::PROT_READ | libc::PROT_WRITE) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let new = libc::stack_t { ss_sp: stack, ss_flags: 0, ss_size: SIGNAL_STACK_BYTES };
        // SAFETY: zero is a valid value of this plain structure.
        let mut old: libc::stack_t = unsafe { zeroed() };
        // SAFETY: the stack lives until `drop`, which puts the old one back; both run on this thread, for `Thread` is not `Send`.
        if unsafe { libc::sigaltstack(&new, &mut old) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(SignalStack { mapping, before: (old.ss_sp, old.ss_size, old.ss_flags) })
    }
}

impl Drop for SignalStack {
    fn drop(&mut self) {
        let old = libc::stack_t { ss_sp: self.before.0, ss_flags: self.before.2, ss_size: self.before.1 };
        // SAFETY: restores what was there before, then unmaps a stack that no handler runs on: handlers have returned when this code runs.
        unsafe {
            libc::sigaltstack(&old, null_mut());
            libc::munmap(self.mapping, SIGNAL_STACK_BYTES + GUARD_BYTES);
        }
    }
}

/// The handler.
unsafe extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a context of this type to handlers with SA_SIGINFO, valid until the handler returns.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    // SAFETY: the kernel fills in the signal's origin and, where it has one, its address.
    let (sent, address) = unsafe { ((*info).si_code <= 0, (*info).si_addr() as u64) };
    if signal == libc::SIGBUS && !sent && is_write(context) && region::first_write(address) {
        return;
    }
    let pc = context.uc_mcontext.gregs[libc::REG_RIP as usize] as u64;
    // SAFETY: as above.
    let is_tick = signal == PREEMPT && unsafe { (*info).si_code } == libc::SI_TIMER;
    let place = arena::code_at(pc);
    // SAFETY: the block is this thread's own, and alive as long as `current` is not null.
    let Some(control) = (unsafe { control::current().as_ref() }) else {
        return not_the_guests(signal, sent);
    };
    if is_tick {
        control.tick(place.is_some());
    }
    let Some((code, text_offset)) = place else {
        return not_the_guests(signal, sent);
    };
    if signal == PREEMPT {
        if is_tick {
            let register = |index: c_int| context.uc_mcontext.gregs[index as usize] as u64;
            // SAFETY: the program counter is in guest text.
            unsafe { control.sample(code, pc, register(libc::REG_RBP), register(libc::REG_RSP)) };
        }
        if control.preemption_is_due() {
            preempt(control, context);
        }
        return;
    }
    // SAFETY: the program counter is in guest text.
    let bounds = unsafe { control.bounds() };
    let kind = match (signal, bounds.classify(address)) {
        _ if sent => None,
        (libc::SIGILL | libc::SIGFPE, _) => code.trap_at(text_offset),
        (libc::SIGSEGV, Place::StackGuard) => Some(TrapKind::StackOverflow),
        (libc::SIGSEGV, Place::MemoryGuard) => Some(TrapKind::MemoryOutOfBounds),
        (libc::SIGSEGV, Place::Elsewhere) if address < PAGE_BYTES => code.trap_at(text_offset),
        _ => None,
    };
    match kind {
        Some(kind) => trap(control, context, kind),
        None => die(signal, sent),
    }
}

/// Whether a page fault was a write, as the processor's error code says.
fn is_write(context: &libc::ucontext_t) -> bool {
    const WRITE: i64 = 1 << 1;
    context.uc_mcontext.gregs[libc::REG_ERR as usize] & WRITE != 0
}

fn trap(control: &ControlBlock, context: &mut libc::ucontext_t, kind: TrapKind) {
    let registers = &mut context.uc_mcontext.gregs;
    let register = |index: c_int| registers[index as usize] as u64;
    let fault = Fault { kind, pc: register(libc::REG_RIP), rbp: register(libc::REG_RBP) };
    registers[libc::REG_RIP as usize] = control.trap(fault) as i64;
}

fn preempt(control: &ControlBlock, context: &mut libc::ucontext_t) {
    let registers = &mut context.uc_mcontext.gregs;
    let mut general = [0u64; 15];
    for (saved, register) in general.iter_mut().zip(registers.iter()) {
        *saved = *register as u64;
    }
    let register = |index: c_int| registers[index as usize] as u64;
    // The selectors are those of 64-bit user code on Linux. The resume and trap flags are the debugger's, not the guest's.
    const RESUME_AND_TRAP_FLAGS: u64 = 1 << 16 | 1 << 8;
    let frame = InterruptFrame {
        rip: register(libc::REG_RIP),
        cs: 0x33,
        rflags: register(libc::REG_EFL) & !RESUME_AND_TRAP_FLAGS,
        rsp: register(libc::REG_RSP),
        ss: 0x2b,
    };
    // SAFETY: the kernel points `fpregs` at an fxsave area of 512 bytes for every signal of a 64-bit process.
    let vector = unsafe { &*context.uc_mcontext.fpregs.cast::<[u8; 512]>() };
    // SAFETY: the handler found the program counter in guest text.
    registers[libc::REG_RIP as usize] = unsafe { control.preempt(general, frame, vector) } as i64;
}

/// A signal that came while host code ran: too late to preempt, or a fault of ours.
fn not_the_guests(signal: c_int, sent: bool) {
    if signal != PREEMPT {
        die(signal, sent);
    }
}

/// Lets the process die of this signal: the interrupted instruction runs again, with the default action; a signal that somebody sent is sent again.
fn die(signal: c_int, sent: bool) {
    // SAFETY: zero means the default action; `sigaction` is async-signal-safe.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = libc::SIG_DFL;
        libc::sigaction(signal, &action, null::<libc::sigaction>().cast_mut());
        if sent {
            libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), signal);
        }
    }
}
