//! Machine code written by hand: the only place with bytes of instructions, and what a port to another processor replaces.
//!
//! Arguments come as in Cranelift's tail convention on x86-64 (rdi, rsi, rdx); rax, rcx, rdx, rsi, rdi may be overwritten. No stub sets the direction
//! flag or touches the stack, and all state is in registers: a stub may be interrupted, and its faults resumed, at any instruction.

use vivarium_artifact::abi::{CONTROL_DONE_EXIT, CONTROL_HOSTCALL_EXIT, DONE_THUNK, HOSTCALL_THUNK, RESUME_STUB, THUNKS_BYTES};

use crate::symbol::Stub;

/// What pads the text: a breakpoint, so that a stray jump stops.
pub const PADDING: u8 = 0xcc;
/// Where functions and stubs begin: a multiple of this, in bytes.
pub const ALIGNMENT: usize = 16;

/// Stubs at the head of every text.
#[derive(Debug)]
pub struct Stubs {
    pub bytes: Vec<u8>,
    copy: u32,
    fill: u32,
    fill_references: u32,
}

impl Stubs {
    /// Where a stub is, from the beginning of the text.
    pub fn offset(&self, stub: Stub) -> u32 {
        match stub {
            Stub::Hostcall => HOSTCALL_THUNK,
            Stub::Done => DONE_THUNK,
            Stub::Copy => self.copy,
            Stub::Fill => self.fill,
            Stub::FillReferences => self.fill_references,
        }
    }
}

/// `ret`.
const RETURN: &[u8] = &[0xc3];

/// `(rdi destination, rsi source, rdx bytes)`.
///
/// ```text
///  0  mov rcx, rdx
///  3  mov rax, rdi
///  6  sub rax, rsi
///  9  cmp rax, rdx          destination − source, unsigned: smaller when it begins inside the source
/// 12  jb 17
/// 14  rep movsb
/// 16  ret
/// 17  cmp rcx, 8            descending; each eight bytes are read before any of them is written
/// 21  jb 41
/// 23  sub rcx, 8
/// 27  mov rax, [rsi+rcx]
/// 31  mov [rdi+rcx], rax
/// 35  cmp rcx, 8
/// 39  jae 23
/// 41  test rcx, rcx
/// 44  jz 59
/// 46  mov al, [rsi+rcx-1]
/// 50  mov [rdi+rcx-1], al
/// 54  dec rcx
/// 57  jnz 46
/// 59  ret
/// ```
const COPY: &[u8] = &[
    0x48, 0x89, 0xd1, // mov rcx, rdx
    0x48, 0x89, 0xf8, // mov rax, rdi
    0x48, 0x29, 0xf0, // sub rax, rsi
    0x48, 0x39, 0xd0, // cmp rax, rdx
    0x72, 0x03, // jb descending
    0xf3, 0xa4, // rep movsb
    0xc3, // ret
    0x48, 0x83, 0xf9, 0x08, // descending: cmp rcx, 8
    0x72, 0x12, // jb bytes
    0x48, 0x83, 0xe9, 0x08, // words: sub rcx, 8
    0x48, 0x8b, 0x04, 0x0e, // mov rax, [rsi+rcx]
    0x48, 0x89, 0x04, 0x0f, // mov [rdi+rcx], rax
    0x48, 0x83, 0xf9, 0x08, // cmp rcx, 8
    0x73, 0xee, // jae words
    0x48, 0x85, 0xc9, // bytes: test rcx, rcx
    0x74, 0x0d, // jz end
    0x8a, 0x44, 0x0e, 0xff, // last: mov al, [rsi+rcx-1]
    0x88, 0x44, 0x0f, 0xff, // mov [rdi+rcx-1], al
    0x48, 0xff, 0xc9, // dec rcx
    0x75, 0xf3, // jnz last
    0xc3, // end: ret
];

/// `(rdi destination, sil byte, rdx bytes)`.
const FILL: &[u8] = &[
    0x48, 0x89, 0xd1, // mov rcx, rdx
    0x89, 0xf0, // mov eax, esi
    0xf3, 0xaa, // rep stosb
    0xc3, // ret
];

/// `(rdi destination, rsi reference, rdx elements)`.
const FILL_REFERENCES: &[u8] = &[
    0x48, 0x89, 0xd1, // mov rcx, rdx
    0x48, 0x89, 0xf0, // mov rax, rsi
    0xf3, 0x48, 0xab, // rep stosq
    0xc3, // ret
];

/// `jmp gs:[displacement]`: to an exit whose address is in the thread's control block.
fn jump_through_control_block(displacement: u32) -> Vec<u8> {
    [&[0x65, 0xff, 0x24, 0x25][..], &displacement.to_le_bytes()].concat()
}

/// The head of a text.
pub fn stubs() -> Stubs {
    let mut bytes = Vec::new();
    place_at(&mut bytes, HOSTCALL_THUNK, &jump_through_control_block(CONTROL_HOSTCALL_EXIT));
    place_at(&mut bytes, DONE_THUNK, &jump_through_control_block(CONTROL_DONE_EXIT));
    place_at(&mut bytes, RESUME_STUB, RETURN);
    bytes.resize(THUNKS_BYTES as usize, PADDING);
    let copy = place(&mut bytes, COPY);
    let fill = place(&mut bytes, FILL);
    let fill_references = place(&mut bytes, FILL_REFERENCES);
    Stubs { bytes, copy, fill, fill_references }
}

fn place_at(bytes: &mut Vec<u8>, offset: u32, stub: &[u8]) {
    bytes.resize(offset as usize, PADDING);
    bytes.extend_from_slice(stub);
}

fn place(bytes: &mut Vec<u8>, stub: &[u8]) -> u32 {
    let offset = bytes.len().next_multiple_of(ALIGNMENT) as u32;
    place_at(bytes, offset, stub);
    offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thunks_are_where_the_runtime_expects_them() {
        let stubs = stubs();
        assert_eq!(stubs.bytes[..8], [0x65, 0xff, 0x24, 0x25, 0, 0, 0, 0]);
        assert_eq!(stubs.bytes[16..24], [0x65, 0xff, 0x24, 0x25, 8, 0, 0, 0]);
        assert_eq!(stubs.bytes[32], 0xc3);
        assert_eq!(stubs.offset(Stub::Copy), 48);
    }

    #[test]
    fn stubs_begin_aligned_and_end_before_the_next() {
        let stubs = stubs();
        let starts = [Stub::Hostcall, Stub::Done, Stub::Copy, Stub::Fill, Stub::FillReferences].map(|stub| stubs.offset(stub));
        assert!(starts.is_sorted() && starts.iter().all(|start| start.is_multiple_of(16)), "{starts:?}");
        let copy = stubs.offset(Stub::Copy) as usize;
        assert_eq!(stubs.bytes[copy..][..COPY.len()], *COPY);
        assert!(stubs.offset(Stub::Fill) as usize >= copy + COPY.len());
    }
}
