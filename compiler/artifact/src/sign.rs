//! Digest and signature. The workshop signs what its own compile workers return; a gateway holds the public half only.
//!
//! A signed file is the ELF file followed by 64 bytes of Ed25519 signature over its SHA-256 digest; readers of ELF ignore what follows.

use std::io::{self, Read};

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::elf::{ArtifactError, check_version};

/// Bytes at the end of a signed file.
pub const SIGNATURE_BYTES: usize = 64;
/// What is signed is this and the digest, so that the key's signatures mean nothing elsewhere.
const CONTEXT: &[u8] = b"vivarium artifact\0";

/// How much of a file is read at once, in bytes.
const CHUNK_BYTES: usize = 64 << 10;

/// SHA-256 of an encoded artifact without its signature.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
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
        let mut hasher = Sha256::new();
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
        let digest = Digest(hasher.finalize().into());
        key.verify_strict(&digest.message(), &Signature::from_bytes(&signature)).map_err(|_| ArtifactError::Signature)?;
        if first { Err(ArtifactError::Foreign) } else { Ok(SignedArtifact { digest }) }
    }
}
