//! The two drivers of time: virtual, and the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::time::Instant;

/// What moves the time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Clock {
    /// The next deadline.
    Virtual,
    /// The system's monotonic clock since `start`.
    Wall {
        start: std::time::Instant,
        /// The start, in nanoseconds since 1970.
        epoch_ns: u64,
    },
}

impl Clock {
    /// Wall-clock time that starts now.
    pub(super) fn wall() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let epoch_ns = u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX);
        Self::Wall { start: std::time::Instant::now(), epoch_ns }
    }

    /// What the clock says; `None` in virtual time.
    pub(super) fn now(self) -> Option<Instant> {
        match self {
            Self::Virtual => None,
            Self::Wall { start, .. } => {
                Some(Instant::from_nanos(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)))
            }
        }
    }

    /// The start of the run, in nanoseconds since 1970: in virtual time always the same, so that captures are.
    pub(super) const fn epoch_ns(self) -> u64 {
        match self {
            Self::Virtual => VIRTUAL_EPOCH_NS,
            Self::Wall { epoch_ns, .. } => epoch_ns,
        }
    }
}

/// 2026-01-01T00:00:00Z.
const VIRTUAL_EPOCH_NS: u64 = 1_767_225_600_000_000_000;
