//! What changes a store: insertions, and deletions.

use super::{Done, KvEntry, KvError, key, now_unix_ms};
use crate::compute::arguments::{Out, number};
use crate::compute::body::Body;
use crate::compute::{Status, Stop};
use crate::guest::{Call, GuestInstance, GuestPtr};

const METADATA_BYTES_MAX: usize = 2000;

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
