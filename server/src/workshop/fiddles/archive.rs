//! A program's files as a zip (APPNOTE 6.3.10), each of them stored as it is: sources are small, and a zip that is not packed needs no packer.

use crate::project::{Files, strays};

const LOCAL_HEADER: u32 = 0x0403_4b50;
const CENTRAL_HEADER: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// 2.0: folders.
const VERSION: u16 = 20;
/// Names are UTF-8.
const FLAGS: u16 = 1 << 11;
/// Zip has no earlier day than 1 January 1980; the same program is the same zip whenever it is asked for.
const DATE: u16 = (1 << 5) | 1;

/// Names and sizes are those of a project: far below what 16 and 32 bits hold. What was stored before its name was looked at may hold letters
/// that lead out of a folder: they are replaced.
pub fn zip_of(files: &Files) -> Vec<u8> {
    let (mut zip, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let (at, name) = (zip.len() as u32, name.replace(strays, "_"));
        let about = about(&name, content);
        zip.extend(LOCAL_HEADER.to_le_bytes());
        zip.extend(&about);
        zip.extend(name.as_bytes());
        zip.extend(content);
        directory.extend(CENTRAL_HEADER.to_le_bytes());
        directory.extend(VERSION.to_le_bytes());
        directory.extend(&about);
        // Comment, disk, kind of content, attributes.
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (count, at) = (files.len() as u16, zip.len() as u32);
    let length = directory.len() as u32;
    zip.extend(directory);
    zip.extend(END.to_le_bytes());
    zip.extend([0; 4]);
    zip.extend(count.to_le_bytes());
    zip.extend(count.to_le_bytes());
    zip.extend(length.to_le_bytes());
    zip.extend(at.to_le_bytes());
    zip.extend([0; 2]);
    zip
}

/// What both headers of a file say alike: from the version needed to the length of the extra field.
fn about(name: &str, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u32).to_le_bytes();
    let stored_at_midnight = [0; 4];
    [
        &VERSION.to_le_bytes()[..],
        &FLAGS.to_le_bytes(),
        &stored_at_midnight,
        &DATE.to_le_bytes(),
        &crc32fast::hash(content).to_le_bytes(),
        &length,
        &length,
        &(name.len() as u16).to_le_bytes(),
        &[0; 2],
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn u16_at(bytes: &[u8], at: usize) -> usize {
        usize::from(u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()))
    }

    fn u32_at(bytes: &[u8], at: usize) -> usize {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
    }

    /// Reads a zip as others do: the end first, then the directory, then each file that it names.
    fn read(zip: &[u8]) -> Files {
        let end = zip.len() - 22;
        assert_eq!(u32_at(zip, end), END as usize);
        let (count, mut at) = (u16_at(zip, end + 10), u32_at(zip, end + 16));
        let mut files = Files::new();
        for _ in 0..count {
            assert_eq!(u32_at(zip, at), CENTRAL_HEADER as usize);
            let (length, name_length, local) = (u32_at(zip, at + 24), u16_at(zip, at + 28), u32_at(zip, at + 42));
            let name = String::from_utf8(zip[at + 46..at + 46 + name_length].to_vec()).unwrap();
            assert_eq!(u32_at(zip, local), LOCAL_HEADER as usize);
            assert_eq!(zip[local + 4..local + 30], zip[at + 6..at + 32], "both headers say the same");
            let content = zip[local + 30 + name_length..][..length].to_vec();
            assert_eq!(u32_at(zip, at + 16), crc32fast::hash(&content) as usize);
            files.push((name, content));
            at += 46 + name_length;
        }
        assert_eq!(at, end, "the directory ends where the end begins");
        files
    }

    #[test]
    fn what_is_packed_is_read_again() {
        let files = vec![("main.c".to_owned(), b"int main(void) {}\n".to_vec()), ("data/\u{e9}.txt".to_owned(), vec![0, 255, 10])];
        assert_eq!(read(&zip_of(&files)), files);
        assert_eq!(read(&zip_of(&vec![])), Files::new());
        let astray = vec![("..\\..\\x".to_owned(), vec![]), ("C:x\n".to_owned(), vec![])];
        assert_eq!(read(&zip_of(&astray)), [(".._.._x".to_owned(), vec![]), ("C_x_".to_owned(), vec![])]);
    }
}
