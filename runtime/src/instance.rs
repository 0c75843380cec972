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
//! Parts: here the states and the ways between them; `nesting` keeps the calls below the topmost one; `contents` is what the host reads and writes.

mod contents;
mod nesting;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use vivarium_artifact::abi::Builtin;
use vivarium_artifact::{FunctionType, TrapKind, ValueType};

use crate::activations::{Awaited, Waiting};
use crate::exceptions::{Exception, Exceptions, Thrown};
use crate::link::{self, ForeignRequest, LinkedExit, Links};
use crate::module::LoadedModule;
use crate::pool::{InstanceLimits, MemoryBudget, PoolState, Shelf, Slot};
use crate::profile::Profile;
use crate::samples::Samples;
use crate::sys::clock;
use crate::sys::control::{Entry, RawExit, Sampling};
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
    #[error("the instance is in a call already, and that one waits for no hostcall")]
    Busy,
}

/// Where the topmost call stands.
#[derive(Debug)]
enum State {
    /// No call has begun, or the last one has returned. → `Ready`
    Idle,
    /// A call or a resumption is prepared. → running
    Ready(Entry),
    /// An imported function, or another instance, was asked and has not answered; its arguments, once a nested call has used their cells. → `Ready`
    InHostcall { awaited: Awaited, arguments: Option<Box<[u128]>> },
    /// What was asked has thrown. → running, where that is caught
    Thrown(Box<Exception>),
    /// There is no room for the call that was begun. → `Trapped`
    Exhausted,
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
    state: State,
    /// End of the topmost call's part of the stack, as an offset in the slot.
    pub(crate) stack_top: u64,
    /// The calls below the topmost one, outermost first.
    below: Vec<Waiting>,
    turn: u64,
    /// In ticks of the clock.
    ran: u64,
    /// Once there is one, and in linked instances that have tags.
    pub(crate) exceptions: Option<Box<Exceptions>>,
    /// Of linked instances only.
    pub(crate) links: Option<Box<Links>>,
    samples: Option<Rc<Samples>>,
}

impl Instance {
    pub(crate) fn new(shelf: Rc<Shelf>, pool: Rc<PoolState>, slot: Box<Slot>, limits: InstanceLimits) -> Instance {
        let stack_top = shelf.module.layout().stack_top;
        let exceptions = link::tags(shelf.module.contract());
        Instance {
            shelf,
            pool,
            slot: Some(slot),
            limits,
            budget: None,
            state: State::Idle,
            stack_top,
            below: Vec::new(),
            turn: 0,
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

    /// Prepares what must run before any export: true when [`Instance::resume`] must be called until `Done` first.
    pub fn initialize(&mut self) -> Result<bool, InvokeError> {
        if self.shelf.module.contract().instantiation_trap.is_some() {
            return Ok(true);
        }
        if let Some(initializer) = self.shelf.module.contract().initializer {
            let callee = self.shelf.module.text_address(initializer);
            let contract = self.shelf.module.contract();
            let signature = contract.type_number(&FunctionType::default()).ok_or(InvokeError::NoInitializer)?;
            let trampoline = contract.entry(signature).ok_or(InvokeError::NoInitializer)?;
            return self.enter(trampoline, callee, &[]).map(|()| true);
        }
        match self.shelf.module.contract().start {
            Some(start) => self.invoke(start, &[]).map(|()| true),
            None => Ok(false),
        }
    }

    /// Begins a call of a function, by index; arguments are the bits of each value, low bits first. While a hostcall waits, the call nests: where the stack
    /// or [`crate::activations::ACTIVATIONS_MAX`] leaves no room, [`Instance::resume`] gives the trap.
    pub fn invoke(&mut self, function: u32, arguments: &[u128]) -> Result<(), InvokeError> {
        let (State::Idle | State::Trapped | State::InHostcall { .. }) = self.state else { return Err(InvokeError::Busy) };
        let contract = self.shelf.module.contract();
        let ty = contract.function_type(function).ok_or(InvokeError::NoFunction(function))?;
        if !ty.parameters.iter().zip(arguments).all(|(ty, bits)| self.is_value(*ty, *bits)) {
            return Err(InvokeError::Reference(function));
        }
        if ty.parameters.len() != arguments.len() {
            return Err(InvokeError::Arguments { function, expected: ty.parameters.len(), given: arguments.len() });
        }
        let trampoline = contract.entry(contract.function_types[function as usize]).ok_or(InvokeError::NoEntry(function))?;
        let callee = self.shelf.module.function_address(function).ok_or(InvokeError::NoFunction(function))?;
        self.enter(trampoline, callee, arguments)
    }

    /// Prepares a call of what lies at `callee`, through the entry trampoline of its signature.
    fn enter(&mut self, trampoline: u32, callee: u64, arguments: &[u128]) -> Result<(), InvokeError> {
        if self.links_missing() > 0 {
            return Err(InvokeError::NotLinked);
        }
        let trampoline = self.shelf.module.text_address(trampoline);
        if !self.find_room() {
            return Ok(());
        }
        self.set_cells(arguments.iter().copied());
        let stack_top = self.slot().memory.bounds().base + self.stack_top;
        self.state = State::Ready(Entry::Call { trampoline, callee, stack_top });
        Ok(())
    }

    /// Runs the guest until its next exit.
    ///
    /// # Panics
    ///
    /// When there is nothing to resume: no call has begun, or a hostcall has not been answered; or when the instance is linked and needs another.
    pub fn resume(&mut self) -> Exit {
        match self.run() {
            LinkedExit::Plain(exit) => exit,
            other => panic!("a linked instance is resumed by resume_linked: {other:?}"),
        }
    }

    pub(crate) fn run(&mut self) -> LinkedExit {
        if let Some(kind) = self.shelf.module.contract().instantiation_trap {
            self.state = State::Trapped;
            return LinkedExit::Plain(Exit::Trapped(Trap { kind, frames: vec![] }));
        }
        let mut entry = match std::mem::replace(&mut self.state, State::Spoiled) {
            State::Ready(entry) => entry,
            State::Thrown(exception) => match self.throw(Thrown::New(*exception)) {
                Ok(entry) => entry,
                Err(exit) => return exit,
            },
            State::Exhausted => return LinkedExit::Plain(Exit::Trapped(self.end_by_trap(TrapKind::StackOverflow, None))),
            _ => panic!("nothing to resume"),
        };
        let pool = self.pool.clone();
        let mut thread = pool.thread.borrow_mut();
        if !thread.turn_is_current(self.turn) || self.turn == 0 {
            self.turn = thread.begin_turn();
        }
        let started = clock::ticks();
        let exit = loop {
            if thread.turn_is_over(self.turn) {
                self.state = State::Ready(entry);
                self.turn = 0;
                break LinkedExit::Plain(Exit::Preempted);
            }
            let slot = self.slot.as_mut().expect("an instance has its slot until it is dropped");
            let sampling = self.samples.as_deref().map(|samples| Sampling { samples, stack_top: self.stack_top });
            match thread.run(&mut slot.memory, &mut slot.activation, entry, sampling) {
                RawExit::Hostcall(number) if let Some(thrown) = self.thrown(number) => match self.throw(thrown) {
                    Ok(landing) => entry = landing,
                    Err(exit) => break exit,
                },
                RawExit::Hostcall(number) => match Builtin::from_number(number) {
                    _ if self.shelf.module.contract().linked
                        && let Some(request) = ForeignRequest::of(self, number) =>
                    {
                        self.state = State::InHostcall { awaited: Awaited::Foreign(Box::new(request)), arguments: None };
                        break LinkedExit::Foreign(request);
                    }
                    Some(builtin) => {
                        self.answer_builtin(builtin);
                        entry = Entry::Return { resume_stub: self.shelf.module.resume_stub() };
                    }
                    None => {
                        self.state = State::InHostcall { awaited: Awaited::Import(number), arguments: None };
                        break LinkedExit::Plain(Exit::Hostcall { import: number });
                    }
                },
                RawExit::Preempted => entry = Entry::Continue,
                RawExit::Done => {
                    self.return_to_the_call_below();
                    break LinkedExit::Plain(Exit::Done);
                }
                RawExit::Trapped(fault) => break LinkedExit::Plain(Exit::Trapped(self.end_by_trap(fault.kind, Some(fault)))),
            }
        };
        self.ran += clock::ticks().saturating_sub(started).min(pool.turn_max_ticks);
        exit
    }

    /// Argument `index` of the hostcall that waits: the low 64 bits of its cell.
    pub fn argument(&self, index: u32) -> u64 {
        self.argument_bits(index) as u64
    }

    /// The bits of argument `index` of the hostcall that waits; above those that its type has they are undefined.
    ///
    /// # Panics
    ///
    /// When the hostcall has no such argument.
    pub fn argument_bits(&self, index: u32) -> u128 {
        match &self.state {
            State::InHostcall { arguments: Some(arguments), .. } => arguments[index as usize],
            _ => self.cell(index),
        }
    }

    /// Result `index` of the call that has returned, until the next one is begun or a hostcall is answered.
    ///
    /// # Panics
    ///
    /// When no signature of the module has so many.
    pub fn result(&self, index: u32) -> u128 {
        self.cell(index)
    }

    /// Gives the waiting hostcall its results, as bits; [`Instance::resume`] goes on then.
    ///
    /// # Panics
    ///
    /// When no hostcall waits, or when the results do not fit its type: too few would make the guest take its own arguments for results.
    pub fn answer_bits(&mut self, results: &[u128]) {
        self.answer_each(results.iter().copied());
    }

    /// Gives the waiting hostcall its results, none of them a vector. Panics as [`Instance::answer_bits`] does.
    pub fn answer(&mut self, results: &[u64]) {
        self.answer_each(results.iter().map(|result| u128::from(*result)));
    }

    fn answer_each(&mut self, results: impl ExactSizeIterator<Item = u128> + Clone) {
        let import = self.waiting_hostcall().unwrap_or_else(|| panic!("no hostcall waits: {:?}", self.state));
        let shelf = self.shelf.clone();
        let module = &shelf.module;
        let types = &module.contract().imports[import as usize].ty.results;
        assert_eq!(types.len(), results.len(), "results of import {import}");
        let fit = types.iter().zip(results.clone()).all(|(ty, bits)| self.is_value(*ty, bits));
        assert!(fit, "a result of import {import} is a reference to a function that the module does not have");
        self.return_to_guest(results);
    }

    /// Prepares to go on behind the exit by which the guest left, with its results in cells.
    pub(crate) fn return_to_guest(&mut self, results: impl Iterator<Item = u128>) {
        self.set_cells(results);
        self.state = State::Ready(Entry::Return { resume_stub: self.shelf.module.resume_stub() });
    }

    /// Goes on where what the waiting hostcall throws is caught: [`Instance::resume_linked`] says when nothing does.
    ///
    /// # Panics
    ///
    /// When no hostcall waits.
    pub fn answer_thrown(&mut self, exception: Exception) {
        assert!(matches!(self.state, State::InHostcall { .. }), "no hostcall waits: {:?}", self.state);
        self.state = State::Thrown(Box::new(exception));
    }

    /// Ends the calls of this instance as a trap does: what it called has trapped and cannot answer.
    pub fn abandon(&mut self) {
        if !matches!(self.state, State::Idle | State::Spoiled) {
            self.below.clear();
            self.state = State::Trapped;
        }
    }

    /// Ends the guest's turn, which counts on during hostcalls: whoever lets it wait and others run meanwhile says so, and it has a whole turn afterwards.
    pub fn end_turn(&mut self) {
        self.turn = 0;
    }

    /// From now on each tick that finds this guest in its own code notes where, until this is called with none.
    ///
    /// # Panics
    ///
    /// When the profile is of another module.
    pub fn profile(&mut self, profile: Option<&Profile>) {
        self.samples = profile.map(|profile| profile.samples_of(&self.shelf.module));
    }

    /// The imported function that waits for its answer, by index.
    pub fn waiting_hostcall(&self) -> Option<u32> {
        if let State::InHostcall { awaited: Awaited::Import(import), .. } = self.state { Some(import) } else { None }
    }

    /// What another instance was asked for and has not answered.
    pub(crate) fn waiting_request(&self) -> Option<ForeignRequest> {
        if let State::InHostcall { awaited: Awaited::Foreign(request), .. } = &self.state { Some(**request) } else { None }
    }

    /// Time for which guest code and builtins have run so far. A turn counts as two slices at most: when it took longer, the kernel had given the
    /// processor to somebody else.
    pub fn ran(&self) -> Duration {
        clock::duration(self.ran)
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

    pub(crate) fn slot(&self) -> &Slot {
        self.slot.as_ref().expect("an instance has its slot until it is dropped")
    }

    pub(crate) fn slot_mut(&mut self) -> &mut Slot {
        self.slot.as_mut().expect("an instance has its slot until it is dropped")
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
