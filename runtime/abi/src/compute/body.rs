//! A body: parts in order, most of them bytes in hand, some perhaps what a visitor or a backend is still sending.

use std::collections::VecDeque;

use bytes::Bytes;
use http::HeaderMap;

use super::arriving::{Arrivals, Source};
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
    /// What somebody sends, from here on. There is one such part for each source in the world of a request, at most.
    Arriving(Source),
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
    /// What somebody is sending.
    pub(super) fn of_source(source: Source) -> Body {
        Body { parts: VecDeque::from([Part::Arriving(source)]), ..Body::default() }
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

    /// Those whose bodies it holds.
    fn sources(&self) -> impl Iterator<Item = Source> {
        self.parts.iter().filter_map(|part| if let Part::Arriving(source) = part { Some(*source) } else { None })
    }

    /// Who must send something before more of it can be read.
    pub(super) fn awaited(&self) -> Option<Source> {
        if let Some(Part::Arriving(source)) = self.parts.front() { Some(*source) } else { None }
    }

    /// Whether there is nothing of it that is still to come.
    pub(super) fn is_complete(&self, arrivals: &Arrivals) -> bool {
        self.sources().all(|source| arrivals.of(source).is_none_or(|arriving| arriving.ended().is_some()))
    }

    /// Its length, if all of it is there.
    pub(super) fn known_length(&self, arrivals: &Arrivals) -> Option<u64> {
        self.sources().try_fold(self.bytes, |bytes, source| {
            let arriving = arrivals.of(source)?;
            if arriving.ended() == Some(true) { Some(bytes + arriving.bytes()) } else { None }
        })
    }

    /// Whether reading would find bytes or the end at once.
    pub(super) fn is_readable(&self, arrivals: &Arrivals) -> bool {
        let arriving = self.awaited().and_then(|source| arrivals.of(source));
        arriving.is_none_or(|arriving| !arriving.wants_more())
    }

    /// Reads into guest memory, whose range was checked. `None`: nothing has arrived yet.
    pub(super) fn read(
        &mut self,
        arrivals: &mut Arrivals,
        instance: &mut dyn GuestInstance,
        target: GuestPtr,
        len: u32,
    ) -> Result<Option<u32>, Stop> {
        let mut read = 0;
        while read < len {
            match self.next(arrivals, (len - read) as usize) {
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
    pub(super) fn next(&mut self, arrivals: &mut Arrivals, len_max: usize) -> Result<Option<Bytes>, Stop> {
        loop {
            let bytes = match self.parts.front_mut() {
                None => return Ok(None),
                Some(Part::Bytes(bytes)) => bytes.split_to(bytes.len().min(len_max)),
                Some(part @ Part::Gathered(_)) => {
                    let Part::Gathered(gathered) = part else { continue };
                    *part = Part::Bytes(std::mem::take(gathered).into());
                    continue;
                }
                Some(Part::Arriving(source)) => match arrivals.of_mut(*source).map(|arriving| (arriving.next(len_max), arriving.ended())) {
                    Some((Some(bytes), _)) => return Ok(Some(bytes)),
                    Some((None, Some(false))) => return Err(Status::HttpIncomplete.into()),
                    Some((None, None)) => return Ok(None),
                    Some((None, Some(true))) | None => {
                        self.parts.pop_front();
                        continue;
                    }
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
    pub(super) fn gather(&mut self, arrivals: &mut Arrivals) {
        for part in std::mem::take(&mut self.parts) {
            if let Part::Arriving(source) = part
                && let Some(arriving) = arrivals.of_mut(source)
            {
                while let Some(bytes) = arriving.next(usize::MAX) {
                    self.push(bytes);
                }
            }
            self.parts.push_back(part);
        }
    }

    /// All of a body that is complete.
    pub(super) fn into_bytes(mut self, arrivals: &mut Arrivals) -> Result<Bytes, Stop> {
        let mut whole = Vec::with_capacity(usize::try_from(self.bytes).unwrap_or_default());
        while let Some(bytes) = self.next(arrivals, usize::MAX)? {
            whole.extend_from_slice(&bytes);
        }
        Ok(whole.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(body: &mut Body, arrivals: &mut Arrivals) -> String {
        let mut text = Vec::new();
        while let Some(bytes) = body.next(arrivals, 3).unwrap() {
            text.extend_from_slice(&bytes);
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn parts_are_read_in_order() {
        let (mut body, mut arrivals) = (Body::of_source(Source::Visitor), Arrivals::default());
        body.write_front(b"front ");
        body.write_back(b" back");
        body.write_back(b"!");
        let mut other = Body::default();
        other.write_back(b" other");
        body.append(other);
        arrivals.of_mut(Source::Visitor).unwrap().push(Bytes::from_static(b"vis"));
        assert_eq!(body.bytes(), 18);
        assert_eq!(all(&mut body, &mut arrivals), "front vis");
        assert!(!body.is_readable(&arrivals) && body.awaited() == Some(Source::Visitor) && !body.is_complete(&arrivals));
        arrivals.of_mut(Source::Visitor).unwrap().push(Bytes::from_static(b"itor"));
        arrivals.of_mut(Source::Visitor).unwrap().end(true);
        assert_eq!(all(&mut body, &mut arrivals), "itor back! other");
        assert_eq!((body.awaited(), body.bytes(), arrivals.bytes()), (None, 0, 0));
    }

    #[test]
    fn a_visitor_who_left_is_told() {
        let (mut body, mut arrivals) = (Body::of_source(Source::Visitor), Arrivals::default());
        arrivals.of_mut(Source::Visitor).unwrap().push(Bytes::from_static(b"vis"));
        arrivals.of_mut(Source::Visitor).unwrap().end(false);
        assert_eq!(body.next(&mut arrivals, 9).unwrap().unwrap(), "vis");
        assert!(matches!(body.next(&mut arrivals, 9), Err(Stop::Status(Status::HttpIncomplete))));
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
