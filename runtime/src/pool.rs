//! Which slot a module gets.
//!
//! A pool belongs to one thread. Its slots are *empty*, *ready* (pristine, holding one module's image), in use by an [`Instance`], or *discarded*: a slot whose reset
//! failed is never used again. An instance takes a ready slot of its module, else an empty one, else the ready slot that has waited longest.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;
use vivarium_artifact::Digest;

use crate::instance::Instance;
use crate::module::LoadedModule;
use crate::runtime::RuntimeSettings;
use crate::slot::reservation_bytes;
use crate::sys::activation::Activation;
use crate::sys::control::Thread;
use crate::sys::memory::Reservation;
use crate::sys::slot::SlotMemory;

/// What one instance gets at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstanceLimits {
    /// Length to which `memory.grow` may bring all memories together, in bytes; the contract's own maxima hold besides.
    pub memory_bytes_max: u64,
}

/// Why there is no instance.
#[derive(Debug, Error)]
pub enum AcquireError {
    #[error("all {slots} slots of this thread are in use")]
    Exhausted { slots: u32 },
    #[error("placing the module in a slot failed: {0}")]
    Place(#[from] io::Error),
}

/// Slots of one thread.
#[derive(Debug, Clone)]
pub struct Pool(Rc<PoolState>);

#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) memory: SlotMemory,
    pub(crate) activation: Box<Activation>,
}

pub(crate) struct PoolState {
    pub(crate) thread: RefCell<Thread>,
    slots: u32,
    empty: RefCell<Vec<Slot>>,
    ready: RefCell<Ready>,
    in_use: Cell<u32>,
    discarded: Cell<u32>,
    last_reset: Cell<Duration>,
    verify_resets: bool,
    /// What one turn counts as processor time at most.
    pub(crate) turn_max: Duration,
}

impl std::fmt::Debug for PoolState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("slots", &self.slots)
            .field("in_use", &self.in_use)
            .field("discarded", &self.discarded)
            .finish_non_exhaustive()
    }
}

/// Pristine slots by module, and the order in which they became ready.
#[derive(Debug, Default)]
struct Ready {
    by_module: HashMap<Digest, Vec<(u64, Slot)>>,
    order: VecDeque<(u64, Digest)>,
    next: u64,
}

impl Ready {
    fn put(&mut self, module: Digest, slot: Slot) {
        self.next += 1;
        self.by_module.entry(module).or_default().push((self.next, slot));
        self.order.push_back((self.next, module));
        // Entries of slots that were taken stay behind in `order`; drop them once they are the larger part.
        if self.order.len() > 64 && self.order.len() > 2 * self.by_module.values().map(Vec::len).sum::<usize>() {
            let by_module = &self.by_module;
            self.order.retain(|(number, module)| by_module.get(module).is_some_and(|slots| slots.iter().any(|(other, _)| other == number)));
        }
    }

    fn take(&mut self, module: Digest) -> Option<Slot> {
        let slots = self.by_module.get_mut(&module)?;
        let (_, slot) = slots.pop()?;
        if slots.is_empty() {
            self.by_module.remove(&module);
        }
        Some(slot)
    }

    fn take_oldest(&mut self) -> Option<Slot> {
        while let Some((number, module)) = self.order.pop_front() {
            let Some(slots) = self.by_module.get_mut(&module) else { continue };
            if let Some(position) = slots.iter().position(|(other, _)| *other == number) {
                let (_, slot) = slots.remove(position);
                if slots.is_empty() {
                    self.by_module.remove(&module);
                }
                return Some(slot);
            }
        }
        None
    }
}

impl Pool {
    /// Reserves address space for `slots` slots and prepares the calling thread to run guests.
    pub(crate) fn new(slots: u32, settings: RuntimeSettings) -> io::Result<Pool> {
        let reservation = Rc::new(Reservation::new(reservation_bytes(slots))?);
        let make = |index| Slot { memory: SlotMemory::new(reservation.clone(), index), activation: Activation::new() };
        Ok(Pool(Rc::new(PoolState {
            thread: RefCell::new(Thread::register()?),
            slots,
            empty: RefCell::new((0..slots).rev().map(make).collect()),
            ready: RefCell::new(Ready::default()),
            in_use: Cell::new(0),
            discarded: Cell::new(0),
            last_reset: Cell::new(Duration::ZERO),
            verify_resets: settings.verify_resets,
            turn_max: 2 * settings.slice,
        })))
    }

    /// A fresh instance of a module.
    pub fn acquire(&self, module: &Arc<LoadedModule>, limits: InstanceLimits) -> Result<Instance, AcquireError> {
        let slot = self.0.take(module)?;
        self.0.in_use.set(self.0.in_use.get() + 1);
        Ok(Instance::new(module.clone(), self.0.clone(), slot, limits))
    }

    /// How many instances are alive.
    pub fn in_use(&self) -> u32 {
        self.0.in_use.get()
    }

    /// How many slots are lost because their reset failed.
    pub fn discarded(&self) -> u32 {
        self.0.discarded.get()
    }

    /// How long the last reset took.
    pub fn last_reset(&self) -> Duration {
        self.0.last_reset.get()
    }

    /// Empties the ready slots of a module that will not be used again; those in use follow when their instances end.
    pub fn forget(&self, module: &LoadedModule) {
        module.retire();
        let slots = self.0.ready.borrow_mut().by_module.remove(&module.digest()).unwrap_or_default();
        for (_, slot) in slots {
            self.0.put_empty(slot);
        }
    }
}

impl PoolState {
    fn take(&self, module: &Arc<LoadedModule>) -> Result<Slot, AcquireError> {
        if let Some(slot) = self.ready.borrow_mut().take(module.digest()) {
            return Ok(slot);
        }
        let slot = self.empty.borrow_mut().pop().or_else(|| self.ready.borrow_mut().take_oldest());
        let mut slot = slot.ok_or(AcquireError::Exhausted { slots: self.slots })?;
        match slot.memory.place(module) {
            Ok(()) => Ok(slot),
            Err(error) => {
                // Nothing has run in it: it is empty, unless the kernel refuses even that.
                self.put_empty(slot);
                Err(AcquireError::Place(error))
            }
        }
    }

    /// Resets a slot that an instance has used; only a slot that is pristine again becomes ready.
    pub(crate) fn give_back(&self, mut slot: Slot, module: &LoadedModule) {
        self.in_use.set(self.in_use.get() - 1);
        let started = Instant::now();
        let reset = slot.memory.reset();
        self.last_reset.set(started.elapsed());
        let pristine = reset.is_ok() && (!self.verify_resets || slot.memory.is_pristine(module.image_view()));
        if pristine && module.is_retired() {
            self.put_empty(slot);
        } else if pristine {
            self.ready.borrow_mut().put(module.digest(), slot);
        } else {
            self.discard(slot);
        }
    }

    /// Unmaps what a slot holds, so that it can be any module's.
    fn put_empty(&self, mut slot: Slot) {
        match slot.memory.vacate() {
            Ok(()) => self.empty.borrow_mut().push(slot),
            Err(_) => self.discard(slot),
        }
    }

    /// Takes a slot out of use for good: its address space stays reserved, its content is unmapped if the kernel lets us.
    fn discard(&self, mut slot: Slot) {
        let _ = slot.memory.vacate();
        self.discarded.set(self.discarded.get() + 1);
    }
}
