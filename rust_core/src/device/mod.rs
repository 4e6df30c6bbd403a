//! The NIC: one radio, many virtual MACs (US 8,392,625, FIG. 6).
//!
//! A frame's way up: [`receive`]: filter, VM by destination address, replay, open, VM identifier inserted. A frame's way
//! down: [`transmit`]: VM by identifier or source address, queue, packet number, seal. Calls: [`vm_differentiator`] finds
//! the row by the header's identifier, [`vm_init`] makes one.
//!
//! Not here: policy (which channel, who first); the device obeys.
//! Promise: octets in, octets out, no I/O, no clock, no panic; every frame that goes no further has a counted reason.

mod address_bucket;
pub mod address_hasher;
pub mod address_index;
#[cfg(target_arch = "x86_64")]
mod address_index_x86;
pub mod batch;
mod beacon_watch;
mod bss_index;
mod channel_index;
pub mod connection_table;
pub mod counters;
mod crew;
#[expect(clippy::module_inception, reason = "the file is named after the type that everybody looks for")]
pub mod device;
pub mod drop_reason;
mod gate;
mod open_path;
mod outbox;
mod pipeline;
mod power_save;
pub mod radio_schedule;
pub mod receive;
pub mod row_encoding;
pub mod row_keys;
mod rows;
pub mod saved_table;
mod seal_path;
pub mod transmit;
mod transmit_queue;
mod transmitter;
mod usual;
pub mod virtual_mac;
pub mod vm_differentiator;
pub mod vm_init;

pub use connection_table::{ConnectionTable, Row};
pub use counters::Counters;
pub use crew::NoThreads;
pub use device::{Device, DeviceConfig};
pub use drop_reason::{DropCounters, DropReason};
pub use row_encoding::{RowSnapshot, parse_counters};
