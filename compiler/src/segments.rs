//! What instantiation copies, decided at compile time: active segments in order, up to the first that is out of bounds
//! (core specification, 4.5.4: element segments come before data segments, and what was copied before a trap stays).

use vivarium_artifact::TrapKind;

use crate::module::{SegmentMode, SegmentOffset, Table, TableInitial, ValidatedModule};

/// The segments that instantiation copies, and how it ends.
#[derive(Debug, Default)]
pub struct Placement<'m> {
    pub elements: Vec<PlacedElements<'m>>,
    pub data: Vec<PlacedData<'m>>,
    /// Active segments that the initializer copies: the first that depends on what is imported, and all behind it, in order.
    pub late: Vec<LateSegment>,
    /// Set when a segment is out of bounds: nothing behind it was placed.
    pub trap: Option<TrapKind>,
}

/// A segment by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LateSegment {
    Elements(u32),
    Data(u32),
}

/// References and where they go.
#[derive(Debug, PartialEq, Eq)]
pub struct PlacedElements<'m> {
    pub table: u32,
    /// In elements.
    pub offset: u64,
    pub items: &'m [u64],
}

/// Bytes and where they go.
#[derive(Debug, PartialEq, Eq)]
pub struct PlacedData<'m> {
    pub memory: u32,
    pub offset: u64,
    pub bytes: &'m [u8],
}

impl Placement<'_> {
    /// End of the last byte of data of a memory, in bytes.
    pub fn data_end(&self, memory: u32) -> u64 {
        self.data.iter().filter(|data| data.memory == memory).map(|data| data.offset + data.bytes.len() as u64).max().unwrap_or(0)
    }
}

/// Places the active segments of a module.
pub fn place<'m>(module: &'m ValidatedModule<'_>) -> Placement<'m> {
    let mut placement = Placement::default();
    placement.trap = place_elements(module, &mut placement);
    if placement.trap.is_none() {
        placement.trap = place_data(module, &mut placement);
    }
    placement
}

fn place_elements<'m>(module: &'m ValidatedModule<'_>, placement: &mut Placement<'m>) -> Option<TrapKind> {
    for (segment, index) in module.elements.iter().zip(0..) {
        let SegmentMode::Active { target, offset } = &segment.mode else { continue };
        let table = &module.tables[*target as usize];
        match offset {
            SegmentOffset::Constant(offset) if begins_in_image(table) && segment.late.is_empty() && placement.late.is_empty() => {
                if !fits(*offset, segment.items.len(), table.minimum) {
                    return Some(TrapKind::TableOutOfBounds);
                }
                placement.elements.push(PlacedElements { table: *target, offset: *offset, items: &segment.items });
            }
            _ => placement.late.push(LateSegment::Elements(index)),
        }
    }
    None
}

fn place_data<'m>(module: &'m ValidatedModule<'_>, placement: &mut Placement<'m>) -> Option<TrapKind> {
    for (segment, index) in module.data.iter().zip(0..) {
        let SegmentMode::Active { target, offset } = &segment.mode else { continue };
        let memory = &module.memories[*target as usize];
        match offset {
            SegmentOffset::Constant(offset) if memory.import.is_none() && placement.late.is_empty() => {
                if !fits(*offset, segment.bytes.len(), memory.minimum_bytes()) {
                    return Some(TrapKind::MemoryOutOfBounds);
                }
                // Where an empty segment lies says nothing about how long the image must be.
                if !segment.bytes.is_empty() {
                    placement.data.push(PlacedData { memory: *target, offset: *offset, bytes: segment.bytes });
                }
            }
            _ => placement.late.push(LateSegment::Data(index)),
        }
    }
    None
}

/// Whether the image holds what a table begins with, so that it can hold what is copied into it too.
fn begins_in_image(table: &Table<'_>) -> bool {
    table.import.is_none() && matches!(table.initial, TableInitial::Constant(_))
}

/// Whether so many items from `offset` lie within `length`.
fn fits(offset: u64, count: usize, length: u64) -> bool {
    offset.checked_add(count as u64).is_some_and(|end| end <= length)
}
