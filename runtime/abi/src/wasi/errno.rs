//! Error numbers.

/// The numbers of the specification's `errno` that this host answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Errno {
    Success = 0,
    Badf = 8,
    Fault = 21,
    Inval = 28,
    Io = 29,
    Nosys = 52,
    Notsup = 58,
    Spipe = 70,
}
