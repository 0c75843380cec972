//! Which slot a module gets.
//!
//! A pool belongs to one thread. An instance takes a ready slot of its module, else an empty one, else a ready slot of the module that was used longest
//! ago. What the thread keeps of a module is its [`Shelf`]: nothing that another thread touches, so that threads do not slow each other down.
//!
//! ```text
//!  Empty ──place──► Ready ──acquire──► InUse ──drop──► Resetting ──► Ready
//!    ▲                │                                   │ └──────► Empty      when its module is retired
//!    └──── vacate ────┘                                   └────────► Discarded  when the reset failed, was interrupted, or left a byte behind
//! ```

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use thiserror::Error;

use crate::instance::Instance;
use crate::meter::Meter;
use crate::module::LoadedModule;
use crate::reset::{Ladder, Learned, ResetMethod};
use crate::runtime::RuntimeSettings;
use crate::sys::activation::Activation;
use crate::sys::control::Thread;
use crate::sys::region::{Region, Regions};
use crate::sys::slot::SlotMemory;

/// Slots of one piece of address space: four tebibytes.
const REGION_SLOTS_MAX: u32 = 1024;

/// What one instance gets at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstanceLimits {
    /// Length to which `memory.grow` may bring all memories together, in bytes; the contract's own maxima hold besides.
    pub memory_bytes_max: u64,
}

/// What the memories and kept exceptions of several instances may take together. It is asked before a memory grows and before an exception is kept.
pub trait MemoryBudget: std::fmt::Debug + Send + Sync {
    /// Takes so many bytes more, or none of them and false.
    fn take(&self, bytes: u64) -> bool;

    /// The kernel, or a bound of the instance's own, refused what was taken for it.
    fn give_back(&self, bytes: u64);
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

/// Where a slot is on its way; the graph is in this file's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlotState {
    /// Nothing is mapped. → `Ready`
    Empty,
    /// Pristine, with one module's image. → `InUse`, `Empty`
    Ready,
    /// An instance has it. → `Resetting`
    InUse,
    /// What is in it is neither pristine nor anybody's. → `Ready`, `Empty`, `Discarded`
    Resetting,
    /// Never used again: its address space stays reserved. No way on.
    Discarded,
}

#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) state: SlotState,
    pub(crate) memory: SlotMemory,
    pub(crate) activation: Activation,
}

/// What a thread keeps of one module.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) module: Arc<LoadedModule>,
    learned: RefCell<Learned>,
    /// The one that was given back last is at the end: its pages are the warmest.
    #[expect(clippy::vec_box, reason = "a slot that moves between list and instance is a pointer that moves")]
    ready: RefCell<Vec<Box<Slot>>>,
    in_use: Cell<u32>,
    /// When a slot was last taken, by the pool's count.
    used_at: Cell<u64>,
}

pub(crate) struct PoolState {
    pub(crate) thread: Thread,
    regions: Regions,
    slots: u32,
    /// Slots that were never used are made when they are needed: so many regions and slots of the next have been.
    made: Cell<(usize, u32)>,
    #[expect(clippy::vec_box, reason = "as for a shelf's")]
    empty: RefCell<Vec<Box<Slot>>>,
    /// By the module's number.
    shelves: RefCell<Vec<Option<Rc<Shelf>>>>,
    /// Counts acquisitions.
    now: Cell<u64>,
    in_use: Cell<u32>,
    discarded: Cell<u32>,
    /// What ready slots keep populated, in bytes.
    warm_bytes: Cell<u64>,
    ladder: Ladder,
    verify_resets: bool,
    interrupt_next_reset: Cell<bool>,
    pub(crate) meter: Meter,
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

impl Pool {
    /// Reserves address space for `slots` slots and prepares the calling thread to run guests.
    pub(crate) fn new(slots: u32, settings: RuntimeSettings, ladder: Ladder) -> io::Result<Pool> {
        let thread = Thread::register(settings.slice)?;
        Ok(Pool(Rc::new(PoolState {
            thread,
            regions: Regions::new(regions(slots)?),
            slots,
            made: Cell::new((0, 0)),
            empty: RefCell::new(Vec::new()),
            shelves: RefCell::new(Vec::new()),
            now: Cell::new(0),
            in_use: Cell::new(0),
            discarded: Cell::new(0),
            warm_bytes: Cell::new(0),
            ladder,
            verify_resets: settings.verify_resets,
            interrupt_next_reset: Cell::new(false),
            meter: Meter::new(settings.slice),
        })))
    }

    /// A fresh instance of a module.
    #[inline]
    pub fn acquire(&self, module: &Arc<LoadedModule>, limits: InstanceLimits) -> Result<Instance, AcquireError> {
        let shelf = self.0.shelf(module);
        match self.0.take(&shelf) {
            Ok(slot) => Ok(Instance::new(shelf, self.0.clone(), slot, limits)),
            Err(error) => {
                self.0.forget_retired(&shelf);
                Err(error)
            }
        }
    }

    /// How many instances are alive.
    pub fn in_use(&self) -> u32 {
        self.0.in_use.get()
    }

    /// How many slots are lost because their reset failed.
    pub fn discarded(&self) -> u32 {
        self.0.discarded.get()
    }

    /// Memory that ready slots keep populated, so that the next instance faults less; in bytes.
    pub fn warm_bytes(&self) -> u64 {
        self.0.warm_bytes.get()
    }

    /// For tests: the next reset panics before it has given anything back.
    pub fn interrupt_next_reset(&self) {
        self.0.interrupt_next_reset.set(true);
    }

    /// How slots of this module are reset at present; none when no instance of it has been in this pool.
    pub fn reset_method(&self, module: &LoadedModule) -> Option<ResetMethod> {
        let shelves = self.0.shelves.borrow();
        let shelf = shelves.get(module.number())?.as_ref()?;
        Some(shelf.learned.borrow().method())
    }

    /// Empties ready slots, those of the module that was used longest ago first, until they keep no more than this populated, in bytes.
    pub fn cool(&self, warm_bytes_max: u64) {
        while self.0.warm_bytes.get() > warm_bytes_max {
            let Some(slot) = self.0.take_oldest() else { break };
            self.0.put_empty(slot);
        }
    }

    /// Ready slots of a module that will not be used again become those of another whose instances begin as its do, with what was learned of its writes;
    /// those in use become empty when their instances end.
    ///
    /// # Panics
    ///
    /// When they do not.
    pub fn succeed(&self, module: &LoadedModule, by: &Arc<LoadedModule>) {
        assert!(by.begins_as(module), "a slot is pristine for both");
        module.retire();
        let shelf = self.0.shelves.borrow_mut().get_mut(module.number()).and_then(Option::take);
        let Some(shelf) = shelf else { return };
        let heir = self.0.shelf(by);
        if heir.used_at.get() == 0 {
            heir.learned.swap(&shelf.learned);
            heir.used_at.set(shelf.used_at.get());
        }
        heir.ready.borrow_mut().append(&mut shelf.ready.borrow_mut());
    }

    /// Empties the ready slots of a module that will not be used again; those in use follow when their instances end.
    pub fn forget(&self, module: &LoadedModule) {
        module.retire();
        let shelf = self.0.shelves.borrow_mut().get_mut(module.number()).and_then(Option::take);
        if let Some(shelf) = shelf {
            while let Some(slot) = self.0.take_ready(&shelf) {
                self.0.put_empty(slot);
            }
        }
    }
}

/// Address space for so many slots, in pieces: the largest hole of a process is smaller than all of its holes.
fn regions(slots: u32) -> io::Result<Vec<Rc<Region>>> {
    let mut regions: Vec<Rc<Region>> = Vec::new();
    let mut made = 0;
    while made < slots || regions.is_empty() {
        let next = (slots - made).min(REGION_SLOTS_MAX);
        let region = Region::new(next).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("this process has address space for {made} slots, not for {slots} ({error}): ask for fewer"),
            )
        })?;
        regions.push(region);
        made += next;
    }
    Ok(regions)
}

impl PoolState {
    fn shelf(&self, module: &Arc<LoadedModule>) -> Rc<Shelf> {
        let number = module.number();
        if let Some(Some(shelf)) = self.shelves.borrow().get(number) {
            return shelf.clone();
        }
        let shelf = Rc::new(Shelf::new(module.clone(), self.ladder));
        let mut shelves = self.shelves.borrow_mut();
        if shelves.len() <= number {
            shelves.resize(number + 1, None);
        }
        shelves[number] = Some(shelf.clone());
        shelf
    }

    fn take(&self, shelf: &Shelf) -> Result<Box<Slot>, AcquireError> {
        let mut slot = match self.take_ready(shelf) {
            Some(slot) => slot,
            None => self.place(shelf)?,
        };
        slot.state = SlotState::InUse;
        self.now.set(self.now.get() + 1);
        shelf.used_at.set(self.now.get());
        shelf.in_use.set(shelf.in_use.get() + 1);
        self.in_use.set(self.in_use.get() + 1);
        Ok(slot)
    }

    fn take_ready(&self, shelf: &Shelf) -> Option<Box<Slot>> {
        let slot = shelf.ready.borrow_mut().pop()?;
        self.warm_bytes.set(self.warm_bytes.get() - slot.memory.warm_bytes());
        Some(slot)
    }

    /// A slot that holds this module for the first time.
    fn place(&self, shelf: &Shelf) -> Result<Box<Slot>, AcquireError> {
        let slot = self.empty.borrow_mut().pop().or_else(|| self.make()).or_else(|| self.take_oldest());
        let mut slot = slot.ok_or(AcquireError::Exhausted { slots: self.slots })?;
        loop {
            let error = match slot.memory.place(&shelf.module) {
                Ok(()) => return Ok(slot),
                Err(error) => error,
            };
            // Ready slots hold mappings and memory too: they come after guests that want to run.
            match self.take_oldest().filter(|_| error.kind() == io::ErrorKind::OutOfMemory) {
                Some(ready) => self.put_empty(ready),
                None => {
                    // Nothing has run in it: it is empty, unless the kernel refuses even that.
                    self.put_empty(slot);
                    return Err(AcquireError::Place(error));
                }
            }
        }
    }

    /// The next slot that was never used.
    fn make(&self) -> Option<Box<Slot>> {
        let (mut region, mut index) = self.made.get();
        while index == self.regions.all().get(region)?.slots() {
            (region, index) = (region + 1, 0);
        }
        self.made.set((region, index + 1));
        let memory = SlotMemory::new(self.regions.all()[region].clone(), index);
        Some(Box::new(Slot { state: SlotState::Empty, memory, activation: Activation::default() }))
    }

    /// A ready slot of the module that was used longest ago. A shelf that has no slots any more goes.
    fn take_oldest(&self) -> Option<Box<Slot>> {
        let mut shelves = self.shelves.borrow_mut();
        let has_slots = shelves.iter_mut().filter(|place| place.as_ref().is_some_and(|shelf| !shelf.ready.borrow().is_empty()));
        let oldest = has_slots.min_by_key(|place| place.as_ref().map(|shelf| shelf.used_at.get()))?;
        let shelf = oldest.take()?;
        let slot = self.take_ready(&shelf);
        if shelf.in_use.get() > 0 || !shelf.ready.borrow().is_empty() {
            *oldest = Some(shelf);
        }
        slot
    }

    /// Resets a slot that an instance has used; only a slot that is pristine again becomes ready.
    pub(crate) fn give_back(&self, slot: Box<Slot>, shelf: &Shelf) {
        self.forget_instance(shelf);
        let mut resetting = Resetting { pool: self, slot: Some(slot) };
        match resetting.run(shelf) {
            // A slot with several memories holds dozens of mappings, of which a process has a bounded number, and is quick to place beside its reset.
            Ok(slot) if shelf.module.is_retired() || slot.memory.is_wide() => self.put_empty(slot),
            Ok(slot) => {
                self.warm_bytes.set(self.warm_bytes.get() + slot.memory.warm_bytes());
                shelf.ready.borrow_mut().push(slot);
            }
            // Dropping `resetting` discards the slot.
            Err(NotPristine) => {}
        }
        self.forget_retired(shelf);
    }

    /// A shelf may have been put up anew after its module was forgotten, by a request that had found the module before.
    fn forget_retired(&self, shelf: &Shelf) {
        if shelf.module.is_retired() && shelf.in_use.get() == 0 {
            drop(self.shelves.borrow_mut().get_mut(shelf.module.number()).and_then(Option::take));
        }
    }

    /// An instance has ended.
    pub(crate) fn forget_instance(&self, shelf: &Shelf) {
        self.in_use.set(self.in_use.get() - 1);
        shelf.in_use.set(shelf.in_use.get() - 1);
    }

    /// Unmaps what a slot holds, so that it can be any module's.
    pub(crate) fn put_empty(&self, mut slot: Box<Slot>) {
        match slot.memory.vacate() {
            Ok(()) => {
                slot.state = SlotState::Empty;
                self.empty.borrow_mut().push(slot);
            }
            Err(_) => self.discard(*slot),
        }
    }

    /// Takes a slot out of use for good; its content is unmapped if the kernel lets us.
    fn discard(&self, mut slot: Slot) {
        slot.state = SlotState::Discarded;
        let _ = slot.memory.vacate();
        self.discarded.set(self.discarded.get() + 1);
    }
}

/// The reset failed, or left something behind.
struct NotPristine;

/// A slot that is being reset. However that ends, by an error or by a panic, a slot that is still in here is discarded.
struct Resetting<'p> {
    pool: &'p PoolState,
    slot: Option<Box<Slot>>,
}

impl Resetting<'_> {
    /// The slot, pristine again.
    fn run(&mut self, shelf: &Shelf) -> Result<Box<Slot>, NotPristine> {
        let slot = self.slot.as_mut().ok_or(NotPristine)?;
        slot.state = SlotState::Resetting;
        slot.activation = Activation::default();
        assert!(!self.pool.interrupt_next_reset.take(), "this reset was to be interrupted");
        slot.memory.reset(&shelf.module, &mut shelf.learned.borrow_mut(), self.pool.verify_resets).map_err(|_| NotPristine)?;
        slot.state = SlotState::Ready;
        self.slot.take().ok_or(NotPristine)
    }
}

impl Drop for Resetting<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.pool.discard(*slot);
        }
    }
}

impl Shelf {
    fn new(module: Arc<LoadedModule>, ladder: Ladder) -> Shelf {
        let learned = RefCell::new(Learned::new(ladder, module.pages_always_written()));
        Shelf { module, learned, ready: RefCell::new(Vec::new()), in_use: Cell::new(0), used_at: Cell::new(0) }
    }
}
