//! Code of the languages' libraries, compiled once for a build of the compiler, a set of toolchains and a kind of processor, and given to every compile
//! worker: a program that nobody saw before finds its `printf` compiled.
//!
//! It is made of programs of this server's own, by workers that have seen no others, and nothing adds to it afterwards. It lies beside the toolchains,
//! whose libraries it is made of: `functions-<identity>.pack`. A file that is damaged, or that cannot be written, costs time only. One of which a
//! part could not be made is served and not kept: the next start tries again.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use vivarium_artifact::Setting;
use vivarium_compiler::Pack;
use vivarium_toolchains::{Cancel, Language, Toolchains, library};

use super::pool::{CompilePool, Job};
use crate::limits::Limits;

/// Packs of other builds that are kept: of a server that is about to be upgraded, or went back.
const PACKS_KEPT: usize = 8;
const PREFIX: &str = "functions-";
const SUFFIX: &str = ".pack";

/// Provides the workers with it: from its file, or made now. Blocks, for seconds when it has to be made.
pub fn provide(pool: &CompilePool, toolchains: &Toolchains, folder: &Path, limits: &Limits) {
    let Ok(identity) = identity(toolchains) else { return };
    let path = folder.join(format!("{PREFIX}{identity}{SUFFIX}"));
    let pack = read(&path).or_else(|| made_once(&path, || make(pool, toolchains, limits)));
    if let Some(pack) = pack {
        pool.share(pack.into());
    }
}

/// Changes with whatever would make other code, or other libraries.
fn identity(toolchains: &Toolchains) -> Result<String, vivarium_compiler::CompileError> {
    let mut digest = Sha256::new_with_prefix(vivarium_compiler::cache::host_identity()?);
    for language in [Language::C, Language::Cpp, Language::Rust] {
        digest.update(toolchains.version_key(language));
    }
    Ok(data_encoding::HEXLOWER.encode(&digest.finalize()[..8]))
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let bytes = fs::read(path).ok()?;
    Pack::read(bytes.clone()).map(|_| bytes)
}

/// Makes it, unless another server makes it meanwhile.
fn made_once(path: &Path, make: impl FnOnce() -> Option<Made>) -> Option<Vec<u8>> {
    let lock = File::create(path.with_extension("lock"));
    // Where there can be no lock there will be no file either.
    let _locked = lock.as_ref().is_ok_and(|lock| lock.lock().is_ok());
    if let Some(pack) = read(path) {
        return Some(pack);
    }
    let Made { pack, is_whole } = make()?;
    if is_whole && write(path, &pack).is_ok() {
        drop(forget_old(path));
    }
    Some(pack)
}

/// None when no library could be built.
fn make(pool: &CompilePool, toolchains: &Toolchains, limits: &Limits) -> Option<Made> {
    let mut made = Made { pack: Vec::new(), is_whole: true };
    for source in library::programs() {
        let built = toolchains.build(&source, &limits.build(), &Cancel::new());
        let compiled = built.ok().and_then(|report| report.wasm).and_then(|wasm| {
            let own_bytes_max = limits.library_cache_bytes_max as u64;
            let job = Job { wasm: &wasm.bytes, setting: Setting::Fast, own: &made.pack, own_bytes_max };
            pool.compile_in_background(job, &Cancel::new()).ok()
        });
        match compiled {
            Some(compiled) => made.pack = compiled.own.unwrap_or(made.pack),
            None => made.is_whole = false,
        }
    }
    (!made.pack.is_empty()).then_some(made)
}

/// What [`make`] made.
struct Made {
    pack: Vec<u8>,
    /// Whether every program of the library is in it.
    is_whole: bool,
}

fn write(path: &Path, pack: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::NotFound)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(pack)?;
    file.persist(path)?;
    Ok(())
}

/// Removes the oldest packs of other builds.
fn forget_old(path: &Path) -> io::Result<()> {
    let mut packs: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(path.parent().ok_or(io::ErrorKind::NotFound)?)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) && entry.path() != path {
            packs.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    packs.sort();
    let gone = packs.len().saturating_sub(PACKS_KEPT);
    packs[..gone].iter().try_for_each(|(_, path)| fs::remove_file(path))
}

#[cfg(test)]
mod tests {
    use vivarium_compiler::PackBounds;

    use super::*;

    fn pack(key: u8) -> Vec<u8> {
        Pack::of([([key; 32], &b"code"[..])], PackBounds { entries_max: 9, bytes_max: 1000 }).bytes().to_vec()
    }

    #[test]
    fn it_is_made_once_and_again_when_it_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("functions-1.pack");
        let whole = |key| Some(Made { pack: pack(key), is_whole: true });
        assert_eq!(made_once(&path, || Some(Made { pack: pack(9), is_whole: false })), Some(pack(9)));
        assert_eq!(read(&path), None, "a part is not kept");
        assert_eq!(made_once(&path, || whole(1)), Some(pack(1)));
        assert_eq!(made_once(&path, || panic!("it is there")), Some(pack(1)));
        let mut damaged = pack(1);
        damaged[20] ^= 1;
        fs::write(&path, damaged).unwrap();
        assert_eq!(made_once(&path, || whole(2)), Some(pack(2)));
        assert_eq!(read(&path), Some(pack(2)));
        assert_eq!(made_once(&folder.path().join("absent/functions-1.pack"), || whole(3)), Some(pack(3)), "it cannot be kept");
    }

    #[test]
    fn packs_of_a_few_builds_stay() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..PACKS_KEPT + 5 {
            let path = folder.path().join(format!("functions-{number}.pack"));
            write(&path, &pack(1)).unwrap();
            let age = std::time::Duration::from_secs(100 - number as u64);
            File::options().write(true).open(&path).unwrap().set_modified(SystemTime::now() - age).unwrap();
        }
        let newest = folder.path().join(format!("functions-{}.pack", PACKS_KEPT + 4));
        forget_old(&newest).unwrap();
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert!(left == PACKS_KEPT + 1 && newest.exists() && !folder.path().join("functions-3.pack").exists(), "{left}");
    }
}
