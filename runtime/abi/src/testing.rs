//! A guest without code: a vector for memory and a list of arguments.

use std::time::Duration;

use bytes::Bytes;

use crate::answer::Answer;
use crate::guest::GuestInstance;
use crate::host::{Host, HostInput, HostLimits};
use crate::table::HostFunction;

pub(crate) struct Guest {
    pub(crate) arguments: Vec<u64>,
    pub(crate) memory: Vec<u8>,
    pub(crate) ran: Duration,
}

impl Guest {
    pub(crate) fn with_memory(bytes: usize) -> Guest {
        Guest { arguments: Vec::new(), memory: vec![0; bytes], ran: Duration::ZERO }
    }

    pub(crate) fn u32_at(&self, address: usize) -> u32 {
        u32::from_le_bytes(self.memory[address..address + 4].try_into().unwrap())
    }

    pub(crate) fn u64_at(&self, address: usize) -> u64 {
        u64::from_le_bytes(self.memory[address..address + 8].try_into().unwrap())
    }

    pub(crate) fn put(&mut self, address: usize, bytes: &[u8]) {
        self.memory[address..address + bytes.len()].copy_from_slice(bytes);
    }

    /// Lays an array of (address, length) pairs.
    pub(crate) fn put_iovecs(&mut self, address: usize, pairs: &[(u32, u32)]) {
        for (n, (start, len)) in pairs.iter().enumerate() {
            self.put(address + 8 * n, &start.to_le_bytes());
            self.put(address + 8 * n + 4, &len.to_le_bytes());
        }
    }
}

impl GuestInstance for Guest {
    fn argument(&self, n: u32) -> u64 {
        // What lies above an i32 in its cell means nothing: make it disturb.
        self.arguments.get(n as usize).map_or(u64::MAX, |value| *value)
    }

    fn memory(&self) -> &[u8] {
        &self.memory
    }

    fn memory_mut(&mut self, start: u64, len: u64) -> Option<&mut [u8]> {
        let end = start.checked_add(len)?;
        self.memory.get_mut(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    }

    fn ran(&self) -> Duration {
        self.ran
    }
}

pub(crate) fn host() -> Host {
    host_with(HostInput::default(), HostLimits::default())
}

pub(crate) fn host_with_stdin(stdin: &'static [u8]) -> Host {
    host_with(HostInput { stdin: Bytes::from_static(stdin), ..HostInput::default() }, HostLimits::default())
}

pub(crate) fn host_with(input: HostInput, limits: HostLimits) -> Host {
    Host::new(input, limits).unwrap()
}

/// Calls a function of WASI preview 1 by name.
pub(crate) fn call(host: &mut Host, guest: &mut Guest, name: &str, arguments: &[u64]) -> Answer {
    let function = HostFunction::find("wasi_snapshot_preview1", name).unwrap();
    guest.arguments = arguments.to_vec();
    host.call_function(function, guest)
}

/// Calls a function and expects an error number, 0 for success.
#[track_caller]
pub(crate) fn check(host: &mut Host, guest: &mut Guest, name: &str, arguments: &[u64], errno: u64) {
    assert_eq!(call(host, guest, name, arguments), Answer::value(errno), "{name}{arguments:?}");
}
