//! Where exceptions are caught: for each call that has handlers its return address, and what catches which tag (`runtime/decisions/0013-exceptions.md`).

/// What catches at one call, in the order in which clauses are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallSite {
    /// Offset in the text of the call's return address.
    pub return_offset: u32,
    /// Distance from the frame pointer down to the stack pointer with which a handler begins, in bytes.
    pub frame_bytes: u32,
    pub clauses: Vec<Clause>,
}

/// One clause of a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clause {
    /// The tag that it catches, by index; none catches all.
    pub tag: Option<u32>,
    /// Whether it is given a reference to the exception.
    pub by_reference: bool,
    /// Offset in the text of the first instruction of the handler.
    pub landing_offset: u32,
}

/// Most tags of a module: a clause has 31 bits for one, and the largest of them stands for all.
pub const TAGS_MAX: u32 = CATCHES_ALL;
const CATCHES_ALL: u32 = u32::MAX >> 1;

impl Clause {
    /// Tag and kind in one number, as the code generator carries them.
    pub fn code(tag: Option<u32>, by_reference: bool) -> u32 {
        tag.unwrap_or(CATCHES_ALL) << 1 | u32::from(by_reference)
    }

    /// The clause of a number that [`Clause::code`] made.
    pub fn new(code: u32, landing_offset: u32) -> Clause {
        let tag = code >> 1;
        Clause { tag: (tag != CATCHES_ALL).then_some(tag), by_reference: code & 1 == 1, landing_offset }
    }
}

/// Call sites with handlers, sorted by return address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HandlerTable {
    return_offsets: Vec<u32>,
    frames: Vec<u32>,
    /// Where each site's clauses end; they begin where those of the site before end.
    ends: Vec<u32>,
    clauses: Vec<Clause>,
}

impl HandlerTable {
    /// What it takes of memory, in bytes.
    pub fn held_bytes(&self) -> usize {
        4 * (self.return_offsets.len() + self.frames.len() + self.ends.len()) + size_of_val(&self.clauses[..])
    }

    /// A table of these sites, in any order.
    pub fn new(mut sites: Vec<CallSite>) -> HandlerTable {
        sites.sort_by_key(|site| site.return_offset);
        let mut table = HandlerTable::default();
        for site in sites {
            table.return_offsets.push(site.return_offset);
            table.frames.push(site.frame_bytes);
            table.clauses.extend(site.clauses);
            table.ends.push(table.clauses.len() as u32);
        }
        table
    }

    /// The bytes of the frame, and the clauses, of the call that returns to exactly this offset in the text.
    pub fn at(&self, return_offset: u32) -> Option<(u32, &[Clause])> {
        self.site(self.return_offsets.binary_search(&return_offset).ok()?).map(|(_, frame_bytes, clauses)| (frame_bytes, clauses))
    }

    /// All sites: return address, bytes of the frame, clauses.
    pub fn sites(&self) -> impl Iterator<Item = (u32, u32, &[Clause])> {
        (0..self.return_offsets.len()).filter_map(|index| self.site(index))
    }

    pub fn is_empty(&self) -> bool {
        self.return_offsets.is_empty()
    }

    fn site(&self, index: usize) -> Option<(u32, u32, &[Clause])> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        let clauses = self.clauses.get(start as usize..*self.ends.get(index)? as usize)?;
        Some((self.return_offsets[index], self.frames[index], clauses))
    }

    /// `number of sites │ return addresses │ frames │ ends │ codes of clauses │ landings`, all `u32`, little-endian.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let count = self.return_offsets.len() as u32;
        let codes = self.clauses.iter().map(|clause| Clause::code(clause.tag, clause.by_reference));
        let landings = self.clauses.iter().map(|clause| clause.landing_offset);
        let sites = self.return_offsets.iter().chain(&self.frames).chain(&self.ends).copied();
        [count].into_iter().chain(sites).chain(codes).chain(landings).flat_map(u32::to_le_bytes).collect()
    }

    /// Reads an encoded table; sites out of order, and ends that do not divide the clauses, are damage.
    pub(crate) fn decode(bytes: &[u8]) -> Option<HandlerTable> {
        if !bytes.len().is_multiple_of(4) {
            return None;
        }
        let numbers: Vec<u32> = bytes.as_chunks::<4>().0.iter().map(|chunk| u32::from_le_bytes(*chunk)).collect();
        let (count, rest) = numbers.split_first()?;
        let (return_offsets, rest) = rest.split_at_checked(*count as usize)?;
        let (frames, rest) = rest.split_at_checked(*count as usize)?;
        let (ends, rest) = rest.split_at_checked(*count as usize)?;
        let (codes, landings) = rest.split_at(rest.len() / 2);
        let divides = ends.is_sorted() && ends.last().copied().unwrap_or(0) as usize == codes.len();
        let sound = divides && codes.len() == landings.len() && return_offsets.is_sorted_by(|one, next| one < next);
        let clauses = codes.iter().zip(landings).map(|(code, landing)| Clause::new(*code, *landing)).collect();
        sound.then(|| HandlerTable { return_offsets: return_offsets.to_vec(), frames: frames.to_vec(), ends: ends.to_vec(), clauses })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> HandlerTable {
        let clause = |tag, by_reference, landing_offset| Clause { tag, by_reference, landing_offset };
        HandlerTable::new(vec![
            CallSite { return_offset: 90, frame_bytes: 32, clauses: vec![clause(None, true, 120)] },
            CallSite { return_offset: 20, frame_bytes: 16, clauses: vec![clause(Some(0), false, 60), clause(Some(7), true, 70)] },
            CallSite { return_offset: 40, frame_bytes: 16, clauses: vec![] },
        ])
    }

    #[test]
    fn clauses_are_found_by_the_exact_return_address_in_their_order() {
        let table = table();
        let (frame_bytes, clauses) = table.at(20).unwrap();
        assert_eq!((frame_bytes, clauses.len(), clauses[1].tag, clauses[1].landing_offset), (16, 2, Some(7), 70));
        assert_eq!(table.at(40), Some((16, &[][..])));
        assert_eq!(table.at(90).unwrap().1[0], Clause { tag: None, by_reference: true, landing_offset: 120 });
        assert!(table.at(21).is_none() && table.at(0).is_none());
        assert_eq!(HandlerTable::decode(&table.encode()), Some(table));
        assert_eq!(HandlerTable::decode(&HandlerTable::default().encode()), Some(HandlerTable::default()));
    }

    #[test]
    fn damaged_tables_are_refused() {
        let bytes = table().encode();
        for length in 0..bytes.len() {
            assert_eq!(HandlerTable::decode(&bytes[..length]), None, "{length} bytes");
        }
        let with = |position: usize, value: u32| {
            let mut bytes = bytes.clone();
            bytes[4 * position..][..4].copy_from_slice(&value.to_le_bytes());
            HandlerTable::decode(&bytes)
        };
        assert_eq!(with(0, 2), None, "fewer sites than there are");
        assert_eq!(with(0, u32::MAX), None);
        assert_eq!(with(2, 20), None, "a return address twice");
        assert_eq!(with(2, 95), None, "out of order");
        assert_eq!(with(7, 4), None, "ends that go back");
        assert_eq!(with(9, 2), None, "clauses of no site");
        assert_eq!(with(9, 4), None, "clauses that are not there");
    }
}
