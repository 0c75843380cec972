//! Bodies: read, written, put together, and closed.

use bytes::Bytes;

use super::arguments::{Buffer, Out, bytes, number};
use super::body::Body;
use super::send::StreamTo;
use super::{Status, Stop};
use crate::guest::Call;

const END_BACK: u32 = 0;
const END_FRONT: u32 = 1;

pub(crate) fn new(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::<4>::at(call.instance, 0)?;
    let handle = call.host.compute.handles.insert(Body::default())?;
    out.set_u32(call.instance, handle)
}

/// Reads what is there, waits where nothing has arrived yet, and reads nothing at the end.
pub(crate) fn read(call: &mut Call<'_>) -> Result<(), Stop> {
    let target = Buffer::at(call.instance, 1)?;
    let world = &mut call.host.compute;
    let arrivals = &mut world.arrivals;
    let instance = &mut *call.instance;
    let read = world.handles.change(number(instance, 0), |body: &mut Body| body.read(arrivals, instance, target.start, target.len))?;
    target.written.set_u32(call.instance, read.ok_or(Stop::Wait(None))?)
}

/// Writes to a body, or as much as there is room for to a stream.
pub(crate) fn write(call: &mut Call<'_>) -> Result<(), Stop> {
    let handle = number(call.instance, 0);
    let bytes = bytes(call.instance, 1)?;
    let end = number(call.instance, 3);
    let written = Out::<4>::at(call.instance, 4)?;
    let world = &mut call.host.compute;
    let stream = world.handles.get::<StreamTo>(handle).ok().copied().and_then(|stream| world.stream_mut(stream));
    let len = match (stream, end) {
        (Some(_), END_BACK) if bytes.is_empty() => 0,
        (Some(stream), END_BACK) if !stream.has_room() => return Err(Stop::Wait(None)),
        (Some(stream), END_BACK) => stream.write(bytes),
        (Some(_), END_FRONT) => return Err(Status::BadHandle.into()),
        (None, END_BACK | END_FRONT) => {
            world.handles.get::<Body>(handle)?;
            world.handles.require_room(bytes.len() as u64)?;
            world.handles.change(handle, |body: &mut Body| {
                if end == END_BACK {
                    body.write_back(bytes)
                } else {
                    body.write_front(bytes)
                }
                Ok(bytes.len())
            })?
        }
        _ => return Err(Status::Inval.into()),
    };
    written.set_u32(call.instance, len as u32)
}

/// Moves all of one body to the end of another, or of a stream.
pub(crate) fn append(call: &mut Call<'_>) -> Result<(), Stop> {
    let (target, source) = (number(call.instance, 0), number(call.instance, 1));
    let world = &mut call.host.compute;
    world.handles.get::<Body>(source)?;
    if let Ok(stream) = world.handles.get::<StreamTo>(target).copied() {
        if world.stream(stream).is_some_and(|stream| !stream.has_room()) {
            return Err(Stop::Wait(None));
        }
        let source = world.handles.take(source)?;
        if let Some(stream) = world.stream_mut(stream) {
            stream.append(source);
        }
        return Ok(());
    }
    world.handles.get::<Body>(target)?;
    if target == source {
        return Err(Status::Inval.into());
    }
    let source = world.handles.take::<Body>(source)?;
    world.handles.change(target, |body: &mut Body| {
        body.append(source);
        Ok(())
    })
}

/// Lets a body go; a stream has been written to its end.
pub(crate) fn close(call: &mut Call<'_>) -> Result<(), Stop> {
    end(call, true)
}

/// Lets a body go; a stream stays incomplete, and whoever it is for learns that.
pub(crate) fn abandon(call: &mut Call<'_>) -> Result<(), Stop> {
    end(call, false)
}

fn end(call: &mut Call<'_>, properly: bool) -> Result<(), Stop> {
    let handle = number(call.instance, 0);
    let world = &mut call.host.compute;
    match world.handles.take::<StreamTo>(handle) {
        Ok(stream) => world.stream_mut(stream).into_iter().for_each(|stream| stream.finish(properly)),
        Err(_) => drop(world.handles.take::<Body>(handle)?),
    }
    Ok(())
}

/// The length of a body that is all there.
pub(crate) fn known_length(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::<8>::at(call.instance, 1)?;
    let handle = number(call.instance, 0);
    let world = &mut call.host.compute;
    if world.handles.is::<StreamTo>(handle) {
        return Err(Status::None.into());
    }
    let length = world.handles.get::<Body>(handle)?.known_length(&world.arrivals).ok_or(Status::None)?;
    out.set_u64(call.instance, length)
}

/// Gives bytes of the host's a handle.
pub(super) fn insert(call: &mut Call<'_>, bytes: Bytes) -> Result<u32, Stop> {
    call.host.compute.handles.insert(Body::of(bytes))
}
