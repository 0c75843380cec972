//! The cache of signed artifacts, by the wasm they were made of. Never fsynced; whatever is missing, damaged, of another version or signed
//! by another key is as good as absent, and is compiled again.
//!
//! `artifacts/<format>-<compiler>/<sha256 of the wasm>-<setting>.viva`: a version never meets the files of another.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ed25519_dalek::{SigningKey, VerifyingKey};
use vivarium_artifact::{FORMAT_VERSION, Setting, SignedArtifact};

use super::blobs::BlobHash;
use crate::sparse;

pub struct Artifacts {
    folder: PathBuf,
    key: SigningKey,
}

impl Artifacts {
    /// Makes the folder of this version and forgets those of others.
    pub fn open(root: &Path, compiler_version: &str, key: SigningKey) -> io::Result<Artifacts> {
        let name = format!("{FORMAT_VERSION}-{compiler_version}");
        for entry in fs::read_dir(root)? {
            let entry = entry?;
            if entry.file_name() != name.as_str() && entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            }
        }
        let folder = root.join(name);
        fs::create_dir_all(&folder)?;
        Ok(Artifacts { folder, key })
    }

    pub fn verifying_key(&self) -> VerifyingKey {
        self.key.verifying_key()
    }

    /// Signs what a compile worker made and keeps it, if the disk lets it.
    pub fn sign(&self, wasm: BlobHash, setting: Setting, mut elf: Vec<u8>) -> Vec<u8> {
        SignedArtifact::sign(&mut elf, &self.key);
        let write = || -> io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            sparse::write(file.as_file_mut(), &elf)?;
            file.persist(self.path(wasm, setting))?;
            Ok(())
        };
        // A cache that cannot be written costs time, nothing else.
        drop(write());
        elf
    }

    /// A signed artifact, checked.
    pub fn load(&self, wasm: BlobHash, setting: Setting) -> Option<Vec<u8>> {
        let bytes = fs::read(self.path(wasm, setting)).ok()?;
        SignedArtifact::verify(&bytes, &self.verifying_key()).is_ok().then_some(bytes)
    }

    /// Throws one away: something found it unusable.
    pub fn forget(&self, wasm: BlobHash, setting: Setting) {
        drop(fs::remove_file(self.path(wasm, setting)));
    }

    /// Removes the oldest until the rest fits.
    pub fn trim(&self, artifact_bytes_max: u64) -> io::Result<()> {
        let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let about = entry.metadata()?;
            files.push((about.modified()?, sparse::BLOCK_BYTES * about.blocks(), entry.path()));
        }
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, length, path) in files {
            if bytes <= artifact_bytes_max {
                break;
            }
            fs::remove_file(path)?;
            bytes -= length;
        }
        Ok(())
    }

    fn path(&self, wasm: BlobHash, setting: Setting) -> PathBuf {
        let setting = match setting {
            Setting::Fast => "fast",
            Setting::Best => "best",
        };
        self.folder.join(format!("{wasm}-{setting}.viva"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workshop::testing::empty_artifact;

    fn artifacts(folder: &Path, version: &str, key: u8) -> Artifacts {
        Artifacts::open(folder, version, SigningKey::from_bytes(&[key; 32])).unwrap()
    }

    #[test]
    fn what_is_damaged_of_another_key_or_of_another_version_is_absent() {
        let folder = tempfile::tempdir().unwrap();
        let (wasm, setting) = (BlobHash::of(b"wasm"), Setting::Fast);
        let ours = artifacts(folder.path(), "1", 1);
        let signed = ours.sign(wasm, setting, empty_artifact());
        assert_eq!(ours.load(wasm, setting), Some(signed.clone()));
        assert_eq!(ours.load(wasm, Setting::Best), None);
        assert_eq!(artifacts(folder.path(), "1", 2).load(wasm, setting), None, "another key");

        let path = ours.path(wasm, setting);
        for (what, bytes) in [("cut", &signed[..signed.len() / 2]), ("empty", &[][..])] {
            fs::write(&path, bytes).unwrap();
            assert_eq!(ours.load(wasm, setting), None, "{what}");
        }
        let mut flipped = signed.clone();
        flipped[100] ^= 1;
        fs::write(&path, flipped).unwrap();
        assert_eq!(ours.load(wasm, setting), None, "flipped");

        fs::write(&path, &signed).unwrap();
        assert_eq!(artifacts(folder.path(), "2", 1).load(wasm, setting), None, "another version");
        assert!(!path.exists(), "the old version's folder is gone");
    }

    #[test]
    fn the_oldest_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let ours = artifacts(folder.path(), "1", 1);
        let (old, new) = (BlobHash::of(b"old"), BlobHash::of(b"new"));
        ours.sign(old, Setting::Fast, empty_artifact());
        ours.sign(new, Setting::Fast, empty_artifact());
        let bytes = sparse::BLOCK_BYTES * fs::metadata(ours.path(new, Setting::Fast)).unwrap().blocks();
        let long_ago = SystemTime::UNIX_EPOCH;
        fs::File::options().write(true).open(ours.path(old, Setting::Fast)).unwrap().set_modified(long_ago).unwrap();
        ours.trim(bytes).unwrap();
        assert!(ours.load(old, Setting::Fast).is_none() && ours.load(new, Setting::Fast).is_some());
        ours.forget(new, Setting::Fast);
        assert!(ours.load(new, Setting::Fast).is_none());
    }
}
