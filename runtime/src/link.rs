//! Linked instances (`decisions/0008-linking.md`): one that imports memories, tables or globals of others. Nothing in the product is linked; the
//! specification's tests need it.
//!
//! A memory and a mutable global of numbers are shared by address: [`Instance::link_memory`] and [`Instance::link_global`] write it into the importer's
//! context. Everything else is an exit that the embedder answers, who holds all instances: [`LinkedExit::Foreign`]. References to functions mean something
//! in their own module only; the embedder translates them, and gives a function of another instance a number of its own choice, with
//! [`FOREIGN_TYPE`](vivarium_artifact::abi::FOREIGN_TYPE) for its type.
//!
//! An importer keeps the *slot* of each owner mapped ([`Keeper`]), so that no address in it outlives what it names. The slot of an owner or importer is
//! emptied when the last of them has ended, never reset for another instance.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;
use vivarium_artifact::abi::{Builtin, FOREIGN_BASE, REFERENCE_BYTES};
use vivarium_artifact::{Contract, SlotLayout, TagPlan, ValueType};

use crate::exceptions::{Exception, Exceptions, TagIdentity};
use crate::instance::{Exit, Instance};
use crate::pool::{PoolState, Slot};

/// Why a linked instance is not running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkedExit {
    Plain(Exit),
    /// It needs something that another instance has; [`Instance::answer_foreign`] goes on.
    Foreign(ForeignRequest),
    /// The topmost call has ended by an exception that nothing in it catches. A hostcall that it was nested in waits for its answer again.
    Thrown(Exception),
}

/// What is needed of another instance. Indices are those of the instance that asks, references in its own numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignRequest {
    /// → previous length in pages, all bits set when refused.
    MemoryGrow { memory: u32, delta_pages: u64 },
    /// → previous length in elements, all bits set when refused.
    TableGrow { table: u32, delta: u64, reference: u64 },
    /// → length in elements.
    TableSize { table: u32 },
    /// → reference; the index is within bounds.
    TableGet { table: u32, index: u64 },
    /// → 0; the index is within bounds.
    TableSet { table: u32, index: u64, reference: u64 },
    /// → reference.
    GlobalGet { global: u32 },
    /// → 0.
    GlobalSet { global: u32, reference: u64 },
    /// → 1 when the foreign function has the signature of this number, else 0.
    HasType { reference: u64, type_number: u32 },
    /// → the results of calling the foreign function, which has the signature of this number; its arguments are in the cells.
    Call { reference: u64, type_number: u32 },
}

/// Why two instances cannot be linked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LinkError {
    #[error("there is no such import or export")]
    Missing,
    #[error("the owner has another type")]
    Type,
    #[error("a call has begun already")]
    Late,
    #[error("the kernel does not stop watching the owner's memory")]
    Watched,
}

/// What an instance is linked to, and by whom.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// Imports that have an owner, and what keeps its slot mapped.
    imports: Vec<(Import, Rc<Keeper>)>,
    /// Set once another instance has an address in this one's slot.
    keeper: Option<Rc<Keeper>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Import {
    Memory(u32),
    Global(u32),
}

impl Links {
    /// Gives back the slot of an instance that has ended, once no other has an address in it.
    pub(crate) fn release(self, slot: Box<Slot>, pool: &PoolState) {
        match self.keeper {
            Some(keeper) => *keeper.slot.borrow_mut() = Some(slot),
            None => pool.put_empty(slot),
        }
    }
}

/// Keeps the slot of an owner mapped: gets it when the owner ends, and empties it when the last importer does.
#[derive(Debug)]
pub(crate) struct Keeper {
    pool: Rc<PoolState>,
    slot: RefCell<Option<Box<Slot>>>,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.pool.put_empty(slot);
        }
    }
}

/// What the tags of a linked instance are known as: its own as what no other is, imported ones not yet.
#[inline]
pub(crate) fn tags(contract: &Contract) -> Option<Box<Exceptions>> {
    if !contract.linked {
        return None;
    }
    own_tags(contract)
}

fn own_tags(contract: &Contract) -> Option<Box<Exceptions>> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let identity = |tag: &TagPlan| tag.import.is_none().then(|| TagIdentity(NEXT.fetch_add(1, Ordering::Relaxed)));
    (!contract.tags.is_empty()).then(|| Box::new(Exceptions::with_tags(contract.tags.iter().map(identity).collect())))
}

impl ForeignRequest {
    /// What a hostcall number asks of another instance, arguments read from cells. `None` for what the instance's own runtime answers.
    pub(crate) fn of(instance: &Instance, number: u32) -> Option<ForeignRequest> {
        let argument = |index| instance.argument(index);
        let index = |position| instance.argument(position) as u32;
        let contract = instance.module().contract();
        if !contract.linked {
            return None;
        }
        let Some(builtin) = Builtin::from_number(number) else {
            let type_number = number.checked_sub(FOREIGN_BASE)?;
            let place = instance.module().layout().foreign_reference();
            return Some(ForeignRequest::Call { reference: instance.slot().memory.word(place)?, type_number });
        };
        let is_imported = |import: Option<bool>| import.unwrap_or_default();
        match builtin {
            Builtin::MemoryGrow => is_imported(contract.memories.get(index(1) as usize).map(|memory| memory.import.is_some()))
                .then(|| ForeignRequest::MemoryGrow { memory: index(1), delta_pages: argument(0) }),
            Builtin::TableGrow => is_imported(contract.tables.get(index(2) as usize).map(|table| table.import.is_some()))
                .then(|| ForeignRequest::TableGrow { table: index(2), delta: argument(1), reference: argument(0) }),
            Builtin::ThrowRef => None,
            Builtin::TableSize => Some(ForeignRequest::TableSize { table: index(0) }),
            Builtin::TableGet => Some(ForeignRequest::TableGet { table: index(1), index: argument(0) }),
            Builtin::TableSet => Some(ForeignRequest::TableSet { table: index(2), index: argument(0), reference: argument(1) }),
            Builtin::GlobalGet => Some(ForeignRequest::GlobalGet { global: index(0) }),
            Builtin::GlobalSet => Some(ForeignRequest::GlobalSet { global: index(1), reference: argument(0) }),
            Builtin::ForeignType => Some(ForeignRequest::HasType { reference: argument(0), type_number: index(1) }),
        }
    }
}

impl Instance {
    /// Runs a linked instance until its next exit.
    ///
    /// # Panics
    ///
    /// When there is nothing to resume.
    pub fn resume_linked(&mut self) -> LinkedExit {
        if let Some(exit) = self.prepare() {
            return exit;
        }
        let left = self.switch();
        self.go_on(left)
    }

    /// Links an imported memory to one of the owner's own. Both are held mutably, so that nobody holds a slice of theirs; from now on the owner hands
    /// out none.
    pub fn link_memory(&mut self, memory: u32, owner: &mut Instance, owner_memory: u32) -> Result<(), LinkError> {
        let (module, owner_module) = (self.module().clone(), owner.module().clone());
        let wanted = module.contract().memories.get(memory as usize).filter(|plan| plan.import.is_some()).ok_or(LinkError::Missing)?;
        let offered = owner_module.contract().memories.get(owner_memory as usize).ok_or(LinkError::Missing)?;
        let own_number = owner_module.layout().own_memory(owner_memory).ok_or(LinkError::Missing)?;
        let bytes = owner.slot().memory.memory_bytes(own_number).ok_or(LinkError::Missing)?;
        if !wanted.accepts(offered, bytes / offered.page_bytes) {
            return Err(LinkError::Type);
        }
        let bounds = owner.slot().memory.bounds();
        let first_byte = bounds.memory + SlotLayout::memory_distance(own_number);
        let length = bounds.base + owner_module.layout().memory_length(owner_memory);
        self.link(Import::Memory(memory), owner)?;
        self.slot_mut().memory.set_word(module.layout().memory_link(memory), first_byte);
        self.slot_mut().memory.set_word(module.layout().memory_length(memory), length);
        Ok(())
    }

    /// Links an imported mutable global to one of the owner's own. One that holds references to functions is not linked, but asked for.
    pub fn link_global(&mut self, global: u32, owner: &mut Instance, owner_global: u32) -> Result<(), LinkError> {
        let (module, owner_module) = (self.module().clone(), owner.module().clone());
        let wanted = module.contract().globals.get(global as usize).filter(|plan| plan.is_linked()).ok_or(LinkError::Missing)?;
        let offered = owner_module.contract().globals.get(owner_global as usize).filter(|plan| plan.import().is_none());
        if offered.ok_or(LinkError::Missing)?.ty != wanted.ty {
            return Err(LinkError::Type);
        }
        let address = owner.slot().memory.bounds().base + owner_module.layout().global(owner_global);
        self.link(Import::Global(global), owner)?;
        self.slot_mut().memory.set_word(module.layout().global(global), address);
        Ok(())
    }

    /// Links an imported tag to one of the owner's, or to one that the owner imports: exceptions of either are of both.
    pub fn link_tag(&mut self, tag: u32, owner: &Instance, owner_tag: u32) -> Result<(), LinkError> {
        if !self.is_idle() {
            return Err(LinkError::Late);
        }
        let (module, owner_module) = (self.module().clone(), owner.module());
        let wanted = module.contract().tags.get(tag as usize).filter(|plan| plan.import.is_some()).ok_or(LinkError::Missing)?;
        let offered = owner_module.contract().tags.get(owner_tag as usize).ok_or(LinkError::Missing)?;
        if !module.contract().is_same_signature(wanted.type_number, owner_module.contract(), offered.type_number) {
            return Err(LinkError::Type);
        }
        let identity = owner.tag(owner_tag).filter(|_| owner_module.contract().linked).ok_or(LinkError::Missing)?;
        self.exceptions_mut().tags[tag as usize] = Some(identity);
        Ok(())
    }

    /// Gives what was asked for; [`Instance::resume_linked`] goes on then.
    ///
    /// # Panics
    ///
    /// When nothing was asked for, or the answer does not fit.
    pub fn answer_foreign(&mut self, results: &[u128]) {
        let request = self.waiting_request().expect("another instance was asked for something");
        let module = self.module().clone();
        let number = [ValueType::I64];
        let types = match request {
            ForeignRequest::Call { type_number, .. } => module.contract().types[type_number as usize - 1].results.as_slice(),
            ForeignRequest::GlobalGet { global } => std::slice::from_ref(&module.contract().globals[global as usize].ty.value),
            ForeignRequest::TableGet { table, .. } => std::slice::from_ref(&module.contract().tables[table as usize].element),
            _ => &number,
        };
        assert_eq!(types.len(), results.len(), "results of {request:?}");
        assert!(types.iter().zip(results).all(|(ty, bits)| self.is_value(*ty, *bits)), "a reference among the results of {request:?}");
        self.return_to_guest(results.iter().copied());
    }

    /// Length of a memory of its own, in bytes.
    pub fn memory_length(&self, memory: u32) -> Option<u64> {
        self.module().contract().memories.get(memory as usize).filter(|plan| plan.import.is_none())?;
        self.slot().memory.word(self.module().layout().memory_length(memory))
    }

    /// Length of a table of its own, in elements.
    pub fn table_length(&self, table: u32) -> Option<u64> {
        self.module().contract().tables.get(table as usize).filter(|plan| plan.import.is_none())?;
        self.slot().memory.word(self.module().layout().table_length(table))
    }

    /// An element of a table of its own; `None` when it is out of bounds.
    pub fn table_element(&self, table: u32, index: u64) -> Option<u64> {
        self.slot().memory.word(self.element_place(table, index)?)
    }

    /// Sets an element of a table of its own; `None` when it is out of bounds, or no value of the table's type.
    pub fn set_table_element(&mut self, table: u32, index: u64, reference: u64) -> Option<()> {
        let place = self.element_place(table, index)?;
        let element = self.module().contract().tables[table as usize].element;
        self.is_value(element, u128::from(reference)).then_some(())?;
        self.slot_mut().memory.set_word(place, reference);
        Some(())
    }

    fn element_place(&self, table: u32, index: u64) -> Option<u64> {
        (index < self.table_length(table)?).then(|| self.module().layout().table(table) + REFERENCE_BYTES * index)
    }

    /// Whether others may reach the slot: then no slice of it is handed out.
    pub(crate) fn is_shared(&self) -> bool {
        self.links.as_ref().is_some_and(|links| links.keeper.is_some())
    }

    /// How many imports have still to be linked before a call may begin.
    pub(crate) fn links_missing(&self) -> usize {
        let contract = self.module().contract();
        if !contract.linked {
            return 0;
        }
        let globals = contract.globals.iter().filter(|global| global.is_linked()).count();
        let linked = self.links.as_ref().map_or(0, |links| links.imports.len());
        let tags = self.exceptions.iter().flat_map(|exceptions| &exceptions.tags).filter(|tag| tag.is_none()).count();
        contract.imported_memories() as usize + globals - linked + tags
    }

    fn link(&mut self, import: Import, owner: &mut Instance) -> Result<(), LinkError> {
        if !self.is_idle() {
            return Err(LinkError::Late);
        }
        owner.slot_mut().memory.share().map_err(|_| LinkError::Watched)?;
        let keeper = &mut owner.links.get_or_insert_default().keeper;
        let keeper = keeper.get_or_insert_with(|| Rc::new(Keeper { pool: owner.pool.clone(), slot: RefCell::new(None) })).clone();
        let imports = &mut self.links.get_or_insert_default().imports;
        imports.retain(|(other, _)| *other != import);
        imports.push((import, keeper));
        Ok(())
    }
}
