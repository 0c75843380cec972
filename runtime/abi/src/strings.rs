//! Arguments or environment, as a guest gets them: zero-terminated strings, one after the other.

/// A list of strings in the form in which it is copied to a guest.
#[derive(Debug, Default)]
pub(crate) struct StringList {
    bytes: Vec<u8>,
    /// Where each string begins, in bytes.
    starts: Vec<u32>,
}

/// What each string costs a guest beside its bytes: the terminating zero and a pointer.
const STRING_OVERHEAD_BYTES: u64 = 5;

impl StringList {
    /// The list, or `None` when it takes more than `bytes_max` in the guest's memory. A string ends at its first zero byte, as it does for `execve`.
    pub(crate) fn new(strings: impl IntoIterator<Item = String>, bytes_max: u64) -> Option<StringList> {
        let mut list = StringList::default();
        let mut cost = 0u64;
        for string in strings {
            let text = string.split('\0').next().unwrap_or_default();
            cost += text.len() as u64 + STRING_OVERHEAD_BYTES;
            if cost > bytes_max {
                return None;
            }
            list.starts.push(u32::try_from(list.bytes.len()).ok()?);
            list.bytes.extend_from_slice(text.as_bytes());
            list.bytes.push(0);
        }
        Some(list)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn starts(&self) -> &[u32] {
        &self.starts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(strings: &[&str], bytes_max: u64) -> Option<StringList> {
        StringList::new(strings.iter().map(|text| text.to_string()), bytes_max)
    }

    #[test]
    fn strings_follow_each_other() {
        let list = list(&["ab", "", "c\0d"], 100).unwrap();
        assert_eq!(list.bytes(), b"ab\0\0c\0");
        assert_eq!(list.starts(), [0, 3, 4]);
    }

    #[test]
    fn pointers_and_zeros_count_too() {
        assert!(list(&["abc"], 8).is_some());
        assert!(list(&["abc"], 7).is_none());
        assert!(list(&["", ""], 9).is_none());
    }
}
