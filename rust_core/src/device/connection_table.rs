//! The per-VM connection table (622): the only place where a VM's address, settings, connection and keys live.
//!
//! One row for each virtual radio. No two rows own one address. What another VM does with the radio changes nothing here:
//! parameters are kept and take effect again when the radio returns.

use core::mem::offset_of;
use std::collections::VecDeque;

use super::address_index::{AddressIndex, NOBODY};
use super::batch::Scratch;
use super::bss_index::BssIndex;
use super::channel_index::ChannelIndex;
use super::counters::Counters;
use super::crew::{Crew, NoThreads};
use super::gate::Gate;
use super::row_keys::{KeyMemory, RowKeys};
use super::rows::{HasRows, Rows};
use super::virtual_mac::{DuplicateFilter, VirtualMac};
use crate::air::Channel;
use crate::host_api::CallError;
use crate::host_api::call::{CipherSuite, Connection, ConnectionState, KeyScope, Parameters};
use crate::ids::{Identifier, KeyId, MacAddr, PacketNumber, VmId, VrId};
use crate::prefetch::prefetch_at;

/// All rows, found by virtual radio, by own address, and by access point.
#[derive(Debug)]
pub struct ConnectionTable {
    max_vms: u32,
    rows: Rows,
    /// The VM of each virtual radio that ever had a row: for bulk look-ups, which leave the rows where they are.
    vms: Vec<VmId>,
    /// Every VM had the number of its row so far: then the list need not be read.
    vms_are_rows: bool,
    count: usize,
    addresses: AddressIndex,
    bss: BssIndex,
    scanning: Vec<VrId>,
    channels: ChannelIndex,
    /// How far the keys of rows that are gone were used, by the rows' addresses; the oldest first.
    gone: VecDeque<(MacAddr, KeyMemory)>,
    scratch: Scratch,
    crew: Crew,
}

/// A table taken apart, so that rows may be changed while the rest is read.
pub(super) struct Parts<'a> {
    pub(super) rows: &'a mut Rows,
    pub(super) addresses: &'a AddressIndex,
    pub(super) groups: Groups<'a>,
    pub(super) crew: &'a Crew,
}

/// Which rows have group frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct Groups<'a> {
    bss: &'a BssIndex,
    scanning: &'a [VrId],
}

impl<'a> Groups<'a> {
    /// The rows whose access point this is.
    pub(super) fn members(self, bssid: MacAddr) -> &'a [VrId] {
        self.bss.members(bssid)
    }

    /// The rows that ask for beacons and probe responses of every BSS.
    pub(super) const fn scanning(self) -> &'a [VrId] {
        self.scanning
    }
}

/// Keys of rows that are gone and would still be known again.
const GONE_LENGTH: usize = 4096;

/// One VM's row.
///
/// In the order of use: what every received frame needs of it fills the second cache line, from the memory of data frames'
/// sequence numbers to the counters of frames that were handed up; those of frames that were sent start the third; keys
/// start a cache line. The rest is rarely touched.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Row {
    address: MacAddr,
    connection: Connection,
    parameters: Parameters,
    vr: VrId,
    accepts_any_bss: bool,
    /// Up to where the duplicate filter's part that data frames need starts a line.
    _room: [u8; ROOM],
    pub(crate) duplicates: DuplicateFilter,
    vm: VmId,
    gate: Gate,
    pub(crate) counters: Counters,
    pub(crate) mac: VirtualMac,
    pub(crate) keys: RowKeys,
}

/// Octets between `accepts_any_bss` and `duplicates`.
const ROOM: usize = 64
    - DuplicateFilter::DATA
    - (size_of::<MacAddr>() + size_of::<Connection>() + size_of::<Parameters>() + size_of::<VrId>() + 1);

impl ConnectionTable {
    /// A table for virtual radios 0 to `max_vms` - 1, 65,534 at most, without rows.
    pub fn new(max_vms: u32) -> Self {
        Self::with_crew(max_vms, Crew::default())
    }

    /// The same with that many threads for its batches, the calling one included. What a batch does and says does not
    /// depend on how many there are.
    ///
    /// # Errors
    /// [`NoThreads`].
    pub fn with_workers(max_vms: u32, workers: usize) -> Result<Self, NoThreads> {
        Crew::new(workers).map(|crew| Self::with_crew(max_vms, crew))
    }

    /// A table like this one, without rows.
    pub(super) fn emptied(&self) -> Self {
        Self::with_crew(self.max_vms, self.crew.clone())
    }

    fn with_crew(max_vms: u32, crew: Crew) -> Self {
        // No row has the number that stands for nobody.
        let max_vms = max_vms.min(u32::from(NOBODY));
        Self {
            max_vms,
            rows: Rows::new(crew.workers(), max_vms as usize),
            vms: Vec::new(),
            vms_are_rows: true,
            count: 0,
            addresses: AddressIndex::default(),
            bss: BssIndex::default(),
            scanning: Vec::new(),
            channels: ChannelIndex::default(),
            gone: VecDeque::new(),
            scratch: Scratch::default(),
            crew,
        }
    }

    /// Makes a row. Keys that an earlier row of that address had go on where they stopped.
    ///
    /// # Errors
    /// `TooManyVms`, `AlreadyInitialised`, `InvalidAddress` for a group or zero address, `AddressTaken`.
    pub fn add(&mut self, vr: VrId, vm: VmId, address: MacAddr) -> Result<&mut Row, CallError> {
        if u32::try_from(vr.index()).is_ok_and(|index| index >= self.max_vms) {
            return Err(CallError::TooManyVms);
        }
        if self.row(vr).is_some() {
            return Err(CallError::AlreadyInitialised);
        }
        if address.is_group() || address == MacAddr::ZERO {
            return Err(CallError::InvalidAddress);
        }
        if !self.addresses.insert(address, vr) {
            return Err(CallError::AddressTaken);
        }
        if self.vms.len() <= vr.index() {
            self.vms.resize(vr.index() + 1, vm);
        }
        self.vms_are_rows &= vm.to_u16() == vr.to_u16();
        if let Some(place) = self.vms.get_mut(vr.index()) {
            *place = vm;
        }
        self.count += 1;
        let mut row = Row::new(vr, vm, address);
        recall(&mut self.gone, &mut row);
        self.rows.insert(row).ok_or(CallError::TooManyVms)
    }

    /// Takes a row out, without its keys: they are wiped.
    ///
    /// # Errors
    /// `UnknownVm`.
    pub fn remove(&mut self, vr: VrId) -> Result<Box<Row>, CallError> {
        let row = self.rows.get(vr).ok_or(CallError::UnknownVm)?;
        remember(&mut self.gone, row);
        self.count -= 1;
        self.addresses.remove(row.address);
        self.bss.remove(row.connection.bssid, vr);
        self.scanning.retain(|other| *other != vr);
        self.channels.set(vr, None);
        self.rows.take(vr).ok_or(CallError::UnknownVm)
    }

    /// Sets a row's configuration parameters.
    ///
    /// # Errors
    /// `UnknownVm`.
    pub fn set_parameters(&mut self, vr: VrId, parameters: Parameters) -> Result<(), CallError> {
        let row = self.row_mut(vr).ok_or(CallError::UnknownVm)?;
        let was_scanning = row.parameters.scan_filter;
        row.parameters = parameters;
        row.set_gate();
        if was_scanning != parameters.scan_filter {
            self.scanning.retain(|other| *other != vr);
            if parameters.scan_filter {
                self.scanning.push(vr);
            }
        }
        self.list_on_channel(vr);
        Ok(())
    }

    /// Sets a row's connection information. With another access point, what was known of the old one's frames is
    /// forgotten; keys stay until they are removed.
    ///
    /// # Errors
    /// `UnknownVm`; `BadPayload` for a connection without an access point's address, or to a group address.
    pub fn set_connection(&mut self, vr: VrId, connection: Connection) -> Result<(), CallError> {
        let row = self.rows.get_mut(vr).ok_or(CallError::UnknownVm)?;
        let is_connected = connection.state > ConnectionState::Disconnected;
        if connection.bssid.is_group() || (is_connected && connection.bssid == MacAddr::ZERO) {
            return Err(CallError::BadPayload);
        }
        let old = row.connection;
        row.connection = connection;
        row.set_gate();
        if old.bssid != connection.bssid {
            row.duplicates = DuplicateFilter::default();
            self.bss.remove(old.bssid, vr);
            self.bss.insert(connection.bssid, vr);
        }
        if old.bssid != connection.bssid || connection.state < ConnectionState::Associated {
            row.mac.power = super::virtual_mac::PowerState::Awake;
        }
        self.list_on_channel(vr);
        Ok(())
    }

    /// What a row's parameters, connection or kind say about the channel where it has an access point.
    fn list_on_channel(&mut self, vr: VrId) {
        let row = self.row(vr).filter(|row| row.has_access_point());
        let channel = row.map(|row| row.parameters.channel);
        self.channels.set(vr, channel);
    }

    /// Installs a key of a row.
    ///
    /// # Errors
    /// `UnknownVm`, or as [`RowKeys::install`].
    pub fn install_key(
        &mut self,
        vr: VrId,
        scope: KeyScope,
        key_id: KeyId,
        cipher: CipherSuite,
        key: &[u8],
        receive_counter: PacketNumber,
    ) -> Result<(), CallError> {
        let row = self.row_mut(vr).ok_or(CallError::UnknownVm)?;
        row.keys.install(scope, key_id, cipher, key, receive_counter)
    }

    /// Removes a key of a row; its octets are wiped.
    ///
    /// # Errors
    /// `UnknownVm`, `NoSuchKey`.
    pub fn remove_key(&mut self, vr: VrId, scope: KeyScope, key_id: KeyId) -> Result<(), CallError> {
        self.row_mut(vr).ok_or(CallError::UnknownVm)?.keys.remove(scope, key_id)
    }

    /// Sets connection information as it was saved: a row for frames of any BSS is authorized without an access point.
    pub(crate) fn restore_connection(&mut self, vr: VrId, connection: Connection) -> Result<(), CallError> {
        match self.row_mut(vr).filter(|row| row.accepts_any_bss && connection.bssid == MacAddr::ZERO) {
            Some(row) => {
                row.connection = connection;
                row.set_gate();
                Ok(())
            }
            None => self.set_connection(vr, connection),
        }
    }

    /// Makes a row without an access point authorized for frames of any: for a table used by itself, where nobody
    /// speaks to access points. A device never does this.
    pub fn accept_any_bss(&mut self, vr: VrId) {
        if let Some(row) = self.row_mut(vr) {
            row.accepts_any_bss = true;
            row.connection.state = ConnectionState::Authorized;
            row.connection.privacy = true;
            row.set_gate();
        }
        self.list_on_channel(vr);
    }

    /// Forgets all rows; not how far their keys were used.
    pub fn clear(&mut self) {
        for row in self.rows.iter() {
            remember(&mut self.gone, row);
        }
        *self = Self { gone: core::mem::take(&mut self.gone), ..self.emptied() };
    }

    /// Takes over what another table knows of the keys of rows that are gone.
    pub(super) fn inherit(&mut self, other: &mut Self) {
        self.gone = core::mem::take(&mut other.gone);
        for row in self.rows.iter_mut() {
            recall(&mut self.gone, row);
        }
    }

    /// The row, to be changed.
    pub fn row_mut(&mut self, vr: VrId) -> Option<&mut Row> {
        self.rows.get_mut(vr)
    }

    /// The row of a virtual radio.
    pub fn row(&self, vr: VrId) -> Option<&Row> {
        self.rows.get(vr)
    }

    /// The row that owns an address.
    pub fn row_of(&self, address: MacAddr) -> Option<VrId> {
        self.addresses.lookup(address)
    }

    /// The rows that own the addresses, one for each, appended to `rows`.
    pub fn rows_of(&self, addresses: impl IntoIterator<Item = MacAddr>, rows: &mut Vec<Option<VrId>>) {
        self.addresses.lookup_many(addresses, rows);
    }

    /// The numbers of the VMs that own the addresses, 65535 where nobody does; as many as both slices have.
    pub fn vms_of(&self, addresses: &[[u8; 6]], vms: &mut [u16]) {
        self.addresses.lookup_octets(addresses, vms);
        if !self.vms_are_rows {
            for vm in vms.iter_mut().take(addresses.len()).filter(|vm| **vm != NOBODY) {
                *vm = self.vms.get(usize::from(*vm)).map_or(NOBODY, |vm| vm.to_u16());
            }
        }
    }

    /// The VM of a virtual radio that has a row.
    pub(super) fn vm_of(&self, vr: VrId) -> Option<VmId> {
        self.vms.get(vr.index()).copied()
    }

    /// The rows whose access point this is.
    pub fn members(&self, bssid: MacAddr) -> &[VrId] {
        self.bss.members(bssid)
    }

    /// The rows on a channel that have an access point to tell, by virtual radio.
    pub(crate) fn on_channel(&self, channel: Channel) -> impl ExactSizeIterator<Item = VrId> {
        self.channels.rows(channel)
    }

    /// The rows that ask for beacons and probe responses of every BSS.
    pub fn scanning(&self) -> &[VrId] {
        &self.scanning
    }

    /// The table taken apart, and its room for batches.
    pub(super) fn parts(&mut self) -> (Parts<'_>, &mut Scratch) {
        let Self { rows, addresses, bss, scanning, scratch, crew, .. } = self;
        (Parts { rows, addresses, groups: Groups { bss, scanning }, crew }, scratch)
    }

    /// Which rows have group frames.
    pub(super) fn groups(&self) -> Groups<'_> {
        Groups { bss: &self.bss, scanning: &self.scanning }
    }

    /// All rows, by virtual radio.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }

    /// All rows, to be changed.
    pub(crate) fn rows_mut(&mut self) -> impl Iterator<Item = &mut Row> {
        self.rows.iter_mut()
    }

    /// How many rows.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// True without rows.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many threads work on its batches, the calling one included.
    pub fn workers(&self) -> usize {
        self.crew.workers()
    }

    /// How many virtual radios there may be.
    pub const fn max_vms(&self) -> u32 {
        self.max_vms
    }
}

/// Keeps what is known of the keys of a row that goes.
fn remember(gone: &mut VecDeque<(MacAddr, KeyMemory)>, row: &Row) {
    gone.extend(row.keys.memories().map(|memory| (row.address, memory)));
    let excess = gone.len().saturating_sub(GONE_LENGTH);
    gone.drain(..excess);
}

/// Gives it back to a row that comes.
fn recall(gone: &mut VecDeque<(MacAddr, KeyMemory)>, row: &mut Row) {
    row.keys.recall(gone.iter().filter(|(address, _)| *address == row.address).map(|(_, memory)| memory.clone()));
    gone.retain(|(address, _)| *address != row.address);
}

impl Row {
    /// Where the line starts that received frames need.
    pub(super) const LINE: usize = offset_of!(Self, duplicates) + DuplicateFilter::DATA;
    /// Where the line starts that frames to be sent need besides.
    pub(super) const SENT: usize = offset_of!(Self, counters) + offset_of!(Counters, sent);

    /// Nobody's.
    pub(super) fn vacant() -> Self {
        Self { gate: Gate::VACANT, ..Self::new(VrId::new(0), VmId::new(0), MacAddr::ZERO) }
    }

    pub(super) fn new(vr: VrId, vm: VmId, address: MacAddr) -> Self {
        Self {
            address,
            connection: Connection::default(),
            parameters: Parameters::default(),
            vr,
            accepts_any_bss: false,
            _room: [0; ROOM],
            duplicates: DuplicateFilter::default(),
            vm,
            gate: Gate::of(Connection::default(), Parameters::default(), false),
            counters: Counters::default(),
            mac: VirtualMac::default(),
            keys: RowKeys::default(),
        }
    }

    /// Starts to load what a received frame needs of it.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch_at(self, Self::LINE);
        prefetch_at(self, offset_of!(Self, keys) + RowKeys::LINE);
    }

    /// As [`prefetch`](Self::prefetch), for a frame on its way down.
    #[inline]
    pub(super) fn prefetch_to_send(&self) {
        self.prefetch();
        prefetch_at(self, Self::SENT);
    }

    /// It is nobody's.
    #[inline]
    pub(super) const fn is_vacant(&self) -> bool {
        self.gate.is_vacant()
    }

    /// After what it comes from has changed.
    fn set_gate(&mut self) {
        self.gate = Gate::of(self.connection, self.parameters, self.accepts_any_bss);
    }

    /// What it lets pass.
    #[inline]
    pub(super) const fn gate(&self) -> Gate {
        self.gate
    }

    /// The VM whose row this is.
    pub const fn vm(&self) -> VmId {
        self.vm
    }

    /// The virtual radio whose row this is.
    pub const fn vr(&self) -> VrId {
        self.vr
    }

    /// The address that it owns.
    pub const fn address(&self) -> MacAddr {
        self.address
    }

    /// Configuration parameters.
    pub const fn parameters(&self) -> Parameters {
        self.parameters
    }

    /// Connection information.
    pub const fn connection(&self) -> Connection {
        self.connection
    }

    /// Which keys there are.
    pub const fn keys(&self) -> &RowKeys {
        &self.keys
    }

    /// Its counters.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Frames waiting to be sent.
    pub fn queued(&self) -> usize {
        self.mac.queue.len()
    }

    /// True where frames of every BSS are its own.
    pub const fn accepts_any_bss(&self) -> bool {
        self.accepts_any_bss
    }

    /// True where an access point must hear of its absence.
    pub(crate) fn has_access_point(&self) -> bool {
        self.connection.state >= ConnectionState::Associated && !self.accepts_any_bss
    }

    /// How far its connection has come.
    pub(crate) const fn state(&self) -> ConnectionState {
        self.connection.state
    }

    /// True where `transmitter` is its access point.
    pub(crate) fn is_in_bss(&self, transmitter: MacAddr) -> bool {
        self.accepts_any_bss || self.connection.bssid == transmitter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AP: MacAddr = MacAddr([2, 0, 0, 0, 1, 0]);

    fn address(last: u8) -> MacAddr {
        MacAddr([2, 0, 0, 0, 0, last])
    }

    fn add(table: &mut ConnectionTable, number: u16, address: MacAddr) -> Result<(), CallError> {
        table.add(VrId::new(number), VmId::new(number + 100), address).map(|_| ())
    }

    #[test]
    fn no_two_rows_own_one_address() {
        let mut table = ConnectionTable::new(4);
        assert_eq!(add(&mut table, 0, address(1)), Ok(()));
        assert_eq!(add(&mut table, 1, address(1)), Err(CallError::AddressTaken));
        assert_eq!(add(&mut table, 0, address(2)), Err(CallError::AlreadyInitialised));
        assert_eq!(add(&mut table, 4, address(2)), Err(CallError::TooManyVms));
        assert_eq!(table.row_of(address(2)), None);
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn a_group_or_zero_address_is_refused() {
        let mut table = ConnectionTable::new(4);
        for bad in [MacAddr::ZERO, MacAddr::BROADCAST, MacAddr([1, 0, 0x5e, 0, 0, 1])] {
            assert_eq!(add(&mut table, 0, bad), Err(CallError::InvalidAddress));
        }
        assert!(table.is_empty());
    }

    #[test]
    fn a_removed_row_leaves_nothing_behind() {
        let mut table = ConnectionTable::new(4);
        let vr = VrId::new(1);
        add(&mut table, 1, address(1)).expect("free");
        let connection = Connection { state: ConnectionState::Authorized, bssid: AP, ..Connection::default() };
        table.set_connection(vr, connection).expect("a row");
        table.set_parameters(vr, Parameters { scan_filter: true, ..Parameters::default() }).expect("a row");
        assert_eq!((table.members(AP), table.scanning()), (&[vr][..], &[vr][..]));
        assert_eq!(table.remove(vr).map(|row| row.vm()), Ok(VmId::new(101)));
        assert!(table.members(AP).is_empty() && table.scanning().is_empty() && table.is_empty());
        assert_eq!(table.row_of(address(1)), None);
        assert_eq!(add(&mut table, 2, address(1)), Ok(()));
    }

    #[test]
    fn addresses_are_answered_with_the_vms_of_today() {
        let mut table = ConnectionTable::new(4);
        add(&mut table, 3, address(3)).expect("free");
        add(&mut table, 1, address(1)).expect("free");
        let mut vms = [0; 4];
        let asked = [address(1).0, address(0).0, address(3).0, [0; 6]];
        table.vms_of(&asked, &mut vms);
        assert_eq!(vms, [101, 65535, 103, 65535]);
        table.remove(VrId::new(3)).expect("a row");
        table.add(VrId::new(3), VmId::new(7), address(0)).expect("free");
        table.vms_of(&asked, &mut vms);
        assert_eq!(vms, [101, 7, 65535, 65535]);
        table.clear();
        table.vms_of(&asked, &mut vms);
        assert_eq!(vms, [65535; 4]);
    }

    #[test]
    fn a_connection_needs_an_access_point() {
        let mut table = ConnectionTable::new(4);
        add(&mut table, 1, address(1)).expect("free");
        for bssid in [MacAddr::ZERO, MacAddr::BROADCAST] {
            let connection = Connection { state: ConnectionState::Associated, bssid, ..Connection::default() };
            assert_eq!(table.set_connection(VrId::new(1), connection), Err(CallError::BadPayload));
        }
    }
}
