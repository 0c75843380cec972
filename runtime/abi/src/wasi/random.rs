//! Randomness, from the system.

use std::time::Instant;

use super::{Errno, Pending, Stop};
use crate::answer::Wait;
use crate::guest::{Call, GuestPtr};

/// How much is filled at once; a longer buffer gives others a turn in between.
const CHUNK_BYTES_MAX: u64 = 256 << 10;

/// A buffer of which the rest is still to be filled.
#[derive(Debug)]
pub(crate) struct Filling {
    next: GuestPtr,
    left: u64,
}

pub(crate) fn random_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let filling = Filling { next: call.pointer(0), left: u64::from(call.u32(1)) };
    filling.next.check(call.instance, filling.left)?;
    filling.finish(call)
}

impl Filling {
    pub(crate) fn finish(self, call: &mut Call<'_>) -> Result<(), Stop> {
        let len = self.left.min(CHUNK_BYTES_MAX);
        let target = self.next.borrow_mut(call.instance, len)?;
        getrandom::fill(target).map_err(|_| Errno::Io)?;
        let rest = Filling { next: self.next.plus(len), left: self.left - len };
        if rest.left == 0 { Ok(()) } else { call.wait(Pending::Random(rest), Wait::Until(Instant::now())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Answer;
    use crate::testing::{Guest, call, check, host};

    #[test]
    fn exactly_the_buffer_is_filled() {
        let (mut host, mut guest) = (host(), Guest::with_memory(96));
        check(&mut host, &mut guest, "random_get", &[32, 32], 0);
        assert_eq!((&guest.memory[..32], &guest.memory[64..]), (&[0; 32][..], &[0; 32][..]));
        assert_ne!(guest.memory[32..64], [0; 32]);
        check(&mut host, &mut guest, "random_get", &[96, 0], 0);
        check(&mut host, &mut guest, "random_get", &[65, 32], 21);
        check(&mut host, &mut guest, "random_get", &[1, u64::from(u32::MAX)], 21);
    }

    #[test]
    fn a_long_buffer_is_filled_in_turns() {
        let chunk = CHUNK_BYTES_MAX as usize;
        let (mut host, mut guest) = (host(), Guest::with_memory(2 * chunk + 64));
        let mut answer = call(&mut host, &mut guest, "random_get", &[0, 2 * chunk as u64 + 32]);
        let mut turns = 0;
        while let Answer::Wait(_) = answer {
            turns += 1;
            answer = host.finish_wait(&mut guest);
        }
        assert_eq!((turns, answer), (2, Answer::value(0)));
        assert_ne!(guest.memory[2 * chunk..2 * chunk + 32], [0; 32]);
        assert_eq!(guest.memory[2 * chunk + 32..], [0; 32]);
    }
}
