//! The host driver's data plane: virtual radios' queues, tags, and the guests' Ethernet ports.
//!
//! The only place where a VM ID becomes a VR ID and back. The device is reached by host API octets alone.

pub mod data_plane;
pub mod port;
#[cfg(target_os = "linux")]
pub mod tap;
