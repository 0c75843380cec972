//! The data folder: where everything is kept, one server at a time, and the key that signs artifacts.
//!
//! ```text
//! DATA/lock             held by the server that uses the folder
//! DATA/signing.key      Ed25519 seed, 32 bytes, mode 0600, made at first start
//! DATA/vivarium.sqlite  deployments and revisions
//! DATA/blobs/ab/ab34…   sources and wasm by SHA-256: durable
//! DATA/artifacts/…      compiled again when missing: a cache
//! DATA/owner_tokens.json  tokens of deployments that commands made here
//! DATA/toolchains/      made by the set-up, unless VIVARIUM_TOOLCHAINS names another folder
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use thiserror::Error;

const KEY_BYTES: usize = 32;
const FOLDER_MODE: u32 = 0o700;
const KEY_MODE: u32 = 0o600;

/// Why a data folder cannot be used.
#[derive(Debug, Error)]
pub enum DataFolderError {
    #[error("no data folder is known: give --data DIR, or set VIVARIUM_DATA or HOME")]
    NoPlace,
    #[error("the data folder {} is in use by another Vivarium server: stop that one, or give another folder with --data", .0.display())]
    InUse(PathBuf),
    #[error("the signing key {} is damaged (it should be 32 bytes): restore it, or delete it and every artifact is compiled again", .0.display())]
    KeyDamaged(PathBuf),
    #[error("the signing key {} can be read by others: run chmod 600 on it, or delete it if others may have copied it", .0.display())]
    KeyExposed(PathBuf),
    #[error("cannot {what} {}: {error}", .path.display())]
    Io { what: &'static str, path: PathBuf, error: io::Error },
}

/// The paths of one data folder. Any number of processes may hold one; [`DataFolder::lock`] makes one of them the server.
#[derive(Clone, Debug)]
pub struct DataFolder {
    root: PathBuf,
}

/// Holds the folder for one server; dropping it, or the end of the process, lets go.
#[derive(Debug)]
pub struct DataFolderLock {
    _file: File,
}

impl DataFolder {
    /// `--data`, else VIVARIUM_DATA, else XDG_DATA_HOME/vivarium, else ~/.local/share/vivarium.
    pub fn place(option: Option<PathBuf>) -> Result<PathBuf, DataFolderError> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        option
            .or_else(|| variable("VIVARIUM_DATA"))
            .or_else(|| variable("XDG_DATA_HOME").map(|home| home.join("vivarium")))
            .or_else(|| variable("HOME").map(|home| home.join(".local/share/vivarium")))
            .ok_or(DataFolderError::NoPlace)
    }

    /// Makes the folder and its parts where they are missing.
    pub fn open(root: &Path) -> Result<DataFolder, DataFolderError> {
        let root = std::path::absolute(root).map_err(|error| io_error("use", root, error))?;
        let folder = DataFolder { root };
        for path in [folder.root.clone(), folder.blobs(), folder.artifacts()] {
            make_folder(&path).map_err(|error| io_error("make", &path, error))?;
        }
        Ok(folder)
    }

    /// Makes this process the folder's server.
    pub fn lock(&self) -> Result<DataFolderLock, DataFolderError> {
        let path = self.root.join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(KEY_MODE).open(&path);
        let file = file.map_err(|error| io_error("open", &path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(DataFolderLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(DataFolderError::InUse(self.root.clone())),
            Err(TryLockError::Error(error)) => Err(io_error("lock", &path, error)),
        }
    }

    /// The key that signs artifacts; made here the first time, whichever process comes first.
    pub fn signing_key(&self) -> Result<SigningKey, DataFolderError> {
        let path = self.root.join("signing.key");
        match read_key(&path) {
            Err(DataFolderError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                make_key(&self.root, &path)?;
                read_key(&path)
            }
            result => result,
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn database(&self) -> PathBuf {
        self.root.join("vivarium.sqlite")
    }

    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    pub fn artifacts(&self) -> PathBuf {
        self.root.join("artifacts")
    }

    /// Where the toolchains are: VIVARIUM_TOOLCHAINS, else a part of this folder.
    pub fn toolchains(&self) -> PathBuf {
        let named = std::env::var_os("VIVARIUM_TOOLCHAINS").filter(|value| !value.is_empty());
        named.map_or_else(|| self.root.join("toolchains"), PathBuf::from)
    }
}

/// Makes a folder, and those above it, as durable as what will be in it.
fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        make_folder(above)?;
    }
    match fs::DirBuilder::new().mode(FOLDER_MODE).create(path) {
        // Another process was first; it syncs as well.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => path.parent().map_or(Ok(()), |above| File::open(above)?.sync_all()),
    }
}

fn read_key(path: &Path) -> Result<SigningKey, DataFolderError> {
    let mut file = File::open(path).map_err(|error| io_error("read", path, error))?;
    let mode = file.metadata().map_err(|error| io_error("read", path, error))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(DataFolderError::KeyExposed(path.to_owned()));
    }
    let mut bytes = Vec::with_capacity(KEY_BYTES + 1);
    io::Read::take(&mut file, KEY_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|error| io_error("read", path, error))?;
    let seed: [u8; KEY_BYTES] = bytes.try_into().map_err(|_| DataFolderError::KeyDamaged(path.to_owned()))?;
    Ok(SigningKey::from_bytes(&seed))
}

/// A link fails where the name is taken, so of two processes that make a key at once one loses and both read the same.
fn make_key(root: &Path, path: &Path) -> Result<(), DataFolderError> {
    let mut seed = [0; KEY_BYTES];
    getrandom::fill(&mut seed).map_err(|error| io_error("make", path, io::Error::other(error)))?;
    let write = || -> io::Result<()> {
        let mut file =
            tempfile::Builder::new().prefix("signing.key.").permissions(fs::Permissions::from_mode(KEY_MODE)).tempfile_in(root)?;
        file.write_all(&seed)?;
        file.as_file().sync_all()?;
        match fs::hard_link(file.path(), path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        File::open(root)?.sync_all()
    };
    write().map_err(|error| io_error("write", path, error))
}

fn io_error(what: &'static str, path: &Path, error: io::Error) -> DataFolderError {
    DataFolderError::Io { what, path: path.to_owned(), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(place.path()).unwrap();
        let lock = folder.lock().unwrap();
        let refused = folder.lock().unwrap_err();
        assert!(refused.to_string().contains("in use by another Vivarium server"), "{refused}");
        drop(lock);
        folder.lock().unwrap();
    }

    #[test]
    fn the_key_is_made_once_and_readable_by_its_owner_alone() {
        let place = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(&place.path().join("a/b")).unwrap();
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let folder = folder.clone();
                std::thread::spawn(move || folder.signing_key().unwrap().to_bytes())
            })
            .collect();
        let keys: std::collections::HashSet<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(keys.len(), 1);
        let path = folder.root().join("signing.key");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, KEY_MODE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(folder.signing_key(), Err(DataFolderError::KeyExposed(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, b"short").unwrap();
        assert!(matches!(folder.signing_key(), Err(DataFolderError::KeyDamaged(_))));
    }
}
