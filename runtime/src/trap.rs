//! What is told of a trap: its kind, and the guest's call stack.

use vivarium_artifact::TrapKind;

use crate::module::LoadedModule;
use crate::stack::Frames;

/// Frames of a call stack that are told at most.
pub const TRAP_FRAMES_MAX: usize = 32;
/// A full call stack of no more functions than these is an endless recursion.
const RECURSIVE_FUNCTIONS_MAX: usize = 4;

/// Why a guest was stopped, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trap {
    pub kind: TrapKind,
    /// Innermost first, at most [`TRAP_FRAMES_MAX`]; empty when instantiation itself traps.
    pub frames: Vec<Frame>,
}

impl Trap {
    /// What happened, and the likely reason where the call stack shows it. A program with a stack of its own in memory 0, as C and Rust have, runs out of
    /// that one first, and then its kind alone says little.
    pub fn message(&self) -> String {
        let exhausts = matches!(self.kind, TrapKind::StackOverflow | TrapKind::MemoryOutOfBounds);
        let told = self.frames.len();
        let mut functions: Vec<&str> = self.frames.iter().map(|frame| frame.function.as_str()).collect();
        functions.sort_unstable();
        functions.dedup();
        if exhausts && told == TRAP_FRAMES_MAX && functions.len() <= RECURSIVE_FUNCTIONS_MAX {
            format!("{}: the stack is used up, {} calls itself again and again", self.kind, self.frames[0].function)
        } else {
            self.kind.to_string()
        }
    }
}

/// One function of the guest's call stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Name from the module, or `function[index]`.
    pub function: String,
    /// Offset in the wasm binary, in bytes.
    pub wasm_offset: Option<u32>,
    /// None where the artifact has no lines of it: there was no debug information, or the function is a library's.
    pub place: Option<SourcePlace>,
}

/// A place in the program's source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePlace {
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1; 0 where it is not known.
    pub column: u32,
}

/// Adds the functions of these frames to what is told of a trap, innermost first. `stopped` says that the first one was stopped at its address; all others
/// go on there, behind a call.
pub(crate) fn tell(told: &mut Vec<Frame>, module: &LoadedModule, frames: Frames<'_>, stopped: bool) {
    let mut behind_call = !stopped;
    for frame in frames {
        if told.len() == TRAP_FRAMES_MAX {
            return;
        }
        let address = frame.address.wrapping_sub(u64::from(std::mem::replace(&mut behind_call, true)));
        match module.describe(address) {
            Some(frame) => told.push(frame),
            // Trampolines and stubs have no record; the frame above them may have one.
            None if module.holds(address) => {}
            None => return,
        }
    }
}
