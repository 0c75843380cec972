//! Keys of a store, a page at a time.

use super::{KV_OK, Listing, known};
use crate::compute::arguments::{Out, number};
use crate::compute::{Status, Stop, bodies};
use crate::guest::{Call, GuestInstance, GuestPtr};

const LISTED_DEFAULT: u32 = 100;
const LISTED_MAX: u32 = 1_000;

/// Which of a listing's options are given, and how long they lie in memory: mode, cursor and its length, limit, prefix and its length.
const HAS_CURSOR: u32 = 1 << 1;
const HAS_LIMIT: u32 = 1 << 2;
const HAS_PREFIX: u32 = 1 << 3;
const LIST_OPTIONS_BYTES: u64 = 24;

pub(crate) fn list(call: &mut Call<'_>) -> Result<(), Stop> {
    let out = Out::<4>::at(call.instance, 3)?;
    let mask = number(call.instance, 1);
    let raw = bytes_at(call.instance, 2, LIST_OPTIONS_BYTES)?;
    let field = |at: usize| u32::from_le_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]]);
    let given = |flag: u32, at: usize| -> Result<&str, Stop> {
        if mask & flag == 0 {
            return Ok("");
        }
        let bytes = GuestPtr::alleged(field(at)).read(call.instance, u64::from(field(at + 4)))?;
        Ok(std::str::from_utf8(bytes).map_err(|_| Status::Inval)?)
    };
    let (cursor, prefix) = (given(HAS_CURSOR, 4)?, given(HAS_PREFIX, 16)?);
    let limit = if mask & HAS_LIMIT == 0 { LISTED_DEFAULT } else { field(12).clamp(1, LISTED_MAX) };
    let world = &mut call.host.compute;
    let keys = known(world.kept()?.keys(world.store(number(call.instance, 0))?, prefix, cursor, limit as usize + 1))?;
    let handle = world.handles.insert(Listing(page(&keys, prefix, limit)))?;
    out.set_u32(call.instance, handle)
}

fn bytes_at(instance: &dyn GuestInstance, n: u32, len: u64) -> Result<&[u8], Stop> {
    Ok(GuestPtr::alleged(number(instance, n)).read(instance, len)?)
}

pub(crate) fn list_wait(call: &mut Call<'_>) -> Result<(), Stop> {
    let (out, error) = (Out::<4>::at(call.instance, 1)?, Out::<4>::at(call.instance, 2)?);
    let Listing(page) = call.host.compute.handles.take::<Listing>(number(call.instance, 0))?;
    let body = bodies::insert(call, page.into())?;
    out.set_u32(call.instance, body)?;
    error.set_u32(call.instance, KV_OK)
}

/// One page of keys as guests read it; the cursor is the last key, when there are more.
fn page(keys: &[String], prefix: &str, limit: u32) -> String {
    let listed = &keys[..keys.len().min(limit as usize)];
    let data: Vec<String> = listed.iter().map(|key| json_string(key)).collect();
    let mut meta = format!("\"limit\":{limit}");
    if !prefix.is_empty() {
        meta.push_str(&format!(",\"prefix\":{}", json_string(prefix)));
    }
    if let (true, Some(last)) = (keys.len() > listed.len(), listed.last()) {
        meta.push_str(&format!(",\"next_cursor\":{}", json_string(last)));
    }
    format!("{{\"data\":[{}],\"meta\":{{{meta}}}}}", data.join(","))
}

fn json_string(text: &str) -> String {
    let mut json = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            control if control.is_control() => json.push_str(&format!("\\u{:04x}", control as u32)),
            other => json.push(other),
        }
    }
    json.push('"');
    json
}
