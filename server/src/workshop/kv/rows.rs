//! Entries of key-value stores as rows. Run on the database's thread.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use vivarium_abi::{KvChange, KvEntry, KvError};

use crate::control::messages::KvKept;
use crate::control::settings::DEFAULT_KV_STORE;
use crate::workshop::deployments::KvStoreView;
use crate::workshop::deployments::store::KV;

/// What an entry counts, as [`KvEntry::cost`] has it.
const COST: &str = "64 + length(CAST(key AS BLOB)) + length(value) + length(CAST(metadata AS BLOB))";
const ALIVE: &str = "(expires_unix_ms IS NULL OR expires_unix_ms > ?)";

/// One thing to be done.
#[derive(Debug)]
pub enum Work {
    Read { slug: String },
    Change { slug: String, change: KvChange },
    Empty { slug: String, store: String },
}

/// How much is done at once.
#[derive(Debug, Clone, Copy)]
pub struct KeepLimits {
    /// What a deployment's stores may hold.
    pub kv_bytes_max: u64,
    /// After so much was found and changed nothing more is begun.
    pub bytes_max: u64,
}

/// What was found, or what changed by it.
pub type Kept = Result<Vec<KvKept>, KvError>;

/// Does it in its order, in one transaction, until what it found and changed is more than `bytes_max`. What is not allowed changes nothing, and the rest
/// goes on. What came of it, and what is left to be done.
pub fn keep(
    connection: &mut Connection,
    work: Vec<Work>,
    limits: KeepLimits,
    now_unix_ms: u64,
) -> rusqlite::Result<(Vec<Kept>, Vec<Work>)> {
    let transaction = connection.transaction()?;
    let (mut sizes, mut all, mut bytes) = (HashMap::new(), Vec::new(), 0);
    let mut work = work.into_iter();
    while bytes <= limits.bytes_max
        && let Some(one) = work.next()
    {
        let kept = match one {
            Work::Read { slug } => Ok(read(&transaction, &slug, now_unix_ms)?),
            Work::Change { slug, change } => {
                let kv_bytes_max = limits.kv_bytes_max;
                Changing { transaction: &transaction, sizes: &mut sizes, kv_bytes_max, now_unix_ms }.keep(&slug, change)?
            }
            Work::Empty { slug, store } => {
                sizes.remove(&slug);
                transaction.execute("DELETE FROM kv WHERE slug = ?1 AND store = ?2", [&slug, &store])?;
                Ok(vec![])
            }
        };
        bytes += kept.iter().flatten().map(told_bytes).sum::<u64>();
        all.push(kept);
    }
    transaction.commit()?;
    Ok((all, work.collect()))
}

/// What telling of it takes, about, in bytes.
fn told_bytes(kept: &KvKept) -> u64 {
    let entry = kept.entry.as_ref().map_or(kept.key.len() as u64, |entry| entry.cost(&kept.key));
    entry + kept.store.len() as u64
}

struct Changing<'a> {
    transaction: &'a Transaction<'a>,
    /// What the stores of deployments hold, in bytes.
    sizes: &'a mut HashMap<String, u64>,
    kv_bytes_max: u64,
    now_unix_ms: u64,
}

impl Changing<'_> {
    fn keep(&mut self, slug: &str, change: KvChange) -> rusqlite::Result<Kept> {
        let KvChange { store, key, action } = change;
        if !has_store(self.transaction, slug, &store, self.now_unix_ms)? {
            return Ok(Err(KvError::Internal));
        }
        let before = get(self.transaction, slug, &store, &key, self.now_unix_ms)?;
        let after = match action.applied(before.as_ref(), self.now_unix_ms) {
            Ok(after) => after,
            Err(error) => return Ok(Err(error)),
        };
        let cost = |entry: &Option<KvEntry>| entry.as_ref().map_or(0, |entry| entry.cost(&key));
        let (freed, taken) = (cost(&before), cost(&after));
        let mut bytes = self.bytes(slug)?;
        if taken > freed && bytes - freed + taken > self.kv_bytes_max {
            bytes = self.sweep(slug)?;
        }
        // What is smaller than before still goes in where there is too much.
        if taken > freed && bytes - freed + taken > self.kv_bytes_max {
            return Ok(Err(KvError::PayloadTooLarge));
        }
        match &after {
            Some(entry) => put(self.transaction, slug, &store, &key, entry)?,
            None => {
                self.transaction.execute("DELETE FROM kv WHERE slug = ?1 AND store = ?2 AND key = ?3", [slug, &store, &key])?;
            }
        }
        self.sizes.insert(slug.to_owned(), bytes - freed + taken);
        Ok(Ok(vec![KvKept { store, key, entry: after }]))
    }

    fn bytes(&mut self, slug: &str) -> rusqlite::Result<u64> {
        if let Some(bytes) = self.sizes.get(slug) {
            return Ok(*bytes);
        }
        // What has expired takes room until it is swept.
        let sum = format!("SELECT coalesce(sum({COST}), 0) FROM kv WHERE slug = ?");
        let bytes: i64 = self.transaction.prepare_cached(&sum)?.query_row([slug], |row| row.get(0))?;
        self.sizes.insert(slug.to_owned(), bytes.max(0) as u64);
        Ok(bytes.max(0) as u64)
    }

    /// Lets go what has expired; what is left, in bytes.
    fn sweep(&mut self, slug: &str) -> rusqlite::Result<u64> {
        self.transaction.execute("DELETE FROM kv WHERE slug = ?1 AND expires_unix_ms <= ?2", params![slug, self.now_unix_ms as i64])?;
        self.sizes.remove(slug);
        self.bytes(slug)
    }
}

/// Whether a deployment lives and has such a store.
fn has_store(connection: &Connection, slug: &str, store: &str, now_unix_ms: u64) -> rusqlite::Result<bool> {
    let lives = "SELECT EXISTS (SELECT 1 FROM deployments WHERE slug = ?1 AND expires_unix_ms > ?2)
                    AND (?3 = ?4 OR EXISTS (SELECT 1 FROM stores WHERE slug = ?1 AND kind = ?5 AND store = ?3))";
    let known = params![slug, now_unix_ms as i64, store, DEFAULT_KV_STORE, KV];
    connection.prepare_cached(lives)?.query_row(known, |row| row.get(0))
}

fn put(connection: &Connection, slug: &str, store: &str, key: &str, entry: &KvEntry) -> rusqlite::Result<()> {
    let row =
        params![slug, store, key, &entry.value[..], entry.metadata, entry.generation as i64, entry.expires_at_unix_ms.map(|at| at as i64)];
    connection.prepare_cached("INSERT OR REPLACE INTO kv VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?.execute(row).map(drop)
}

/// Everything that the stores of a deployment hold.
fn read(connection: &Connection, slug: &str, now_unix_ms: u64) -> rusqlite::Result<Vec<KvKept>> {
    let all = format!("SELECT value, metadata, generation, expires_unix_ms, store, key FROM kv WHERE slug = ? AND {ALIVE}");
    let mut statement = connection.prepare_cached(&all)?;
    let kept = |row: &Row<'_>| Ok(KvKept { store: row.get(4)?, key: row.get(5)?, entry: Some(entry(row)?) });
    statement.query_map(params![slug, now_unix_ms as i64], kept)?.collect()
}

pub fn get(connection: &Connection, slug: &str, store: &str, key: &str, now_unix_ms: u64) -> rusqlite::Result<Option<KvEntry>> {
    let one = format!("SELECT value, metadata, generation, expires_unix_ms FROM kv WHERE slug = ? AND store = ? AND key = ? AND {ALIVE}");
    connection.prepare_cached(&one)?.query_row(params![slug, store, key, now_unix_ms as i64], entry).optional()
}

/// Of the deployment, the store, the prefix, and what comes before.
pub fn keys(
    connection: &Connection,
    [slug, store, prefix, after]: [&str; 4],
    count: usize,
    now_unix_ms: u64,
) -> rusqlite::Result<Vec<String>> {
    let all = format!(
        "SELECT key FROM kv WHERE slug = ? AND store = ? AND key > ? AND substr(key, 1, length(?)) = ? AND {ALIVE} ORDER BY key LIMIT ?"
    );
    let named = params![slug, store, after, prefix, prefix, now_unix_ms as i64, count as i64];
    connection.prepare_cached(&all)?.query_map(named, |row| row.get(0))?.collect()
}

pub fn held(connection: &Connection, slug: &str, now_unix_ms: u64) -> rusqlite::Result<BTreeMap<String, KvStoreView>> {
    let sums = format!("SELECT store, count(*), sum({COST}) FROM kv WHERE slug = ? AND {ALIVE} GROUP BY store");
    let mut statement = connection.prepare_cached(&sums)?;
    let view = |row: &Row<'_>| {
        let (entries, bytes): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok((row.get(0)?, KvStoreView { entries: entries.max(0) as u64, bytes: bytes.max(0) as u64 }))
    };
    statement.query_map(params![slug, now_unix_ms as i64], view)?.collect()
}

fn entry(row: &Row<'_>) -> rusqlite::Result<KvEntry> {
    let (value, generation, expires): (Vec<u8>, i64, Option<i64>) = (row.get(0)?, row.get(2)?, row.get(3)?);
    Ok(KvEntry {
        value: Bytes::from(value),
        metadata: row.get(1)?,
        generation: generation.max(0) as u64,
        expires_at_unix_ms: expires.map(|at| at.max(0) as u64),
    })
}
