//! What keeps the stores, as the functions of this ABI ask it: entries, changes, and how a change turns out.

use std::fmt::Debug;
use std::task::Poll;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What an entry counts beside its key, value and metadata, in bytes.
const ENTRY_BYTES: usize = 64;

/// A value and what is kept with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvEntry {
    pub value: Bytes,
    pub metadata: String,
    /// Another number whenever the value is another one.
    pub generation: u64,
    pub expires_at_unix_ms: Option<u64>,
}

/// One thing that a program wants changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvChange {
    pub store: String,
    pub key: String,
    pub action: KvAction,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum KvAction {
    Insert(KvInsert),
    Delete,
}

/// What is put under a key, and on which terms.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvInsert {
    pub mode: KvMode,
    pub value: Bytes,
    pub metadata: String,
    pub expires_at_unix_ms: Option<u64>,
    /// Only if the key has this generation; 0: only if it is not there.
    pub if_generation: Option<u64>,
}

/// How an insertion goes about what is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum KvMode {
    #[default]
    Overwrite,
    /// Only where there is nothing.
    Add,
    Append,
    Prepend,
}

/// What an operation tells a program beside its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u32)]
pub enum KvError {
    NotFound = 3,
    PreconditionFailed = 4,
    /// The stores have no room for it.
    PayloadTooLarge = 5,
    Internal = 6,
    /// More is under way than is taken at once.
    TooManyRequests = 7,
}

/// The key-value stores that a program may open.
///
/// What is not known at once is [`Poll::Pending`]: the program waits, and its call is made again when something happened.
pub trait KvStores: Debug {
    /// What all stores may take together, in bytes.
    fn bytes_max(&self) -> u64;

    fn has_store(&self, store: &str) -> bool;

    /// What a key means now; pending while this program changes it.
    fn entry(&self, store: &str, key: &str) -> Poll<Result<Option<KvEntry>, KvError>>;

    /// Keys in order that begin with `prefix` and come after `after`, at most so many; pending while this program changes any of them.
    fn keys(&self, store: &str, prefix: &str, after: &str, count: usize) -> Poll<Result<Vec<String>, KvError>>;

    /// Begins a change, which gets a number.
    fn begin(&self, change: KvChange) -> u64;

    fn has_ended(&self, change: u64) -> bool;

    /// How a change ended, told once. `Ok`: it is kept, whatever happens to this process.
    fn end(&self, change: u64) -> Poll<Result<(), KvError>>;
}

impl KvEntry {
    pub fn is_alive(&self, now_unix_ms: u64) -> bool {
        self.expires_at_unix_ms.is_none_or(|at| at > now_unix_ms)
    }

    /// What it counts, in bytes.
    pub fn cost(&self, key: &str) -> u64 {
        (ENTRY_BYTES + key.len() + self.value.len() + self.metadata.len()) as u64
    }
}

impl KvChange {
    /// What it holds, in bytes.
    pub fn bytes(&self) -> usize {
        let held = match &self.action {
            KvAction::Insert(insert) => insert.value.len() + insert.metadata.len(),
            KvAction::Delete => 0,
        };
        self.store.len() + self.key.len() + held
    }
}

impl KvAction {
    /// What the key means after this, `None` for nothing, by what it meant before; an entry that has expired is to be left out.
    pub fn applied(self, before: Option<&KvEntry>, now_unix_ms: u64) -> Result<Option<KvEntry>, KvError> {
        let KvAction::Insert(insert) = self else {
            return before.map(|_| None).ok_or(KvError::NotFound);
        };
        let generation = before.map_or(0, |before| before.generation);
        if insert.if_generation.is_some_and(|expected| expected != generation) || (insert.mode == KvMode::Add && before.is_some()) {
            return Err(KvError::PreconditionFailed);
        }
        let kept = before.map(|before| before.value.clone()).unwrap_or_default();
        let value = match insert.mode {
            KvMode::Overwrite | KvMode::Add => insert.value,
            KvMode::Append => [kept, insert.value].concat().into(),
            KvMode::Prepend => [insert.value, kept].concat().into(),
        };
        // It grows with time, so that a key that was deleted and made again does not repeat itself.
        let generation = now_unix_ms.max(generation + 1);
        Ok(Some(KvEntry { value, metadata: insert.metadata, generation, expires_at_unix_ms: insert.expires_at_unix_ms }))
    }
}

pub(super) fn now_unix_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(value: &'static str) -> KvEntry {
        KvEntry { value: value.into(), metadata: String::new(), generation: 7, expires_at_unix_ms: None }
    }

    fn insert(mode: KvMode, if_generation: Option<u64>, before: Option<&KvEntry>) -> Result<(String, u64), KvError> {
        let insert = KvInsert { mode, value: "new".into(), if_generation, ..KvInsert::default() };
        let after = KvAction::Insert(insert).applied(before, 5)?.unwrap();
        Ok((String::from_utf8(after.value.into()).unwrap(), after.generation))
    }

    #[test]
    fn modes_and_generations_decide_what_is_put() {
        let old = entry("old");
        assert_eq!(insert(KvMode::Overwrite, None, Some(&old)), Ok(("new".into(), 8)));
        assert_eq!(insert(KvMode::Append, None, Some(&old)), Ok(("oldnew".into(), 8)));
        assert_eq!(insert(KvMode::Prepend, None, Some(&old)), Ok(("newold".into(), 8)));
        assert_eq!(insert(KvMode::Append, None, None), Ok(("new".into(), 5)));
        assert_eq!(insert(KvMode::Add, None, Some(&old)), Err(KvError::PreconditionFailed));
        assert_eq!(insert(KvMode::Add, None, None), Ok(("new".into(), 5)));
        assert_eq!(insert(KvMode::Overwrite, Some(7), Some(&old)), Ok(("new".into(), 8)));
        assert_eq!(insert(KvMode::Overwrite, Some(6), Some(&old)), Err(KvError::PreconditionFailed));
        assert_eq!(insert(KvMode::Overwrite, Some(0), None), Ok(("new".into(), 5)));
        assert_eq!(KvAction::Delete.applied(None, 5), Err(KvError::NotFound));
        assert_eq!(KvAction::Delete.applied(Some(&old), 5), Ok(None));
    }
}
