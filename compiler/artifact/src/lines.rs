//! From a wasm offset to a line of the source.
//!
//! ```text
//! │ counts: files, names, blocks (u32 each) │ file ends (u32) │ names │ blocks: first wasm offset, first byte (u32 each) │ rows │
//! ```
//!
//! Rows are sorted by wasm offset and each reaches to the next. They are differences in variable-length integers, in blocks of [`BLOCK_ROWS`], so that a
//! lookup searches the blocks and decodes one: nothing is read when an artifact is loaded, and a row takes three to five bytes.

/// Rows that are decoded together.
const BLOCK_ROWS: usize = 64;
const COUNTS_BYTES: usize = 12;
/// Longest name of a file, in bytes; what is longer is cut.
pub const FILE_NAME_BYTES_MAX: usize = 512;
/// Files of one table. Code of further ones has no line.
pub const FILES_MAX: usize = 4096;

/// A place in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place<'t> {
    /// As the user named it.
    pub file: &'t str,
    /// From 1.
    pub line: u32,
    /// From 1; 0 where it is not known.
    pub column: u32,
}

/// From this wasm offset on, up to the next row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineRow<'t> {
    pub wasm_offset: u32,
    /// None where the code belongs to no line.
    pub place: Option<Place<'t>>,
}

/// An encoded table of lines, read where it lies. Damage gives wrong or no lines, never a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineTable<'t> {
    file_ends: &'t [[u8; 4]],
    names: &'t [u8],
    blocks: &'t [[u8; 8]],
    rows: &'t [u8],
}

impl<'t> LineTable<'t> {
    /// Reads the head of an encoded table. No bytes are a table without rows.
    pub fn parse(bytes: &'t [u8]) -> Option<LineTable<'t>> {
        if bytes.is_empty() {
            return Some(LineTable::default());
        }
        let (counts, rest) = bytes.split_at_checked(COUNTS_BYTES)?;
        let [files, names, blocks] = [0, 4, 8].map(|at| word(&counts[at..]) as usize);
        let (file_ends, rest) = rest.split_at_checked(files.checked_mul(4)?)?;
        let (names, rest) = rest.split_at_checked(names)?;
        let (blocks, rows) = rest.split_at_checked(blocks.checked_mul(8)?)?;
        Some(LineTable { file_ends: file_ends.as_chunks().0, names, blocks: blocks.as_chunks().0, rows })
    }

    /// The line that the instruction at this wasm offset belongs to.
    pub fn at(&self, wasm_offset: u32) -> Option<Place<'t>> {
        let after = self.blocks.partition_point(|block| word(block) <= wasm_offset);
        let rows = self.block(after.checked_sub(1)?);
        rows.take_while(|row| row.wasm_offset <= wasm_offset).last()?.place
    }

    /// All rows, by wasm offset.
    pub fn rows(&self) -> impl Iterator<Item = LineRow<'t>> + use<'t> {
        let table = *self;
        (0..table.blocks.len()).flat_map(move |block| table.block(block))
    }

    /// The names of all files.
    pub fn files(&self) -> impl Iterator<Item = &'t str> + use<'t> {
        let table = *self;
        (1..=table.file_ends.len() as u32).filter_map(move |number| table.file(number))
    }

    fn file(&self, number: u32) -> Option<&'t str> {
        let index = (number as usize).checked_sub(1)?;
        let end = word(self.file_ends.get(index)?) as usize;
        let start = index.checked_sub(1).map_or(0, |before| word(&self.file_ends[before]) as usize);
        // Of a longer one the builder would have kept the beginning: this is damage, or made to cost time.
        std::str::from_utf8(self.names.get(start..end).filter(|name| name.len() <= FILE_NAME_BYTES_MAX)?).ok()
    }

    fn block(&self, index: usize) -> BlockRows<'t> {
        let start = word(&self.blocks[index][4..]) as usize;
        let row = Numbers { wasm_offset: word(&self.blocks[index]), ..Numbers::default() };
        BlockRows { table: *self, rest: self.rows.get(start..).unwrap_or_default(), left: BLOCK_ROWS, row }
    }
}

/// A row in numbers; file 0 stands for no line.
#[derive(Debug, Clone, Copy, Default)]
struct Numbers {
    wasm_offset: u32,
    file: u32,
    line: u32,
    column: u32,
}

struct BlockRows<'t> {
    table: LineTable<'t>,
    rest: &'t [u8],
    left: usize,
    row: Numbers,
}

impl<'t> Iterator for BlockRows<'t> {
    type Item = LineRow<'t>;

    fn next(&mut self) -> Option<LineRow<'t>> {
        self.left = self.left.checked_sub(1)?;
        if self.rest.is_empty() {
            return None;
        }
        let mut difference = || take_varint(&mut self.rest);
        let row = &mut self.row;
        row.wasm_offset = row.wasm_offset.wrapping_add(difference()?);
        row.file = row.file.wrapping_add(unzigzag(difference()?));
        if row.file != 0 {
            row.line = row.line.wrapping_add(unzigzag(difference()?));
            row.column = row.column.wrapping_add(unzigzag(difference()?));
        }
        let file = self.table.file(row.file);
        Some(LineRow { wasm_offset: row.wasm_offset, place: file.map(|file| Place { file, line: row.line, column: row.column }) })
    }
}

/// A table under construction.
#[derive(Debug, Default)]
pub struct LineTableBuilder {
    files: Vec<String>,
    numbers: std::collections::HashMap<String, u32>,
    rows: Vec<Numbers>,
}

impl LineTableBuilder {
    /// Begins a row; wasm offsets must not fall. Of two rows at one offset the later one counts.
    pub fn push(&mut self, wasm_offset: u32, place: Option<Place<'_>>) {
        let place = place.and_then(|place| Some((self.number(place.file)?, place)));
        let row = match place {
            Some((file, place)) => Numbers { wasm_offset, file, line: place.line, column: place.column },
            None => Numbers { wasm_offset, ..Numbers::default() },
        };
        let same = |last: &Numbers| (last.file, last.line, last.column) == (row.file, row.line, row.column);
        if self.rows.last().is_some_and(|last| last.wasm_offset == wasm_offset) {
            self.rows.pop();
        }
        if !self.rows.last().map_or(row.file == 0, same) {
            self.rows.push(row);
        }
    }

    /// The encoded table; no bytes when there are no rows.
    pub fn finish(self) -> Vec<u8> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let (mut blocks, mut rows) = (Vec::new(), Vec::new());
        for block in self.rows.chunks(BLOCK_ROWS) {
            let mut last = Numbers { wasm_offset: block[0].wasm_offset, ..Numbers::default() };
            blocks.extend([last.wasm_offset.to_le_bytes(), (rows.len() as u32).to_le_bytes()].concat());
            for row in block {
                put_varint(&mut rows, row.wasm_offset.wrapping_sub(last.wasm_offset));
                put_varint(&mut rows, zigzag(row.file.wrapping_sub(last.file)));
                last = Numbers { wasm_offset: row.wasm_offset, file: row.file, ..last };
                if row.file != 0 {
                    put_varint(&mut rows, zigzag(row.line.wrapping_sub(last.line)));
                    put_varint(&mut rows, zigzag(row.column.wrapping_sub(last.column)));
                    last = *row;
                }
            }
        }
        let names = self.files.concat();
        let counts = [self.files.len(), names.len(), blocks.len() / 8];
        let mut bytes: Vec<u8> = counts.into_iter().flat_map(|count| (count as u32).to_le_bytes()).collect();
        let mut end = 0;
        for file in &self.files {
            end += file.len() as u32;
            bytes.extend(end.to_le_bytes());
        }
        bytes.extend([names.as_bytes(), &blocks, &rows].concat());
        bytes
    }

    fn number(&mut self, file: &str) -> Option<u32> {
        let file = &file[..file.floor_char_boundary(FILE_NAME_BYTES_MAX)];
        if let Some(number) = self.numbers.get(file) {
            return Some(*number);
        }
        if self.files.len() == FILES_MAX {
            return None;
        }
        self.files.push(file.to_owned());
        let number = self.files.len() as u32;
        self.numbers.insert(file.to_owned(), number);
        Some(number)
    }
}

fn word(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |word| u32::from_le_bytes(*word))
}

fn zigzag(difference: u32) -> u32 {
    (difference << 1) ^ ((difference as i32 >> 31) as u32)
}

fn unzigzag(number: u32) -> u32 {
    (number >> 1) ^ (number & 1).wrapping_neg()
}

fn put_varint(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_varint(rest: &mut &[u8]) -> Option<u32> {
    let mut number = 0;
    for shift in (0..35).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u32::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Wasm offset; file, line and column.
    type Row<'t> = (u32, Option<(&'t str, u32, u32)>);

    fn table(rows: &[Row<'_>]) -> Vec<u8> {
        let mut builder = LineTableBuilder::default();
        for (wasm_offset, place) in rows {
            builder.push(*wasm_offset, place.map(|(file, line, column)| Place { file, line, column }));
        }
        builder.finish()
    }

    #[test]
    fn a_row_reaches_to_the_next() {
        let bytes = table(&[(10, Some(("main.c", 7, 3))), (20, None), (30, Some(("lib/leaf.h", 2, 0))), (30, Some(("main.c", 9, 1)))]);
        let lines = LineTable::parse(&bytes).unwrap();
        assert_eq!(lines.at(9), None);
        assert_eq!(lines.at(19), Some(Place { file: "main.c", line: 7, column: 3 }));
        assert_eq!(lines.at(25), None);
        assert_eq!(lines.at(u32::MAX), Some(Place { file: "main.c", line: 9, column: 1 }), "of two rows at one offset the later counts");
        assert_eq!(lines.files().collect::<Vec<_>>(), ["main.c", "lib/leaf.h"]);
        assert_eq!(LineTable::parse(&[]).unwrap().at(1), None);
    }

    #[test]
    fn what_says_nothing_new_takes_no_room() {
        let bytes = table(&[(1, None), (10, Some(("a", 1, 1))), (12, Some(("a", 1, 1))), (20, None), (30, None)]);
        assert_eq!(LineTable::parse(&bytes).unwrap().rows().count(), 2);
        assert_eq!(table(&[(1, None)]), []);
    }

    #[test]
    fn names_and_files_are_bounded() {
        let mut builder = LineTableBuilder::default();
        for index in 0..=FILES_MAX as u32 {
            let file = format!("{index}{}", "ä".repeat(FILE_NAME_BYTES_MAX));
            builder.push(index, Some(Place { file: &file, line: 1, column: 0 }));
        }
        let bytes = builder.finish();
        let lines = LineTable::parse(&bytes).unwrap();
        assert_eq!((lines.files().count(), lines.at(FILES_MAX as u32)), (FILES_MAX, None));
        assert!(lines.files().all(|file| file.len() <= FILE_NAME_BYTES_MAX));
    }

    proptest! {
        #[test]
        fn what_was_pushed_is_found(
            steps in prop::collection::vec((1u32..2000, prop::option::of((0usize..3, any::<u32>(), any::<u32>()))), 1..400),
        ) {
            const FILES: [&str; 3] = ["a.c", "b/b.h", "ü"];
            let mut offset = 0u32;
            let rows: Vec<_> = steps
                .into_iter()
                .map(|(step, place)| {
                    offset += step;
                    (offset, place.map(|(file, line, column)| (FILES[file], line, column)))
                })
                .collect();
            let bytes = table(&rows);
            let lines = LineTable::parse(&bytes).unwrap();
            for (index, (start, place)) in rows.iter().enumerate() {
                let place = place.map(|(file, line, column)| Place { file, line, column });
                let last = rows.get(index + 1).map_or(*start, |next| next.0 - 1);
                prop_assert_eq!((lines.at(*start), lines.at(last)), (place, place));
            }
        }

        #[test]
        fn damage_gives_no_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), small in 0u8..4, at in any::<u32>()) {
            // Counts that fit are what a random head never has.
            if bytes.len() > 12 {
                bytes[..12].copy_from_slice(&[small, 0, 0, 0, 9, 0, 0, 0, small, 0, 0, 0]);
            }
            if let Some(lines) = LineTable::parse(&bytes) {
                let _ = (lines.at(at), lines.rows().count(), lines.files().count());
            }
        }
    }
}
