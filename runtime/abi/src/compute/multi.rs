//! Lists of values, handed over in portions: as many as fit from a cursor on, each ended by a zero byte.

use super::arguments::{Out, number};
use super::{Status, Stop};
use crate::guest::{GuestInstance, GuestPtr};

/// Where one portion goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portion {
    start: GuestPtr,
    len: u32,
    cursor: u32,
    ending_cursor: Out<8>,
    written: Out<4>,
}

/// The cursor after the last value.
const NO_MORE: i64 = -1;

impl Portion {
    /// Buffer, its length, cursor, and where the next cursor and the length of the portion go: from the n-th argument on.
    pub(super) fn at(instance: &dyn GuestInstance, n: u32) -> Result<Portion, Stop> {
        let (start, len) = (GuestPtr::alleged(number(instance, n)), number(instance, n + 1));
        start.check(instance, u64::from(len))?;
        let (ending_cursor, written) = (Out::at(instance, n + 3)?, Out::at(instance, n + 4)?);
        Ok(Portion { start, len, cursor: number(instance, n + 2), ending_cursor, written })
    }

    /// Writes values. When not even the first one fits, only the length that it needs.
    pub(super) fn fill<'v>(self, instance: &mut dyn GuestInstance, values: impl Iterator<Item = &'v [u8]>) -> Result<(), Stop> {
        let mut portion = Vec::new();
        let (mut next, mut ending_cursor) = (i64::from(self.cursor), NO_MORE);
        for value in values.skip(self.cursor as usize) {
            if portion.len() + value.len() + 1 > self.len as usize {
                if portion.is_empty() {
                    self.written.set_u32(instance, u32::try_from(value.len() + 1).unwrap_or(0))?;
                    return Err(Status::BufferLength.into());
                }
                ending_cursor = next;
                break;
            }
            portion.extend_from_slice(value);
            portion.push(0);
            next += 1;
        }
        self.start.write(instance, &portion)?;
        self.ending_cursor.set(instance, ending_cursor.to_le_bytes())?;
        self.written.set_u32(instance, portion.len() as u32)
    }
}
