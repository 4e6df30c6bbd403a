//! What happened to frames, by VM and for the device as a whole.

use super::drop_reason::{DropCounters, DropReason};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters of one row, or of what belongs to no row.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
            /// Frames that went no further, by reason.
            pub drops: DropCounters,
        }

        impl Counters {
            /// Names of the counters that are no drop reasons, in the order of their encoding.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name),)*];

            /// The counters that are no drop reasons, in that order.
            pub fn values(&self) -> impl Iterator<Item = u64> {
                [$(self.$name,)*].into_iter()
            }

            /// The same, to be set.
            pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut u64> {
                [$(&mut self.$name,)*].into_iter()
            }
        }
    };
}

counters! {
    /// Frames from the host that were acknowledged, or need no acknowledgement.
    sent,
    /// Octets of those frames, as they went on the air.
    sent_octets,
    /// Transmissions that nobody acknowledged.
    retries,
    /// Frames handed up.
    received,
    /// Octets of those frames, as they were handed up.
    received_octets,
    /// Frames for the device alone: beacons it watches for, Null frames.
    consumed,
    /// Null frames sent to tell an access point that the radio leaves or is back.
    null_frames,
    /// Frames heard on a channel that the radio does not stand on (device only).
    off_channel,
    /// Messages from the host that could not be read (device only).
    bad_messages,
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
