//! Names that nobody can guess: slugs, build ids and owner tokens.

use data_encoding::BASE32_NOPAD;
use sha2::{Digest as _, Sha256};

/// 100 bits.
const SLUG_CHARACTERS: usize = 20;
/// 160 bits.
const TOKEN_BYTES: usize = 20;
const SLUG_BYTES: usize = 13;

/// A new slug or build id: 20 characters `a`–`z`, `2`–`7`, so that `<slug>--r9999` fits the label of a host name.
pub fn new_slug() -> std::io::Result<String> {
    let mut text = random_text(SLUG_BYTES)?;
    text.truncate(SLUG_CHARACTERS);
    Ok(text)
}

/// Whether this could be a slug of ours; nothing else is looked up.
pub fn is_slug(text: &str) -> bool {
    text.len() == SLUG_CHARACTERS && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
}

/// The hash of an owner token: all that is stored of one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    pub fn of(token: &str) -> TokenHash {
        TokenHash(Sha256::digest(token).into())
    }
}

/// A new owner token.
pub fn new_token() -> std::io::Result<String> {
    random_text(TOKEN_BYTES)
}

fn random_text(bytes: usize) -> std::io::Result<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(std::io::Error::other)?;
    Ok(BASE32_NOPAD.encode(&random).to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_labels_with_room_for_a_revision_and_never_the_same() {
        let slugs: std::collections::HashSet<String> = (0..1000).map(|_| new_slug().unwrap()).collect();
        assert_eq!(slugs.len(), 1000);
        for slug in slugs {
            assert!(is_slug(&slug), "{slug}");
            assert!(format!("{slug}--r9999").len() <= 63);
        }
        for other in ["", "fern", "../../../etc/passwd.", "ABCDEFGHIJKLMNOPQRST", "abcdefghij1234567890"] {
            assert!(!is_slug(other), "{other}");
        }
    }

    #[test]
    fn tokens_have_at_least_128_bits_and_are_known_by_their_hash() {
        let token = new_token().unwrap();
        assert_eq!(token.len(), 32, "five bits a character");
        assert_eq!(TokenHash::of(&token), TokenHash::of(&token));
        assert_ne!(TokenHash::of(&token), TokenHash::of(&new_token().unwrap()));
    }
}
