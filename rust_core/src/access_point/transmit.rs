//! The way down: queues by station, power save, sealing, bursts and their reports.

use super::{AccessPoint, STATION_QUEUE, TOTAL_QUEUE};
use crate::air::{Burst, TransmitReport, phy};
use crate::device::DropReason;
use crate::ids::{MacAddr, Tid};
use crate::time::Instant;
use crate::wire::data::emit_data_frame;
use crate::wire::ethernet::EthernetFrame;
use crate::wire::frame_control::{FrameControl, FrameType};
use crate::wire::mac_header::{SequenceControl, set_frame_control, set_retry, set_sequence};

/// Frames of one station that go out in one burst.
const BURST_FRAMES: usize = 16;
/// How often a frame is sent before it is given up.
const RETRY_LIMIT: u8 = 7;
/// The rate of unicast data, in units of 100 kbit/s.
const DATA_RATE: u16 = 540;

/// A frame that waits to go out.
#[derive(Debug)]
pub(super) struct Queued {
    /// The MPDU: in the clear, or sealed where it was sent before.
    pub(super) frame: Vec<u8>,
    /// Seal it if there is a key.
    pub(super) protect: bool,
    /// It has its sequence number and its protection already.
    pub(super) is_final: bool,
    /// How often it was sent.
    pub(super) tries: u8,
    /// The control plane's.
    pub(super) is_control: bool,
}

impl Queued {
    fn is_data(&self) -> bool {
        let control = self.frame.first_chunk::<2>().map(|field| FrameControl::from_octets(*field));
        control.is_some_and(|control| control.frame_type() == FrameType::Data)
    }
}

/// The queue that a frame under way came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Control,
    Group,
    Station(usize),
    /// Its station was removed meanwhile.
    Gone,
}

impl AccessPoint {
    /// Queues a management frame or an EAPOL data frame of the control plane.
    pub fn send_frame(&mut self, frame: Vec<u8>, unprotected: bool) {
        let Some(receiver) = receiver(&frame) else {
            self.counters.drops.count(DropReason::Truncated);
            return;
        };
        let queued = Queued { frame, protect: !unprotected, is_final: false, tries: 0, is_control: true };
        let index = self.by_address.get(&receiver).copied();
        match index.and_then(|index| Some((index, self.stations.get_mut(index)?.as_mut()?))) {
            // What was said to a sleeping station waits for it too.
            Some((_, station)) if station.is_asleep => {
                // Before the data, but behind what was said earlier.
                let earlier = station.queue.iter().take_while(|other| other.is_control).count();
                station.queue.insert(earlier, queued);
                self.waiting += 1;
            }
            _ if self.control.len() < TOTAL_QUEUE => self.control.push_back(queued),
            _ => self.counters.drops.count(DropReason::QueueFull),
        }
    }

    /// Queues an Ethernet frame for its station, or for all.
    pub(super) fn send_ethernet(&mut self, ethernet: &[u8]) {
        if let Err(reason) = self.queue_ethernet(ethernet) {
            self.counters.drops.count(reason);
        }
    }

    fn queue_ethernet(&mut self, ethernet: &[u8]) -> Result<(), DropReason> {
        let destination = EthernetFrame::new(ethernet).map_err(|_| DropReason::Truncated)?.destination();
        let mut frame = Vec::with_capacity(ethernet.len() + 32);
        let full = self.waiting >= TOTAL_QUEUE;
        if destination.is_group() {
            emit_data_frame(ethernet, self.bssid, false, None, &mut frame).map_err(|_| DropReason::Truncated)?;
            let holds = self.any_asleep();
            let queue = if holds { &mut self.held_group } else { &mut self.group };
            if full || queue.len() >= STATION_QUEUE {
                return Err(DropReason::QueueFull);
            }
            queue.push_back(Queued { frame, protect: true, is_final: false, tries: 0, is_control: false });
            self.counters.held += u64::from(holds);
            self.waiting += 1;
            return Ok(());
        }
        let index = *self.by_address.get(&destination).ok_or(DropReason::NoSuchVm)?;
        let station = self.stations.get_mut(index).and_then(Option::as_mut).ok_or(DropReason::NoSuchVm)?;
        if !station.parameters.authorized {
            return Err(DropReason::NotConnected);
        }
        if full || station.queue.len() >= STATION_QUEUE {
            return Err(DropReason::QueueFull);
        }
        let tid = station.parameters.qos.then(Tid::default);
        emit_data_frame(ethernet, self.bssid, false, tid, &mut frame).map_err(|_| DropReason::Truncated)?;
        station.queue.push_back(Queued { frame, protect: true, is_final: false, tries: 0, is_control: false });
        self.counters.held += u64::from(station.is_asleep);
        self.waiting += 1;
        self.activate(index);
        Ok(())
    }

    fn activate(&mut self, index: usize) {
        if let Some(station) = self.stations.get_mut(index).and_then(Option::as_mut)
            && !station.is_active
            && !station.is_asleep
            && !station.queue.is_empty()
        {
            station.is_active = true;
            self.active.push_back(index);
        }
    }

    /// A station said whether it sleeps (Power Management bit, IEEE 802.11-2020 11.2.3.2).
    pub(super) fn note_power_management(&mut self, index: usize, is_asleep: bool) {
        if let Some(station) = self.stations.get_mut(index).and_then(Option::as_mut) {
            station.is_asleep = is_asleep;
        }
        if !is_asleep {
            self.activate(index);
        }
    }

    pub(super) fn next_burst(&mut self, now: Instant) -> Option<Burst> {
        let mut burst = Burst { channel: self.channel, rate: phy::BASIC_RATE, ..Burst::default() };
        if self.control.is_empty() && self.group.is_empty() {
            burst.rate = DATA_RATE;
            while burst.frames.is_empty() {
                let index = self.active.pop_front()?;
                self.fill_from_station(index, &mut burst);
            }
        } else {
            while burst.frames.len() < BURST_FRAMES {
                // What a station has to decide on before it can take the next frame is acknowledged first: message 1 of
                // a handshake does not go out in one breath with the association response.
                if !burst.frames.is_empty() && self.control.front().is_some_and(Queued::is_data) {
                    break;
                }
                let (origin, queued) = match (self.control.pop_front(), &mut self.group) {
                    (Some(queued), _) => (Origin::Control, queued),
                    (None, group) => match group.pop_front() {
                        Some(queued) => {
                            self.waiting = self.waiting.saturating_sub(1);
                            (Origin::Group, queued)
                        }
                        None => break,
                    },
                };
                self.put_on_air(origin, queued, &mut burst, now);
            }
        }
        (!burst.frames.is_empty()).then_some(burst)
    }

    fn fill_from_station(&mut self, index: usize, burst: &mut Burst) {
        while burst.frames.len() < BURST_FRAMES {
            let Some(station) = self.stations.get_mut(index).and_then(Option::as_mut) else { return };
            station.is_active = false;
            if station.is_asleep {
                return;
            }
            let Some(queued) = station.queue.pop_front() else { return };
            self.waiting = self.waiting.saturating_sub(1);
            self.put_on_air(Origin::Station(index), queued, burst, Instant::ZERO);
        }
        self.activate(index);
    }

    /// Gives a frame its sequence number and its protection and appends it to the burst.
    fn put_on_air(&mut self, origin: Origin, mut queued: Queued, burst: &mut Burst, now: Instant) {
        if queued.is_final {
            burst.frames.push(&queued.frame);
        } else if let Err(reason) = self.finish_frame(&mut queued, burst, now) {
            self.counters.drops.count(reason);
            return;
        }
        burst.vms.push(None);
        self.in_flight.push((origin, queued));
    }

    fn finish_frame(&mut self, queued: &mut Queued, burst: &mut Burst, now: Instant) -> Result<(), DropReason> {
        let control =
            queued.frame.first_chunk::<2>().map_or(FrameControl(0), |field| FrameControl::from_octets(*field));
        let receiver = receiver(&queued.frame).ok_or(DropReason::Truncated)?;
        let station = self.by_address.get(&receiver).copied();
        let station = station.and_then(|index| self.stations.get_mut(index)?.as_mut());
        let is_data = control.frame_type() == FrameType::Data;
        let (key, privacy) = match station {
            Some(station) if is_data => {
                let counter = if control.is_qos_data() { &mut station.sequence } else { &mut self.sequence };
                number(&mut queued.frame, counter);
                if !station.queue.is_empty() {
                    set_frame_control(&mut queued.frame, control.with_more_data(station.is_asleep));
                }
                (station.key.as_mut(), station.parameters.privacy && station.parameters.authorized)
            }
            _ => {
                number(&mut queued.frame, &mut self.sequence);
                if is_data && receiver.is_group() && !self.group.is_empty() {
                    set_frame_control(&mut queued.frame, control.with_more_data(true));
                }
                let has_key = self.group_key.is_some();
                (self.group_key.as_mut().filter(|_| is_data && receiver.is_group()), is_data && has_key)
            }
        };
        if control.frame_type() == FrameType::Management {
            stamp(&mut queued.frame, control, now);
        }
        match key.filter(|_| queued.protect && is_data) {
            Some(key) => {
                let mut exhausted = false;
                let sealed = burst.frames.push_with(|out| match key.seal(&queued.frame, out) {
                    Ok(_) => true,
                    Err(error) => {
                        exhausted = error == crate::security::ccmp::SealError::KeyExhausted;
                        false
                    }
                });
                match (sealed, exhausted) {
                    (true, _) => Ok(()),
                    (false, true) => Err(DropReason::KeyExhausted),
                    (false, false) => Err(DropReason::Malformed),
                }
            }
            None if privacy && queued.protect => Err(DropReason::NoKey),
            None => {
                burst.frames.push(&queued.frame);
                Ok(())
            }
        }
    }

    pub(super) fn finish_burst(&mut self, report: &TransmitReport) {
        let in_flight = core::mem::take(&mut self.in_flight);
        let mut again = Vec::new();
        for (index, (origin, mut queued)) in in_flight.into_iter().enumerate() {
            let on_air = report.burst.frames.frame(index).unwrap_or_default();
            if index < report.done {
                self.count_sent(origin, on_air.len());
                continue;
            }
            queued.frame.clear();
            queued.frame.extend_from_slice(on_air);
            queued.is_final = true;
            if index == report.done {
                queued.tries += 1;
                self.counters.retries += 1;
                set_retry(&mut queued.frame);
            }
            if queued.tries > RETRY_LIMIT {
                self.counters.drops.count(DropReason::NotAcknowledged);
            } else {
                again.push((origin, queued));
            }
        }
        for (origin, queued) in again.into_iter().rev() {
            self.put_back(origin, queued);
        }
    }

    fn count_sent(&mut self, origin: Origin, octets: usize) {
        if let Origin::Station(index) = origin
            && let Some(station) = self.stations.get_mut(index).and_then(Option::as_mut)
        {
            station.sent += 1;
        }
        if matches!(origin, Origin::Station(_) | Origin::Group) {
            self.counters.sent += 1;
            self.counters.sent_octets += octets as u64;
        }
    }

    fn put_back(&mut self, origin: Origin, queued: Queued) {
        match origin {
            Origin::Control => self.control.push_front(queued),
            Origin::Group => {
                self.group.push_front(queued);
                self.waiting += 1;
            }
            Origin::Station(index) => {
                if let Some(station) = self.stations.get_mut(index).and_then(Option::as_mut) {
                    station.queue.push_front(queued);
                    self.waiting += 1;
                    self.activate(index);
                }
            }
            Origin::Gone => self.counters.drops.count(DropReason::Flushed),
        }
    }
}

fn receiver(frame: &[u8]) -> Option<MacAddr> {
    frame.get(4..10).and_then(<[u8]>::first_chunk::<6>).map(|octets| MacAddr(*octets))
}

fn number(frame: &mut [u8], counter: &mut u16) {
    *counter = (*counter + 1) & 0x0fff;
    set_sequence(frame, SequenceControl { number: *counter, fragment: 0 });
}

/// The timestamp of a beacon or probe response is that of its sending (IEEE 802.11-2020 9.4.1.10).
fn stamp(frame: &mut [u8], control: FrameControl, now: Instant) {
    if matches!(control.subtype(), 5 | 8)
        && let Some(field) = frame.get_mut(24..32)
    {
        field.copy_from_slice(&now.as_micros().to_le_bytes());
    }
}
