//! Debug information to one table of lines: from each wasm offset to a place in the source.
//!
//! ```text
//! .debug_line (clang, rustc, wast) ─► dwarf ──────┐
//! vivarium.source_map (asc) ───────► source_map ──┼─► Collected ─► rows of the user's own functions ─► LineTable
//! vivarium.lines (condensed before) ──────────────┘
//! ```
//!
//! Debug information comes from whoever sent the wasm: it is never a reason to refuse a module, and what is damaged in it has no lines. [`condense`]
//! puts the table in the place of all debug sections, so that what is stored and compiled again keeps its lines without the debug information of
//! whole libraries (`decisions/0005-lines.md` has the sizes).

mod collected;
mod dwarf;
mod source_map;

use std::borrow::Cow;
use std::ops::Range;

use vivarium_artifact::lines::{LineTable, LineTableBuilder};
use wasmparser::{Parser, Payload};

use collected::Collected;

/// The custom section that [`condense`] writes: an encoded [`LineTable`] whose offsets count from the beginning of the code section's contents.
pub const LINES_SECTION: &str = "vivarium.lines";
/// The custom section in which a toolchain's driver puts a source map (revision 3 of its format).
pub const SOURCE_MAP_SECTION: &str = "vivarium.source_map";
const CUSTOM_SECTION: u8 = 0;
/// Magic number and version.
const HEADER_BYTES: usize = 8;

/// The encoded [`LineTable`] of a module, by offset in the binary; no bytes when it has no debug information.
pub fn table(wasm: &[u8]) -> Vec<u8> {
    let Some(module) = Sections::read(wasm) else { return Vec::new() };
    let rows = module.lines();
    let rows = LineTable::parse(&rows).into_iter().flat_map(|table| table.rows());
    let mut builder = LineTableBuilder::default();
    let mut last = 0;
    for row in rows {
        // Not sorted is damage.
        let Some(offset) = row.wasm_offset.checked_add(module.code.start).filter(|offset| *offset >= last) else { break };
        last = offset;
        builder.push(offset, row.place);
    }
    builder.finish()
}

/// The module with its table of lines in the place of its debug sections; as it is when it has none, or when it does not parse.
pub fn condense(wasm: &[u8]) -> Cow<'_, [u8]> {
    let Some(module) = Sections::read(wasm).filter(|module| module.all.iter().any(Section::is_debug)) else {
        return Cow::Borrowed(wasm);
    };
    let lines = module.lines();
    let mut condensed = wasm[..HEADER_BYTES].to_vec();
    for section in module.all.iter().filter(|section| !section.is_debug() && section.name != Some(LINES_SECTION)) {
        put_section(&mut condensed, section.id, section.contents);
    }
    if !lines.is_empty() {
        let name = [&[LINES_SECTION.len() as u8], LINES_SECTION.as_bytes()].concat();
        put_section(&mut condensed, CUSTOM_SECTION, &[name, lines].concat());
    }
    Cow::Owned(condensed)
}

/// Whether one binary is the other with nothing but its debug sections exchanged for a table of lines: what [`condense`] may have made of it.
pub fn is_condensed_from(condensed: &[u8], wasm: &[u8]) -> bool {
    let (Some(condensed), Some(wasm)) = (Sections::read(condensed), Sections::read(wasm)) else { return false };
    let is_kept = |section: &&Section<'_>| !section.is_debug() && section.name != Some(LINES_SECTION);
    condensed.all.iter().filter(is_kept).map(Section::raw).eq(wasm.all.iter().filter(is_kept).map(Section::raw))
        && !condensed.all.iter().any(Section::is_debug)
}

fn put_section(wasm: &mut Vec<u8>, id: u8, contents: &[u8]) {
    wasm.push(id);
    let mut length = contents.len();
    while length >= 0x80 {
        wasm.push(length as u8 | 0x80);
        length >>= 7;
    }
    wasm.push(length as u8);
    wasm.extend_from_slice(contents);
}

/// What of a binary matters here.
struct Sections<'a> {
    /// In order.
    all: Vec<Section<'a>>,
    /// Contents of the code section, by offset in the binary.
    code: Range<u32>,
    /// Bodies of functions, by offset in the contents of the code section.
    bodies: Vec<Range<u32>>,
}

struct Section<'a> {
    id: u8,
    contents: &'a [u8],
    /// Of a custom section.
    name: Option<&'a str>,
    /// Of a custom section, what follows its name.
    data: &'a [u8],
}

impl<'a> Section<'a> {
    fn raw(&self) -> (u8, &'a [u8]) {
        (self.id, self.contents)
    }

    /// Whether the table of lines makes this one superfluous.
    fn is_debug(&self) -> bool {
        self.name.is_some_and(|name| {
            let name = name.strip_prefix("reloc.").unwrap_or(name);
            name.starts_with(".debug_") || name == SOURCE_MAP_SECTION || name == "sourceMappingURL"
        })
    }
}

impl<'a> Sections<'a> {
    fn read(wasm: &'a [u8]) -> Option<Sections<'a>> {
        let mut sections = Sections { all: vec![], code: 0..0, bodies: vec![] };
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload.ok()?;
            if let Some((id, range)) = payload.as_section() {
                let contents = wasm.get(range.start as usize..range.end as usize)?;
                let (name, data) = match &payload {
                    Payload::CustomSection(section) => (Some(section.name()), section.data()),
                    _ => (None, &[][..]),
                };
                sections.all.push(Section { id, contents, name, data });
            }
            match payload {
                Payload::CodeSectionStart { unchecked_range: range, .. } => sections.code = range.start as u32..range.end as u32,
                Payload::CodeSectionEntry(body) => {
                    let within = |offset: u64| (offset as u32).checked_sub(sections.code.start);
                    sections.bodies.push(within(body.range().start)?..within(body.range().end)?);
                }
                _ => {}
            }
        }
        Some(sections)
    }

    /// The encoded table, by offset in the contents of the code section.
    fn lines(&self) -> Vec<u8> {
        let data = |name: &str| self.all.iter().find(|section| section.name == Some(name)).map_or(&[][..], |section| section.data);
        let (condensed, source_map) = (data(LINES_SECTION), data(SOURCE_MAP_SECTION));
        let mut collected = Collected::default();
        if !condensed.is_empty() {
            collected.take_table(condensed);
        } else if !source_map.is_empty() {
            source_map::read(source_map, &self.code, &mut collected);
        } else {
            let strings = dwarf::Strings { plain: data(".debug_str"), line: data(".debug_line_str") };
            dwarf::read(data(".debug_line"), strings, &self.bodies, &mut collected);
        }
        collected.into_table(&self.bodies)
    }
}
