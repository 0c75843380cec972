//! Requests to backends. A deployment has none unless it names them.

use super::arguments::{Out, number, text};
use super::body::Body;
use super::message::Request;
use super::{Status, Stop};
use crate::guest::{Call, GuestInstance, GuestPtr};

/// Where what is written to a body goes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamTo {
    Visitor,
}

/// Where a guest learns why a request failed: the first four bytes are the kind.
#[derive(Debug, Clone, Copy)]
struct ErrorDetail(GuestPtr);

const ERROR_DETAIL_BYTES: u64 = 20;
const NO_SUCH_BACKEND: u32 = 4;

impl ErrorDetail {
    fn at(instance: &dyn GuestInstance, n: u32) -> Result<ErrorDetail, Stop> {
        let place = GuestPtr::alleged(number(instance, n));
        if !place.is_aligned(4) {
            return Err(Status::BadAlignment.into());
        }
        place.check(instance, ERROR_DETAIL_BYTES)?;
        Ok(ErrorDetail(place))
    }

    fn set(self, instance: &mut dyn GuestInstance, kind: u32) -> Result<(), Stop> {
        let mut detail = [0; ERROR_DETAIL_BYTES as usize];
        detail[..4].copy_from_slice(&kind.to_le_bytes());
        Ok(self.0.write(instance, &detail)?)
    }
}

/// Request, body and backend of a call. The request is taken even if it fails, for the guest has given it away, and so is its body unless it would have
/// been a stream: that the guest keeps.
fn refuse(call: &mut Call<'_>, detail: Option<ErrorDetail>, streams: bool) -> Result<(), Stop> {
    text(call.instance, 2)?;
    let (request, body) = (number(call.instance, 0), number(call.instance, 1));
    let handles = &mut call.host.compute.handles;
    handles.get::<Box<Request>>(request)?;
    handles.get::<Body>(body)?;
    handles.close(request)?;
    if !streams {
        handles.close(body)?;
    }
    if let Some(detail) = detail {
        detail.set(call.instance, NO_SUCH_BACKEND)?;
    }
    Err(Status::Inval.into())
}

pub(crate) fn send(call: &mut Call<'_>) -> Result<(), Stop> {
    Out::<4>::at(call.instance, 4)?;
    Out::<4>::at(call.instance, 5)?;
    refuse(call, None, false)
}

/// Also the third version, which differs in what is cached.
pub(crate) fn send_v2(call: &mut Call<'_>) -> Result<(), Stop> {
    let detail = ErrorDetail::at(call.instance, 4)?;
    Out::<4>::at(call.instance, 5)?;
    Out::<4>::at(call.instance, 6)?;
    refuse(call, Some(detail), false)
}

pub(crate) fn send_async(call: &mut Call<'_>) -> Result<(), Stop> {
    Out::<4>::at(call.instance, 4)?;
    refuse(call, None, false)
}

pub(crate) fn send_async_streaming(call: &mut Call<'_>) -> Result<(), Stop> {
    Out::<4>::at(call.instance, 4)?;
    refuse(call, None, true)
}

pub(crate) fn send_async_v2(call: &mut Call<'_>) -> Result<(), Stop> {
    Out::<4>::at(call.instance, 5)?;
    let streams = number(call.instance, 4) != 0;
    refuse(call, None, streams)
}

/// No request is on its way, so no handle means one.
pub(crate) fn pending(_: &mut Call<'_>) -> Result<(), Stop> {
    Err(Status::BadHandle.into())
}
