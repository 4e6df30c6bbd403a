//! The data plane of the far end: an access point's stations, keys, power-save queues, beacons and bridge.
//!
//! Up: [`receive`](self): a station's frame is checked, opened and bridged, to the wired side or to another station.
//! Down: Ethernet frames are queued by station, held while it sleeps, sealed when they go out.
//! Not here: who may associate, handshakes (Python's `access_point`): management frames and EAPOL go up to it.
//! Promise: bounded queues; every frame that goes no further is a counted reason.

mod beacon;
mod receive;
mod station;
mod transmit;

use std::collections::{HashMap, VecDeque};

use self::beacon::Beacon;
use self::station::Station;
use self::transmit::{Origin, Queued};
use crate::air::{AirStation, Burst, Channel, Reception, TransmitReport};
use crate::device::{DropCounters, DropReason};
use crate::frame_batch::FrameBatch;
use crate::host::port::Port;
use crate::host_api::call::{CallError, CipherSuite};
use crate::ids::{KeyId, MacAddr, PacketNumber};
use crate::security::key_slot::KeySlot;
use crate::time::Instant;

/// Frames that may wait for one station, and for all together.
const STATION_QUEUE: usize = 256;
const TOTAL_QUEUE: usize = 8192;
/// Frames that may wait for the control plane.
const CONTROL_QUEUE: usize = 4096;
/// Frames fetched from the wired side at once.
const WIRED_BATCH: usize = 256;
/// Stop fetching from the wired side above this many frames waiting: the wired side waits then.
const BACK_PRESSURE: usize = 128;

/// What happened to frames.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessPointCounters {
    /// Data frames sent and, where they had to be, acknowledged.
    pub sent: u64,
    /// Their octets on the air.
    pub sent_octets: u64,
    /// Data frames received and bridged.
    pub received: u64,
    /// Their octets as Ethernet frames.
    pub received_octets: u64,
    /// Transmissions that were not acknowledged.
    pub retries: u64,
    /// Frames held for a sleeping station.
    pub held: u64,
    /// Frames that went no further, by reason.
    pub drops: DropCounters,
}

impl AccessPointCounters {
    /// Name and count, zeros left out.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let plain = [
            ("sent", self.sent),
            ("sent_octets", self.sent_octets),
            ("received", self.received),
            ("received_octets", self.received_octets),
            ("retries", self.retries),
            ("held", self.held),
        ];
        plain
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .chain(self.drops.iter().map(|(reason, count)| (reason.name(), count)))
    }
}

/// What the control plane says of a station.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StationParameters {
    /// Association identifier, 1 to 2007.
    pub association_id: u16,
    /// It does QoS.
    pub qos: bool,
    /// Data may pass.
    pub authorized: bool,
    /// Data must be protected.
    pub privacy: bool,
}

/// An access point.
#[derive(Debug)]
pub struct AccessPoint {
    bssid: MacAddr,
    channel: Channel,
    stations: Vec<Option<Station>>,
    by_address: HashMap<MacAddr, usize>,
    group_key: Option<KeySlot>,
    beacon: Option<Beacon>,
    wired: Option<Port>,
    wired_may_have_more: bool,
    has_delivered: bool,
    control: VecDeque<Queued>,
    group: VecDeque<Queued>,
    held_group: VecDeque<Queued>,
    active: VecDeque<usize>,
    waiting: usize,
    sequence: u16,
    in_flight: Vec<(Origin, Queued)>,
    up: Vec<Vec<u8>>,
    waits_for_control: bool,
    deferred: FrameBatch,
    wired_out: FrameBatch,
    plain: Vec<u8>,
    ethernet: Vec<u8>,
    counters: AccessPointCounters,
}

impl AccessPoint {
    /// An access point on `channel`, without stations, silent until it has a beacon.
    pub fn new(bssid: MacAddr, channel: Channel, wired: Option<Port>) -> Self {
        Self {
            bssid,
            channel,
            stations: Vec::new(),
            by_address: HashMap::new(),
            group_key: None,
            beacon: None,
            wired,
            wired_may_have_more: true,
            has_delivered: false,
            control: VecDeque::new(),
            group: VecDeque::new(),
            held_group: VecDeque::new(),
            active: VecDeque::new(),
            waiting: 0,
            sequence: 0,
            in_flight: Vec::new(),
            up: Vec::new(),
            waits_for_control: false,
            deferred: FrameBatch::new(),
            wired_out: FrameBatch::new(),
            plain: Vec::new(),
            ethernet: Vec::new(),
            counters: AccessPointCounters::default(),
        }
    }

    /// Its address.
    pub const fn bssid(&self) -> MacAddr {
        self.bssid
    }

    /// Adds a station, or changes what is known of it.
    pub fn set_station(&mut self, address: MacAddr, parameters: StationParameters) {
        if let Some(station) = self.station_mut(address) {
            station.parameters = parameters;
            return;
        }
        let station = Some(Station::new(address, parameters));
        let index = if let Some(free) = self.stations.iter().position(Option::is_none) {
            if let Some(place) = self.stations.get_mut(free) {
                *place = station;
            }
            free
        } else {
            self.stations.push(station);
            self.stations.len() - 1
        };
        self.by_address.insert(address, index);
    }

    /// Removes a station with its key; what waits for it is flushed.
    pub fn remove_station(&mut self, address: MacAddr) -> bool {
        let Some(index) = self.by_address.remove(&address) else { return false };
        if let Some(station) = self.stations.get_mut(index).and_then(Option::take) {
            self.waiting = self.waiting.saturating_sub(station.queue.len());
            for _ in station.queue {
                self.counters.drops.count(DropReason::Flushed);
            }
        }
        self.active.retain(|each| *each != index);
        self.in_flight.iter_mut().for_each(|(origin, _)| {
            if *origin == Origin::Station(index) {
                *origin = Origin::Gone;
            }
        });
        true
    }

    /// Installs the pairwise key with a station. The same key again changes nothing (`KeyInUse`).
    pub fn install_pairwise_key(
        &mut self,
        address: MacAddr,
        key_id: KeyId,
        cipher: CipherSuite,
        key: &[u8],
    ) -> Result<(), CallError> {
        let station = self.station_mut(address).ok_or(CallError::UnknownVm)?;
        if station.key.as_ref().is_some_and(|slot| slot.same_key(key)) {
            return Err(CallError::KeyInUse);
        }
        station.key = Some(KeySlot::new(cipher, key_id, key, PacketNumber::default())?);
        Ok(())
    }

    /// Installs the group key, which is used to send from then on.
    pub fn install_group_key(&mut self, key_id: KeyId, cipher: CipherSuite, key: &[u8]) -> Result<(), CallError> {
        if self.group_key.as_ref().is_some_and(|slot| slot.same_key(key)) {
            return Err(CallError::KeyInUse);
        }
        self.group_key = Some(KeySlot::new(cipher, key_id, key, PacketNumber::default())?);
        Ok(())
    }

    /// The last packet number sent with the group key: the Key RSC.
    pub fn group_packet_number(&self) -> PacketNumber {
        self.group_key.as_ref().map(KeySlot::transmitted).unwrap_or_default()
    }

    /// Management frames, EAPOL data frames (opened), and data frames of unknown stations, for the control plane.
    ///
    /// What was heard behind an EAPOL frame waits until it was taken: with it a key may come.
    pub fn take_frames(&mut self) -> Vec<Vec<u8>> {
        self.waits_for_control = false;
        core::mem::take(&mut self.up)
    }

    /// True where [`Self::take_frames`] would give something.
    pub fn has_frames(&self) -> bool {
        !self.up.is_empty()
    }

    /// Its counters.
    pub const fn counters(&self) -> &AccessPointCounters {
        &self.counters
    }

    /// Each station's address, and the frames sent to it and received from it.
    pub fn station_counters(&self) -> impl Iterator<Item = (MacAddr, u64, u64)> {
        self.stations.iter().flatten().map(|station| (station.address, station.sent, station.received))
    }

    /// The wired side's port.
    pub const fn wired(&self) -> Option<&Port> {
        self.wired.as_ref()
    }

    /// True where a wired host in this process was given frames since [`Self::wake_wired`].
    pub const fn has_delivered(&self) -> bool {
        self.has_delivered
    }

    /// The wired port may have something to fetch.
    pub const fn wake_wired(&mut self) {
        self.has_delivered = false;
        self.wired_may_have_more = true;
    }

    /// True while it fetches no more from the wired side because too much waits.
    pub const fn is_congested(&self) -> bool {
        self.waiting >= BACK_PRESSURE
    }

    /// Moves Ethernet frames between the wired port and the queues; true where anything moved.
    pub fn pump_wired(&mut self, scratch: &mut FrameBatch) -> bool {
        let mut moved = false;
        if !self.waits_for_control && !self.deferred.is_empty() {
            let deferred = core::mem::take(&mut self.deferred);
            self.receive_all(&deferred);
            moved = true;
        }
        if let Some(port) = &mut self.wired
            && !self.wired_out.is_empty()
        {
            let taken = port.deliver(&self.wired_out);
            self.has_delivered |= taken > 0 && port.is_attended();
            for _ in taken..self.wired_out.len() {
                self.counters.drops.count(DropReason::QueueFull);
            }
            self.wired_out.clear();
            moved = true;
        }
        if !self.wired_may_have_more || self.waiting >= BACK_PRESSURE {
            return moved;
        }
        scratch.clear();
        if let Some(port) = &mut self.wired {
            port.fetch(WIRED_BATCH, scratch);
        }
        self.wired_may_have_more = scratch.len() == WIRED_BATCH;
        for ethernet in scratch.iter() {
            self.send_ethernet(ethernet);
            moved = true;
        }
        moved
    }

    fn station_mut(&mut self, address: MacAddr) -> Option<&mut Station> {
        let index = *self.by_address.get(&address)?;
        self.stations.get_mut(index)?.as_mut()
    }

    fn receive_all(&mut self, frames: &FrameBatch) {
        for frame in frames.iter() {
            if !self.waits_for_control {
                if let Err(reason) = self.receive(frame) {
                    self.counters.drops.count(reason);
                }
            } else if self.deferred.len() >= CONTROL_QUEUE || !self.deferred.push(frame) {
                self.counters.drops.count(DropReason::QueueFull);
            }
        }
    }

    fn any_asleep(&self) -> bool {
        self.stations.iter().flatten().any(|station| station.is_asleep)
    }

    fn hand_up(&mut self, frame: &[u8]) {
        if self.up.len() < CONTROL_QUEUE {
            self.up.push(frame.to_vec());
        } else {
            self.counters.drops.count(DropReason::QueueFull);
        }
    }
}

impl AirStation for AccessPoint {
    fn channel(&self) -> Option<Channel> {
        Some(self.channel)
    }

    fn acknowledges(&self, receiver: MacAddr) -> bool {
        receiver == self.bssid
    }

    fn handle_air_frames(&mut self, frames: &FrameBatch, _reception: Reception, _now: Instant) {
        self.receive_all(frames);
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Burst> {
        self.next_burst(now)
    }

    fn handle_transmit_report(&mut self, report: TransmitReport, _now: Instant) {
        self.finish_burst(&report);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.send_beacon(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.beacon.as_ref().map(Beacon::next)
    }
}
