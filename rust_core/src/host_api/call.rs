//! Calls: what a host asks of the device. Each is answered by exactly one completion.

use crate::ids::{KeyId, MacAddr, PacketNumber, Tid, VmId};
use crate::wire::ParseError;

/// Why a call was not done: the host's fault, said in its completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum CallError {
    /// The call code is not known.
    UnknownOpcode = 1,
    /// The payload is too short or holds a value that has no meaning.
    BadPayload = 2,
    /// The identifier names no virtual radio.
    UnknownVm = 3,
    /// The identifier is missing where the call needs one.
    NoIdentifier = 4,
    /// Another row owns that MAC address.
    AddressTaken = 5,
    /// A group or zero address cannot be owned.
    InvalidAddress = 6,
    /// The virtual radio has been initialised already.
    AlreadyInitialised = 7,
    /// The device supports no more VMs.
    TooManyVms = 8,
    /// The device does not do that cipher, or the key has a wrong length.
    UnsupportedCipher = 9,
    /// An all-zero key is refused.
    WeakKey = 10,
    /// The same key stands there already: its counters stay as they are, nothing was reinstalled.
    KeyInUse = 11,
    /// No such key.
    NoSuchKey = 12,
    /// The schedule is empty, too long, or has an empty slot.
    BadSchedule = 13,
    /// The VM's queue is full.
    QueueFull = 14,
    /// The frame was dropped; the completion's detail is the drop reason.
    Dropped = 15,
    /// The frame was sent and nobody acknowledged it.
    NotAcknowledged = 16,
    /// The saved row does not fit this device.
    BadRow = 17,
}

impl CallError {
    /// All errors, in the order of their codes.
    pub const ALL: [Self; 17] = [
        Self::UnknownOpcode,
        Self::BadPayload,
        Self::UnknownVm,
        Self::NoIdentifier,
        Self::AddressTaken,
        Self::InvalidAddress,
        Self::AlreadyInitialised,
        Self::TooManyVms,
        Self::UnsupportedCipher,
        Self::WeakKey,
        Self::KeyInUse,
        Self::NoSuchKey,
        Self::BadSchedule,
        Self::QueueFull,
        Self::Dropped,
        Self::NotAcknowledged,
        Self::BadRow,
    ];

    /// The code in a completion.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The error of a code.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.get(usize::from(code).checked_sub(1)?).copied()
    }
}

/// A cipher, by its suite selector 00-0F-AC:n (IEEE 802.11-2020 Table 9-149).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CipherSuite(pub u8);

impl CipherSuite {
    /// CCMP-128.
    pub const CCMP_128: Self = Self(4);
    /// CCMP-256.
    pub const CCMP_256: Self = Self(10);
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyScope {
    /// The pairwise key between a VM and its access point.
    Pairwise,
    /// The access point's group key.
    Group,
}

/// How far a VM's connection has come; the device lets pass what each state allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum ConnectionState {
    /// Management frames only.
    #[default]
    Disconnected = 0,
    /// Management frames only; authenticated with the BSSID.
    Authenticated = 1,
    /// EAPOL may pass.
    Associated = 2,
    /// Data may pass.
    Authorized = 3,
}

impl ConnectionState {
    /// From its number.
    pub const fn from_value(value: u8) -> Option<Self> {
        Some(match value {
            0 => Self::Disconnected,
            1 => Self::Authenticated,
            2 => Self::Associated,
            3 => Self::Authorized,
            _ => return None,
        })
    }
}

/// Connection information of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Connection {
    /// How far the connection has come.
    pub state: ConnectionState,
    /// The access point.
    pub bssid: MacAddr,
    /// Association identifier, 1 to 2007; 0 without association.
    pub association_id: u16,
    /// The peer does QoS.
    pub qos: bool,
    /// Data must be protected by a key: no plaintext in either direction but EAPOL.
    pub privacy: bool,
    /// The access point's beacon interval in time units; 0: do not watch for its beacons.
    pub beacon_interval: u16,
}

/// Configuration parameters of a row (VM-specific parameters, US 8,392,625 FIG. 2, 204).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Parameters {
    /// Channel number of the 2.4 or 5 GHz band; 0: none.
    pub channel: u8,
    /// Transmit rate in units of 100 kbit/s; 0: the device chooses.
    pub rate: u16,
    /// Accept beacons and probe responses of every BSS (a scan is under way).
    pub scan_filter: bool,
    /// Do not decrypt: hand the frame up as it is, with the key's index (per-VM security configuration, 634).
    pub forward_protected: bool,
}

/// One slot of the radio schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The channel on which the one radio stands; the VMs configured for it share the slot.
    pub channel: u8,
    /// How long, in microseconds, the channel switch at its start included.
    pub length_us: u32,
}

/// What goes with a packet that is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TransmitDescriptor {
    /// Priority; the QoS Control field, where there is one, must say the same.
    pub tid: Tid,
    /// Send this EAPOL frame in the clear although a key is installed.
    pub unprotected: bool,
    /// Send on this channel even if it is not the row's (a probe request while scanning); 0: the row's.
    pub channel: u8,
}

impl TransmitDescriptor {
    /// Appends its four octets; the frame follows them.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.tid.value(), u8::from(self.unprotected), self.channel, 0]);
    }
}

/// A call, as its payload says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostCall<'a> {
    /// What are you? Answered with `DeviceInfo`. No identifier.
    DeviceInfo,
    /// Forget everything. No identifier.
    ResetDevice,
    /// Replace the radio schedule; no slots: the radio stands still where it is. No identifier.
    SetSchedule(SlotList<'a>),
    /// Per-VM device initialisation (620): create the row, its virtual MAC and its filter.
    InitVm {
        /// The VM that this virtual radio belongs to.
        vm: VmId,
        /// The address of its virtual MAC.
        address: MacAddr,
    },
    /// Remove the row; its keys are wiped, its queue is dropped.
    RemoveVm,
    /// Reset the virtual MAC: queue, sequence counters; its neighbours notice nothing.
    ResetVirtualMac,
    /// Set configuration parameters.
    SetParameters(Parameters),
    /// Set connection information.
    SetConnection(Connection),
    /// Install a key.
    InstallKey {
        /// Its identifier.
        key_id: KeyId,
        /// Pairwise or group.
        scope: KeyScope,
        /// Its cipher.
        cipher: CipherSuite,
        /// Received packet numbers must be larger (the Key RSC of a group key).
        receive_counter: PacketNumber,
        /// The temporal key.
        key: &'a [u8],
    },
    /// Remove a key.
    RemoveKey {
        /// Its identifier.
        key_id: KeyId,
        /// Pairwise or group.
        scope: KeyScope,
    },
    /// Hand out the row, without the keys' octets.
    ReadRow,
    /// The device's and the VM's counters.
    ReadCounters,
    /// Visit these channels and hand up the beacons and probe responses heard there; completed when all were visited.
    /// Done by the control engine: a device that carries none answers `UnknownOpcode`.
    Scan {
        /// Channel numbers, an octet each.
        channels: &'a [u8],
    },
    /// Send a frame: an MPDU without FCS, sequence number and protection.
    TransmitPacket {
        /// What goes with it.
        descriptor: TransmitDescriptor,
        /// MAC header and body, in the clear.
        frame: &'a [u8],
    },
}

/// The slots of a `SetSchedule` payload: u8 channel, u32 length each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotList<'a>(&'a [u8]);

const SLOT_LENGTH: usize = 5;

impl<'a> SlotList<'a> {
    /// From a payload; `None` where it is no whole number of slots.
    pub const fn new(octets: &'a [u8]) -> Option<Self> {
        if octets.len().is_multiple_of(SLOT_LENGTH) { Some(Self(octets)) } else { None }
    }

    /// The slots in order.
    pub fn iter(&self) -> impl Iterator<Item = Slot> {
        self.0
            .as_chunks::<SLOT_LENGTH>()
            .0
            .iter()
            .map(|[channel, length @ ..]| Slot { channel: *channel, length_us: u32::from_le_bytes(*length) })
    }

    /// The payload for these slots.
    pub fn octets(slots: &[Slot]) -> Vec<u8> {
        slots.iter().flat_map(|slot| core::iter::once(slot.channel).chain(slot.length_us.to_le_bytes())).collect()
    }
}

/// Call codes.
#[expect(missing_docs, reason = "one for each variant of HostCall, documented there")]
pub mod opcode {
    pub const DEVICE_INFO: u16 = 0x0001;
    pub const RESET_DEVICE: u16 = 0x0002;
    pub const SET_SCHEDULE: u16 = 0x0003;
    pub const INIT_VM: u16 = 0x0010;
    pub const REMOVE_VM: u16 = 0x0011;
    pub const RESET_VIRTUAL_MAC: u16 = 0x0012;
    pub const SET_PARAMETERS: u16 = 0x0013;
    pub const SET_CONNECTION: u16 = 0x0014;
    pub const INSTALL_KEY: u16 = 0x0015;
    pub const REMOVE_KEY: u16 = 0x0016;
    pub const READ_ROW: u16 = 0x0017;
    pub const READ_COUNTERS: u16 = 0x0018;
    pub const SCAN: u16 = 0x0020;
    pub const TRANSMIT_PACKET: u16 = 0x0030;
}

impl<'a> HostCall<'a> {
    /// The call code.
    pub const fn opcode(&self) -> u16 {
        match self {
            Self::DeviceInfo => opcode::DEVICE_INFO,
            Self::ResetDevice => opcode::RESET_DEVICE,
            Self::SetSchedule(_) => opcode::SET_SCHEDULE,
            Self::InitVm { .. } => opcode::INIT_VM,
            Self::RemoveVm => opcode::REMOVE_VM,
            Self::ResetVirtualMac => opcode::RESET_VIRTUAL_MAC,
            Self::SetParameters(_) => opcode::SET_PARAMETERS,
            Self::SetConnection(_) => opcode::SET_CONNECTION,
            Self::InstallKey { .. } => opcode::INSTALL_KEY,
            Self::RemoveKey { .. } => opcode::REMOVE_KEY,
            Self::ReadRow => opcode::READ_ROW,
            Self::ReadCounters => opcode::READ_COUNTERS,
            Self::Scan { .. } => opcode::SCAN,
            Self::TransmitPacket { .. } => opcode::TRANSMIT_PACKET,
        }
    }

    /// Appends the payload.
    pub fn emit(&self, out: &mut Vec<u8>) {
        match self {
            Self::DeviceInfo
            | Self::ResetDevice
            | Self::RemoveVm
            | Self::ResetVirtualMac
            | Self::ReadRow
            | Self::ReadCounters => {}
            Self::SetSchedule(slots) => out.extend_from_slice(slots.0),
            Self::InitVm { vm, address } => {
                out.extend_from_slice(&crate::ids::Identifier::to_u16(*vm).to_le_bytes());
                out.extend_from_slice(&address.octets());
            }
            Self::SetParameters(parameters) => {
                out.push(parameters.channel);
                out.extend_from_slice(&parameters.rate.to_le_bytes());
                out.push(u8::from(parameters.scan_filter) | u8::from(parameters.forward_protected) << 1);
            }
            Self::SetConnection(connection) => {
                out.push(connection.state as u8);
                out.extend_from_slice(&connection.bssid.octets());
                out.extend_from_slice(&connection.association_id.to_le_bytes());
                out.push(u8::from(connection.qos) | u8::from(connection.privacy) << 1);
                out.extend_from_slice(&connection.beacon_interval.to_le_bytes());
            }
            Self::InstallKey { key_id, scope, cipher, receive_counter, key } => {
                out.extend_from_slice(&[key_id.value(), u8::from(*scope == KeyScope::Group), cipher.0]);
                out.extend_from_slice(&receive_counter.to_be_octets());
                out.extend_from_slice(key);
            }
            Self::RemoveKey { key_id, scope } => {
                out.extend_from_slice(&[key_id.value(), u8::from(*scope == KeyScope::Group)]);
            }
            Self::Scan { channels } => out.extend_from_slice(channels),
            Self::TransmitPacket { descriptor, frame } => {
                descriptor.emit(out);
                out.extend_from_slice(frame);
            }
        }
    }

    /// Reads the payload of a call.
    ///
    /// # Errors
    /// `UnknownOpcode` or `BadPayload`: our own format may reject what it does not know.
    pub fn parse(code: u16, payload: &'a [u8]) -> Result<Self, CallError> {
        let call = match code {
            opcode::DEVICE_INFO => Self::DeviceInfo,
            opcode::RESET_DEVICE => Self::ResetDevice,
            opcode::SET_SCHEDULE => Self::SetSchedule(SlotList::new(payload).ok_or(CallError::BadPayload)?),
            opcode::INIT_VM => {
                let [low, high, address @ ..] = *whole::<8>(payload)?;
                Self::InitVm { vm: VmId::new(u16::from_le_bytes([low, high])), address: MacAddr(address) }
            }
            opcode::REMOVE_VM => Self::RemoveVm,
            opcode::RESET_VIRTUAL_MAC => Self::ResetVirtualMac,
            opcode::SET_PARAMETERS => {
                let [channel, rate_low, rate_high, flags] = *whole::<4>(payload)?;
                Self::SetParameters(Parameters {
                    channel,
                    rate: u16::from_le_bytes([rate_low, rate_high]),
                    scan_filter: flags & 1 != 0,
                    forward_protected: flags & 2 != 0,
                })
            }
            opcode::SET_CONNECTION => {
                let [state, a, b, c, d, e, f, aid_low, aid_high, flags, interval_low, interval_high] =
                    *whole::<12>(payload)?;
                Self::SetConnection(Connection {
                    state: ConnectionState::from_value(state).ok_or(CallError::BadPayload)?,
                    bssid: MacAddr([a, b, c, d, e, f]),
                    association_id: u16::from_le_bytes([aid_low, aid_high]),
                    qos: flags & 1 != 0,
                    privacy: flags & 2 != 0,
                    beacon_interval: u16::from_le_bytes([interval_low, interval_high]),
                })
            }
            opcode::INSTALL_KEY => {
                let (fixed, key) = payload.split_first_chunk::<9>().ok_or(CallError::BadPayload)?;
                let [key_id, scope, cipher, a, b, c, d, e, f] = *fixed;
                Self::InstallKey {
                    key_id: KeyId::new(key_id).ok_or(CallError::BadPayload)?,
                    scope: parse_scope(scope)?,
                    cipher: CipherSuite(cipher),
                    receive_counter: PacketNumber::from_low_bits(u64::from_be_bytes([0, 0, a, b, c, d, e, f])),
                    key,
                }
            }
            opcode::REMOVE_KEY => {
                let [key_id, scope] = *whole::<2>(payload)?;
                Self::RemoveKey { key_id: KeyId::new(key_id).ok_or(CallError::BadPayload)?, scope: parse_scope(scope)? }
            }
            opcode::READ_ROW => Self::ReadRow,
            opcode::READ_COUNTERS => Self::ReadCounters,
            opcode::SCAN => Self::Scan { channels: payload },
            opcode::TRANSMIT_PACKET => {
                let ([tid, flags, channel, _], frame) =
                    payload.split_first_chunk::<4>().ok_or(CallError::BadPayload)?;
                let descriptor = TransmitDescriptor {
                    tid: Tid::from_low_bits(*tid),
                    unprotected: flags & 1 != 0,
                    channel: *channel,
                };
                Self::TransmitPacket { descriptor, frame }
            }
            _ => return Err(CallError::UnknownOpcode),
        };
        Ok(call)
    }
}

fn whole<const N: usize>(payload: &[u8]) -> Result<&[u8; N], CallError> {
    payload.try_into().map_err(|_| CallError::BadPayload)
}

fn parse_scope(value: u8) -> Result<KeyScope, CallError> {
    match value {
        0 => Ok(KeyScope::Pairwise),
        1 => Ok(KeyScope::Group),
        _ => Err(CallError::BadPayload),
    }
}

impl From<ParseError> for CallError {
    fn from(_: ParseError) -> Self {
        Self::BadPayload
    }
}
