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

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use vivarium_artifact::abi::{BUILTIN_BASE, Builtin};
use vivarium_artifact::{FunctionType, TrapKind, ValueType};

use crate::activations::{Awaited, Waiting};
use crate::callable::Callable;
use crate::exceptions::{Exception, Exceptions, Thrown};
use crate::link::{self, ForeignRequest, LinkedExit, Links};
use crate::module::LoadedModule;
use crate::pool::{InstanceLimits, MemoryBudget, PoolState, Shelf, Slot};
use crate::profile::Profile;
use crate::samples::Samples;
use crate::sys::activation::{Activation, Call};
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

    /// Prepares what must run before any export: true when [`Instance::resume`] must be called until `Done` first.
    pub fn initialize(&mut self) -> Result<bool, InvokeError> {
        self.may_enter()?;
        if let Some(kind) = self.shelf.module.contract().instantiation_trap {
            self.state = State::Failing(kind);
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
    #[inline]
    pub fn invoke(&mut self, function: u32, arguments: &[u128]) -> Result<(), InvokeError> {
        if let State::Idle = self.state
            && let Some((trampoline, callee)) = self.shelf.module.plain_call(function, arguments.len())
        {
            self.begin(trampoline, callee, self.shelf.module.layout().stack_top, arguments);
            self.pass_to(State::Ready);
            return Ok(());
        }
        self.invoke_checked(function, arguments)
    }

    /// The same for any function, and while a hostcall waits.
    fn invoke_checked(&mut self, function: u32, arguments: &[u128]) -> Result<(), InvokeError> {
        self.may_enter()?;
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

    /// Whether a call may begin: none is under way, or the topmost one waits, so that what it needs is set aside.
    fn may_enter(&self) -> Result<(), InvokeError> {
        match self.state {
            State::Idle | State::Trapped | State::InHostcall(_) | State::Waiting { .. } => Ok(()),
            State::Ready | State::Preempted | State::Thrown(_) | State::Failing(_) | State::Spoiled => Err(InvokeError::Busy),
        }
    }

    /// Prepares a call of what lies at `callee`, through the entry trampoline of its signature.
    fn enter(&mut self, trampoline: u32, callee: u64, arguments: &[u128]) -> Result<(), InvokeError> {
        self.may_enter()?;
        if self.links_missing() > 0 {
            return Err(InvokeError::NotLinked);
        }
        match self.shelf.module.contract().instantiation_trap {
            Some(kind) => self.state = State::Failing(kind),
            None => {
                if let Some(stack_top) = self.find_room() {
                    self.begin(trampoline, callee, stack_top, arguments);
                    self.state = State::Ready;
                }
            }
        }
        Ok(())
    }

    /// Lays arguments into cells and registers for an entry.
    #[inline]
    fn begin(&mut self, trampoline: u32, callee: u64, stack_top: u64, arguments: &[u128]) {
        self.set_cells(arguments.iter().copied());
        let call = self.call_of(self.shelf.module.text_address(trampoline), callee, stack_top);
        self.slot_mut().activation = Activation::of_call(call);
    }

    /// A call in this instance's slot, by addresses.
    #[inline(always)]
    fn call_of(&self, trampoline: u64, callee: u64, stack_top: u64) -> Call {
        let memory = &self.slot().memory;
        Call {
            trampoline,
            callee,
            vmctx: memory.vmctx(),
            resume_stub: self.shelf.module.resume_stub(),
            slot_base: memory.base_address(),
            stack_top,
        }
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

    /// Calls a function and runs it until the next exit: [`Instance::invoke`] and [`Instance::resume`] in one, quicker within a turn.
    #[inline(always)]
    pub fn call(&mut self, callable: &Callable, arguments: &[u128]) -> Result<Exit, InvokeError> {
        let may_begin = matches!(self.state, State::Idle) && self.pool.thread.ticker().is_live(self.turn);
        if !may_begin || !callable.fits(&self.shelf.module, arguments.len()) {
            return self.call_checked(callable, arguments);
        }
        self.set_cells(arguments.iter().copied());
        let call = self.call_of(callable.trampoline, callable.callee, self.shelf.module.layout().stack_top);
        let slot = self.slot.as_mut().expect("an instance has its slot until it is dropped");
        let left = self.pool.thread.call(&mut slot.memory, &mut slot.activation, &call);
        Ok(self.arrive(left))
    }

    #[cold]
    #[inline(never)]
    fn call_checked(&mut self, callable: &Callable, arguments: &[u128]) -> Result<Exit, InvokeError> {
        if !callable.is_of(&self.shelf.module) {
            return Err(InvokeError::OtherModule);
        }
        self.invoke(callable.function, arguments)?;
        Ok(self.resume())
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

    /// Whether it may run: its turn is live, or it gets the next one. Not when its turn was over; afterwards it gets another.
    fn has_turn(&mut self) -> bool {
        let ticker = self.pool.thread.ticker();
        if ticker.is_live(self.turn) {
            return true;
        }
        let was_over = self.turn != 0 && ticker.is_current(self.turn);
        match was_over {
            true => self.end_turn(),
            false => self.begin_turn(),
        }
        !was_over
    }

    /// Its turn begins, unless that is the running one: what host functions do for it from now on is its own time. [`Instance::resume`] does so by itself.
    pub fn begin_turn(&mut self) {
        if self.turn == 0 || !self.pool.thread.ticker().is_current(self.turn) {
            self.end_turn();
            self.turn_began = self.pool.meter.begin();
            self.turn = self.pool.thread.ticker().begin();
            self.pool.thread.sample_into(self.samples.as_deref());
        }
    }

    /// Argument `index` of the hostcall that waits: the low 64 bits of its cell.
    #[inline]
    pub fn argument(&self, index: u32) -> u64 {
        self.argument_bits(index) as u64
    }

    /// The bits of argument `index` of the hostcall that waits; above those that its type has they are undefined.
    ///
    /// # Panics
    ///
    /// When the hostcall has no such argument.
    #[inline]
    pub fn argument_bits(&self, index: u32) -> u128 {
        match &self.state {
            State::Waiting { arguments: Some(arguments), .. } => arguments[index as usize],
            _ => self.cell(index),
        }
    }

    /// Result `index` of the call that has returned, until the next one is begun or a hostcall is answered.
    ///
    /// # Panics
    ///
    /// When no signature of the module has so many.
    #[inline]
    pub fn result(&self, index: u32) -> u128 {
        self.cell(index)
    }

    /// Gives the waiting hostcall its results, as bits; [`Instance::resume`] goes on then.
    ///
    /// # Panics
    ///
    /// When no hostcall waits, or when the results do not fit its type: too few would make the guest take its own arguments for results.
    #[inline]
    pub fn answer_bits(&mut self, results: &[u128]) {
        self.answer_each(results.iter().copied());
    }

    /// Gives the waiting hostcall its results, none of them a vector. Panics as [`Instance::answer_bits`] does.
    #[inline]
    pub fn answer(&mut self, results: &[u64]) {
        self.answer_each(results.iter().map(|result| u128::from(*result)));
    }

    #[inline]
    fn answer_each(&mut self, results: impl ExactSizeIterator<Item = u128> + Clone) {
        if let State::InHostcall(import) = self.state
            && self.shelf.module.signatures().is_plain_answer(import, results.len())
        {
            self.set_cells(results);
            self.slot_mut().activation.return_from_hostcall();
            self.pass_to(State::Ready);
        } else {
            self.check_answer(results.clone());
            self.return_to_guest(results);
        }
    }

    fn check_answer(&self, results: impl ExactSizeIterator<Item = u128>) {
        let import = self.waiting_hostcall().unwrap_or_else(|| panic!("no hostcall waits: {:?}", self.state));
        let types = &self.shelf.module.contract().imports[import as usize].ty.results;
        assert_eq!(types.len(), results.len(), "results of import {import}");
        let fit = types.iter().zip(results).all(|(ty, bits)| self.is_value(*ty, bits));
        assert!(fit, "a result of import {import} is a reference to a function that the module does not have");
    }

    /// From a state that owns nothing to the next: unlike an assignment, this does not look whether there is something to drop.
    #[inline(always)]
    fn pass_to(&mut self, state: State) {
        std::mem::forget(std::mem::replace(&mut self.state, state));
    }

    /// Prepares to go on behind the exit by which the guest left, with its results in cells.
    pub(crate) fn return_to_guest(&mut self, results: impl Iterator<Item = u128>) {
        self.set_cells(results);
        self.slot_mut().activation.return_from_hostcall();
        self.state = State::Ready;
    }

    /// Goes on where what the waiting hostcall throws is caught: [`Instance::resume_linked`] says when nothing does.
    ///
    /// # Panics
    ///
    /// When no hostcall waits, or when what the exception carries does not fit its tag in this instance.
    pub fn answer_thrown(&mut self, exception: Exception) {
        self.check_exception(&exception);
        assert!(matches!(self.state, State::InHostcall(_) | State::Waiting { .. }), "no hostcall waits: {:?}", self.state);
        self.state = State::Thrown(Box::new(exception));
    }

    /// Ends the calls of this instance as a trap does: what it called has trapped and cannot answer.
    pub fn abandon(&mut self) {
        if !matches!(self.state, State::Idle | State::Spoiled) {
            self.below.clear();
            self.state = State::Trapped;
        }
    }

    /// Ends the guest's turn, which counts on during hostcalls and after the last return: whoever lets it wait, or keeps it after its end, says so. It has a whole turn
    /// afterwards.
    pub fn end_turn(&mut self) {
        self.ran += self.cost_of_turn();
        self.turn = 0;
        self.turn_told.set(0);
    }

    /// In ticks; nothing while it has none. Never less than it was told before: the bound for a turn that another guest's has ended may lie below that.
    fn cost_of_turn(&self) -> u64 {
        let cost = match self.turn {
            0 => 0,
            turn if self.pool.thread.ticker().is_current(turn) => self.pool.meter.cost(self.turn_began),
            _ => self.pool.meter.cost_at_most(self.turn_began),
        };
        self.turn_told.set(cost.max(self.turn_told.get()));
        self.turn_told.get()
    }

    /// From now on each tick that finds this guest in its own code notes where, until this is called with none.
    ///
    /// # Panics
    ///
    /// When the profile is of another module.
    pub fn profile(&mut self, profile: Option<&Profile>) {
        self.samples = profile.map(|profile| profile.samples_of(&self.shelf.module));
        if self.pool.thread.ticker().is_current(self.turn) {
            self.pool.thread.sample_into(self.samples.as_deref());
        }
    }

    /// The imported function that waits for its answer, by index.
    #[inline]
    pub fn waiting_hostcall(&self) -> Option<u32> {
        match self.state {
            State::InHostcall(import) | State::Waiting { awaited: Awaited::Import(import), .. } => Some(import),
            _ => None,
        }
    }

    /// What another instance was asked for and has not answered.
    pub(crate) fn waiting_request(&self) -> Option<ForeignRequest> {
        if let State::Waiting { awaited: Awaited::Foreign(request), .. } = &self.state { Some(**request) } else { None }
    }

    /// Processor time that it has had so far: guest code, builtins, and what the host did between two resumptions of one turn.
    pub fn ran(&self) -> Duration {
        clock::duration(self.ran + self.cost_of_turn())
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
