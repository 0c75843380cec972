//! Log endpoints: whatever name a guest asks for, what it writes there comes in the deployment's log, after that name.

use super::arguments::{Out, bytes, number};
use super::{Status, Stop};
use crate::guest::Call;

/// A longer name is refused, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// These are the program's own streams.
const RESERVED: [&str; 2] = ["stdout", "stderr"];

#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(super) name: String,
}

pub(crate) fn endpoint_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let name = bytes(call.instance, 0)?;
    let out = Out::<4>::at(call.instance, 2)?;
    if name.len() > NAME_BYTES_MAX {
        return Err(Status::LimitExceeded.into());
    }
    let name = std::str::from_utf8(name).map_err(|_| Status::Inval)?;
    // In the log the name begins each of its lines: it must not look like two.
    if name.is_empty() || name.contains(char::is_control) || RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
        return Err(Status::Inval.into());
    }
    let name = name.to_owned();
    let world = &mut call.host.compute;
    let known = world.endpoints.iter().copied().find(|handle| world.handles.get::<Endpoint>(*handle).is_ok_and(|known| known.name == name));
    let handle = match known {
        Some(handle) => handle,
        None => {
            let handle = world.handles.insert(Endpoint { name })?;
            world.endpoints.push(handle);
            handle
        }
    };
    out.set_u32(call.instance, handle)
}

/// One message. What no longer fits in the log is dropped, and the program is not told: a log must not end it.
pub(crate) fn write(call: &mut Call<'_>) -> Result<(), Stop> {
    let handle = number(call.instance, 0);
    let message = bytes(call.instance, 1)?;
    let written = Out::<4>::at(call.instance, 3)?;
    let endpoint = call.host.compute.handles.get::<Endpoint>(handle)?;
    call.host.log.message(&endpoint.name, message);
    let len = message.len() as u32;
    written.set_u32(call.instance, len)
}
