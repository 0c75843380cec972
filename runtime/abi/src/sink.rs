//! A stream that keeps what a guest writes, up to a bound.

use bytes::Bytes;

#[derive(Debug)]
pub(crate) struct Sink {
    kept: Vec<u8>,
    /// Bytes accepted so far, those taken away included.
    accepted: u64,
    bytes_max: u64,
}

impl Sink {
    pub(crate) fn new(bytes_max: u64) -> Sink {
        Sink { kept: Vec::new(), accepted: 0, bytes_max }
    }

    /// Keeps as many of these bytes as still fit and returns them.
    pub(crate) fn accept<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let room = usize::try_from(self.bytes_max - self.accepted).unwrap_or(usize::MAX);
        let fitting = &bytes[..bytes.len().min(room)];
        self.kept.extend_from_slice(fitting);
        self.accepted += fitting.len() as u64;
        fitting
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.kept
    }

    /// Hands over what was kept; the bound goes on counting it.
    pub(crate) fn take(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_counts_what_was_taken() {
        let mut sink = Sink::new(5);
        assert_eq!(sink.accept(b"abc"), b"abc");
        assert_eq!(sink.take(), "abc");
        assert_eq!(sink.accept(b"defg"), b"de");
        assert_eq!(sink.accept(b"h"), b"");
        assert_eq!(sink.bytes(), b"de");
    }
}
