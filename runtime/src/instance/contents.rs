//! What an instance holds: memories, tables, globals, and the cells through which values come and go.

use std::sync::Arc;

use vivarium_artifact::abi::{Builtin, REFERENCE_BYTES};

use super::{Instance, State};
use crate::pool::{MemoryBudget, Slot};

impl Instance {
    /// The first memory of its own, as long as it is now.
    ///
    /// # Panics
    ///
    /// This and the other methods that hand out slices, when another instance is linked to this one: it may write there meanwhile.
    pub fn memory(&self) -> &[u8] {
        self.unshared().memory.memory()
    }

    /// From now on its memories grow, and exceptions are kept, only as far as this lets them, besides its own limits. What it has already is the caller's to count.
    pub fn draw_on(&mut self, budget: Arc<dyn MemoryBudget>) {
        self.budget = Some(budget);
    }

    /// Length of all its memories, in bytes.
    pub fn memories_bytes(&self) -> u64 {
        self.slot().memory.memories_bytes()
    }

    /// A memory by index, as long as it is now; `None` when the module has none of its own there.
    pub fn memory_at(&self, memory: u32) -> Option<&[u8]> {
        self.unshared().memory.memory_at(self.shelf.module.layout().own_memory(memory)?)
    }

    /// A range of its first memory for writing; `None` when it is out of bounds.
    pub fn memory_mut(&mut self, start: u64, bytes: u64) -> Option<&mut [u8]> {
        self.unshared_mut().memory.memory_mut(start, bytes)
    }

    /// The bits of a global, by index.
    ///
    /// # Panics
    ///
    /// When the module has no such global, or its place has the address of another instance's.
    pub fn global(&self, index: u32) -> u128 {
        self.check_global(index);
        self.slot().memory.cell(self.shelf.module.layout().global(index))
    }

    /// Gives an imported global its value, before the first call, or a mutable one another.
    ///
    /// # Panics
    ///
    /// When the module has no such global, a call has begun, the value is no value of its type, or its place has the address of another instance's.
    pub fn set_global(&mut self, index: u32, value: u128) {
        self.check_global(index);
        let shelf = self.shelf.clone();
        let ty = &shelf.module.contract().globals[index as usize].ty;
        assert!(ty.mutable || self.is_idle(), "globals are imported before the first call");
        assert!(self.is_value(ty.value, value), "a value of global {index}");
        self.slot_mut().memory.set_cell(shelf.module.layout().global(index), value);
    }

    /// All bytes that the guest can reach below and in its image.
    pub fn image(&self) -> &[u8] {
        self.unshared().memory.image()
    }

    /// The same for writing, return addresses and references included: tests of reset fill it. The instance can only be dropped afterwards.
    pub fn spoil(&mut self) -> &mut [u8] {
        self.state = State::Spoiled;
        self.unshared_mut().memory.image_mut()
    }

    pub(super) fn answer_builtin(&mut self, builtin: Builtin) {
        let answer = match builtin {
            Builtin::MemoryGrow => self.grow_memory(self.argument(1) as u32, self.argument(0)),
            Builtin::TableGrow => self.grow_table(self.argument(2) as u32, self.argument(1), self.argument(0)),
            // Only linked instances call the others, and their requests have been taken before.
            _ => None,
        };
        let cell = self.shelf.module.layout().cell(0);
        self.slot_mut().memory.set_cell(cell, u128::from(answer.unwrap_or(u64::MAX)));
    }

    /// Lengthens a memory of its own by so many pages; its previous length in pages, or `None` when a limit or the kernel refuses.
    pub fn grow_memory(&mut self, memory: u32, delta_pages: u64) -> Option<u64> {
        let shelf = self.shelf.clone();
        let module = &shelf.module;
        let plan = module.contract().memories.get(memory as usize)?;
        let own = module.layout().own_memory(memory)?;
        let before = self.slot().memory.memory_bytes(own)?;
        let bytes = delta_pages.checked_mul(plan.page_bytes)?.checked_add(before)?;
        let others = self.slot().memory.memories_bytes() - before;
        if bytes > plan.maximum_bytes() || bytes.checked_add(others)? > self.limits.memory_bytes_max {
            return None;
        }
        if bytes > before {
            self.lengthen(own, bytes, bytes - before)?;
            self.slot_mut().memory.set_word(module.layout().memory_length(memory), bytes);
        }
        Some(before / plan.page_bytes)
    }

    /// What is taken from the budget is there, or is given back.
    fn lengthen(&mut self, own_memory: u32, bytes: u64, more: u64) -> Option<()> {
        if !self.take_of_budget(more) {
            return None;
        }
        let grown = self.slot_mut().memory.grow(own_memory, bytes).ok();
        if grown.is_none() {
            self.give_back_to_budget(more);
        }
        grown
    }

    pub(crate) fn take_of_budget(&self, bytes: u64) -> bool {
        self.budget.as_ref().is_none_or(|budget| budget.take(bytes))
    }

    pub(crate) fn give_back_to_budget(&self, bytes: u64) {
        self.budget.iter().for_each(|budget| budget.give_back(bytes));
    }

    /// Lengthens a table of its own by so many elements; its previous length, or `None` when its capacity is too small, or the initial element no value of the
    /// table's type.
    pub fn grow_table(&mut self, table: u32, delta: u64, initial: u64) -> Option<u64> {
        let shelf = self.shelf.clone();
        let module = &shelf.module;
        let plan = module.contract().tables.get(table as usize).filter(|plan| self.is_value(plan.element, initial.into()))?;
        let layout = module.layout();
        let before = self.table_length(table)?;
        let after = before.checked_add(delta).filter(|after| *after <= plan.capacity)?;
        let slot = self.slot_mut();
        for element in before..after {
            slot.memory.set_word(layout.table(table) + REFERENCE_BYTES * element, initial);
        }
        slot.memory.set_word(layout.table_length(table), after);
        Some(before)
    }

    #[inline]
    pub(crate) fn cell(&self, index: u32) -> u128 {
        assert!(index < self.shelf.module.contract().cells, "the module has no cell {index}");
        self.slot().memory.cell(self.shelf.module.layout().cell(index))
    }

    #[inline]
    pub(crate) fn set_cells(&mut self, values: impl Iterator<Item = u128>) {
        let layout = self.shelf.module.layout();
        let slot = self.slot.as_mut().expect("an instance has its slot until it is dropped");
        for (value, index) in values.zip(0..) {
            slot.memory.set_cell(layout.cell(index), value);
        }
    }

    fn check_global(&self, index: u32) {
        let plan = self.shelf.module.contract().globals.get(index as usize);
        assert!(plan.is_some_and(|plan| !plan.is_linked()), "the module has no global {index} of its own");
    }

    fn unshared(&self) -> &Slot {
        assert!(!self.is_shared(), "another instance is linked to this one");
        self.slot()
    }

    fn unshared_mut(&mut self) -> &mut Slot {
        assert!(!self.is_shared(), "another instance is linked to this one");
        self.slot_mut()
    }
}
