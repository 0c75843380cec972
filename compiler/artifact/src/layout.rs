//! Where things lie in a slot, as arithmetic over the contract.
//!
//! ```text
//!  0                stack_top                                                      page             memory_offset = vmctx
//!  │ stack, grows down │ memory lengths · table lengths · segment lengths · links │ cells │ globals │ tables │ pad │ memory 0 … │ guard │ memory 1 … │ guard …
//! ```
//!
//! Lengths, links, cells and globals end on a page of the processor, and the stack grows down from where they begin: a request that goes no deeper than what is
//! left of that page dirties one page for all of them. So the stack is a little longer than the contract says, never shorter.
//!
//! The module's own memory k lies at the constant distance k × [`MEMORY_STRIDE_BYTES`] from the first, so that no access loads a base. The image is one run of bytes in
//! the artifact and several *pieces* in a slot: stack, context, tables and the beginning of the first memory, then the beginning of each further memory.
//!
//! *Links* are there only when instances are linked: absolute addresses of what belongs to another instance. Of an imported memory, the word of the length
//! holds the address of the owner's word, and a link the address of its first byte; of a mutable imported global, its own place holds the address of the
//! original. The last link is the reference of the foreign function that is being called.
//!
//! The compiler bakes these offsets into code and the runtime uses them on slots; both ask this one function of the same contract.

use crate::PAGE_BYTES;
use crate::abi::{CELL_BYTES, GLOBAL_BYTES, REFERENCE_BYTES};
use crate::contract::Contract;

/// Address space that memory 0 takes, whatever its maximum: any 32-bit address.
pub const MEMORY_RESERVATION_BYTES: u64 = 4 << 30;
/// Inaccessible bytes behind each memory reservation, which are the next slot's stack guard too. A constant offset of a load or store up to
/// this needs no check; a stack frame larger than this is refused at compile time.
pub const GUARD_BYTES: u64 = 32 << 20;

/// Distance from one memory of a module to the next, in bytes.
pub const MEMORY_STRIDE_BYTES: u64 = MEMORY_RESERVATION_BYTES + GUARD_BYTES;
/// A memory that begins no larger than this lies in the image as a whole, so that its first writes need no fresh pages; of a larger one only the
/// part up to its last byte of data does.
pub const IMAGE_MEMORY_BYTES_WHOLE: u64 = 4 << 20;
/// Most memories of one module: each takes a stride of address space in every slot.
pub const MEMORIES_MAX: usize = 16;

/// A piece of the image and where it lies in a slot: all begin and end on a page of the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImagePiece {
    pub slot_offset: u64,
    pub image_offset: u64,
    pub bytes: u64,
}

/// Offsets from the beginning of a slot, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotLayout {
    /// End of the stack, which grows down from here.
    pub stack_top: u64,
    memory_lengths: u64,
    table_lengths: u64,
    data_segment_lengths: u64,
    element_segment_lengths: u64,
    links: u64,
    imported_memories: u32,
    cells: u64,
    globals: u64,
    tables: Vec<u64>,
    /// Beginning of memory 0; the address that compiled code knows as `vmctx`.
    pub memory_offset: u64,
    /// Length of the whole image in the artifact, in bytes.
    pub image_bytes: u64,
    /// The image's pieces, in order; the first begins at 0.
    pub pieces: Vec<ImagePiece>,
}

impl SlotLayout {
    /// The layout of a module. `None` when the sizes add up past 2^31, which offsets from `vmctx` could not express.
    pub fn of(contract: &Contract) -> Option<SlotLayout> {
        let stack_top = stack_top(contract)?;
        let mut end = stack_top;
        let mut take = |bytes: u64| {
            let start = end;
            end = end.checked_add(bytes)?;
            (end <= i32::MAX as u64).then_some(start)
        };
        let memory_lengths = take(8 * contract.memories.len() as u64)?;
        let table_lengths = take(8 * contract.tables.len() as u64)?;
        let data_segment_lengths = take(8 * contract.data_segments.len() as u64)?;
        let element_segment_lengths = take(8 * contract.element_segments.len() as u64)?;
        let imported_memories = contract.imported_memories();
        let links = take(links_bytes(contract))?;
        let before_cells = links + links_bytes(contract);
        take(before_cells.next_multiple_of(CELL_BYTES) - before_cells)?;
        let cells = take(CELL_BYTES.checked_mul(u64::from(contract.cells))?)?;
        let globals = take(GLOBAL_BYTES * contract.globals.len() as u64)?;
        let mut tables = Vec::with_capacity(contract.tables.len());
        for table in &contract.tables {
            let capacity = if table.import.is_some() { 0 } else { table.capacity };
            tables.push(take(REFERENCE_BYTES.checked_mul(capacity)?)?);
        }
        let memory_offset = end.next_multiple_of(PAGE_BYTES);
        let pieces = pieces(contract, memory_offset)?;
        let image_bytes = pieces.iter().map(|piece| piece.bytes).sum();
        Some(SlotLayout {
            stack_top,
            memory_lengths,
            table_lengths,
            data_segment_lengths,
            element_segment_lengths,
            links,
            imported_memories,
            cells,
            globals,
            tables,
            memory_offset,
            image_bytes,
            pieces,
        })
    }

    /// Offset in the slot of the current length of a memory, in bytes (`u64`); of an imported one, of the address of that.
    pub fn memory_length(&self, memory: u32) -> u64 {
        self.memory_lengths + 8 * u64::from(memory)
    }

    /// Offset in the slot of the current length of a table, in elements (`u64`).
    pub fn table_length(&self, table: u32) -> u64 {
        self.table_lengths + 8 * u64::from(table)
    }

    /// Offset in the slot of what a data segment still holds, in bytes (`u64`).
    pub fn data_segment_length(&self, segment: u32) -> u64 {
        self.data_segment_lengths + 8 * u64::from(segment)
    }

    /// Offset in the slot of what an element segment still holds, in elements (`u64`).
    pub fn element_segment_length(&self, segment: u32) -> u64 {
        self.element_segment_lengths + 8 * u64::from(segment)
    }

    /// Offset in the slot of the cell of an argument or result.
    #[inline]
    pub fn cell(&self, index: u32) -> u64 {
        self.cells + CELL_BYTES * u64::from(index)
    }

    /// Offset in the slot of a global.
    pub fn global(&self, global: u32) -> u64 {
        self.globals + GLOBAL_BYTES * u64::from(global)
    }

    /// Offset in the slot of the first element of a table.
    pub fn table(&self, table: u32) -> u64 {
        self.tables[table as usize]
    }

    /// The number of a memory among the module's own, by index.
    pub fn own_memory(&self, memory: u32) -> Option<u32> {
        memory.checked_sub(self.imported_memories)
    }

    /// Offset in the slot of the address of an imported memory's first byte.
    pub fn memory_link(&self, memory: u32) -> u64 {
        self.links + 8 * u64::from(memory)
    }

    /// Offset in the slot of the reference of the foreign function that is being called.
    pub fn foreign_reference(&self) -> u64 {
        self.links + 8 * u64::from(self.imported_memories)
    }

    /// Distance from `vmctx` to the first byte of a memory, by its number among the module's own, in bytes.
    pub fn memory_distance(own_memory: u32) -> u64 {
        u64::from(own_memory) * MEMORY_STRIDE_BYTES
    }

    /// Offset in the image of the first byte of a memory whose image is not empty, by its number among the module's own.
    pub fn memory_in_image(&self, own_memory: u32) -> Option<u64> {
        let slot_offset = self.memory_offset + SlotLayout::memory_distance(own_memory);
        let piece = self.pieces.iter().find(|piece| (piece.slot_offset..piece.slot_offset + piece.bytes).contains(&slot_offset))?;
        Some(piece.image_offset + (slot_offset - piece.slot_offset))
    }

    /// The same place as an offset from `vmctx`, as compiled code uses it: negative for all but memory.
    pub fn from_vmctx(&self, offset: u64) -> i32 {
        let relative = offset as i64 - self.memory_offset as i64;
        i32::try_from(relative).expect("SlotLayout::of refuses slots whose context is larger than i32")
    }
}

fn links_bytes(contract: &Contract) -> u64 {
    if contract.linked { 8 * (u64::from(contract.imported_memories()) + 1) } else { 0 }
}

/// Where the stack begins, so that lengths, links, cells and globals, which follow, end on a page.
fn stack_top(contract: &Contract) -> Option<u64> {
    let lengths = contract.memories.len() + contract.tables.len() + contract.data_segments.len() + contract.element_segments.len();
    let cells = CELL_BYTES.checked_mul(u64::from(contract.cells))?;
    let globals = GLOBAL_BYTES * contract.globals.len() as u64;
    let bytes = (8 * lengths as u64 + links_bytes(contract)).next_multiple_of(CELL_BYTES).checked_add(cells)?.checked_add(globals)?;
    Some(contract.stack_bytes.checked_add(bytes)?.checked_next_multiple_of(PAGE_BYTES)? - bytes)
}

/// The pieces of the image of a slot whose memory 0 begins at `memory_offset`.
fn pieces(contract: &Contract, memory_offset: u64) -> Option<Vec<ImagePiece>> {
    let mut pieces = vec![ImagePiece { slot_offset: 0, image_offset: 0, bytes: memory_offset }];
    for (memory, number) in contract.own_memories().zip(0..) {
        let last = pieces.last_mut()?;
        let image_offset = last.image_offset.checked_add(last.bytes)?;
        match number {
            0 => last.bytes = last.bytes.checked_add(memory.image_bytes)?,
            _ if memory.image_bytes == 0 => {}
            _ => {
                let slot_offset = MEMORY_STRIDE_BYTES.checked_mul(number)?.checked_add(memory_offset)?;
                pieces.push(ImagePiece { slot_offset, image_offset, bytes: memory.image_bytes });
            }
        }
    }
    let end = pieces.last().map(|last| last.image_offset.checked_add(last.bytes));
    end.flatten().map(|_| pieces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{AddressType, GlobalInitial, GlobalPlan, GlobalType, MemoryPlan, TablePlan};
    use crate::types::ValueType;

    fn contract() -> Contract {
        Contract {
            memories: vec![memory(65536)],
            tables: vec![TablePlan {
                address: AddressType::I32,
                element: ValueType::FUNC_REF,
                minimum: 3,
                declared_maximum: None,
                capacity: 10,
                import: None,
            }],
            globals: vec![GlobalPlan { ty: GlobalType { value: ValueType::I32, mutable: true }, initial: GlobalInitial::Image }; 3],
            data_segments: vec![5],
            stack_bytes: 1 << 20,
            cells: 4,
            ..Contract::empty()
        }
    }

    fn memory(image_bytes: u64) -> MemoryPlan {
        MemoryPlan {
            address: AddressType::I32,
            page_bytes: 65536,
            minimum_pages: 1,
            declared_maximum_pages: None,
            maximum_pages: 2,
            image_bytes,
            import: None,
        }
    }

    #[test]
    fn memories_lie_a_stride_apart_and_their_images_side_by_side() {
        let mut three = contract();
        three.memories.extend([memory(0), memory(4096)]);
        let layout = SlotLayout::of(&three).unwrap();
        let head = layout.memory_offset + 65536;
        let distance = 2 * ((4 << 30) + (32 << 20));
        assert_eq!(SlotLayout::memory_distance(2), distance);
        assert_eq!(layout.pieces[0], ImagePiece { slot_offset: 0, image_offset: 0, bytes: head });
        assert_eq!(layout.pieces[1], ImagePiece { slot_offset: layout.memory_offset + distance, image_offset: head, bytes: 4096 });
        assert_eq!((layout.pieces.len(), layout.image_bytes), (2, head + 4096));
        assert_eq!([0, 1, 2].map(|memory| layout.memory_in_image(memory)), [Some(layout.memory_offset), None, Some(head)]);
    }

    #[test]
    fn what_is_imported_has_links_and_no_room() {
        let import = Some(crate::contract::ImportName { module: "a".into(), name: "b".into() });
        let mut linked = Contract { linked: true, ..contract() };
        linked.tables[0].import = import.clone();
        linked.memories.insert(0, MemoryPlan { import, ..memory(0) });
        let layout = SlotLayout::of(&linked).unwrap();
        assert_eq!([0, 1].map(|memory| layout.own_memory(memory)), [None, Some(0)]);
        assert_eq!(layout.foreign_reference(), layout.memory_link(0) + 8);
        assert!(layout.foreign_reference() + 8 <= layout.cell(0));
        assert_eq!(layout.table(0), layout.global(3), "an imported table takes no room");
        assert_eq!(layout.memory_in_image(0), Some(layout.memory_offset));
    }

    #[test]
    fn parts_follow_each_other_without_overlap() {
        let layout = SlotLayout::of(&contract()).unwrap();
        let bounds = [
            layout.stack_top,
            layout.memory_length(0) + 8,
            layout.table_length(0) + 8,
            layout.data_segment_length(0) + 8,
            layout.cell(0),
            layout.cell(4),
            layout.global(3),
            layout.table(0) + 80,
            layout.memory_offset,
        ];
        assert!(bounds.is_sorted(), "{bounds:?}");
        assert_eq!(layout.cell(0) % CELL_BYTES, 0);
        assert_eq!(layout.memory_offset % PAGE_BYTES, 0);
        assert_eq!(layout.image_bytes, layout.memory_offset + 65536);
        assert_eq!(layout.from_vmctx(layout.memory_offset), 0);
        assert!(layout.from_vmctx(layout.global(0)) < 0);
    }

    #[test]
    fn the_stacks_first_frames_and_the_globals_share_a_page() {
        let layout = SlotLayout::of(&contract()).unwrap();
        let page = |offset: u64| offset / PAGE_BYTES;
        assert_eq!(page(layout.stack_top - 1024), page(layout.global(3) - 1));
        assert!(layout.stack_top >= contract().stack_bytes && layout.stack_top.is_multiple_of(16));
        assert_eq!(layout.table(0) % PAGE_BYTES, 0, "tables, which are hardly ever written, have pages of their own");
    }

    #[test]
    fn sizes_that_offsets_cannot_express_are_refused() {
        let mut huge = contract();
        huge.tables[0].capacity = 1 << 40;
        assert_eq!(SlotLayout::of(&huge), None);
        huge.tables[0].capacity = u64::MAX;
        assert_eq!(SlotLayout::of(&huge), None);
    }
}
