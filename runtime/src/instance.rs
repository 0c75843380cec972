//! The states of an instance and its exits.
//!
//! ```text
//!            invoke            resume              resume
//!   Idle ──────────► Ready ──────────► (runs) ───► Done ──► invoke …
//!    ▲                 ▲                │ │ │
//!    │ pool            │ answer, invoke │ │ └───► Trapped ──► dropped; or invoke, as the specification has it
//!    │                 └── InHostcall ◄─┘ │
//!   drop = reset                          └─────► Preempted ── resume ──► (runs)
//! ```
//!
//! [`Instance::resume`] runs the guest until it needs something: a hostcall is an exit, like a virtual machine's. Whoever holds the instance answers and
//! resumes; waiting is not resuming yet. [`Instance::invoke`] during a hostcall nests: the waiting call is set aside, `resume` runs the new one, the
//! topmost, and when that is `Done` the hostcall waits for its answer again. A trap ends all calls of the instance.
//!
//! Besides, what has no place above: a hostcall is `Waiting`, not `InHostcall`, once a call was nested in it, and when another instance was asked; `Thrown` is one that
//! was answered by an exception; `Failing` is a call that will trap before its first instruction. `Spoiled` has no way on.
//!
//! Parts: here the states and the ways between them; `calls` is how a call begins, `answers` how a hostcall is answered; `turns` is when a guest may run; `nesting` keeps
//! the calls below the topmost one; `contents` is what the host reads and writes.

mod answers;
mod calls;
mod contents;
mod nesting;
mod turns;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use vivarium_artifact::abi::{BUILTIN_BASE, Builtin};
use vivarium_artifact::{TrapKind, ValueType};

use crate::activations::{Awaited, Waiting};
use crate::exceptions::{Exception, Exceptions, Thrown};
use crate::link::{self, ForeignRequest, LinkedExit, Links};
use crate::module::LoadedModule;
use crate::pool::{InstanceLimits, MemoryBudget, PoolState, Shelf, Slot};
use crate::samples::Samples;
use crate::sys::clock;
use crate::sys::control::{Left, RawExit};
use crate::trap::Trap;

/// Why the guest is not running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// It called the imported function of this index; read [`Instance::argument`], then [`Instance::answer`].
    Hostcall { import: u32 },
    /// Its slice is over; resume it when its turn comes again.
    Preempted,
    /// It was stopped by its own doing.
    Trapped(Trap),
    /// The topmost call has returned; read [`Instance::result`]. A hostcall that it was nested in waits for its answer again.
    Done,
}

/// Why a call cannot begin.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvokeError {
    #[error("the module has no function {0}")]
    NoFunction(u32),
    #[error("the module's contract names no way in for the signature of function {0}")]
    NoEntry(u32),
    #[error("function {function} takes {expected} arguments, {given} were given")]
    Arguments { function: u32, expected: usize, given: usize },
    #[error("an argument of function {0} is a reference to a function that the module does not have")]
    Reference(u32),
    #[error("the module's contract names no way into its initializer")]
    NoInitializer,
    #[error("an import of the instance is not linked yet")]
    NotLinked,
    #[error("the function is one of another module")]
    OtherModule,
    #[error("the instance is in a call already, and that one waits for no hostcall")]
    Busy,
}

/// Where the topmost call stands.
#[derive(Debug)]
pub(crate) enum State {
    /// No call has begun, or the last one has returned. → `Ready`, `Failing`
    Idle,
    /// The registers say where it goes on. → running
    Ready,
    /// Its slice was over: all of the processor's state is kept. → running
    Preempted,
    /// The imported function of this index was called and has not answered. → `Ready`, `Thrown`, `Waiting`
    InHostcall(u32),
    /// The same, or another instance was asked; the arguments, once a nested call has used their cells. → `Ready`, `Thrown`
    Waiting { awaited: Awaited, arguments: Option<Box<[u128]>> },
    /// What was asked has thrown. → `Ready`, where that is caught
    Thrown(Box<Exception>),
    /// What was begun ends by this trap before its first instruction. → `Trapped`
    Failing(TrapKind),
    /// A trap ended the call; memory and globals are as it left them. → `Ready`, by another call
    Trapped,
    /// A test has overwritten what the guest relies on, or the host panicked in the middle of a call. No way on but dropping it.
    Spoiled,
}

/// A fresh run of a module in a slot of its own. Dropping it resets the slot and gives it back.
#[derive(Debug)]
pub struct Instance {
    shelf: Rc<Shelf>,
    pub(crate) pool: Rc<PoolState>,
    /// Always `Some` until `drop` takes it.
    slot: Option<Box<Slot>>,
    limits: InstanceLimits,
    budget: Option<Arc<dyn MemoryBudget>>,
    /// State of the topmost call.
    pub(crate) state: State,
    /// The calls below the topmost one, outermost first.
    below: Vec<Waiting>,
    /// Number of its turn, zero while it has none, and when that began.
    turn: u64,
    turn_began: u64,
    /// What its turn was last said to cost, in ticks.
    turn_told: Cell<u64>,
    /// What its turns have cost that are over, in ticks of the clock.
    ran: u64,
    /// Once there is one, and in linked instances that have tags.
    pub(crate) exceptions: Option<Box<Exceptions>>,
    /// Of linked instances only.
    pub(crate) links: Option<Box<Links>>,
    samples: Option<Rc<Samples>>,
}

impl Instance {
    #[inline(always)]
    pub(crate) fn new(shelf: Rc<Shelf>, pool: Rc<PoolState>, slot: Box<Slot>, limits: InstanceLimits) -> Instance {
        let exceptions = link::tags(shelf.module.contract());
        Instance {
            shelf,
            pool,
            slot: Some(slot),
            limits,
            budget: None,
            state: State::Idle,
            below: Vec::new(),
            turn: 0,
            turn_began: 0,
            turn_told: Cell::new(0),
            ran: 0,
            exceptions,
            links: None,
            samples: None,
        }
    }

    /// The module that this is an instance of.
    pub fn module(&self) -> &Arc<LoadedModule> {
        &self.shelf.module
    }

    /// Runs the guest until its next exit.
    ///
    /// # Panics
    ///
    /// When there is nothing to resume: no call has begun, or a hostcall has not been answered; or when the instance is linked and needs another.
    #[inline(always)]
    pub fn resume(&mut self) -> Exit {
        // A switch and little else, for a hostcall or return within a turn.
        let may_go_on = matches!(self.state, State::Ready) && self.pool.thread.ticker().is_live(self.turn);
        if !may_go_on && let Some(exit) = self.prepare() {
            return plain(exit);
        }
        let left = self.switch();
        self.arrive(left)
    }

    /// A guest that was ready, or idle, came back.
    #[inline(always)]
    fn arrive(&mut self, left: Left) -> Exit {
        if let Some(import) = left.hostcall_below(BUILTIN_BASE) {
            self.pass_to(State::InHostcall(import));
            return Exit::Hostcall { import };
        }
        if left.is_done() && self.below.is_empty() {
            self.pass_to(State::Idle);
            return Exit::Done;
        }
        plain(self.go_on(left))
    }

    /// Lets the guest run as its registers say.
    #[inline(always)]
    pub(crate) fn switch(&mut self) -> Left {
        let slot = self.slot.as_mut().expect("an instance has its slot until it is dropped");
        self.pool.thread.run(&mut slot.memory, &mut slot.activation)
    }

    /// What is to be done before a switch: afterwards the guest is ready and its turn live. An exit when it is not to run.
    #[cold]
    #[inline(never)]
    pub(crate) fn prepare(&mut self) -> Option<LinkedExit> {
        loop {
            if !matches!(self.state, State::Ready | State::Preempted)
                && let Some(exit) = self.begin_otherwise()
            {
                return Some(exit);
            }
            if !self.has_turn() {
                return Some(LinkedExit::Plain(Exit::Preempted));
            }
            if let State::Ready = self.state {
                return None;
            }
            let slot = self.slot.as_mut().expect("an instance has its slot until it is dropped");
            let left = self.pool.thread.continue_preempted(&mut slot.memory, &mut slot.activation);
            if let Some(exit) = self.come_back(left.expect("whoever was preempted has its registers kept")) {
                return Some(exit);
            }
        }
    }

    /// What was begun is no run yet: ready afterwards, or an exit.
    fn begin_otherwise(&mut self) -> Option<LinkedExit> {
        match std::mem::replace(&mut self.state, State::Spoiled) {
            State::Thrown(exception) => self.throw(Thrown::New(*exception)),
            State::Failing(kind) => Some(LinkedExit::Plain(Exit::Trapped(self.end_by_trap(kind, None)))),
            _ => panic!("nothing to resume"),
        }
    }

    /// After a guest came back, until there is something to tell.
    #[cold]
    #[inline(never)]
    pub(crate) fn go_on(&mut self, mut left: Left) -> LinkedExit {
        loop {
            if let Some(exit) = self.come_back(left).or_else(|| self.prepare()) {
                return exit;
            }
            left = self.switch();
        }
    }

    /// The guest came back: its next state, and what there is to tell of it.
    fn come_back(&mut self, left: Left) -> Option<LinkedExit> {
        self.state = State::Spoiled;
        let slot = self.slot.as_mut().expect("an instance has its slot until it is dropped");
        match self.pool.thread.exit(left, &mut slot.activation) {
            RawExit::Hostcall(number) => self.leave_by(number),
            RawExit::Preempted => {
                self.state = State::Preempted;
                None
            }
            RawExit::Done => {
                self.return_to_the_call_below();
                Some(LinkedExit::Plain(Exit::Done))
            }
            RawExit::Trapped(fault) => Some(LinkedExit::Plain(Exit::Trapped(self.end_by_trap(fault.kind, Some(fault))))),
        }
    }

    /// The guest left by the hostcall of this number: an import, a throw, a builtin, or something that another instance has.
    fn leave_by(&mut self, number: u32) -> Option<LinkedExit> {
        if let Some(thrown) = self.thrown(number) {
            return self.throw(thrown);
        }
        if let Some(request) = ForeignRequest::of(self, number) {
            self.end_turn();
            self.state = State::Waiting { awaited: Awaited::Foreign(Box::new(request)), arguments: None };
            return Some(LinkedExit::Foreign(request));
        }
        match Builtin::from_number(number) {
            Some(builtin) => {
                self.answer_builtin(builtin);
                self.return_to_guest([].into_iter());
                None
            }
            None => {
                self.state = State::InHostcall(number);
                Some(LinkedExit::Plain(Exit::Hostcall { import: number }))
            }
        }
    }

    /// From a state that owns nothing to the next: unlike an assignment, this does not look whether there is something to drop.
    #[inline(always)]
    fn pass_to(&mut self, state: State) {
        std::mem::forget(std::mem::replace(&mut self.state, state));
    }

    /// Ends the calls of this instance as a trap does: what it called has trapped and cannot answer.
    pub fn abandon(&mut self) {
        if !matches!(self.state, State::Idle | State::Spoiled) {
            self.below.clear();
            self.state = State::Trapped;
        }
    }

    /// Resets the slot and gives it back, as dropping does; how long that took.
    pub fn end(self) -> Duration {
        let started = clock::ticks();
        drop(self);
        clock::duration(clock::ticks().saturating_sub(started))
    }

    /// Whether these bits may stand for a value of this type.
    pub(crate) fn is_value(&self, ty: ValueType, bits: u128) -> bool {
        let is_exception = || ty.is_exception_reference() && self.exception(bits as u64).is_some();
        self.shelf.module.is_value(ty, bits) || is_exception()
    }

    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    #[inline]
    pub(crate) fn slot(&self) -> &Slot {
        self.slot.as_ref().expect("an instance has its slot until it is dropped")
    }

    #[inline]
    pub(crate) fn slot_mut(&mut self) -> &mut Slot {
        self.slot.as_mut().expect("an instance has its slot until it is dropped")
    }
}

/// What an instance that is not linked tells.
#[inline]
fn plain(exit: LinkedExit) -> Exit {
    match exit {
        LinkedExit::Plain(exit) => exit,
        other => panic!("a linked instance is resumed by resume_linked: {other:?}"),
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            match self.links.take() {
                None => self.pool.give_back(slot, &self.shelf),
                Some(links) => {
                    links.release(slot, &self.pool);
                    self.pool.forget_instance(&self.shelf);
                }
            }
        }
    }
}
