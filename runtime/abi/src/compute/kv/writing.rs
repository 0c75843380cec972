//! What changes a store: insertions, and deletions.

use std::task::Poll;

use super::keeping::now_unix_ms;
use super::{Change, KV_OK, KvAction, KvChange, KvError, KvInsert, KvMode, key};
use crate::compute::arguments::{Out, number};
use crate::compute::body::Body;
use crate::compute::{Status, Stop};
use crate::guest::{Call, GuestInstance, GuestPtr};

const METADATA_BYTES_MAX: usize = 2000;

/// Which of an insertion's options are given.
const HAS_METADATA: u32 = 1 << 3;
const HAS_TIME_TO_LIVE: u32 = 1 << 4;
const HAS_GENERATION: u32 = 1 << 5;
const INSERT_OPTIONS_BYTES: u64 = 32;

/// Options of an insertion, as they lie in memory: mode, unused, metadata and its length, time to live, (padding), generation.
#[derive(Debug, Default)]
struct InsertOptions {
    mode: KvMode,
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
        let mode = match field(0) {
            0 => KvMode::Overwrite,
            1 => KvMode::Add,
            2 => KvMode::Append,
            3 => KvMode::Prepend,
            _ => return Err(Status::Inval.into()),
        };
        let mut options = InsertOptions { mode, ..InsertOptions::default() };
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
    let options = InsertOptions::read(call.instance, 4)?;
    begin_insert(call, options, 6)
}

pub(crate) fn insert_async_v1(call: &mut Call<'_>) -> Result<(), Stop> {
    begin_insert(call, InsertOptions::default(), 4)
}

fn begin_insert(call: &mut Call<'_>, options: InsertOptions, out: u32) -> Result<(), Stop> {
    let out = Out::<4>::at(call.instance, out)?;
    let change = insertion(call, options)?;
    begin(call, change, out)
}

fn begin(call: &mut Call<'_>, change: KvChange, out: Out<4>) -> Result<(), Stop> {
    let world = &mut call.host.compute;
    let kept = world.kept()?;
    // It has a handle before it begins, so that none begins that cannot be waited for.
    let handle = world.handles.insert(Change(u64::MAX))?;
    world.handles.change(handle, |begun: &mut Change| {
        *begun = Change(kept.begin(change));
        Ok(())
    })?;
    out.set_u32(call.instance, handle)
}

/// The older insertion, which overwrites and answers when it is done.
pub(crate) fn insert_v1(call: &mut Call<'_>) -> Result<(), Stop> {
    let kept = call.host.compute.kept()?;
    // While it waits the body is gone, and the call is made again.
    let begun = match call.host.compute.inserting.take() {
        Some(begun) => begun,
        None => kept.begin(insertion(call, InsertOptions::default())?),
    };
    match kept.end(begun) {
        Poll::Ready(Ok(())) => Ok(()),
        Poll::Ready(Err(error)) => Err(refused(call, error).into()),
        Poll::Pending => {
            call.host.compute.inserting = Some(begun);
            Err(Stop::Wait(None))
        }
    }
}

/// A body that goes under a key. One that is still arriving is waited for.
fn insertion(call: &mut Call<'_>, options: InsertOptions) -> Result<KvChange, Stop> {
    let key = key(call.instance, 1)?.to_owned();
    let body = number(call.instance, 3);
    let world = &mut call.host.compute;
    let store = world.store(number(call.instance, 0))?.to_owned();
    let arrivals = &mut world.arrivals;
    let complete = world.handles.change(body, |body: &mut Body| {
        body.gather(arrivals);
        Ok(body.is_complete(arrivals))
    })?;
    if !complete {
        return Err(Stop::Wait(None));
    }
    let body = world.handles.take::<Body>(body)?;
    let value = body.into_bytes(&mut world.arrivals)?;
    let InsertOptions { mode, metadata, time_to_live_seconds, generation } = options;
    let expires_at_unix_ms = time_to_live_seconds.map(|seconds| now_unix_ms() + u64::from(seconds) * 1000);
    let action = KvAction::Insert(KvInsert { mode, value, metadata, expires_at_unix_ms, if_generation: generation });
    Ok(KvChange { store, key, action })
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
    let store = call.host.compute.store(number(call.instance, 0))?.to_owned();
    begin(call, KvChange { store, key, action: KvAction::Delete }, out)
}

/// The end of an insertion or a deletion.
pub(crate) fn change_wait(call: &mut Call<'_>) -> Result<(), Stop> {
    let error = Out::<4>::at(call.instance, 1)?;
    match end(call)? {
        Ok(()) => error.set_u32(call.instance, KV_OK),
        Err(why) => {
            refused(call, why);
            error.set_u32(call.instance, why as u32)
        }
    }
}

/// The older ends answer by their status alone.
pub(crate) fn delete_wait_v1(call: &mut Call<'_>) -> Result<(), Stop> {
    match end(call)? {
        Ok(()) => Ok(()),
        Err(why) => Err(refused(call, why).into()),
    }
}

fn end(call: &mut Call<'_>) -> Result<Result<(), KvError>, Stop> {
    let handle = number(call.instance, 0);
    let world = &mut call.host.compute;
    let Change(number) = *world.handles.get::<Change>(handle)?;
    match world.kept()?.end(number) {
        Poll::Pending => Err(Stop::Wait(None)),
        Poll::Ready(ended) => {
            world.handles.close(handle)?;
            Ok(ended)
        }
    }
}

/// What older functions answer to it. That the stores are full is told in the log, once.
fn refused(call: &mut Call<'_>, why: KvError) -> Status {
    match why {
        KvError::NotFound => Status::None,
        KvError::PayloadTooLarge => {
            let bytes_max = call.host.compute.kv.as_ref().map_or(0, |kept| kept.bytes_max());
            if !std::mem::replace(&mut call.host.compute.full_told, true) {
                let text = format!(
                    "the key-value stores are full: all entries together may take kv_bytes_max of {bytes_max} bytes; delete some, or let them expire"
                );
                call.host.log.note(text);
            }
            Status::LimitExceeded
        }
        KvError::PreconditionFailed | KvError::Internal | KvError::TooManyRequests => Status::Error,
    }
}
