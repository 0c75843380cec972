//! The crates that a Rust program may use: a set that `crates/install` has built, read from the list that it leaves.

use std::path::Path;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// Where they lie in the root.
const FOLDER: &str = "rust/crates";
/// A line for each crate; a longer file is none.
const EXTERNS_BYTES_MAX: u64 = 64 * 1024;

/// One crate by the name that programs use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crate {
    pub name: String,
    pub version: String,
    file: String,
}

/// All of them; none when they have not been built.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crates {
    crates: Vec<Crate>,
    digest: String,
}

impl Crates {
    pub fn read(toolchains: &Path) -> Crates {
        let path = toolchains.join("root").join(FOLDER).join("externs");
        let fits = path.metadata().is_ok_and(|metadata| metadata.len() <= EXTERNS_BYTES_MAX);
        let text = if fits { std::fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
        Crates::parse(&text)
    }

    fn parse(text: &str) -> Crates {
        let entry = |line: &str| {
            let mut words = line.split(' ').map(str::to_owned);
            Some(Crate { name: words.next()?, version: words.next()?, file: words.next()? })
        };
        Crates { crates: text.lines().filter_map(entry).collect(), digest: HEXLOWER.encode(&Sha256::digest(text.as_bytes())) }
    }

    pub fn all(&self) -> &[Crate] {
        &self.crates
    }

    /// Of the list: the files' names carry the digests of what is in them.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What tells rustc of them; it reads those that a program uses.
    pub fn options(&self, root: &str) -> Vec<String> {
        let folder = format!("{root}/{FOLDER}");
        let mut options = vec![format!("-Ldependency={folder}")];
        for Crate { name, file, .. } in &self.crates {
            options.extend(["--extern".to_owned(), format!("{name}={folder}/{file}")]);
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_crate() {
        let crates = Crates::parse("fern 1.2.3 libfern-abc.rlib\nmoss_2 2.0.0 libmoss-def.rlib\n");
        let names: Vec<(&str, &str)> = crates.all().iter().map(|found| (found.name.as_str(), found.version.as_str())).collect();
        assert_eq!(names, [("fern", "1.2.3"), ("moss_2", "2.0.0")]);
        let expected = [
            "-Ldependency=/r/rust/crates",
            "--extern",
            "fern=/r/rust/crates/libfern-abc.rlib",
            "--extern",
            "moss_2=/r/rust/crates/libmoss-def.rlib",
        ];
        assert_eq!(crates.options("/r"), expected);
        assert!(Crates::parse("one word").all().is_empty());
    }
}
