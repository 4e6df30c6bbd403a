//! The data plane of the far end: an access point's stations, keys, power-save queues, beacons and bridge.
//!
//! [`AccessPoint`] owns the parts: [`station`] is who is associated, [`receive`] the way up, [`transmit`] the way down,
//! [`beacon`] what goes out by itself. Ethernet frames come and go at the wired side; management frames and EAPOL go to
//! whoever decides.
//! Not here: authentication, association, handshakes (Python's `access_point`), the medium.
//! Promise: constant cost per frame for any number of stations; sans-IO; every frame that goes no further is counted.

mod beacon;
mod buffer_pool;
mod counters;
mod receive;
mod station;
mod transmit;

use std::collections::VecDeque;

pub use self::counters::Counters;
pub use self::station::{Station, StationParameters};

use self::beacon::Beacon;
use self::buffer_pool::BufferPool;
use self::receive::Receiver;
use self::station::{StationTable, install};
use self::transmit::{Queued, QueuedKind, Transmitter};
use crate::air::{AirStation, Burst, Channel, Reception, TransmitReport};
use crate::device::DropReason;
use crate::frame_batch::FrameBatch;
use crate::host_api::CallError;
use crate::host_api::call::CipherSuite;
use crate::ids::{KeyId, MacAddr, PacketNumber, Tid};
use crate::security::key_slot::KeySlot;
use crate::time::Instant;
use crate::wire::ParseError;
use crate::wire::data::{body_ethertype, emit_data_frame};
use crate::wire::ethernet::{ETHERTYPE_EAPOL, EthernetFrame};
use crate::wire::frame_control::{FrameType, management_subtype};
use crate::wire::mac_header::{MacHeader, QosControl};

/// An access point's data plane.
#[derive(Debug)]
pub struct AccessPoint {
    bssid: MacAddr,
    channel: Channel,
    stations: StationTable,
    group_key: Option<KeySlot>,
    beacon: Option<Beacon>,
    receiver: Receiver,
    transmitter: Transmitter,
    pool: BufferPool,
    /// Frames for the wired side.
    to_wire: FrameBatch,
    /// Management frames and EAPOL, opened, for whoever decides.
    to_control: VecDeque<Vec<u8>>,
    /// What was heard behind an EAPOL frame of the same station: with the decision a key may come.
    deferred: FrameBatch,
    counters: Counters,
    scratch: Vec<u8>,
}

impl AccessPoint {
    /// An access point without stations, keys and beacon.
    pub fn new(bssid: MacAddr, channel: Channel) -> Self {
        Self {
            bssid,
            channel,
            stations: StationTable::default(),
            group_key: None,
            beacon: None,
            receiver: Receiver::default(),
            transmitter: Transmitter::default(),
            pool: BufferPool::default(),
            to_wire: FrameBatch::new(),
            to_control: VecDeque::new(),
            deferred: FrameBatch::new(),
            counters: Counters::default(),
            scratch: Vec::new(),
        }
    }

    /// Its address.
    pub const fn bssid(&self) -> MacAddr {
        self.bssid
    }

    /// Sends this beacon from now on: timestamp, sequence number and TIM are filled in at each sending.
    ///
    /// # Errors
    /// It is no beacon, or its elements cannot be read.
    pub fn set_beacon(&mut self, frame: &[u8], interval_tu: u16, now: Instant) -> Result<(), ParseError> {
        self.beacon = Some(Beacon::new(frame, interval_tu, now)?);
        Ok(())
    }

    /// Adds a station, or changes what is known of one; keys and queue stay.
    pub fn set_station(&mut self, address: MacAddr, parameters: StationParameters) {
        let id = self.stations.entry(address);
        if let Some(station) = self.stations.station_mut(id) {
            self.transmitter.move_traffic_bit(station, parameters.association_id);
            station.parameters = parameters;
        }
    }

    /// Forgets a station; its keys are wiped. Management frames to it that wait are still sent, once.
    pub fn remove_station(&mut self, address: MacAddr) {
        let Some(station) = self.stations.remove(address) else { return };
        self.transmitter.forget(&station);
        for queued in station.queue {
            if queued.kind == QueuedKind::Management {
                self.transmitter.unassociated.push_back(queued);
            } else {
                self.counters.drops.count(DropReason::Flushed);
                self.pool.give(queued.mpdu);
            }
        }
    }

    /// Installs a pairwise key with a station, or the group key (`None`); it is used to send from then on. The same
    /// key again changes nothing: its counters go on.
    ///
    /// # Errors
    /// As [`KeySlot::new`]; `UnknownVm` where there is no such station.
    pub fn install_key(
        &mut self,
        address: Option<MacAddr>,
        key_id: KeyId,
        cipher: CipherSuite,
        key: &[u8],
    ) -> Result<(), CallError> {
        match address {
            None => {
                if self.group_key.as_ref().is_none_or(|slot| slot.key_id() != key_id || !slot.same_key(key)) {
                    self.group_key = Some(KeySlot::new(cipher, key_id, key, PacketNumber::default())?);
                }
                Ok(())
            }
            Some(address) => {
                let id = self.stations.lookup(address).ok_or(CallError::UnknownVm)?;
                let station = self.stations.station_mut(id).ok_or(CallError::UnknownVm)?;
                install(station, key_id, cipher, key)
            }
        }
    }

    /// The last packet number sent with the group key: the Key RSC.
    pub fn group_packet_number(&self) -> PacketNumber {
        self.group_key.as_ref().map(KeySlot::transmitted).unwrap_or_default()
    }

    /// Sends a management frame, or an EAPOL data frame: an MPDU in the clear without sequence number.
    ///
    /// # Errors
    /// It cannot be read, or is neither.
    pub fn send_frame(&mut self, frame: &[u8], unprotected: bool) -> Result<(), ParseError> {
        let header = MacHeader::parse(frame)?;
        let control = header.frame_control;
        let kind = match control.frame_type() {
            FrameType::Management => QueuedKind::Management,
            FrameType::Data => QueuedKind::Eapol,
            FrameType::Control | FrameType::Extension => {
                return Err(ParseError::Invalid { what: "frame type to send", value: u64::from(control.0), at: 0 });
            }
        };
        let mut mpdu = self.pool.take();
        mpdu.extend_from_slice(frame);
        let tid = header.qos.map(QosControl::tid);
        let queued = Queued { mpdu, kind, tid, unprotected, is_sealed: false, tries: 0 };
        // Answers to a station that is asking right now are not kept for a sleeping one.
        let is_answer = kind == QueuedKind::Management
            && !matches!(
                control.subtype(),
                management_subtype::ACTION | management_subtype::DISASSOCIATION | management_subtype::DEAUTHENTICATION
            );
        match self.stations.lookup(header.addr1).and_then(|id| self.stations.station_mut(id)) {
            Some(station) if !is_answer => self.transmitter.enqueue(station, queued),
            _ => self.transmitter.unassociated.push_back(queued),
        }
        Ok(())
    }

    /// An Ethernet frame from the wired side.
    pub fn handle_wired_frame(&mut self, ethernet: &[u8]) {
        if let Err(reason) = self.send_ethernet(ethernet) {
            self.counters.drops.count(reason);
        }
    }

    /// Frames for the wired side, to be taken and cleared.
    pub const fn wired_frames(&mut self) -> &mut FrameBatch {
        &mut self.to_wire
    }

    /// The wired side had no room for so many frames.
    pub fn count_refused(&mut self, frames: usize) {
        (0..frames).for_each(|_| self.counters.drops.count(DropReason::QueueFull));
    }

    /// A management frame or an EAPOL data frame, opened; or a data frame of whoever is not associated.
    pub fn poll_frame(&mut self) -> Option<Vec<u8>> {
        self.to_control.pop_front()
    }

    /// The decisions were made: what was heard behind an EAPOL frame goes on. To be called after all of
    /// [`poll_frame`](Self::poll_frame) was taken and answered; true where there was anything.
    pub fn handle_decisions(&mut self) -> bool {
        !self.deferred.is_empty() && self.to_control.is_empty() && self.receive_deferred()
    }

    /// True where [`poll_frame`](Self::poll_frame) has one.
    pub fn has_frames(&self) -> bool {
        !self.to_control.is_empty()
    }

    /// Frames that could be sent right now: those for sleeping stations do not count.
    pub const fn ready_frames(&self) -> usize {
        self.transmitter.ready_frames()
    }

    /// Counters of the access point as a whole, its stations' included.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Its stations, by address.
    pub fn stations(&self) -> impl Iterator<Item = &Station> {
        self.stations.sorted().into_iter()
    }

    fn send_ethernet(&mut self, ethernet: &[u8]) -> Result<(), DropReason> {
        let frame = EthernetFrame::new(ethernet).map_err(|_| DropReason::Truncated)?;
        if frame.payload().len() > MAX_MSDU_LENGTH {
            return Err(DropReason::Malformed);
        }
        let destination = frame.destination();
        if destination.is_group() {
            return self.send_group(ethernet);
        }
        let station = self.stations.lookup(destination).and_then(|id| self.stations.station_mut(id));
        let station = station.ok_or(DropReason::NoSuchVm)?;
        let reason = if !station.parameters.authorized {
            Some(DropReason::NotConnected)
        } else if station.parameters.privacy && station.transmit_key.is_none() {
            Some(DropReason::NoKey)
        } else if station.queue.len() >= QUEUE_LENGTH {
            Some(DropReason::QueueFull)
        } else {
            None
        };
        if let Some(reason) = reason {
            station.counters.drops.count(reason);
            return Err(reason);
        }
        let tid = station.parameters.qos.then_some(Tid::default());
        let mut mpdu = self.pool.take();
        emit_data_frame(ethernet, self.bssid, false, tid, &mut mpdu).map_err(|_| DropReason::Truncated)?;
        let kind = QueuedKind::Data;
        self.transmitter.enqueue(station, Queued { mpdu, kind, tid, unprotected: false, is_sealed: false, tries: 0 });
        Ok(())
    }

    fn send_group(&mut self, ethernet: &[u8]) -> Result<(), DropReason> {
        if self.stations.is_empty() {
            return Err(DropReason::NotConnected);
        }
        if self.transmitter.group.len() >= QUEUE_LENGTH {
            return Err(DropReason::QueueFull);
        }
        let mut mpdu = self.pool.take();
        emit_data_frame(ethernet, self.bssid, false, None, &mut mpdu).map_err(|_| DropReason::Truncated)?;
        let kind = QueuedKind::Data;
        let queued = Queued { mpdu, kind, tid: None, unprotected: false, is_sealed: false, tries: 0 };
        self.transmitter.group.push_back(queued);
        Ok(())
    }

    /// Hands a management frame or an EAPOL frame up.
    fn hand_up(&mut self, frame: &[u8]) -> Result<(), DropReason> {
        if self.to_control.len() >= CONTROL_QUEUE_LENGTH {
            return Err(DropReason::QueueFull);
        }
        let mut copy = self.pool.take();
        copy.extend_from_slice(frame);
        self.to_control.push_back(copy);
        Ok(())
    }
}

impl AirStation for AccessPoint {
    fn channel(&self) -> Option<Channel> {
        Some(self.channel)
    }

    fn acknowledges(&self, receiver: MacAddr) -> bool {
        receiver == self.bssid
    }

    fn handle_air_frames(&mut self, frames: &FrameBatch, reception: Reception, _now: Instant) {
        self.receive(frames, reception);
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Burst> {
        self.next_burst(now)
    }

    fn handle_transmit_report(&mut self, report: TransmitReport, _now: Instant) {
        self.finish_burst(report);
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(beacon) = &mut self.beacon {
            beacon.handle_timeout(now);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.beacon.as_ref().map(Beacon::next)
    }
}

/// True for a plaintext data MPDU that carries EAPOL for this access point.
fn is_eapol(header: &MacHeader, mpdu: &[u8], bssid: MacAddr) -> bool {
    let body = mpdu.get(header.length()..).unwrap_or_default();
    header.destination() == Some(bssid)
        && !header.qos.is_some_and(QosControl::amsdu_present)
        && body_ethertype(body) == Some(ETHERTYPE_EAPOL)
}

/// Frames that wait for one station, or for all.
pub const QUEUE_LENGTH: usize = 256;
/// The longest MSDU (IEEE 802.11-2020 9.2.4.7.1).
pub const MAX_MSDU_LENGTH: usize = 2304;
const CONTROL_QUEUE_LENGTH: usize = 8192;
