//! Who is associated: by address, in constant time, in an order that does not depend on a hash.

use core::hash::BuildHasherDefault;
use std::collections::{HashMap, VecDeque};

use super::counters::Counters;
use super::transmit::Queued;
use crate::air::phy::LOWEST_RATE;
use crate::device::address_hasher::AddressHasher;
use crate::device::virtual_mac::{DuplicateFilter, SequenceCounters};
use crate::host_api::CallError;
use crate::host_api::call::CipherSuite;
use crate::ids::{KeyId, MacAddr, PacketNumber};
use crate::security::key_slot::KeySlot;

/// A place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StationId(u32);

/// What is known of a station by its association.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

/// An associated station.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other, not a state in disguise")]
pub struct Station {
    pub(crate) id: StationId,
    /// Never given twice: tells a station from an earlier one in the same place.
    pub(crate) serial: u64,
    pub(crate) address: MacAddr,
    pub(crate) parameters: StationParameters,
    pub(crate) keys: [Option<KeySlot>; KEYS],
    pub(crate) transmit_key: Option<KeyId>,
    pub(crate) is_asleep: bool,
    /// Frames that waited for it to wake up are being sent: More Data is said.
    pub(crate) is_flushing: bool,
    /// It sent EAPOL, and the answer is not there yet: what it sends behind it waits.
    pub(crate) awaits_decision: bool,
    /// It stands in the list of stations that have frames to be sent.
    pub(crate) is_listed: bool,
    pub(crate) queue: VecDeque<Queued>,
    pub(crate) sequence: SequenceCounters,
    pub(crate) duplicates: DuplicateFilter,
    /// The rate it uses, and is answered with.
    pub(crate) rate: u16,
    pub(crate) counters: Counters,
}

impl Station {
    /// Its address.
    pub const fn address(&self) -> MacAddr {
        self.address
    }

    /// What is known of it by its association.
    pub const fn parameters(&self) -> StationParameters {
        self.parameters
    }

    /// It cannot hear: frames for it are kept.
    pub const fn is_asleep(&self) -> bool {
        self.is_asleep
    }

    /// Frames that wait for it.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Its counters.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The key of that identifier.
    pub(crate) fn key(&self, key_id: KeyId) -> Option<&KeySlot> {
        self.keys.get(usize::from(key_id.value()))?.as_ref()
    }

    /// The key that frames to it are sealed with.
    pub(crate) fn transmit_key_mut(&mut self) -> Option<&mut KeySlot> {
        self.keys.get_mut(usize::from(self.transmit_key?.value()))?.as_mut()
    }
}

/// Installs a pairwise key; the same one again changes nothing.
pub(super) fn install(station: &mut Station, key_id: KeyId, cipher: CipherSuite, key: &[u8]) -> Result<(), CallError> {
    let slot = station.keys.get_mut(usize::from(key_id.value())).ok_or(CallError::BadPayload)?;
    if slot.as_ref().is_none_or(|slot| !slot.same_key(key)) {
        *slot = Some(KeySlot::new(cipher, key_id, key, PacketNumber::default())?);
    }
    station.transmit_key = Some(key_id);
    Ok(())
}

/// All stations.
#[derive(Debug, Default)]
pub(crate) struct StationTable {
    index: HashMap<u64, StationId, BuildHasherDefault<AddressHasher>>,
    places: Vec<Option<Box<Station>>>,
    free: Vec<StationId>,
    serial: u64,
}

impl StationTable {
    /// The station of that address, made where there is none.
    pub(crate) fn entry(&mut self, address: MacAddr) -> StationId {
        if let Some(id) = self.lookup(address) {
            return id;
        }
        let id = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            StationId(u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX))
        });
        self.serial += 1;
        let station = Station {
            id,
            serial: self.serial,
            address,
            parameters: StationParameters::default(),
            keys: [const { None }; KEYS],
            transmit_key: None,
            is_asleep: false,
            is_flushing: false,
            awaits_decision: false,
            is_listed: false,
            queue: VecDeque::new(),
            sequence: SequenceCounters::default(),
            duplicates: DuplicateFilter::default(),
            rate: LOWEST_RATE,
            counters: Counters::default(),
        };
        if let Some(place) = self.places.get_mut(id.0 as usize) {
            *place = Some(Box::new(station));
            self.index.insert(address.to_u64(), id);
        }
        id
    }

    pub(crate) fn remove(&mut self, address: MacAddr) -> Option<Box<Station>> {
        let id = self.index.remove(&address.to_u64())?;
        self.free.push(id);
        self.places.get_mut(id.0 as usize)?.take()
    }

    pub(crate) fn lookup(&self, address: MacAddr) -> Option<StationId> {
        self.index.get(&address.to_u64()).copied()
    }

    pub(crate) fn station(&self, id: StationId) -> Option<&Station> {
        self.places.get(id.0 as usize)?.as_deref()
    }

    pub(crate) fn station_mut(&mut self, id: StationId) -> Option<&mut Station> {
        self.places.get_mut(id.0 as usize)?.as_deref_mut()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// All stations, by address.
    pub(crate) fn sorted(&self) -> Vec<&Station> {
        let mut stations: Vec<&Station> = self.places.iter().filter_map(Option::as_deref).collect();
        stations.sort_by_key(|station| station.address);
        stations
    }
}

/// Key identifiers 0 to 3.
const KEYS: usize = 4;
