//! Backends by their names: questions about them, and names that a guest gives itself, for origins that its deployment may reach anyway.

use super::arguments::{Buffer, Out, number, text};
use super::origin::{Origin, OriginHost};
use super::{Status, Stop};
use crate::guest::{Call, GuestPtr};

/// Names that one guest may give.
const REGISTERED_MAX: usize = 64;
/// A longer name is none, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// The backend whose name is the first argument.
fn named(call: &Call<'_>) -> Result<Origin, Stop> {
    let name = text(call.instance, 0)?;
    Ok(call.host.compute.backend(name).cloned().ok_or(Status::Inval)?)
}

pub(crate) fn exists(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::<4>::at(call.instance, 2)?;
    let exists = call.host.compute.backend(text(call.instance, 0)?).is_some();
    out.set_u32(call.instance, u32::from(exists))
}

pub(crate) fn is_dynamic(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::<4>::at(call.instance, 2)?;
    named(call)?;
    let is_registered = call.host.compute.registered.contains_key(text(call.instance, 0)?);
    out.set_u32(call.instance, u32::from(is_registered))
}

/// Nobody asks backends how they are: it is unknown.
pub(crate) fn is_healthy(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::<4>::at(call.instance, 2)?;
    named(call)?;
    out.set_u32(call.instance, 0)
}

pub(crate) fn is_secure(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::<4>::at(call.instance, 2)?;
    let origin = named(call)?;
    out.set_u32(call.instance, u32::from(origin.is_secure))
}

pub(crate) fn port(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::<2>::at(call.instance, 2)?;
    let origin = named(call)?;
    out.set(call.instance, origin.port.to_le_bytes())
}

pub(crate) fn host(call: &mut Call<'_>) -> Result<(), Stop> {
    let buffer = Buffer::at(call.instance, 2)?;
    let origin = named(call)?;
    buffer.fill(call.instance, origin.host.to_string().as_bytes())
}

/// The Host header that a backend gets, whatever a request says.
pub(crate) fn override_host(call: &mut Call<'_>) -> Result<(), Stop> {
    let buffer = Buffer::at(call.instance, 2)?;
    let origin = named(call)?;
    buffer.fill(call.instance, origin.authority().as_bytes())
}

/// What is the same for all backends and is not told.
pub(crate) fn untold(call: &mut Call<'_>) -> Result<(), Stop> {
    named(call)?;
    Err(Status::Unsupported.into())
}

const HOST_OVERRIDE: u32 = 1 << 1;
const USE_SSL: u32 = 1 << 5;
const CERT_HOSTNAME: u32 = 1 << 8;
const CA_CERT: u32 = 1 << 9;
const SNI_HOSTNAME: u32 = 1 << 11;
const CLIENT_CERT: u32 = 1 << 13;

/// Where in its options a name of a host lies: its address, then its length.
const HOST_NAMES: [(u32, u64); 3] = [(HOST_OVERRIDE, 0), (CERT_HOSTNAME, 28), (SNI_HOSTNAME, 52)];

/// Gives an origin a name. It must be one that the deployment or the server names already, under its own host name: a program cannot widen what it may reach.
pub(crate) fn register(call: &mut Call<'_>) -> Result<(), Stop> {
    let (name, target) = (text(call.instance, 0)?.to_owned(), text(call.instance, 2)?.to_owned());
    let (mask, options) = (number(call.instance, 4), call.pointer(5));
    let scheme = if mask & USE_SSL != 0 { "https" } else { "http" };
    let origin: Origin = format!("{scheme}://{target}").parse().map_err(|_| Status::Inval)?;
    if name.is_empty() || name.len() > NAME_BYTES_MAX || target.contains('/') {
        return Err(Status::Inval.into());
    }
    let mut is_itself = mask & (CA_CERT | CLIENT_CERT) == 0;
    for (_, place) in HOST_NAMES.into_iter().filter(|(flag, _)| mask & flag != 0) {
        is_itself &= names(call, options.plus(place), &origin)?;
    }
    let world = &mut call.host.compute;
    if !is_itself || !world.backends.values().any(|known| *known == origin) {
        let remark = format!("the program may not reach {origin} so: name that origin in the deployment's \"backends\"");
        call.host.log.note(remark);
        return Err(Status::Unsupported.into());
    }
    match world.backend(&name) {
        Some(known) if *known == origin => Ok(()),
        Some(_) => Err(Status::Error.into()),
        None if world.registered.len() >= REGISTERED_MAX => Err(Status::LimitExceeded.into()),
        None => {
            world.registered.insert(name, origin);
            Ok(())
        }
    }
}

/// Whether what lies there is the origin's own name.
fn names(call: &Call<'_>, place: GuestPtr, origin: &Origin) -> Result<bool, Stop> {
    let word = |place: GuestPtr| -> Result<u32, Stop> {
        let bytes = place.read(call.instance, 4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    let (start, len) = (word(place)?, word(place.plus(4))?);
    let name = std::str::from_utf8(GuestPtr::alleged(start).read(call.instance, u64::from(len))?).map_err(|_| Status::Inval)?;
    Ok(name.eq_ignore_ascii_case(&origin.authority()) || name.parse::<OriginHost>().is_ok_and(|host| host == origin.host))
}
