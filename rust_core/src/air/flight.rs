//! One burst under way: its frames' times, who hears which, and what is acknowledged.

use core::time::Duration;

use super::medium::{AirFrame, Link};
use super::phy;
use super::random::Random;
use super::station::{AirStation, Burst};
use crate::ids::{MacAddr, VmId};
use crate::time::Instant;

/// A burst on the air.
#[derive(Debug, Default)]
pub(super) struct Flight {
    pub(super) sender: usize,
    pub(super) burst: Burst,
    pub(super) start: Instant,
    pub(super) end: Instant,
    /// How many frames went out.
    pub(super) sent: usize,
    /// How many of them, from the first on, were acknowledged where they had to be.
    pub(super) done: usize,
    pub(super) receivers: Vec<Receiver>,
    /// Airtime by VM, one entry for each run of frames of one VM.
    pub(super) airtime: Vec<(Option<VmId>, Duration)>,
    /// When each frame that went out began, and which receiver acknowledged it.
    times: Vec<(Instant, Option<usize>)>,
}

/// A radio that hears a burst.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) radio: usize,
    pub(super) link: Link,
    /// Frames that it did not hear, in order.
    pub(super) lost: Vec<usize>,
}

impl Flight {
    pub(super) fn reset(&mut self, sender: usize, burst: Burst, start: Instant) {
        (self.sender, self.burst, self.start, self.end) = (sender, burst, start, start);
        (self.sent, self.done) = (0, 0);
        self.receivers.clear();
        self.airtime.clear();
        self.times.clear();
    }

    pub(super) fn add_receiver(&mut self, radio: usize, link: Link) {
        self.receivers.push(Receiver { radio, link, lost: Vec::new() });
    }

    /// Sends frame after frame until the first that is not acknowledged.
    pub(super) fn fly<S: AirStation>(&mut self, stations: &[S], random: &mut Random, is_ideal: bool) {
        let Burst { channel, rate, .. } = self.burst;
        let acknowledgement = phy::ack_wait(rate, channel);
        let longest_delay = self.receivers.iter().map(|receiver| receiver.link.delay).max().unwrap_or_default();
        let mut last = (MacAddr::ZERO, None);
        let mut at = self.start;
        for (index, frame) in self.burst.frames.iter().enumerate() {
            for receiver in &mut self.receivers {
                if is_lost(receiver.link, rate, frame.len(), random) {
                    receiver.lost.push(index);
                }
            }
            let begin = at;
            at = at + if is_ideal { Duration::from_micros(1) } else { phy::airtime(frame.len(), rate, channel) };
            let address = receiver_address(frame);
            let mut acknowledged_by = None;
            if let Some(address) = address {
                if last.0 != address {
                    last = (address, find_acknowledging(&self.receivers, stations, address));
                }
                acknowledged_by = last.1.filter(|slot| {
                    self.receivers.get(*slot).is_some_and(|receiver| {
                        receiver.lost.last() != Some(&index)
                            && !is_lost(receiver.link, phy::ack_rate(rate), phy::ACK_LENGTH, random)
                    })
                });
                let delay = last.1.and_then(|slot| self.receivers.get(slot)).map(|receiver| receiver.link.delay);
                if !is_ideal {
                    at = at + acknowledgement + delay.unwrap_or_default() * 2;
                }
            }
            self.times.push((begin, acknowledged_by));
            self.sent = index + 1;
            account(&mut self.airtime, self.burst.vms.get(index).copied().flatten(), at.since(begin));
            if address.is_some() && acknowledged_by.is_none() {
                break;
            }
            self.done = index + 1;
            if !is_ideal && self.sent < self.burst.frames.len() {
                at = at + phy::sifs(channel);
            }
        }
        // The channel is not free before the farthest radio has heard the last frame.
        self.end = if is_ideal { at } else { at + longest_delay };
    }

    /// Shows every frame that goes out, and when.
    pub(super) fn observe(&self, observe: &mut dyn FnMut(&AirFrame<'_>)) {
        let Burst { channel, rate, .. } = self.burst;
        for (index, (frame, (start, acknowledged_by))) in self.burst.frames.iter().zip(&self.times).enumerate() {
            let nearest = self.receivers.get(acknowledged_by.unwrap_or_default());
            observe(&AirFrame {
                start: *start,
                channel,
                rate,
                signal_dbm: phy::signal_dbm(nearest.map_or(Link::default().snr_db, |receiver| receiver.link.snr_db)),
                sender: self.sender,
                vm: self.burst.vms.get(index).copied().flatten(),
                frame,
            });
        }
    }

    /// A receiver was gone at the end: what it would have acknowledged was not, and ends the burst there.
    pub(super) fn lose_receiver(&mut self, receiver: usize) {
        let first = self.times.iter().position(|(_, acknowledged_by)| *acknowledged_by == Some(receiver));
        self.done = first.map_or(self.done, |first| self.done.min(first));
    }
}

fn is_lost(link: Link, rate: u16, length: usize, random: &mut Random) -> bool {
    random.happens(link.loss) || random.happens(phy::error_rate(link.snr_db, rate, length))
}

/// Whom a frame that has to be acknowledged is for.
fn receiver_address(frame: &[u8]) -> Option<MacAddr> {
    let (control, address) = (frame.first()?, MacAddr(*frame.get(4..)?.first_chunk()?));
    let is_control_frame = control & 0x0c == 0x04;
    (!address.is_group() && !is_control_frame).then_some(address)
}

fn find_acknowledging<S: AirStation>(receivers: &[Receiver], stations: &[S], address: MacAddr) -> Option<usize> {
    receivers
        .iter()
        .position(|receiver| stations.get(receiver.radio).is_some_and(|station| station.acknowledges(address)))
}

fn account(airtime: &mut Vec<(Option<VmId>, Duration)>, vm: Option<VmId>, spent: Duration) {
    match airtime.last_mut() {
        Some((last, total)) if *last == vm => *total += spent,
        _ => airtime.push((vm, spent)),
    }
}
