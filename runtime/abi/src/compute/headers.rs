//! Headers of requests and responses: the same functions for both.

use http::{HeaderName, HeaderValue};

use super::arguments::{Buffer, bytes, number};
use super::handles::Kind;
use super::message::Message;
use super::multi::Portion;
use super::{Status, Stop};
use crate::guest::{Call, GuestInstance};

/// A longer name is no name (the bound of the `http` crate).
const NAME_BYTES_MAX: usize = (1 << 16) - 1;

pub(super) fn name(instance: &dyn GuestInstance, n: u32) -> Result<HeaderName, Stop> {
    let bytes = bytes(instance, n)?;
    if bytes.len() > NAME_BYTES_MAX {
        return Err(Status::Inval.into());
    }
    HeaderName::from_bytes(bytes).map_err(|_| Status::HttpInvalid.into())
}

/// A value has no control characters but tabs, so no line can end in it.
pub(super) fn value(instance: &dyn GuestInstance, n: u32) -> Result<HeaderValue, Stop> {
    HeaderValue::from_bytes(bytes(instance, n)?).map_err(|_| Status::HttpInvalid.into())
}

pub(crate) fn names_get<M: Message>(call: &mut Call<'_>) -> Result<(), Stop>
where
    Box<M>: Kind,
{
    let portion = Portion::at(call.instance, 1)?;
    let message = call.host.compute.handles.get::<Box<M>>(number(call.instance, 0))?;
    portion.fill(call.instance, message.headers().map().keys().map(|name| name.as_str().as_bytes()))
}

pub(crate) fn values_get<M: Message>(call: &mut Call<'_>) -> Result<(), Stop>
where
    Box<M>: Kind,
{
    let portion = Portion::at(call.instance, 3)?;
    let name = name(call.instance, 1)?;
    let message = call.host.compute.handles.get::<Box<M>>(number(call.instance, 0))?;
    portion.fill(call.instance, message.headers().map().get_all(name).iter().map(HeaderValue::as_bytes))
}

pub(crate) fn value_get<M: Message>(call: &mut Call<'_>) -> Result<(), Stop>
where
    Box<M>: Kind,
{
    let buffer = Buffer::at(call.instance, 3)?;
    let alleged = bytes(call.instance, 1)?;
    let message = call.host.compute.handles.get::<Box<M>>(number(call.instance, 0));
    // Looking it up as it is takes no memory; whether it is a name at all matters only when nothing was found.
    let found = message.as_ref().ok().zip(std::str::from_utf8(alleged).ok());
    let Some(value) = found.and_then(|(message, name)| message.headers().map().get(name)).cloned() else {
        name(call.instance, 1)?;
        return Err(message.err().unwrap_or(Status::Inval).into());
    };
    buffer.fill(call.instance, value.as_bytes())
}

pub(crate) fn insert<M: Message>(call: &mut Call<'_>) -> Result<(), Stop>
where
    Box<M>: Kind,
{
    let (name, value) = (name(call.instance, 1)?, value(call.instance, 3)?);
    let handle = number(call.instance, 0);
    call.host.compute.handles.change(handle, |message: &mut Box<M>| message.headers_mut().set(name, vec![value]))
}

pub(crate) fn append<M: Message>(call: &mut Call<'_>) -> Result<(), Stop>
where
    Box<M>: Kind,
{
    let (name, value) = (name(call.instance, 1)?, value(call.instance, 3)?);
    let handle = number(call.instance, 0);
    call.host.compute.handles.change(handle, |message: &mut Box<M>| message.headers_mut().append(name, value))
}

/// The values are a list of strings, each ended by a zero byte.
pub(crate) fn values_set<M: Message>(call: &mut Call<'_>) -> Result<(), Stop>
where
    Box<M>: Kind,
{
    let name = name(call.instance, 1)?;
    let list = bytes(call.instance, 3)?;
    let Some(list) = list.strip_suffix(b"\0") else {
        return if list.is_empty() { remove_all::<M>(call, &name) } else { Err(Status::Inval.into()) };
    };
    let values = list.split(|byte| *byte == 0).map(HeaderValue::from_bytes);
    let values = values.collect::<Result<Vec<_>, _>>().map_err(|_| Status::HttpInvalid)?;
    let handle = number(call.instance, 0);
    call.host.compute.handles.change(handle, |message: &mut Box<M>| message.headers_mut().set(name, values))
}

fn remove_all<M: Message>(call: &mut Call<'_>, name: &HeaderName) -> Result<(), Stop>
where
    Box<M>: Kind,
{
    let handle = number(call.instance, 0);
    call.host.compute.handles.change(handle, |message: &mut Box<M>| {
        message.headers_mut().remove(name);
        Ok(())
    })
}

pub(crate) fn remove<M: Message>(call: &mut Call<'_>) -> Result<(), Stop>
where
    Box<M>: Kind,
{
    let name = name(call.instance, 1)?;
    let handle = number(call.instance, 0);
    let removed = call.host.compute.handles.change(handle, |message: &mut Box<M>| Ok(message.headers_mut().remove(&name)))?;
    if removed { Ok(()) } else { Err(Status::Inval.into()) }
}
