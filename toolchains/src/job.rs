//! The folder of one compiler process: `src`, which it reads, and `out`, which it writes. Made afresh, removed on drop, whatever happened.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::BuildError;
use crate::jail::{ORDINARY_UID, is_root, root_of};

/// A folder that is older than this and that no process has locked was left by a server that was killed.
const ABANDONED_AFTER: Duration = Duration::from_secs(60);
/// Random characters in a job's name: compilers cannot list the folder of jobs, and must not guess.
const NAME_CHARACTERS: usize = 20;

/// One job's folder, inside the toolchain root, where both walls can show it to a compiler.
#[derive(Debug)]
pub(crate) struct JobFolder {
    folder: tempfile::TempDir,
    /// Locked for as long as this lives; the system unlocks it for a server that is killed.
    _in_use: File,
}

impl JobFolder {
    pub fn create(toolchains: &Path) -> Result<JobFolder, BuildError> {
        let parent = jobs_of(toolchains);
        JobFolder::make(&parent)
            .map_err(|error| BuildError::Io { what: format!("cannot make a job's folder in {}", parent.display()), error })
    }

    /// Where the server is root, sources stay root's, readable to the ordinary user's group, and only `out` is that user's.
    fn make(parent: &Path) -> io::Result<JobFolder> {
        let folder = tempfile::Builder::new().prefix("job-").rand_bytes(NAME_CHARACTERS).tempdir_in(parent)?;
        let in_use = File::open(folder.path())?;
        in_use.lock_shared()?;
        for name in ["src", "out"] {
            DirBuilder::new().mode(0o700).create(folder.path().join(name))?;
        }
        if is_root() {
            for path in [folder.path().to_owned(), folder.path().join("src")] {
                chown(&path, None, Some(ORDINARY_UID))?;
                fs::set_permissions(&path, Permissions::from_mode(0o750))?;
            }
            chown(folder.path().join("out"), Some(ORDINARY_UID), Some(ORDINARY_UID))?;
        }
        Ok(JobFolder { folder, _in_use: in_use })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder's name in the folder of jobs.
    pub fn name(&self) -> String {
        self.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Writes source files; the names are those of a checked source tree.
    pub fn write_sources(&self, files: &BTreeMap<String, String>) -> Result<(), BuildError> {
        self.write_all("src", files).map_err(|error| BuildError::Io { what: "cannot write the sources".to_owned(), error })
    }

    /// Writes one more file beside the sources.
    pub fn write_input(&self, name: &str, bytes: &[u8]) -> Result<(), BuildError> {
        let path = self.path().join("src").join(name);
        let written = fs::write(&path, bytes).and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o644)));
        written.map_err(|error| BuildError::Io { what: format!("cannot write {name}"), error })
    }

    /// Writes files that a tool may change where they are; the names are those of a checked source tree.
    pub fn write_outputs(&self, files: &BTreeMap<String, String>) -> Result<(), BuildError> {
        let written = self.write_all("out", files).and_then(|()| self.give_away(&self.path().join("out")));
        written.map_err(|error| BuildError::Io { what: "cannot write the files to lay out".to_owned(), error })
    }

    /// Makes all that is in a folder the compiler's, where that is another user. Nothing but ours has written there yet.
    fn give_away(&self, folder: &Path) -> io::Result<()> {
        if !is_root() {
            return Ok(());
        }
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            chown(&path, Some(ORDINARY_UID), Some(ORDINARY_UID))?;
            if path.is_dir() {
                self.give_away(&path)?;
            }
        }
        Ok(())
    }

    fn write_all(&self, folder: &str, files: &BTreeMap<String, String>) -> io::Result<()> {
        let folder = self.path().join(folder);
        for (name, text) in files {
            let path = folder.join(name);
            if let Some(folder) = path.parent() {
                // The folders above were made for this user alone; these inherit that.
                DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
            }
            fs::write(&path, text)?;
            fs::set_permissions(&path, Permissions::from_mode(0o644))?;
        }
        Ok(())
    }

    /// Whether the compiler left a file of that name.
    pub fn has_output(&self, name: &str) -> bool {
        self.path().join("out").join(name).symlink_metadata().is_ok()
    }

    /// Forgets an output; one that is not there is no trouble.
    pub fn remove_output(&self, name: &str) {
        let _ = fs::remove_file(self.path().join("out").join(name));
    }

    /// The file that the compiler wrote: a plain one, with one name, no longer than the limit. Call it when no process is left.
    pub fn read_output(&self, name: &str, bytes_max: usize) -> Result<Vec<u8>, BuildError> {
        let bytes = self.read_text(name, bytes_max)?;
        if bytes.is_empty() { Err(BuildError::OutputMissing) } else { Ok(bytes) }
    }

    /// As [`JobFolder::read_output`], of a file that may be empty and lie in folders, which must be plain ones: a link could lead out of the job.
    pub fn read_text(&self, name: &str, bytes_max: usize) -> Result<Vec<u8>, BuildError> {
        let out = self.path().join("out");
        let folders = Path::new(name).ancestors().skip(1).filter(|folder| *folder != Path::new(""));
        for folder in folders {
            let metadata = out.join(folder).symlink_metadata().map_err(|_| BuildError::OutputMissing)?;
            if !metadata.file_type().is_dir() {
                return Err(BuildError::OutputRefused);
            }
        }
        let path = out.join(name);
        let metadata = path.symlink_metadata().map_err(|_| BuildError::OutputMissing)?;
        if !metadata.file_type().is_file() || metadata.nlink() != 1 {
            return Err(BuildError::OutputRefused);
        }
        if metadata.len() > bytes_max as u64 {
            return Err(BuildError::WasmTooLarge { bytes: metadata.len(), wasm_bytes_max: bytes_max });
        }
        let mut bytes = Vec::with_capacity(metadata.len() as usize);
        let read = File::open(&path).and_then(|file| file.take(bytes_max as u64).read_to_end(&mut bytes));
        read.map_err(|error| BuildError::Io { what: "cannot read the compiler's output".to_owned(), error })?;
        Ok(bytes)
    }
}

/// Removes folders that a server left when it was killed. What cannot be removed is left for the next time.
pub(crate) fn remove_abandoned(toolchains: &Path) {
    let Ok(entries) = fs::read_dir(jobs_of(toolchains)) else { return };
    let old = |time: SystemTime| time.elapsed().is_ok_and(|age| age > ABANDONED_AFTER);
    for entry in entries.flatten() {
        let unlocked = || File::open(entry.path()).is_ok_and(|folder| folder.try_lock().is_ok());
        if entry.metadata().and_then(|metadata| metadata.modified()).is_ok_and(old) && unlocked() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn jobs_of(toolchains: &Path) -> PathBuf {
    root_of(toolchains).join("job")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn job() -> (tempfile::TempDir, JobFolder) {
        let toolchains = tempfile::tempdir().unwrap();
        fs::create_dir_all(jobs_of(toolchains.path())).unwrap();
        let job = JobFolder::create(toolchains.path()).unwrap();
        (toolchains, job)
    }

    #[test]
    fn only_a_plain_file_within_the_limit_is_an_output() {
        let (_toolchains, job) = job();
        let out = job.path().join("out");
        fs::write(out.join("plain"), "1234").unwrap();
        symlink("/etc/passwd", out.join("link")).unwrap();
        fs::write(out.join("twice"), "1").unwrap();
        fs::hard_link(out.join("twice"), out.join("again")).unwrap();
        fs::create_dir(out.join("folder")).unwrap();
        fs::write(out.join("empty"), "").unwrap();
        assert_eq!(job.read_output("plain", 4).unwrap(), b"1234");
        assert!(matches!(job.read_output("plain", 3), Err(BuildError::WasmTooLarge { bytes: 4, wasm_bytes_max: 3 })));
        for refused in ["link", "twice", "folder"] {
            assert!(matches!(job.read_output(refused, 9), Err(BuildError::OutputRefused)), "{refused}");
        }
        symlink("/etc", out.join("way")).unwrap();
        assert!(matches!(job.read_text("way/passwd", 9_999), Err(BuildError::OutputRefused)));
        assert!(job.read_text("empty", 9).unwrap().is_empty());
        for missing in ["empty", "absent"] {
            assert!(matches!(job.read_output(missing, 9), Err(BuildError::OutputMissing)), "{missing}");
        }
    }

    #[test]
    fn only_folders_that_nobody_uses_are_abandoned() {
        let (toolchains, job) = job();
        let left = jobs_of(toolchains.path()).join("job-left");
        fs::create_dir(&left).unwrap();
        let long_ago = SystemTime::now() - 2 * ABANDONED_AFTER;
        for folder in [job.path(), &left] {
            File::open(folder).unwrap().set_modified(long_ago).unwrap();
        }
        remove_abandoned(toolchains.path());
        assert!(job.path().exists() && !left.exists());
    }

    #[test]
    fn the_folder_goes_with_the_job() {
        let (toolchains, job) = job();
        job.write_sources(&BTreeMap::from([("a/b.c".to_owned(), "x".to_owned())])).unwrap();
        assert_eq!(fs::read_to_string(job.path().join("src/a/b.c")).unwrap(), "x");
        drop(job);
        assert_eq!(fs::read_dir(jobs_of(toolchains.path())).unwrap().count(), 0);
    }
}
