//! What a start function left behind becomes what instances begin as: the image of an artifact drawn anew, before it is signed.
//!
//! Memory as long as it is now, globals, tables and what is left of segments are taken over; the stack, where addresses of that one process lie, and the
//! cells are not. The new image is that of an instance in which the function has returned, so the contract names no start function any more.

use thiserror::Error;

use crate::abi::CELL_BYTES;
use crate::elf::Artifact;
use crate::layout::{IMAGE_MEMORY_BYTES_WHOLE, SlotLayout};
use crate::{Contract, PAGE_BYTES, ValueType};

/// Why a start function has to run in each instance.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoSnapshot {
    #[error("a module with several memories begins as it was compiled")]
    SeveralMemories,
    #[error("a module that is linked to others begins as it was compiled")]
    Linked,
    #[error("a module that may keep exceptions begins as it was compiled")]
    Exceptions,
    #[error("what the start function left takes {bytes} bytes of image, the bound is {image_bytes_max}")]
    TooLarge { bytes: u64, image_bytes_max: u64 },
    #[error("what the start function left does not fit the artifact")]
    OfAnother,
}

/// An instance in which the start function has returned.
#[derive(Debug, Clone, Copy)]
pub struct Left<'l> {
    /// Stack, context and tables: a slot up to memory 0.
    pub head: &'l [u8],
    /// Memory 0, as long as it is now; empty without one.
    pub memory: &'l [u8],
}

impl Artifact {
    /// Lets instances begin as what was left, if that takes no more than `image_bytes_max` besides the stack. After an error it is as before.
    pub fn begin_as(&mut self, left: Left<'_>, image_bytes_max: u64) -> Result<(), NoSnapshot> {
        let layout = SlotLayout::of(&self.contract).ok_or(NoSnapshot::OfAnother)?;
        if left.head.len() as u64 != layout.memory_offset {
            return Err(NoSnapshot::OfAnother);
        }
        let contract = contract_of(&self.contract, &layout, left)?;
        let bytes = layout.memory_offset - contract.stack_bytes + contract.memories.first().map_or(0, |memory| memory.image_bytes);
        if bytes > image_bytes_max {
            return Err(NoSnapshot::TooLarge { bytes, image_bytes_max });
        }
        let new = SlotLayout::of(&contract).filter(|new| new.memory_offset == layout.memory_offset).ok_or(NoSnapshot::OfAnother)?;
        let mut image = left.head.to_vec();
        image[..new.stack_top as usize].fill(0);
        image[new.cell(0) as usize..][..CELL_BYTES as usize * contract.cells as usize].fill(0);
        let in_image = left.memory.len().min((new.image_bytes - new.memory_offset) as usize);
        image.extend_from_slice(&left.memory[..in_image]);
        // Of a memory that ends inside a page of the processor.
        image.resize(new.image_bytes as usize, 0);
        (self.contract, self.image) = (contract, image);
        Ok(())
    }
}

/// The contract of an artifact whose instances begin so.
fn contract_of(contract: &Contract, layout: &SlotLayout, left: Left<'_>) -> Result<Contract, NoSnapshot> {
    if contract.memories.len() > 1 {
        return Err(NoSnapshot::SeveralMemories);
    }
    if contract.linked || contract.initializer.is_some() {
        return Err(NoSnapshot::Linked);
    }
    // Which exceptions there are only the instance knows that they were thrown in.
    let kept = contract.globals.iter().map(|global| global.ty.value).chain(contract.tables.iter().map(|table| table.element));
    if kept.into_iter().any(ValueType::is_exception_reference) {
        return Err(NoSnapshot::Exceptions);
    }
    let mut contract = Contract { start: None, ..contract.clone() };
    match contract.memories.first_mut() {
        Some(memory) => {
            memory.minimum_pages = left.memory.len() as u64 / memory.page_bytes;
            if memory.minimum_bytes() != left.memory.len() as u64 || memory.minimum_pages > memory.maximum_pages {
                return Err(NoSnapshot::OfAnother);
            }
            let whole = memory.minimum_bytes() <= IMAGE_MEMORY_BYTES_WHOLE;
            let in_image = if whole { memory.minimum_bytes() } else { data_end(left.memory) };
            memory.image_bytes = memory.image_bytes.max(in_image.next_multiple_of(PAGE_BYTES));
        }
        None if left.memory.is_empty() => {}
        None => return Err(NoSnapshot::OfAnother),
    }
    let word = |offset: u64| left.head.get(offset as usize..).and_then(|bytes| bytes.first_chunk()).map(|bytes| u64::from_le_bytes(*bytes));
    for (table, index) in contract.tables.iter_mut().zip(0..) {
        table.minimum = word(layout.table_length(index)).filter(|length| *length <= table.capacity).ok_or(NoSnapshot::OfAnother)?;
    }
    for (length, index) in contract.data_segments.iter_mut().zip(0..) {
        *length = word(layout.data_segment_length(index)).filter(|left| left <= length).ok_or(NoSnapshot::OfAnother)?;
    }
    for (length, index) in contract.element_segments.iter_mut().zip(0..) {
        *length = word(layout.element_segment_length(index)).filter(|left| left <= length).ok_or(NoSnapshot::OfAnother)?;
    }
    Ok(contract)
}

/// Where the last byte that is not zero ends.
fn data_end(memory: &[u8]) -> u64 {
    let page = memory.chunks(PAGE_BYTES as usize).rposition(|page| page.iter().any(|byte| *byte != 0));
    page.map_or(0, |page| (page as u64 + 1) * PAGE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{AddressType, MemoryPlan, TablePlan};
    use crate::{AddressMap, FunctionTable, HandlerTable, TrapTable, WASM_PAGE_BYTES};

    fn memory(minimum_pages: u64, image_bytes: u64) -> MemoryPlan {
        MemoryPlan {
            import: None,
            address: AddressType::I32,
            page_bytes: WASM_PAGE_BYTES,
            minimum_pages,
            declared_maximum_pages: None,
            maximum_pages: 200,
            image_bytes,
        }
    }

    fn artifact(memories: Vec<MemoryPlan>) -> Artifact {
        let table = TablePlan {
            import: None,
            address: AddressType::I32,
            element: ValueType::FUNC_REF,
            minimum: 1,
            declared_maximum: None,
            capacity: 10,
        };
        let contract = Contract {
            memories,
            tables: vec![table],
            data_segments: vec![5],
            start: Some(3),
            cells: 2,
            stack_bytes: 8192,
            ..Contract::empty()
        };
        let image = vec![0; SlotLayout::of(&contract).unwrap().image_bytes as usize];
        let (traps, functions, map) = (TrapTable::new(vec![]), FunctionTable::new(vec![]), AddressMap::new(vec![]));
        Artifact { contract, text: vec![], image, traps, handlers: HandlerTable::default(), functions, map, lines: vec![] }
    }

    /// A head of ones, with these lengths of the table and the segment.
    fn head(artifact: &Artifact, table: u64, segment: u64) -> Vec<u8> {
        let layout = SlotLayout::of(&artifact.contract).unwrap();
        let mut head = vec![1; layout.memory_offset as usize];
        head[layout.table_length(0) as usize..][..8].copy_from_slice(&table.to_le_bytes());
        head[layout.data_segment_length(0) as usize..][..8].copy_from_slice(&segment.to_le_bytes());
        head
    }

    #[test]
    fn what_refers_to_exceptions_is_not_taken_over() {
        let mut artifact = artifact(vec![]);
        artifact.contract.tables[0].element = ValueType::EXN_REF;
        let head = head(&artifact, 1, 5);
        assert_eq!(artifact.begin_as(Left { head: &head, memory: &[] }, u64::MAX), Err(NoSnapshot::Exceptions));
    }

    #[test]
    fn what_was_left_is_the_image_but_for_stack_and_cells() {
        let mut artifact = artifact(vec![memory(1, WASM_PAGE_BYTES)]);
        let (head, grown) = (head(&artifact, 7, 0), vec![9; 2 * WASM_PAGE_BYTES as usize]);
        artifact.begin_as(Left { head: &head, memory: &grown }, u64::MAX).unwrap();
        let (contract, layout) = (&artifact.contract, SlotLayout::of(&artifact.contract).unwrap());
        assert_eq!((contract.start, contract.tables[0].minimum, contract.data_segments[0]), (None, 7, 0));
        assert_eq!((contract.memories[0].minimum_pages, contract.memories[0].image_bytes), (2, 2 * WASM_PAGE_BYTES));
        let [stack_top, cells, globals] = [layout.stack_top, layout.cell(0), layout.cell(2)].map(|offset| offset as usize);
        let at = layout.memory_offset as usize;
        let zeros = artifact.image[..stack_top].iter().chain(&artifact.image[cells..globals]);
        assert!(zeros.clone().all(|byte| *byte == 0) && zeros.count() == stack_top + 32);
        assert!(artifact.image[stack_top..cells] == head[stack_top..cells] && artifact.image[globals..at] == head[globals..at]);
        assert!(artifact.image[at..] == grown && artifact.image.len() as u64 == layout.image_bytes);
    }

    #[test]
    fn of_a_large_memory_the_image_holds_the_data() {
        let mut artifact = artifact(vec![memory(80, 4096)]);
        let mut large = vec![0; 80 * WASM_PAGE_BYTES as usize];
        large[3 * 4096 + 7] = 1;
        let head = head(&artifact, 1, 5);
        artifact.begin_as(Left { head: &head, memory: &large }, u64::MAX).unwrap();
        assert_eq!(artifact.contract.memories[0].image_bytes, 4 * 4096);
        assert_eq!(artifact.image.last_chunk(), large[..4 * 4096].last_chunk::<4096>());
    }

    #[test]
    fn what_is_too_large_or_of_another_changes_nothing() {
        let mut one = artifact(vec![memory(1, 4096)]);
        let before = one.clone();
        let page = vec![1; WASM_PAGE_BYTES as usize];
        let sound = head(&one, 1, 5);
        let bound = |bytes| one.clone().begin_as(Left { head: &sound, memory: &page }, bytes);
        let needed = bound(0).unwrap_err();
        let NoSnapshot::TooLarge { bytes, .. } = needed else { panic!("{needed}") };
        assert_eq!((bound(bytes), bound(bytes - 1).is_err()), (Ok(()), true));
        for (head, memory) in [
            (&sound[1..], &page[..]),
            (&sound[..], &page[1..]),
            (&head(&one, 11, 5), &page[..]),
            (&head(&one, 1, 6), &page[..]),
            (&sound[..], &vec![0; 201 * WASM_PAGE_BYTES as usize][..]),
        ] {
            assert_eq!(one.begin_as(Left { head, memory }, u64::MAX), Err(NoSnapshot::OfAnother));
            assert!(one == before);
        }
        let two = artifact(vec![memory(1, 0), memory(1, 0)]).begin_as(Left { head: &sound, memory: &page }, u64::MAX);
        assert!(matches!(two, Err(NoSnapshot::OfAnother | NoSnapshot::SeveralMemories)));
        assert_eq!(
            artifact(vec![]).begin_as(Left { head: &head(&artifact(vec![]), 1, 5), memory: &page }, u64::MAX),
            Err(NoSnapshot::OfAnother)
        );
    }
}
