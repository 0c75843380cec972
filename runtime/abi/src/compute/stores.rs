//! What a deployment keeps for its program to look up: dictionaries and config, and secrets.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::arguments::{Buffer, Out, bytes, number, text};
use super::{Status, Stop};
use crate::guest::Call;

/// All stores, each by its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stores {
    /// Dictionaries, which are config stores under their older name.
    pub config: BTreeMap<String, BTreeMap<String, String>>,
    pub secrets: BTreeMap<String, BTreeMap<String, Bytes>>,
}

/// A store that a guest has opened, by name.
#[derive(Debug)]
pub(crate) enum StoreRef {
    Config(String),
    Secrets(String),
    Kv(String),
}

/// A longer name of a store or of what is in it is refused, in bytes.
const NAME_BYTES_MAX: usize = 255;
/// A guest may make secrets of its own up to this length, in bytes.
const SECRET_BYTES_MAX: usize = 64 << 10;

pub(crate) fn config_open(call: &mut Call<'_>) -> Result<(), Stop> {
    let name = text(call.instance, 0)?;
    let out = Out::<4>::at(call.instance, 2)?;
    let world = &mut call.host.compute;
    match name.len() {
        0 => return Err(Status::None.into()),
        1..=NAME_BYTES_MAX if world.stores.config.contains_key(name) => {}
        1..=NAME_BYTES_MAX => return Err(Status::BadHandle.into()),
        _ => return Err(Status::Unsupported.into()),
    }
    let handle = world.handles.insert(StoreRef::Config(name.to_owned()))?;
    out.set_u32(call.instance, handle)
}

pub(crate) fn config_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let buffer = Buffer::at(call.instance, 3)?;
    let key = text(call.instance, 1)?;
    let world = &mut call.host.compute;
    let StoreRef::Config(store) = world.handles.get(number(call.instance, 0))? else { return Err(Status::BadHandle.into()) };
    if key.len() > NAME_BYTES_MAX {
        return Err(Status::Unsupported.into());
    }
    let value = world.stores.config.get(store).and_then(|store| store.get(key)).ok_or(Status::None)?;
    buffer.fill(call.instance, value.as_bytes())
}

pub(crate) fn secrets_open(call: &mut Call<'_>) -> Result<(), Stop> {
    let name = text(call.instance, 0)?;
    let out = Out::<4>::at(call.instance, 2)?;
    let world = &mut call.host.compute;
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(Status::Inval.into());
    }
    if !world.stores.secrets.contains_key(name) {
        return Err(Status::None.into());
    }
    let handle = world.handles.insert(StoreRef::Secrets(name.to_owned()))?;
    out.set_u32(call.instance, handle)
}

pub(crate) fn secret_get(call: &mut Call<'_>) -> Result<(), Stop> {
    let name = text(call.instance, 1)?;
    let out = Out::<4>::at(call.instance, 3)?;
    let world = &mut call.host.compute;
    let StoreRef::Secrets(store) = world.handles.get(number(call.instance, 0))? else { return Err(Status::BadHandle.into()) };
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(Status::Inval.into());
    }
    let secret = world.stores.secrets.get(store).and_then(|store| store.get(name)).cloned().ok_or(Status::None)?;
    let handle = world.handles.insert(secret)?;
    out.set_u32(call.instance, handle)
}

pub(crate) fn secret_plaintext(call: &mut Call<'_>) -> Result<(), Stop> {
    let buffer = Buffer::at(call.instance, 1)?;
    let secret = call.host.compute.handles.get::<Bytes>(number(call.instance, 0))?;
    buffer.fill(call.instance, secret)
}

pub(crate) fn secret_from_bytes(call: &mut Call<'_>) -> Result<(), Stop> {
    let secret = bytes(call.instance, 0)?;
    let out = Out::<4>::at(call.instance, 2)?;
    if secret.len() > SECRET_BYTES_MAX {
        return Err(Status::Inval.into());
    }
    let handle = call.host.compute.handles.insert(Bytes::copy_from_slice(secret))?;
    out.set_u32(call.instance, handle)
}
