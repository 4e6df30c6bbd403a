//! Why a frame was dropped: a counted reason, never silence (after Linux net/mac80211/drop.h).

use core::fmt;

use crate::security::ccmp::{OpenError, SealError};

macro_rules! drop_reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a frame went no further.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum DropReason {
            $($(#[$doc])* $name,)*
        }

        impl DropReason {
            /// All reasons, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name that counters, logs and reports use.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

drop_reasons! {
    /// Shorter than its headers say, or than protection needs.
    Truncated = "truncated",
    /// Protocol version other than 0, or a form of frame that is not understood.
    Malformed = "malformed",
    /// Its identifier, or its source address, names no VM.
    NoSuchVm = "no_such_vm",
    /// Addressed to somebody else.
    NotOurs = "not_ours",
    /// A VM sent it under an address that is not its own.
    ForeignSource = "foreign_source",
    /// Not from the access point that the VM is connected to.
    ForeignBss = "foreign_bss",
    /// The VM's connection does not allow it yet, or any more.
    NotConnected = "not_connected",
    /// Protected, and there is no key for it.
    NoKey = "no_key",
    /// In the clear where a key is required.
    Unprotected = "unprotected",
    /// Its packet number is not larger than the last one.
    Replay = "replay",
    /// Its message integrity code is wrong.
    MicFailed = "mic_failed",
    /// The same sequence number again, with the Retry bit.
    Duplicate = "duplicate",
    /// A fragment: not put together here.
    Fragment = "fragment",
    /// An A-MSDU that cannot be what it says it is.
    BadAmsdu = "bad_amsdu",
    /// The VM's own group frame, sent back by its access point.
    OwnEcho = "own_echo",
    /// The VM's filter does not ask for it.
    Filtered = "filtered",
    /// The queue was full.
    QueueFull = "queue_full",
    /// Sent as often as allowed and never acknowledged.
    NotAcknowledged = "not_acknowledged",
    /// The key has no packet numbers left.
    KeyExhausted = "key_exhausted",
    /// Removed from a queue when the VM was reset, removed or given another key.
    Flushed = "flushed",
}

impl fmt::Display for DropReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl From<SealError> for DropReason {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Truncated | SealError::NoRoom => Self::Truncated,
            SealError::NotProtectable | SealError::TooLong => Self::Malformed,
            SealError::KeyExhausted => Self::KeyExhausted,
        }
    }
}

impl From<OpenError> for DropReason {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Truncated | OpenError::NoRoom => Self::Truncated,
            OpenError::NotProtected => Self::Unprotected,
            OpenError::NotCcmp => Self::Malformed,
            OpenError::Replay => Self::Replay,
            OpenError::MicFailed => Self::MicFailed,
        }
    }
}

/// One counter for each reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropCounters([u64; DropReason::ALL.len()]);

impl Default for DropCounters {
    fn default() -> Self {
        Self([0; DropReason::ALL.len()])
    }
}

impl DropCounters {
    /// From counts in the order of the reasons' numbers.
    pub(crate) const fn from_values(values: [u64; DropReason::ALL.len()]) -> Self {
        Self(values)
    }

    /// Counts one more.
    pub fn count(&mut self, reason: DropReason) {
        if let Some(counter) = self.0.get_mut(reason as usize) {
            *counter += 1;
        }
    }

    /// How many for this reason.
    pub fn of(&self, reason: DropReason) -> u64 {
        self.0.get(reason as usize).copied().unwrap_or_default()
    }

    /// Reason and count, reasons that never occurred left out.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL.iter().map(|reason| (*reason, self.of(*reason))).filter(|(_, count)| *count > 0)
    }
}
