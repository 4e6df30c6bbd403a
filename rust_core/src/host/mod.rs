//! The host driver's data plane: virtual radios' queues, tags, and the guests' Ethernet ports.
//!
//! The only place where a VM ID becomes a VR ID and back. The device is reached by host API octets alone
//! ([`NicLink`]), so an emulated NIC and one at the end of a serial line are the same to it.
//! Not here: controls and what comes up for the control plane; those pass through untouched.
//! Promise: a guest's frame is fetched only while the device has room for it; what is fetched is counted.

pub mod data_plane;
pub mod doorbell;
pub mod nic_link;
pub mod port;
#[cfg(target_os = "linux")]
pub mod tap;

pub use data_plane::{DataPlane, GuestCounters};
pub use nic_link::NicLink;
pub use port::{MemoryPort, Port};
