//! Responses: the answer to the visitor, and those of backends.

use http::StatusCode;

use super::arguments::{Out, number};
use super::body::Body;
use super::message::{Response, version, version_number};
use super::outgoing::Outgoing;
use super::send::StreamTo;
use super::{Status, Stop};
use crate::guest::Call;

pub(crate) fn new(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::<4>::at(call.instance, 0)?;
    let handle = call.host.compute.handles.insert(Box::<Response>::default())?;
    out.set_u32(call.instance, handle)
}

pub(crate) fn close(call: &mut Call<'_>) -> Result<(), Stop> {
    call.host.compute.handles.take::<Box<Response>>(number(call.instance, 0))?;
    Ok(())
}

pub(crate) fn status_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::<2>::at(call.instance, 1)?;
    let response = call.host.compute.handles.get::<Box<Response>>(number(call.instance, 0))?;
    out.set(call.instance, response.status.as_u16().to_le_bytes())
}

pub(crate) fn status_set(call: &mut Call<'_>) -> Result<(), Stop> {
    let number = u16::try_from(number(call.instance, 1)).map_err(|_| Status::Inval)?;
    let status = StatusCode::from_u16(number).map_err(|_| Status::Inval)?;
    change(call, |response| response.status = status)
}

pub(crate) fn version_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::<4>::at(call.instance, 1)?;
    let response = call.host.compute.handles.get::<Box<Response>>(number(call.instance, 0))?;
    out.set_u32(call.instance, version_number(response.version))
}

pub(crate) fn version_set(call: &mut Call<'_>) -> Result<(), Stop> {
    let version = version(number(call.instance, 1))?;
    change(call, |response| response.version = version)
}

/// What is wished of the connection: heard, and without effect, for the connection is the server's business.
pub(crate) fn wish(call: &mut Call<'_>) -> Result<(), Stop> {
    call.host.compute.handles.get::<Box<Response>>(number(call.instance, 0))?;
    Ok(())
}

/// Where a response came from is not told.
pub(crate) fn origin(call: &mut Call<'_>) -> Result<(), Stop> {
    wish(call)?;
    Err(Status::None.into())
}

/// Answers the visitor: with a body that is done, or with one that the guest goes on to write, through the same handle.
pub(crate) fn send_downstream(call: &mut Call<'_>) -> Result<(), Stop> {
    let (response, body) = (number(call.instance, 0), number(call.instance, 1));
    let streaming = number(call.instance, 2) != 0;
    let world = &mut call.host.compute;
    let status = world.handles.get::<Box<Response>>(response)?.status;
    world.handles.get::<Body>(body)?;
    if world.exchange.answered() {
        return Err(Status::Error.into());
    }
    if status.is_informational() {
        return Err(Status::HttpUser.into());
    }
    let response = world.handles.take::<Box<Response>>(response)?;
    let body = if streaming { world.handles.replace::<Body>(body, StreamTo::Visitor)? } else { world.handles.take::<Body>(body)? };
    world.exchange.answer(status, response.headers.into_map(), Outgoing::of(body, streaming), &world.arrivals);
    Ok(())
}

fn change(call: &mut Call<'_>, change: impl FnOnce(&mut Response)) -> Result<(), Stop> {
    call.host.compute.handles.change(number(call.instance, 0), |response: &mut Box<Response>| {
        change(response);
        Ok(())
    })
}
