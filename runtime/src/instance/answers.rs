//! What a hostcall that waits was given and is answered, and what a call has returned.

use super::{Instance, State};
use crate::activations::Awaited;
use crate::exceptions::Exception;
use crate::link::ForeignRequest;

impl Instance {
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
    pub(super) fn answer_each(&mut self, results: impl ExactSizeIterator<Item = u128> + Clone) {
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

    pub(super) fn check_answer(&self, results: impl ExactSizeIterator<Item = u128>) {
        let import = self.waiting_hostcall().unwrap_or_else(|| panic!("no hostcall waits: {:?}", self.state));
        let types = &self.shelf.module.contract().imports[import as usize].ty.results;
        assert_eq!(types.len(), results.len(), "results of import {import}");
        let fit = types.iter().zip(results).all(|(ty, bits)| self.is_value(*ty, bits));
        assert!(fit, "a result of import {import} is a reference to a function that the module does not have");
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
}
