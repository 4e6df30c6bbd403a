//! The air: who hears whom, for how long a frame lasts, and what is lost.
//!
//! [`medium`] moves bursts between [`AirStation`]s; [`phy`] says how long they last and how likely they arrive.
//! Not here: what a frame means, captures, clocks.
//! Promise: the same seed and the same calls give the same run; time is an argument.

mod flight;
pub mod medium;
pub mod phy;
pub mod random;
pub mod station;

pub use medium::{AirFrame, Link, Medium};
pub use station::{AirStation, Burst, Channel, Reception, TransmitReport};
