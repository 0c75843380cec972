// What Rust's library makes of a file system: the calls that programs really write.
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The number of the specification: the library has a kind for some only.
fn errno<T>(result: std::io::Result<T>) -> i32 {
    result.err().and_then(|error| error.raw_os_error()).expect("it is refused")
}

const EXIST: i32 = 20;
const ISDIR: i32 = 31;
const NOENT: i32 = 44;
const NOTDIR: i32 = 54;
const NOTEMPTY: i32 = 55;

fn main() {
    let root = Path::new("/tmp");
    fs::create_dir_all(root.join("a/b/c")).unwrap();
    fs::write(root.join("a/b/words"), "one two").unwrap();
    let mut file = OpenOptions::new().read(true).append(true).open(root.join("a/b/words")).unwrap();
    write!(file, " three").unwrap();
    file.seek(SeekFrom::Start(4)).unwrap();
    let mut rest = String::new();
    file.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "two three");
    assert_eq!(file.metadata().unwrap().len(), 13);
    file.set_len(3).unwrap();
    file.sync_all().unwrap();
    assert_eq!(fs::read(root.join("a/b/words")).unwrap(), b"one");

    fs::rename(root.join("a/b/words"), root.join("a/moved")).unwrap();
    fs::copy(root.join("a/moved"), root.join("a/copy")).unwrap();
    let mut names: Vec<_> = fs::read_dir(root.join("a")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["b", "copy", "moved"]);
    assert!(fs::metadata(root.join("a/b")).unwrap().is_dir() && !root.join("a/b/words").exists());

    assert_eq!(errno(File::open(root.join("nothing"))), NOENT);
    assert_eq!(errno(File::create_new(root.join("a/copy"))), EXIST);
    assert_eq!(errno(fs::remove_dir(root.join("a"))), NOTEMPTY);
    assert_eq!(errno(fs::read_dir(root.join("a/copy"))), NOTDIR);
    assert_eq!(errno(fs::write(root.join("a/b"), "")), ISDIR);
    assert!(fs::read("/etc/passwd").is_err() && fs::read("/tmp/../etc/passwd").is_err());

    let mut large = vec![0u8; 300_000];
    large.iter_mut().enumerate().for_each(|(at, byte)| *byte = at as u8);
    fs::write(root.join("large"), &large).unwrap();
    assert!(fs::read(root.join("large")).unwrap() == large);
    fs::remove_file(root.join("large")).unwrap();
    fs::remove_dir_all(root.join("a")).unwrap();
    assert_eq!(fs::read_dir(root).unwrap().count(), 0);
}
