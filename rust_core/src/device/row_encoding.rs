//! Rows and counters as octets: the answers to `ReadRow` and `ReadCounters`, and what a saved table is made of.
//!
//! ```text
//! row       u8 version (1), u16 VM ID, u16 VR ID, 6 address, SetParameters payload (4), SetConnection payload (12),
//!           u8 flags (bit 0: frames of any BSS, bit 1: sleeping for its access point), u16 frames queued,
//!           17 x u16 next sequence numbers (without TID, then TID 0 to 15),
//!           u8 n, n x key:    u8 scope (0 pairwise, 1 group), u8 key id, u8 cipher, u8 flags (bit 0: sends with it),
//!                             u48 last packet number sent, 17 x u48 last ones received (TID 0 to 15, management)
//! counters  u8 n, n x u64 in the order of `Counters::NAMES`, u8 m, m x u64 in the order of `DropReason::ALL`
//! ```
//! All numbers little-endian. No key is in it.

use super::connection_table::Row;
use super::counters::Counters;
use super::drop_reason::{DropCounters, DropReason};
use super::virtual_mac::{PowerState, TIDS};
use crate::host_api::HostCall;
use crate::host_api::call::{CipherSuite, Connection, KeyScope, Parameters, opcode};
use crate::ids::{Identifier, KeyId, MacAddr, PacketNumber, VmId, VrId};
use crate::security::replay::ReplayCounters;
use crate::wire::ParseError;

const VERSION: u8 = 1;

/// A row as `ReadRow` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowSnapshot {
    /// The VM.
    pub vm: VmId,
    /// Its virtual radio.
    pub vr: VrId,
    /// The address that it owns.
    pub address: MacAddr,
    /// Configuration parameters.
    pub parameters: Parameters,
    /// Connection information.
    pub connection: Connection,
    /// Frames of every BSS are its own.
    pub accepts_any_bss: bool,
    /// Its access point was told that it sleeps.
    pub is_asleep: bool,
    /// Frames waiting to be sent.
    pub queued: u16,
    /// The next sequence numbers: without TID, then TID 0 to 15.
    pub sequence_numbers: [u16; TIDS + 1],
    /// Which keys there are.
    pub keys: Vec<KeySnapshot>,
}

/// A key as `ReadRow` shows it: everything but the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySnapshot {
    /// Pairwise or group.
    pub scope: KeyScope,
    /// Its identifier.
    pub key_id: KeyId,
    /// Its cipher.
    pub cipher: CipherSuite,
    /// Frames are sent with it.
    pub is_transmit: bool,
    /// The last packet number sent.
    pub transmitted: PacketNumber,
    /// The last packet numbers received.
    pub replay: ReplayCounters,
}

impl RowSnapshot {
    /// What a row is now.
    pub fn of(row: &Row) -> Self {
        let keys = row.keys().iter().map(|(scope, slot)| KeySnapshot {
            scope,
            key_id: slot.key_id(),
            cipher: slot.cipher(),
            is_transmit: scope == KeyScope::Pairwise && row.keys().transmit() == Some(slot.key_id()),
            transmitted: slot.transmitted(),
            replay: slot.replay().clone(),
        });
        let mut sequence_numbers = [0; TIDS + 1];
        sequence_numbers.iter_mut().zip(row.mac.sequence.numbers()).for_each(|(to, from)| *to = from);
        Self {
            vm: row.vm(),
            vr: row.vr(),
            address: row.address(),
            parameters: row.parameters(),
            connection: row.connection(),
            accepts_any_bss: row.accepts_any_bss(),
            is_asleep: row.mac.power == PowerState::Asleep,
            queued: u16::try_from(row.queued()).unwrap_or(u16::MAX),
            sequence_numbers,
            keys: keys.collect(),
        }
    }

    /// Appends the octets.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        out.extend_from_slice(&self.vm.to_u16().to_le_bytes());
        out.extend_from_slice(&self.vr.to_u16().to_le_bytes());
        out.extend_from_slice(&self.address.octets());
        HostCall::SetParameters(self.parameters).emit(out);
        HostCall::SetConnection(self.connection).emit(out);
        out.push(u8::from(self.accepts_any_bss) | u8::from(self.is_asleep) << 1);
        out.extend_from_slice(&self.queued.to_le_bytes());
        out.extend(self.sequence_numbers.iter().flat_map(|number| number.to_le_bytes()));
        out.push(u8::try_from(self.keys.len()).unwrap_or(u8::MAX));
        for key in self.keys.iter().take(usize::from(u8::MAX)) {
            let scope = u8::from(key.scope == KeyScope::Group);
            out.extend_from_slice(&[scope, key.key_id.value(), key.cipher.0, u8::from(key.is_transmit)]);
            emit_packet_numbers([key.transmitted].into_iter().chain(key.replay.values()), out);
        }
    }

    /// Reads the answer to `ReadRow`.
    pub fn parse(answer: &[u8]) -> Result<Self, ParseError> {
        Self::read(&mut Reader::new(answer))
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        let [version] = reader.take()?;
        if version != VERSION {
            return Err(ParseError::Invalid { what: "row version", value: u64::from(version), at: 0 });
        }
        let vm = VmId::new(reader.number()?);
        let vr = VrId::new(reader.number()?);
        let address = MacAddr(reader.take()?);
        let Ok(HostCall::SetParameters(parameters)) = HostCall::parse(opcode::SET_PARAMETERS, &reader.take::<4>()?)
        else {
            return Err(reader.invalid("row parameters"));
        };
        let Ok(HostCall::SetConnection(connection)) = HostCall::parse(opcode::SET_CONNECTION, &reader.take::<12>()?)
        else {
            return Err(reader.invalid("row connection"));
        };
        let [flags] = reader.take()?;
        let queued = reader.number()?;
        let mut sequence_numbers = [0; TIDS + 1];
        for number in &mut sequence_numbers {
            *number = reader.number()?;
        }
        let [count] = reader.take()?;
        let mut keys = Vec::new();
        for _ in 0..count {
            let [scope, key_id, cipher, key_flags] = reader.take()?;
            let scope = match scope {
                0 => KeyScope::Pairwise,
                1 => KeyScope::Group,
                _ => return Err(reader.invalid("key scope")),
            };
            let key_id = KeyId::new(key_id).ok_or_else(|| reader.invalid("key identifier"))?;
            let transmitted = reader.packet_number()?;
            let replay = reader.replay_counters()?;
            let (cipher, is_transmit) = (CipherSuite(cipher), key_flags & 1 != 0);
            keys.push(KeySnapshot { scope, key_id, cipher, is_transmit, transmitted, replay });
        }
        Ok(Self {
            vm,
            vr,
            address,
            parameters,
            connection,
            accepts_any_bss: flags & 1 != 0,
            is_asleep: flags & 2 != 0,
            queued,
            sequence_numbers,
            keys,
        })
    }
}

/// Appends a row as `ReadRow` answers.
pub(crate) fn emit_row(row: &Row, out: &mut Vec<u8>) {
    RowSnapshot::of(row).emit(out);
}

/// Appends counters as `ReadCounters` answers.
pub fn emit_counters(counters: &Counters, out: &mut Vec<u8>) {
    out.push(u8::try_from(Counters::NAMES.len()).unwrap_or(u8::MAX));
    out.extend(counters.values().flat_map(u64::to_le_bytes));
    out.push(u8::try_from(DropReason::ALL.len()).unwrap_or(u8::MAX));
    out.extend(DropReason::ALL.iter().flat_map(|reason| counters.drops.of(*reason).to_le_bytes()));
}

/// Reads the answer to `ReadCounters`; counters that this version does not know are skipped.
pub fn parse_counters(answer: &[u8]) -> Result<Counters, ParseError> {
    read_counters(&mut Reader::new(answer))
}

pub(super) fn read_counters(reader: &mut Reader<'_>) -> Result<Counters, ParseError> {
    let mut counters = Counters::default();
    let [count] = reader.take()?;
    let mut values = Vec::new();
    for _ in 0..count {
        values.push(u64::from_le_bytes(reader.take()?));
    }
    counters.values_mut().zip(values).for_each(|(counter, value)| *counter = value);
    let [count] = reader.take()?;
    let mut drops = [0; DropReason::ALL.len()];
    for index in 0..usize::from(count) {
        let value = u64::from_le_bytes(reader.take()?);
        if let Some(counter) = drops.get_mut(index) {
            *counter = value;
        }
    }
    counters.drops = DropCounters::from_values(drops);
    Ok(counters)
}

/// Appends packet numbers, six octets each.
pub(super) fn emit_packet_numbers(numbers: impl Iterator<Item = PacketNumber>, out: &mut Vec<u8>) {
    for number in numbers {
        let [octets @ .., _, _] = number.value().to_le_bytes();
        out.extend_from_slice(&octets);
    }
}

/// Takes fields off the front.
pub(super) struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(octets: &'a [u8]) -> Self {
        Self { octets, at: 0 }
    }

    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], ParseError> {
        let had = self.octets.len();
        let truncated = ParseError::Truncated { what: "saved row", needed: N, had, at: self.at };
        let (taken, rest) = self.octets.split_first_chunk::<N>().ok_or(truncated)?;
        self.octets = rest;
        self.at += N;
        Ok(*taken)
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.octets.is_empty()
    }

    pub(super) fn number(&mut self) -> Result<u16, ParseError> {
        self.take().map(u16::from_le_bytes)
    }

    pub(super) fn packet_number(&mut self) -> Result<PacketNumber, ParseError> {
        let [a, b, c, d, e, f] = self.take()?;
        Ok(PacketNumber::from_low_bits(u64::from_le_bytes([a, b, c, d, e, f, 0, 0])))
    }

    pub(super) fn replay_counters(&mut self) -> Result<ReplayCounters, ParseError> {
        let mut values = [PacketNumber::default(); ReplayCounters::COUNT];
        for value in &mut values {
            *value = self.packet_number()?;
        }
        Ok(ReplayCounters::from_values(values))
    }

    fn invalid(&self, what: &'static str) -> ParseError {
        ParseError::Invalid { what, value: 0, at: self.at }
    }
}
