//! What compiled code may refer to outside its function: all of it in the same text, so that linking leaves nothing open.

use cranelift_codegen::ir::UserExternalName;
use vivarium_artifact::abi::Builtin;

/// A place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Symbol {
    /// A function by index; of an imported one, its trampoline.
    Function(u32),
    /// The trampoline of a builtin.
    Builtin(Builtin),
    /// The trampoline by which foreign functions of a signature are called, by its number.
    Foreign(u32),
    /// The trampoline that throws an exception of a tag.
    Throw(u32),
    /// The function that finishes instantiation.
    Initializer,
    Stub(Stub),
    /// One `i32` a function, relative to the table itself.
    OffsetTable,
    /// The bytes of a passive data segment.
    DataSegment(u32),
    /// The references of a passive element segment.
    ElementSegment(u32),
    /// Not a place, though code refers to it like one: a number that differs from module to module, filled in behind the code generator, so
    /// that code is the same in all of them (`cache/mod.rs`).
    Number(Number),
}

/// A number that code which several modules share refers to by what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Number {
    /// An immediate of the body that the linker relocates: an address or the index of a table's element. By its order in the body.
    Immediate(u32),
    /// The canonical number of a signature.
    Signature(u32),
    /// A reference to a function.
    Reference(u32),
    /// The number by which an imported function is asked for.
    Hostcall(u32),
    /// The number by which an exception of a tag is thrown.
    Throw(u32),
    /// The length of a table that cannot change.
    TableLength(u32),
    /// A place in the context, from `vmctx`.
    Place(Place),
}

/// A place in the context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    Global(u32),
    /// The first element of a table.
    Table(u32),
    TableLength(u32),
    MemoryLength(u32),
    DataSegmentLength(u32),
    ElementSegmentLength(u32),
    /// The first cell.
    Cells,
}

/// A piece of machine code that no function was compiled to (`stubs.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Stub {
    /// `(vmctx, hostcall number: i32)`.
    Hostcall,
    /// `(vmctx)`; does not return.
    Done,
    /// `(destination, source, bytes)`, overlapping or not.
    Copy,
    /// `(destination, byte, bytes)`.
    Fill,
    /// `(destination, reference, elements)`.
    FillReferences,
}

impl Stub {
    const ALL: [Stub; 5] = [Stub::Hostcall, Stub::Done, Stub::Copy, Stub::Fill, Stub::FillReferences];
}

impl Symbol {
    /// The name by which CLIF refers to this.
    pub fn external_name(self) -> UserExternalName {
        let (namespace, index) = match self {
            Symbol::Function(index) => (0, index),
            Symbol::Builtin(builtin) => (1, builtin as u32),
            Symbol::Stub(stub) => (2, stub as u32),
            Symbol::OffsetTable => (3, 0),
            Symbol::DataSegment(index) => (4, index),
            Symbol::ElementSegment(index) => (5, index),
            Symbol::Number(number) => number.external_name(),
            Symbol::Foreign(number) => (6, number),
            Symbol::Throw(tag) => (8, tag),
            Symbol::Initializer => (7, 0),
        };
        UserExternalName { namespace, index }
    }

    /// The symbol of a name that [`Symbol::external_name`] made.
    pub fn from_external_name(name: &UserExternalName) -> Option<Symbol> {
        match name.namespace {
            0 => Some(Symbol::Function(name.index)),
            1 => Builtin::from_number(name.index).map(Symbol::Builtin),
            2 => Stub::ALL.get(name.index as usize).copied().map(Symbol::Stub),
            3 => Some(Symbol::OffsetTable),
            4 => Some(Symbol::DataSegment(name.index)),
            5 => Some(Symbol::ElementSegment(name.index)),
            6 => Some(Symbol::Foreign(name.index)),
            8 => Some(Symbol::Throw(name.index)),
            7 => Some(Symbol::Initializer),
            _ => Number::from_external_name(name).map(Symbol::Number),
        }
    }
}

impl Number {
    /// Namespaces of numbers begin where those of symbols have room to grow.
    fn external_name(self) -> (u32, u32) {
        match self {
            Number::Immediate(order) => (16, order),
            Number::Signature(number) => (17, number),
            Number::Reference(function) => (18, function),
            Number::Hostcall(function) => (19, function),
            Number::TableLength(table) => (20, table),
            Number::Throw(tag) => (28, tag),
            Number::Place(Place::Global(global)) => (21, global),
            Number::Place(Place::Table(table)) => (22, table),
            Number::Place(Place::TableLength(table)) => (23, table),
            Number::Place(Place::MemoryLength(memory)) => (24, memory),
            Number::Place(Place::Cells) => (25, 0),
            Number::Place(Place::DataSegmentLength(segment)) => (26, segment),
            Number::Place(Place::ElementSegmentLength(segment)) => (27, segment),
        }
    }

    fn from_external_name(name: &UserExternalName) -> Option<Number> {
        Some(match name.namespace {
            16 => Number::Immediate(name.index),
            17 => Number::Signature(name.index),
            18 => Number::Reference(name.index),
            19 => Number::Hostcall(name.index),
            20 => Number::TableLength(name.index),
            28 => Number::Throw(name.index),
            21 => Number::Place(Place::Global(name.index)),
            22 => Number::Place(Place::Table(name.index)),
            23 => Number::Place(Place::TableLength(name.index)),
            24 => Number::Place(Place::MemoryLength(name.index)),
            25 => Number::Place(Place::Cells),
            26 => Number::Place(Place::DataSegmentLength(name.index)),
            27 => Number::Place(Place::ElementSegmentLength(name.index)),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_survives_its_name() {
        let mut symbols = vec![Symbol::Function(7), Symbol::OffsetTable, Symbol::DataSegment(1), Symbol::ElementSegment(0)];
        symbols.extend([Symbol::Foreign(3), Symbol::Throw(2), Symbol::Initializer]);
        symbols.extend(Stub::ALL.map(Symbol::Stub));
        symbols.extend(Builtin::ALL.map(Symbol::Builtin));
        let numbers = [
            Number::Immediate(3),
            Number::Signature(1),
            Number::Reference(4),
            Number::Hostcall(0),
            Number::TableLength(0),
            Number::Throw(5),
        ];
        let places = [Place::Global(2), Place::Table(0), Place::TableLength(0), Place::MemoryLength(0), Place::Cells];
        let lengths = [Place::DataSegmentLength(3), Place::ElementSegmentLength(1)];
        symbols.extend(numbers.into_iter().chain(places.map(Number::Place)).chain(lengths.map(Number::Place)).map(Symbol::Number));
        for symbol in symbols {
            assert_eq!(Symbol::from_external_name(&symbol.external_name()), Some(symbol));
        }
    }
}
