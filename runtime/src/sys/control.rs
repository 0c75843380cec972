//! The control block of a thread, and entering and leaving guests.
//!
//! `gs` points at the block for as long as the thread lives. Compiled code knows only its first two words, through which it leaves. Kept true here:
//! (a) host code never pushes on the guest's stack and never reads through its `rsp`: an exit saves registers in the activation's record and continues on
//! the host's stack, resuming jumps to the lone `ret` in the module's own text. (b) `activation` points at a live record while a guest runs: `run` holds
//! `&mut` to it. `interrupted` is written by the handler while a guest runs, by `run` while none does. (c) the callee-saved registers of the host lie on the host's own stack, below `host_rsp`.

use std::arch::naked_asm;
use std::cell::Cell;
use std::io;
use std::marker::PhantomData;
use std::mem::offset_of;
use std::ptr::{null, null_mut};
use std::time::Duration;

use vivarium_artifact::TrapKind;

use crate::samples::Samples;
use crate::slot::SlotBounds;
use crate::stack::CallFrame;
use crate::sys::activation::{Activation, InterruptFrame, Interrupted};
use crate::sys::arena::MappedCode;
use crate::sys::signals;
use crate::sys::slot::SlotMemory;
use crate::sys::ticker::Ticker;

const EXIT_HOSTCALL: u64 = 1;
const EXIT_DONE: u64 = 2;
const EXIT_TRAPPED: u64 = 3;
const EXIT_PREEMPTED: u64 = 4;

thread_local! {
    /// For the signal handler: the block of this thread, null before [`Thread::register`]. Constant initialisation, no destructor: reading it
    /// takes no lock and allocates nothing.
    static CURRENT: Cell<*mut ControlBlock> = const { Cell::new(null_mut()) };
}

/// What `gs` points at.
#[repr(C, align(64))]
pub struct ControlBlock {
    hostcall_exit: unsafe extern "C" fn(),
    done_exit: unsafe extern "C" fn(),
    host_rsp: u64,
    activation: *mut Activation,
    hostcall_number: u64,
    fault: Fault,
    bounds: SlotBounds,
    ticker: Box<Ticker>,
    interrupted: Interrupted,
    /// Null while nobody asked for samples.
    samples: *const Samples,
    /// End of the running call's part of the stack, as an offset in the slot; set only when samples are asked for.
    stack_top: u64,
}

/// What the handler saw of a trap.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub kind: TrapKind,
    pub pc: u64,
    pub rbp: u64,
}

/// That ticks note where the guest is.
#[derive(Debug, Clone, Copy)]
pub struct Sampling<'s> {
    pub samples: &'s Samples,
    /// End of the call's part of the stack, as an offset in the slot.
    pub stack_top: u64,
}

/// How a guest is to go on.
#[derive(Debug, Clone, Copy)]
pub enum Entry {
    /// Call: the entry trampoline, the callee's address, and the stack's top, all absolute.
    Call { trampoline: u64, callee: u64, stack_top: u64 },
    /// Return from a hostcall, through the lone `ret` at this address.
    Return { resume_stub: u64 },
    /// Go on at a handler of exceptions, in this frame, which lies in the stack of the call that runs; all absolute.
    Land { landing: u64, stack_pointer: u64, frame_pointer: u64 },
    /// Go on where it was preempted.
    Continue,
}

/// Why control is back with the host.
#[derive(Debug, Clone, Copy)]
pub enum RawExit {
    Hostcall(u32),
    Done,
    Preempted,
    Trapped(Fault),
}

/// A thread that may run guests. Not `Send`: `gs`, signal stack and signal mask belong to the thread.
pub struct Thread {
    control: Box<ControlBlock>,
    _signal_stack: signals::SignalStack,
    _not_send: PhantomData<*mut ()>,
}

impl Thread {
    /// Prepares the calling thread. One at a time for each thread.
    pub fn register(slice: Duration) -> io::Result<Thread> {
        if !CURRENT.get().is_null() {
            return Err(io::Error::other("this thread has a pool already"));
        }
        let signal_stack = signals::SignalStack::install()?;
        signals::block_others()?;
        let ticker = Ticker::install(slice)?;
        let mut control = Box::new(ControlBlock {
            hostcall_exit,
            done_exit,
            host_rsp: 0,
            activation: null_mut(),
            hostcall_number: 0,
            fault: Fault { kind: TrapKind::Unreachable, pc: 0, rbp: 0 },
            bounds: SlotBounds::default(),
            ticker,
            interrupted: Interrupted::new(),
            samples: null(),
            stack_top: 0,
        });
        let address: *mut ControlBlock = &mut *control;
        const ARCH_SET_GS: i64 = 0x1001;
        // SAFETY: nothing else in the process uses `gs` (the C library uses `fs`); the block lives until `Thread` is dropped, which unsets it.
        if unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, address) } != 0 {
            return Err(io::Error::last_os_error());
        }
        CURRENT.set(address);
        Ok(Thread { control, _signal_stack: signal_stack, _not_send: PhantomData })
    }

    /// Begins a turn: the ticker counts from here.
    pub fn begin_turn(&mut self) -> u64 {
        self.control.ticker.begin()
    }

    /// Whether the ticker has ended this turn.
    pub fn turn_is_over(&self, turn: u64) -> bool {
        self.control.ticker.is_over(turn)
    }

    /// Whether this is the turn that runs on this thread.
    pub fn turn_is_current(&self, turn: u64) -> bool {
        self.control.ticker.is_current(turn)
    }

    /// Runs a guest until it comes back.
    pub fn run(&mut self, slot: &mut SlotMemory, activation: &mut Activation, entry: Entry, sampling: Option<Sampling<'_>>) -> RawExit {
        self.control.bounds = slot.bounds();
        self.control.samples = null();
        if let Some(Sampling { samples, stack_top }) = sampling {
            self.control.samples = samples;
            self.control.stack_top = stack_top;
        }
        if let Some(interrupted) = activation.interrupted.take() {
            self.control.interrupted = *interrupted;
        }
        let control: *mut ControlBlock = &mut *self.control;
        let registers: *mut Activation = &mut *activation;
        self.control.activation = registers;
        self.control.ticker.enter();
        // SAFETY: the entry was made by `Instance` from a module that it owns, whose text is mapped and whose slot this is; an activation is
        // continued only in the way it was left. (a) to (c) of this file's head hold; the guest can write nothing but its own slot (guards, and the
        // checks that the compiler emits), which `slot` borrows mutably.
        let code = unsafe {
            match entry {
                Entry::Call { trampoline, callee, stack_top } => enter(control, trampoline, slot.vmctx(), callee, stack_top),
                Entry::Return { resume_stub } => return_to_guest(control, registers, resume_stub),
                Entry::Land { landing, stack_pointer, frame_pointer } => land(control, landing, stack_pointer, frame_pointer),
                Entry::Continue => continue_guest(control, &raw const (*control).interrupted),
            }
        };
        self.control.ticker.leave();
        match code {
            EXIT_HOSTCALL => RawExit::Hostcall(self.control.hostcall_number as u32),
            EXIT_DONE => RawExit::Done,
            EXIT_TRAPPED => RawExit::Trapped(self.control.fault),
            _ => {
                activation.interrupted = Some(Box::new(self.control.interrupted.clone()));
                RawExit::Preempted
            }
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        CURRENT.set(null_mut());
        const ARCH_SET_GS: i64 = 0x1001;
        // SAFETY: unsets the pointer to the block that is about to be freed; no guest runs, for running borrows `self`.
        unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, 0) };
    }
}

/// The block of this thread, for the signal handler; null where no guest can run.
pub fn current() -> *mut ControlBlock {
    CURRENT.get()
}

impl ControlBlock {
    /// Bounds of the instance that runs, or ran last.
    pub fn bounds(&self) -> SlotBounds {
        self.bounds
    }

    /// Whether the guest that runs is to come back.
    pub fn preemption_is_due(&self) -> bool {
        self.ticker.is_due()
    }

    /// Notes where the guest is, if samples are asked for. Called by the signal handler: reads the guest's stack, loads, stores.
    pub fn sample(&self, code: &MappedCode, pc: u64, frame_pointer: u64, stack_pointer: u64) {
        // SAFETY: `run` set it from a borrow that lasts for as long as it does, and the handler found the program counter in guest code of this thread, so
        // `run` is on its stack. Between two runs it may dangle, and nobody reads it.
        let Some(samples) = (unsafe { self.samples.as_ref() }) else { return };
        let (base, stack_top) = (self.bounds.base, self.stack_top);
        let word = |offset: u64| {
            let inside = offset.checked_add(8).is_some_and(|end| end <= stack_top);
            // SAFETY: everything from a slot's base to the top of its stack is open, and only this thread's guest, which is interrupted, writes there.
            inside.then(|| unsafe { std::ptr::with_exposed_provenance::<u64>((base + offset) as usize).read_unaligned() })
        };
        let place = |address: u64| code.offset_of(address).unwrap_or(Samples::NOWHERE);
        let on_top =
            |index: u64| stack_pointer.checked_sub(base).and_then(|offset| word(offset + 8 * index)).map_or(Samples::NOWHERE, place);
        let innermost = CallFrame { address: pc, pointer: frame_pointer, lowest: stack_pointer };
        let frames = std::iter::successors(Some(innermost), |frame| frame.caller(base, stack_top, word));
        samples.add([on_top(0), on_top(1)], frames.map_while(|frame| code.offset_of(frame.address)));
    }

    /// Notes a trap; returns where the handler is to continue.
    pub fn trap(&mut self, fault: Fault) -> u64 {
        self.fault = fault;
        trap_exit as *const () as u64
    }

    /// Saves an interrupted guest; returns where the handler is to continue.
    pub fn preempt(&mut self, general: [u64; 15], frame: InterruptFrame, vector: &[u8; 512]) -> u64 {
        self.interrupted.save(general, frame, vector);
        preempt_exit as *const () as u64
    }
}

macro_rules! leave {
    ($code:expr, $($before:literal,)*) => {
        naked_asm!(
            $($before,)*
            "mov rsp, gs:[{host_rsp}]",
            "mov eax, {code}",
            "pop r15", "pop r14", "pop r13", "pop r12", "pop rbx", "pop rbp",
            "ret",
            host_rsp = const offset_of!(ControlBlock, host_rsp),
            code = const $code,
        )
    };
}

/// Where the hostcall thunk leads: guest's registers, guest's stack; the number is the second argument.
#[unsafe(naked)]
unsafe extern "C" fn hostcall_exit() {
    naked_asm!(
        "mov rax, gs:[{activation}]",
        "mov [rax + {rsp}], rsp",
        "mov [rax + {rbp}], rbp",
        "mov [rax + {rbx}], rbx",
        "mov [rax + {r12}], r12",
        "mov [rax + {r13}], r13",
        "mov [rax + {r14}], r14",
        "mov [rax + {r15}], r15",
        "mov gs:[{number}], rsi",
        "mov rsp, gs:[{host_rsp}]",
        "mov eax, {code}",
        "pop r15", "pop r14", "pop r13", "pop r12", "pop rbx", "pop rbp",
        "ret",
        activation = const offset_of!(ControlBlock, activation),
        number = const offset_of!(ControlBlock, hostcall_number),
        host_rsp = const offset_of!(ControlBlock, host_rsp),
        rsp = const offset_of!(Activation, rsp),
        rbp = const offset_of!(Activation, rbp),
        rbx = const offset_of!(Activation, rbx),
        r12 = const offset_of!(Activation, r12),
        r13 = const offset_of!(Activation, r13),
        r14 = const offset_of!(Activation, r14),
        r15 = const offset_of!(Activation, r15),
        code = const EXIT_HOSTCALL,
    )
}

/// Where the done thunk leads.
#[unsafe(naked)]
unsafe extern "C" fn done_exit() {
    leave!(EXIT_DONE,)
}

/// Where the handler continues after a trap.
#[unsafe(naked)]
unsafe extern "C" fn trap_exit() {
    leave!(EXIT_TRAPPED,)
}

/// Where the handler continues after it saved a preempted guest.
#[unsafe(naked)]
unsafe extern "C" fn preempt_exit() {
    leave!(EXIT_PREEMPTED,)
}

/// Calls an entry trampoline on the guest's stack. The word at the new `rsp` stands for a return address: the image has zero there.
#[unsafe(naked)]
unsafe extern "C" fn enter(control: *mut ControlBlock, trampoline: u64, vmctx: u64, callee: u64, stack_top: u64) -> u64 {
    naked_asm!(
        "push rbp", "push rbx", "push r12", "push r13", "push r14", "push r15",
        "mov [rdi + {host_rsp}], rsp",
        "lea rsp, [r8 - 8]",
        "mov rax, rsi",
        "mov rdi, rdx",
        "mov rsi, rcx",
        "xor ebp, ebp",
        "jmp rax",
        host_rsp = const offset_of!(ControlBlock, host_rsp),
    )
}

/// Returns from a hostcall: registers as they were, then the lone `ret` in the module's text.
#[unsafe(naked)]
unsafe extern "C" fn return_to_guest(control: *mut ControlBlock, activation: *mut Activation, resume_stub: u64) -> u64 {
    naked_asm!(
        "push rbp", "push rbx", "push r12", "push r13", "push r14", "push r15",
        "mov [rdi + {host_rsp}], rsp",
        "mov rsp, [rsi + {rsp}]",
        "mov rbp, [rsi + {rbp}]",
        "mov rbx, [rsi + {rbx}]",
        "mov r12, [rsi + {r12}]",
        "mov r13, [rsi + {r13}]",
        "mov r14, [rsi + {r14}]",
        "mov r15, [rsi + {r15}]",
        // No host address goes along.
        "xor edi, edi",
        "xor esi, esi",
        "jmp rdx",
        host_rsp = const offset_of!(ControlBlock, host_rsp),
        rsp = const offset_of!(Activation, rsp),
        rbp = const offset_of!(Activation, rbp),
        rbx = const offset_of!(Activation, rbx),
        r12 = const offset_of!(Activation, r12),
        r13 = const offset_of!(Activation, r13),
        r14 = const offset_of!(Activation, r14),
        r15 = const offset_of!(Activation, r15),
    )
}

/// Goes on at a handler, which finds its values in its frame and relies on no register but those of the stack.
#[unsafe(naked)]
unsafe extern "C" fn land(control: *mut ControlBlock, landing: u64, stack_pointer: u64, frame_pointer: u64) -> u64 {
    naked_asm!(
        "push rbp", "push rbx", "push r12", "push r13", "push r14", "push r15",
        "mov [rdi + {host_rsp}], rsp",
        "mov rsp, rdx",
        "mov rbp, rcx",
        // No host address goes along.
        "xor edi, edi",
        "xor ebx, ebx",
        "xor r12d, r12d",
        "xor r13d, r13d",
        "xor r14d, r14d",
        "xor r15d, r15d",
        "jmp rsi",
        host_rsp = const offset_of!(ControlBlock, host_rsp),
    )
}

/// Goes on where a guest was preempted: vector state, general registers, then program counter, flags and stack at once.
#[unsafe(naked)]
unsafe extern "C" fn continue_guest(control: *mut ControlBlock, interrupted: *const Interrupted) -> u64 {
    naked_asm!(
        "push rbp", "push rbx", "push r12", "push r13", "push r14", "push r15",
        "mov [rdi + {host_rsp}], rsp",
        "fxrstor64 [rsi + {vector}]",
        "lea rdi, [rsi + {general}]",
        "mov r8, [rdi]", "mov r9, [rdi + 8]", "mov r10, [rdi + 16]", "mov r11, [rdi + 24]",
        "mov r12, [rdi + 32]", "mov r13, [rdi + 40]", "mov r14, [rdi + 48]", "mov r15, [rdi + 56]",
        "mov rsi, [rdi + 72]", "mov rbp, [rdi + 80]", "mov rbx, [rdi + 88]",
        "mov rdx, [rdi + 96]", "mov rax, [rdi + 104]", "mov rcx, [rdi + 112]",
        "lea rsp, [rdi + 128]",
        "mov rdi, [rdi + 64]",
        "iretq",
        host_rsp = const offset_of!(ControlBlock, host_rsp),
        vector = const offset_of!(Interrupted, vector),
        general = const offset_of!(Interrupted, general),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use vivarium_artifact::abi::{CONTROL_DONE_EXIT, CONTROL_HOSTCALL_EXIT};

    #[test]
    fn machine_code_and_rust_agree_on_the_layout() {
        assert_eq!(offset_of!(ControlBlock, hostcall_exit), CONTROL_HOSTCALL_EXIT as usize);
        assert_eq!(offset_of!(ControlBlock, done_exit), CONTROL_DONE_EXIT as usize);
    }
}
