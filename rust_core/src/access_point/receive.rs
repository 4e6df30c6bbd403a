//! The way up: whose frame it is, whether it may pass, by which key it is opened, and where it goes.
//!
//! A burst passes in three steps, so that opening is one batch: the stages before the key, opening, and the stages that
//! only a verified frame may reach. Replay and duplicates are checked before and again after: a burst may hold copies.

use super::station::{Station, StationId};
use super::{AccessPoint, is_eapol};
use crate::air::Reception;
use crate::device::DropReason;
use crate::device::virtual_mac::{DuplicateClass, DuplicateFilter};
use crate::frame_batch::{FrameBatch, make_room};
use crate::ids::{KeyId, MacAddr, PacketNumber};
use crate::security::ccmp::{CcmpHeader, OpenError, OpenJob, open_batch};
use crate::security::key_slot::KeySlot;
use crate::security::replay::ReplayClass;
use crate::wire::ParseError;
use crate::wire::data::{MsduError, ethernet_frames};
use crate::wire::ethernet::EthernetFrame;
use crate::wire::frame_control::{FrameType, management_subtype};
use crate::wire::mac_header::{MacHeader, QosControl};

/// Room for one burst at a time, kept.
#[derive(Debug, Default)]
pub(crate) struct Receiver {
    arrivals: Vec<Arrival>,
    opened: FrameBatch,
    /// Management frames of whoever is not associated.
    strangers: DuplicateFilter,
}

/// A data frame that passed the stages before its key.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    frame: usize,
    station: StationId,
    header: MacHeader,
    opening: Option<Opening>,
    /// EAPOL in the clear: what the station sends behind it waits, itself not.
    is_eapol: bool,
}

#[derive(Clone, Copy, Debug)]
struct Opening {
    key_id: KeyId,
    packet_number: PacketNumber,
    class: ReplayClass,
    /// Its place among the frames that are opened.
    slot: usize,
    result: Result<(), DropReason>,
}

impl AccessPoint {
    pub(super) fn receive(&mut self, frames: &FrameBatch, reception: Reception) {
        self.receive_at(frames, reception.rate);
    }

    /// What waited for a decision, in its order; a station may have said EAPOL again in it.
    pub(super) fn receive_deferred(&mut self) -> bool {
        let deferred = core::mem::take(&mut self.deferred);
        for frame in deferred.iter() {
            if let Some(station) = self.sender(frame) {
                station.awaits_decision = false;
            }
        }
        self.receive_at(&deferred, 0);
        true
    }

    fn receive_at(&mut self, frames: &FrameBatch, rate: u16) {
        self.receiver.arrivals.clear();
        for (index, frame) in frames.iter().enumerate() {
            let result = match admit_header(frame) {
                Ok(header) if header.frame_control.frame_type() == FrameType::Management => {
                    self.receive_management(&header, frame)
                }
                Ok(header) => self.admit_data(index, &header, frame, rate),
                Err(reason) => Err(reason),
            };
            if let Err(reason) = result {
                self.drop(frame, reason);
            }
        }
        if self.receiver.arrivals.is_empty() {
            return;
        }
        self.open(frames);
        let mut arrivals = core::mem::take(&mut self.receiver.arrivals);
        let opened = core::mem::take(&mut self.receiver.opened);
        let mut ethernet = core::mem::take(&mut self.scratch);
        for arrival in arrivals.drain(..) {
            let frame = frames.frame(arrival.frame).unwrap_or_default();
            let awaits_decision = self.stations.station(arrival.station).is_some_and(|station| station.awaits_decision);
            if awaits_decision && !arrival.is_eapol {
                if self.deferred.len() >= DEFERRED_LENGTH || !self.deferred.push(frame) {
                    self.drop(frame, DropReason::QueueFull);
                }
                continue;
            }
            let plain = arrival.opening.map_or(Some(frame), |opening| opened.frame(opening.slot)).unwrap_or_default();
            if let Err(reason) = self.finish(&arrival, plain, &mut ethernet) {
                self.drop(frame, reason);
            }
        }
        self.scratch = ethernet;
        self.receiver.opened = opened;
        self.receiver.arrivals = arrivals;
    }

    fn receive_management(&mut self, header: &MacHeader, frame: &[u8]) -> Result<(), DropReason> {
        let transmitter = header.addr2.ok_or(DropReason::Malformed)?;
        let is_discovery = header.frame_control.is_management(management_subtype::PROBE_REQUEST)
            && header.addr1 == MacAddr::BROADCAST
            && header.addr3.is_some_and(|bssid| bssid == self.bssid || bssid == MacAddr::BROADCAST);
        if header.addr1 != self.bssid && !is_discovery {
            return Err(if header.addr1.is_group() { DropReason::Filtered } else { DropReason::NotOurs });
        }
        let station = self.stations.lookup(transmitter).and_then(|id| self.stations.station_mut(id));
        let duplicates = station.map_or(&mut self.receiver.strangers, |station| &mut station.duplicates);
        let class = DuplicateClass::Management(transmitter);
        let number = header.sequence.map(|sequence| sequence.number).unwrap_or_default();
        if duplicates.is_duplicate(class, number, header.frame_control.retry()) {
            return Err(DropReason::Duplicate);
        }
        duplicates.remember(class, number);
        self.count_received(transmitter, frame.len());
        self.hand_up(frame)
    }

    /// The stages before the key.
    fn admit_data(&mut self, index: usize, header: &MacHeader, frame: &[u8], rate: u16) -> Result<(), DropReason> {
        let control = header.frame_control;
        if control.frame_type() != FrameType::Data || header.addr1 != self.bssid {
            return Err(DropReason::NotOurs);
        }
        if !control.to_ds() || control.from_ds() {
            return Err(DropReason::Malformed);
        }
        let Self { stations, transmitter, receiver, counters, .. } = self;
        let id = header.addr2.and_then(|address| stations.lookup(address));
        let Some(station) = id.and_then(|id| stations.station_mut(id)) else {
            // A Class 3 frame of a stranger: the MLME answers it (IEEE 802.11-2020 11.3.3).
            self.hand_up(frame)?;
            return Err(DropReason::NotConnected);
        };
        let id = station.id;
        if station.awaits_decision {
            let has_room = self.deferred.len() < DEFERRED_LENGTH && self.deferred.push(frame);
            return if has_room { Ok(()) } else { Err(DropReason::QueueFull) };
        }
        if rate != 0 {
            station.rate = rate;
        }
        if control.is_null() {
            transmitter.set_power(station, control.power_management());
            station.counters.received += 1;
            counters.received += 1;
            return Ok(());
        }
        if control.more_fragments() || header.sequence.is_some_and(|sequence| sequence.fragment != 0) {
            return Err(DropReason::Fragment);
        }
        let (class, number) = duplicate_of(header);
        if station.duplicates.is_duplicate(class, number, control.retry()) {
            return Err(DropReason::Duplicate);
        }
        let is_eapol = !control.protected() && is_eapol(header, frame, self.bssid);
        let opening = if control.protected() {
            let ccmp = CcmpHeader::read(frame).map_err(open_failure)?;
            let key = station.key(ccmp.key_id).ok_or(DropReason::NoKey)?;
            if !key.replay().check(ccmp.class, ccmp.packet_number) {
                return Err(DropReason::Replay);
            }
            let CcmpHeader { packet_number, key_id, class } = ccmp;
            Some(Opening { key_id, packet_number, class, slot: 0, result: Ok(()) })
        } else if station.parameters.privacy && !is_eapol {
            return Err(DropReason::Unprotected);
        } else {
            None
        };
        station.awaits_decision |= is_eapol;
        receiver.arrivals.push(Arrival { frame: index, station: id, header: *header, opening, is_eapol });
        Ok(())
    }

    /// Opens all protected frames of the burst in one batch.
    fn open(&mut self, frames: &FrameBatch) {
        let Self { stations, receiver, .. } = self;
        let (mut octets, mut offsets) = core::mem::take(&mut receiver.opened).into_room();
        offsets.truncate(1);
        let mut places = Vec::with_capacity(receiver.arrivals.len());
        let mut total = 0;
        for arrival in &mut receiver.arrivals {
            let Some(opening) = &mut arrival.opening else { continue };
            let key = stations.station(arrival.station).and_then(|station| station.key(opening.key_id));
            let mpdu = frames.frame(arrival.frame).unwrap_or_default();
            let length = key.and_then(|key| key.key().opened_length(mpdu));
            let (Some(key), Some(length)) = (key.map(KeySlot::key), length) else {
                opening.result = Err(DropReason::Truncated);
                continue;
            };
            total += length;
            opening.slot = places.len();
            offsets.push(u32::try_from(total).unwrap_or(u32::MAX));
            places.push((key, mpdu, length));
        }
        make_room(&mut octets, total);
        let mut room = octets.as_mut_slice();
        let mut jobs: Vec<OpenJob<'_>> = Vec::with_capacity(places.len());
        for (key, mpdu, length) in places {
            let (out, rest) = core::mem::take(&mut room).split_at_mut_checked(length).unwrap_or_default();
            room = rest;
            jobs.push(OpenJob { key, mpdu, out, result: Err(OpenError::MicFailed) });
        }
        open_batch(&mut jobs);
        for arrival in &mut receiver.arrivals {
            let Some(opening) = arrival.opening.as_mut().filter(|opening| opening.result.is_ok()) else { continue };
            let result = jobs.get(opening.slot).map_or(Err(OpenError::Truncated), |job| job.result);
            opening.result = result.map(drop).map_err(open_failure);
        }
        drop(jobs);
        receiver.opened = FrameBatch::from_room(octets, offsets).unwrap_or_default();
    }

    /// The stages that only a verified frame may reach.
    fn finish(&mut self, arrival: &Arrival, plain: &[u8], ethernet: &mut Vec<u8>) -> Result<(), DropReason> {
        let Arrival { station: id, header, opening, .. } = arrival;
        let station = self.stations.station_mut(*id).ok_or(DropReason::NotConnected)?;
        let (class, number) = duplicate_of(header);
        if station.duplicates.is_duplicate(class, number, header.frame_control.retry()) {
            return Err(DropReason::Duplicate);
        }
        if let Some(opening) = opening {
            opening.result?;
            let key = station.keys.get_mut(usize::from(opening.key_id.value())).and_then(Option::as_mut);
            let key = key.ok_or(DropReason::NoKey)?;
            if !key.replay_mut().advance(opening.class, opening.packet_number) {
                return Err(DropReason::Replay);
            }
        }
        station.duplicates.remember(class, number);
        self.transmitter.set_power(station, header.frame_control.power_management());
        let (address, is_authorized) = (station.address, station.parameters.authorized);
        if is_eapol(header, plain, self.bssid) {
            station.awaits_decision = true;
            self.count_received(address, plain.len());
            return self.hand_up(plain);
        }
        if !is_authorized {
            return Err(DropReason::NotConnected);
        }
        self.count_received(address, plain.len());
        let mut is_foreign = false;
        let result = ethernet_frames(plain, ethernet, |frame| {
            let is_own = EthernetFrame::new(frame).is_ok_and(|frame| frame.source() == address);
            is_foreign |= !is_own;
            if is_own {
                self.bridge(frame);
            }
        });
        match result {
            Ok(()) if is_foreign => Err(DropReason::ForeignSource),
            Ok(()) => Ok(()),
            Err(MsduError::BadAmsdu) => Err(DropReason::BadAmsdu),
            Err(MsduError::Unreadable(ParseError::Truncated { .. })) => Err(DropReason::Truncated),
            Err(MsduError::Unreadable(ParseError::Invalid { .. })) => Err(DropReason::Malformed),
        }
    }

    /// From a station: to another one, to all, or to the wire.
    fn bridge(&mut self, ethernet: &[u8]) {
        let Ok(frame) = EthernetFrame::new(ethernet) else { return };
        let destination = frame.destination();
        let is_group = destination.is_group();
        let is_station = !is_group && self.stations.lookup(destination).is_some();
        if is_group || is_station {
            self.handle_wired_frame(ethernet);
        }
        if !is_station && !self.to_wire.push(ethernet) {
            self.counters.drops.count(DropReason::QueueFull);
        }
    }

    fn count_received(&mut self, address: MacAddr, octets: usize) {
        self.counters.received += 1;
        self.counters.received_octets += octets as u64;
        let id = self.stations.lookup(address);
        if let Some(station) = id.and_then(|id| self.stations.station_mut(id)) {
            station.counters.received += 1;
            station.counters.received_octets += octets as u64;
        }
    }

    /// Counts a frame that goes no further, for its sender too where that is a station and the frame is for us.
    fn drop(&mut self, frame: &[u8], reason: DropReason) {
        self.counters.drops.count(reason);
        if let Some(station) = self.sender(frame) {
            station.counters.drops.count(reason);
        }
    }

    fn sender(&mut self, frame: &[u8]) -> Option<&mut Station> {
        let transmitter = frame.get(10..)?.first_chunk().copied().map(MacAddr)?;
        let id = self.stations.lookup(transmitter)?;
        self.stations.station_mut(id)
    }
}

fn admit_header(frame: &[u8]) -> Result<MacHeader, DropReason> {
    MacHeader::parse(frame).map_err(|error| match error {
        ParseError::Truncated { .. } => DropReason::Truncated,
        ParseError::Invalid { .. } => DropReason::Malformed,
    })
}

fn duplicate_of(header: &MacHeader) -> (DuplicateClass, u16) {
    let class = DuplicateClass::Data(header.qos.map(QosControl::tid));
    (class, header.sequence.map(|sequence| sequence.number).unwrap_or_default())
}

const fn open_failure(error: OpenError) -> DropReason {
    match error {
        OpenError::Truncated => DropReason::Truncated,
        OpenError::NotProtected => DropReason::Unprotected,
        OpenError::NotCcmp | OpenError::NoRoom => DropReason::Malformed,
        OpenError::Replay => DropReason::Replay,
        OpenError::MicFailed => DropReason::MicFailed,
    }
}

/// Frames that wait for decisions.
const DEFERRED_LENGTH: usize = 4096;
