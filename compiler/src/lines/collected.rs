//! Lines as debug information gives them, in any order and about any code, and what of them is kept.

use std::collections::HashMap;
use std::ops::Range;

use vivarium_artifact::lines::{FILE_NAME_BYTES_MAX, LineTable, LineTableBuilder, Place};

/// Rows that are kept of one module. What is beyond has no lines.
pub const ROWS_MAX: usize = 1 << 21;
/// Files that debug information may name: a unit of a library names hundreds, most of which no row is about.
pub const FILES_MAX: usize = 1 << 16;

/// A file by its place in [`Collected`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File(u32);

#[derive(Debug, Clone, Copy)]
struct Row {
    /// In the contents of the code section.
    offset: u32,
    /// From here on no line is known.
    place: Option<(File, u32, u32)>,
}

/// All that debug information says.
#[derive(Debug, Default)]
pub struct Collected {
    files: Vec<String>,
    numbers: HashMap<String, File>,
    rows: Vec<Row>,
}

/// Whether a file is the user's own: libraries have absolute paths, or those that asc gives to its own.
fn is_own(file: &str) -> bool {
    !file.starts_with('/') && !file.starts_with("~lib/")
}

impl Collected {
    /// The file of this name; none when there are too many.
    pub fn file(&mut self, name: &str) -> Option<File> {
        let name = readable(name);
        if let Some(file) = self.numbers.get(&name) {
            return Some(*file);
        }
        if self.files.len() == FILES_MAX {
            return None;
        }
        let file = File(self.files.len() as u32);
        self.files.push(name.clone());
        self.numbers.insert(name, file);
        Some(file)
    }

    /// From this offset on, code belongs to this line and column (0: not known).
    pub fn push(&mut self, offset: u32, file: File, line: u32, column: u32) {
        self.push_row(Row { offset, place: Some((file, line, column)) });
    }

    /// From this offset on, code belongs to no line.
    pub fn push_end(&mut self, offset: u32) {
        self.push_row(Row { offset, place: None });
    }

    fn push_row(&mut self, row: Row) {
        if self.rows.len() < ROWS_MAX {
            self.rows.push(row);
        }
    }

    /// Takes the rows of an encoded table.
    pub fn take_table(&mut self, bytes: &[u8]) {
        // Rows of one file follow each other: its name is looked up once for all of them.
        let mut last: (&str, Option<File>) = ("", None);
        for row in LineTable::parse(bytes).into_iter().flat_map(|table| table.rows()).take(ROWS_MAX) {
            if let Some(place) = row.place
                && !std::ptr::eq(last.0, place.file)
            {
                last = (place.file, self.file(place.file));
            }
            match row.place.and_then(|place| Some((last.1?, place))) {
                Some((file, place)) => self.push(row.wasm_offset, file, place.line, place.column),
                None => self.push_end(row.wasm_offset),
            }
        }
    }

    /// The table of these functions. Of a program with files of its own only the functions that have a line of them are kept: nobody asks for the
    /// lines of a standard library, which are most. A function's first row is about its beginning too.
    pub fn into_table(mut self, bodies: &[Range<u32>]) -> Vec<u8> {
        self.rows.sort_by_key(|row| row.offset);
        let own: Vec<bool> = self.files.iter().map(|file| is_own(file)).collect();
        let is_own = |row: &Row| row.place.is_some_and(|(file, ..)| own[file.0 as usize]);
        let only_own = self.rows.iter().any(is_own);
        let mut builder = LineTableBuilder::default();
        let mut rows = &self.rows[..];
        let mut gap = 0;
        for body in bodies {
            // The length of a body stands before it and counts as the body's.
            let first = rows.partition_point(|row| row.offset < gap);
            let end = rows.partition_point(|row| row.offset < body.end);
            let (of_body, rest) = (&rows[first..end], &rows[end..]);
            (rows, gap) = (rest, body.end);
            if !only_own || of_body.iter().any(is_own) {
                self.put_body(&mut builder, body, of_body);
            }
        }
        builder.finish()
    }

    fn put_body(&self, builder: &mut LineTableBuilder, body: &Range<u32>, rows: &[Row]) {
        let rows = &rows[rows.iter().position(|row| row.place.is_some()).unwrap_or(rows.len())..];
        for (index, row) in rows.iter().enumerate() {
            let offset = if index == 0 { body.start } else { row.offset.max(body.start) };
            let place = row.place.map(|(file, line, column)| Place { file: &self.files[file.0 as usize], line, column });
            builder.push(offset, place);
        }
        if !rows.is_empty() {
            builder.push(body.end, None);
        }
    }
}

/// A name is shown in terminals and logs, and it comes from whoever made the module: no longer than a table keeps it, and without controls.
fn readable(name: &str) -> String {
    let name = name.trim_start_matches("./");
    let name = &name[..name.floor_char_boundary(FILE_NAME_BYTES_MAX)];
    name.chars().map(|character| if character.is_control() { char::REPLACEMENT_CHARACTER } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[(u32, &str, u32)], bodies: &[Range<u32>], expected: &[(u32, Option<(&str, u32)>)]) {
        let mut collected = Collected::default();
        for (offset, file, line) in rows {
            let file = collected.file(file).unwrap();
            collected.push(*offset, file, *line, 0);
        }
        let bytes = collected.into_table(bodies);
        let rows = LineTable::parse(&bytes).unwrap().rows();
        let found: Vec<_> = rows.map(|row| (row.wasm_offset, row.place.map(|place| (place.file, place.line)))).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn lines_end_with_their_function_and_begin_with_it() {
        let rows = [(12, "./main.c", 3), (6, "main.c", 1), (40, "main.c", 9)];
        check(
            &rows,
            &[4..20, 22..30, 32..50],
            &[(4, Some(("main.c", 1))), (12, Some(("main.c", 3))), (20, None), (32, Some(("main.c", 9))), (50, None)],
        );
    }

    #[test]
    fn functions_of_libraries_are_left_out_unless_there_is_nothing_else() {
        let (own, library) = ((5, "main.rs", 1), (25, "/rustc/core/fmt.rs", 7));
        let inlined = (8, "/rustc/core/num.rs", 2);
        let bodies = [4..20, 22..30];
        check(&[own, inlined, library], &bodies, &[(4, Some(("main.rs", 1))), (8, Some(("/rustc/core/num.rs", 2))), (20, None)]);
        check(&[library], &bodies, &[(22, Some(("/rustc/core/fmt.rs", 7))), (30, None)]);
    }

    #[test]
    fn names_are_fit_to_be_shown() {
        assert_eq!(readable("././a\u{1b}[31m\nb"), "a\u{fffd}[31m\u{fffd}b");
    }
}
