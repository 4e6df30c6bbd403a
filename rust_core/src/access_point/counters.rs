//! What happened to an access point's frames.

use crate::device::DropCounters;

/// Counters of a station, or of the access point as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames that were acknowledged, or need no acknowledgement; beacons left out.
    pub sent: u64,
    /// Their octets, as they went on the air.
    pub sent_octets: u64,
    /// Transmissions that nobody acknowledged.
    pub retries: u64,
    /// Frames that passed all stages.
    pub received: u64,
    /// Their octets, as they arrived.
    pub received_octets: u64,
    /// Beacons sent.
    pub beacons: u64,
    /// Frames that went no further, by reason.
    pub drops: DropCounters,
}

impl Counters {
    /// Name and count; reasons that never occurred left out.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let plain = [
            ("sent", self.sent),
            ("sent_octets", self.sent_octets),
            ("retries", self.retries),
            ("received", self.received),
            ("received_octets", self.received_octets),
            ("beacons", self.beacons),
        ];
        plain.into_iter().chain(self.drops.iter().map(|(reason, count)| (reason.name(), count)))
    }
}
