//! Entries by key as one run of bytes that can be stored and sent, ending in a digest of the rest.
//!
//! `magic │ build │ entries: key, length (u32), bytes … │ SHA-256`

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use sha2::{Digest as _, Sha256};

use super::key::{BUILD, Key};

const MAGIC: &[u8; 8] = b"vivfunc1";
const DIGEST_BYTES: usize = 32;

/// Bounds of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackBounds {
    pub entries_max: usize,
    /// As stored, in bytes.
    pub bytes_max: usize,
}

/// Code of functions by key, most recently used first.
#[derive(Debug, Default)]
pub struct Pack {
    bytes: Vec<u8>,
    index: HashMap<Key, Range<usize>>,
    order: Vec<Key>,
}

impl Pack {
    /// Reads what [`Pack::bytes`] gave. None when it is damaged, or of another build of the compiler.
    pub fn read(bytes: Vec<u8>) -> Option<Pack> {
        let (content, digest) = bytes.split_at_checked(bytes.len().checked_sub(DIGEST_BYTES)?)?;
        let header = header();
        if *digest != Sha256::digest(content)[..] || !content.starts_with(&header) {
            return None;
        }
        let (mut index, mut order) = (HashMap::new(), Vec::new());
        let mut at = header.len();
        while at < content.len() {
            let (key, rest) = content[at..].split_first_chunk::<32>()?;
            let length = u32::from_le_bytes(*rest.first_chunk()?) as usize;
            let start = at + 36;
            let end = start.checked_add(length).filter(|end| *end <= content.len())?;
            index.insert(*key, start..end);
            order.push(*key);
            at = end;
        }
        Some(Pack { bytes, index, order })
    }

    /// A pack of these entries, as far as they fit: of equal keys, and for want of room, the first.
    pub fn of<'e>(entries: impl IntoIterator<Item = (Key, &'e [u8])>, bounds: PackBounds) -> Pack {
        let mut bytes = header();
        let mut taken = HashSet::new();
        for (key, entry) in entries {
            let fits = taken.len() < bounds.entries_max && bytes.len() + 36 + entry.len() + DIGEST_BYTES <= bounds.bytes_max;
            let Some(length) = u32::try_from(entry.len()).ok().filter(|_| fits) else { continue };
            if taken.insert(key) {
                bytes.extend_from_slice(&key);
                bytes.extend_from_slice(&length.to_le_bytes());
                bytes.extend_from_slice(entry);
            }
        }
        let digest = Sha256::digest(&bytes);
        bytes.extend_from_slice(&digest);
        Pack::read(bytes).unwrap_or_default()
    }

    /// The pack as it is stored.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn get(&self, key: &Key) -> Option<&[u8]> {
        self.index.get(key).map(|range| &self.bytes[range.clone()])
    }

    /// Entries, most recently used first.
    pub fn entries(&self) -> impl Iterator<Item = (Key, &[u8])> {
        self.order.iter().filter_map(|key| Some((*key, self.get(key)?)))
    }

    pub fn len(&self) -> usize {
        self.index.len()
    }

    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }
}

fn header() -> Vec<u8> {
    [MAGIC, BUILD.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: PackBounds = PackBounds { entries_max: 3, bytes_max: 1000 };

    #[test]
    fn what_was_packed_is_found_again() {
        let pack = Pack::of([([1; 32], &b"one"[..]), ([2; 32], b"two"), ([1; 32], b"again")], BOUNDS);
        let read = Pack::read(pack.bytes().to_vec()).unwrap();
        assert_eq!((read.get(&[1; 32]), read.get(&[2; 32]), read.get(&[3; 32])), (Some(&b"one"[..]), Some(&b"two"[..]), None));
    }

    #[test]
    fn any_flipped_byte_is_noticed() {
        let pack = Pack::of([([1; 32], &b"one"[..])], BOUNDS);
        for place in 0..pack.bytes().len() {
            let mut damaged = pack.bytes().to_vec();
            damaged[place] ^= 1;
            assert!(Pack::read(damaged).is_none(), "byte {place}");
        }
        assert!(Pack::read(vec![]).is_none() && Pack::read(pack.bytes()[1..].to_vec()).is_none());
    }

    #[test]
    fn the_last_ones_give_way() {
        let entries: Vec<(Key, Vec<u8>)> = (0..9).map(|number| ([number; 32], vec![number; 10])).collect();
        let pack = |bounds| Pack::of(entries.iter().map(|(key, entry)| (*key, &entry[..])), bounds);
        assert_eq!(pack(BOUNDS).len(), 3);
        assert!(pack(BOUNDS).get(&[0; 32]).is_some());
        let small = PackBounds { bytes_max: 120, ..BOUNDS };
        assert!(pack(small).len() == 1 && pack(small).bytes().len() <= 120);
    }
}
