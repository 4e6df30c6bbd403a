//! Measured pieces of work for the benchmark: ours, the processor's limit, fixed references, and other implementations.
//!
//! A [`Work`] is built once, with memory and keys of its own, and run in slices: the benchmark runs slices of several
//! works in turn, so that what disturbs one disturbs all. Each checks its own results: work that went wrong has no time.
//!
//! - [`ccmp`]: batches of packets through a backend; the `ccm` crate one packet at a time. [`ring`]: their packets;
//!   [`keyed`]: whole batches as Python gives them.
//! - [`limit`]: AES rounds alone, memory reads alone, dependent chains: what nothing can be faster than, or never changes.
//! - [`lookup`], [`table`], [`switch`]: the connection table's and the device's own paths.
//! - [`foreign`]: libraries in C, by the addresses of their functions.
//!
//! Not here: statistics, reports, which sizes; those are Python's.
//! Promise: the clock runs over the measured calls alone; the same seed gives the same octets.

pub mod ccmp;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod foreign;
pub mod keyed;
pub mod limit;
pub mod lookup;
pub mod ring;
pub mod switch;
pub mod table;

use core::fmt;
use core::time::Duration;

/// Packets that are given to a backend at once.
pub const BATCH: usize = 64;

/// Something whose time is of interest.
pub trait Work: Send {
    /// Items (packets, look-ups, switches) of one repetition, at least one.
    fn items(&self) -> usize;

    /// Does it that often, and says how long the measured calls took.
    ///
    /// # Errors
    /// The results were wrong.
    fn run(&mut self, repetitions: usize) -> Result<Duration, WorkError>;
}

/// Why there is no figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkError {
    /// The parameters make no sense; what is wrong with them.
    Invalid(&'static str),
    /// This processor or system cannot do it.
    NotHere(&'static str),
    /// The results were wrong.
    Wrong(&'static str),
}

impl fmt::Display for WorkError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(why) | Self::NotHere(why) => out.write_str(why),
            Self::Wrong(what) => write!(out, "wrong result: {what}"),
        }
    }
}

impl core::error::Error for WorkError {}

/// Work that does some of itself once more without counting it: a slowdown of known size, to prove that it is found.
pub struct Handicapped {
    work: Box<dyn Work>,
    percent: f64,
    owed: f64,
}

impl Handicapped {
    /// `percent` of the repetitions are done twice.
    ///
    /// # Errors
    /// `Invalid` where the percentage is negative or not finite, or above 1000.
    pub fn new(work: Box<dyn Work>, percent: f64) -> Result<Self, WorkError> {
        if (0.0..=1000.0).contains(&percent) {
            Ok(Self { work, percent, owed: 0.0 })
        } else {
            Err(WorkError::Invalid("a handicap is 0 to 1000 percent"))
        }
    }
}

impl Work for Handicapped {
    fn items(&self) -> usize {
        self.work.items()
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count, both small and not negative"
    )]
    fn run(&mut self, repetitions: usize) -> Result<Duration, WorkError> {
        self.owed += repetitions as f64 * self.percent / 100.0;
        let more = self.owed as usize;
        self.owed -= more as f64;
        self.work.run(repetitions.saturating_add(more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counted(usize);

    impl Work for Counted {
        fn items(&self) -> usize {
            1
        }

        fn run(&mut self, repetitions: usize) -> Result<Duration, WorkError> {
            self.0 += repetitions;
            Ok(Duration::from_nanos(self.0 as u64))
        }
    }

    #[test]
    fn a_handicap_of_a_fifth_does_a_fifth_more() {
        let mut work = Handicapped::new(Box::new(Counted(0)), 20.0).unwrap();
        assert_eq!(work.run(10), Ok(Duration::from_nanos(12)));
        for _ in 0..9 {
            work.run(1).unwrap();
        }
        assert_eq!(work.run(1), Ok(Duration::from_nanos(24)));
        assert!(Handicapped::new(Box::new(Counted(0)), -1.0).is_err());
        assert!(Handicapped::new(Box::new(Counted(0)), f64::NAN).is_err());
    }
}
