//! Arguments of calls as guests allege them: bytes to read, places to write to, buffers to fill.

use super::{Status, Stop};
use crate::guest::{GuestInstance, GuestPtr};

/// The n-th argument, as unsigned.
pub(super) fn number(instance: &dyn GuestInstance, n: u32) -> u32 {
    instance.argument(n) as u32
}

/// The bytes whose address is the n-th argument and whose length is the next one.
pub(super) fn bytes(instance: &dyn GuestInstance, n: u32) -> Result<&[u8], Stop> {
    Ok(GuestPtr::alleged(number(instance, n)).read(instance, u64::from(number(instance, n + 1)))?)
}

/// As [`bytes`], for what must be text.
pub(super) fn text(instance: &dyn GuestInstance, n: u32) -> Result<&str, Stop> {
    std::str::from_utf8(bytes(instance, n)?).map_err(|_| Status::Inval.into())
}

/// A place for one number of so many bytes: in memory, and aligned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Out<const N: usize>(GuestPtr);

impl<const N: usize> Out<N> {
    /// The place whose address is the n-th argument.
    pub(super) fn at(instance: &dyn GuestInstance, n: u32) -> Result<Out<N>, Stop> {
        let place = GuestPtr::alleged(number(instance, n));
        if !place.is_aligned(N as u64) {
            return Err(Status::BadAlignment.into());
        }
        place.check(instance, N as u64)?;
        Ok(Out(place))
    }

    pub(super) fn set(self, instance: &mut dyn GuestInstance, value: [u8; N]) -> Result<(), Stop> {
        Ok(self.0.write(instance, &value)?)
    }
}

impl Out<4> {
    pub(super) fn set_u32(self, instance: &mut dyn GuestInstance, value: u32) -> Result<(), Stop> {
        self.set(instance, value.to_le_bytes())
    }
}

impl Out<8> {
    pub(super) fn set_u64(self, instance: &mut dyn GuestInstance, value: u64) -> Result<(), Stop> {
        self.set(instance, value.to_le_bytes())
    }
}

/// A buffer for one value, and a place for its length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buffer {
    pub(super) start: GuestPtr,
    pub(super) len: u32,
    pub(super) written: Out<4>,
}

impl Buffer {
    /// Address, length, and where the length of the value goes: from the n-th argument on.
    pub(super) fn at(instance: &dyn GuestInstance, n: u32) -> Result<Buffer, Stop> {
        let (start, len) = (GuestPtr::alleged(number(instance, n)), number(instance, n + 1));
        start.check(instance, u64::from(len))?;
        Ok(Buffer { start, len, written: Out::at(instance, n + 2)? })
    }

    /// Writes the value, or only the length that it needs.
    pub(super) fn fill(self, instance: &mut dyn GuestInstance, value: &[u8]) -> Result<(), Stop> {
        let len = u32::try_from(value.len()).map_err(|_| Status::Error)?;
        if len > self.len {
            self.written.set_u32(instance, len)?;
            return Err(Status::BufferLength.into());
        }
        self.start.write(instance, value)?;
        self.written.set_u32(instance, len)
    }
}
