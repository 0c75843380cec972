//! Calls that are under way at once: a call during a hostcall takes the topmost one's place until it has returned, and a trap ends all of them.

use vivarium_artifact::{TrapKind, ValueType};

use super::{Instance, State};
use crate::activations::{ACTIVATIONS_MAX, Awaited, Waiting, nested_stack_top};
use crate::link::ForeignRequest;
use crate::stack::Frames;
use crate::sys::control::Fault;
use crate::trap::{Trap, tell};

impl Instance {
    /// How many calls are under way, the topmost included.
    pub fn depth(&self) -> usize {
        self.below.len() + usize::from(!matches!(self.state, State::Idle | State::Trapped | State::Spoiled))
    }

    /// Types of the arguments of what waits: requests other than calls have theirs in themselves.
    fn parameters_of(&self, awaited: &Awaited) -> &[ValueType] {
        let contract = self.shelf.module.contract();
        match awaited {
            Awaited::Import(import) => &contract.imports[*import as usize].ty.parameters,
            Awaited::Foreign(request) => match **request {
                ForeignRequest::Call { type_number, .. } => &contract.types[type_number as usize - 1].parameters,
                _ => &[],
            },
        }
    }

    /// Where the next call's part of the stack ends: it is all of it, or what the waiting call leaves, which is set aside then. `None` when that is too little:
    /// the call that was begun fails.
    pub(super) fn find_room(&mut self) -> Option<u64> {
        let (awaited, arguments) = match std::mem::replace(&mut self.state, State::Failing(TrapKind::StackOverflow)) {
            State::InHostcall(import) => (Awaited::Import(import), None),
            State::Waiting { awaited, arguments } => (awaited, arguments),
            // Whoever enters has made sure that no call is under way.
            _ => return Some(self.shelf.module.layout().stack_top),
        };
        let slot = self.slot();
        let stack_top = nested_stack_top(slot.memory.bounds().base, slot.activation.stack_top, slot.activation.rsp);
        let stack_top = stack_top.filter(|_| self.below.len() + 1 < ACTIVATIONS_MAX)?;
        let parameters = self.parameters_of(&awaited).len();
        let arguments = arguments.unwrap_or_else(|| (0..parameters as u32).map(|index| self.cell(index)).collect());
        let slot = self.slot_mut();
        // The word that stands for the entry trampoline's return address: whatever lay there, nobody returns to it.
        slot.memory.set_word(stack_top - 8, 0);
        let registers = std::mem::take(&mut slot.activation);
        self.below.push(Waiting { registers: Box::new(registers), awaited, arguments });
        Some(stack_top)
    }

    /// The topmost call is over: the hostcall that it was nested in waits again, if there is one.
    pub(crate) fn return_to_the_call_below(&mut self) {
        self.state = match self.below.pop() {
            Some(waiting) => {
                self.slot_mut().activation = *waiting.registers;
                State::Waiting { awaited: waiting.awaited, arguments: Some(waiting.arguments) }
            }
            None => State::Idle,
        };
    }

    /// Ends all calls of the instance; the trap tells the frames of all. Without a fault the topmost call had stopped in a hostcall, or never begun.
    pub(crate) fn end_by_trap(&mut self, kind: TrapKind, fault: Option<Fault>) -> Trap {
        self.end_turn();
        self.state = State::Trapped;
        let slot = self.slot.as_ref().expect("an instance has its slot until it is dropped");
        let mut frames = Vec::new();
        let topmost = match fault {
            Some(fault) => Frames::from_fault(&slot.memory, slot.activation.stack_top, fault.pc, fault.rbp),
            None => Frames::from_hostcall(&slot.memory, &slot.activation),
        };
        tell(&mut frames, &self.shelf.module, topmost, fault.is_some());
        for waiting in self.below.drain(..).rev() {
            tell(&mut frames, &self.shelf.module, waiting.frames(&slot.memory), false);
        }
        Trap { kind, frames }
    }
}
