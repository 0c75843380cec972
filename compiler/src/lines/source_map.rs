//! Source maps (ECMA-426), as asc writes them for wasm: one generated line, whose columns are offsets in the binary.

use std::ops::Range;

use serde::Deserialize;

use vivarium_artifact::lines::FILE_NAME_BYTES_MAX;

use super::collected::{Collected, FILES_MAX, File};

/// Longest source map that is read, in bytes.
const SOURCE_MAP_BYTES_MAX: usize = 16 << 20;

#[derive(Deserialize)]
struct SourceMap<'m> {
    version: u32,
    #[serde(rename = "sourceRoot", default)]
    root: Option<String>,
    sources: Vec<Option<String>>,
    #[serde(borrow)]
    mappings: std::borrow::Cow<'m, str>,
}

/// Reads a source map of a module whose code section's contents are at `code`. What is behind damage has no lines.
pub fn read(json: &[u8], code: &Range<u32>, collected: &mut Collected) {
    if json.len() > SOURCE_MAP_BYTES_MAX {
        return;
    }
    let Some(map) = serde_json::from_slice::<SourceMap<'_>>(json).ok().filter(|map| map.version == 3) else { return };
    let root = map.root.as_deref().filter(|root| !matches!(*root, "" | "."));
    // With a root that is cut every source has the same name.
    let root = root.map(|root| format!("{}/", &root[..root.floor_char_boundary(FILE_NAME_BYTES_MAX)])).unwrap_or_default();
    let sources = map.sources.iter().take(FILES_MAX);
    let files: Vec<Option<File>> =
        sources.map(|source| source.as_ref().and_then(|source| collected.file(&format!("{root}{source}")))).collect();
    // A further line would be about other columns.
    let mappings = map.mappings.split(';').next().unwrap_or_default();
    let mut state = [0i64; 4];
    for segment in mappings.split(',') {
        let Some(fields) = fields(segment) else { return };
        for (value, difference) in state.iter_mut().zip(fields.into_iter().flatten()) {
            *value = value.wrapping_add(difference);
        }
        let [offset, source, line, column] = state;
        let Some(offset) = u32::try_from(offset).ok().filter(|offset| code.contains(offset)) else { continue };
        let file = usize::try_from(source).ok().and_then(|source| files.get(source).copied().flatten());
        // A segment without a place stands before code of which the generator noted none: it goes with what comes before it.
        if let (Some(_), Some(file), Ok(line), Ok(column)) = (fields[3], file, u32::try_from(line), u32::try_from(column)) {
            // Both count from 0 here.
            collected.push(offset - code.start, file, line.saturating_add(1), column.saturating_add(1));
        }
    }
}

/// The first four numbers of a segment, of which there are one, four or five; a fifth is a name. `None`: no such segment.
fn fields(segment: &str) -> Option<[Option<i64>; 4]> {
    let mut fields = [None; 4];
    let (mut field, mut number, mut shift) = (0, 0u64, 0);
    for character in segment.bytes() {
        let digit = sextet(character)?;
        number |= u64::from(digit & 31).checked_shl(shift)?;
        shift += 5;
        if digit < 32 {
            let magnitude = (number >> 1) as i64;
            if let Some(slot) = fields.get_mut(field) {
                *slot = Some(if number & 1 == 0 { magnitude } else { -magnitude });
            }
            (field, number, shift) = (field + 1, 0, 0);
        }
    }
    (shift == 0 && matches!(field, 1 | 4 | 5)).then_some(fields)
}

fn sextet(character: u8) -> Option<u8> {
    match character {
        b'A'..=b'Z' => Some(character - b'A'),
        b'a'..=b'z' => Some(character - b'a' + 26),
        b'0'..=b'9' => Some(character - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vivarium_artifact::lines::LineTable;

    #[test]
    fn numbers_are_read_as_the_specification_has_them() {
        let table: [(&str, Option<[Option<i64>; 4]>); 7] = [
            ("A", Some([Some(0), None, None, None])),
            ("DAAC", Some([Some(-1), Some(0), Some(0), Some(1)])),
            ("gBAAAA", Some([Some(16), Some(0), Some(0), Some(0)])),
            ("AA", None),
            ("g", None),
            ("", None),
            ("A!AA", None),
        ];
        for (segment, expected) in table {
            assert_eq!(fields(segment), expected, "{segment}");
        }
    }

    #[test]
    fn columns_are_offsets_and_lines_count_from_one() {
        // Offset 104: line 3, column 5 of main.ts; offset 106: nothing noted; offset 110: line 4, column 1.
        let json = br#"{"version":3,"sources":["~lib/a.ts","main.ts"],"names":[],"mappings":"wGCEI,E,IACJ"}"#;
        let mut collected = Collected::default();
        read(json, &(100..120), &mut collected);
        let bytes = collected.into_table(std::slice::from_ref(&(2..18)));
        let rows: Vec<_> = LineTable::parse(&bytes)
            .unwrap()
            .rows()
            .map(|row| (row.wasm_offset, row.place.map(|place| (place.file, place.line, place.column))))
            .collect();
        assert_eq!(rows, [(2, Some(("main.ts", 3, 5))), (10, Some(("main.ts", 4, 1))), (18, None)]);
    }

    #[test]
    fn what_is_no_source_map_has_no_lines() {
        for json in ["", "{", "[]", r#"{"version":2,"sources":["a"],"mappings":"AAAA"}"#, r#"{"version":3,"sources":["a"],"mappings":7}"#] {
            let mut collected = Collected::default();
            read(json.as_bytes(), &(0..10), &mut collected);
            assert!(collected.into_table(std::slice::from_ref(&(0..10))).is_empty(), "{json}");
        }
    }
}
