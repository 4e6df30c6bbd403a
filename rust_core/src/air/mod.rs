//! The air: who hears whom, for how long a frame lasts, and what is lost.

pub mod medium;
pub mod phy;
pub mod random;
pub mod station;

pub use station::{AirStation, Burst, Channel, Reception, TransmitReport};
