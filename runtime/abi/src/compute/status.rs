//! The numbers that functions answer.

/// What went wrong, or `Ok`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Status {
    Ok = 0,
    /// Something failed for which there is no other number.
    Error = 1,
    /// An argument means nothing, or an address lies outside of memory.
    Inval = 2,
    /// No such handle, or one of another kind.
    BadHandle = 3,
    /// The buffer is too short; the length that it must have was written.
    BufferLength = 4,
    Unsupported = 5,
    /// An address is not a multiple of the size of what lies there.
    BadAlignment = 6,
    /// A method, URI or header that HTTP does not allow.
    HttpInvalid = 7,
    /// A message that HTTP allows and that cannot be sent here.
    HttpUser = 8,
    /// The other side ended too early.
    HttpIncomplete = 9,
    /// There is no such value.
    None = 10,
    /// The headers of one message take more than they may.
    HttpHeadTooLarge = 11,
    /// No more handles, or too long a name.
    LimitExceeded = 13,
    /// Not known yet.
    Again = 14,
}
