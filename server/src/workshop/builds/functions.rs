//! Code of functions that programs of one owner left, for the next compilation of the same owner: never for anybody else's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::recent::Recent;
use crate::limits::Limits;
use crate::workshop::identifiers::TokenHash;

/// What is kept, by owner; who was not heard of for longest is forgotten first.
pub struct OwnFunctions {
    packs: Mutex<Recent<TokenHash, Arc<[u8]>>>,
}

impl OwnFunctions {
    pub fn new(limits: &Limits) -> OwnFunctions {
        OwnFunctions { packs: Mutex::new(Recent::new(limits.function_cache_owners_max, limits.function_cache_bytes_max)) }
    }

    /// Empty when nothing is known.
    pub fn of(&self, owner: Option<TokenHash>) -> Arc<[u8]> {
        owner.and_then(|owner| self.packs().get(&owner).cloned()).unwrap_or_default()
    }

    pub fn keep(&self, owner: TokenHash, pack: Arc<[u8]>) {
        let bytes = pack.len();
        self.packs().insert(owner, pack, bytes);
    }

    fn packs(&self) -> MutexGuard<'_, Recent<TokenHash, Arc<[u8]>>> {
        self.packs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_given_what_another_left() {
        let functions = OwnFunctions::new(&Limits { function_cache_owners_max: 2, ..Limits::default() });
        let [fern, moss, oak] = ["fern", "moss", "oak"].map(TokenHash::of);
        functions.keep(fern, [1].into());
        functions.keep(moss, [2].into());
        assert_eq!((&*functions.of(Some(fern)), &*functions.of(Some(oak)), &*functions.of(None)), (&[1][..], &[][..], &[][..]));
        functions.keep(oak, [3].into());
        assert_eq!((&*functions.of(Some(fern)), &*functions.of(Some(moss))), (&[1][..], &[][..]), "who was heard of stays");
    }
}
