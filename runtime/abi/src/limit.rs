//! A limit that a program reached, as a sentence that names it.

use std::fmt;

/// A bound in bytes that was exceeded, with the name under which it is documented.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {} (limit {name})", Bytes(*.maximum_bytes))]
pub struct LimitReached {
    /// The field of [`crate::HostLimits`].
    pub name: &'static str,
    pub maximum_bytes: u64,
    /// The beginning of the sentence, up to the figure.
    what: &'static str,
}

impl LimitReached {
    pub(crate) fn stdout(maximum_bytes: u64) -> LimitReached {
        LimitReached { name: "stdout_bytes_max", maximum_bytes, what: "the program wrote more to standard output than" }
    }

    pub(crate) fn buffered(maximum_bytes: u64) -> LimitReached {
        LimitReached {
            name: "buffered_bytes_max",
            maximum_bytes,
            what: "bodies, headers and secrets that the program holds take more than",
        }
    }

    pub(crate) fn arguments(maximum_bytes: u64) -> LimitReached {
        LimitReached { name: "arguments_bytes_max", maximum_bytes, what: "the program's arguments take more than" }
    }

    pub(crate) fn environment(maximum_bytes: u64) -> LimitReached {
        LimitReached { name: "environment_bytes_max", maximum_bytes, what: "the program's environment takes more than" }
    }
}

/// Shows a number of bytes in the largest binary unit that divides it.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const KIB: u64 = 1024;
        const MIB: u64 = 1024 * KIB;
        match self.0 {
            0 => write!(out, "0 bytes"),
            bytes if bytes % MIB == 0 => write!(out, "{} MiB", bytes / MIB),
            bytes if bytes % KIB == 0 => write!(out, "{} KiB", bytes / KIB),
            bytes => write!(out, "{bytes} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_limit_and_figure() {
        assert_eq!(
            LimitReached::stdout(16 << 20).to_string(),
            "the program wrote more to standard output than 16 MiB (limit stdout_bytes_max)"
        );
        assert_eq!(
            LimitReached::arguments(1000).to_string(),
            "the program's arguments take more than 1000 bytes (limit arguments_bytes_max)"
        );
        assert!(LimitReached::environment(128 << 10).to_string().contains("128 KiB"));
    }
}
