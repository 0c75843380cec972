//! The instance as host functions see it, and what a guest says about its memory.
//!
//! A [`GuestPtr`] is an allegation. It has no method that gives its address away: it can be moved, and turned into a borrow of
//! guest memory, and both fail where the range does not lie inside.

use std::time::Duration;

use crate::host::Host;

/// An instance that waits in a hostcall.
pub trait GuestInstance {
    /// The n-th argument of the call, from 0: the low half of its cell. Beyond the type in question its bits mean nothing.
    fn argument(&self, n: u32) -> u64;
    /// Memory 0, in its present length.
    fn memory(&self) -> &[u8];
    /// A range of memory 0 to write to; `None` when it is out of bounds.
    fn memory_mut(&mut self, start: u64, len: u64) -> Option<&mut [u8]>;
    /// Processor time that the guest's own code took so far.
    fn ran(&self) -> Duration;
}

/// A guest named memory that it does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadAddress;

/// An address in memory 0 that a guest alleges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GuestPtr(u64);

impl GuestPtr {
    pub(crate) fn alleged(address: u32) -> GuestPtr {
        GuestPtr(u64::from(address))
    }

    /// The address this many bytes further. It stays an allegation: sums beyond 4 GiB are refused when it is used.
    pub(crate) fn plus(self, bytes: u64) -> GuestPtr {
        GuestPtr(self.0.saturating_add(bytes))
    }

    /// Whether it is a multiple of this many bytes.
    pub(crate) fn is_aligned(self, bytes: u64) -> bool {
        self.0.is_multiple_of(bytes)
    }

    /// Fails unless the range lies in memory.
    pub(crate) fn check(self, instance: &dyn GuestInstance, len: u64) -> Result<(), BadAddress> {
        let end = self.0.checked_add(len).ok_or(BadAddress)?;
        if end <= instance.memory().len() as u64 { Ok(()) } else { Err(BadAddress) }
    }

    /// The bytes at this address.
    pub(crate) fn read(self, instance: &dyn GuestInstance, len: u64) -> Result<&[u8], BadAddress> {
        let end = self.0.checked_add(len).ok_or(BadAddress)?;
        let (start, end) = (usize::try_from(self.0).map_err(|_| BadAddress)?, usize::try_from(end).map_err(|_| BadAddress)?);
        instance.memory().get(start..end).ok_or(BadAddress)
    }

    /// The bytes at this address, to write to.
    pub(crate) fn borrow_mut(self, instance: &mut dyn GuestInstance, len: u64) -> Result<&mut [u8], BadAddress> {
        self.check(instance, len)?;
        instance.memory_mut(self.0, len).ok_or(BadAddress)
    }

    /// Writes bytes at this address.
    pub(crate) fn write(self, instance: &mut dyn GuestInstance, bytes: &[u8]) -> Result<(), BadAddress> {
        let target = self.borrow_mut(instance, bytes.len() as u64)?;
        if target.len() != bytes.len() {
            return Err(BadAddress);
        }
        target.copy_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn write_u32(self, instance: &mut dyn GuestInstance, value: u32) -> Result<(), BadAddress> {
        self.write(instance, &value.to_le_bytes())
    }

    pub(crate) fn write_u64(self, instance: &mut dyn GuestInstance, value: u64) -> Result<(), BadAddress> {
        self.write(instance, &value.to_le_bytes())
    }

    /// The number that a guest sees for this address: only for addresses that are themselves written to guest memory.
    pub(crate) fn as_guest_u32(self) -> u32 {
        self.0 as u32
    }
}

/// One call of one guest: the state of its world and the instance.
pub(crate) struct Call<'c> {
    pub(crate) host: &'c mut Host,
    pub(crate) instance: &'c mut dyn GuestInstance,
}

impl Call<'_> {
    /// An argument of type i32, as unsigned.
    pub(crate) fn u32(&self, n: u32) -> u32 {
        self.instance.argument(n) as u32
    }

    pub(crate) fn pointer(&self, n: u32) -> GuestPtr {
        GuestPtr::alleged(self.u32(n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Guest;

    #[test]
    fn ranges_end_where_memory_ends() {
        let guest = Guest::with_memory(64);
        let at = |address| GuestPtr::alleged(address);
        assert_eq!(at(0).read(&guest, 64).map(<[u8]>::len), Ok(64));
        assert_eq!(at(64).read(&guest, 0).map(<[u8]>::len), Ok(0));
        assert_eq!(at(60).read(&guest, 4), Ok(&[0; 4][..]));
        assert_eq!(at(61).read(&guest, 4), Err(BadAddress));
        assert_eq!(at(65).check(&guest, 0), Err(BadAddress));
        assert_eq!(at(u32::MAX).check(&guest, u64::from(u32::MAX)), Err(BadAddress));
        assert_eq!(at(1).check(&guest, u64::MAX), Err(BadAddress));
        assert_eq!(at(1).plus(u64::MAX).check(&guest, 1), Err(BadAddress));
        assert_eq!(at(4).plus(60).check(&guest, 0), Ok(()));
    }

    #[test]
    fn sums_do_not_wrap_at_four_gibibytes() {
        let guest = Guest::with_memory(64);
        assert_eq!(GuestPtr::alleged(u32::MAX).plus(8).check(&guest, 4), Err(BadAddress));
    }

    #[test]
    fn values_are_little_endian() {
        let mut guest = Guest::with_memory(16);
        GuestPtr::alleged(0).write_u32(&mut guest, 0x0102_0304).unwrap();
        GuestPtr::alleged(8).write_u64(&mut guest, 5).unwrap();
        assert_eq!(guest.memory, [4, 3, 2, 1, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(GuestPtr::alleged(13).write_u32(&mut guest, 1), Err(BadAddress));
    }
}
