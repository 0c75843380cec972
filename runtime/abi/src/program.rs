//! Whether a program is a service or a command, read off its imports and its data.
//!
//! A service imports what speaks of its visitor, or holds, in a data segment, the name of a CGI variable or of a header that CGI needs: what a
//! program that answers HTTP the CGI way must read or print. Anything else is a command. Stores, logs and requests of their own are for all three.

use vivarium_artifact::contract::ImportedFunction;

/// What a program is run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Answers HTTP requests, each in a fresh instance.
    Service,
    /// Runs once, with arguments and standard input, and ends with an exit code.
    Command,
}

impl Kind {
    /// The kind of a program. `wasm` is the whole module; only its data section counts.
    pub fn of(imports: &[ImportedFunction], wasm: &[u8]) -> Kind {
        if imports.iter().any(|import| speaks_of_visitor(&import.module, &import.name)) || names_cgi(data_section(wasm)) {
            Kind::Service
        } else {
            Kind::Command
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Service => "service",
            Kind::Command => "command",
        }
    }
}

/// Whether a function of this name has to do with the visitor, whom the Compute ABI calls "downstream": a program that imports one answers through
/// that ABI. So does one that announces itself to it, also when it never comes to an answer.
pub(crate) fn speaks_of_visitor(module: &str, name: &str) -> bool {
    module == "fastly_abi" || (module.starts_with("fastly_") && (module.contains("downstream") || name.contains("downstream")))
}

/// In lower case; found in any case, as ASCII or as UTF-16LE (AssemblyScript's strings).
const CGI_WORDS: &[&[u8]] = &[b"content-type:", b"status:", b"location:", b"request_method", b"query_string", b"path_info"];

fn names_cgi(data: &[u8]) -> bool {
    let at_word = |text: &[u8], word: &[u8]| text[0].eq_ignore_ascii_case(&word[0]) && (begins(text, word, 1) || begins(text, word, 2));
    (0..data.len()).any(|at| CGI_WORDS.iter().any(|word| at_word(&data[at..], word)))
}

/// Whether data begins with a word of characters this many bytes wide, in any case.
fn begins(data: &[u8], word: &[u8], width: usize) -> bool {
    let mut characters = data.chunks(width);
    word.iter().all(|expected| match characters.next() {
        Some([character]) | Some([character, 0]) => character.eq_ignore_ascii_case(expected),
        _ => false,
    })
}

const DATA_SECTION: u8 = 11;
const PREAMBLE_BYTES: usize = 8;

/// The contents of the data section; empty when there is none.
fn data_section(wasm: &[u8]) -> &[u8] {
    let mut rest = wasm.get(PREAMBLE_BYTES..).unwrap_or_default();
    while let Some((id, contents, next)) = section(rest) {
        if id == DATA_SECTION {
            return contents;
        }
        rest = next;
    }
    &[]
}

/// Splits one section off: its id, its contents and what follows.
fn section(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (id, rest) = bytes.split_first()?;
    let (len, rest) = leb128_u32(rest)?;
    let (contents, next) = rest.split_at_checked(len as usize)?;
    Some((*id, contents, next))
}

fn leb128_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    const BYTES_MAX: usize = 5;
    let mut value = 0u64;
    for (n, byte) in bytes.iter().take(BYTES_MAX).enumerate() {
        value |= u64::from(byte & 0x7F) << (7 * n);
        if byte & 0x80 == 0 {
            return Some((u32::try_from(value).ok()?, &bytes[n + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use vivarium_artifact::contract::FunctionType;

    /// A module with a custom section, then this data.
    fn module(custom: &[u8], data: &[u8]) -> Vec<u8> {
        let mut wasm = b"\0asm\x01\0\0\0".to_vec();
        for (id, contents) in [(0, custom), (DATA_SECTION, data)] {
            wasm.push(id);
            wasm.push((contents.len() & 0x7F) as u8 | 0x80);
            wasm.push((contents.len() >> 7) as u8);
            wasm.extend_from_slice(contents);
        }
        wasm
    }

    #[track_caller]
    fn check(data: &[u8], expected: Kind) {
        assert_eq!(Kind::of(&[], &module(b"", data)), expected);
    }

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn data_that_names_cgi_makes_a_service() {
        check(b"xContent-Type: text/html\r\n", Kind::Service);
        check(b"STATUS: 404", Kind::Service);
        check(b"Location:/", Kind::Service);
        check(b"\0QUERY_STRING\0", Kind::Service);
        check(b"path_info", Kind::Service);
        check(&[b"x".to_vec(), utf16("Content-Type: ")].concat(), Kind::Service);
        check(&utf16("REQUEST_METHOD"), Kind::Service);
    }

    #[test]
    fn anything_else_is_a_command() {
        check(b"hello, world", Kind::Command);
        check(b"Content-Type", Kind::Command);
        check(b"content-type", Kind::Command);
        check(b"", Kind::Command);
        check(b"QUERY_STRIN", Kind::Command);
        assert_eq!(Kind::of(&[], &module(b"QUERY_STRING", b"hello")), Kind::Command, "debug information is no data");
    }

    #[test]
    fn a_service_abi_makes_a_service() {
        let import = |module: &str, name: &str| ImportedFunction { module: module.into(), name: name.into(), ty: FunctionType::default() };
        for (module, name) in [
            ("fastly_abi", "init"),
            ("fastly_http_req", "body_downstream_get"),
            ("fastly_http_resp", "send_downstream"),
            ("fastly_http_downstream", "next_request"),
        ] {
            assert_eq!(Kind::of(&[import(module, name)], b""), Kind::Service, "{module}.{name}");
        }
        for (module, name) in [("wasi_snapshot_preview1", "fd_write"), ("fastly_kv_store", "open"), ("fastly_log", "write")] {
            assert_eq!(Kind::of(&[import(module, name)], b""), Kind::Command, "{module}.{name}");
            assert_eq!(Kind::of(&[import(module, name)], &module_of_cgi()), Kind::Service, "{module}.{name}, and it prints a header");
        }
    }

    fn module_of_cgi() -> Vec<u8> {
        module(b"", b"Content-Type: text/plain")
    }

    #[test]
    fn broken_modules_have_no_data() {
        let whole = module(b"abc", b"QUERY_STRING");
        for len in 0..whole.len() {
            assert_eq!(Kind::of(&[], &whole[..len]), Kind::Command);
        }
        assert_eq!(Kind::of(&[], b"\0asm\x01\0\0\0\x0b\xff\xff\xff\xff\xffQUERY_STRING"), Kind::Command);
    }
}
