//! Debug information comes from strangers too: whatever it holds, the module compiles as it does without, in bounded time and room.

use vivarium_artifact::{LineTable, Setting};
use vivarium_compiler::{Policy, compile, lines};
use wast::core::{EncodeOptions, GenerateDwarf};
use wast::parser::{ParseBuffer, parse};

const WAT: &str = "(module\n  (func $leaf (export \"leaf\") (param i32) (result i32)\n    local.get 0\n    i32.const 3\n    i32.div_s)\n  (func (export \"twice\") (param i32) (result i32)\n    (call $leaf (call $leaf (local.get 0)))))\n";

/// Changes tried of each kind of debug information.
const MUTATIONS: u64 = 4_000;

fn with_dwarf(wat: &str) -> Vec<u8> {
    let mut buffer = ParseBuffer::new(wat).unwrap();
    buffer.track_instr_spans(true);
    let mut module = parse::<wast::Wat>(&buffer).unwrap();
    EncodeOptions::new().dwarf("main.wat".as_ref(), wat, GenerateDwarf::Lines).encode_wat(&mut module).unwrap()
}

/// The module with a custom section more.
fn with_section(wasm: &[u8], name: &str, data: &[u8]) -> Vec<u8> {
    let mut contents = vec![name.len() as u8];
    contents.extend_from_slice(name.as_bytes());
    contents.extend_from_slice(data);
    let mut whole = wasm.to_vec();
    whole.push(0);
    let mut length = contents.len();
    while length >= 0x80 {
        whole.push(length as u8 | 0x80);
        length >>= 7;
    }
    whole.push(length as u8);
    whole.extend(contents);
    whole
}

fn plain() -> Vec<u8> {
    wat::parse_str(WAT).unwrap()
}

/// Lines of the functions, by what the artifact says of each place that may trap.
fn check(wasm: &[u8]) -> Vec<u8> {
    let artifact =
        compile(wasm, &Policy::default(), Setting::Fast, &|_, _, _| {}).expect("debug information is no reason to refuse").artifact;
    let table = LineTable::parse(&artifact.lines).expect("what the compiler writes is a table");
    let rows: Vec<_> = table.rows().collect();
    assert!(rows.is_sorted_by_key(|row| row.wasm_offset), "rows are in order");
    assert!(rows.iter().all(|row| row.wasm_offset as usize <= wasm.len()), "rows are about this module");
    assert_eq!(lines::table(&lines::condense(wasm)), artifact.lines, "condensed, it has the same lines");
    artifact.lines
}

#[test]
fn lines_of_wat_are_those_of_its_instructions() {
    let wasm = with_dwarf(WAT);
    let artifact = compile(&wasm, &Policy::default(), Setting::Fast, &|_, _, _| {}).unwrap().artifact;
    let table = LineTable::parse(&artifact.lines).unwrap();
    let division =
        artifact.map.runs().filter_map(|(_, offset)| wasm.get(offset as usize).filter(|byte| **byte == 0x6d).map(|_| offset)).next();
    let place = table.at(division.expect("the opcode of i32.div_s is compiled")).unwrap();
    assert_eq!((place.file, place.line, place.column), ("main.wat", 5, 5));
    let condensed = lines::condense(&wasm);
    assert!(condensed.len() < wasm.len() && !condensed.windows(6).any(|bytes| bytes == b".debug"));
    assert_eq!(check(&wasm), artifact.lines);
    assert_eq!(lines::condense(&condensed), condensed, "once is enough");
    assert!(lines::is_condensed_from(&condensed, &wasm) && !lines::is_condensed_from(&wasm, &condensed));
    let other = wat::parse_str(WAT.replace("i32.const 3", "i32.const 4")).unwrap();
    assert!(!lines::is_condensed_from(&lines::condense(&other), &wasm), "another program is none of it");
}

#[test]
fn a_module_without_debug_information_is_left_as_it_is() {
    assert_eq!(lines::condense(&plain()), plain());
    assert_eq!(lines::condense(b"no wasm"), &b"no wasm"[..]);
    assert!(check(&plain()).is_empty());
}

#[test]
fn mutated_dwarf_gives_lines_or_none() {
    let wasm = with_dwarf(WAT);
    let begins = wasm.windows(7).position(|bytes| bytes == b".debug_").expect("there is DWARF") + 7;
    let mut random = Random(1);
    let mut kept = 0;
    for _ in 0..MUTATIONS {
        let mut mutated = wasm.clone();
        for _ in 0..=random.below(4) {
            let at = begins + random.below((mutated.len() - begins) as u64) as usize;
            mutated[at] = random.next() as u8;
        }
        // The lengths of sections may have changed too; then it is another module, or none.
        if compile(&mutated, &Policy::default(), Setting::Fast, &|_, _, _| {}).is_ok() {
            kept += usize::from(!check(&mutated).is_empty());
        }
    }
    assert!(kept > MUTATIONS as usize / 4, "only {kept} kept a line: the others test the first check alone");
}

#[test]
fn mutated_source_maps_and_tables_give_lines_or_none() {
    let map = br#"{"version":3,"sources":["main.ts","~lib/a.ts"],"mappings":"kDAEI,EACA,ECAF,EDAA,KACA,E"}"#;
    let table = {
        let condensed = lines::condense(&with_dwarf(WAT)).into_owned();
        let begins = condensed.windows(lines::LINES_SECTION.len()).position(|bytes| bytes == lines::LINES_SECTION.as_bytes()).unwrap();
        condensed[begins + lines::LINES_SECTION.len()..].to_vec()
    };
    let mut random = Random(2);
    for (name, data) in [(lines::SOURCE_MAP_SECTION, &map[..]), (lines::LINES_SECTION, &table)] {
        assert!(!check(&with_section(&plain(), name, data)).is_empty(), "{name}");
        for _ in 0..MUTATIONS {
            let mut mutated = data.to_vec();
            for _ in 0..=random.below(4) {
                let at = random.below(mutated.len() as u64) as usize;
                mutated[at] = random.next() as u8;
            }
            mutated.truncate(mutated.len() - random.below(3) as usize);
            check(&with_section(&plain(), name, &mutated));
        }
    }
}

/// A line program of version 4 with this header length and body.
fn unit(files: &[u8], program: &[u8]) -> Vec<u8> {
    let mut header = vec![1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0];
    header.extend_from_slice(files);
    let mut unit = 4u16.to_le_bytes().to_vec();
    unit.extend((header.len() as u32).to_le_bytes());
    unit.extend(header);
    unit.extend_from_slice(program);
    [&(unit.len() as u32).to_le_bytes()[..], &unit].concat()
}

/// Each of these is as large as a module may be, and made to cost as much as it can.
#[test]
fn hostile_debug_information_is_bounded() {
    const MIB: usize = 1 << 20;
    let files = [&b"a\0\0\0\0".repeat(3 * MIB)[..], b"\0"].concat();
    let rows = [&[0, 5, 2, 2, 0, 0, 0][..], &[0x12; 3 * MIB]].concat();
    let defined = b"\x00\x06\x03a\x00\x00\x00\x00".repeat(MIB / 4);
    let addresses: Vec<u8> = (0..MIB as u32).flat_map(|row| [&[0, 5, 2][..], &(row % 40).to_le_bytes(), &[1]].concat()).collect();
    let dwarf = [
        unit(&files, &[]),
        unit(b"a\0\0\0\0\0", &rows),
        unit(b"a\0\0\0\0\0", &defined),
        unit(b"a\0\0\0\0\0", &addresses),
        // Units of no length, one after the other, and one that says it is longer than the section.
        vec![0; 8 * MIB],
        u32::MAX.to_le_bytes().to_vec(),
    ];
    for section in dwarf {
        check(&with_section(&plain(), ".debug_line", &section));
    }
    let mappings = "EAAA,".repeat(2 * MIB);
    let sources = r#""a","#.repeat(MIB);
    let long = "r".repeat(2 * MIB);
    let distinct: String = (0..100_000).map(|number| format!("\"{number}\",")).collect();
    for map in [
        format!(r#"{{"version":3,"sources":["a"],"mappings":"{mappings}"}}"#),
        format!(r#"{{"version":3,"sources":[{sources}"a"],"mappings":""}}"#),
        format!(r#"{{"version":3,"sourceRoot":"{long}","sources":[{distinct}"a"],"mappings":""}}"#),
        format!(r#"{{"version":3,"sources":["{long}","{long}"],"mappings":"{mappings}"}}"#),
        "[".repeat(8 * MIB),
    ] {
        check(&with_section(&plain(), lines::SOURCE_MAP_SECTION, map.as_bytes()));
    }
}

/// Each row would name a file of megabytes anew, and all blocks point at the same rows.
#[test]
fn hostile_tables_of_lines_are_bounded() {
    let name = vec![b'n'; 4 << 20];
    let rows: Vec<u8> = (0..64).flat_map(|row| if row == 0 { [0, 2, 2, 0] } else { [1, 0, 2, 0] }).collect();
    let blocks: Vec<u8> = (0..1u32 << 15).flat_map(|block| [block.to_le_bytes(), [0; 4]].concat()).collect();
    for name in [&name[..], &name[..512]] {
        let counts = [1, name.len() as u32, 1 << 15, name.len() as u32].map(u32::to_le_bytes).concat();
        let table = [&counts[..], name, &blocks, &rows].concat();
        check(&with_section(&plain(), lines::LINES_SECTION, &table));
    }
}

/// Splitmix64: the same sequence in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
