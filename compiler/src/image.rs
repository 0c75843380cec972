//! The first bytes of every slot: an instance begins as a copy of these and nothing else.

use vivarium_artifact::SlotLayout;
use vivarium_artifact::abi::REFERENCE_BYTES;

use crate::module::{GlobalSource, TableInitial, ValidatedModule};
use crate::plan::Plan;
use crate::segments::Placement;

/// Draws stack, context, tables and the beginning of each memory.
pub fn draw(module: &ValidatedModule<'_>, placement: &Placement<'_>, plan: &Plan) -> Vec<u8> {
    let (contract, layout) = (&plan.contract, &plan.layout);
    let mut image = Image { bytes: vec![0; layout.image_bytes as usize], layout };
    for (index, memory) in contract.memories.iter().enumerate() {
        if memory.import.is_none() {
            image.write_u64(layout.memory_length(index as u32), memory.minimum_bytes());
        }
    }
    for (index, table) in contract.tables.iter().enumerate() {
        if table.import.is_none() {
            image.write_u64(layout.table_length(index as u32), table.minimum);
        }
    }
    for (index, length) in contract.data_segments.iter().enumerate() {
        image.write_u64(layout.data_segment_length(index as u32), *length);
    }
    for (index, length) in contract.element_segments.iter().enumerate() {
        image.write_u64(layout.element_segment_length(index as u32), *length);
    }
    image.draw_globals(module);
    image.draw_tables(module);
    image.draw_segments(placement);
    image.bytes
}

struct Image<'l> {
    bytes: Vec<u8>,
    layout: &'l SlotLayout,
}

impl Image<'_> {
    fn draw_globals(&mut self, module: &ValidatedModule<'_>) {
        for (index, global) in module.globals.iter().enumerate() {
            if let GlobalSource::Constant(bits) = global.source {
                self.write(self.layout.global(index as u32), &bits.to_le_bytes());
            }
        }
    }

    fn draw_tables(&mut self, module: &ValidatedModule<'_>) {
        for (table, index) in module.tables.iter().zip(0..) {
            if let TableInitial::Constant(reference) = table.initial
                && reference != 0
            {
                let start = self.layout.table(index);
                (0..table.minimum).for_each(|position| self.write_u64(start + REFERENCE_BYTES * position, reference));
            }
        }
    }

    fn draw_segments(&mut self, placement: &Placement<'_>) {
        for elements in &placement.elements {
            let start = self.layout.table(elements.table);
            for (item, position) in elements.items.iter().zip(elements.offset..) {
                self.write_u64(start + REFERENCE_BYTES * position, *item);
            }
        }
        for data in &placement.data {
            // Placed data is not empty, so the plan has given its memory a part of the image.
            let own = self.layout.own_memory(data.memory);
            if let Some(start) = own.and_then(|own| self.layout.memory_in_image(own)) {
                self.write(start + data.offset, data.bytes);
            }
        }
    }

    fn write_u64(&mut self, offset: u64, value: u64) {
        self.write(offset, &value.to_le_bytes());
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) {
        self.bytes[offset as usize..][..bytes.len()].copy_from_slice(bytes);
    }
}
