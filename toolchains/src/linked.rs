//! What wasm-ld writes only because it keeps relocations (`--emit-relocs`), taken out again: zeros of uninitialised data, and sections that speak to
//! linkers. `reloc.CODE` stays, for the compiler's cache of functions asks it where addresses are; it counts from the code section, which does not
//! change.

/// A custom section.
const CUSTOM: u8 = 0;
/// The section of data segments.
const DATA: u8 = 11;
/// An active segment of memory 0, with an offset that follows.
const ACTIVE: u64 = 0;
const PASSIVE: u64 = 1;
const I32_CONST: u8 = 0x41;
const END: u8 = 0x0b;
/// Magic and version.
const HEADER_BYTES: usize = 8;

/// The module without these. One that cannot be read is given back as it is: the compiler says what is wrong with it.
pub(crate) fn slim(wasm: Vec<u8>) -> Vec<u8> {
    slimmed(&wasm).unwrap_or(wasm)
}

fn slimmed(wasm: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader { bytes: wasm.get(HEADER_BYTES..)? };
    let mut slim = wasm[..HEADER_BYTES].to_vec();
    while !reader.bytes.is_empty() {
        let id = reader.byte()?;
        let content = reader.sized()?;
        match id {
            CUSTOM if is_for_linkers(content)? => {}
            DATA => section(&mut slim, DATA, &without_zeros(content)?),
            _ => section(&mut slim, id, content),
        }
    }
    Some(slim)
}

/// Symbols, and relocations of what is no code.
fn is_for_linkers(content: &[u8]) -> Option<bool> {
    let name = Reader { bytes: content }.sized()?;
    Some(name == b"linking" || (name.starts_with(b"reloc.") && name != b"reloc.CODE"))
}

/// The data section with each active segment ending in its last byte that is not zero: a memory begins as zeros. None is left out, for they are
/// referred to by number.
fn without_zeros(content: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader { bytes: content };
    let mut slim = Vec::new();
    let count = reader.number()?;
    write_number(&mut slim, count);
    for _ in 0..count {
        let kind = reader.number()?;
        write_number(&mut slim, kind);
        if kind == ACTIVE {
            let before = reader.bytes;
            let is_constant = reader.byte()? == I32_CONST && reader.number().is_some() && reader.byte()? == END;
            // Other offsets are what wasm-ld never writes for a program.
            let expression = is_constant.then(|| &before[..before.len() - reader.bytes.len()])?;
            slim.extend_from_slice(expression);
        } else if kind != PASSIVE {
            return None;
        }
        let bytes = reader.sized()?;
        let length = match kind {
            ACTIVE => bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1),
            _ => bytes.len(),
        };
        write_number(&mut slim, length as u64);
        slim.extend_from_slice(&bytes[..length]);
    }
    reader.bytes.is_empty().then_some(slim)
}

/// Reads a binary from its beginning.
pub(crate) struct Reader<'b> {
    pub bytes: &'b [u8],
}

impl<'b> Reader<'b> {
    pub fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    /// LEB128 of at most 32 bits. Of a signed one only its end matters here.
    pub fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// Bytes behind their number.
    pub fn sized(&mut self) -> Option<&'b [u8]> {
        let length = self.number()?;
        let (taken, rest) = self.bytes.split_at_checked(usize::try_from(length).ok()?)?;
        self.bytes = rest;
        Some(taken)
    }
}

fn section(wasm: &mut Vec<u8>, id: u8, content: &[u8]) {
    wasm.push(id);
    write_number(wasm, content.len() as u64);
    wasm.extend_from_slice(content);
}

pub(crate) fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(sections: &[(u8, &[u8])]) -> Vec<u8> {
        let mut wasm = b"\0asm\x01\0\0\0".to_vec();
        sections.iter().for_each(|(id, content)| section(&mut wasm, *id, content));
        wasm
    }

    #[test]
    fn zeros_at_the_end_of_active_segments_go_and_no_segment_does() {
        // Three segments: active at −1, all zeros; active at 5; passive, whose zeros a program may ask for.
        let data = [3, 0, 0x41, 0x7f, 0x0b, 3, 0, 0, 0, 0, 0x41, 5, 0x0b, 4, 0, 7, 0, 0, 1, 2, 9, 0];
        let slim_data = [3, 0, 0x41, 0x7f, 0x0b, 0, 0, 0x41, 5, 0x0b, 2, 0, 7, 1, 2, 9, 0];
        assert_eq!(slim(module(&[(10, &[1, 2]), (11, &data)])), module(&[(10, &[1, 2]), (11, &slim_data)]));
    }

    #[test]
    fn of_what_speaks_to_linkers_relocations_of_code_stay() {
        let (linking, data, code, name) = (b"\x07linking12", b"\x0areloc.DATA12", b"\x0areloc.CODE12", b"\x04name12");
        let wasm = module(&[(0, linking), (0, code), (0, data), (0, name)]);
        assert_eq!(slim(wasm), module(&[(0, code), (0, name)]));
    }

    #[test]
    fn what_cannot_be_read_stays_as_it_is() {
        let sound = module(&[(11, &[1, 0, 0x41, 0, 0x0b, 2, 1, 0]), (0, b"\x07linking")]);
        for length in 0..sound.len() {
            let cut = sound[..length].to_vec();
            let slim = slim(cut.clone());
            assert!(slim == cut || slim == module(&[(11, &[1, 0, 0x41, 0, 0x0b, 1, 1])]), "{length}");
        }
        // An offset that is no constant, and a kind that there is not.
        for data in [&[1, 0, 0x23, 0, 0x0b, 1, 0][..], &[1, 7, 1, 0]] {
            assert_eq!(slim(module(&[(11, data)])), module(&[(11, data)]));
        }
    }
}
