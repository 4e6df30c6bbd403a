//! Why octets could not be read: what was being read, where, and what was missing.

use core::fmt;

/// Octets that do not hold what they should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// Fewer octets than the format needs.
    Truncated {
        /// What was being read, in the standard's words.
        what: &'static str,
        /// How many octets it needs.
        needed: usize,
        /// How many there were.
        had: usize,
        /// Offset of its first octet.
        at: usize,
    },
    /// A value that the format does not allow.
    Invalid {
        /// The field, in the standard's words.
        what: &'static str,
        /// Its value.
        value: u64,
        /// Offset of its first octet.
        at: usize,
    },
}

impl ParseError {
    /// The same error, its place counted from the start of the enclosing format.
    #[must_use]
    pub fn within(self, start: usize) -> Self {
        match self {
            Self::Truncated { what, needed, had, at } => Self::Truncated { what, needed, had, at: at + start },
            Self::Invalid { what, value, at } => Self::Invalid { what, value, at: at + start },
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { what, needed, had, at } => {
                write!(out, "{what} at octet {at} is cut off: it needs {needed} octets and has {had}")
            }
            Self::Invalid { what, value, at } => write!(out, "{what} at octet {at} has no meaning: {value:#x}"),
        }
    }
}

impl core::error::Error for ParseError {}
