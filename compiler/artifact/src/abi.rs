//! Numbers that machine code and host share (`runtime/decisions/0001-abi.md`).

/// Offset in the text of the thunk by which imported functions and builtins leave: `jmp gs:[CONTROL_HOSTCALL_EXIT]`.
pub const HOSTCALL_THUNK: u32 = 0;
/// Offset in the text of the thunk by which an entry trampoline leaves when its callee has returned: `jmp gs:[CONTROL_DONE_EXIT]`.
pub const DONE_THUNK: u32 = 16;
/// Offset in the text of a lone `ret`, at which the host resumes a hostcall.
pub const RESUME_STUB: u32 = 32;
/// Bytes at the head of the text that the thunks take.
pub const THUNKS_BYTES: u32 = 48;

/// Offset in the control block, at `gs`, of the address of the hostcall exit.
pub const CONTROL_HOSTCALL_EXIT: u32 = 0;
/// Offset in the control block of the address of the done exit.
pub const CONTROL_DONE_EXIT: u32 = 8;

/// Hostcall numbers below are indices of imported functions; from here on they are builtins.
pub const BUILTIN_BASE: u32 = 0x8000_0000;

/// Hostcall numbers from here on call a foreign function of the signature whose canonical number is what is left
/// (`runtime/decisions/0008-linking.md`): the reference lies in the context, the arguments in cells.
pub const FOREIGN_BASE: u32 = 0xc000_0000;

/// Hostcall numbers from here on throw an exception of the tag that is left, by index (`runtime/decisions/0013-exceptions.md`): what it carries lies in
/// cells. Control goes to where it is caught, never back.
pub const THROW_BASE: u32 = 0xe000_0000;

/// The bit of a reference's `type` by which a function of another instance is known.
pub const FOREIGN_TYPE: u32 = 0x8000_0000;

/// What compiled code asks of the runtime itself. Arguments and results are in cells, like those of a hostcall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Builtin {
    /// `(delta in pages: i64, memory index: i32) → previous length in pages: i64`, −1 when refused.
    MemoryGrow = BUILTIN_BASE,
    /// `(initial reference: i64, delta in elements: i64, table index: i32) → previous length: i64`, −1 when refused.
    TableGrow = BUILTIN_BASE + 1,
    /// `(table index: i32) → length in elements: i64`, of an imported table.
    TableSize = BUILTIN_BASE + 2,
    /// `(element index: i64, table index: i32) → reference: i64`, of an imported table; the index is within bounds.
    TableGet = BUILTIN_BASE + 3,
    /// `(element index: i64, reference: i64, table index: i32) → 0: i64`, of an imported table; the index is within bounds.
    TableSet = BUILTIN_BASE + 4,
    /// `(global index: i32) → reference: i64`, of an imported mutable global that holds references to functions.
    GlobalGet = BUILTIN_BASE + 5,
    /// `(reference: i64, global index: i32) → 0: i64`, of such a global.
    GlobalSet = BUILTIN_BASE + 6,
    /// `(reference: i64, signature's number: i32) → 1 when the foreign function has this signature, else 0: i64`.
    ForeignType = BUILTIN_BASE + 7,
    /// `(exception: i64)`, which is not null: throws it again. Control goes to where it is caught, never back.
    ThrowRef = BUILTIN_BASE + 8,
}

impl Builtin {
    /// All builtins; the compiler emits calls to these, the runtime answers these.
    pub const ALL: [Builtin; 9] = [
        Builtin::MemoryGrow,
        Builtin::TableGrow,
        Builtin::TableSize,
        Builtin::TableGet,
        Builtin::TableSet,
        Builtin::GlobalGet,
        Builtin::GlobalSet,
        Builtin::ForeignType,
        Builtin::ThrowRef,
    ];

    /// Those that only linked instances need.
    pub fn is_for_linking(self) -> bool {
        !matches!(self, Builtin::MemoryGrow | Builtin::TableGrow | Builtin::ThrowRef)
    }

    /// The builtin of a hostcall number, if it is one.
    pub fn from_number(number: u32) -> Option<Builtin> {
        Builtin::ALL.into_iter().find(|builtin| *builtin as u32 == number)
    }
}

/// Size of a cell for one argument or result, in bytes: a vector fits.
pub const CELL_BYTES: u64 = 16;
/// Size of a reference in a table or cell, in bytes.
pub const REFERENCE_BYTES: u64 = 8;
/// Size of the room of one global, in bytes.
pub const GLOBAL_BYTES: u64 = 16;

/// A function reference as it lies in a table and in a register: the signature's canonical number (from 1) below, the function's index above.
pub fn function_reference(type_number: u32, function: u32) -> u64 {
    u64::from(type_number) | u64::from(function) << 32
}
