//! The file system of one instance: the project's files, which nobody can change, and a scratch space under `tmp`, which ends with the
//! instance.
//!
//! ```text
//! /            project root, read-only
//! ├── …        the project's files
//! └── tmp/     scratch: bounded in bytes and in files
//! ```
//!
//! Parts: `node` holds what there is, `walk` finds where a path leads, `scratch` changes it; this file is both kinds as [`Folder`] and
//! [`File`].

mod node;
mod scratch;
#[cfg(test)]
mod tests;
mod walk;

use std::any::Any;
use std::rc::Rc;

use super::{Entry, Errno, File, FileKind, Folder, Metadata, OpenHow, Opened, ProjectFiles, Times};
use node::Node;
pub(crate) use scratch::Scratch;
use walk::{Last, walk};

/// An open folder of the project or of the scratch space.
#[derive(Debug)]
pub(crate) struct MemoryFolder {
    node: Node,
    scratch: Rc<Scratch>,
}

/// An open file of either.
#[derive(Debug)]
struct MemoryFile {
    node: Node,
    scratch: Rc<Scratch>,
}

impl MemoryFolder {
    /// The root: the project's files, and the scratch space as `tmp`.
    pub(crate) fn root(project: &ProjectFiles, scratch: Rc<Scratch>) -> MemoryFolder {
        MemoryFolder { node: Node::Project(project.root().clone()), scratch }
    }

    /// The scratch space alone.
    pub(crate) fn scratch(scratch: Rc<Scratch>) -> MemoryFolder {
        MemoryFolder { node: Node::Scratch(scratch.root().clone()), scratch }
    }

    /// The target of a rename or link, when it is a folder of the same file system.
    fn target(&self, target: &dyn Folder, path: &str) -> Result<walk::Place, Errno> {
        let target = target.as_any().downcast_ref::<MemoryFolder>().ok_or(Errno::Xdev)?;
        if !Rc::ptr_eq(&self.scratch, &target.scratch) {
            return Err(Errno::Xdev);
        }
        walk(&target.node, &self.scratch, path, Last::Keep)
    }

    fn existing(&self, path: &str, follow: bool) -> Result<Node, Errno> {
        let place = walk(&self.node, &self.scratch, path, Last::of(follow || path.ends_with('/')))?;
        let node = place.node.ok_or(Errno::Noent)?;
        if place.folder && node.kind() != FileKind::Folder { Err(Errno::Notdir) } else { Ok(node) }
    }

    fn opened_file(&self, node: Node, truncate: bool) -> Result<Opened, Errno> {
        let file = MemoryFile { node, scratch: self.scratch.clone() };
        if truncate {
            file.set_size(0)?;
        }
        Ok(Opened::File(Box::new(file)))
    }
}

impl Folder for MemoryFolder {
    fn open(&self, path: &str, how: OpenHow) -> Result<Opened, Errno> {
        if how.folder && how.create {
            return Err(Errno::Inval);
        }
        let place = walk(&self.node, &self.scratch, path, Last::of(how.follow || path.ends_with('/')))?;
        let must_be_folder = how.folder || place.folder;
        let Some(node) = place.node.clone() else {
            return match how.create {
                false => Err(Errno::Noent),
                true if must_be_folder => Err(Errno::Isdir),
                true => self.opened_file(self.scratch.create_file(place)?, false),
            };
        };
        if how.create && how.exclusive {
            return Err(Errno::Exist);
        }
        match node.kind() {
            FileKind::Symlink => Err(Errno::Loop),
            FileKind::Folder if how.write || how.create || how.truncate => Err(Errno::Isdir),
            FileKind::Folder => Ok(Opened::Folder(Box::new(MemoryFolder { node, scratch: self.scratch.clone() }))),
            _ if must_be_folder => Err(Errno::Notdir),
            _ if (how.write || how.truncate) && node.is_project() => Err(Errno::Rofs),
            _ => self.opened_file(node, how.truncate),
        }
    }

    fn metadata(&self, path: &str, follow: bool) -> Result<Metadata, Errno> {
        Ok(self.existing(path, follow)?.metadata())
    }

    fn set_times(&self, path: &str, follow: bool, times: Times) -> Result<(), Errno> {
        self.scratch.set_times(&self.existing(path, follow)?, times)
    }

    fn create_folder(&self, path: &str) -> Result<(), Errno> {
        self.scratch.create_folder(walk(&self.node, &self.scratch, path, Last::Keep)?)
    }

    fn remove_folder(&self, path: &str) -> Result<(), Errno> {
        self.scratch.remove_folder(walk(&self.node, &self.scratch, path, Last::Keep)?)
    }

    fn remove_file(&self, path: &str) -> Result<(), Errno> {
        self.scratch.remove_file(walk(&self.node, &self.scratch, path, Last::Keep)?)
    }

    fn rename(&self, path: &str, target: &dyn Folder, target_path: &str) -> Result<(), Errno> {
        let source = walk(&self.node, &self.scratch, path, Last::Keep)?;
        self.scratch.rename(source, self.target(target, target_path)?)
    }

    fn link(&self, path: &str, follow: bool, target: &dyn Folder, target_path: &str) -> Result<(), Errno> {
        let source = self.existing(path, follow)?;
        self.scratch.link(&source, self.target(target, target_path)?)
    }

    fn symlink(&self, content: &str, path: &str) -> Result<(), Errno> {
        self.scratch.symlink(content, walk(&self.node, &self.scratch, path, Last::Keep)?)
    }

    fn read_link(&self, path: &str) -> Result<String, Errno> {
        self.existing(path, false)?.link_content().map(str::to_owned).ok_or(Errno::Inval)
    }

    fn entries(&self) -> Result<Vec<Entry>, Errno> {
        Ok(self.node.entries(&self.scratch))
    }

    fn sync(&self, _data_only: bool) -> Result<(), Errno> {
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl File for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
        Ok(self.node.read_at(buffer, offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize, Errno> {
        self.scratch.write_at(&self.node, bytes, offset)
    }

    fn append(&self, bytes: &[u8]) -> Result<usize, Errno> {
        self.scratch.write_at(&self.node, bytes, self.node.size_bytes())
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(self.node.metadata())
    }

    fn set_size(&self, bytes: u64) -> Result<(), Errno> {
        self.scratch.set_size(&self.node, bytes)
    }

    fn set_times(&self, times: Times) -> Result<(), Errno> {
        self.scratch.set_times(&self.node, times)
    }

    fn sync(&self, _data_only: bool) -> Result<(), Errno> {
        Ok(())
    }
}
