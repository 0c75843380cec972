//! The control block of a thread, and running guests on it.
//!
//! `gs` points at the block for as long as the thread lives. Compiled code knows only its first two words, through which it leaves. Kept true here:
//! (a) `activation` and `slot` point at what is alive while a guest runs: `run` borrows both until the guest is back. Otherwise nobody reads them. (b) The handler touches
//! the block only between two instructions of the same thread, and what both use is in cells or atomic. `interrupted` is written by the handler while a guest runs, by
//! `continue_preempted` while none does.

use std::cell::{Cell, UnsafeCell};
use std::io;
use std::marker::PhantomData;
use std::ptr::null;
use std::time::Duration;

use vivarium_artifact::TrapKind;

use crate::samples::Samples;
use crate::slot::SlotBounds;
use crate::stack::CallFrame;
use crate::sys::activation::{Activation, Call, InterruptFrame, Interrupted};
use crate::sys::arena::MappedCode;
use crate::sys::signals;
use crate::sys::slot::SlotMemory;
use crate::sys::switch;
use crate::sys::ticker::Ticker;

thread_local! {
    /// For the signal handler: the block of this thread, null before [`Thread::register`]. Constant initialisation, no destructor: reading it
    /// takes no lock and allocates nothing.
    static CURRENT: Cell<*const ControlBlock> = const { Cell::new(null()) };
}

/// What `gs` points at.
#[repr(C, align(64))]
pub struct ControlBlock {
    hostcall_exit: unsafe extern "C" fn(),
    done_exit: unsafe extern "C" fn(),
    /// Where the host goes on, and what it needs then.
    pub(super) host_rsp: Cell<u64>,
    pub(super) activation: Cell<*const Activation>,
    slot: Cell<*const SlotMemory>,
    /// Null while nobody asked for samples.
    samples: Cell<*const Samples>,
    ticker: Ticker,
    fault: Cell<Fault>,
    interrupted: UnsafeCell<Interrupted>,
}

/// What the handler saw of a trap.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub kind: TrapKind,
    pub pc: u64,
    pub rbp: u64,
}

/// That a guest came back, and how.
#[derive(Debug, Clone, Copy)]
pub struct Left(u64);

/// Why control is back with the host.
#[derive(Debug, Clone, Copy)]
pub enum RawExit {
    Hostcall(u32),
    Done,
    Preempted,
    Trapped(Fault),
}

impl Left {
    /// By a hostcall whose number is below this: the number.
    #[inline(always)]
    pub fn hostcall_below(self, bound: u32) -> Option<u32> {
        (self.0 < u64::from(bound)).then_some(self.0 as u32)
    }

    /// Because its call has returned.
    #[inline(always)]
    pub fn is_done(self) -> bool {
        self.0 == switch::DONE
    }
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
        let control = Box::new(ControlBlock {
            hostcall_exit: switch::hostcall_exit,
            done_exit: switch::done_exit,
            host_rsp: Cell::new(0),
            activation: Cell::new(null()),
            slot: Cell::new(null()),
            samples: Cell::new(null()),
            ticker: Ticker::new(slice)?,
            fault: Cell::new(Fault { kind: TrapKind::Unreachable, pc: 0, rbp: 0 }),
            interrupted: UnsafeCell::new(Interrupted::new()),
        });
        let address: *const ControlBlock = &raw const *control;
        const ARCH_SET_GS: i64 = 0x1001;
        // SAFETY: nothing else in the process uses `gs` (the C library uses `fs`); the block lives until `Thread` is dropped, which unsets it.
        if unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, address) } != 0 {
            return Err(io::Error::last_os_error());
        }
        CURRENT.set(address);
        Ok(Thread { control, _signal_stack: signal_stack, _not_send: PhantomData })
    }

    /// The turns of this thread.
    #[inline(always)]
    pub fn ticker(&self) -> &Ticker {
        &self.control.ticker
    }

    /// From the beginning of a turn, and within one: ticks note where the guest is that has it, or nothing. The samples must be alive while that guest runs.
    pub fn sample_into(&self, samples: Option<&Samples>) {
        self.control.samples.set(samples.map_or(null(), |samples| samples));
    }

    /// Lets the guest of a slot run, from where its activation says, until it comes back.
    #[inline(always)]
    pub fn run(&self, slot: &mut SlotMemory, activation: &mut Activation) -> Left {
        self.name(slot, activation);
        // SAFETY: `name` named them. The activation was made by `Instance` of a module that it owns, whose text is mapped and whose slot this is, and is what the guest
        // left or the beginning of a call. The guest can write nothing but its own slot (guards, and the checks that the compiler emits), which is borrowed mutably.
        Left(unsafe { switch::switch(activation) })
    }

    /// The same from the beginning of a call.
    #[inline(always)]
    pub fn call(&self, slot: &mut SlotMemory, activation: &mut Activation, call: &Call) -> Left {
        self.name(slot, activation);
        activation.begin(call);
        // SAFETY: as in `run`; the addresses were looked up in the module of this slot.
        Left(unsafe { switch::call(call.trampoline, call.vmctx, call.callee, call.stack_pointer()) })
    }

    /// The same for a guest that was preempted; nothing when this one was not.
    pub fn continue_preempted(&self, slot: &mut SlotMemory, activation: &mut Activation) -> Option<Left> {
        let interrupted = activation.interrupted.take()?;
        self.name(slot, activation);
        let place = self.control.interrupted.get();
        // SAFETY: no guest runs yet, so that the handler does not write there.
        unsafe { *place = *interrupted };
        // SAFETY: as in `run`; what was saved was saved of this activation.
        Some(Left(unsafe { switch::continue_guest(place) }))
    }

    /// How the guest of this activation, which ran last, came back.
    pub fn exit(&self, left: Left, activation: &mut Activation) -> RawExit {
        match left.0 {
            switch::DONE => RawExit::Done,
            switch::TRAPPED => RawExit::Trapped(self.control.fault.get()),
            switch::PREEMPTED => {
                // SAFETY: no guest runs any more, so that the handler does not write there.
                activation.interrupted = Some(Box::new(unsafe { (*self.control.interrupted.get()).clone() }));
                RawExit::Preempted
            }
            number => RawExit::Hostcall(number as u32),
        }
    }

    /// Says to exits and handler who runs.
    #[inline(always)]
    fn name(&self, slot: &SlotMemory, activation: &mut Activation) {
        self.control.slot.set(slot);
        self.control.activation.set(activation);
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        CURRENT.set(null());
        const ARCH_SET_GS: i64 = 0x1001;
        // SAFETY: unsets the pointer to the block that is about to be freed; no guest runs, for running borrows `self`.
        unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, 0) };
    }
}

/// The block of this thread, for the signal handler; null where no guest can run.
pub fn current() -> *const ControlBlock {
    CURRENT.get()
}

impl ControlBlock {
    /// One tick of this thread's timer, which found a guest in its own code or none. Called by the signal handler.
    pub fn tick(&self, in_guest: bool) {
        self.ticker.tick(in_guest);
    }

    /// Bounds of the instance that runs. Called by the signal handler.
    ///
    /// # Safety
    ///
    /// A guest of this thread was interrupted in its own code.
    pub unsafe fn bounds(&self) -> SlotBounds {
        // SAFETY: (a).
        unsafe { (*self.slot.get()).bounds() }
    }

    /// Whether the guest that runs is to come back.
    pub fn preemption_is_due(&self) -> bool {
        self.ticker.is_due()
    }

    /// Notes where the guest is, if samples are asked for. Called by the signal handler: reads the guest's stack, loads, stores.
    ///
    /// # Safety
    ///
    /// A guest of this thread was interrupted in its own code.
    pub unsafe fn sample(&self, code: &MappedCode, pc: u64, frame_pointer: u64, stack_pointer: u64) {
        // SAFETY: the instance that has the turn keeps them alive, and the guest that was interrupted is that instance's.
        let Some(samples) = (unsafe { self.samples.get().as_ref() }) else { return };
        // SAFETY: (a).
        let (base, stack_top) = unsafe { (self.bounds().base, (*self.activation.get()).stack_top) };
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
    pub fn trap(&self, fault: Fault) -> u64 {
        self.fault.set(fault);
        switch::trap_exit as *const () as u64
    }

    /// Saves an interrupted guest; returns where the handler is to continue.
    ///
    /// # Safety
    ///
    /// A guest of this thread was interrupted in its own code.
    pub unsafe fn preempt(&self, general: [u64; 15], frame: InterruptFrame, vector: &[u8; 512]) -> u64 {
        // SAFETY: (b).
        unsafe { (*self.interrupted.get()).save(general, frame, vector) };
        switch::preempt_exit as *const () as u64
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;
    use vivarium_artifact::abi::{CONTROL_DONE_EXIT, CONTROL_HOSTCALL_EXIT};

    #[test]
    fn machine_code_and_rust_agree_on_the_layout() {
        assert_eq!(offset_of!(ControlBlock, hostcall_exit), CONTROL_HOSTCALL_EXIT as usize);
        assert_eq!(offset_of!(ControlBlock, done_exit), CONTROL_DONE_EXIT as usize);
    }
}
