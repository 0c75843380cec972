//! Waiting for the first of several handles: bodies of which something can be read, streams that take more, operations that are done.

use std::time::{Duration, Instant};

use super::arguments::{Out, number};
use super::handles::{HANDLES_MAX, Object};
use super::world::World;
use super::{Status, Stop};
use crate::guest::Call;

/// Nothing happened in time.
const NONE_READY: u32 = u32::MAX;

impl World {
    fn is_ready(&self, handle: u32) -> Result<bool, Status> {
        match self.handles.any(handle)? {
            Object::Body(body) => Ok(body.is_readable(&self.arrivals)),
            Object::Stream(stream) => Ok(self.stream(*stream).is_none_or(|stream| stream.has_room())),
            Object::Pending(fetch) => Ok(self.fetches.is_answered(*fetch)),
            Object::Change(change) => Ok(self.has_ended(change)),
            Object::Lookup(_) | Object::Listing(_) => Ok(true),
            Object::Request(_) | Object::Response(_) | Object::Endpoint(_) | Object::Store(_) | Object::Secret(_) => Err(Status::BadHandle),
        }
    }
}

/// The first of the handles that is ready, or none within so many milliseconds; 0 milliseconds are without end.
pub(crate) fn select(call: &mut Call<'_>) -> Result<(), Stop> {
    let (count, timeout_ms) = (number(call.instance, 1), number(call.instance, 2));
    let out = Out::<4>::at(call.instance, 3)?;
    if count as usize > HANDLES_MAX || (count == 0 && timeout_ms == 0) {
        return Err(Status::Inval.into());
    }
    let list = call.pointer(0);
    if !list.is_aligned(4) {
        return Err(Status::BadAlignment.into());
    }
    let world = &call.host.compute;
    let mut ready = None;
    for (n, handle) in list.read(call.instance, u64::from(count) * 4)?.chunks_exact(4).enumerate() {
        let handle = u32::from_le_bytes([handle[0], handle[1], handle[2], handle[3]]);
        if world.is_ready(handle)? && ready.is_none() {
            ready = Some(n as u32);
        }
    }
    match ready {
        Some(n) => out.set_u32(call.instance, n),
        None if world.waiting.is_some_and(|waiting| waiting.is_over()) => out.set_u32(call.instance, NONE_READY),
        None if timeout_ms == 0 => Err(Stop::Wait(None)),
        None => Err(Stop::Wait(Some(Instant::now() + Duration::from_millis(u64::from(timeout_ms))))),
    }
}

pub(crate) fn is_ready(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::<4>::at(call.instance, 1)?;
    let ready = call.host.compute.is_ready(number(call.instance, 0))?;
    if !ready {
        call.host.compute.rest()?;
    }
    out.set_u32(call.instance, u32::from(ready))
}
