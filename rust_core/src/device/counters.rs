//! What happened to frames, by VM and for the device as a whole.

use super::drop_reason::{DropCounters, DropReason};

/// Counters of one row, or of what belongs to no row.
///
/// In the order in which frames need them: the first four, and what stands before them in a row, share a cache line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Counters {
    /// Frames handed up.
    pub received: u64,
    /// Octets of those frames, as they were handed up.
    pub received_octets: u64,
    /// Frames from the host that were acknowledged, or need no acknowledgement.
    pub sent: u64,
    /// Octets of those frames, as they went on the air.
    pub sent_octets: u64,
    /// Transmissions that nobody acknowledged.
    pub retries: u64,
    /// Frames for the device alone: beacons it watches for, Null frames.
    pub consumed: u64,
    /// Null frames sent to tell an access point that the radio leaves or is back.
    pub null_frames: u64,
    /// Frames heard on a channel that the radio does not stand on (device only).
    pub off_channel: u64,
    /// Messages from the host that could not be read (device only).
    pub bad_messages: u64,
    /// Frames that went no further, by reason.
    pub drops: DropCounters,
}

macro_rules! encoded {
    ($($name:ident,)*) => {
        impl Counters {
            /// Names of the counters that are no drop reasons, in the order of their encoding.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name),)*];

            /// The counters that are no drop reasons, in that order.
            pub fn values(&self) -> impl Iterator<Item = u64> {
                [$(self.$name,)*].into_iter()
            }

            /// The same, to be set.
            pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut u64> {
                let Self { $($name,)* drops: _ } = self;
                [$($name,)*].into_iter()
            }
        }
    };
}

// The order of their encoding.
encoded! {
    sent, sent_octets, retries, received, received_octets, consumed, null_frames, off_channel, bad_messages,
}

impl Counters {
    /// Counts a frame that goes no further.
    pub fn drop(&mut self, reason: DropReason) {
        self.drops.count(reason);
    }

    /// Name and count, counters at zero left out.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let plain = Self::NAMES.iter().copied().zip(self.values()).filter(|(_, count)| *count > 0);
        plain.chain(self.drops.iter().map(|(reason, count)| (reason.name(), count)))
    }
}
