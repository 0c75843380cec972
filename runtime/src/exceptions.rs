//! Exceptions of one instance: who catches them, and those that are kept because somebody has a reference (`decisions/0013-exceptions.md`).
//!
//! A throw is an exit. What an exception carries goes to cells, where the handler expects it; so nothing is kept of one that is caught without a reference.
//! A reference is the number of a kept exception, from 1. They are kept until the instance ends: nobody knows who still has a reference.

use vivarium_artifact::abi::{Builtin, THROW_BASE};
use vivarium_artifact::{Clause, TrapKind, ValueType};

use crate::instance::{Exit, Instance, State};
use crate::link::LinkedExit;
use crate::module::LoadedModule;
use crate::stack::{CallFrame, Frames};

/// What the kept exceptions of one instance may take of the host's memory, in bytes; a run that keeps more is trapped.
pub const EXCEPTION_BYTES_MAX: usize = 1 << 20;

/// A tag as instances that are linked know it: the owner's and the importers' are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TagIdentity(pub(crate) u64);

/// An exception: its tag, and what it carries as types and bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    pub(crate) tag: TagIdentity,
    /// In the numbers of the instance that threw it.
    pub payload: Vec<(ValueType, u128)>,
}

impl Exception {
    fn bytes(&self) -> usize {
        size_of::<Exception>() + size_of_val(&self.payload[..])
    }
}

/// The exceptions of an instance that somebody may have a reference to.
#[derive(Debug, Default)]
pub(crate) struct Exceptions {
    kept: Vec<Exception>,
    bytes: usize,
    /// In a linked instance, what each tag is known as; none while an imported one has no owner yet.
    pub tags: Vec<Option<TagIdentity>>,
}

impl Exceptions {
    /// Of an instance whose tags are known so.
    pub fn with_tags(tags: Vec<Option<TagIdentity>>) -> Exceptions {
        Exceptions { tags, ..Exceptions::default() }
    }

    /// Keeps an exception; its number. None when there is no room for more.
    pub fn keep(&mut self, exception: Exception) -> Option<u64> {
        let bytes = self.bytes + exception.bytes();
        if bytes > EXCEPTION_BYTES_MAX {
            return None;
        }
        self.bytes = bytes;
        self.kept.push(exception);
        Some(self.kept.len() as u64)
    }

    /// The exception that a reference names; none when it is null or names none.
    pub fn get(&self, reference: u64) -> Option<&Exception> {
        self.kept.get(usize::try_from(reference).ok()?.checked_sub(1)?)
    }
}

/// What a guest throws.
#[derive(Debug)]
pub(crate) enum Thrown {
    New(Exception),
    /// One that it has a reference to.
    Again(u64),
}

/// Where an exception is caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caught {
    /// Address of the handler's first instruction.
    landing: u64,
    stack_pointer: u64,
    frame_pointer: u64,
    /// Whether the handler is given what the exception carries, and whether a reference.
    by_tag: bool,
    by_reference: bool,
}

/// Finds the innermost call that catches a tag, by the tags that `is_tag` holds for. The frames are a guest's allegation: whatever they say, control goes to a
/// landing of the module's own table, with pointers into the call's own part of the stack.
pub(crate) fn catch(module: &LoadedModule, mut frames: Frames<'_>, is_tag: impl Fn(u32) -> bool) -> Option<Caught> {
    let stack = frames.stack();
    frames.find_map(|CallFrame { address, pointer, .. }| {
        let (frame_bytes, clauses) = module.handlers_at(address)?;
        let catches = |clause: &&Clause| clause.tag.is_none_or(&is_tag);
        let clause = clauses.iter().find(catches)?;
        let stack_pointer = pointer.checked_sub(u64::from(frame_bytes))?;
        let lies_in_stack = stack.start <= stack_pointer && pointer.checked_add(16)? <= stack.end;
        lies_in_stack.then_some(Caught {
            landing: module.text_address(clause.landing_offset),
            stack_pointer,
            frame_pointer: pointer,
            by_tag: clause.tag.is_some(),
            by_reference: clause.by_reference,
        })
    })
}

impl Instance {
    /// What a hostcall number throws, if anything. An exception that there cannot be, which only code that lies names, is one of no tag.
    pub(crate) fn thrown(&self, number: u32) -> Option<Thrown> {
        if number == Builtin::ThrowRef as u32 {
            let has_cells = self.module().contract().cells > 0;
            return Some(Thrown::Again(if has_cells { self.cell(0) as u64 } else { 0 }));
        }
        let tag = number.checked_sub(THROW_BASE)?;
        let parameters = self.module().contract().tag_parameters(tag).unwrap_or_default();
        let payload = parameters.iter().zip(0..).map(|(ty, index)| (*ty, self.cell(index))).collect();
        Some(Thrown::New(Exception { tag: self.tag(tag).unwrap_or(TagIdentity(u64::MAX)), payload }))
    }

    /// Prepares to go on where an exception is caught; else it has ended the topmost call of a linked instance, and all calls of any other.
    pub(crate) fn throw(&mut self, thrown: Thrown) -> Option<LinkedExit> {
        let (reference, exception) = match thrown {
            Thrown::New(exception) => (None, exception),
            Thrown::Again(reference) => match self.exception(reference) {
                Some(exception) => (Some(reference), exception.clone()),
                None => return Some(LinkedExit::Plain(Exit::Trapped(self.end_by_trap(TrapKind::NullReference, None)))),
            },
        };
        let slot = self.slot();
        let frames = Frames::from_hostcall(&slot.memory, &slot.activation);
        let Some(caught) = catch(self.module(), frames, |tag| self.tag(tag) == Some(exception.tag)) else {
            return Some(self.end_by_exception(exception));
        };
        let mut cells: Vec<u128> = Vec::new();
        if caught.by_tag {
            cells.extend(exception.payload.iter().map(|(_, bits)| *bits));
        }
        if caught.by_reference {
            let Some(reference) = reference.or_else(|| self.keep(exception)) else {
                return Some(LinkedExit::Plain(Exit::Trapped(self.end_by_trap(TrapKind::TooManyExceptions, None))));
            };
            cells.push(reference.into());
        }
        self.set_cells(cells.into_iter());
        self.slot_mut().activation.land(caught.landing, caught.stack_pointer, caught.frame_pointer);
        self.state = State::Ready;
        None
    }

    fn end_by_exception(&mut self, exception: Exception) -> LinkedExit {
        if self.module().contract().linked {
            self.return_to_the_call_below();
            LinkedExit::Thrown(exception)
        } else {
            LinkedExit::Plain(Exit::Trapped(self.end_by_trap(TrapKind::UncaughtException, None)))
        }
    }

    /// By what a tag is known, by index; none when there is no such tag.
    pub(crate) fn tag(&self, tag: u32) -> Option<TagIdentity> {
        let contract = self.module().contract();
        match &self.exceptions {
            Some(exceptions) if contract.linked => *exceptions.tags.get(tag as usize)?,
            _ => ((tag as usize) < contract.tags.len()).then_some(TagIdentity(u64::from(tag))),
        }
    }

    pub(crate) fn exceptions_mut(&mut self) -> &mut Exceptions {
        self.exceptions.get_or_insert_default()
    }

    /// The exception that a reference of this instance names.
    pub fn exception(&self, reference: u64) -> Option<&Exception> {
        self.exceptions.as_ref()?.get(reference)
    }

    /// Keeps an exception until the instance ends; the reference to it, or `None` when there is no room for more, here or in the budget that it draws on.
    ///
    /// # Panics
    ///
    /// When what it carries does not fit its tag in this instance.
    pub fn keep_exception(&mut self, exception: Exception) -> Option<u64> {
        self.check_exception(&exception);
        self.keep(exception)
    }

    /// An embedder may pass an exception on, and with it references that mean something elsewhere; and it may have changed what that carries. What a handler
    /// finds in cells is decided by this instance's own tag, so that is what the payload must fit, whatever types it says it has.
    pub(crate) fn check_exception(&self, exception: &Exception) {
        let contract = self.module().contract();
        let own_tags = (0..contract.tags.len() as u32).filter(|tag| self.tag(*tag) == Some(exception.tag));
        for parameters in own_tags.map(|tag| contract.tag_parameters(tag).unwrap_or_default()) {
            assert_eq!(parameters.len(), exception.payload.len(), "an exception carries as many values as its tag has");
            let fits = parameters.iter().zip(&exception.payload).all(|(ty, (_, bits))| self.is_value(*ty, *bits));
            assert!(fits, "an exception carries a reference that the instance does not have");
        }
        let is_sound = exception.payload.iter().all(|(ty, bits)| self.is_value(*ty, *bits));
        assert!(is_sound, "an exception carries a reference that the instance does not have");
    }

    fn keep(&mut self, exception: Exception) -> Option<u64> {
        let bytes = exception.bytes() as u64;
        if !self.take_of_budget(bytes) {
            return None;
        }
        let kept = self.exceptions_mut().keep(exception);
        if kept.is_none() {
            self.give_back_to_budget(bytes);
        }
        kept
    }

    /// What the exceptions that it keeps take of the host's memory, in bytes.
    pub fn exceptions_bytes(&self) -> u64 {
        self.exceptions.as_ref().map_or(0, |exceptions| exceptions.bytes as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_count_from_one_and_what_is_kept_is_bounded() {
        let exception = |values: usize| Exception { tag: TagIdentity(3), payload: vec![(ValueType::I64, 7); values] };
        let mut exceptions = Exceptions::default();
        assert_eq!(exceptions.keep(exception(0)), Some(1));
        assert_eq!(exceptions.keep(exception(2)), Some(2));
        assert_eq!(exceptions.get(2), Some(&exception(2)));
        assert!(exceptions.get(0).is_none() && exceptions.get(3).is_none() && exceptions.get(u64::MAX).is_none());
        assert_eq!(exceptions.keep(exception(EXCEPTION_BYTES_MAX / 32)), None, "one that is too large for all");
        let kept = (0..EXCEPTION_BYTES_MAX).take_while(|_| exceptions.keep(exception(0)).is_some()).count();
        assert!(kept > 1000 && kept < EXCEPTION_BYTES_MAX / size_of::<Exception>(), "{kept}");
    }
}
