//! Digest and signature. The workshop signs what its own compile workers return; a gateway holds the public half only.
//!
//! A signed file is the ELF file followed by 64 bytes of Ed25519 signature over its digest; readers of ELF ignore what follows. The digest is SHA-256 over
//! the pages that are not all zero, each with its number, and the file's length: most of an image is a stack that nobody has used yet.

use std::ops::Range;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::PAGE_BYTES;
use crate::elf::{ArtifactError, check_version};

/// Bytes at the end of a signed file.
pub const SIGNATURE_BYTES: usize = 64;
/// What is signed is this and the digest, so that the key's signatures mean nothing elsewhere.
const CONTEXT: &[u8] = b"vivarium artifact\0";

const PAGE: usize = PAGE_BYTES as usize;

/// Digest of an encoded artifact without its signature.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest::of_data(bytes, std::iter::once(0..bytes.len().div_ceil(PAGE)))
    }

    /// The digest of these bytes, of which only the pages in these runs, by number, may hold anything but zeros.
    fn of_data(bytes: &[u8], data: impl IntoIterator<Item = Range<usize>>) -> Digest {
        let mut hasher = Sha256::new();
        for number in data.into_iter().flatten() {
            let page = bytes.get(number * PAGE..).unwrap_or_default();
            let page = &page[..page.len().min(PAGE)];
            if page.iter().any(|byte| *byte != 0) {
                hasher.update((number as u64).to_le_bytes());
                hasher.update(page);
            }
        }
        hasher.update((bytes.len() as u64).to_le_bytes());
        Digest(hasher.finalize().into())
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

/// The signature at the end of a signed file, unchecked.
pub fn signature(file: &[u8]) -> Result<&[u8; SIGNATURE_BYTES], ArtifactError> {
    file.last_chunk().ok_or(ArtifactError::Foreign)
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
        SignedArtifact::verify_data(file, std::iter::once(0..file.len().div_ceil(PAGE)), key)
    }

    /// The same for a sparse file, with the runs of pages, by number and in order, that are no holes: looking at a hole would fill it.
    pub fn verify_data(
        file: &[u8],
        data: impl IntoIterator<Item = Range<usize>>,
        key: &VerifyingKey,
    ) -> Result<SignedArtifact, ArtifactError> {
        let signature = Signature::from_bytes(signature(file)?);
        let elf = &file[..file.len() - SIGNATURE_BYTES];
        check_version(elf)?;
        let digest = Digest::of_data(elf, data);
        key.verify_strict(&digest.message(), &signature).map_err(|_| ArtifactError::Signature)?;
        Ok(SignedArtifact { digest })
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
    fn holes_need_not_be_looked_at() {
        let mut file = vec![0; 40 * PAGE + 11];
        for page in [0, 3, 4, 39] {
            file[page * PAGE + 7] = 1;
        }
        let digest = Digest::of(&file);
        assert_eq!(Digest::of_data(&file, [0..1, 3..5, 39..41]), digest);
        assert_ne!(Digest::of_data(&file, [0..1, 3..5]), digest, "what is left out counts as zeros");
        assert_eq!(Digest::of_data(&file, [0..41, 50..60]), digest, "there is nothing behind the end");
    }
}
