//! Places in a source text, in the one way that editors count: lines from 1, columns from 1 in UTF-16 code units.

/// Line and column of a byte offset; an offset inside a character or behind the text counts to the end of what is before it.
pub(crate) fn place_of_offset(text: &str, offset: usize) -> (u32, u32) {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line = before.iter().filter(|&&byte| byte == b'\n').count();
    let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    (line as u32 + 1, utf16_units(&before[line_start..]) + 1)
}

/// The column for a compiler that counts bytes from 1; the same number where the line is not known.
pub(crate) fn from_byte_column(text: Option<&str>, line: u32, byte_column: u32) -> u32 {
    let Some(found) = text.and_then(|text| line_of(text, line)) else { return byte_column };
    let bytes = (byte_column.saturating_sub(1) as usize).min(found.len());
    utf16_units(&found.as_bytes()[..bytes]) + 1
}

/// The column for a compiler that counts characters from 1.
pub(crate) fn from_character_column(text: Option<&str>, line: u32, character_column: u32) -> u32 {
    let Some(found) = text.and_then(|text| line_of(text, line)) else { return character_column };
    let units: usize = found.chars().take(character_column.saturating_sub(1) as usize).map(char::len_utf16).sum();
    units as u32 + 1
}

fn line_of(text: &str, line: u32) -> Option<&str> {
    text.split('\n').nth(line.checked_sub(1)? as usize)
}

fn utf16_units(bytes: &[u8]) -> u32 {
    // Only the tail can be cut inside a character, and that tail is no character.
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    };
    whole.encode_utf16().count() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_utf16_units() {
        let text = "a\n\u{e9}\u{1f33f}x\n";
        assert_eq!(place_of_offset(text, 0), (1, 1));
        assert_eq!(place_of_offset(text, 8), (2, 4));
        assert_eq!(place_of_offset(text, 999), (3, 1));
        assert_eq!(from_byte_column(Some(text), 2, 7), 4);
        assert_eq!(from_character_column(Some(text), 2, 3), 4);
    }

    #[test]
    fn a_place_outside_the_text_is_kept() {
        assert_eq!(from_byte_column(None, 3, 9), 9);
        assert_eq!(from_byte_column(Some("a"), 3, 9), 9);
        assert_eq!(from_byte_column(Some("ab"), 1, 99), 3);
        assert_eq!(from_byte_column(Some("ab"), 0, 2), 2);
    }
}
