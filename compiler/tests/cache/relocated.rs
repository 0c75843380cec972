//! Modules as `wasm-ld --emit-relocs` writes them, by hand: immediates that it filled in take five bytes, and a section says where they are.

/// What differs between two programs that contain the same function.
#[derive(Clone, Copy)]
pub struct Program {
    /// Functions, types, globals and elements of the table that come before those of the function.
    pub others: u32,
    /// The immediate of its `i32.const`.
    pub address: i32,
    /// The offset of its load.
    pub offset: u32,
    /// What it returns but for the rest: its own text.
    pub constant: i32,
}

pub const PROGRAM: Program = Program { others: 0, address: 1024, offset: 2048, constant: 7 };

pub const MEMORY_ADDRESS_LEB: u8 = 3;
pub const MEMORY_ADDRESS_SLEB: u8 = 4;
const FUNCTION_INDEX_LEB: u8 = 0;
pub const TABLE_INDEX_SLEB: u8 = 1;

/// A module whose last function is
/// `(i32.load offset=OFFSET (i32.const ADDRESS)) + (global.get LAST) + (call LAST-1) + (call_indirect (i32.const 0)) + CONSTANT`,
/// and whose export `f` is that.
pub fn module(program: Program, with_relocations: bool) -> Vec<u8> {
    let others = program.others;
    let mut wasm = b"\0asm\x01\0\0\0".to_vec();
    // Types: as many that nothing uses, then () -> i32.
    let mut types: Vec<Vec<u8>> =
        (0..others).map(|count| [&[0x60][..], &vector(vec![vec![0x7e]; count as usize + 1]), &[0]].concat()).collect();
    types.push(vec![0x60, 0, 1, 0x7f]);
    let result = leb(u64::from(others));
    section(&mut wasm, 1, &vector(types));
    section(&mut wasm, 3, &vector(vec![result.clone(); others as usize + 2]));
    let table = leb(u64::from(others) + 1);
    section(&mut wasm, 4, &[&[1, 0x70, 1][..], &table, &table].concat());
    section(&mut wasm, 5, &[1, 0, 1]);
    let global = |value: u64| [&[0x7f, 1, 0x41][..], &leb(value), &[0x0b]].concat();
    section(&mut wasm, 6, &vector((0..=others).map(|index| global(u64::from(index % 60))).collect()));
    let last = others + 1;
    section(&mut wasm, 7, &[&[1, 1, b'f', 0][..], &leb(u64::from(last))].concat());
    // Every element names the last function but one, which calls nothing.
    let elements = vec![leb(u64::from(others)); others as usize + 1];
    section(&mut wasm, 9, &[&[1, 0, 0x41, 0, 0x0b][..], &vector(elements)].concat());
    let constant = |value: i32| [&[0, 0x41][..], &sleb(value), &[0x0b]].concat();
    let mut bodies: Vec<Vec<u8>> = (0..=others).map(|number| sized(constant(number as i32))).collect();
    let (body, places) = body(program, &result);
    let before: usize = leb(u64::from(others) + 2).len() + bodies.iter().map(Vec::len).sum::<usize>() + leb(body.len() as u64).len();
    bodies.push(sized(body));
    section(&mut wasm, 10, &vector(bodies));
    if with_relocations {
        let entries = places.iter().map(|(kind, place)| relocation(*kind, before + place)).collect();
        custom(&mut wasm, "reloc.CODE", &[vec![7], vector(entries)].concat());
    }
    wasm
}

/// The body, and where its relocated immediates are in it.
fn body(program: Program, result: &[u8]) -> (Vec<u8>, Vec<(u8, usize)>) {
    let mut body = vec![0, 0x41];
    let mut places = vec![(MEMORY_ADDRESS_SLEB, body.len())];
    body.extend(padded_sleb(program.address));
    body.extend([0x28, 2]);
    places.push((MEMORY_ADDRESS_LEB, body.len()));
    body.extend(padded(program.offset));
    body.push(0x23);
    body.extend(padded(program.others));
    body.extend([0x6a, 0x10]);
    places.push((FUNCTION_INDEX_LEB, body.len()));
    body.extend(padded(program.others));
    body.extend([0x6a, 0x41, 0, 0x11]);
    let mut type_index = result.to_vec();
    pad(&mut type_index);
    body.extend(type_index);
    body.extend([0, 0x6a, 0x41]);
    body.extend(sleb(program.constant));
    body.extend([0x6a, 0x0b]);
    (body, places)
}

/// A module of one function `() -> i32` with this body, whose immediates a section marks at these places of the body.
pub fn marked(body: &[u8], places: &[usize]) -> Vec<u8> {
    let mut wasm = b"\0asm\x01\0\0\0".to_vec();
    section(&mut wasm, 1, &[1, 0x60, 0, 1, 0x7f]);
    section(&mut wasm, 3, &[1, 0]);
    section(&mut wasm, 5, &[1, 0, 1]);
    section(&mut wasm, 10, &vector(vec![sized(body.to_vec())]));
    let before = 1 + leb(body.len() as u64).len();
    let entries = places.iter().map(|place| relocation(MEMORY_ADDRESS_LEB, before + place)).collect();
    custom(&mut wasm, "reloc.CODE", &[vec![3], vector(entries)].concat());
    wasm
}

/// An entry of a section of relocations, whose symbol nobody asks for.
pub fn relocation(kind: u8, place: usize) -> Vec<u8> {
    let addend: &[u8] = if matches!(kind, FUNCTION_INDEX_LEB | TABLE_INDEX_SLEB) { &[] } else { &[0] };
    [&[kind][..], &leb(place as u64), &[0], addend].concat()
}

/// Appends a custom section.
pub fn custom(wasm: &mut Vec<u8>, name: &str, content: &[u8]) {
    section(wasm, 0, &[&leb(name.len() as u64)[..], name.as_bytes(), content].concat());
}

/// Appends a section.
fn section(wasm: &mut Vec<u8>, id: u8, content: &[u8]) {
    wasm.push(id);
    wasm.extend(sized(content.to_vec()));
}

fn sized(content: Vec<u8>) -> Vec<u8> {
    [leb(content.len() as u64), content].concat()
}

/// Items behind their number.
pub fn vector(items: Vec<Vec<u8>>) -> Vec<u8> {
    [leb(items.len() as u64), items.concat()].concat()
}

fn leb(mut value: u64) -> Vec<u8> {
    let mut bytes = vec![];
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn sleb(mut value: i32) -> Vec<u8> {
    let mut bytes = vec![];
    while !(-64..64).contains(&value) {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8 & 0x7f);
    bytes
}

fn padded(value: u32) -> Vec<u8> {
    let mut bytes = leb(u64::from(value));
    pad(&mut bytes);
    bytes
}

fn padded_sleb(value: i32) -> Vec<u8> {
    (0..5).map(|byte| (value >> (7 * byte)) as u8 & 0x7f | if byte < 4 { 0x80 } else { 0 }).collect()
}

fn pad(bytes: &mut Vec<u8>) {
    while bytes.len() < 5 {
        if let Some(last) = bytes.last_mut() {
            *last |= 0x80;
        }
        bytes.push(0);
    }
}
