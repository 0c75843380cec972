//! What there is: nodes of the project, shared and fixed, and nodes of the scratch space, which give back what they took when the last name and
//! the last descriptor are gone.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use super::scratch::{Budget, Scratch};
use crate::files::project::ProjectNode;
use crate::files::{Entry, FileKind, Metadata};

/// The device number of everything in memory.
const DEVICE: u64 = 1;
/// The name under which the project's root shows the scratch space. A project's own `tmp` is hidden by it.
pub(super) const SCRATCH_NAME: &str = "tmp";

/// A file, folder or symbolic link.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Project(Arc<ProjectNode>),
    Scratch(Rc<Inode>),
}

/// A node of the scratch space.
#[derive(Debug)]
pub(super) struct Inode {
    pub(super) inode: u64,
    /// How many names it has.
    pub(super) links: Cell<u64>,
    pub(super) accessed_ns: Cell<u64>,
    pub(super) modified_ns: Cell<u64>,
    pub(super) changed_ns: Cell<u64>,
    pub(super) body: Body,
    pub(super) budget: Rc<Budget>,
}

#[derive(Debug)]
pub(super) enum Body {
    File(RefCell<Vec<u8>>),
    Folder { entries: RefCell<BTreeMap<String, Rc<Inode>>>, parent: RefCell<Weak<Inode>> },
    Symlink(String),
}

impl Drop for Inode {
    fn drop(&mut self) {
        self.budget.give_back(self.size_bytes());
    }
}

impl Inode {
    pub(super) fn size_bytes(&self) -> u64 {
        match &self.body {
            Body::File(content) => content.borrow().len() as u64,
            Body::Folder { .. } => 0,
            Body::Symlink(content) => content.len() as u64,
        }
    }

    fn kind(&self) -> FileKind {
        match self.body {
            Body::File(_) => FileKind::Regular,
            Body::Folder { .. } => FileKind::Folder,
            Body::Symlink(_) => FileKind::Symlink,
        }
    }
}

impl Node {
    pub(super) fn kind(&self) -> FileKind {
        match self {
            Node::Project(node) => match **node {
                ProjectNode::File { .. } => FileKind::Regular,
                ProjectNode::Folder { .. } => FileKind::Folder,
            },
            Node::Scratch(node) => node.kind(),
        }
    }

    pub(super) fn is_project(&self) -> bool {
        matches!(self, Node::Project(_))
    }

    pub(super) fn is_same(&self, other: &Node) -> bool {
        self.inode() == other.inode()
    }

    fn inode(&self) -> u64 {
        match self {
            Node::Project(node) => node.inode(),
            Node::Scratch(node) => node.inode,
        }
    }

    pub(super) fn size_bytes(&self) -> u64 {
        match self {
            Node::Project(node) => match &**node {
                ProjectNode::File { content, .. } => content.len() as u64,
                ProjectNode::Folder { .. } => 0,
            },
            Node::Scratch(node) => node.size_bytes(),
        }
    }

    pub(super) fn metadata(&self) -> Metadata {
        let (links, accessed_ns, modified_ns, changed_ns) = match self {
            Node::Project(_) => (1, 0, 0, 0),
            Node::Scratch(node) => (node.links.get(), node.accessed_ns.get(), node.modified_ns.get(), node.changed_ns.get()),
        };
        Metadata {
            kind: self.kind(),
            device: DEVICE,
            inode: self.inode(),
            links,
            size_bytes: self.size_bytes(),
            accessed_ns,
            modified_ns,
            changed_ns,
        }
    }

    /// The node of this name in this folder; none as well when this is no folder.
    pub(super) fn child(&self, name: &str, scratch: &Scratch) -> Option<Node> {
        match self {
            Node::Project(node) => match &**node {
                ProjectNode::Folder { inode, .. } if *inode == ProjectNode::ROOT_INODE && name == SCRATCH_NAME => {
                    Some(Node::Scratch(scratch.root().clone()))
                }
                ProjectNode::Folder { entries, .. } => entries.get(name).cloned().map(Node::Project),
                ProjectNode::File { .. } => None,
            },
            Node::Scratch(node) => match &node.body {
                Body::Folder { entries, .. } => entries.borrow().get(name).cloned().map(Node::Scratch),
                Body::File(_) | Body::Symlink(_) => None,
            },
        }
    }

    pub(super) fn entries(&self, scratch: &Scratch) -> Vec<Entry> {
        let entry = |name: &str, node: Node| Entry { name: name.to_owned(), inode: node.inode(), kind: node.kind() };
        match self {
            Node::Project(node) => {
                let ProjectNode::Folder { inode, entries } = &**node else { return vec![] };
                let is_root = *inode == ProjectNode::ROOT_INODE;
                let shown = entries.iter().filter(|(name, _)| !(is_root && *name == SCRATCH_NAME));
                let mut shown: Vec<Entry> = shown.map(|(name, node)| entry(name, Node::Project(node.clone()))).collect();
                if is_root {
                    shown.push(entry(SCRATCH_NAME, Node::Scratch(scratch.root().clone())));
                }
                shown
            }
            Node::Scratch(node) => {
                let Body::Folder { entries, .. } = &node.body else { return vec![] };
                entries.borrow().iter().map(|(name, node)| entry(name, Node::Scratch(node.clone()))).collect()
            }
        }
    }

    pub(super) fn link_content(&self) -> Option<&str> {
        match self {
            Node::Scratch(node) => match &node.body {
                Body::Symlink(content) => Some(content),
                Body::File(_) | Body::Folder { .. } => None,
            },
            Node::Project(_) => None,
        }
    }

    /// Copies what is at an offset; how many bytes that were.
    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> usize {
        match self {
            Node::Project(node) => match &**node {
                ProjectNode::File { content, .. } => copy_from(content, buffer, offset),
                ProjectNode::Folder { .. } => 0,
            },
            Node::Scratch(node) => match &node.body {
                Body::File(content) => copy_from(&content.borrow(), buffer, offset),
                Body::Folder { .. } | Body::Symlink(_) => 0,
            },
        }
    }
}

fn copy_from(content: &[u8], buffer: &mut [u8], offset: u64) -> usize {
    let rest = usize::try_from(offset).ok().and_then(|offset| content.get(offset..)).unwrap_or_default();
    let len = rest.len().min(buffer.len());
    buffer[..len].copy_from_slice(&rest[..len]);
    len
}
