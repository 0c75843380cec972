//! Key-value stores: looked up and changed by handles to operations that are done when they begin.
//!
//! ```text
//! Stores.kv (as it was when the request began) ◄── KvChanges (what this request changed) ──► the server, which keeps it
//! ```
//! A request sees its own changes at once.

mod listing;
mod writing;

use std::collections::BTreeMap;

use bytes::Bytes;

use super::arguments::{Buffer, Out, number, text};
use super::stores::StoreRef;
use super::world::World;
use super::{Status, Stop, bodies};
use crate::guest::{Call, GuestInstance};

pub(crate) use listing::{list, list_wait};
pub(crate) use writing::{delete, delete_async_v1, insert, insert_async_v1, insert_v1};

/// A value and what is kept with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvEntry {
    pub value: Bytes,
    pub metadata: String,
    /// Another number whenever the value is another one.
    pub generation: u64,
    pub expires_at_unix_ms: Option<u64>,
}

/// One thing that a request changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvChange {
    pub store: String,
    pub key: String,
    /// `None`: it was deleted.
    pub entry: Option<KvEntry>,
}

/// What this request changed, the latest of each key.
#[derive(Debug, Default)]
pub(crate) struct KvChanges {
    entries: BTreeMap<(String, String), Option<KvEntry>>,
    unsaved: Vec<KvChange>,
    bytes: u64,
}

/// A longer key is refused, in bytes.
const KEY_BYTES_MAX: usize = 1024;
/// What one request may write, in bytes and in changes.
const CHANGED_BYTES_MAX: u64 = 16 << 20;
const CHANGES_MAX: usize = 10_000;

/// What an operation tells beside its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum KvError {
    Ok = 1,
    NotFound = 3,
    PreconditionFailed = 4,
    PayloadTooLarge = 5,
}

/// A look-up: what was found.
#[derive(Debug)]
pub(crate) struct Lookup {
    found: Option<KvEntry>,
}

impl Lookup {
    pub(super) fn cost(&self) -> u64 {
        self.found.as_ref().map_or(0, |found| (found.value.len() + found.metadata.len()) as u64)
    }
}

/// An insertion, deletion or listing that is done.
#[derive(Debug)]
pub(crate) struct Done {
    error: KvError,
    listed: Option<String>,
}

impl KvChanges {
    /// What was changed since the last take.
    pub(crate) fn take(&mut self) -> Vec<KvChange> {
        std::mem::take(&mut self.unsaved)
    }

    fn change(&mut self, store: String, key: String, entry: Option<KvEntry>) -> Result<(), KvError> {
        let bytes = (store.len() + key.len()) as u64 + entry.as_ref().map_or(0, |entry| (entry.value.len() + entry.metadata.len()) as u64);
        if self.bytes + bytes > CHANGED_BYTES_MAX || self.unsaved.len() >= CHANGES_MAX {
            return Err(KvError::PayloadTooLarge);
        }
        self.bytes += bytes;
        self.unsaved.push(KvChange { store: store.clone(), key: key.clone(), entry: entry.clone() });
        self.entries.insert((store, key), entry);
        Ok(())
    }
}

fn now_unix_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

impl KvEntry {
    fn is_alive(&self) -> bool {
        self.expires_at_unix_ms.is_none_or(|at| at > now_unix_ms())
    }
}

impl World {
    fn store(&self, handle: u32) -> Result<&str, Status> {
        match self.handles.get(handle)? {
            StoreRef::Kv(name) => Ok(name),
            StoreRef::Config(_) | StoreRef::Secrets(_) => Err(Status::BadHandle),
        }
    }

    fn entry(&self, store: &str, key: &str) -> Option<&KvEntry> {
        let entry = match self.kv.entries.get(&(store.to_owned(), key.to_owned())) {
            Some(changed) => changed.as_ref(),
            None => self.stores.kv.get(store).and_then(|store| store.get(key)),
        };
        entry.filter(|entry| entry.is_alive())
    }

    /// Keys of a store in order, after a cursor, at most so many and one.
    fn keys(&self, store: &str, prefix: &str, after: &str, count: usize) -> Vec<String> {
        let kept = self.stores.kv.get(store).into_iter().flat_map(|store| store.keys());
        let changed = self.kv.entries.keys().filter(|(changed, _)| changed == store).map(|(_, key)| key);
        let mut keys: Vec<&String> = kept.chain(changed).filter(|key| key.starts_with(prefix) && key.as_str() > after).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter().filter(|key| self.entry(store, key).is_some()).take(count + 1).cloned().collect()
    }
}

pub(crate) fn open(call: &mut Call<'_>) -> Result<(), Stop> {
    let name = text(call.instance, 0)?;
    let out = Out::<4>::at(call.instance, 2)?;
    let world = &mut call.host.compute;
    if !world.stores.kv.contains_key(name) {
        return Err(Status::Inval.into());
    }
    let handle = world.handles.insert(StoreRef::Kv(name.to_owned()))?;
    out.set_u32(call.instance, handle)
}

fn key(instance: &dyn GuestInstance, n: u32) -> Result<&str, Stop> {
    let key = text(instance, n)?;
    let allowed = (1..=KEY_BYTES_MAX).contains(&key.len()) && !key.contains(['\r', '\n']) && key != "." && key != "..";
    if allowed { Ok(key) } else { Err(Status::Inval.into()) }
}

fn found(call: &Call<'_>) -> Result<Option<KvEntry>, Stop> {
    let world = &call.host.compute;
    Ok(world.entry(world.store(number(call.instance, 0))?, key(call.instance, 1)?).cloned())
}

/// Begins a look-up. What options there are have no meaning here.
pub(crate) fn lookup(call: &mut Call<'_>) -> Result<(), Stop> {
    begin_lookup(call, 5)
}

pub(crate) fn lookup_async_v1(call: &mut Call<'_>) -> Result<(), Stop> {
    begin_lookup(call, 3)
}

fn begin_lookup(call: &mut Call<'_>, out: u32) -> Result<(), Stop> {
    let out = Out::<4>::at(call.instance, out)?;
    let found = found(call)?;
    let handle = call.host.compute.handles.insert(Lookup { found })?;
    out.set_u32(call.instance, handle)
}

/// The older look-up, which answers at once.
pub(crate) fn lookup_v1(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::<4>::at(call.instance, 3)?;
    let found = found(call)?.ok_or(Status::None)?;
    let handle = bodies::insert(call, found.value)?;
    out.set_u32(call.instance, handle)
}

pub(crate) fn lookup_wait_v1(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::<4>::at(call.instance, 1)?;
    let found = call.host.compute.handles.take::<Lookup>(number(call.instance, 0))?.found.ok_or(Status::None)?;
    let handle = bodies::insert(call, found.value)?;
    out.set_u32(call.instance, handle)
}

/// The generation as 32 bits: what these are too few for is cut off.
pub(crate) fn lookup_wait(call: &mut Call<'_>) -> Result<(), Stop> {
    let generation = Out::<4>::at(call.instance, 5)?;
    end_lookup(call, |call, found| generation.set_u32(call.instance, found.generation as u32))
}

pub(crate) fn lookup_wait_v2(call: &mut Call<'_>) -> Result<(), Stop> {
    let generation = Out::<8>::at(call.instance, 5)?;
    end_lookup(call, |call, found| generation.set_u64(call.instance, found.generation))
}

fn end_lookup(call: &mut Call<'_>, set_generation: impl FnOnce(&mut Call<'_>, &KvEntry) -> Result<(), Stop>) -> Result<(), Stop> {
    let body = Out::<4>::at(call.instance, 1)?;
    let metadata = Buffer::at(call.instance, 2)?;
    let error = Out::<4>::at(call.instance, 6)?;
    let handle = number(call.instance, 0);
    let world = &mut call.host.compute;
    if let Some(found) = &world.handles.get::<Lookup>(handle)?.found
        && found.metadata.len() > metadata.len as usize
    {
        return metadata.fill(call.instance, found.metadata.as_bytes());
    }
    let Some(found) = world.handles.take::<Lookup>(handle)?.found else {
        metadata.written.set_u32(call.instance, 0)?;
        return error.set_u32(call.instance, KvError::NotFound as u32);
    };
    let value = bodies::insert(call, found.value.clone())?;
    body.set_u32(call.instance, value)?;
    metadata.fill(call.instance, found.metadata.as_bytes())?;
    set_generation(call, &found)?;
    error.set_u32(call.instance, KvError::Ok as u32)
}

/// The end of an insertion or a deletion.
pub(crate) fn done_wait(call: &mut Call<'_>) -> Result<(), Stop> {
    let error = Out::<4>::at(call.instance, 1)?;
    let done = call.host.compute.handles.take::<Done>(number(call.instance, 0))?;
    error.set_u32(call.instance, done.error as u32)
}

pub(crate) fn delete_wait_v1(call: &mut Call<'_>) -> Result<(), Stop> {
    match call.host.compute.handles.take::<Done>(number(call.instance, 0))?.error {
        KvError::Ok => Ok(()),
        _ => Err(Status::None.into()),
    }
}
