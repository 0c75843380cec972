//! What instantiation copies, decided at compile time: active segments in order, up to the first that is out of bounds
//! (core specification, 4.5.4: element segments come before data segments, and what was copied before a trap stays).

use vivarium_artifact::{TrapKind, WASM_PAGE_BYTES};

use crate::module::{SegmentMode, ValidatedModule};

/// The segments that instantiation copies, and how it ends.
#[derive(Debug, Default)]
pub struct Placement<'m> {
    pub elements: Vec<PlacedElements<'m>>,
    pub data: Vec<PlacedData<'m>>,
    /// Set when a segment is out of bounds: nothing behind it was placed.
    pub trap: Option<TrapKind>,
}

/// References and where they go.
#[derive(Debug, PartialEq, Eq)]
pub struct PlacedElements<'m> {
    pub table: u32,
    /// In elements.
    pub offset: u64,
    pub items: &'m [u64],
}

/// Bytes and where they go in memory 0.
#[derive(Debug, PartialEq, Eq)]
pub struct PlacedData<'m> {
    pub offset: u64,
    pub bytes: &'m [u8],
}

impl Placement<'_> {
    /// End of the last byte of data, in bytes of memory 0.
    pub fn data_end(&self) -> u64 {
        self.data.iter().map(|data| data.offset + data.bytes.len() as u64).max().unwrap_or(0)
    }
}

/// Places the active segments of a module.
pub fn place<'m>(module: &'m ValidatedModule<'_>) -> Placement<'m> {
    let mut placement = Placement::default();
    placement.trap = place_elements(module, &mut placement.elements);
    if placement.trap.is_none() {
        placement.trap = place_data(module, &mut placement.data);
    }
    placement
}

fn place_elements<'m>(module: &'m ValidatedModule<'_>, placed: &mut Vec<PlacedElements<'m>>) -> Option<TrapKind> {
    for segment in &module.elements {
        if let SegmentMode::Active { target, offset } = segment.mode {
            let offset = u64::from(offset);
            if offset + segment.items.len() as u64 > module.tables[target as usize].minimum {
                return Some(TrapKind::TableOutOfBounds);
            }
            placed.push(PlacedElements { table: target, offset, items: &segment.items });
        }
    }
    None
}

fn place_data<'m>(module: &'m ValidatedModule<'_>, placed: &mut Vec<PlacedData<'m>>) -> Option<TrapKind> {
    for segment in &module.data {
        if let SegmentMode::Active { target, offset } = segment.mode {
            let offset = u64::from(offset);
            let length = module.memories[target as usize].minimum_pages.saturating_mul(WASM_PAGE_BYTES);
            if offset + segment.bytes.len() as u64 > length {
                return Some(TrapKind::MemoryOutOfBounds);
            }
            // Where an empty segment lies says nothing about how long the image must be.
            if !segment.bytes.is_empty() {
                placed.push(PlacedData { offset, bytes: segment.bytes });
            }
        }
    }
    None
}
