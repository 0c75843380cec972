//! Changing the scratch space, within its budget.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use super::node::{Body, Inode, Node};
use super::walk::Place;
use crate::clocks::Clocks;
use crate::files::path::PATH_BYTES_MAX;
use crate::files::project::SCRATCH_INODES_FROM;
use crate::files::{Errno, FileKind, Times};

/// What the scratch space has left.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: Cell<u64>,
    bytes_max: u64,
    nodes: Cell<u32>,
}

impl Budget {
    fn take_bytes(&self, bytes: u64) -> Result<(), Errno> {
        self.bytes.set(self.bytes.get().checked_sub(bytes).ok_or(Errno::Nospc)?);
        Ok(())
    }

    fn take_node(&self, bytes: u64) -> Result<(), Errno> {
        let nodes = self.nodes.get().checked_sub(1).ok_or(Errno::Nospc)?;
        self.take_bytes(bytes)?;
        self.nodes.set(nodes);
        Ok(())
    }

    /// A node with so much content is gone.
    pub(super) fn give_back(&self, bytes: u64) {
        self.bytes.set(self.bytes.get().saturating_add(bytes));
        self.nodes.set(self.nodes.get().saturating_add(1));
    }
}

/// The scratch space of one instance.
#[derive(Debug)]
pub(crate) struct Scratch {
    root: Rc<Inode>,
    budget: Rc<Budget>,
    clocks: Clocks,
    next_inode: Cell<u64>,
}

/// The folder of a place where something is to be made, and the name in it.
struct Free {
    folder: Rc<Inode>,
    name: String,
}

impl Scratch {
    /// An empty space of so many bytes and so many files, folders and links.
    pub(crate) fn new(bytes_max: u64, nodes_max: u32, clocks: Clocks) -> Scratch {
        let budget = Rc::new(Budget { bytes: Cell::new(bytes_max), bytes_max, nodes: Cell::new(nodes_max) });
        let body = Body::Folder { entries: RefCell::new(BTreeMap::new()), parent: RefCell::new(Weak::new()) };
        let root = Rc::new(inode(SCRATCH_INODES_FROM, body, clocks.realtime_ns(), budget.clone()));
        root.links.set(1);
        Scratch { root, budget, clocks, next_inode: Cell::new(SCRATCH_INODES_FROM + 1) }
    }

    /// What its files hold, in bytes.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.budget.bytes_max.saturating_sub(self.budget.bytes.get())
    }

    pub(super) fn root(&self) -> &Rc<Inode> {
        &self.root
    }

    pub(super) fn create_file(&self, place: Place) -> Result<Node, Errno> {
        let free = free(place)?;
        let made = self.make(Body::File(RefCell::default()), 0)?;
        Ok(Node::Scratch(self.add(free, made)))
    }

    pub(super) fn create_folder(&self, place: Place) -> Result<(), Errno> {
        let free = free(place)?;
        let body = Body::Folder { entries: RefCell::default(), parent: RefCell::new(Rc::downgrade(&free.folder)) };
        let made = self.make(body, 0)?;
        self.add(free, made);
        Ok(())
    }

    /// A link to an absolute path could lead nowhere but out: it is refused when it is made.
    pub(super) fn symlink(&self, content: &str, place: Place) -> Result<(), Errno> {
        if content.is_empty() {
            return Err(Errno::Noent);
        }
        if content.len() > PATH_BYTES_MAX {
            return Err(Errno::Nametoolong);
        }
        if content.starts_with('/') {
            return Err(Errno::Perm);
        }
        if place.node.is_none() && place.folder {
            return Err(Errno::Noent);
        }
        let free = free(place)?;
        let made = self.make(Body::Symlink(content.to_owned()), content.len() as u64)?;
        self.add(free, made);
        Ok(())
    }

    pub(super) fn link(&self, source: &Node, place: Place) -> Result<(), Errno> {
        if source.kind() == FileKind::Folder {
            return Err(Errno::Perm);
        }
        if place.node.is_none() && place.folder {
            return Err(Errno::Noent);
        }
        let free = free(place)?;
        let Node::Scratch(source) = source else { return Err(Errno::Xdev) };
        // A further name counts as a file: it takes as much room.
        self.budget.take_node(0)?;
        self.add(free, source.clone());
        Ok(())
    }

    pub(super) fn remove_file(&self, place: Place) -> Result<(), Errno> {
        let node = place.node.as_ref().ok_or(Errno::Noent)?;
        if node.kind() == FileKind::Folder {
            return Err(Errno::Isdir);
        }
        if place.folder {
            return Err(Errno::Notdir);
        }
        self.remove(place)
    }

    pub(super) fn remove_folder(&self, place: Place) -> Result<(), Errno> {
        let node = place.node.as_ref().ok_or(Errno::Noent)?;
        if node.kind() != FileKind::Folder {
            return Err(Errno::Notdir);
        }
        if let Node::Scratch(node) = node
            && let Body::Folder { entries, .. } = &node.body
            && !entries.borrow().is_empty()
        {
            return Err(Errno::Notempty);
        }
        self.remove(place)
    }

    pub(super) fn rename(&self, source: Place, target: Place) -> Result<(), Errno> {
        let node = source.node.as_ref().ok_or(Errno::Noent)?;
        let is_folder = node.kind() == FileKind::Folder;
        if source.folder && !is_folder || target.folder && !is_folder && target.node.is_none() {
            return Err(Errno::Notdir);
        }
        let (Some((source_folder, source_name)), Some((target_folder, target_name))) = (source.name, target.name) else {
            return Err(Errno::Busy);
        };
        let (Node::Scratch(from), Node::Scratch(to), Node::Scratch(moved)) = (source_folder, target_folder, node.clone()) else {
            return Err(Errno::Rofs);
        };
        if let Some(replaced) = &target.node {
            if replaced.is_same(node) {
                return Ok(());
            }
            match (is_folder, replaced.kind() == FileKind::Folder) {
                (true, false) => return Err(Errno::Notdir),
                (false, true) => return Err(Errno::Isdir),
                (true, true) if !replaced.entries(self).is_empty() => return Err(Errno::Notempty),
                _ => {}
            }
        }
        if is_within(&to, &moved) {
            return Err(Errno::Inval);
        }
        if to.links.get() == 0 {
            return Err(Errno::Noent);
        }
        if let Some(Node::Scratch(replaced)) = &target.node {
            self.take_name(replaced);
        }
        entries_of(&from)?.borrow_mut().remove(&source_name);
        moved.links.set(moved.links.get() - 1);
        if let Body::Folder { parent, .. } = &moved.body {
            *parent.borrow_mut() = Rc::downgrade(&to);
        }
        self.touch(&from);
        self.add(Free { folder: to, name: target_name }, moved);
        Ok(())
    }

    pub(super) fn write_at(&self, node: &Node, bytes: &[u8], offset: u64) -> Result<usize, Errno> {
        let (inode, content) = content_of(node)?;
        if bytes.is_empty() {
            return Ok(0);
        }
        let end = offset.checked_add(bytes.len() as u64).ok_or(Errno::Fbig)?;
        if end > inode.size_bytes() {
            self.resize(inode, content, end)?;
        }
        content.borrow_mut()[offset as usize..end as usize].copy_from_slice(bytes);
        self.touch(inode);
        Ok(bytes.len())
    }

    pub(super) fn set_size(&self, node: &Node, bytes: u64) -> Result<(), Errno> {
        let (inode, content) = content_of(node)?;
        self.resize(inode, content, bytes)?;
        self.touch(inode);
        Ok(())
    }

    pub(super) fn set_times(&self, node: &Node, times: Times) -> Result<(), Errno> {
        let Node::Scratch(inode) = node else { return Err(Errno::Rofs) };
        inode.accessed_ns.set(times.accessed_ns.unwrap_or(inode.accessed_ns.get()));
        inode.modified_ns.set(times.modified_ns.unwrap_or(inode.modified_ns.get()));
        inode.changed_ns.set(self.clocks.realtime_ns());
        Ok(())
    }

    fn resize(&self, inode: &Inode, content: &RefCell<Vec<u8>>, bytes: u64) -> Result<(), Errno> {
        let before = inode.size_bytes();
        if bytes > before {
            self.budget.take_bytes(bytes - before)?;
        } else {
            self.budget.bytes.set(self.budget.bytes.get() + (before - bytes));
        }
        let mut content = content.borrow_mut();
        let bytes = bytes as usize;
        if bytes > content.capacity() {
            // Doubling, as a vector does by itself, but never past what may be used.
            let room = bytes.max(content.len().saturating_mul(2)).min(bytes + self.budget.bytes.get() as usize);
            let more = room - content.len();
            content.reserve_exact(more);
        }
        content.resize(bytes, 0);
        if content.capacity() > bytes.saturating_mul(2) {
            // What is given back to the budget is given back to the system.
            content.shrink_to_fit();
        }
        Ok(())
    }

    fn make(&self, body: Body, bytes: u64) -> Result<Rc<Inode>, Errno> {
        self.budget.take_node(bytes)?;
        let number = self.next_inode.get();
        self.next_inode.set(number + 1);
        Ok(Rc::new(inode(number, body, self.clocks.realtime_ns(), self.budget.clone())))
    }

    /// Gives a node a name.
    fn add(&self, free: Free, node: Rc<Inode>) -> Rc<Inode> {
        node.links.set(node.links.get() + 1);
        node.changed_ns.set(self.clocks.realtime_ns());
        if let Ok(entries) = entries_of(&free.folder) {
            entries.borrow_mut().insert(free.name, node.clone());
        }
        self.touch(&free.folder);
        node
    }

    /// Takes a name away.
    fn remove(&self, place: Place) -> Result<(), Errno> {
        let Some((folder, name)) = place.name else { return Err(Errno::Inval) };
        let (Node::Scratch(folder), Some(Node::Scratch(node))) = (folder, place.node) else { return Err(Errno::Rofs) };
        entries_of(&folder)?.borrow_mut().remove(&name);
        self.take_name(&node);
        self.touch(&folder);
        Ok(())
    }

    /// A name of a node is gone. The last one leaves with the node, when nobody has it open any more.
    fn take_name(&self, node: &Inode) {
        node.links.set(node.links.get() - 1);
        if node.links.get() > 0 {
            self.budget.give_back(0);
        }
    }

    fn touch(&self, inode: &Inode) {
        let now = self.clocks.realtime_ns();
        inode.modified_ns.set(now);
        inode.changed_ns.set(now);
    }
}

fn inode(number: u64, body: Body, now_ns: u64, budget: Rc<Budget>) -> Inode {
    let time = || Cell::new(now_ns);
    Inode { inode: number, links: Cell::new(0), accessed_ns: time(), modified_ns: time(), changed_ns: time(), body, budget }
}

fn free(place: Place) -> Result<Free, Errno> {
    if place.node.is_some() {
        return Err(Errno::Exist);
    }
    match place.name {
        Some((Node::Scratch(folder), name)) if folder.links.get() > 0 => Ok(Free { folder, name }),
        // A folder that was removed while it was open.
        Some((Node::Scratch(_), _)) => Err(Errno::Noent),
        Some((Node::Project(_), _)) | None => Err(Errno::Rofs),
    }
}

fn entries_of(folder: &Inode) -> Result<&RefCell<BTreeMap<String, Rc<Inode>>>, Errno> {
    match &folder.body {
        Body::Folder { entries, .. } => Ok(entries),
        Body::File(_) | Body::Symlink(_) => Err(Errno::Notdir),
    }
}

fn content_of(node: &Node) -> Result<(&Inode, &RefCell<Vec<u8>>), Errno> {
    match node {
        Node::Project(_) => Err(Errno::Rofs),
        Node::Scratch(inode) => match &inode.body {
            Body::File(content) => Ok((inode, content)),
            Body::Folder { .. } | Body::Symlink(_) => Err(Errno::Isdir),
        },
    }
}

/// Whether a folder is another one or lies somewhere in it.
fn is_within(folder: &Rc<Inode>, outer: &Rc<Inode>) -> bool {
    let mut next = Some(folder.clone());
    while let Some(folder) = next {
        if Rc::ptr_eq(&folder, outer) {
            return true;
        }
        next = match &folder.body {
            Body::Folder { parent, .. } => parent.borrow().upgrade(),
            Body::File(_) | Body::Symlink(_) => None,
        };
    }
    false
}

#[cfg(test)]
impl Scratch {
    /// Room that the contents of all files with a name take, in bytes.
    pub(super) fn content_capacity(&self) -> usize {
        fn of(inode: &Inode) -> usize {
            match &inode.body {
                Body::File(content) => content.borrow().capacity(),
                Body::Folder { entries, .. } => entries.borrow().values().map(|inode| of(inode)).sum(),
                Body::Symlink(_) => 0,
            }
        }
        of(&self.root)
    }
}
