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
    Stub(Stub),
    /// One `i32` a function, relative to the table itself.
    OffsetTable,
    /// The bytes of a passive data segment.
    DataSegment(u32),
    /// The references of a passive element segment.
    ElementSegment(u32),
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
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_survives_its_name() {
        let mut symbols = vec![Symbol::Function(7), Symbol::OffsetTable, Symbol::DataSegment(1), Symbol::ElementSegment(0)];
        symbols.extend(Stub::ALL.map(Symbol::Stub));
        symbols.extend(Builtin::ALL.map(Symbol::Builtin));
        for symbol in symbols {
            assert_eq!(Symbol::from_external_name(&symbol.external_name()), Some(symbol));
        }
    }
}
