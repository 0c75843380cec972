//! Ending and yielding.

use super::{Errno, Stop};
use crate::answer::Answer;
use crate::guest::Call;

pub(crate) fn proc_exit(call: &mut Call<'_>) -> Result<(), Stop> {
    Err(Stop::Answer(Answer::Exit(call.u32(0))))
}

/// How a shell tells of a program that a signal ended: this and the signal's number.
const SIGNALLED: u32 = 128;
/// The specification's signals, up to `sys`.
const SIGNALS_MAX: u32 = 30;
/// Those that end nothing unless somebody asks: none, chld, cont, urg, winch.
const IGNORED: [u32; 5] = [0, 16, 17, 22, 27];

/// No program can ask for a signal to be handled, so each does what it does by default.
pub(crate) fn proc_raise(call: &mut Call<'_>) -> Result<(), Stop> {
    match call.u32(0) {
        ignored if IGNORED.contains(&ignored) => Ok(()),
        signal if signal <= SIGNALS_MAX => Err(Stop::Answer(Answer::Exit(SIGNALLED + signal))),
        _ => Err(Errno::Inval.into()),
    }
}

/// An instance is one thread, and its slices end without its doing.
pub(crate) fn sched_yield(_call: &mut Call<'_>) -> Result<(), Stop> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::answer::Answer;
    use crate::testing::{Guest, call, check, host};

    #[test]
    fn exit_carries_the_code() {
        let mut guest = Guest::with_memory(0);
        assert_eq!(call(&mut host(), &mut guest, "proc_exit", &[0]), Answer::Exit(0));
        assert_eq!(call(&mut host(), &mut guest, "proc_exit", &[0xFFFF_FFFF_0000_0003]), Answer::Exit(3));
        check(&mut host(), &mut guest, "sched_yield", &[], 0);
        assert_eq!(call(&mut host(), &mut guest, "proc_raise", &[6]), Answer::Exit(134));
        check(&mut host(), &mut guest, "proc_raise", &[0], 0);
        check(&mut host(), &mut guest, "proc_raise", &[31], 28);
    }
}
