//! Bounds what a compiler leaves in its output folder, all files together. The system bounds one file only, so the folder is counted
//! while the process runs; between two counts it can pass the bound by what a disk takes in that time.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::BuildError;
use crate::job::JobFolder;

/// All files of one job's output together. A Rust build has some MB.
const FOLDER_BYTES_MAX: u64 = 256 << 20;
/// Files and folders of one job's output. A Rust build has some tens.
const FOLDER_FILES_MAX: usize = 1024;
/// Time between two counts.
const COUNT_EVERY: Duration = Duration::from_millis(100);

/// Watches the output folder of one job.
#[derive(Debug)]
pub(crate) struct OutputGuard {
    folder: PathBuf,
    counted: Instant,
}

impl OutputGuard {
    pub fn new(job: &JobFolder) -> OutputGuard {
        OutputGuard { folder: job.path().join("out"), counted: Instant::now() }
    }

    /// Counts, if it is time to; passing a bound is an error, and so is a folder that hides what is in it.
    pub fn check(&mut self) -> Result<(), BuildError> {
        if self.counted.elapsed() < COUNT_EVERY {
            return Ok(());
        }
        let within = is_within(&self.folder, FOLDER_BYTES_MAX, FOLDER_FILES_MAX);
        self.counted = Instant::now();
        if within {
            return Ok(());
        }
        Err(BuildError::FolderTooLarge { folder_bytes_max: FOLDER_BYTES_MAX, folder_files_max: FOLDER_FILES_MAX })
    }
}

/// Ends as soon as a bound is passed. Sizes are those of the disk: a file with holes is as small as it is.
fn is_within(folder: &Path, bytes_max: u64, files_max: usize) -> bool {
    let (mut bytes, mut files) = (0, 0);
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if went_away(&error) => continue,
            Err(_) => return false,
        };
        for entry in entries.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            files += 1;
            bytes += std::os::unix::fs::MetadataExt::blocks(&metadata) * 512;
            if bytes > bytes_max || files > files_max {
                return false;
            }
            if metadata.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    true
}

/// Compilers remove their temporary files meanwhile.
fn went_away(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_all_folders_are_counted_and_links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("leaf"), vec![1; 100_000]).unwrap();
        fs::File::create(folder.path().join("leaf")).unwrap().sync_all().unwrap();
        std::os::unix::fs::symlink("/usr", folder.path().join("link")).unwrap();
        fs::File::open(inner.join("leaf")).unwrap().sync_all().unwrap();
        assert!(is_within(folder.path(), 200_000, 5));
        assert!(!is_within(folder.path(), 200_000, 4));
        assert!(!is_within(folder.path(), 90_000, 5));
    }

    #[test]
    fn a_folder_that_went_away_has_nothing_in_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(is_within(&folder.path().join("absent"), 0, 0));
    }
}
