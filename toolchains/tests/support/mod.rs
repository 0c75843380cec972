//! The toolchains that `make toolchains` installed, opened for a test in each jail. A test without them fails and says how to get them.

#![allow(dead_code, reason = "each test file uses a part")]

pub mod node;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use vivarium_toolchains::{
    BuildError, BuildLimits, BuildReport, Cancel, JailKind, Language, OpenOptions, SourceLimits, SourceTree, Toolchains,
};

static BWRAP: LazyLock<Toolchains> = LazyLock::new(|| open(JailKind::Bwrap));
static LANDLOCK: LazyLock<Toolchains> = LazyLock::new(|| open(JailKind::Landlock));

pub const JAILS: [JailKind; 2] = [JailKind::Bwrap, JailKind::Landlock];

pub fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("VIVARIUM_TOOLCHAINS") {
        return PathBuf::from(folder);
    }
    let home = std::env::var_os("HOME").expect("HOME or VIVARIUM_TOOLCHAINS says where the toolchains are");
    Path::new(&home).join(".local/share/vivarium/toolchains")
}

pub fn jail_program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_vivarium-jail-role"))
}

fn open(jail: JailKind) -> Toolchains {
    let toolchains = Toolchains::open_with(&folder(), &OpenOptions { jail_program: jail_program(), jail: Some(jail) });
    for status in toolchains.status() {
        assert!(status.available, "{} is not available: {}; {}", status.language, status.reason.unwrap(), status.mend.unwrap());
    }
    assert_eq!(toolchains.jail(), jail);
    toolchains
}

/// The toolchains in that jail.
pub fn toolchains(jail: JailKind) -> &'static Toolchains {
    match jail {
        JailKind::Bwrap => &BWRAP,
        JailKind::Landlock => &LANDLOCK,
        JailKind::None => panic!("there is no such jail"),
    }
}

pub fn tree(language: Language, files: &[(&str, &str)]) -> SourceTree {
    let files: BTreeMap<String, String> = files.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect();
    SourceTree::new(language, files, &SourceLimits::default()).unwrap()
}

pub fn try_build(jail: JailKind, language: Language, files: &[(&str, &str)], limits: &BuildLimits) -> Result<BuildReport, BuildError> {
    toolchains(jail).build(&tree(language, files), limits, &Cancel::new())
}

/// A report within the default limits, in the better jail.
pub fn build(language: Language, files: &[(&str, &str)]) -> BuildReport {
    try_build(JailKind::Bwrap, language, files, &BuildLimits::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// The binary of a program without errors.
pub fn wasm_of(report: BuildReport) -> Vec<u8> {
    report.wasm.unwrap_or_else(|| panic!("{:#?}\n{}", report.diagnostics, report.output)).bytes
}

/// Names of the custom sections, in order.
pub fn custom_sections(wasm: &[u8]) -> Vec<String> {
    sections(wasm).into_iter().filter_map(|(name, _)| name).collect()
}

/// The sections of a program but for its debug information.
pub fn without_debug(wasm: &[u8]) -> Vec<(Option<String>, &[u8])> {
    sections(wasm).into_iter().filter(|(name, _)| !name.as_ref().is_some_and(|name| name.starts_with(".debug"))).collect()
}

/// Each section, with the name of a custom one.
fn sections(wasm: &[u8]) -> Vec<(Option<String>, &[u8])> {
    let mut sections = Vec::new();
    let mut rest = &wasm[8..];
    while let Some((&id, body)) = rest.split_first() {
        let (length, body) = leb128(body);
        let (section, after) = body.split_at(length);
        let name = (id == 0).then(|| {
            let (name_length, name) = leb128(section);
            String::from_utf8(name[..name_length].to_vec()).unwrap()
        });
        sections.push((name, section));
        rest = after;
    }
    sections
}

/// The content of the section with this id; empty without one.
pub fn section(wasm: &[u8], id: u8) -> &[u8] {
    let mut rest = &wasm[8..];
    while let Some((&other, body)) = rest.split_first() {
        let (length, body) = leb128(body);
        let (section, after) = body.split_at(length);
        if other == id {
            return section;
        }
        rest = after;
    }
    &[]
}

/// Numbers of a section, one behind the other.
pub struct Numbers<'s>(pub &'s [u8]);

impl Numbers<'_> {
    pub fn next(&mut self) -> u64 {
        let (number, rest) = leb128(self.0);
        self.0 = rest;
        number as u64
    }

    pub fn skip(&mut self, bytes: u64) {
        self.0 = &self.0[bytes as usize..];
    }
}

fn leb128(bytes: &[u8]) -> (usize, &[u8]) {
    let length = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    let value = bytes[..length].iter().rev().fold(0, |value, byte| value << 7 | usize::from(byte & 0x7f));
    (value, &bytes[length..])
}

pub fn contains(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}
