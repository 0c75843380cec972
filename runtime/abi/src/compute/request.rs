//! Requests: the visitor's, and those that a guest makes.

use http::{Method, Uri};

use super::arguments::{Buffer, Out, bytes, number};
use super::arriving::Source;
use super::body::Body;
use super::exchange::VisitorRequest;
use super::message::{Headers, Request, version, version_number};
use super::{Status, Stop};
use crate::guest::Call;

const ABI_VERSION: u64 = 1;

/// A longer URI is none, in bytes.
const URI_BYTES_MAX: usize = 64 << 10;
/// And a longer method.
const METHOD_BYTES_MAX: usize = 1 << 10;

pub(crate) fn init(call: &mut Call<'_>) -> Result<(), Stop> {
    if call.instance.argument(0) == ABI_VERSION { Ok(()) } else { Err(Status::Unsupported.into()) }
}

/// Handles of the visitor's request and its body; the same ones whenever it is asked.
pub(crate) fn body_downstream_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let (request_out, body_out) = (Out::<4>::at(call.instance, 0)?, Out::<4>::at(call.instance, 1)?);
    let world = &mut call.host.compute;
    let (request, body) = match (world.exchange.given, world.exchange.request.take()) {
        (Some(given), _) => given,
        (None, Some(head)) => {
            let VisitorRequest { method, uri, version, headers, .. } = head;
            let request = Request { method, uri, version, headers: Headers::from(headers) };
            let request = world.handles.insert(Box::new(request))?;
            (request, world.handles.insert(Body::of_source(Source::Visitor))?)
        }
        (None, None) => return Err(Status::None.into()),
    };
    world.exchange.given = Some((request, body));
    request_out.set_u32(call.instance, request)?;
    body_out.set_u32(call.instance, body)
}

pub(crate) fn new(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::<4>::at(call.instance, 0)?;
    let handle = call.host.compute.handles.insert(Box::<Request>::default())?;
    out.set_u32(call.instance, handle)
}

pub(crate) fn close(call: &mut Call<'_>) -> Result<(), Stop> {
    call.host.compute.handles.take::<Box<Request>>(number(call.instance, 0))?;
    Ok(())
}

pub(crate) fn method_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let buffer = Buffer::at(call.instance, 1)?;
    let request = call.host.compute.handles.get::<Box<Request>>(number(call.instance, 0))?;
    buffer.fill(call.instance, request.method.as_str().as_bytes())
}

pub(crate) fn method_set(call: &mut Call<'_>) -> Result<(), Stop> {
    let bytes = bytes(call.instance, 1)?;
    if bytes.len() > METHOD_BYTES_MAX {
        return Err(Status::HttpInvalid.into());
    }
    let method = Method::from_bytes(bytes).map_err(|_| Status::HttpInvalid)?;
    change(call, |request| request.method = method)
}

pub(crate) fn uri_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let buffer = Buffer::at(call.instance, 1)?;
    let request = call.host.compute.handles.get::<Box<Request>>(number(call.instance, 0))?;
    buffer.fill(call.instance, request.uri.to_string().as_bytes())
}

pub(crate) fn uri_set(call: &mut Call<'_>) -> Result<(), Stop> {
    let bytes = bytes(call.instance, 1)?;
    if bytes.len() > URI_BYTES_MAX {
        return Err(Status::HttpInvalid.into());
    }
    let uri = Uri::try_from(bytes).map_err(|_| Status::HttpInvalid)?;
    change(call, |request| request.uri = uri)
}

pub(crate) fn version_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::<4>::at(call.instance, 1)?;
    let request = call.host.compute.handles.get::<Box<Request>>(number(call.instance, 0))?;
    out.set_u32(call.instance, version_number(request.version))
}

pub(crate) fn version_set(call: &mut Call<'_>) -> Result<(), Stop> {
    let version = version(number(call.instance, 1))?;
    change(call, |request| request.version = version)
}

/// What is wished of a cache, of framing or of decompression: heard, and without effect here.
pub(crate) fn wish(call: &mut Call<'_>) -> Result<(), Stop> {
    call.host.compute.handles.get::<Box<Request>>(number(call.instance, 0))?;
    Ok(())
}

/// Nothing that this server answers is kept in a cache.
pub(crate) fn is_cacheable(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::<4>::at(call.instance, 1)?;
    call.host.compute.handles.get::<Box<Request>>(number(call.instance, 0))?;
    out.set_u32(call.instance, 0)
}

fn change(call: &mut Call<'_>, change: impl FnOnce(&mut Request)) -> Result<(), Stop> {
    call.host.compute.handles.change(number(call.instance, 0), |request: &mut Box<Request>| {
        change(request);
        Ok(())
    })
}
