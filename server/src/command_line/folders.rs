//! `vivarium run --dir HOST::GUEST`: folders of this machine that a program is given, and nothing beyond them.
//!
//! Every path is resolved by cap-std, beneath the folder: neither `..` nor a symbolic link nor a rename meanwhile leads out. Parts: `folder`
//! and `file` are the machine's as the host functions see them, `errno` says how the machine refuses.

mod errno;
mod file;
mod folder;

use std::path::PathBuf;
use std::rc::Rc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use vivarium_abi::GivenFolder;

use super::failure::Failure;
use folder::HostFolder;

const FORM: &str = "write it as HOST::GUEST, a folder of this machine and the path under which the program finds it, or as HOST for both";

/// What `--dir` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    host: PathBuf,
    guest: String,
}

/// A folder of this machine, open.
#[derive(Debug)]
pub struct OpenedFolder {
    folder: Dir,
    guest: String,
}

impl Mapping {
    /// Reads `HOST::GUEST` or `HOST`.
    pub fn parse(text: &str) -> Result<Mapping, String> {
        let (host, guest) = text.split_once("::").unwrap_or((text, text));
        if host.is_empty() || guest.is_empty() { Err(FORM.into()) } else { Ok(Mapping { host: host.into(), guest: guest.into() }) }
    }
}

/// Opens them all, or says which one cannot be given.
pub fn open_all(mappings: &[Mapping]) -> Result<Vec<OpenedFolder>, Failure> {
    let mut opened: Vec<OpenedFolder> = Vec::new();
    for Mapping { host, guest } in mappings {
        if opened.iter().any(|other| other.guest == *guest) {
            return Err(Failure::usage(format!("two folders are given as {guest:?}: give one of them another path with HOST::GUEST")));
        }
        let folder = Dir::open_ambient_dir(host, ambient_authority())
            .map_err(|error| Failure::usage(format!("cannot give the folder {} to the program: {error}", host.display())))?;
        opened.push(OpenedFolder { folder, guest: guest.clone() });
    }
    Ok(opened)
}

/// As a program is given them.
pub fn given(opened: Vec<OpenedFolder>) -> Vec<GivenFolder> {
    opened.into_iter().map(|OpenedFolder { folder, guest }| GivenFolder { path: guest, folder: Rc::new(HostFolder::new(folder)) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_has_two_sides() {
        let check = |text: &str, host: &str, guest: &str| {
            assert_eq!(Mapping::parse(text), Ok(Mapping { host: host.into(), guest: guest.into() }), "{text}");
        };
        check("data::/data", "data", "/data");
        check(".", ".", ".");
        check("/a:b::c::d", "/a:b", "c::d");
        for text in ["", "::", "a::", "::b"] {
            assert_eq!(Mapping::parse(text), Err(FORM.into()), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_given_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let mapping = |name: &str, guest: &str| Mapping { host: folder.path().join(name), guest: guest.into() };
        let refused = |mappings: &[Mapping]| format!("{:?}", open_all(mappings).map(drop).unwrap_err());
        assert!(refused(&[mapping("nothing", "/a")]).contains("nothing to the program: No such file"));
        assert!(refused(&[mapping("file", "/a")]).contains("file to the program: Not a directory"));
        assert!(refused(&[mapping(".", "/a"), mapping(".", "/a")]).contains("two folders are given as"));
        assert_eq!(open_all(&[mapping(".", "/a"), mapping(".", "/b")]).map(|opened| opened.len()).unwrap_or_default(), 2);
    }
}
