//! Paths in memory: their parts, and the walk from a folder to where they lead.

use super::Errno;

/// Longest path and longest content of a symbolic link, in bytes, as Linux has it (`PATH_MAX`).
pub(crate) const PATH_BYTES_MAX: usize = 4096;
/// Longest name of a file, in bytes (`NAME_MAX`).
pub(crate) const NAME_BYTES_MAX: usize = 255;
/// How many symbolic links one path may lead through.
pub(crate) const SYMLINKS_MAX: u32 = 40;

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Up,
    Into(String),
}

/// A path in parts. Empty steps and `.` are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Steps {
    pub(super) steps: Vec<Step>,
    /// It ends in a slash or a dot: what it names must be a folder.
    pub(super) folder: bool,
}

/// Takes a path apart. Absolute paths lead out of every folder.
pub(super) fn parse(path: &str) -> Result<Steps, Errno> {
    if path.is_empty() {
        return Err(Errno::Noent);
    }
    if path.len() > PATH_BYTES_MAX {
        return Err(Errno::Nametoolong);
    }
    if path.contains('\0') {
        return Err(Errno::Inval);
    }
    if path.starts_with('/') {
        return Err(Errno::Notcapable);
    }
    let mut steps = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => steps.push(Step::Up),
            name if name.len() > NAME_BYTES_MAX => return Err(Errno::Nametoolong),
            name => steps.push(Step::Into(name.to_owned())),
        }
    }
    let folder = matches!(path.rsplit('/').next(), Some("" | "." | ".."));
    Ok(Steps { steps, folder })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn into(name: &str) -> Step {
        Step::Into(name.into())
    }

    #[test]
    fn paths_come_apart() {
        let table = [
            ("a", vec![into("a")], false),
            ("a/b", vec![into("a"), into("b")], false),
            ("a//./b/", vec![into("a"), into("b")], true),
            (".", vec![], true),
            ("a/..", vec![into("a"), Step::Up], true),
            ("..a/...", vec![into("..a"), into("...")], false),
        ];
        for (path, steps, folder) in table {
            assert_eq!(parse(path), Ok(Steps { steps, folder }), "{path}");
        }
    }

    #[test]
    fn paths_that_name_nothing_are_refused() {
        let long = "n".repeat(NAME_BYTES_MAX + 1);
        let table = [
            ("", Errno::Noent),
            ("/", Errno::Notcapable),
            ("/etc/passwd", Errno::Notcapable),
            ("a\0b", Errno::Inval),
            (long.as_str(), Errno::Nametoolong),
            (&"a/".repeat(PATH_BYTES_MAX), Errno::Nametoolong),
        ];
        for (path, errno) in table {
            assert_eq!(parse(path), Err(errno), "{path:.20}");
        }
    }
}
