//! A map that forgets what was not used for longest, bounded in entries and in bytes.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

#[derive(Debug)]
pub struct Recent<K, V> {
    entries: HashMap<K, (V, usize)>,
    /// Least recently used first.
    order: VecDeque<K>,
    bytes: usize,
    entries_max: usize,
    bytes_max: usize,
}

impl<K: Hash + Eq + Clone, V> Recent<K, V> {
    pub fn new(entries_max: usize, bytes_max: usize) -> Recent<K, V> {
        Recent { entries: HashMap::new(), order: VecDeque::new(), bytes: 0, entries_max, bytes_max }
    }

    /// Keeps a value that takes about that many bytes, and forgets others until it fits.
    pub fn insert(&mut self, key: K, value: V, bytes: usize) {
        self.remove(&key);
        while !self.order.is_empty() && (self.order.len() >= self.entries_max || self.bytes + bytes > self.bytes_max) {
            let Some(oldest) = self.order.front().cloned() else { break };
            self.remove(&oldest);
        }
        self.bytes += bytes;
        self.order.push_back(key.clone());
        self.entries.insert(key, (value, bytes));
    }

    /// The value, which counts as used now.
    pub fn get(&mut self, key: &K) -> Option<&V> {
        let place = self.order.iter().position(|known| known == key)?;
        if let Some(key) = self.order.remove(place) {
            self.order.push_back(key);
        }
        self.entries.get(key).map(|(value, _)| value)
    }

    fn remove(&mut self, key: &K) {
        if let Some((_, bytes)) = self.entries.remove(key) {
            self.bytes -= bytes;
            self.order.retain(|known| known != key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let mut recent = Recent::new(2, 100);
        recent.insert("a", 1, 10);
        recent.insert("b", 2, 10);
        assert_eq!(recent.get(&"a"), Some(&1));
        recent.insert("c", 3, 10);
        assert_eq!((recent.get(&"a").copied(), recent.get(&"b").copied()), (Some(1), None));
    }

    #[test]
    fn bytes_are_bounded_too_and_replacing_counts_once() {
        let mut recent = Recent::new(10, 100);
        recent.insert("a", 1, 60);
        recent.insert("a", 2, 60);
        assert_eq!((recent.get(&"a").copied(), recent.bytes), (Some(2), 60));
        recent.insert("b", 3, 60);
        assert_eq!((recent.get(&"a").copied(), recent.get(&"b").copied()), (None, Some(3)));
    }
}
