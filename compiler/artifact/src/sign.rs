//! Digest and signature. The workshop signs what its own compile workers return; a gateway holds the public half only.
//!
//! A signed file is the ELF file followed by 64 bytes of Ed25519 signature over its digest; readers of ELF ignore what follows. The digest is SHA-256 over
//! the pages that are not all zero, each with its number, and the file's length: most of an image is a stack that nobody has used yet.

use std::io::{self, Read};

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::PAGE_BYTES;
use crate::elf::{ArtifactError, check_version};

/// Bytes at the end of a signed file.
pub const SIGNATURE_BYTES: usize = 64;
/// What is signed is this and the digest, so that the key's signatures mean nothing elsewhere.
const CONTEXT: &[u8] = b"vivarium artifact\0";

/// How much of a file is read at once, in bytes: a multiple of the page.
const CHUNK_BYTES: usize = 64 << 10;
const PAGE: usize = PAGE_BYTES as usize;

/// Digest of an encoded artifact without its signature.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        let mut hasher = PageHasher::default();
        hasher.update(bytes);
        hasher.finish()
    }

    fn message(&self) -> Vec<u8> {
        [CONTEXT, &self.0].concat()
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// Hashes pages as they come; only the last piece may end inside a page.
#[derive(Default)]
struct PageHasher {
    hasher: Sha256,
    pages: u64,
    bytes: u64,
}

impl PageHasher {
    fn update(&mut self, piece: &[u8]) {
        for page in piece.chunks(PAGE) {
            if page.iter().any(|byte| *byte != 0) {
                self.hasher.update(self.pages.to_le_bytes());
                self.hasher.update(page);
            }
            self.pages += 1;
        }
        self.bytes += piece.len() as u64;
    }

    fn finish(mut self) -> Digest {
        self.hasher.update(self.bytes.to_le_bytes());
        Digest(self.hasher.finalize().into())
    }
}

fn unreadable(_: io::Error) -> ArtifactError {
    ArtifactError::Damaged("it cannot be read to its end")
}

/// An encoded artifact whose signature has been made or checked here.
#[derive(Debug, Clone, Copy)]
pub struct SignedArtifact {
    pub digest: Digest,
}

impl SignedArtifact {
    /// Appends the signature to an encoded artifact.
    pub fn sign(elf: &mut Vec<u8>, key: &SigningKey) -> SignedArtifact {
        let digest = Digest::of(elf);
        elf.extend(key.sign(&digest.message()).to_bytes());
        SignedArtifact { digest }
    }

    /// Checks version, then signature, of a signed file.
    pub fn verify(file: &[u8], key: &VerifyingKey) -> Result<SignedArtifact, ArtifactError> {
        SignedArtifact::verify_reader(file, file.len() as u64, key)
    }

    /// The same for a file of `file_bytes` that is read piece by piece: a mapping of a sparse file would fill its holes by being looked at.
    pub fn verify_reader(mut file: impl Read, file_bytes: u64, key: &VerifyingKey) -> Result<SignedArtifact, ArtifactError> {
        let mut left = file_bytes.checked_sub(SIGNATURE_BYTES as u64).ok_or(ArtifactError::Foreign)?;
        let mut hasher = PageHasher::default();
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut first = true;
        while left > 0 {
            let length = left.min(CHUNK_BYTES as u64) as usize;
            file.read_exact(&mut chunk[..length]).map_err(unreadable)?;
            if std::mem::take(&mut first) {
                check_version(&chunk[..length])?;
            }
            hasher.update(&chunk[..length]);
            left -= length as u64;
        }
        let mut signature = [0; SIGNATURE_BYTES];
        file.read_exact(&mut signature).map_err(unreadable)?;
        let digest = hasher.finish();
        key.verify_strict(&digest.message(), &Signature::from_bytes(&signature)).map_err(|_| ArtifactError::Signature)?;
        if first { Err(ArtifactError::Foreign) } else { Ok(SignedArtifact { digest }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_zeros_count_by_their_place() {
        let page = |byte: u8| vec![byte; PAGE];
        let files = [
            [page(1), page(0), page(2)].concat(),
            [page(1), page(2), page(0)].concat(),
            [page(1), page(2)].concat(),
            [page(0), page(1), page(2)].concat(),
            [page(1), page(0), page(2), vec![0; 7]].concat(),
            [page(1), page(0), page(2), vec![0; 8]].concat(),
        ];
        let digests: std::collections::HashSet<Digest> = files.iter().map(|file| Digest::of(file)).collect();
        assert_eq!(digests.len(), files.len());
    }

    #[test]
    fn reading_in_pieces_gives_the_digest_of_the_whole() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let mut file: Vec<u8> = (0..CHUNK_BYTES + 3 * PAGE + 11).map(|index| (index / PAGE % 3) as u8).collect();
        file[..12].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0VIV");
        file[12..16].copy_from_slice(&u32::from(crate::FORMAT_VERSION).to_le_bytes());
        let signed = SignedArtifact::sign(&mut file, &key);
        assert_eq!(SignedArtifact::verify(&file, &key.verifying_key()).unwrap().digest, signed.digest);
    }
}
