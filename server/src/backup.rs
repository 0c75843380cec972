//! A copy of what is kept, in one tar file: the database as of one moment, then the blobs, then the key that signs artifacts. Artifacts are made again.
//!
//! A server may be at work meanwhile. Blobs are durable before a row names them, so the copy lacks none that anything still needs when the backup ends.
//! What is removed while it runs (a revision, a share, a deployment) may be swept before its blobs are read: the copy then has its row without them.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use thiserror::Error;

use crate::data_folder::DataFolder;
use crate::workshop::database::{Database, DatabaseError};

/// It holds secrets of deployments, and the key.
const MODE: u32 = 0o600;

#[derive(Debug, Error)]
pub enum BackupError {
    #[error("there is nothing to back up: {0} is no data folder of Vivarium, give another with --data")]
    Nothing(String),
    #[error("the database cannot be copied: {0}")]
    Database(#[from] DatabaseError),
    #[error("the backup cannot be written: {0}")]
    Io(#[from] io::Error),
}

/// What a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    pub blobs: usize,
    /// Of the file.
    pub bytes: u64,
}

/// Writes the file, which appears when it is complete; one of that name is replaced then. Unpacked into an empty folder it is a data folder.
pub fn write(folder: &DataFolder, to: &Path) -> Result<Written, BackupError> {
    if !folder.database().is_file() {
        return Err(BackupError::Nothing(folder.root().display().to_string()));
    }
    let beside = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let place = tempfile::Builder::new().prefix(".vivarium-backup.").tempdir_in(beside)?;
    let database = place.path().join("vivarium.sqlite");
    Database::copy(&folder.database(), &database)?;
    let file = tempfile::Builder::new().prefix(".vivarium-backup.").permissions(Permissions::from_mode(MODE)).tempfile_in(beside)?;
    let mut archive = tar::Builder::new(io::BufWriter::new(file.as_file()));
    archive.append_path_with_name(&database, "vivarium.sqlite")?;
    let blobs = append_blobs(&mut archive, &folder.blobs())?;
    let key = folder.root().join("signing.key");
    if key.is_file() {
        archive.append_path_with_name(key, "signing.key")?;
    }
    archive.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    let bytes = file.as_file().metadata()?.len();
    file.persist(to).map_err(|error| error.error)?;
    File::open(beside)?.sync_all()?;
    Ok(Written { blobs, bytes })
}

/// Files that are complete: what is being written has another name.
fn append_blobs(archive: &mut tar::Builder<impl io::Write>, folder: &Path) -> io::Result<usize> {
    let mut count = 0;
    for shelf in fs::read_dir(folder)? {
        let shelf = shelf?;
        if !shelf.file_type()?.is_dir() {
            continue;
        }
        for blob in fs::read_dir(shelf.path())? {
            let blob = blob?;
            let name = blob.file_name();
            if name.to_string_lossy().starts_with('.') {
                continue;
            }
            match File::open(blob.path()) {
                Ok(mut file) => archive.append_file(Path::new("blobs").join(shelf.file_name()).join(name), &mut file)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            }
            count += 1;
        }
    }
    Ok(count)
}
