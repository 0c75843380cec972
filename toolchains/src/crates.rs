//! The crates that a Rust program may use: a set that `crates/install` has built, read from the list that it leaves.

use std::path::Path;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::Library;
use crate::diagnostic::{Diagnostic, Note};
use crate::messages::{Messages, rustc};

/// Where they lie in the root.
const FOLDER: &str = "rust/crates";
/// A line for each crate; a longer file is none.
const EXTERNS_BYTES_MAX: u64 = 64 * 1024;

/// One crate.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Crate {
    /// What programs call it.
    name: String,
    /// Its own name: an older version of a crate has another for programs.
    package: String,
    version: String,
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
            let (name, version, file) = (words.next()?, words.next()?, words.next()?);
            Some(Crate { package: words.next().unwrap_or_else(|| name.clone()), name, version, file })
        };
        Crates { crates: text.lines().filter_map(entry).collect(), digest: HEXLOWER.encode(&Sha256::digest(text.as_bytes())) }
    }

    /// As programs and their authors know them.
    pub fn libraries(&self) -> Vec<Library> {
        let library = |Crate { name, package, version, .. }: &Crate| Library {
            name: name.clone(),
            version: version.clone(),
            link: format!("https://docs.rs/{package}/{version}"),
        };
        self.crates.iter().map(library).collect()
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

    /// Adds what there is to each message that says that a crate is missing: rustc itself would have cargo fetch it.
    pub fn name_alternatives(&self, messages: &mut Messages) {
        let missing: Vec<&mut Diagnostic> = messages.diagnostics.iter_mut().filter(|found| rustc::missing_crate(found).is_some()).collect();
        if missing.is_empty() {
            return;
        }
        let sentence = self.sentence();
        messages.output.push_str(&format!("note: {sentence}\n"));
        for diagnostic in missing {
            diagnostic.notes.insert(0, Note { message: sentence.clone(), file: None, line: None, column: None });
        }
    }

    fn sentence(&self) -> String {
        let names: Vec<&str> = self.crates.iter().map(|found| found.name.as_str()).collect();
        match names.as_slice() {
            [] => "no crates are installed here beside std: toolchains/crates/install builds them".to_owned(),
            names => format!("the crates that programs may use here are {}", names.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_crate() {
        let crates = Crates::parse("fern 1.2.3 libfern-abc.rlib\nmoss_2 2.0.0 libmoss-def.rlib moss\n");
        let libraries: Vec<_> = crates.libraries().into_iter().map(|Library { name, link, .. }| (name, link)).collect();
        let expected = [("fern", "https://docs.rs/fern/1.2.3"), ("moss_2", "https://docs.rs/moss/2.0.0")];
        assert_eq!(libraries, expected.map(|(name, link)| (name.to_owned(), link.to_owned())));
        let expected = [
            "-Ldependency=/r/rust/crates",
            "--extern",
            "fern=/r/rust/crates/libfern-abc.rlib",
            "--extern",
            "moss_2=/r/rust/crates/libmoss-def.rlib",
        ];
        assert_eq!(crates.options("/r"), expected);
        assert!(Crates::parse("two words").libraries().is_empty());
    }
}
