//! Ending and yielding.

use super::Stop;
use crate::answer::Answer;
use crate::guest::Call;

pub(crate) fn proc_exit(call: &mut Call<'_>) -> Result<(), Stop> {
    Err(Stop::Answer(Answer::Exit(call.u32(0))))
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
    }
}
