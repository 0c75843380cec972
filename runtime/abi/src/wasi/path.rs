//! Directories given beforehand: none, until there is a file system. A libc asks from descriptor 3 on and stops at the first EBADF.

use super::{Errno, Stop};
use crate::guest::Call;

pub(crate) fn fd_prestat_get(_call: &mut Call<'_>) -> Result<(), Stop> {
    Err(Errno::Badf.into())
}

pub(crate) fn fd_prestat_dir_name(_call: &mut Call<'_>) -> Result<(), Stop> {
    Err(Errno::Badf.into())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Guest, check, host};

    #[test]
    fn no_directory_is_given() {
        let mut guest = Guest::with_memory(16);
        for fd in [0, 3, 4, u64::from(u32::MAX)] {
            check(&mut host(), &mut guest, "fd_prestat_get", &[fd, 0], 8);
            check(&mut host(), &mut guest, "fd_prestat_dir_name", &[fd, 0, 16], 8);
        }
    }
}
