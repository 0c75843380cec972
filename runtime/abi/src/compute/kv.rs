//! Key-value stores: looked up and changed by handles to operations that are done when they begin.
//!
//! ```text
//! Stores.kv (as it was when the request began) ◄── KvChanges (what this request changed) ──► the server, which keeps it
//! ```
//! A request sees its own changes at once.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::arguments::{Buffer, Out, number, text};
use super::body::Body;
use super::stores::StoreRef;
use super::world::World;
use super::{Status, Stop, bodies};
use crate::guest::{Call, GuestInstance, GuestPtr};

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
const METADATA_BYTES_MAX: usize = 2000;
/// What one request may write, in bytes and in changes.
const CHANGED_BYTES_MAX: u64 = 16 << 20;
const CHANGES_MAX: usize = 10_000;
const LISTED_DEFAULT: u32 = 100;
const LISTED_MAX: u32 = 1_000;

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

/// How an insertion goes about what is there.
const MODE_OVERWRITE: u32 = 0;
const MODE_ADD: u32 = 1;
const MODE_APPEND: u32 = 2;
const MODE_PREPEND: u32 = 3;

/// Which of an insertion's options are given.
const HAS_METADATA: u32 = 1 << 3;
const HAS_TIME_TO_LIVE: u32 = 1 << 4;
const HAS_GENERATION: u32 = 1 << 5;
const INSERT_OPTIONS_BYTES: u64 = 32;

/// Options of an insertion, as they lie in memory: mode, unused, metadata and its length, time to live, (padding), generation.
#[derive(Debug, Default)]
struct InsertOptions {
    mode: u32,
    metadata: String,
    time_to_live_seconds: Option<u32>,
    generation: Option<u64>,
}

impl InsertOptions {
    fn read(instance: &dyn GuestInstance, n: u32) -> Result<InsertOptions, Stop> {
        let mask = number(instance, n);
        let place = GuestPtr::alleged(number(instance, n + 1));
        let raw = place.read(instance, INSERT_OPTIONS_BYTES)?;
        let field = |at: usize| u32::from_le_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]]);
        let mut options = InsertOptions { mode: field(0), ..InsertOptions::default() };
        if mask & HAS_METADATA != 0 {
            let bytes = GuestPtr::alleged(field(8)).read(instance, u64::from(field(12)))?;
            if bytes.len() > METADATA_BYTES_MAX {
                return Err(Status::Inval.into());
            }
            options.metadata = std::str::from_utf8(bytes).map_err(|_| Status::Inval)?.to_owned();
        }
        options.time_to_live_seconds = (mask & HAS_TIME_TO_LIVE != 0).then(|| field(16));
        options.generation = (mask & HAS_GENERATION != 0).then(|| u64::from(field(24)) | u64::from(field(28)) << 32);
        Ok(options)
    }
}

pub(crate) fn insert(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::<4>::at(call.instance, 6)?;
    let options = InsertOptions::read(call.instance, 4)?;
    let error = put(call, options)?;
    let handle = call.host.compute.handles.insert(Done { error, listed: None })?;
    out.set_u32(call.instance, handle)
}

/// The older insertion, which overwrites and answers at once.
pub(crate) fn insert_v1(call: &mut Call<'_>) -> Result<(), Stop> {
    match put(call, InsertOptions::default())? {
        KvError::Ok => Ok(()),
        _ => Err(Status::LimitExceeded.into()),
    }
}

pub(crate) fn insert_async_v1(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::<4>::at(call.instance, 4)?;
    let error = put(call, InsertOptions::default())?;
    let handle = call.host.compute.handles.insert(Done { error, listed: None })?;
    out.set_u32(call.instance, handle)
}

/// Puts a body under a key. A body that is still arriving is waited for.
fn put(call: &mut Call<'_>, options: InsertOptions) -> Result<KvError, Stop> {
    let key = key(call.instance, 1)?.to_owned();
    let body = number(call.instance, 3);
    let world = &mut call.host.compute;
    let store = world.store(number(call.instance, 0))?.to_owned();
    let visitor = world.exchange.visitor_mut();
    let complete = world.handles.change(body, |body: &mut Body| {
        body.gather(visitor);
        Ok(body.is_complete(visitor))
    })?;
    if !complete {
        return Err(Stop::Wait(None));
    }
    let body = world.handles.take::<Body>(body)?;
    let value = body.into_bytes(world.exchange.visitor_mut())?;
    let before = world.entry(&store, &key);
    let generation_now = before.map_or(0, |before| before.generation);
    if options.generation.is_some_and(|expected| expected != generation_now) || (options.mode == MODE_ADD && before.is_some()) {
        return Ok(KvError::PreconditionFailed);
    }
    let before = before.map(|before| before.value.clone()).unwrap_or_default();
    let value = match options.mode {
        MODE_OVERWRITE | MODE_ADD => value,
        MODE_APPEND => [before, value].concat().into(),
        MODE_PREPEND => [value, before].concat().into(),
        _ => return Err(Status::Inval.into()),
    };
    let expires_at_unix_ms = options.time_to_live_seconds.map(|seconds| now_unix_ms() + u64::from(seconds) * 1000);
    let entry = KvEntry { value, metadata: options.metadata, generation: next_generation(generation_now), expires_at_unix_ms };
    Ok(world.kv.change(store, key, Some(entry)).err().unwrap_or(KvError::Ok))
}

/// Grows with time, so that a key that was deleted and made again does not repeat itself.
fn next_generation(before: u64) -> u64 {
    now_unix_ms().max(before + 1)
}

pub(crate) fn delete(call: &mut Call<'_>) -> Result<(), Stop> {
    begin_delete(call, 5)
}

pub(crate) fn delete_async_v1(call: &mut Call<'_>) -> Result<(), Stop> {
    begin_delete(call, 3)
}

fn begin_delete(call: &mut Call<'_>, out: u32) -> Result<(), Stop> {
    let out = Out::<4>::at(call.instance, out)?;
    let key = key(call.instance, 1)?.to_owned();
    let world = &mut call.host.compute;
    let store = world.store(number(call.instance, 0))?.to_owned();
    let error = match world.entry(&store, &key) {
        Some(_) => world.kv.change(store, key, None).err().unwrap_or(KvError::Ok),
        None => KvError::NotFound,
    };
    let handle = world.handles.insert(Done { error, listed: None })?;
    out.set_u32(call.instance, handle)
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

/// Which of a listing's options are given, and how long they lie in memory: mode, cursor and its length, limit, prefix and its length.
const HAS_CURSOR: u32 = 1 << 1;
const HAS_LIMIT: u32 = 1 << 2;
const HAS_PREFIX: u32 = 1 << 3;
const LIST_OPTIONS_BYTES: u64 = 24;

pub(crate) fn list(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::<4>::at(call.instance, 3)?;
    let mask = number(call.instance, 1);
    let raw = bytes_at(call.instance, 2, LIST_OPTIONS_BYTES)?;
    let field = |at: usize| u32::from_le_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]]);
    let given = |flag: u32, at: usize| -> Result<&str, Stop> {
        if mask & flag == 0 {
            return Ok("");
        }
        let bytes = GuestPtr::alleged(field(at)).read(call.instance, u64::from(field(at + 4)))?;
        Ok(std::str::from_utf8(bytes).map_err(|_| Status::Inval)?)
    };
    let (cursor, prefix) = (given(HAS_CURSOR, 4)?, given(HAS_PREFIX, 16)?);
    let limit = if mask & HAS_LIMIT == 0 { LISTED_DEFAULT } else { field(12).clamp(1, LISTED_MAX) };
    let world = &mut call.host.compute;
    let keys = world.keys(world.store(number(call.instance, 0))?, prefix, cursor, limit as usize);
    let listed = page(&keys, prefix, limit);
    let handle = world.handles.insert(Done { error: KvError::Ok, listed: Some(listed) })?;
    out.set_u32(call.instance, handle)
}

fn bytes_at(instance: &dyn GuestInstance, n: u32, len: u64) -> Result<&[u8], Stop> {
    Ok(GuestPtr::alleged(number(instance, n)).read(instance, len)?)
}

pub(crate) fn list_wait(call: &mut Call<'_>) -> Result<(), Stop> {
    let (out, error) = (Out::<4>::at(call.instance, 1)?, Out::<4>::at(call.instance, 2)?);
    let handle = number(call.instance, 0);
    if call.host.compute.handles.get::<Done>(handle)?.listed.is_none() {
        return Err(Status::BadHandle.into());
    }
    let done = call.host.compute.handles.take::<Done>(handle)?;
    let body = bodies::insert(call, done.listed.unwrap_or_default().into())?;
    out.set_u32(call.instance, body)?;
    error.set_u32(call.instance, done.error as u32)
}

/// One page of keys as guests read it; the cursor is the last key, when there are more.
fn page(keys: &[String], prefix: &str, limit: u32) -> String {
    let listed = &keys[..keys.len().min(limit as usize)];
    let data: Vec<String> = listed.iter().map(|key| json_string(key)).collect();
    let mut meta = format!("\"limit\":{limit}");
    if !prefix.is_empty() {
        meta.push_str(&format!(",\"prefix\":{}", json_string(prefix)));
    }
    if let (true, Some(last)) = (keys.len() > listed.len(), listed.last()) {
        meta.push_str(&format!(",\"next_cursor\":{}", json_string(last)));
    }
    format!("{{\"data\":[{}],\"meta\":{{{meta}}}}}", data.join(","))
}

fn json_string(text: &str) -> String {
    let mut json = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            control if control.is_control() => json.push_str(&format!("\\u{:04x}", control as u32)),
            other => json.push(other),
        }
    }
    json.push('"');
    json
}
