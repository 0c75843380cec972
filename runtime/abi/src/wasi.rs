//! WASI preview 1: the functions, a file a family, and the convention in which they answer.
//!
//! A function reads its arguments, checks every range that it will touch, then acts, then writes its results (little endian). So a
//! call that answers EFAULT has changed nothing.

pub(crate) mod arguments;
pub(crate) mod clock;
pub(crate) mod descriptor;
mod errno;
pub(crate) mod file;
pub(crate) mod folder;
pub(crate) mod path;
pub(crate) mod poll;
pub(crate) mod process;
pub(crate) mod random;
mod rights;
pub(crate) mod stat;
pub(crate) mod transfer;

pub(crate) use descriptor::Descriptors;
pub use errno::Errno;

use crate::answer::{Answer, Wait};
use crate::guest::{BadAddress, Call};
use crate::host::Suspended;

/// A function of preview 1.
pub(crate) type Function = fn(&mut Call<'_>) -> Result<(), Stop>;

/// Why a function does not answer "success".
#[derive(Debug)]
pub(crate) enum Stop {
    /// The guest gets this number.
    Errno(Errno),
    /// The guest is not resumed now.
    Answer(Answer),
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Stop {
        Stop::Errno(errno)
    }
}

impl From<BadAddress> for Stop {
    fn from(BadAddress: BadAddress) -> Stop {
        Stop::Errno(Errno::Fault)
    }
}

/// What the guest gets.
pub(crate) fn answer(result: Result<(), Stop>) -> Answer {
    match result {
        Ok(()) => Answer::value(Errno::Success as u64),
        Err(Stop::Errno(errno)) => Answer::value(errno as u64),
        Err(Stop::Answer(answer)) => answer,
    }
}

/// A call that waits, with what it needs to go on.
#[derive(Debug)]
pub(crate) enum Pending {
    Poll(poll::Poll),
    Random(random::Filling),
}

impl Pending {
    pub(crate) fn finish(self, call: &mut Call<'_>) -> Result<(), Stop> {
        match self {
            Pending::Poll(poll) => poll.finish(call),
            Pending::Random(filling) => filling.finish(call),
        }
    }
}

impl Call<'_> {
    /// Leaves the call, to be finished after the wait.
    fn wait(&mut self, pending: Pending, wait: Wait) -> Result<(), Stop> {
        self.host.pending = Some(Suspended::Preview1(pending));
        Err(Stop::Answer(Answer::Wait(wait)))
    }
}
