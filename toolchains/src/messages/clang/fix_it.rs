//! `-fdiagnostics-parseable-fixits`: `fix-it:"FILE":{LINE:COLUMN-LINE:COLUMN}:"TEXT"`, with columns in bytes and the escapes of C in both strings.

use crate::columns;
use crate::diagnostic::Edit;
use crate::messages::Sources;

/// Reads what is behind `fix-it:`. Only a file of the user's can be mended.
pub(super) fn parse(line: &str, sources: &Sources) -> Option<Edit> {
    let (file, rest) = string(line)?;
    let (range, rest) = rest.strip_prefix(":{")?.split_once("}:")?;
    let (text, rest) = string(rest)?;
    let file = file.strip_prefix("./").unwrap_or(&file).to_owned();
    let source = Some(sources.get(&file)?.as_str()).filter(|_| rest.is_empty())?;
    let ((line, column), (end_line, end_column)) = super::parse_range(range)?;
    let column = columns::from_byte_column(Some(source), line, column);
    let end_column = columns::from_byte_column(Some(source), end_line, end_column);
    Some(Edit { file, line, column, end_line, end_column, text })
}

/// A string in quotes at the beginning of a text, and what is behind it.
fn string(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('"')?;
    let mut bytes = Vec::new();
    loop {
        let first = rest.chars().next()?;
        rest = &rest[first.len_utf8()..];
        match first {
            '"' => return Some((String::from_utf8(bytes).ok()?, rest)),
            '\\' => {
                let (byte, length) = escaped(rest)?;
                bytes.push(byte);
                rest = &rest[length..];
            }
            plain => bytes.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// The byte that an escape stands for, and the length of what is behind its backslash.
fn escaped(text: &str) -> Option<(u8, usize)> {
    match *text.as_bytes().first()? {
        b'n' => Some((b'\n', 1)),
        b't' => Some((b'\t', 1)),
        quoted @ (b'"' | b'\\') => Some((quoted, 1)),
        _ => Some((u8::from_str_radix(text.get(..3)?, 8).ok()?, 3)),
    }
}
