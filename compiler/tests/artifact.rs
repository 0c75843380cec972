//! What an artifact promises, read off its bytes: fixed places, contract, names, map, image.

use vivarium_artifact::abi::{DONE_THUNK, HOSTCALL_THUNK, RESUME_STUB};
use vivarium_artifact::{Artifact, ExportedItem, FunctionType, Setting, SlotLayout, TrapKind, ValueType, WASM_PAGE_BYTES};
use vivarium_compiler::{ImportPolicy, Policy, Stage, compile};

const FIB: &str = r#"
(module $demo
  (import "env" "emit" (func $emit (param i32 f64) (result i64)))
  (memory (export "memory") 1 3)
  (table (export "table") 2 5 funcref)
  (global $counter (mut i32) (i32.const 7))
  (global $wide i64 (i64.const -2))
  (global $reference funcref (ref.func $fib))
  (data (i32.const 16) "hello")
  (data $passive "passive")
  (elem (i32.const 1) func $fib)
  (func $fib (export "fib") (param i32) (result i32)
    local.get 0
    i32.const 2
    i32.lt_s
    if (result i32)
      local.get 0
    else
      local.get 0
      i32.const 1
      i32.sub
      call $fib
      local.get 0
      i32.const 2
      i32.sub
      call $fib
      i32.add
    end)
  (func (export "init") (param i32 i32 i32)
    local.get 0
    local.get 1
    local.get 2
    memory.init $passive
    unreachable)
  (func $start
    i32.const 1
    f64.const 2
    call $emit
    drop
    i32.const 0
    i32.const 1
    call_indirect (param i32) (result i32)
    drop)
  (start $start))
"#;

fn policy() -> Policy {
    let emit = FunctionType { parameters: vec![ValueType::I32, ValueType::F64], results: vec![ValueType::I64] };
    Policy { imports: ImportPolicy::new([("env", "emit", emit)]), ..Policy::default() }
}

fn artifact(wat: &str, setting: Setting) -> Artifact {
    let wasm = wat::parse_str(wat).expect("the test's WAT is right");
    compile(&wasm, &policy(), setting, &|_, _, _| {}).expect("the test's module compiles").artifact
}

fn u64_at(bytes: &[u8], offset: u64) -> u64 {
    u64::from_le_bytes(*bytes[offset as usize..].first_chunk().expect("the offset is inside"))
}

#[test]
fn thunks_are_at_their_fixed_offsets() {
    for setting in [Setting::Fast, Setting::Best] {
        let text = artifact(FIB, setting).text;
        assert_eq!(text[HOSTCALL_THUNK as usize..][..8], [0x65, 0xff, 0x24, 0x25, 0, 0, 0, 0]);
        assert_eq!(text[DONE_THUNK as usize..][..8], [0x65, 0xff, 0x24, 0x25, 8, 0, 0, 0]);
        assert_eq!(text[RESUME_STUB as usize], 0xc3);
    }
}

/// The file is what the loader maps: a relocation section would mean that the text is not finished.
#[test]
fn the_encoded_file_parses_and_has_no_relocations() {
    let artifact = artifact(FIB, Setting::Fast);
    let file = artifact.encode().unwrap();
    let parsed = Artifact::parse(&file).unwrap();
    assert_eq!(parsed.contract, artifact.contract);
    for needle in [&b".rela"[..], b".rel.", b".dynamic"] {
        assert!(!file.windows(needle.len()).any(|window| window == needle));
    }
}

#[test]
fn the_offset_table_leads_to_every_function() {
    let artifact = artifact(FIB, Setting::Fast);
    let table = artifact.contract.offset_table;
    assert_eq!(table % 4, 0);
    for record in artifact.functions.records() {
        let entry = (table + 4 * record.index) as usize;
        let offset = i32::from_le_bytes(*artifact.text[entry..].first_chunk().unwrap());
        assert_eq!(table.wrapping_add_signed(offset), record.text_offset, "{}", record.display_name());
    }
    assert_eq!(artifact.functions.records().len(), artifact.contract.function_types.len());
}

#[test]
fn every_call_lands_on_the_beginning_of_a_piece_of_code() {
    let artifact = artifact(FIB, Setting::Fast);
    let fib = artifact.functions.records().iter().find(|record| record.name.as_deref() == Some("fib")).unwrap();
    let code = &artifact.text[fib.text_offset as usize..][..fib.text_bytes as usize];
    // e8 is the opcode of a near call; fib calls nothing but itself.
    let calls: Vec<u32> = (0..code.len() - 4)
        .filter(|at| code[*at] == 0xe8)
        .map(|at| {
            let displacement = i32::from_le_bytes(*code[at + 1..].first_chunk().unwrap());
            (fib.text_offset + at as u32 + 5).wrapping_add_signed(displacement)
        })
        .collect();
    assert_eq!(calls, [fib.text_offset, fib.text_offset]);
}

#[test]
fn the_contract_says_what_the_module_is() {
    let contract = artifact(FIB, Setting::Best).contract;
    assert_eq!(contract.setting, Setting::Best);
    assert_eq!(contract.imports.len(), 1);
    assert_eq!(contract.export("fib"), Some(ExportedItem::Function(1)));
    assert_eq!(contract.start, Some(3));
    assert_eq!(contract.function_type(1).unwrap().parameters, [ValueType::I32]);
    assert!(contract.entry(contract.function_types[3]).is_some(), "the start function can be called");
    assert!(contract.entry(contract.function_types[1]).is_some(), "an export can be called");
    assert_eq!(contract.cells, 3, "init has three parameters, table.grow too");
    assert_eq!(contract.data_segments, [0, 7]);
    assert_eq!(contract.memories[0].maximum_pages, 3);
    assert_eq!(contract.tables[0].capacity, 5);
    assert!(contract.cpu_features.iter().any(|feature| feature == "sse4.1"));
    assert_eq!(contract.instantiation_trap, None);
}

#[test]
fn the_image_is_what_an_instance_begins_as() {
    let artifact = artifact(FIB, Setting::Fast);
    let layout = SlotLayout::of(&artifact.contract).unwrap();
    let image = &artifact.image;
    assert_eq!(image.len() as u64, layout.image_bytes);
    assert_eq!(u64_at(image, layout.memory_length(0)), WASM_PAGE_BYTES);
    assert_eq!(u64_at(image, layout.table_length(0)), 2);
    assert_eq!(u64_at(image, layout.data_segment_length(0)), 0);
    assert_eq!(u64_at(image, layout.data_segment_length(1)), 7);
    assert_eq!(u64_at(image, layout.global(0)), 7);
    assert_eq!(u64_at(image, layout.global(1)), -2i64 as u64);
    let fib = u64::from(artifact.contract.function_types[1]) | 1 << 32;
    assert_eq!(u64_at(image, layout.global(2)), fib);
    assert_eq!(u64_at(image, layout.table(0)), 0);
    assert_eq!(u64_at(image, layout.table(0) + 8), fib);
    assert_eq!(image[layout.memory_offset as usize + 16..][..5], *b"hello");
}

#[test]
fn traps_and_addresses_lead_back_to_the_wasm() {
    let wasm = wat::parse_str(FIB).unwrap();
    let artifact = compile(&wasm, &policy(), Setting::Fast, &|_, _, _| {}).unwrap().artifact;
    let init = artifact.functions.records().iter().find(|record| record.name.as_deref() == Some("init")).unwrap();
    let site = (init.text_offset..init.text_offset + init.text_bytes)
        .find(|offset| artifact.traps.lookup(*offset) == Some(TrapKind::Unreachable))
        .expect("init ends in unreachable");
    let wasm_offset = artifact.map.wasm_offset(site).expect("unreachable is an instruction");
    assert_eq!(wasm[wasm_offset as usize], 0x00, "the opcode of unreachable");
    assert!((init.wasm_offset..init.wasm_offset + init.wasm_bytes).contains(&wasm_offset));
    assert_eq!(artifact.map.wasm_offset(RESUME_STUB), None);
}

#[test]
fn a_segment_out_of_bounds_is_told_and_what_is_behind_it_is_not_placed() {
    let artifact =
        artifact(r#"(module (memory 1) (data (i32.const 0) "a") (data (i32.const 65536) "b") (data (i32.const 1) "c"))"#, Setting::Fast);
    assert_eq!(artifact.contract.instantiation_trap, Some(TrapKind::MemoryOutOfBounds));
    let memory = SlotLayout::of(&artifact.contract).unwrap().memory_offset as usize;
    assert_eq!(artifact.image[memory..memory + 2], *b"a\0");
}

#[test]
fn what_depends_on_an_import_is_left_to_the_initializer_and_so_is_all_behind_it() {
    let policy = Policy { linked: true, ..Policy::default() };
    let wat = r#"(module (global $base (import "env" "base") i32) (memory 1) (global i32 (i32.const 7)) (global i32 (global.get $base))
        (data (i32.const 0) "a") (data (global.get $base) "b") (data (i32.const 1) "c"))"#;
    let artifact = compile(&wat::parse_str(wat).unwrap(), &policy, Setting::Fast, &|_, _, _| {}).unwrap().artifact;
    let layout = SlotLayout::of(&artifact.contract).unwrap();
    assert!(artifact.contract.linked && artifact.contract.initializer.is_some());
    assert_eq!([1, 2].map(|global| u64_at(&artifact.image, layout.global(global))), [7, 0]);
    assert_eq!(artifact.image[layout.memory_offset as usize..][..2], *b"a\0");
    let plain = compile(&wat::parse_str(FIB).unwrap(), &policy, Setting::Fast, &|_, _, _| {}).unwrap().artifact;
    assert_eq!(plain.contract.initializer, None);
}

#[test]
fn the_same_input_gives_the_same_artifact() {
    let many: String =
        (0..200).map(|n| format!("(func (export \"f{n}\") (result i32) i32.const {n} {})", "i32.const 3 i32.mul ".repeat(40))).collect();
    let wat = format!("(module {many})");
    assert_eq!(artifact(&wat, Setting::Fast), artifact(&wat, Setting::Fast));
    assert_eq!(artifact(&wat, Setting::Best), artifact(&wat, Setting::Best));
}

#[test]
fn progress_names_the_stages_in_order() {
    let stages = std::sync::Mutex::new(Vec::new());
    let wasm = wat::parse_str(FIB).unwrap();
    compile(&wasm, &policy(), Setting::Fast, &|stage, _, _| stages.lock().unwrap().push(stage)).unwrap();
    assert_eq!(*stages.lock().unwrap(), [Stage::Validate, Stage::Translate, Stage::Codegen, Stage::Link]);
}
