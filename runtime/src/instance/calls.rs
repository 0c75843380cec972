//! How a call begins: of a function, of one that was looked up before, or of what must run before any.

use vivarium_artifact::FunctionType;

use super::{Exit, Instance, InvokeError, State};
use crate::callable::Callable;
use crate::sys::activation::{Activation, Call};

impl Instance {
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
    pub(super) fn invoke_checked(&mut self, function: u32, arguments: &[u128]) -> Result<(), InvokeError> {
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
    pub(super) fn may_enter(&self) -> Result<(), InvokeError> {
        match self.state {
            State::Idle | State::Trapped | State::InHostcall(_) | State::Waiting { .. } => Ok(()),
            State::Ready | State::Preempted | State::Thrown(_) | State::Failing(_) | State::Spoiled => Err(InvokeError::Busy),
        }
    }

    /// Prepares a call of what lies at `callee`, through the entry trampoline of its signature.
    pub(super) fn enter(&mut self, trampoline: u32, callee: u64, arguments: &[u128]) -> Result<(), InvokeError> {
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
    pub(super) fn begin(&mut self, trampoline: u32, callee: u64, stack_top: u64, arguments: &[u128]) {
        self.set_cells(arguments.iter().copied());
        let call = self.call_of(self.shelf.module.text_address(trampoline), callee, stack_top);
        self.slot_mut().activation = Activation::of_call(call);
    }

    /// A call in this instance's slot, by addresses.
    #[inline(always)]
    pub(super) fn call_of(&self, trampoline: u64, callee: u64, stack_top: u64) -> Call {
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
    pub(super) fn call_checked(&mut self, callable: &Callable, arguments: &[u128]) -> Result<Exit, InvokeError> {
        if !callable.is_of(&self.shelf.module) {
            return Err(InvokeError::OtherModule);
        }
        self.invoke(callable.function, arguments)?;
        Ok(self.resume())
    }
}
