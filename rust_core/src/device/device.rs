//! The emulated NIC: owns the parts and moves octets between them.

use super::counters::Counters;
use crate::air::{AirStation, Burst, Channel, Reception, TransmitReport};
use crate::frame_batch::FrameBatch;
use crate::host_api::IdentifierWidth;
use crate::ids::{MacAddr, VmId};
use crate::time::Instant;

/// What a device is built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceConfig {
    /// How many VMs; the identifier's width follows from it.
    pub max_vms: u32,
    /// Frames that one VM may have under way.
    pub queue_length: u16,
    /// How long the radio takes from one channel to another, in microseconds.
    pub switch_us: u32,
    /// How often a frame is sent before it counts as not acknowledged.
    pub retry_limit: u8,
    /// How many frames one VM sends before the next one has its turn.
    pub burst_frames: u16,
    /// How much airtime one VM's turn takes at most, in microseconds (estimated; one frame is always sent).
    pub burst_limit_us: u32,
}

impl Default for DeviceConfig {
    fn default() -> Self {
        Self { max_vms: 64, queue_length: 64, switch_us: 500, retry_limit: 7, burst_frames: 16, burst_limit_us: 2500 }
    }
}

/// The NIC.
#[derive(Debug)]
pub struct Device {
    config: DeviceConfig,
    counters: Counters,
    outbox: Vec<u8>,
}

impl Device {
    /// A device as after power-up: no rows, no schedule, the radio on no channel.
    pub fn new(config: DeviceConfig) -> Self {
        Self { config, counters: Counters::default(), outbox: Vec::new() }
    }

    /// Takes calls, tagged with VR IDs, one behind the other.
    pub fn handle_messages(&mut self, _octets: &[u8], _now: Instant) {}

    /// Appends all completions and device-initiated calls; false where there were none.
    pub fn poll_messages(&mut self, out: &mut Vec<u8>) -> bool {
        let some = !self.outbox.is_empty();
        out.append(&mut self.outbox);
        some
    }

    /// Counters: of the device itself (`None`), then of each VM.
    pub fn counters(&self) -> impl Iterator<Item = (Option<VmId>, &Counters)> {
        core::iter::once((None, &self.counters))
    }

    /// The VM whose row owns `address`.
    pub fn vm_of(&self, _address: MacAddr) -> Option<VmId> {
        None
    }

    /// How wide the identifier field of this device's messages is.
    pub fn identifier_width(&self) -> IdentifierWidth {
        IdentifierWidth::for_vms(self.config.max_vms)
    }
}

impl AirStation for Device {
    fn channel(&self) -> Option<Channel> {
        None
    }

    fn acknowledges(&self, _receiver: MacAddr) -> bool {
        false
    }

    fn handle_air_frames(&mut self, _frames: &FrameBatch, _reception: Reception, _now: Instant) {}

    fn poll_transmit(&mut self, _now: Instant) -> Option<Burst> {
        None
    }

    fn handle_transmit_report(&mut self, _report: TransmitReport, _now: Instant) {}

    fn handle_timeout(&mut self, _now: Instant) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
