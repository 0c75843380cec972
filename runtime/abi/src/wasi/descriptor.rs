//! Descriptors: the three standard streams, and files and folders that the program opened.
//!
//! The folders given beforehand are made when a program first asks for a descriptor above the streams: most never do. They are those of
//! whoever runs the program, then `/` and `/tmp`, unless one of the former stands for them.

use std::rc::Rc;

use super::rights::Rights;
use super::{Errno, rights};
use crate::files::{File, Folder, MemoryFolder, Scratch};
use crate::host::Host;

/// How many descriptors may be open at once, the standard streams included.
const DESCRIPTORS_MAX: usize = 1024;
/// The first descriptor that is no standard stream.
const FIRST_FREE: usize = 3;

/// A standard stream; its number is its first descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standard {
    Input = 0,
    Output = 1,
    Error = 2,
}

/// What a descriptor stands for.
#[derive(Debug)]
pub(crate) enum Object {
    Standard(Standard),
    File(OpenFile),
    Folder(OpenFolder),
}

#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) file: Box<dyn File>,
    /// Where the next read or write begins, in bytes.
    pub(crate) position: u64,
}

#[derive(Debug)]
pub(crate) struct OpenFolder {
    pub(crate) folder: Rc<dyn Folder>,
    /// The path by which the program knows a folder that it was given.
    pub(crate) given_as: Option<Rc<str>>,
}

#[derive(Debug)]
pub(crate) struct Descriptor {
    pub(crate) object: Object,
    /// `fdflags`.
    pub(crate) flags: u16,
    pub(crate) rights: Rights,
}

/// The open descriptors of an instance.
#[derive(Debug)]
pub(crate) struct Descriptors {
    open: Vec<Option<Descriptor>>,
    /// Whether the given folders were made.
    given: bool,
    /// Made with them.
    scratch: Option<Rc<Scratch>>,
}

impl Default for Descriptors {
    fn default() -> Descriptors {
        let stream = |stream| Some(Descriptor { object: Object::Standard(stream), flags: 0, rights: rights::of_stream(stream) });
        Descriptors { open: vec![stream(Standard::Input), stream(Standard::Output), stream(Standard::Error)], given: false, scratch: None }
    }
}

impl Descriptors {
    /// The standard stream that a descriptor stands for.
    pub(crate) fn stream(&self, fd: u32) -> Result<Standard, Errno> {
        match self.open.get(fd as usize) {
            Some(Some(Descriptor { object: Object::Standard(stream), .. })) => Ok(*stream),
            _ => Err(Errno::Badf),
        }
    }

    /// What the files that the program has made hold, in bytes.
    pub(crate) fn scratch_bytes(&self) -> u64 {
        self.scratch.as_ref().map_or(0, |scratch| scratch.used_bytes())
    }

    fn add(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        let free = self.open.iter().skip(FIRST_FREE).position(Option::is_none).map(|free| free + FIRST_FREE);
        let fd = free.unwrap_or(self.open.len());
        if fd >= DESCRIPTORS_MAX {
            return Err(Errno::Mfile);
        }
        match self.open.get_mut(fd) {
            Some(slot) => *slot = Some(descriptor),
            None => self.open.push(Some(descriptor)),
        }
        Ok(fd as u32)
    }
}

impl Host {
    pub(crate) fn descriptor(&mut self, fd: u32) -> Result<&mut Descriptor, Errno> {
        if fd as usize >= FIRST_FREE {
            self.give_folders()?;
        }
        self.descriptors.open.get_mut(fd as usize).and_then(Option::as_mut).ok_or(Errno::Badf)
    }

    /// An open folder; anything else is none.
    pub(crate) fn folder(&mut self, fd: u32) -> Result<(&mut OpenFolder, Rights), Errno> {
        let descriptor = self.descriptor(fd)?;
        match &mut descriptor.object {
            Object::Folder(folder) => Ok((folder, descriptor.rights)),
            Object::File(_) | Object::Standard(_) => Err(Errno::Notdir),
        }
    }

    /// Two open folders, which may be the same.
    pub(crate) fn two_folders(&mut self, first: u32, second: u32) -> Result<(&dyn Folder, &dyn Folder), Errno> {
        self.folder(first)?;
        self.folder(second)?;
        let folder = |fd: u32| match self.descriptors.open.get(fd as usize) {
            Some(Some(Descriptor { object: Object::Folder(open), .. })) => Ok(&*open.folder),
            _ => Err(Errno::Badf),
        };
        Ok((folder(first)?, folder(second)?))
    }

    pub(crate) fn open_descriptor(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        self.give_folders()?;
        self.descriptors.add(descriptor)
    }

    pub(crate) fn close_descriptor(&mut self, fd: u32) -> Result<(), Errno> {
        self.descriptor(fd)?;
        self.descriptors.open[fd as usize] = None;
        Ok(())
    }

    /// Moves a descriptor to the number of another one that is open, which is closed.
    pub(crate) fn renumber(&mut self, from: u32, to: u32) -> Result<(), Errno> {
        self.descriptor(from)?;
        self.descriptor(to)?;
        if from != to {
            self.descriptors.open[to as usize] = self.descriptors.open[from as usize].take();
        }
        Ok(())
    }

    fn give_folders(&mut self) -> Result<(), Errno> {
        if self.descriptors.given {
            return Ok(());
        }
        self.descriptors.given = true;
        let scratch = Rc::new(Scratch::new(self.limits.scratch_bytes_max, self.limits.scratch_nodes_max, self.clocks));
        self.descriptors.scratch = Some(scratch.clone());
        let root = MemoryFolder::root(&self.files, scratch.clone());
        let given = std::mem::take(&mut self.folders);
        let taken = |path: &str| given.iter().any(|given| stands_for(&given.path, path));
        let own: [(Rc<dyn Folder>, &str); 2] = [(Rc::new(root), "/"), (Rc::new(MemoryFolder::scratch(scratch)), "/tmp")];
        let own: Vec<_> = own.into_iter().filter(|(_, path)| !taken(path)).map(|(folder, path)| (folder, Rc::from(path))).collect();
        let given = given.into_iter().map(|given| (given.folder, Rc::from(given.path)));
        for (folder, path) in given.chain(own) {
            let object = Object::Folder(OpenFolder { folder, given_as: Some(path) });
            self.descriptors.add(Descriptor { object, flags: 0, rights: rights::OF_FOLDER })?;
        }
        Ok(())
    }
}

/// Whether paths that begin with `path` lead into a folder that was given as `given`: a libc takes `/x`, `x` and `./x` for the same.
fn stands_for(given: &str, path: &str) -> bool {
    let plain = |path: &str| path.split('/').filter(|part| !matches!(*part, "" | ".")).collect::<Vec<_>>().join("/");
    let given = plain(given);
    given.is_empty() || given == plain(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_given_as_the_root_stands_for_everything() {
        for (given, root, tmp) in [
            ("/", true, true),
            (".", true, true),
            ("./", true, true),
            ("/tmp", false, true),
            ("tmp/", false, true),
            ("/data", false, false),
            ("/tmp/x", false, false),
        ] {
            assert_eq!((stands_for(given, "/"), stands_for(given, "/tmp")), (root, tmp), "{given}");
        }
    }
}
