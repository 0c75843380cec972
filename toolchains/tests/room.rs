//! How programs begin: a stack of 1 MiB that cannot grow into data unseen, and half a mebibyte of heap, so that small requests never grow their memory.

mod support;

use support::{Numbers, build, node, section, wasm_of};
use vivarium_toolchains::Language;

const STACK_BYTES: u64 = 1 << 20;
const HEAP_BYTES: u64 = 512 << 10;
const PAGE_BYTES: u64 = 65536;

const C: &str = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\nint seven = 7;\nint main(void) { unsigned before = __builtin_wasm_memory_size(0); char *room = (char *)malloc(300000); memset(room, seven, 300000); printf(\"%u %u %d\\n\", before, (unsigned)__builtin_wasm_memory_size(0), room[299999]); }\n";

/// Each prints how long its memory is before and after it takes 300,000 bytes.
const PROGRAMS: &[(Language, &str, &str)] = &[
    (Language::C, "main.c", C),
    (Language::Cpp, "main.cpp", C),
    (
        Language::Rust,
        "main.rs",
        "use std::arch::wasm32::memory_size;\nfn main() { let before = memory_size(0); let room = vec![7u8; 300_000]; println!(\"{} {} {}\", before, memory_size(0), room[299_999]); }\n",
    ),
    (
        Language::AssemblyScript,
        "main.ts",
        "const before = memory.size();\nconst room = new Uint8Array(300000).fill(7);\nconsole.log(before.toString() + \" \" + memory.size().toString() + \" \" + room[299999].toString());\n",
    ),
];

/// Length of memory 0 at the beginning, and from where to where data lies, in bytes.
fn layout(wasm: &[u8]) -> (u64, u64, u64) {
    let mut memories = Numbers(section(wasm, 5));
    assert_eq!((memories.next(), memories.next()), (1, 0), "one memory without a maximum");
    let memory_bytes = memories.next() * PAGE_BYTES;
    let mut data = Numbers(section(wasm, 11));
    let (mut first, mut last) = (u64::MAX, 0);
    for _ in 0..data.next() {
        assert_eq!((data.next(), data.next()), (0, 0x41), "active, at a constant");
        let start = data.next();
        assert_eq!(data.next(), 0x0b);
        let length = data.next();
        data.skip(length);
        (first, last) = (first.min(start), last.max(start + length));
    }
    (memory_bytes, first, last)
}

#[test]
fn programs_begin_with_a_stack_of_a_mebibyte_and_room_for_small_requests() {
    for &(language, file, text) in PROGRAMS {
        let wasm = wasm_of(build(language, &[(file, text)]));
        let (memory_bytes, first, last) = layout(&wasm);
        println!("{language}: {memory_bytes} bytes, data from {first} to {last}");
        match language {
            // Below the data, so that an overflow traps before it overwrites anything.
            Language::C | Language::Cpp | Language::Rust => {
                assert!(first >= STACK_BYTES && memory_bytes >= last + HEAP_BYTES, "{language}")
            }
            // Behind the data and checked at each call.
            _ => assert!(memory_bytes >= last + STACK_BYTES + HEAP_BYTES, "{language}"),
        }
        let printed = String::from_utf8(node::run(&wasm, "", &[], "").stdout).unwrap();
        let pages = memory_bytes / PAGE_BYTES;
        assert_eq!(printed, format!("{pages} {pages} 7\n"), "{language}: it did not grow");
    }
}

#[test]
fn a_stack_of_references_that_is_used_up_says_so() {
    let text = "class Leaf { next: Leaf | null = null; }\nfunction grow(leaf: Leaf): i32 { const next = new Leaf(); next.next = leaf; return grow(next) + 1; }\nconsole.log(grow(new Leaf()).toString());\n";
    let output = node::run(&wasm_of(build(Language::AssemblyScript, &[("main.ts", text)])), "", &[], "");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.to_lowercase().contains("stack"), "{stderr}");
}
