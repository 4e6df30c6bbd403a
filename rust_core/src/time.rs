//! Time as an argument: a point on one nanosecond axis that starts at zero.
//!
//! Nothing in this crate reads a clock but [`crate::runtime`], in wall-clock mode only, and [`crate::bench`].

use core::ops::{Add, Sub};
use core::time::Duration;

/// A point in time, in nanoseconds since the start of the run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Instant(u64);

/// One time unit of 802.11: 1024 microseconds (IEEE 802.11-2020 3.1).
pub const TIME_UNIT: Duration = Duration::from_micros(1024);

impl Instant {
    /// The start of the run.
    pub const ZERO: Self = Self(0);
    /// Never.
    pub const FAR_FUTURE: Self = Self(u64::MAX);

    /// From nanoseconds since the start.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole microseconds since the start: the unit of the TSF timer.
    pub const fn as_micros(self) -> u64 {
        self.0 / 1000
    }

    /// How long since `earlier`; zero where that lies in the future.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl Sub<Instant> for Instant {
    type Output = Duration;

    fn sub(self, earlier: Instant) -> Duration {
        self.since(earlier)
    }
}
