//! Key-value stores: looked up, listed and changed by handles to operations that are waited for.
//!
//! ```text
//! guest ──begin──► handle ──wait──►  KvStores  ◄── whoever keeps them: a server for a deployment, MemoryKv for a run
//! ```
//! A change is acknowledged when its wait answers OK. A program sees its own changes, also those that it has not waited for.

mod keeping;
mod listing;
mod table;
#[cfg(test)]
mod tests;
mod writing;

use std::rc::Rc;
use std::task::Poll;

use super::arguments::{Buffer, Out, number, text};
use super::stores::StoreRef;
use super::world::World;
use super::{Status, Stop, bodies};
use crate::guest::{Call, GuestInstance};

pub use keeping::{KvAction, KvChange, KvEntry, KvError, KvInsert, KvMode, KvStores};
pub(crate) use listing::{list, list_wait};
pub use table::{KvTable, MemoryKv};
pub(crate) use writing::{change_wait, delete, delete_async_v1, delete_wait_v1, insert, insert_async_v1, insert_v1};

/// A longer key is refused, in bytes.
const KEY_BYTES_MAX: usize = 1024;
/// What an operation tells beside its status when there is no error.
const KV_OK: u32 = 1;

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

/// An insertion or deletion that has begun, by its number.
#[derive(Debug)]
pub(crate) struct Change(u64);

/// A listing that is done: its page.
#[derive(Debug)]
pub(crate) struct Listing(String);

impl Listing {
    pub(super) fn cost(&self) -> u64 {
        self.0.len() as u64
    }
}

impl World {
    fn store(&self, handle: u32) -> Result<&str, Status> {
        match self.handles.get(handle)? {
            StoreRef::Kv(name) => Ok(name),
            StoreRef::Config(_) | StoreRef::Secrets(_) => Err(Status::BadHandle),
        }
    }

    fn kept(&self) -> Result<Rc<dyn KvStores>, Status> {
        self.kv.clone().ok_or(Status::BadHandle)
    }

    pub(super) fn has_ended(&self, change: &Change) -> bool {
        self.kv.as_ref().is_none_or(|kept| kept.has_ended(change.0))
    }
}

/// What is known, or a wait for it. An error here has no place in an answer but the status.
fn known<T>(polled: Poll<Result<T, KvError>>) -> Result<T, Stop> {
    match polled {
        Poll::Ready(known) => known.map_err(|_| Status::Error.into()),
        Poll::Pending => Err(Stop::Wait(None)),
    }
}

pub(crate) fn open(call: &mut Call<'_>) -> Result<(), Stop> {
    let name = text(call.instance, 0)?;
    let out = Out::<4>::at(call.instance, 2)?;
    let world = &mut call.host.compute;
    if !world.kv.as_ref().is_some_and(|kept| kept.has_store(name)) {
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
    known(world.kept()?.entry(world.store(number(call.instance, 0))?, key(call.instance, 1)?))
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
    error.set_u32(call.instance, KV_OK)
}
