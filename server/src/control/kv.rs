//! What a gateway asks of key-value stores, and what it is told.
//!
//! The workshop answers in the order in which its database took changes, so what a gateway holds after a message is what the database held then.

use serde::{Deserialize, Serialize};
use vivarium_abi::{KvChange, KvEntry, KvError};

use super::messages::CallId;

#[derive(Debug, Serialize, Deserialize)]
pub enum KvAsk {
    /// All that the stores of a deployment hold.
    Contents { slug: String },
    /// Answered by [`KvTold::Ended`].
    Change { call: CallId, slug: String, change: KvChange },
    /// All that was told before [`KvTold::Mark`] of this number is known here.
    Heard { number: u64 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub enum KvTold {
    /// Or why it cannot be read.
    Contents {
        slug: String,
        kept: Result<Vec<KvKept>, KvError>,
    },
    Changed {
        slug: String,
        kept: KvKept,
    },
    /// Everything in this store is gone.
    Emptied {
        slug: String,
        store: String,
    },
    /// Answered by [`KvAsk::Heard`].
    Mark {
        number: u64,
    },
    /// What was changed is committed, and was told before this; or it was not done.
    Ended {
        call: CallId,
        result: Result<(), KvError>,
    },
}

/// What a key of a store means; `None`: nothing any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvKept {
    pub store: String,
    pub key: String,
    pub entry: Option<KvEntry>,
}
