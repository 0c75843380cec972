//! The precompiled header of C++: reading `<iostream>` alone takes clang four times as long as the rest of a small program. The set-up
//! makes it of `setup/standard.hpp` (decision 0004).

use crate::jail::{Jail, JailKind};

/// What the set-up precompiles; the same file that it compiles says which headers are in it.
const HEADERS: &str = include_str!("../../../setup/standard.hpp");

/// Whether a file is compiled with it: one that includes a header of it and defines nothing before that the header might read.
pub fn serves(text: &str) -> bool {
    let mut directives = text.lines().filter_map(|line| Some(line.trim_start().strip_prefix('#')?.trim_start()));
    let first = directives.find(|directive| directive.starts_with("define") || directive.starts_with("undef") || is_covered(directive));
    first.is_some_and(is_covered)
}

/// The options that use it. None where the compiler sees the headers by other paths than those it was made with, or when the set-up could not make it.
pub fn options(jail: &Jail) -> Vec<String> {
    let path = "usr/lib/wasm32-wasi/standard.pch";
    match jail.kind == JailKind::Bwrap && jail.toolchains.join("root").join(path).exists() {
        true => vec!["-include-pch".to_owned(), format!("/{path}")],
        false => Vec::new(),
    }
}

/// `include <vector>` for a header that is in it.
fn is_covered(directive: &str) -> bool {
    let header = |line: &'static str| line.strip_prefix("#include <")?.strip_suffix('>');
    let name = directive.strip_prefix("include").and_then(|rest| rest.trim_start().strip_prefix('<')).and_then(|rest| rest.split_once('>'));
    name.is_some_and(|(name, _)| HEADERS.lines().filter_map(header).any(|covered| covered == name.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_include_a_header_of_it_are_served() {
        for text in
            ["#include <iostream>\n", "// a\n#include \"own.h\"\n# include <vector> // b\n", "#pragma once\n#include<map>\n#define X\n"]
        {
            assert!(serves(text), "{text}");
        }
        for text in
            ["", "int main() {}", "#include <cstdio>\n", "#define X\n#include <vector>\n", "#include \"vector\"\n", "// #include <vector>"]
        {
            assert!(!serves(text), "{text}");
        }
    }
}
