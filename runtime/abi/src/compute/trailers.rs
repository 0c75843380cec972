//! Trailers of bodies: kept with the body and read from it; the server does not send them.

use super::arguments::{Buffer, number};
use super::body::Body;
use super::headers::{name, value};
use super::multi::Portion;
use super::send::StreamTo;
use super::{Status, Stop};
use crate::guest::Call;

/// What the trailers of one body may take, in bytes.
const TRAILERS_BYTES_MAX: usize = 16 << 10;
const TRAILER_COST_BYTES: usize = 32;

pub(crate) fn append(call: &mut Call<'_>) -> Result<(), Stop> {
    let (name, value) = (name(call.instance, 1)?, value(call.instance, 3)?);
    let handle = number(call.instance, 0);
    let handles = &mut call.host.compute.handles;
    if handles.is::<StreamTo>(handle) {
        return Ok(());
    }
    handles.change(handle, |body: &mut Body| {
        let cost = |name: &str, value: &[u8]| name.len() + value.len() + TRAILER_COST_BYTES;
        let taken: usize = body.trailers.iter().map(|(name, value)| cost(name.as_str(), value.as_bytes())).sum();
        let more = cost(name.as_str(), value.as_bytes());
        if taken + more > TRAILERS_BYTES_MAX {
            return Err(Status::HttpHeadTooLarge.into());
        }
        body.trailers.try_append(name, value).map_err(|_| Status::HttpHeadTooLarge)?;
        body.count_trailer(more as u64);
        Ok(())
    })
}

/// Trailers of a body that has come to its end: before that nobody knows them.
fn known<'c>(call: &'c Call<'_>) -> Result<&'c Body, Stop> {
    let world = &call.host.compute;
    let handle = number(call.instance, 0);
    if world.handles.is::<StreamTo>(handle) {
        return Err(Status::Inval.into());
    }
    let body = world.handles.get::<Body>(handle)?;
    if body.is_complete(&world.arrivals) { Ok(body) } else { Err(Status::Again.into()) }
}

pub(crate) fn names_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let portion = Portion::at(call.instance, 1)?;
    let names: Vec<_> = known(call)?.trailers.keys().cloned().collect();
    portion.fill(call.instance, names.iter().map(|name| name.as_str().as_bytes()))
}

pub(crate) fn value_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let buffer = Buffer::at(call.instance, 3)?;
    let name = name(call.instance, 1)?;
    let value = known(call)?.trailers.get(name).cloned().ok_or(Status::None)?;
    buffer.fill(call.instance, value.as_bytes())
}

pub(crate) fn values_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let portion = Portion::at(call.instance, 3)?;
    let name = name(call.instance, 1)?;
    let values: Vec<_> = known(call)?.trailers.get_all(name).iter().cloned().collect();
    portion.fill(call.instance, values.iter().map(|value| value.as_bytes()))
}
