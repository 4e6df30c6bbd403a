//! Frames of one VM that wait for the radio.

use std::collections::VecDeque;

use super::outbox::CallTag;
use super::transmit::{Outgoing, OutgoingKind};
use crate::air::Channel;

/// Frames of a connection's own, handshakes for instance, for which there is room where data has taken all of it: the
/// host keeps a busy VM's queue full.
const RESERVE: usize = 8;

/// A frame that waits, from the call that brought it to its completion.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) tag: CallTag,
    pub(crate) outgoing: Outgoing,
    /// The MPDU: as the host gave it, or as it goes on the air once `is_sealed`.
    pub(crate) mpdu: Vec<u8>,
    /// It has its sequence number and its protection, and stays as it is but for the Retry bit.
    pub(crate) is_sealed: bool,
    /// How often it went out.
    pub(crate) tries: u8,
}

/// Where a frame waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LaneKey {
    /// For the row's own channel, whichever that is by then.
    Own,
    /// For a channel that its descriptor named.
    Elsewhere(Channel),
}

/// Frames for one channel, in order.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub(crate) frames: VecDeque<Queued>,
    /// The lane stands in its channel's list of lanes to serve, or has a burst on the air.
    pub(crate) is_listed: bool,
}

impl Lane {
    /// Neither takes the other's room: data up to the limit, and everything else up to the reserve above it.
    fn is_full(&self, kind: OutgoingKind, limit: usize) -> bool {
        let is_data = |frame: &&Queued| frame.outgoing.kind == OutgoingKind::Data;
        self.frames.len() >= limit + RESERVE
            || (kind == OutgoingKind::Data
                && self.frames.len() >= limit
                && self.frames.iter().filter(is_data).count() >= limit)
    }
}

/// The frames of one VM: a lane for its own channel, and one for each channel that it probes.
#[derive(Debug, Default)]
pub(crate) struct TransmitQueue {
    own: Lane,
    elsewhere: Vec<(Channel, Lane)>,
}

/// The queue's answer to one frame more.
#[derive(Debug)]
pub(crate) enum Enqueued {
    /// It waits.
    Taken,
    /// It waits, and an older probe had to go: its channel may never have its turn.
    TakenFor(Box<Queued>),
    /// No room.
    Full,
}

impl TransmitQueue {
    /// Appends a frame. Frames for other channels have a limit of their own: they never take data's room.
    pub(crate) fn enqueue(&mut self, key: LaneKey, frame: Queued, limit: usize) -> Enqueued {
        match key {
            LaneKey::Own if self.own.is_full(frame.outgoing.kind, limit) => Enqueued::Full,
            LaneKey::Elsewhere(_) if limit == 0 => Enqueued::Full,
            LaneKey::Own => {
                self.own.frames.push_back(frame);
                Enqueued::Taken
            }
            LaneKey::Elsewhere(_) => {
                let waiting: usize = self.elsewhere.iter().map(|(_, lane)| lane.frames.len()).sum();
                let evicted = if waiting >= limit {
                    self.elsewhere.iter_mut().find_map(|(_, lane)| lane.frames.pop_front())
                } else {
                    None
                };
                self.lane_mut(key).frames.push_back(frame);
                evicted.map_or(Enqueued::Taken, |old| Enqueued::TakenFor(Box::new(old)))
            }
        }
    }

    /// The lane, made if it is not there.
    pub(crate) fn lane_mut(&mut self, key: LaneKey) -> &mut Lane {
        let LaneKey::Elsewhere(channel) = key else { return &mut self.own };
        // Lanes without frames and without a burst on the air have done their work.
        self.elsewhere.retain(|(other, lane)| *other == channel || lane.is_listed || !lane.frames.is_empty());
        let index = self.elsewhere.iter().position(|(other, _)| *other == channel).unwrap_or_else(|| {
            self.elsewhere.push((channel, Lane::default()));
            self.elsewhere.len() - 1
        });
        self.elsewhere.get_mut(index).map_or(&mut self.own, |(_, lane)| lane)
    }

    /// Takes out every frame that `is_concerned`.
    pub(crate) fn take_where(&mut self, is_concerned: impl Fn(&Queued) -> bool) -> Vec<Queued> {
        let mut taken = Vec::new();
        for lane in core::iter::once(&mut self.own).chain(self.elsewhere.iter_mut().map(|(_, lane)| lane)) {
            let (out, kept): (Vec<_>, VecDeque<_>) = partition(&mut lane.frames, &is_concerned);
            taken.extend(out);
            lane.frames = kept;
        }
        taken
    }

    /// How many frames wait.
    pub(crate) fn len(&self) -> usize {
        self.own.frames.len() + self.elsewhere.iter().map(|(_, lane)| lane.frames.len()).sum::<usize>()
    }
}

fn partition(frames: &mut VecDeque<Queued>, is_concerned: impl Fn(&Queued) -> bool) -> (Vec<Queued>, VecDeque<Queued>) {
    let mut taken = Vec::new();
    let mut kept = VecDeque::new();
    for frame in frames.drain(..) {
        if is_concerned(&frame) {
            taken.push(frame);
        } else {
            kept.push_back(frame);
        }
    }
    (taken, kept)
}
