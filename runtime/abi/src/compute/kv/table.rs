//! Stores in memory: what a server keeps at hand of a deployment's, and all that a program has that is run once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::task::Poll;

use super::keeping::{KvChange, KvEntry, KvError, KvStores, now_unix_ms};

/// Entries by store and key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KvTable {
    stores: BTreeMap<String, BTreeMap<String, KvEntry>>,
    bytes: u64,
}

impl KvTable {
    /// What a key means at this moment.
    pub fn get(&self, store: &str, key: &str, now_unix_ms: u64) -> Option<&KvEntry> {
        self.stores.get(store)?.get(key).filter(|entry| entry.is_alive(now_unix_ms))
    }

    /// Gives a key a meaning, or none.
    pub fn set(&mut self, store: &str, key: &str, entry: Option<KvEntry>) {
        let entries = match self.stores.get_mut(store) {
            Some(entries) => entries,
            None => self.stores.entry(store.to_owned()).or_default(),
        };
        self.bytes += entry.as_ref().map_or(0, |entry| entry.cost(key));
        let before = match entry {
            Some(entry) => entries.insert(key.to_owned(), entry),
            None => entries.remove(key),
        };
        self.bytes -= before.map_or(0, |before| before.cost(key));
    }

    pub fn remove_store(&mut self, store: &str) {
        let entries = self.stores.remove(store).unwrap_or_default();
        self.bytes -= entries.iter().map(|(key, entry)| entry.cost(key)).sum::<u64>();
    }

    /// Lets go what has expired.
    pub fn sweep(&mut self, now_unix_ms: u64) {
        for entries in self.stores.values_mut() {
            entries.retain(|key, entry| {
                let alive = entry.is_alive(now_unix_ms);
                self.bytes -= if alive { 0 } else { entry.cost(key) };
                alive
            });
        }
    }

    /// Keys in order that begin with `prefix` and come after `after`, at most so many.
    pub fn keys(&self, store: &str, prefix: &str, after: &str, count: usize, now_unix_ms: u64) -> Vec<String> {
        let first = if after < prefix { Bound::Included(prefix) } else { Bound::Excluded(after) };
        let Some(entries) = self.stores.get(store) else { return Vec::new() };
        let named = entries.range::<str, _>((first, Bound::Unbounded)).take_while(|(key, _)| key.starts_with(prefix));
        named.filter(|(_, entry)| entry.is_alive(now_unix_ms)).map(|(key, _)| key.clone()).take(count).collect()
    }

    /// What all entries count, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Stores that end with the program that has them.
#[derive(Debug)]
pub struct MemoryKv {
    names: Vec<String>,
    bytes_max: u64,
    table: RefCell<KvTable>,
    ended: RefCell<Vec<Option<Result<(), KvError>>>>,
}

impl MemoryKv {
    /// Empty stores of these names.
    pub fn new(names: impl IntoIterator<Item = String>, bytes_max: u64) -> MemoryKv {
        MemoryKv { names: names.into_iter().collect(), bytes_max, table: RefCell::default(), ended: RefCell::default() }
    }

    /// The same with an entry.
    pub fn with(self, store: &str, key: &str, entry: KvEntry) -> MemoryKv {
        self.table.borrow_mut().set(store, key, Some(entry));
        self
    }

    /// What a key means now.
    pub fn now(&self, store: &str, key: &str) -> Option<KvEntry> {
        self.table.borrow().get(store, key, now_unix_ms()).cloned()
    }

    fn change(&self, change: KvChange) -> Result<(), KvError> {
        let (now, mut table) = (now_unix_ms(), self.table.borrow_mut());
        let before = table.get(&change.store, &change.key, now);
        let freed = before.map_or(0, |before| before.cost(&change.key));
        let after = change.action.applied(before, now)?;
        let taken = after.as_ref().map_or(0, |after| after.cost(&change.key));
        if table.bytes() - freed + taken > self.bytes_max {
            table.sweep(now);
            // The key itself may have been swept: then nothing of it is freed any more.
            let freed = table.get(&change.store, &change.key, now).map_or(0, |before| before.cost(&change.key));
            if taken > freed && table.bytes() - freed + taken > self.bytes_max {
                return Err(KvError::PayloadTooLarge);
            }
        }
        table.set(&change.store, &change.key, after);
        Ok(())
    }
}

impl KvStores for MemoryKv {
    fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    fn has_store(&self, store: &str) -> bool {
        self.names.iter().any(|name| name == store)
    }

    fn entry(&self, store: &str, key: &str) -> Poll<Result<Option<KvEntry>, KvError>> {
        Poll::Ready(Ok(self.now(store, key)))
    }

    fn keys(&self, store: &str, prefix: &str, after: &str, count: usize) -> Poll<Result<Vec<String>, KvError>> {
        Poll::Ready(Ok(self.table.borrow().keys(store, prefix, after, count, now_unix_ms())))
    }

    fn begin(&self, change: KvChange) -> u64 {
        let ended = self.change(change);
        let mut all = self.ended.borrow_mut();
        all.push(Some(ended));
        all.len() as u64 - 1
    }

    fn has_ended(&self, _: u64) -> bool {
        true
    }

    fn end(&self, change: u64) -> Poll<Result<(), KvError>> {
        let ended = usize::try_from(change).ok().and_then(|change| self.ended.borrow_mut().get_mut(change)?.take());
        Poll::Ready(ended.unwrap_or(Err(KvError::Internal)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::kv::{KvAction, KvInsert};

    fn entry(value: &'static str, expires_at_unix_ms: Option<u64>) -> KvEntry {
        KvEntry { value: value.into(), metadata: String::new(), generation: 1, expires_at_unix_ms }
    }

    #[test]
    fn keys_come_in_order_a_page_at_a_time_and_without_what_expired() {
        let mut table = KvTable::default();
        for (key, expires) in [("b/2", None), ("a", None), ("b/1", Some(10)), ("b/3", Some(20)), ("c", None)] {
            table.set("s", key, Some(entry("x", expires)));
        }
        assert_eq!(table.keys("s", "", "", 9, 0), ["a", "b/1", "b/2", "b/3", "c"]);
        assert_eq!(table.keys("s", "b/", "", 9, 10), ["b/2", "b/3"]);
        assert_eq!(table.keys("s", "b/", "b/2", 9, 10), ["b/3"]);
        assert_eq!(table.keys("s", "", "a", 2, 0), ["b/1", "b/2"]);
        assert!(table.keys("other", "", "", 9, 0).is_empty());
    }

    #[test]
    fn what_entries_count_is_given_back() {
        let mut table = KvTable::default();
        table.set("s", "a", Some(entry("12345", None)));
        table.set("s", "b", Some(entry("1", Some(10))));
        assert_eq!(table.bytes(), 2 * 64 + 2 + 6);
        table.set("s", "a", Some(entry("1", None)));
        table.sweep(10);
        assert_eq!(table.bytes(), 64 + 2);
        table.remove_store("s");
        assert_eq!((table.bytes(), table.get("s", "a", 0)), (0, None));
    }

    #[test]
    fn a_full_store_refuses_and_takes_again_what_is_smaller() {
        let kv = MemoryKv::new(["s".to_owned()], 100);
        let put = |key: &str, len: usize| {
            let insert = KvInsert { value: vec![b'x'; len].into(), ..KvInsert::default() };
            kv.end(kv.begin(KvChange { store: "s".into(), key: key.into(), action: KvAction::Insert(insert) }))
        };
        assert_eq!(put("a", 35), Poll::Ready(Ok(())));
        assert_eq!(put("b", 0), Poll::Ready(Err(KvError::PayloadTooLarge)));
        assert_eq!(put("a", 36), Poll::Ready(Err(KvError::PayloadTooLarge)));
        assert_eq!(put("a", 3), Poll::Ready(Ok(())));
        assert_eq!(kv.now("s", "a").unwrap().value, "xxx");
    }
}
