//! Content-addressed files: sources and wasm, by the SHA-256 of their bytes, as durable as the disk.
//!
//! A blob is written to a temporary file, fsynced, renamed, and its folder fsynced, before a row names it and before anybody is told. A
//! crash between two steps leaves a file that no row names; [`Blobs::sweep`] removes it. A file that the disk damaged is written again by
//! whoever puts the same bytes.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

const TEMPORARY_PREFIX: &str = ".new-";
/// A folder for each first byte of a hash.
const SHELVES: usize = 256;

/// The name of a blob: the SHA-256 of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobHash(pub [u8; 32]);

impl BlobHash {
    pub fn of(bytes: &[u8]) -> BlobHash {
        BlobHash(Sha256::digest(bytes).into())
    }

    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<BlobHash> {
        HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok().map(BlobHash)
    }
}

impl fmt::Display for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Debug, Error)]
pub enum BlobError {
    #[error(
        "what is stored would pass the limit blob_bytes_max of {blob_bytes_max} bytes: stop deployments that are not needed, or wait until some expire"
    )]
    QuotaReached { blob_bytes_max: u64 },
    #[error("the disk of the data folder is full: make room; what is deployed goes on answering")]
    DiskFull,
    #[error("the stored file {0} is damaged: its content does not have the hash that is its name")]
    Damaged(BlobHash),
    #[error("cannot {what} the stored file {hash}: {error}")]
    Io { what: &'static str, hash: BlobHash, error: io::Error },
}

/// The folder of blobs. Every call blocks on the disk.
#[derive(Debug)]
pub struct Blobs {
    folder: PathBuf,
    bytes: AtomicU64,
    blob_bytes_max: u64,
    /// One for each shelf: who writes there is alone, so that nothing is counted twice.
    writing: Vec<Mutex<()>>,
}

impl Blobs {
    /// Counts what is there, so that the quota holds from the start.
    pub fn open(folder: PathBuf, blob_bytes_max: u64) -> io::Result<Blobs> {
        let bytes = files(&folder)?.iter().map(|file| file.bytes).sum();
        let writing = (0..SHELVES).map(|_| Mutex::default()).collect();
        Ok(Blobs { folder, bytes: AtomicU64::new(bytes), blob_bytes_max, writing })
    }

    /// Makes the bytes durable under their hash.
    pub fn put(&self, bytes: &[u8]) -> Result<BlobHash, BlobError> {
        let hash = BlobHash::of(bytes);
        let path = self.path(hash);
        let failed = |what| move |error: io::Error| io_error(what, hash, error);
        let _alone = self.writing[usize::from(hash.0[0])].lock().unwrap_or_else(PoisonError::into_inner);
        let shelf = self.make_shelf(&path).map_err(failed("make a folder for"))?;
        let found_bytes = stored_bytes(&path).map_err(failed("read"))?;
        // A file of the right length is read: its content may be damaged all the same.
        let sound = found_bytes == Some(bytes.len() as u64) && fs::read(&path).is_ok_and(|found| found == bytes);
        if !sound {
            self.write(&shelf, &path, bytes, found_bytes.unwrap_or(0)).map_err(|error| match error {
                WriteError::Quota(error) => error,
                WriteError::Io(error) => io_error("write", hash, error),
            })?;
        }
        // Also where it existed: whoever renamed it may have been cut off before this line.
        sync_folder(&shelf).map_err(failed("make durable"))?;
        Ok(hash)
    }

    /// Puts the bytes in the place of a file that took so many.
    fn write(&self, shelf: &Path, path: &Path, bytes: &[u8], replaced_bytes: u64) -> Result<(), WriteError> {
        let length = bytes.len() as u64;
        self.reserve(length).map_err(WriteError::Quota)?;
        let written = write_temporary(shelf, bytes).and_then(|temporary| temporary.persist(path).map_err(|error| error.error));
        let given_back = if written.is_ok() { replaced_bytes } else { length };
        self.bytes.fetch_sub(given_back.min(self.bytes()), Ordering::Relaxed);
        written.map(drop).map_err(WriteError::Io)
    }

    /// Reads and checks a blob.
    pub fn get(&self, hash: BlobHash) -> Result<Vec<u8>, BlobError> {
        let bytes = fs::read(self.path(hash)).map_err(|error| io_error("read", hash, error))?;
        if BlobHash::of(&bytes) != hash { Err(BlobError::Damaged(hash)) } else { Ok(bytes) }
    }

    /// Bytes of all blobs.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Removes blobs that nothing names, and what crashes left, once they are older than `age_min`. Nobody may be between
    /// [`Blobs::put`] and the commit of the row meanwhile: the caller holds such writers off.
    pub fn sweep(&self, named: &HashSet<BlobHash>, age_min: Duration) -> io::Result<usize> {
        let mut removed = 0;
        for file in files(&self.folder)? {
            let old = SystemTime::now().duration_since(file.modified).is_ok_and(|age| age >= age_min);
            if old && !file.hash.is_some_and(|hash| named.contains(&hash)) {
                fs::remove_file(&file.path)?;
                self.bytes.fetch_sub(file.bytes.min(self.bytes()), Ordering::Relaxed);
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn reserve(&self, bytes: u64) -> Result<(), BlobError> {
        let fits = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.blob_bytes_max);
        self.bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .map(drop)
            .map_err(|_| BlobError::QuotaReached { blob_bytes_max: self.blob_bytes_max })
    }

    fn path(&self, hash: BlobHash) -> PathBuf {
        let name = hash.to_string();
        self.folder.join(&name[..2]).join(name)
    }

    fn make_shelf(&self, path: &Path) -> io::Result<PathBuf> {
        let shelf = path.parent().unwrap_or(&self.folder).to_owned();
        match fs::create_dir(&shelf) {
            Ok(()) => sync_folder(&self.folder)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        Ok(shelf)
    }
}

enum WriteError {
    Quota(BlobError),
    Io(io::Error),
}

fn stored_bytes(path: &Path) -> io::Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(about) => Ok(Some(about.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write_temporary(shelf: &Path, bytes: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempfile_in(shelf)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn io_error(what: &'static str, hash: BlobHash, error: io::Error) -> BlobError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BlobError::DiskFull,
        _ => BlobError::Io { what, hash, error },
    }
}

struct StoredFile {
    path: PathBuf,
    /// None for what a crash left.
    hash: Option<BlobHash>,
    bytes: u64,
    modified: SystemTime,
}

fn files(folder: &Path) -> io::Result<Vec<StoredFile>> {
    let mut found = Vec::new();
    for shelf in fs::read_dir(folder)? {
        let shelf = shelf?;
        if !shelf.file_type()?.is_dir() {
            continue;
        }
        for entry in fs::read_dir(shelf.path())? {
            let entry = entry?;
            let about = entry.metadata()?;
            if about.is_file() {
                let hash = entry.file_name().to_str().and_then(BlobHash::parse);
                found.push(StoredFile { path: entry.path(), hash, bytes: about.len(), modified: about.modified()? });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blobs(max: u64) -> (tempfile::TempDir, Blobs) {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path().to_owned(), max).unwrap();
        (folder, blobs)
    }

    #[test]
    fn the_same_bytes_are_stored_once() {
        let (folder, blobs) = blobs(100);
        let hash = blobs.put(b"fern").unwrap();
        assert_eq!(blobs.put(b"fern").unwrap(), hash);
        assert_eq!((blobs.bytes(), files(folder.path()).unwrap().len()), (4, 1));
        assert_eq!(blobs.get(hash).unwrap(), b"fern");
        assert_eq!(BlobHash::parse(&hash.to_string()), Some(hash));
    }

    #[test]
    fn the_quota_names_itself_and_is_counted_again_at_the_next_start() {
        let (folder, blobs) = blobs(6);
        blobs.put(b"fern").unwrap();
        let refused = blobs.put(b"moss").unwrap_err();
        assert!(refused.to_string().contains("blob_bytes_max"), "{refused}");
        let again = Blobs::open(folder.path().to_owned(), 6).unwrap();
        assert_eq!(again.bytes(), 4);
        assert!(again.put(b"moss").is_err());
    }

    #[test]
    fn damage_is_noticed_and_mended_by_the_same_bytes() {
        let (_folder, blobs) = blobs(100);
        let hash = blobs.put(b"fern").unwrap();
        fs::write(blobs.path(hash), b"worm").unwrap();
        assert!(matches!(blobs.get(hash), Err(BlobError::Damaged(_))));
        for damaged in ["worm", "", "a longer worm"] {
            fs::write(blobs.path(hash), damaged).unwrap();
            let blobs = Blobs::open(blobs.folder.clone(), 100).unwrap();
            blobs.put(b"fern").unwrap();
            assert_eq!((blobs.get(hash).unwrap().as_slice(), blobs.bytes()), (b"fern".as_slice(), 4), "{damaged:?}");
        }
    }

    #[test]
    fn bytes_that_many_put_at_once_are_counted_once() {
        let (folder, blobs) = blobs(1_000);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..20_u8).for_each(|number| assert!(blobs.put(&[number; 10]).is_ok())));
            }
        });
        assert_eq!((blobs.bytes(), files(folder.path()).unwrap().len()), (200, 20));
    }

    #[test]
    fn what_a_crash_leaves_between_two_steps_is_swept_and_can_be_written_again() {
        let (folder, blobs) = blobs(100);
        let kept = blobs.put(b"kept").unwrap();
        // After the temporary file, before the rename.
        let (_file, left) = write_temporary(&folder.path().join(&kept.to_string()[..2]), b"half").unwrap().keep().unwrap();
        // After the rename, before the row.
        let unnamed = blobs.put(b"unnamed").unwrap();

        let blobs = Blobs::open(folder.path().to_owned(), 100).unwrap();
        let named = HashSet::from([kept]);
        assert_eq!(blobs.sweep(&named, Duration::from_secs(3600)).unwrap(), 0, "too young to be sure");
        assert_eq!(blobs.sweep(&named, Duration::ZERO).unwrap(), 2);
        assert!(!left.exists());
        assert!(blobs.get(unnamed).is_err());
        assert_eq!((blobs.get(kept).unwrap().as_slice(), blobs.bytes()), (b"kept".as_slice(), 4));
        blobs.put(b"unnamed").unwrap();
        assert_eq!(blobs.get(unnamed).unwrap(), b"unnamed");
    }
}
