//! The project's own files, read-only, shared by all instances of a deployment.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::path::{NAME_BYTES_MAX, PATH_BYTES_MAX};

/// Most files and folders of a project.
const PROJECT_NODES_MAX: usize = 4096;

/// A tree of files that no instance can change.
#[derive(Debug, Clone)]
pub struct ProjectFiles {
    root: Arc<ProjectNode>,
}

/// A file or folder of the project, with its number.
#[derive(Debug)]
pub(super) enum ProjectNode {
    File { inode: u64, content: Bytes },
    Folder { inode: u64, entries: BTreeMap<String, Arc<ProjectNode>> },
}

/// Why files do not make a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProjectError {
    #[error("\"{0}\" is no path of a project file: it must be relative, without \"..\", and no part longer than {NAME_BYTES_MAX} bytes")]
    Path(String),
    #[error("\"{0}\" is both a file and a folder of the project")]
    Clash(String),
    #[error("the project has more than {PROJECT_NODES_MAX} files and folders")]
    TooMany,
}

impl Default for ProjectFiles {
    /// A project without files.
    fn default() -> ProjectFiles {
        ProjectFiles { root: Arc::new(ProjectNode::Folder { inode: ProjectNode::ROOT_INODE, entries: BTreeMap::new() }) }
    }
}

/// Inodes of scratch files begin here, so that no two files of an instance share one.
pub(super) const SCRATCH_INODES_FROM: u64 = 1 << 32;

impl ProjectFiles {
    /// The tree of these files, each a path with slashes and its content.
    pub fn new(files: impl IntoIterator<Item = (String, Bytes)>) -> Result<ProjectFiles, ProjectError> {
        let mut root = Draft::default();
        let mut nodes = 1;
        for (path, content) in files {
            nodes += root.add(&path, content)?;
            if nodes > PROJECT_NODES_MAX {
                return Err(ProjectError::TooMany);
            }
        }
        Ok(ProjectFiles { root: Arc::new(root.finish(&mut (ProjectNode::ROOT_INODE..))) })
    }

    pub(super) fn root(&self) -> &Arc<ProjectNode> {
        &self.root
    }
}

impl ProjectNode {
    pub(super) const ROOT_INODE: u64 = 1;

    pub(super) fn inode(&self) -> u64 {
        match self {
            ProjectNode::File { inode, .. } | ProjectNode::Folder { inode, .. } => *inode,
        }
    }
}

/// A folder that is being put together.
#[derive(Default)]
struct Draft {
    files: BTreeMap<String, Bytes>,
    folders: BTreeMap<String, Draft>,
}

impl Draft {
    /// How many files and folders became more.
    fn add(&mut self, path: &str, content: Bytes) -> Result<usize, ProjectError> {
        let bad = |part: &str| matches!(part, "" | "." | "..") || part.len() > NAME_BYTES_MAX || part.contains('\0');
        if path.len() > PATH_BYTES_MAX || path.split('/').any(bad) {
            return Err(ProjectError::Path(path.chars().take(80).collect()));
        }
        let (folders, name) = path.rsplit_once('/').map_or((None, path), |(folders, name)| (Some(folders), name));
        let mut draft = self;
        let mut made = 0;
        for folder in folders.into_iter().flat_map(|folders| folders.split('/')) {
            if draft.files.contains_key(folder) {
                return Err(ProjectError::Clash(path.to_owned()));
            }
            made += usize::from(!draft.folders.contains_key(folder));
            draft = draft.folders.entry(folder.to_owned()).or_default();
        }
        if draft.folders.contains_key(name) {
            return Err(ProjectError::Clash(path.to_owned()));
        }
        made += usize::from(draft.files.insert(name.to_owned(), content).is_none());
        Ok(made)
    }

    fn finish(self, inodes: &mut impl Iterator<Item = u64>) -> ProjectNode {
        let mut next = || inodes.next().unwrap_or(u64::MAX);
        let inode = next();
        let mut entries: BTreeMap<String, Arc<ProjectNode>> =
            self.files.into_iter().map(|(name, content)| (name, Arc::new(ProjectNode::File { inode: next(), content }))).collect();
        for (name, folder) in self.folders {
            entries.insert(name, Arc::new(folder.finish(inodes)));
        }
        ProjectNode::Folder { inode, entries }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(paths: &[&str]) -> Result<ProjectFiles, ProjectError> {
        ProjectFiles::new(paths.iter().map(|path| (path.to_string(), Bytes::from_static(b"x"))))
    }

    #[test]
    fn folders_come_from_paths() {
        let project = project(&["data/words.txt", "main.c", "data/deep/x"]).unwrap();
        let ProjectNode::Folder { inode: 1, entries } = &**project.root() else { panic!("the root is a folder") };
        assert_eq!(entries.keys().collect::<Vec<_>>(), ["data", "main.c"]);
        let mut inodes: Vec<u64> = entries.values().map(|node| node.inode()).collect();
        inodes.dedup();
        assert_eq!(inodes.len(), 2);
    }

    #[test]
    fn what_makes_no_tree_is_refused() {
        for path in ["/etc/passwd", "a//b", "../a", "a/./b", "", "a/", "a\0"] {
            assert_eq!(project(&[path]).unwrap_err(), ProjectError::Path(path.into()), "{path}");
        }
        assert_eq!(project(&["a", "a/b"]).unwrap_err(), ProjectError::Clash("a/b".into()));
        assert_eq!(project(&["a/b", "a"]).unwrap_err(), ProjectError::Clash("a".into()));
        let many: Vec<String> = (0..PROJECT_NODES_MAX).map(|n| n.to_string()).collect();
        assert_eq!(project(&many.iter().map(String::as_str).collect::<Vec<_>>()).unwrap_err(), ProjectError::TooMany);
    }
}
