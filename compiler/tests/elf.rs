//! The file is an ELF64 shared object for tools that know nothing of us: by its structure always, and by objdump and gdb where they are installed.

use std::process::Command;

use object::read::elf::ElfFile64;
use object::{Endianness, Object as _, ObjectKind, ObjectSection as _, ObjectSegment as _, ObjectSymbol as _, SegmentFlags, SymbolKind};
use vivarium_artifact::{Artifact, Setting};
use vivarium_compiler::{Policy, compile};

const WAT: &str = r#"(module (memory 1)
  (func $leaf (export "leaf") (param i32) (result i32) (i32.div_s (local.get 0) (i32.const 3)))
  (func $twice (export "twice") (param i32) (result i32) (call $leaf (call $leaf (local.get 0)))))"#;

fn artifact() -> (Artifact, Vec<u8>) {
    let artifact = compile(&wat::parse_str(WAT).unwrap(), &Policy::default(), Setting::Fast, &|_, _, _| {}).unwrap().artifact;
    let file = artifact.encode().unwrap();
    (artifact, file)
}

#[test]
fn segments_sections_and_symbols_are_those_of_a_shared_object() {
    let (artifact, file) = artifact();
    let elf = ElfFile64::<Endianness>::parse(&file[..]).unwrap();
    assert_eq!((elf.kind(), elf.architecture()), (ObjectKind::Dynamic, object::Architecture::X86_64));
    assert!(elf.segments().all(|segment| match segment.flags() {
        // Never writable and executable at once.
        SegmentFlags::Elf { p_flags, .. } => !(p_flags.contains(object::elf::PF_W) && p_flags.contains(object::elf::PF_X)),
        _ => false,
    }));
    let text = elf.section_by_name(".text").unwrap();
    assert_eq!(text.data().unwrap(), artifact.text);
    for record in artifact.functions.records() {
        let symbol = elf.symbols().find(|symbol| symbol.name() == Ok(&record.display_name())).expect("every function has a symbol");
        assert_eq!((symbol.kind(), symbol.size()), (SymbolKind::Text, u64::from(record.text_bytes)));
        assert_eq!(symbol.address(), text.address() + u64::from(record.text_offset));
    }
}

/// What the tool prints; none, and a line that says so, where it is not installed.
fn run(tool: &str, arguments: &[&str]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("module.viva");
    std::fs::write(&path, artifact().1).unwrap();
    match Command::new(tool).args(arguments).arg(&path).env("LC_ALL", "C").output() {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)),
        Err(error) => {
            println!("{tool} was not run, the structural test stands alone: {error}");
            None
        }
    }
}

#[test]
fn objdump_disassembles_functions_by_name_where_it_is_installed() {
    let Some(printed) = run("objdump", &["-d"]) else { return };
    println!("objdump read the file");
    for part in ["file format elf64-x86-64", "<leaf>:", "<twice>:", "idiv", "call"] {
        assert!(printed.contains(part), "{part} is missing in:\n{printed}");
    }
    let calls = printed.lines().filter(|line| line.contains("call") && line.contains("<leaf>")).count();
    assert_eq!(calls, 2, "calls lead to names:\n{printed}");
}

#[test]
fn gdb_reads_functions_by_name_where_it_is_installed() {
    let Some(printed) = run("gdb", &["-nx", "-batch", "-ex", "disassemble twice"]) else { return };
    println!("gdb read the file");
    assert!(printed.contains("Dump of assembler code for function twice:") && printed.contains("<leaf>"), "{printed}");
}

#[test]
fn perf_lists_functions_by_name_where_it_is_installed() {
    let Some(printed) = run("perf", &["probe", "-F", "-x"]) else { return };
    println!("perf read the file");
    assert_eq!(printed.lines().collect::<Vec<_>>(), ["leaf", "twice"], "{printed}");
}
