//! The way down: queues by station, power save, bursts, protection, retransmission.
//!
//! Frames are numbered and sealed when they leave their queue, a whole burst in one batch, so packet numbers go out in
//! order; what is sent again is the same octets but for the Retry bit. Stations with frames stand in one list and are
//! served in turn; who sleeps does not stand in it.

use core::time::Duration;
use std::collections::VecDeque;

use super::AccessPoint;
use super::beacon::{Beacon, TrafficMap};
use super::buffer_pool::BufferPool;
use super::station::{Station, StationId, StationTable};
use crate::air::phy::{self, LOWEST_RATE};
use crate::air::{Burst, Channel, TransmitReport};
use crate::device::DropReason;
use crate::device::virtual_mac::SequenceCounters;
use crate::frame_batch::FrameBatch;
use crate::ids::{KeyId, PacketNumber, Tid};
use crate::security::ccmp::{SealError, SealJob, seal_batch};
use crate::time::Instant;
use crate::wire::frame_control::{FrameControl, management_subtype};
use crate::wire::mac_header::{self, SequenceControl};

/// A frame that waits.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) mpdu: Vec<u8>,
    pub(crate) kind: QueuedKind,
    pub(crate) tid: Option<Tid>,
    /// Sent in the clear although there is a key.
    pub(crate) unprotected: bool,
    /// Numbered and, where it has to be, sealed: it has been on the air.
    pub(crate) is_sealed: bool,
    pub(crate) tries: u8,
}

/// What a frame that waits is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueuedKind {
    Management,
    Eapol,
    Data,
}

/// What waits and what is on the air.
#[derive(Debug, Default)]
pub(crate) struct Transmitter {
    /// Management frames that are not kept for a sleeping station.
    pub(crate) unassociated: VecDeque<Queued>,
    /// Group frames.
    pub(crate) group: VecDeque<Queued>,
    /// Stations that are awake and have frames, the next to be served first.
    listed: VecDeque<StationId>,
    ready_frames: usize,
    asleep: usize,
    traffic: TrafficMap,
    sequence: SequenceCounters,
    in_flight: Option<Vec<Sent>>,
    /// Room for bursts to come.
    spare: Burst,
    spare_sent: Vec<Sent>,
    chosen: Vec<Chosen>,
}

/// A frame on the air; its octets are in the burst.
#[derive(Clone, Copy, Debug)]
struct Sent {
    to: Target,
    kind: QueuedKind,
    tid: Option<Tid>,
    tries: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Beacon,
    Group,
    Unassociated,
    Station(StationId, u64),
}

/// A frame chosen for a burst.
#[derive(Debug)]
struct Chosen {
    queued: Queued,
    to: Target,
    seal: Option<(KeyId, PacketNumber)>,
}

impl Transmitter {
    /// Queues a frame to a station.
    pub(crate) fn enqueue(&mut self, station: &mut Station, queued: Queued) {
        station.queue.push_back(queued);
        if station.is_asleep {
            self.traffic.set(station.parameters.association_id, true);
        } else {
            self.ready_frames += 1;
            self.list(station);
        }
    }

    /// The station says that it sleeps from now on, or is awake (IEEE 802.11-2020 11.2.3.2).
    pub(crate) fn set_power(&mut self, station: &mut Station, is_asleep: bool) {
        if station.is_asleep == is_asleep {
            return;
        }
        station.is_asleep = is_asleep;
        if is_asleep {
            self.asleep += 1;
            self.ready_frames -= station.queue.len();
            self.traffic.set(station.parameters.association_id, !station.queue.is_empty());
        } else {
            self.asleep -= 1;
            self.ready_frames += station.queue.len();
            self.traffic.set(station.parameters.association_id, false);
            station.is_flushing = !station.queue.is_empty();
            self.list(station);
        }
    }

    /// The station's association identifier changes.
    pub(crate) fn move_traffic_bit(&mut self, station: &Station, association_id: u16) {
        if station.is_asleep && !station.queue.is_empty() {
            self.traffic.set(station.parameters.association_id, false);
            self.traffic.set(association_id, true);
        }
    }

    /// The station is gone.
    pub(crate) fn forget(&mut self, station: &Station) {
        self.listed.retain(|id| *id != station.id);
        self.traffic.set(station.parameters.association_id, false);
        if station.is_asleep {
            self.asleep -= 1;
        } else {
            self.ready_frames -= station.queue.len();
        }
    }

    pub(crate) const fn ready_frames(&self) -> usize {
        self.ready_frames
    }

    fn list(&mut self, station: &mut Station) {
        if !station.is_listed && !station.is_asleep && !station.queue.is_empty() {
            station.is_listed = true;
            self.listed.push_back(station.id);
        }
    }

    /// Takes frames of stations in turn, of one rate, until the opportunity is used up; returns the rate.
    fn choose(&mut self, stations: &mut StationTable, channel: Channel, drops: &mut Vec<(Target, DropReason)>) -> u16 {
        let mut rate = 0;
        let mut spent = Duration::ZERO;
        while let Some(id) = self.listed.pop_front() {
            let Some(station) = stations.station_mut(id) else { continue };
            station.is_listed = false;
            if station.is_asleep || station.queue.is_empty() {
                continue;
            }
            if !self.chosen.is_empty() && station.rate != rate {
                station.is_listed = true;
                self.listed.push_front(id);
                break;
            }
            rate = station.rate;
            let mut of_station = 0;
            let is_full = loop {
                let Some(next) = station.queue.front() else { break false };
                let needed = phy::airtime(next.mpdu.len(), rate, channel) + phy::ack_wait(rate, channel);
                if !self.chosen.is_empty() && spent + needed > TXOP_LIMIT || of_station >= FRAMES_PER_TURN {
                    break true;
                }
                spent += needed;
                of_station += 1;
                let Some(queued) = station.queue.pop_front() else { break false };
                self.ready_frames -= 1;
                station.is_flushing &= !station.queue.is_empty();
                let to = Target::Station(id, station.serial);
                match prepare(station, queued) {
                    Ok((queued, seal)) => self.chosen.push(Chosen { queued, to, seal }),
                    Err(reason) => drops.push((to, reason)),
                }
            };
            self.list(station);
            if is_full {
                break;
            }
        }
        rate
    }
}

/// Numbers a frame that leaves its queue for the first time, and says how it is to be sealed.
fn prepare(station: &mut Station, mut queued: Queued) -> Result<(Queued, Option<(KeyId, PacketNumber)>), DropReason> {
    if queued.is_sealed {
        return Ok((queued, None));
    }
    let may_be_sealed = queued.kind != QueuedKind::Management && !queued.unprotected;
    let must_be_sealed = queued.kind == QueuedKind::Data && station.parameters.privacy;
    let seal = match station.transmit_key_mut() {
        Some(key) if may_be_sealed => Some((key.key_id(), key.next_packet_number().ok_or(DropReason::KeyExhausted)?)),
        None if must_be_sealed => return Err(DropReason::NoKey),
        _ => None,
    };
    finish_header(&mut queued, &mut station.sequence, station.is_flushing);
    Ok((queued, seal))
}

fn finish_header(queued: &mut Queued, sequence: &mut SequenceCounters, has_more: bool) {
    let number = sequence.take(queued.tid);
    mac_header::set_sequence(&mut queued.mpdu, SequenceControl { number, fragment: 0 });
    if let Some(control) = queued.mpdu.first_chunk::<2>().map(|octets| FrameControl::from_octets(*octets)) {
        mac_header::set_frame_control(&mut queued.mpdu, control.with_more_data(has_more));
    }
    queued.is_sealed = true;
}

impl AccessPoint {
    /// Beacons first, then group frames, answers, and the stations in turn.
    pub(super) fn next_burst(&mut self, now: Instant) -> Option<Burst> {
        if self.transmitter.in_flight.is_some() {
            return None;
        }
        let mut burst = core::mem::take(&mut self.transmitter.spare);
        let mut on_air = core::mem::take(&mut self.transmitter.spare_sent);
        let (mut data, mut offsets) = core::mem::take(&mut burst.frames).into_parts();
        data.clear();
        offsets.truncate(1);
        on_air.clear();
        (burst.channel, burst.rate) = (self.channel, LOWEST_RATE);
        if let Some(beacon) = self.beacon.as_mut().filter(|beacon| beacon.is_due()) {
            emit_beacon(&mut self.transmitter, beacon, now, &mut data);
            end_frame(&data, &mut offsets);
            on_air.push(Sent { to: Target::Beacon, kind: QueuedKind::Management, tid: None, tries: 0 });
        }
        // Group frames wait for a beacon while anybody sleeps (IEEE 802.11-2020 11.2.3.6); every beacon is a DTIM.
        if !on_air.is_empty() || self.transmitter.asleep == 0 {
            self.emit_group(&mut data, &mut offsets, &mut on_air);
        }
        if on_air.is_empty() {
            self.choose_unicast(&mut burst, now);
            emit_chosen(&mut self.transmitter, &self.stations, &mut self.pool, &mut data, &mut offsets, &mut on_air);
        }
        burst.frames = FrameBatch::from_parts(data, offsets).unwrap_or_default();
        if on_air.is_empty() {
            self.transmitter.spare = burst;
            self.transmitter.spare_sent = on_air;
            return None;
        }
        self.transmitter.in_flight = Some(on_air);
        Some(burst)
    }

    fn emit_group(&mut self, data: &mut Vec<u8>, offsets: &mut Vec<u32>, sent: &mut Vec<Sent>) {
        let Self { transmitter, group_key, pool, counters, .. } = self;
        let mut airtime = Duration::ZERO;
        while let Some(next) = transmitter.group.front() {
            airtime += phy::airtime(next.mpdu.len(), LOWEST_RATE, self.channel);
            if !sent.is_empty() && airtime > TXOP_LIMIT * 4 {
                break;
            }
            let Some(mut queued) = transmitter.group.pop_front() else { break };
            finish_header(&mut queued, &mut transmitter.sequence, !transmitter.group.is_empty());
            let sealed = match group_key {
                Some(key) if queued.kind == QueuedKind::Data => key.seal(&queued.mpdu, data).map(drop),
                _ => {
                    data.extend_from_slice(&queued.mpdu);
                    Ok(())
                }
            };
            pool.give(queued.mpdu);
            match sealed {
                Ok(()) => {
                    end_frame(data, offsets);
                    sent.push(Sent { to: Target::Group, kind: queued.kind, tid: None, tries: 0 });
                }
                Err(error) => counters.drops.count(seal_failure(error)),
            }
        }
    }

    /// Chooses what is sent next to single stations.
    fn choose_unicast(&mut self, burst: &mut Burst, now: Instant) {
        let Self { transmitter, stations, counters, .. } = self;
        while let Some(mut queued) = transmitter.unassociated.pop_front() {
            if !queued.is_sealed {
                finish_header(&mut queued, &mut transmitter.sequence, false);
                stamp(&mut queued.mpdu, now);
            }
            transmitter.chosen.push(Chosen { queued, to: Target::Unassociated, seal: None });
            if transmitter.chosen.len() >= ANSWERS_PER_BURST {
                break;
            }
        }
        if !transmitter.chosen.is_empty() {
            return;
        }
        let mut drops = Vec::new();
        burst.rate = transmitter.choose(stations, self.channel, &mut drops);
        for (to, reason) in drops {
            counters.drops.count(reason);
            if let Some(station) = target(stations, to) {
                station.counters.drops.count(reason);
            }
        }
    }

    /// The end of a burst: what was not acknowledged goes back to the front of its queue.
    pub(super) fn finish_burst(&mut self, report: TransmitReport) {
        let Self { transmitter, stations, pool, counters, .. } = self;
        let Some(mut sent) = transmitter.in_flight.take() else { return };
        let TransmitReport { burst, done } = report;
        for (index, frame) in sent.iter().enumerate().rev() {
            let octets = burst.frames.frame(index).unwrap_or_default();
            let station = target(stations, frame.to);
            if index < done {
                count_sent(counters, frame.to, octets.len());
                if let Some(station) = station {
                    count_sent(&mut station.counters, frame.to, octets.len());
                    transmitter.list(station);
                }
                continue;
            }
            let has_failed = index == done;
            counters.retries += u64::from(has_failed);
            let is_asleep = station.as_ref().is_some_and(|station| station.is_asleep);
            let tries = frame.tries.saturating_add(u8::from(has_failed && !is_asleep));
            let reason = match frame.to {
                _ if tries >= RETRY_LIMIT => Some(DropReason::NotAcknowledged),
                Target::Station(..) if station.is_none() => Some(DropReason::Flushed),
                Target::Beacon => continue,
                _ => None,
            };
            if let Some(reason) = reason {
                counters.drops.count(reason);
                if let Some(station) = station {
                    station.counters.retries += u64::from(has_failed);
                    station.counters.drops.count(reason);
                    transmitter.list(station);
                }
                continue;
            }
            let mut mpdu = pool.take();
            mpdu.extend_from_slice(octets);
            if has_failed {
                mac_header::set_retry(&mut mpdu);
            }
            let Sent { kind, tid, .. } = *frame;
            let again = Queued { mpdu, kind, tid, unprotected: false, is_sealed: true, tries };
            match station {
                Some(station) => {
                    station.counters.retries += u64::from(has_failed);
                    station.queue.push_front(again);
                    if station.is_asleep {
                        transmitter.traffic.set(station.parameters.association_id, true);
                    } else {
                        transmitter.ready_frames += 1;
                        transmitter.list(station);
                    }
                }
                None if frame.to == Target::Group => counters.drops.count(DropReason::NotAcknowledged),
                None => transmitter.unassociated.push_front(again),
            }
        }
        sent.clear();
        transmitter.spare_sent = sent;
        transmitter.spare = burst;
    }
}

fn emit_beacon(transmitter: &mut Transmitter, beacon: &mut Beacon, now: Instant, data: &mut Vec<u8>) {
    let sequence = transmitter.sequence.take(None);
    beacon.emit(&transmitter.traffic, !transmitter.group.is_empty(), sequence, now, data);
}

/// The timestamp of a probe response is that of its sending (IEEE 802.11-2020 9.4.1.10).
fn stamp(mpdu: &mut [u8], now: Instant) {
    let control = mpdu.first_chunk::<2>().map(|octets| FrameControl::from_octets(*octets)).unwrap_or_default();
    if control.is_management(management_subtype::PROBE_RESPONSE)
        && let Some(timestamp) = mpdu.get_mut(mac_header::THREE_ADDRESS_LENGTH..).and_then(<[u8]>::first_chunk_mut)
    {
        *timestamp = now.as_micros().to_le_bytes();
    }
}

/// Puts the chosen frames into the burst, sealed in one batch.
fn emit_chosen(
    transmitter: &mut Transmitter,
    stations: &StationTable,
    pool: &mut BufferPool,
    data: &mut Vec<u8>,
    offsets: &mut Vec<u32>,
    sent: &mut Vec<Sent>,
) {
    let key_of = |chosen: &Chosen| {
        let (Target::Station(id, _), Some((key_id, _))) = (chosen.to, chosen.seal) else { return None };
        stations.station(id)?.key(key_id).map(crate::security::key_slot::KeySlot::key)
    };
    for chosen in &transmitter.chosen {
        let length = match key_of(chosen) {
            Some(key) => key.sealed_length(&chosen.queued.mpdu).unwrap_or_default(),
            None => chosen.queued.mpdu.len(),
        };
        data.resize(data.len() + length, 0);
        end_frame(data, offsets);
        let Queued { kind, tid, tries, .. } = chosen.queued;
        sent.push(Sent { to: chosen.to, kind, tid, tries });
    }
    let mut jobs = Vec::with_capacity(transmitter.chosen.len());
    let mut room = data.as_mut_slice();
    for (chosen, bounds) in transmitter.chosen.iter().zip(offsets.windows(2)) {
        let length = bounds.last().zip(bounds.first()).map_or(0, |(end, start)| (end - start) as usize);
        let (out, rest) = core::mem::take(&mut room).split_at_mut_checked(length).unwrap_or_default();
        room = rest;
        let mpdu = chosen.queued.mpdu.as_slice();
        match (key_of(chosen), chosen.seal) {
            (Some(key), Some((key_id, packet_number))) => {
                jobs.push(SealJob { key, packet_number, key_id, mpdu, out, result: Err(SealError::NoRoom) });
            }
            _ if out.len() == mpdu.len() => out.copy_from_slice(mpdu),
            _ => {}
        }
    }
    seal_batch(&mut jobs);
    // What could not be sealed stays a frame without octets: nobody acknowledges it, and it is given up.
    for job in jobs.iter_mut().filter(|job| job.result.is_err()) {
        job.out.fill(0);
    }
    drop(jobs);
    for chosen in transmitter.chosen.drain(..) {
        pool.give(chosen.queued.mpdu);
    }
}

fn end_frame(data: &[u8], offsets: &mut Vec<u32>) {
    offsets.push(u32::try_from(data.len()).unwrap_or(u32::MAX));
}

fn target(stations: &mut StationTable, to: Target) -> Option<&mut Station> {
    let Target::Station(id, serial) = to else { return None };
    stations.station_mut(id).filter(|station| station.serial == serial)
}

fn count_sent(counters: &mut super::Counters, to: Target, octets: usize) {
    if to == Target::Beacon {
        counters.beacons += 1;
    } else {
        counters.sent += 1;
        counters.sent_octets += octets as u64;
    }
}

const fn seal_failure(error: SealError) -> DropReason {
    match error {
        SealError::KeyExhausted => DropReason::KeyExhausted,
        SealError::Truncated => DropReason::Truncated,
        SealError::NotProtectable | SealError::TooLong | SealError::NoRoom => DropReason::Malformed,
    }
}

/// How often a frame is sent before it counts as not acknowledged.
const RETRY_LIMIT: u8 = 7;
/// Airtime of one opportunity (that of `AC_VO`, IEEE 802.11-2020 Table 9-155).
const TXOP_LIMIT: Duration = Duration::from_micros(1504);
const FRAMES_PER_TURN: usize = 16;
const ANSWERS_PER_BURST: usize = 4;
