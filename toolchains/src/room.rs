//! Room to start with for programs of a compiler that gives none: the first length of memory 0, lengthened in place.

use crate::linked::Reader;

/// The section of memories.
const MEMORIES: u8 = 5;
/// Magic and version.
const HEADER_BYTES: usize = 8;
const WASM_PAGE_BYTES: u64 = 65536;

/// Lets the memory of a module begin longer, within its maximum, by so many bytes. Nothing moves, for source maps count bytes of the file; a module whose length would take more
/// digits, or that cannot be read, stays as it is.
pub(crate) fn lengthen(mut wasm: Vec<u8>, bytes: u64) -> Vec<u8> {
    if let Some((place, digits)) = longer(&wasm, bytes.div_ceil(WASM_PAGE_BYTES)) {
        wasm[place..place + digits.len()].copy_from_slice(&digits);
    }
    wasm
}

/// Where the length stands, and what it becomes.
fn longer(wasm: &[u8], pages: u64) -> Option<(usize, Vec<u8>)> {
    let mut reader = Reader { bytes: wasm.get(HEADER_BYTES..)? };
    while !reader.bytes.is_empty() {
        let id = reader.byte()?;
        let section = reader.sized()?;
        if id != MEMORIES {
            continue;
        }
        let mut reader_of_section = Reader { bytes: section };
        let (count, flags) = (reader_of_section.number()?, reader_of_section.number()?);
        let place = wasm.len() - reader.bytes.len() - reader_of_section.bytes.len();
        let before = reader_of_section.bytes.len();
        let minimum = reader_of_section.number()?;
        let room = before - reader_of_section.bytes.len();
        let maximum = if flags & 1 == 1 { reader_of_section.number()? } else { u64::MAX };
        let mut digits = Vec::new();
        crate::linked::write_number(&mut digits, minimum.checked_add(pages)?.min(maximum));
        return (count > 0 && digits.len() == room).then_some((place, digits));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with a memory section of this content between two others.
    fn module(memories: &[u8]) -> Vec<u8> {
        let mut wasm = b"\0asm\x01\0\0\0\x03\x02\x01\x00\x05".to_vec();
        wasm.push(memories.len() as u8);
        wasm.extend_from_slice(memories);
        wasm.extend_from_slice(&[0, 2, 1, b'x']);
        wasm
    }

    #[test]
    fn a_memory_begins_longer_within_its_maximum() {
        for (before, after) in [
            (&[1, 0, 3][..], &[1, 0, 11][..]),
            (&[1, 1, 3, 9], &[1, 1, 9, 9]),
            (&[1, 0, 0x81, 0x01], &[1, 0, 0x89, 0x01]),
            // One digit more would move the code.
            (&[1, 0, 127], &[1, 0, 127]),
            (&[0], &[0]),
        ] {
            assert_eq!(lengthen(module(before), 512 << 10), module(after));
        }
        let sound = module(&[1, 0, 3]);
        for length in 0..sound.len() {
            assert_eq!(lengthen(sound[..length].to_vec(), 1 << 16).len(), length);
        }
    }
}
