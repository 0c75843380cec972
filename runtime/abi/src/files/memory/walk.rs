//! Where a path leads.

use super::node::Node;
use super::scratch::Scratch;
use crate::files::path::{SYMLINKS_MAX, Step, parse};
use crate::files::{Errno, FileKind};

/// What to do with a symbolic link at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    Follow,
    Keep,
}

impl Last {
    pub(super) fn of(follow: bool) -> Last {
        if follow { Last::Follow } else { Last::Keep }
    }
}

/// The end of a path: something that is there, or a free name in a folder that is there.
#[derive(Debug)]
pub(super) struct Place {
    /// The folder and the name in it; none when the path ends in `.` or `..`.
    pub(super) name: Option<(Node, String)>,
    pub(super) node: Option<Node>,
    /// The path says that it is a folder.
    pub(super) folder: bool,
}

/// Follows a path from a folder, never above it.
pub(super) fn walk(start: &Node, scratch: &Scratch, path: &str, last: Last) -> Result<Place, Errno> {
    let parsed = parse(path)?;
    let mut folder = parsed.folder;
    let mut steps: Vec<Step> = parsed.steps.into_iter().rev().collect();
    let mut above: Vec<Node> = vec![];
    let mut here = start.clone();
    let mut links = 0;
    while let Some(step) = steps.pop() {
        if here.kind() != FileKind::Folder {
            return Err(Errno::Notdir);
        }
        let name = match step {
            Step::Up => {
                here = above.pop().ok_or(Errno::Notcapable)?;
                continue;
            }
            Step::Into(name) => name,
        };
        let is_last = steps.is_empty();
        let Some(child) = here.child(&name, scratch) else {
            return if is_last { Ok(Place { name: Some((here, name)), node: None, folder }) } else { Err(Errno::Noent) };
        };
        match child.link_content() {
            Some(content) if !is_last || last == Last::Follow => {
                links += 1;
                if links > SYMLINKS_MAX {
                    return Err(Errno::Loop);
                }
                let target = parse(content)?;
                folder |= is_last && target.folder;
                steps.extend(target.steps.into_iter().rev());
            }
            _ if is_last => return Ok(Place { name: Some((here, name)), node: Some(child), folder }),
            _ => above.push(std::mem::replace(&mut here, child)),
        }
    }
    Ok(Place { name: None, node: Some(here), folder: true })
}
