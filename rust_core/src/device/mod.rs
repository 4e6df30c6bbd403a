//! The NIC: one radio, many virtual MACs (US 8,392,625, FIG. 6).
//!
//! A frame's way up: [`receive`]: filter, VM by destination address, replay, open, VM identifier inserted. A frame's way
//! down: [`transmit`]: VM by identifier or source address, queue, packet number, seal. Calls: [`vm_differentiator`] finds
//! the row by the header's identifier, [`vm_init`] makes one.
//!
//! Not here: policy (which channel, who first); the device obeys.
//! Promise: octets in, octets out, no I/O, no clock, no panic; every frame that goes no further has a counted reason.

pub mod connection_table;
pub mod counters;
pub mod device;
pub mod drop_reason;
pub mod radio_schedule;
pub mod receive;
pub mod transmit;
pub mod virtual_mac;
pub mod vm_differentiator;
pub mod vm_init;

pub use counters::Counters;
pub use device::{Device, DeviceConfig};
pub use drop_reason::{DropCounters, DropReason};
