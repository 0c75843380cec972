//! What the host answers to a call of a guest.

use std::time::Instant;

use crate::limit::LimitReached;

/// The answer to one hostcall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Hand these to the instance and resume it.
    Return(Values),
    /// Wait, let others run meanwhile, then ask [`crate::Host::finish_wait`] for the answer.
    Wait(Wait),
    /// The program ended itself with this exit code; the instance must not be resumed.
    Exit(u32),
    /// The program went beyond a limit; the instance must not be resumed.
    Limit(LimitReached),
    /// The host could not do its part; the instance must not be resumed. Never the guest's doing.
    Failed(HostFailure),
}

impl Answer {
    /// The answer of a function with one result.
    pub(crate) fn value(value: u64) -> Answer {
        Answer::Return(Values { first: Some(value) })
    }
}

/// What a function returns: no value or one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Values {
    first: Option<u64>,
}

impl Values {
    /// The values in order, each as the low half of a cell.
    pub fn as_slice(&self) -> &[u64] {
        self.first.as_slice()
    }
}

/// What a waiting guest waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Until this moment. One that is past means: give others a turn.
    Until(Instant),
    /// Until something happened that the host was told of (more of the visitor's body, room for more of the answer, …), or this moment.
    Event { until: Option<Instant> },
}

impl Wait {
    /// When it ends though nothing happens; `None`: never.
    pub fn until(self) -> Option<Instant> {
        match self {
            Wait::Until(moment) => Some(moment),
            Wait::Event { until } => until,
        }
    }
}

/// How host and runtime can disagree: a mistake of ours, told apart from anything that a guest does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostFailure {
    #[error("the program called import {import}, which its contract does not list; compile it again")]
    ImportOutOfRange { import: u32 },
    #[error("a wait was finished that had not begun; the run is given up")]
    NothingToWaitFor,
}
