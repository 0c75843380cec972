//! Files without their zeros: most of an artifact is a stack that nobody has used yet, and no disk should hold that.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};

/// In what file systems count, in bytes.
pub const BLOCK_BYTES: u64 = 512;
/// What stays a hole when it is all zeros, in bytes.
const PIECE_BYTES: usize = 4096;

/// Writes to an empty file; it reads as these bytes.
pub fn write(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    for (index, piece) in bytes.chunks(PIECE_BYTES).enumerate() {
        if piece.iter().any(|byte| *byte != 0) {
            file.seek(SeekFrom::Start((index * PIECE_BYTES) as u64))?;
            file.write_all(piece)?;
        }
    }
    file.set_len(bytes.len() as u64)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn zeros_take_no_room_and_are_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = vec![0; 1 << 20];
        (bytes[5_000], bytes[700_000]) = (1, 2);
        for length in [bytes.len(), bytes.len() - 1, 700_001, 0] {
            let path = folder.path().join(length.to_string());
            write(&mut File::create(&path).unwrap(), &bytes[..length]).unwrap();
            assert!(std::fs::read(&path).unwrap() == bytes[..length]);
            let room = BLOCK_BYTES * std::fs::metadata(&path).unwrap().blocks();
            assert!(room <= 64 << 10, "{room} bytes for {length}");
        }
    }
}
