//! What the medium and the runtime ask of anything with an antenna: the NIC and the access points alike.
//!
//! Sans-IO: time is an argument; `handle_*` takes, `poll_*` gives. The order for the caller: `handle_*`, then
//! `poll_transmit` while the medium has room for this radio, then `poll_timeout`.

use crate::frame_batch::FrameBatch;
use crate::ids::{MacAddr, VmId};
use crate::time::Instant;

/// A channel number of the 2.4 GHz (1 to 14) or 5 GHz band (36 to 177).
pub type Channel = u8;

/// A transmit opportunity: frames of one station, sent one behind the other, a short interframe space and an
/// acknowledgement between them. The first frame that is not acknowledged ends it (IEEE 802.11-2020 10.23.2.8).
#[derive(Clone, Debug, Default)]
pub struct Burst {
    /// Where.
    pub channel: Channel,
    /// How fast, in units of 100 kbit/s.
    pub rate: u16,
    /// MPDUs without FCS, as they go out: sealed, sequence numbers set.
    pub frames: FrameBatch,
    /// Whose frames these are, frame by frame, where the sender is a NIC that knows: for the capture.
    pub vms: Vec<Option<VmId>>,
}

/// What a receiver learns about a burst besides its frames.
#[derive(Clone, Copy, Debug)]
pub struct Reception {
    /// Where.
    pub channel: Channel,
    /// How fast, in units of 100 kbit/s.
    pub rate: u16,
    /// How strong, in dBm.
    pub signal_dbm: i8,
}

/// What became of a burst.
#[derive(Clone, Debug)]
pub struct TransmitReport {
    /// The burst, handed back.
    pub burst: Burst,
    /// How many frames, counted from the first, went out and were acknowledged where they had to be.
    /// The frame behind them, if there is one, went out and was not acknowledged; the ones behind that did not go out.
    pub done: usize,
}

/// A station on the air.
pub trait AirStation {
    /// The channel its radio stands on; `None` while it moves from one to another.
    fn channel(&self) -> Option<Channel>;

    /// True where this station acknowledges frames to `receiver` on the channel it stands on: decided by address alone.
    fn acknowledges(&self, receiver: MacAddr) -> bool;

    /// Frames that this radio could hear and that arrived whole, in order.
    fn handle_air_frames(&mut self, frames: &FrameBatch, reception: Reception, now: Instant);

    /// The next burst, if there is something to send on the present channel. Asked only while none is under way.
    fn poll_transmit(&mut self, now: Instant) -> Option<Burst>;

    /// The burst's end.
    fn handle_transmit_report(&mut self, report: TransmitReport, now: Instant);

    /// A deadline has passed.
    fn handle_timeout(&mut self, now: Instant);

    /// The next deadline.
    fn poll_timeout(&self) -> Option<Instant>;
}
