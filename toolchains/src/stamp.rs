//! The stamp that the set-up writes last: which packages the toolchains were made of.

use std::collections::BTreeMap;
use std::path::Path;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// A stamp is a few hundred bytes; a longer file is none.
const STAMP_BYTES_MAX: u64 = 16 * 1024;

/// What the toolchains were made of.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    versions: BTreeMap<String, String>,
    digest: String,
}

impl Stamp {
    /// Reads the stamp of a finished set-up; the error is a sentence.
    pub fn read(toolchains: &Path) -> Result<Stamp, String> {
        let path = toolchains.join("stamp");
        let absent = |_| format!("there are no toolchains in {}", toolchains.display());
        let metadata = path.metadata().map_err(absent)?;
        if metadata.len() > STAMP_BYTES_MAX {
            return Err(format!("{} is no stamp of the set-up", path.display()));
        }
        std::fs::read_to_string(&path).map_err(absent).map(|text| Stamp::parse(&text))
    }

    fn parse(text: &str) -> Stamp {
        let entry = |line: &str| line.split_once(' ').map(|(name, version)| (name.to_owned(), version.to_owned()));
        Stamp { versions: text.lines().filter_map(entry).collect(), digest: HEXLOWER.encode(&Sha256::digest(text.as_bytes())) }
    }

    /// The upstream version of a package: without the distribution's epoch and revision.
    pub fn version(&self, package: &str) -> Option<&str> {
        let version = self.versions.get(package)?;
        let version = version.split_once(':').map_or(version.as_str(), |(_, rest)| rest);
        version.split(['-', '+', '~']).next().map(|version| version.trim_start_matches('v'))
    }

    /// The number that LLVM's packages and folders carry, as in "22".
    pub fn llvm(&self) -> Option<&str> {
        self.versions.keys().find_map(|package| package.strip_prefix("clang-"))
    }

    /// A digest of the whole stamp.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_lose_the_distributions_parts() {
        let stamp = Stamp::parse("setup abc\nclang-22 1:22.1.8-1~deb12u1\nrustc-web 1.96.0+dfsg1-1~deb12u2\nnode v20.20.2\n");
        assert_eq!(stamp.version("clang-22"), Some("22.1.8"));
        assert_eq!(stamp.version("rustc-web"), Some("1.96.0"));
        assert_eq!(stamp.version("node"), Some("20.20.2"));
        assert_eq!(stamp.version("zig"), None);
        assert_eq!(stamp.llvm(), Some("22"));
        assert_ne!(stamp.digest(), Stamp::parse("setup abd\n").digest());
    }
}
