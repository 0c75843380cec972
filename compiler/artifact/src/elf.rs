//! The container: a valid ELF64 shared object without relocations, so that objdump, gdb and perf read what our own loader maps.
//!
//! | section | holds |
//! |---|---|
//! | `.text` | thunks, code, stubs, passive segments; begins on a page, mapped as it is |
//! | `.viv.image` | the first bytes of every slot; begins on a page, mapped privately once a slot |
//! | `.viv.contract` `.viv.functions` | [`Contract`], [`FunctionTable`], postcard |
//! | `.viv.traps` `.viv.handlers` `.viv.map` | [`TrapTable`], [`HandlerTable`], [`AddressMap`], arrays |
//! | `.viv.lines` | [`LineTable`], read where it lies |
//! | `.symtab` | a symbol for each function |
//!
//! The padding of `e_ident` carries `VIV` and the format version, so that a foreign or stale file fails on its first sixteen bytes.

use std::ops::Range;

use object::elf;
use object::read::elf::ElfFile64;
use object::write::elf::{FileHeader, ProgramHeader, SectionHeader, Sym, Writer};
use object::{Endianness, Object as _, ObjectSection as _};
use thiserror::Error;

use crate::contract::Contract;
use crate::handlers::HandlerTable;
use crate::layout::SlotLayout;
use crate::lines::LineTable;
use crate::map::{AddressMap, FunctionTable};
use crate::trap::TrapTable;
use crate::{FORMAT_VERSION, PAGE_BYTES};

const IDENT_MARK: Range<usize> = 9..12;
const IDENT_VERSION: Range<usize> = 12..14;
const MARK: &[u8] = b"VIV";

/// Why bytes are not an artifact that this build can use.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ArtifactError {
    #[error("this is not a Vivarium artifact")]
    Foreign,
    #[error("this artifact has format version {found}, this build reads version {FORMAT_VERSION}: compile it again from its wasm")]
    Version { found: u16 },
    #[error("this artifact is damaged: {0}")]
    Damaged(&'static str),
    #[error("this artifact was signed by another key or changed after it was signed: compile it here")]
    Signature,
    #[error("the module's tables, globals and stack need more room than a slot has")]
    TooLarge,
}

/// What the compiler made of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    pub contract: Contract,
    pub text: Vec<u8>,
    /// The first [`SlotLayout::image_bytes`] of every slot.
    pub image: Vec<u8>,
    pub traps: TrapTable,
    pub handlers: HandlerTable,
    pub functions: FunctionTable,
    pub map: AddressMap,
    /// An encoded [`LineTable`]; no bytes where there is no debug information.
    pub lines: Vec<u8>,
}

/// The parts of an encoded artifact. Text, image and lines stay in the file.
#[derive(Debug, Clone)]
pub struct ArtifactFile {
    pub contract: Contract,
    pub layout: SlotLayout,
    /// Where the text lies in the file; begins on a page.
    pub text: Range<usize>,
    /// Where the image lies in the file; begins on a page.
    pub image: Range<usize>,
    pub traps: TrapTable,
    pub handlers: HandlerTable,
    pub functions: FunctionTable,
    pub map: AddressMap,
    /// Where the encoded [`LineTable`] lies in the file.
    pub lines: Range<usize>,
}

impl ArtifactFile {
    /// The table of lines, in the file that this was parsed from.
    pub fn line_table<'f>(&self, file: &'f [u8]) -> LineTable<'f> {
        file.get(self.lines.clone()).and_then(LineTable::parse).unwrap_or_default()
    }
}

impl Artifact {
    /// The ELF file, unsigned.
    pub fn encode(&self) -> Result<Vec<u8>, ArtifactError> {
        let contract = postcard::to_stdvec(&self.contract).map_err(|_| ArtifactError::TooLarge)?;
        let functions = postcard::to_stdvec(&self.functions).map_err(|_| ArtifactError::TooLarge)?;
        let (traps, handlers, map) = (self.traps.encode(), self.handlers.encode(), self.map.encode());
        let sections = [
            Section { name: ".text", bytes: &self.text, align: PAGE_BYTES, flags: elf::SHF_ALLOC | elf::SHF_EXECINSTR },
            Section { name: ".viv.image", bytes: &self.image, align: PAGE_BYTES, flags: elf::SHF_ALLOC | elf::SHF_WRITE },
            Section { name: ".viv.contract", bytes: &contract, align: 8, flags: Default::default() },
            Section { name: ".viv.functions", bytes: &functions, align: 8, flags: Default::default() },
            Section { name: ".viv.traps", bytes: &traps, align: 8, flags: Default::default() },
            Section { name: ".viv.handlers", bytes: &handlers, align: 8, flags: Default::default() },
            Section { name: ".viv.map", bytes: &map, align: 8, flags: Default::default() },
            Section { name: ".viv.lines", bytes: &self.lines, align: 8, flags: Default::default() },
        ];
        let mut bytes = write(&sections, &self.functions).map_err(|_| ArtifactError::TooLarge)?;
        bytes[IDENT_MARK].copy_from_slice(MARK);
        bytes[IDENT_VERSION].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        Ok(bytes)
    }

    /// Reads an encoded artifact, signed or not; the caller has checked the signature where it matters.
    pub fn parse(file: &[u8]) -> Result<ArtifactFile, ArtifactError> {
        check_version(file)?;
        let elf = ElfFile64::<Endianness>::parse(file).map_err(|_| ArtifactError::Damaged("its headers do not parse"))?;
        let range = |name: &'static str| -> Result<Range<usize>, ArtifactError> {
            let section = elf.section_by_name(name).ok_or(ArtifactError::Damaged("a section is missing"))?;
            let (start, len) = section.file_range().unwrap_or((0, 0));
            let end = start.checked_add(len).filter(|end| *end <= file.len() as u64);
            Ok(start as usize..end.ok_or(ArtifactError::Damaged("a section reaches past the end of the file"))? as usize)
        };
        let bytes = |name| range(name).map(|range| &file[range]);
        let contract: Contract =
            postcard::from_bytes(bytes(".viv.contract")?).map_err(|_| ArtifactError::Damaged("its contract does not parse"))?;
        let layout = SlotLayout::of(&contract).ok_or(ArtifactError::TooLarge)?;
        let (text, image) = (range(".text")?, range(".viv.image")?);
        if !text.start.is_multiple_of(PAGE_BYTES as usize) || !image.start.is_multiple_of(PAGE_BYTES as usize) {
            return Err(ArtifactError::Damaged("its text or image does not begin on a page"));
        }
        if image.len() as u64 != layout.image_bytes {
            return Err(ArtifactError::Damaged("its image does not have the length that its contract says"));
        }
        let lines = range(".viv.lines")?;
        if LineTable::parse(&file[lines.clone()]).is_none() {
            return Err(ArtifactError::Damaged("its table of lines does not parse"));
        }
        Ok(ArtifactFile {
            traps: TrapTable::decode(bytes(".viv.traps")?).ok_or(ArtifactError::Damaged("its trap table does not parse"))?,
            handlers: HandlerTable::decode(bytes(".viv.handlers")?).ok_or(ArtifactError::Damaged("its handler table does not parse"))?,
            map: AddressMap::decode(bytes(".viv.map")?).ok_or(ArtifactError::Damaged("its address map does not parse"))?,
            functions: FunctionTable::decode(bytes(".viv.functions")?)
                .ok_or(ArtifactError::Damaged("its function table does not parse"))?,
            contract,
            layout,
            text,
            image,
            lines,
        })
    }
}

/// Reads the first sixteen bytes only.
pub(crate) fn check_version(file: &[u8]) -> Result<(), ArtifactError> {
    let ident = file.get(..16).ok_or(ArtifactError::Foreign)?;
    if &ident[..4] != b"\x7fELF" || &ident[IDENT_MARK] != MARK {
        return Err(ArtifactError::Foreign);
    }
    let found = u16::from_le_bytes([ident[IDENT_VERSION.start], ident[IDENT_VERSION.start + 1]]);
    if found == FORMAT_VERSION { Ok(()) } else { Err(ArtifactError::Version { found }) }
}

struct Section<'a> {
    name: &'static str,
    bytes: &'a [u8],
    align: u64,
    flags: elf::SectionFlags,
}

/// Writes the file: header, program headers, sections (address = offset), symbols, section headers.
fn write(sections: &[Section<'_>], functions: &FunctionTable) -> object::write::Result<Vec<u8>> {
    // A string table ends its strings with NUL; a wasm name may contain one.
    let names: Vec<String> = functions.records().iter().map(|record| record.display_name().replace('\0', "\u{fffd}")).collect();
    let mut bytes = Vec::new();
    let mut writer = Writer::new(object::Endianness::Little, true, &mut bytes);

    writer.reserve_file_header();
    writer.reserve_program_headers(sections.iter().filter(|section| section.is_loaded()).count() as u32);
    writer.reserve_null_section_index();
    let mut placed = Vec::with_capacity(sections.len());
    for section in sections {
        let name = writer.add_section_name(section.name.as_bytes());
        let index = writer.reserve_section_index();
        placed.push((name, index, writer.reserve(section.bytes.len() as u64, section.align)));
    }
    let text_index = placed[0].1;
    let text_address = placed[0].2;
    writer.reserve_null_symbol_index();
    let mut symbols = Vec::with_capacity(names.len());
    for name in &names {
        symbols.push(writer.add_string(name.as_bytes()));
        writer.reserve_symbol_index(Some(text_index));
    }
    writer.reserve_symtab_section_index();
    writer.reserve_symtab();
    writer.reserve_strtab_section_index();
    writer.reserve_strtab()?;
    writer.reserve_shstrtab_section_index();
    writer.reserve_shstrtab()?;
    writer.reserve_section_headers();

    writer.write_file_header(&FileHeader {
        os_abi: elf::ELFOSABI_NONE,
        abi_version: 0,
        e_type: elf::ET_DYN,
        e_machine: elf::EM_X86_64,
        e_entry: 0,
        e_flags: Default::default(),
    })?;
    writer.write_align_program_headers();
    for (section, (_, _, offset)) in sections.iter().zip(&placed).filter(|(section, _)| section.is_loaded()) {
        writer.write_program_header(&section.program_header(*offset));
    }
    for (section, (_, _, offset)) in sections.iter().zip(&placed) {
        writer.pad_until(*offset);
        writer.write(section.bytes);
    }
    writer.write_null_symbol();
    for (record, name) in functions.records().iter().zip(&symbols) {
        writer.write_symbol(&Sym {
            st_name: writer.string_offset(Some(*name)),
            section: Some(text_index.0),
            st_info: elf::SymbolInfo::new(elf::STB_LOCAL, elf::STT_FUNC),
            st_other: Default::default(),
            st_shndx: Default::default(),
            st_value: text_address + u64::from(record.text_offset),
            st_size: u64::from(record.text_bytes),
        });
    }
    writer.write_strtab();
    writer.write_shstrtab();
    writer.write_null_section_header();
    for (section, (name, _, offset)) in sections.iter().zip(&placed) {
        writer.write_section_header(&SectionHeader {
            sh_name: writer.section_name_offset(Some(*name)),
            sh_type: elf::SHT_PROGBITS,
            sh_flags: section.flags,
            sh_addr: if section.is_loaded() { *offset } else { 0 },
            sh_offset: *offset,
            sh_size: section.bytes.len() as u64,
            sh_link: 0,
            sh_info: 0,
            sh_addralign: section.align,
            sh_entsize: 0,
        });
    }
    writer.write_symtab_section_header(symbols.len() as u32 + 1);
    writer.write_strtab_section_header();
    writer.write_shstrtab_section_header();
    Ok(bytes)
}

impl Section<'_> {
    fn is_loaded(&self) -> bool {
        self.flags.contains(elf::SHF_ALLOC)
    }

    fn program_header(&self, offset: u64) -> ProgramHeader {
        let access = if self.flags.contains(elf::SHF_EXECINSTR) { elf::PF_R | elf::PF_X } else { elf::PF_R | elf::PF_W };
        let len = self.bytes.len() as u64;
        ProgramHeader {
            p_type: elf::PT_LOAD,
            p_flags: access,
            p_offset: offset,
            p_vaddr: offset,
            p_paddr: offset,
            p_filesz: len,
            p_memsz: len,
            p_align: self.align,
        }
    }
}
