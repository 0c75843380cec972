//! A body: parts in order, most of them bytes in hand, one of them perhaps what the visitor is still sending.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use http::HeaderMap;

use super::{Status, Stop};
use crate::guest::{GuestInstance, GuestPtr};

/// Writes up to this length are gathered in one part.
const GATHERED_BYTES_MAX: usize = 64 << 10;
/// What a part takes beside its bytes.
const PART_COST_BYTES: u64 = 64;

#[derive(Debug)]
enum Part {
    Bytes(Bytes),
    /// Several short writes.
    Gathered(Vec<u8>),
    /// What the visitor sends, from here on. There is one such part in the world of a request, at most.
    Visitor,
}

/// A body that a guest may read, and write to while nobody sends it.
#[derive(Debug, Default)]
pub(crate) struct Body {
    parts: VecDeque<Part>,
    bytes: u64,
    pub(super) trailers: HeaderMap,
    trailers_bytes: u64,
}

impl Body {
    /// What the visitor sends.
    pub(super) fn of_visitor() -> Body {
        Body { parts: VecDeque::from([Part::Visitor]), ..Body::default() }
    }

    pub(super) fn of(bytes: Bytes) -> Body {
        let mut body = Body::default();
        body.push(bytes);
        body
    }

    pub(super) fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.bytes += bytes.len() as u64;
            self.parts.push_back(Part::Bytes(bytes));
        }
    }

    /// What it takes of the world's memory, in bytes.
    pub(super) fn cost(&self) -> u64 {
        self.bytes + self.parts.len() as u64 * PART_COST_BYTES + self.trailers_bytes
    }

    /// Bytes in hand.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn write_back(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if let Some(Part::Gathered(gathered)) = self.parts.back_mut()
            && gathered.len() + bytes.len() <= GATHERED_BYTES_MAX
        {
            return gathered.extend_from_slice(bytes);
        }
        if !bytes.is_empty() {
            self.parts.push_back(Part::Gathered(bytes.to_vec()));
        }
    }

    pub(super) fn write_front(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if !bytes.is_empty() {
            self.parts.push_front(Part::Bytes(Bytes::copy_from_slice(bytes)));
        }
    }

    /// All of another body, after what this one has. Its trailers end with it: what many bodies have of them together is in no bound.
    pub(super) fn append(&mut self, mut other: Body) {
        self.bytes += other.bytes;
        self.parts.append(&mut other.parts);
    }

    /// One more trailer, which takes so many bytes.
    pub(super) fn count_trailer(&mut self, bytes: u64) {
        self.trailers_bytes += bytes;
    }

    /// Whether there is anything of it that is still to come.
    pub(super) fn is_complete(&self, visitor: &Arriving) -> bool {
        visitor.ended.is_some() || !self.parts.iter().any(|part| matches!(part, Part::Visitor))
    }

    /// Its length, if all of it is there.
    pub(super) fn known_length(&self, visitor: &Arriving) -> Option<u64> {
        let of_visitor = self.parts.iter().any(|part| matches!(part, Part::Visitor));
        match (of_visitor, visitor.ended) {
            (false, _) => Some(self.bytes),
            (true, Some(true)) => Some(self.bytes + visitor.bytes),
            (true, _) => None,
        }
    }

    /// Whether reading would find bytes or the end at once.
    pub(super) fn is_readable(&self, visitor: &Arriving) -> bool {
        match self.parts.front() {
            Some(Part::Visitor) => visitor.ended.is_some() || !visitor.chunks.is_empty(),
            Some(_) | None => true,
        }
    }

    /// Reads into guest memory, whose range was checked. `None`: nothing has arrived yet.
    pub(super) fn read(
        &mut self,
        visitor: &mut Arriving,
        instance: &mut dyn GuestInstance,
        target: GuestPtr,
        len: u32,
    ) -> Result<Option<u32>, Stop> {
        let mut read = 0;
        while read < len {
            match self.next(visitor, (len - read) as usize) {
                Ok(Some(bytes)) => {
                    target.plus(u64::from(read)).write(instance, &bytes)?;
                    read += bytes.len() as u32;
                }
                Ok(None) => return Ok(if read > 0 || self.parts.is_empty() { Some(read) } else { None }),
                // What was read is handed over first; the next call tells.
                Err(_) if read > 0 => break,
                Err(stop) => return Err(stop),
            }
        }
        Ok(Some(read))
    }

    /// The next bytes, at most so many. `None`: none are there, now or ever.
    pub(super) fn next(&mut self, visitor: &mut Arriving, len_max: usize) -> Result<Option<Bytes>, Stop> {
        loop {
            let bytes = match self.parts.front_mut() {
                None => return Ok(None),
                Some(Part::Bytes(bytes)) => bytes.split_to(bytes.len().min(len_max)),
                Some(part @ Part::Gathered(_)) => {
                    let Part::Gathered(gathered) = part else { continue };
                    *part = Part::Bytes(std::mem::take(gathered).into());
                    continue;
                }
                Some(Part::Visitor) => match (visitor.next(len_max), visitor.ended) {
                    (Some(bytes), _) => return Ok(Some(bytes)),
                    (None, Some(true)) => {
                        self.parts.pop_front();
                        continue;
                    }
                    (None, Some(false)) => return Err(Status::HttpIncomplete.into()),
                    (None, None) => return Ok(None),
                },
            };
            self.bytes -= bytes.len() as u64;
            if matches!(self.parts.front(), Some(Part::Bytes(rest)) if rest.is_empty()) {
                self.parts.pop_front();
            }
            return Ok(Some(bytes));
        }
    }

    /// Takes in what has arrived, so that more can.
    pub(super) fn gather(&mut self, visitor: &mut Arriving) {
        let Some(at) = self.parts.iter().position(|part| matches!(part, Part::Visitor)) else { return };
        let arrived = std::mem::take(&mut visitor.chunks);
        self.bytes += std::mem::take(&mut visitor.bytes);
        let after = self.parts.split_off(at);
        self.parts.extend(arrived.into_iter().map(Part::Bytes));
        self.parts.extend(after);
    }

    /// All of a body that is complete.
    pub(super) fn into_bytes(mut self, visitor: &mut Arriving) -> Result<Bytes, Stop> {
        let mut whole = Vec::with_capacity(usize::try_from(self.bytes).unwrap_or_default());
        while let Some(bytes) = self.next(visitor, usize::MAX)? {
            whole.extend_from_slice(&bytes);
        }
        Ok(whole.into())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

/// The visitor's body: what arrived and was not read yet.
#[derive(Debug, Default)]
pub(super) struct Arriving {
    chunks: VecDeque<Bytes>,
    bytes: u64,
    /// Whether it ended, and whether that was its proper end.
    ended: Option<bool>,
}

impl Arriving {
    pub(super) fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.bytes += bytes.len() as u64;
            self.chunks.push_back(bytes);
        }
    }

    pub(super) fn end(&mut self, properly: bool) {
        self.ended = Some(properly);
    }

    /// Whether more is wanted now: what is in hand was read, and there may be more.
    pub(super) fn wants_more(&self) -> bool {
        self.ended.is_none() && self.chunks.is_empty()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn next(&mut self, len_max: usize) -> Option<Bytes> {
        let chunk = self.chunks.front_mut()?;
        let bytes = chunk.split_to(chunk.len().min(len_max));
        if !chunk.has_remaining() {
            self.chunks.pop_front();
        }
        self.bytes -= bytes.len() as u64;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(body: &mut Body, visitor: &mut Arriving) -> String {
        let mut text = Vec::new();
        while let Some(bytes) = body.next(visitor, 3).unwrap() {
            text.extend_from_slice(&bytes);
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn parts_are_read_in_order() {
        let (mut body, mut visitor) = (Body::of_visitor(), Arriving::default());
        body.write_front(b"front ");
        body.write_back(b" back");
        body.write_back(b"!");
        let mut other = Body::default();
        other.write_back(b" other");
        body.append(other);
        visitor.push(Bytes::from_static(b"vis"));
        assert_eq!(body.bytes(), 18);
        assert_eq!(all(&mut body, &mut visitor), "front vis");
        assert!(!body.is_readable(&visitor) && visitor.wants_more() && !body.is_complete(&visitor));
        visitor.push(Bytes::from_static(b"itor"));
        visitor.end(true);
        assert_eq!(all(&mut body, &mut visitor), "itor back! other");
        assert!(body.is_empty() && body.bytes() == 0 && visitor.bytes() == 0);
    }

    #[test]
    fn a_visitor_who_left_is_told() {
        let (mut body, mut visitor) = (Body::of_visitor(), Arriving::default());
        visitor.push(Bytes::from_static(b"vis"));
        visitor.end(false);
        assert_eq!(body.next(&mut visitor, 9).unwrap().unwrap(), "vis");
        assert!(matches!(body.next(&mut visitor, 9), Err(Stop::Status(Status::HttpIncomplete))));
    }

    #[test]
    fn short_writes_share_a_part() {
        let mut body = Body::default();
        for _ in 0..1000 {
            body.write_back(b"x");
        }
        assert_eq!(body.cost(), 1000 + PART_COST_BYTES);
    }
}
