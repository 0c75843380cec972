//! The runtime's instance, as host functions see it.

use std::time::Duration;

use vivarium_runtime::Instance;

use crate::guest::GuestInstance;

impl GuestInstance for Instance {
    fn argument(&self, n: u32) -> u64 {
        Instance::argument(self, n)
    }

    fn memory(&self) -> &[u8] {
        Instance::memory(self)
    }

    fn memory_mut(&mut self, start: u64, len: u64) -> Option<&mut [u8]> {
        Instance::memory_mut(self, start, len)
    }

    fn ran(&self) -> Duration {
        Instance::ran(self)
    }
}
