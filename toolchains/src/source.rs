//! The source tree: what a user typed, checked once. Every later stage takes file names and sizes from here on trust.

use std::collections::BTreeMap;
use std::fmt;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::settings::{SETTINGS_FILE, Settings};
use crate::{Language, ProgramKind};

/// Bounds of a source tree.
#[derive(Clone, Copy, Debug)]
pub struct SourceLimits {
    /// All files together.
    pub source_bytes_max: usize,
    pub files_max: usize,
    /// One file's name, folders included.
    pub file_name_bytes_max: usize,
    /// Folders in a name, plus one for the file.
    pub depth_max: usize,
}

impl Default for SourceLimits {
    fn default() -> Self {
        SourceLimits { source_bytes_max: 256 * 1024, files_max: 32, file_name_bytes_max: 128, depth_max: 8 }
    }
}

/// Why a source tree was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    #[error("the source has {bytes} bytes, more than the limit source_bytes_max of {source_bytes_max} bytes")]
    TooLarge { bytes: usize, source_bytes_max: usize },
    #[error("the source has {files} files, more than the limit files_max of {files_max}")]
    TooManyFiles { files: usize, files_max: usize },
    #[error("the file name {name:?} is longer than the limit file_name_bytes_max of {file_name_bytes_max} bytes")]
    NameTooLong { name: String, file_name_bytes_max: usize },
    #[error("the file name {name:?} has more parts than the limit depth_max of {depth_max}")]
    TooDeep { name: String, depth_max: usize },
    #[error(
        "the file name {name:?} is not allowed: use letters, digits, '-', '_' and '.', with '/' between folders; no part may be empty or begin with '.' or '-'"
    )]
    BadName { name: String },
    #[error("the file name {name:?} is reserved: {language} compilers read their settings from it")]
    ReservedName { name: String, language: Language },
    #[error("{SETTINGS_FILE} cannot be used: {reason}")]
    Settings { reason: String },
    #[error("{name:?} is both a file and a folder")]
    FileAndFolder { name: String },
    #[error("a {language} program needs a file named {main_file}")]
    MainFileMissing { language: Language, main_file: &'static str },
}

impl SourceError {
    /// The limit that was passed, by the name under which limits are listed.
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            SourceError::TooLarge { .. } => Some("source_bytes_max"),
            SourceError::TooManyFiles { .. } => Some("files_max"),
            SourceError::NameTooLong { .. } => Some("file_name_bytes_max"),
            SourceError::TooDeep { .. } => Some("depth_max"),
            SourceError::BadName { .. }
            | SourceError::ReservedName { .. }
            | SourceError::Settings { .. }
            | SourceError::FileAndFolder { .. }
            | SourceError::MainFileMissing { .. } => None,
        }
    }
}

/// The SHA-256 of a source tree; displays as lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A program's files by name, within the limits and with names that stay inside their folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceTree {
    language: Language,
    files: BTreeMap<String, String>,
    settings: Settings,
}

impl SourceTree {
    /// Checks names and sizes. Names are relative paths with `/`.
    pub fn new(language: Language, files: BTreeMap<String, String>, limits: &SourceLimits) -> Result<SourceTree, SourceError> {
        check_sizes(&files, limits)?;
        for name in files.keys() {
            check_name(name, language, limits)?;
        }
        check_folders(&files)?;
        if !files.contains_key(language.main_file()) {
            return Err(SourceError::MainFileMissing { language, main_file: language.main_file() });
        }
        let settings = match files.get(SETTINGS_FILE) {
            Some(text) => Settings::parse(text, language).map_err(|reason| SourceError::Settings { reason })?,
            None => Settings::default(),
        };
        Ok(SourceTree { language, files, settings })
    }

    /// How it is to be built.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What the project file says that the program is.
    pub fn kind(&self) -> Option<ProgramKind> {
        self.settings.kind
    }

    pub fn language(&self) -> Language {
        self.language
    }

    /// Text by file name.
    pub fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }

    /// The same for the same language and text, whatever made the tree. Each name and text is preceded by its length, so that no two
    /// trees run together into one.
    pub fn content_hash(&self) -> ContentHash {
        let mut hash = Sha256::new();
        let parts = self.files.iter().flat_map(|(name, text)| [name.as_str(), text.as_str()]);
        for part in std::iter::once(self.language.name()).chain(parts) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        ContentHash(hash.finalize().into())
    }
}

fn check_sizes(files: &BTreeMap<String, String>, limits: &SourceLimits) -> Result<(), SourceError> {
    if files.len() > limits.files_max {
        return Err(SourceError::TooManyFiles { files: files.len(), files_max: limits.files_max });
    }
    let bytes = files.values().map(String::len).sum();
    if bytes > limits.source_bytes_max {
        return Err(SourceError::TooLarge { bytes, source_bytes_max: limits.source_bytes_max });
    }
    Ok(())
}

fn check_name(name: &str, language: Language, limits: &SourceLimits) -> Result<(), SourceError> {
    if name.len() > limits.file_name_bytes_max {
        let shown = name.chars().take(limits.file_name_bytes_max).collect();
        return Err(SourceError::NameTooLong { name: shown, file_name_bytes_max: limits.file_name_bytes_max });
    }
    if !name.split('/').all(is_plain_part) {
        return Err(SourceError::BadName { name: name.to_owned() });
    }
    if name.split('/').count() > limits.depth_max {
        return Err(SourceError::TooDeep { name: name.to_owned(), depth_max: limits.depth_max });
    }
    if crate::drivers::is_reserved_name(language, name) {
        return Err(SourceError::ReservedName { name: name.to_owned(), language });
    }
    Ok(())
}

/// No part is `..`, hidden, or looks like a compiler's option.
fn is_plain_part(part: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !part.is_empty() && !part.starts_with(['.', '-']) && part.bytes().all(allowed)
}

fn check_folders(files: &BTreeMap<String, String>) -> Result<(), SourceError> {
    for name in files.keys() {
        let folder = name.match_indices('/').map(|(end, _)| &name[..end]).find(|folder| files.contains_key(*folder));
        if let Some(folder) = folder {
            return Err(SourceError::FileAndFolder { name: folder.to_owned() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(language: Language, names: &[&str]) -> Result<SourceTree, SourceError> {
        let files = names.iter().map(|name| (name.to_string(), String::new())).collect();
        SourceTree::new(language, files, &SourceLimits::default())
    }

    #[test]
    fn names_stay_inside_their_folder() {
        for name in [
            "../x.c",
            "a/../../x.c",
            "/etc/passwd",
            "",
            "a//b.c",
            "a\\b.c",
            "a b.c",
            "nul\0.c",
            "-o",
            ".hidden",
            "a/.h",
            "é.c",
            "a/",
            "%2e%2e",
        ] {
            assert_eq!(check(Language::C, &["main.c", name]), Err(SourceError::BadName { name: name.to_owned() }), "{name:?}");
        }
        check(Language::C, &["main.c", "lib/a-b_c.2.h"]).unwrap();
    }

    #[test]
    fn each_limit_is_named_when_it_is_passed() {
        let many: Vec<String> = (0..33).map(|n| format!("f{n}.c")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(check(Language::C, &many).unwrap_err().limit(), Some("files_max"));
        assert_eq!(check(Language::C, &["main.c", &"x".repeat(129)]).unwrap_err().limit(), Some("file_name_bytes_max"));
        assert_eq!(check(Language::C, &["main.c", "1/2/3/4/5/6/7/8/9.c"]).unwrap_err().limit(), Some("depth_max"));
        let large = BTreeMap::from([("main.c".to_owned(), " ".repeat(256 * 1024 + 1))]);
        assert_eq!(SourceTree::new(Language::C, large, &SourceLimits::default()).unwrap_err().limit(), Some("source_bytes_max"));
    }

    #[test]
    fn a_tree_needs_its_main_file_and_no_clash() {
        assert!(matches!(check(Language::Rust, &["lib.rs"]), Err(SourceError::MainFileMissing { main_file: "main.rs", .. })));
        assert!(matches!(check(Language::C, &["main.c", "a", "a/b.c"]), Err(SourceError::FileAndFolder { .. })));
    }

    #[test]
    fn files_that_configure_a_compiler_are_refused() {
        for name in ["asconfig.json", "package.json", "lib/package.json"] {
            assert!(matches!(check(Language::AssemblyScript, &["main.ts", name]), Err(SourceError::ReservedName { .. })), "{name}");
        }
    }

    #[test]
    fn the_hash_tells_trees_apart() {
        let hash = |files: &[(&str, &str)]| {
            let files = files.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect();
            SourceTree::new(Language::C, files, &SourceLimits::default()).unwrap().content_hash().to_string()
        };
        let one = hash(&[("main.c", "ab"), ("x.c", "")]);
        assert_eq!(one.len(), 64);
        assert_eq!(one, hash(&[("x.c", ""), ("main.c", "ab")]));
        assert_ne!(one, hash(&[("main.c", "a"), ("x.c", "b")]));
    }
}
