//! Listing a folder.
//!
//! An entry is 24 bytes, `0 cookie of the next  8 inode  16 length of the name (u32)  20 filetype`, and the name. A buffer that is too small for
//! the last one gets the part that fits, and the program asks again.

use super::stat::filetype;
use super::{Errno, Stop};
use crate::files::{ENTRIES_MAX, Entry, FileKind};
use crate::guest::Call;

const DIRENT_BYTES: usize = 24;

pub(crate) fn fd_readdir(call: &mut Call<'_>) -> Result<(), Stop> {
    let (fd, buffer, len, cookie, result) = (call.u32(0), call.pointer(1), call.u32(2), call.instance.argument(3), call.pointer(4));
    let (open, _) = call.host.folder(fd)?;
    buffer.check(call.instance, u64::from(len))?;
    result.check(call.instance, 4)?;
    let about = open.folder.metadata(".", true)?;
    let (inode, folder) = (about.inode, (about.device, about.inode));
    // One listing is kept, of the folder that was listed last: as many as there are descriptors would be in no budget.
    if cookie == 0 || call.host.listing.as_ref().is_none_or(|(of, _)| *of != folder) {
        let entries = call.host.folder(fd)?.0.folder.entries()?;
        call.host.listing = Some((folder, listing(entries, inode)?));
    }
    let start = usize::try_from(cookie).map_err(|_| Errno::Inval)?;
    let mut bytes = Vec::new();
    for (at, entry) in call.host.listing.iter().flat_map(|(_, entries)| entries).enumerate().skip(start) {
        if bytes.len() >= len as usize {
            break;
        }
        bytes.extend((at as u64 + 1).to_le_bytes());
        bytes.extend(entry.inode.to_le_bytes());
        bytes.extend((entry.name.len() as u32).to_le_bytes());
        bytes.extend([filetype(entry.kind), 0, 0, 0]);
        bytes.extend(entry.name.as_bytes());
    }
    bytes.truncate(len as usize);
    buffer.write(call.instance, &bytes)?;
    result.write_u32(call.instance, bytes.len() as u32)?;
    Ok(())
}

/// `.` and `..`, then what is in the folder. What lies above is not told: its number is that of the folder itself.
fn listing(entries: Vec<Entry>, inode: u64) -> Result<Vec<Entry>, Errno> {
    if entries.len() > ENTRIES_MAX {
        return Err(Errno::Overflow);
    }
    let dots = [".", ".."].map(|name| Entry { name: name.to_owned(), inode, kind: FileKind::Folder });
    Ok(dots.into_iter().chain(entries).collect())
}

const _: () = assert!(DIRENT_BYTES == 8 + 8 + 4 + 4);
