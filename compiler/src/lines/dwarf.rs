//! Line programs of DWARF 2 to 5 (section 6.2 of its specification), read by themselves: which unit they belong to does not matter for a line.

use std::ops::Range;

use gimli::{
    AttributeValue, ColumnType, DebugLine, DebugLineOffset, DebugLineStr, DebugStr, EndianSlice, LineProgramHeader, LineRow, LittleEndian,
    Reader as _,
};

use super::collected::{Collected, File, ROWS_MAX};

/// Longest unit that is read, in bytes: what gimli keeps of one grows with it.
const UNIT_BYTES_MAX: usize = 4 << 20;
/// Longest header of a unit that is read, in bytes.
const HEADER_BYTES_MAX: u64 = 256 << 10;
/// Of wasm32; offsets in code have as many bytes in wasm64.
const ADDRESS_BYTES: u8 = 4;

type Slice<'a> = EndianSlice<'a, LittleEndian>;
type Header<'a> = LineProgramHeader<Slice<'a>>;

/// The sections of strings that a header may refer to.
#[derive(Debug, Clone, Copy)]
pub struct Strings<'a> {
    /// `.debug_str`
    pub plain: &'a [u8],
    /// `.debug_line_str`
    pub line: &'a [u8],
}

/// Reads the units of the user's own; all when there are none. Our drivers have compilers run in `.`, and from version 5 on a unit says where that was.
pub fn read(debug_line: &[u8], strings: Strings<'_>, bodies: &[Range<u32>], collected: &mut Collected) {
    let units: Vec<DebugLineOffset> = unit_offsets(debug_line);
    let lines = DebugLine::new(debug_line, LittleEndian);
    let parse = |offset: DebugLineOffset| lines.program(offset, ADDRESS_BYTES, None, None).ok();
    let is_own = |offset: &DebugLineOffset| {
        parse(*offset).is_some_and(|program| {
            let header = program.header();
            header.version() >= 5 && header.directory(0).and_then(|folder| text(folder, strings)).is_some_and(|folder| folder == ".")
        })
    };
    let own: Vec<DebugLineOffset> = units.iter().copied().filter(is_own).collect();
    for offset in if own.is_empty() { units } else { own } {
        let Some(program) = parse(offset) else { continue };
        let mut files = Files { strings, known: Vec::new() };
        let mut sequence = Vec::new();
        let mut rows = program.rows();
        // A damaged program ends where its damage is.
        while let Ok(Some((header, row))) = rows.next_row() {
            let Ok(address) = u32::try_from(row.address()) else { continue };
            if row.end_sequence() {
                put_sequence(&mut sequence, address, bodies, collected);
                continue;
            }
            // Line 0 is code that no line is to blame for: it goes with what comes before it.
            let Some(line) = row.line().and_then(|line| u32::try_from(line.get()).ok()) else { continue };
            if sequence.len() < ROWS_MAX
                && let Some(file) = files.file(header, row.file_index(), collected)
            {
                sequence.push((address, file, line, column(row)));
            }
        }
    }
}

/// Takes the rows of one function, which end at this address. Of a function that the linker threw away there is no place.
fn put_sequence(sequence: &mut Vec<(u32, File, u32, u32)>, end: u32, bodies: &[Range<u32>], collected: &mut Collected) {
    let start = sequence.first().map_or(end, |row| row.0);
    let shift = shift_of(start, end, bodies);
    for (address, file, line, column) in sequence.drain(..) {
        if let Some(offset) = shift.and_then(|shift| address.checked_add(shift)) {
            collected.push(offset, file, line, column);
        }
    }
}

fn column(row: &LineRow) -> u32 {
    match row.column() {
        ColumnType::LeftEdge => 0,
        ColumnType::Column(column) => u32::try_from(column.get()).unwrap_or(0),
    }
}

/// What addresses lack to be offsets in the contents of the code section. clang and rustc count from their beginning, as the convention has it; wast
/// counts from behind the number of functions. Either way a sequence ends with its function.
fn shift_of(start: u32, end: u32, bodies: &[Range<u32>]) -> Option<u32> {
    let ends = |end: u32| bodies.binary_search_by_key(&end, |body| body.end).is_ok();
    let number_bytes = (usize::BITS - bodies.len().leading_zeros()).div_ceil(7);
    if !ends(end) && ends(end.checked_add(number_bytes)?) {
        return Some(number_bytes);
    }
    let before = bodies.partition_point(|body| body.start <= start);
    bodies[..before].last().is_some_and(|body| start < body.end).then_some(0)
}

/// Where units begin that are short enough to be read.
fn unit_offsets(debug_line: &[u8]) -> Vec<DebugLineOffset> {
    let mut offsets = Vec::new();
    let mut rest = EndianSlice::new(debug_line, LittleEndian);
    while !rest.is_empty() {
        let offset = DebugLineOffset(debug_line.len() - rest.len());
        let Ok((length, format)) = rest.read_initial_length() else { break };
        let Ok(mut unit) = rest.split(length) else { break };
        let header_bytes = unit.read_u16().and_then(|version| {
            if version >= 5 {
                unit.skip(2)?;
            }
            unit.read_length(format)
        });
        if length <= UNIT_BYTES_MAX && header_bytes.is_ok_and(|bytes| bytes as u64 <= HEADER_BYTES_MAX) {
            offsets.push(offset);
        }
    }
    offsets
}

/// Files of one unit, looked up once each.
struct Files<'a> {
    strings: Strings<'a>,
    known: Vec<Option<Option<File>>>,
}

impl Files<'_> {
    fn file(&mut self, header: &Header<'_>, index: u64, collected: &mut Collected) -> Option<File> {
        let slot = usize::try_from(index).ok().filter(|index| *index <= header.file_names().len())?;
        if self.known.len() <= slot {
            self.known.resize(slot + 1, None);
        }
        *self.known[slot].get_or_insert_with(|| path(header, index, self.strings).and_then(|path| collected.file(&path)))
    }
}

/// The path of a file, its folder before it unless that is where the compiler ran.
fn path(header: &Header<'_>, index: u64, strings: Strings<'_>) -> Option<String> {
    let entry = header.file(index)?;
    let name = text(entry.path_name(), strings)?;
    let folder = |folder: u64| header.directory(folder).and_then(|value| text(value, strings)).unwrap_or_default();
    if name.starts_with('/') {
        return Some(name);
    }
    let inner = folder(entry.directory_index());
    // From version 5 on folder 0 is where the compiler ran, and others may be relative to it.
    let outer = if entry.directory_index() == 0 || inner.starts_with('/') { String::new() } else { folder(0) };
    let parts = [outer.as_str(), inner.as_str(), name.as_str()];
    let joined: Vec<&str> = parts.into_iter().map(|part| part.trim_start_matches("./")).filter(|part| !matches!(*part, "" | ".")).collect();
    Some(joined.join("/"))
}

fn text(value: AttributeValue<Slice<'_>>, strings: Strings<'_>) -> Option<String> {
    let bytes = match value {
        AttributeValue::String(text) => text,
        AttributeValue::DebugLineStrRef(offset) => DebugLineStr::from(EndianSlice::new(strings.line, LittleEndian)).get_str(offset).ok()?,
        AttributeValue::DebugStrRef(offset) => DebugStr::from(EndianSlice::new(strings.plain, LittleEndian)).get_str(offset).ok()?,
        _ => return None,
    };
    let bytes = bytes.slice();
    // Longer ones are cut when they are kept; what a string section holds may be referred to by every file.
    Some(String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]).into_owned())
}
