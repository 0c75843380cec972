//! A guest without code: a vector for memory and a list of arguments.

use std::cell::Cell;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;

use crate::answer::Answer;
use crate::compute::{KvChange, KvEntry, KvError, KvStores, MemoryKv};
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

/// Stores that are asked twice before they answer.
#[derive(Debug)]
pub(crate) struct SlowKv {
    pub(crate) kept: MemoryKv,
    asked: Cell<u32>,
    /// Changes that have begun.
    pub(crate) begun: Cell<u32>,
}

impl SlowKv {
    pub(crate) fn new(kept: MemoryKv) -> SlowKv {
        SlowKv { kept, asked: Cell::new(0), begun: Cell::new(0) }
    }

    fn late<T>(&self, answer: impl FnOnce() -> Poll<T>) -> Poll<T> {
        self.asked.set(self.asked.get() + 1);
        if self.asked.get() % 2 == 1 { Poll::Pending } else { answer() }
    }
}

impl KvStores for SlowKv {
    fn bytes_max(&self) -> u64 {
        self.kept.bytes_max()
    }

    fn has_store(&self, store: &str) -> bool {
        self.kept.has_store(store)
    }

    fn entry(&self, store: &str, key: &str) -> Poll<Result<Option<KvEntry>, KvError>> {
        self.late(|| self.kept.entry(store, key))
    }

    fn keys(&self, store: &str, prefix: &str, after: &str, count: usize) -> Poll<Result<Vec<String>, KvError>> {
        self.late(|| self.kept.keys(store, prefix, after, count))
    }

    fn begin(&self, change: KvChange) -> u64 {
        self.begun.set(self.begun.get() + 1);
        self.kept.begin(change)
    }

    fn has_ended(&self, _: u64) -> bool {
        self.asked.get() % 2 == 1
    }

    fn end(&self, change: u64) -> Poll<Result<(), KvError>> {
        self.late(|| self.kept.end(change))
    }
}
