//! What comes up: completions and device-initiated calls (614). Every one names its virtual radio (VM ID insertion, 616, 628).

use super::call::CallError;
use crate::ids::{KeyId, Tid};
use crate::wire::ParseError;

/// Codes of device-initiated calls.
#[expect(missing_docs, reason = "one for each variant of DeviceCall, documented there")]
pub mod opcode {
    pub const RECEIVED_PACKET: u16 = 0x8001;
    pub const STATUS: u16 = 0x8002;
}

/// A completion's payload: u16 code (0: done), u8 detail, then the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion<'a> {
    /// Done, or why not.
    pub result: Result<(), CallError>,
    /// For a packet: the drop reason's number, or how often it was sent.
    pub detail: u8,
    /// The answer, whose form the call code says.
    pub answer: &'a [u8],
}

impl<'a> Completion<'a> {
    /// Appends the payload.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let code = self.result.map_or_else(CallError::code, |()| 0);
        out.extend_from_slice(&code.to_le_bytes());
        out.push(self.detail);
        out.extend_from_slice(self.answer);
    }

    /// Reads the payload.
    pub fn parse(payload: &'a [u8]) -> Result<Self, ParseError> {
        let Some(([low, high, detail], answer)) = payload.split_first_chunk::<3>() else {
            return Err(ParseError::Truncated { what: "completion", needed: 3, had: payload.len(), at: 0 });
        };
        let code = u16::from_le_bytes([*low, *high]);
        let result = match code {
            0 => Ok(()),
            _ => Err(CallError::from_code(code).ok_or(ParseError::Invalid {
                what: "completion code",
                value: u64::from(code),
                at: 0,
            })?),
        };
        Ok(Self { result, detail: *detail, answer })
    }
}

/// The answer to `DeviceInfo`: what the device can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// How many VMs; the identifier's width follows from it.
    pub max_vms: u32,
    /// How many channels at the same time.
    pub max_radios: u8,
    /// How many slots a schedule may have.
    pub max_slots: u8,
    /// Frames a VM may have under way in the device.
    pub queue_length: u16,
    /// Bit n set: cipher suite 00-0F-AC:n is done in the device.
    pub ciphers: u32,
}

impl DeviceInfo {
    /// Appends the answer.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.max_vms.to_le_bytes());
        out.extend_from_slice(&[self.max_radios, self.max_slots]);
        out.extend_from_slice(&self.queue_length.to_le_bytes());
        out.extend_from_slice(&self.ciphers.to_le_bytes());
    }

    /// Reads the answer.
    pub fn parse(answer: &[u8]) -> Result<Self, ParseError> {
        let Some(([a, b, c, d, max_radios, max_slots, e, f, g, h, i, j], _)) = answer.split_first_chunk::<12>() else {
            return Err(ParseError::Truncated { what: "device information", needed: 12, had: answer.len(), at: 0 });
        };
        Ok(Self {
            max_vms: u32::from_le_bytes([*a, *b, *c, *d]),
            max_radios: *max_radios,
            max_slots: *max_slots,
            queue_length: u16::from_le_bytes([*e, *f]),
            ciphers: u32::from_le_bytes([*g, *h, *i, *j]),
        })
    }
}

/// What a received packet is to the host: who has to have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketClass {
    /// Data: goes to the guest's port, unseen by the control plane.
    Data,
    /// Data with Ethertype 88-8E: goes to the guest's supplicant.
    Eapol,
    /// A management frame: goes to the guest's MLME.
    Management,
}

/// What goes with a received packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveDescriptor {
    /// Who has to have it.
    pub class: PacketClass,
    /// It arrived protected, and its integrity was checked: the body is in the clear now.
    pub decrypted: bool,
    /// It is handed up as it arrived, protected (`forward_protected`); `key_id` says by which key.
    pub still_protected: bool,
    /// The key that it was protected with.
    pub key_id: KeyId,
    /// Its priority.
    pub tid: Tid,
    /// Where it was heard.
    pub channel: u8,
    /// How strong, in dBm.
    pub signal_dbm: i8,
    /// How fast, in units of 100 kbit/s.
    pub rate: u16,
    /// When its last octet was there, in microseconds.
    pub timestamp_us: u64,
}

/// What a status feedback says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum StatusCode {
    /// No beacon of the VM's access point for `value` beacon intervals spent on its channel.
    BeaconLoss = 1,
    /// The VM's virtual radio has the antenna; `value` is the channel.
    RadioGranted = 2,
    /// Another virtual radio has the antenna; `value` is the channel it left.
    RadioWithdrawn = 3,
    /// A key has used up its packet numbers; `value` is its key id. It sends no more.
    KeyExhausted = 4,
}

impl StatusCode {
    /// From its number.
    pub const fn from_value(value: u8) -> Option<Self> {
        Some(match value {
            1 => Self::BeaconLoss,
            2 => Self::RadioGranted,
            3 => Self::RadioWithdrawn,
            4 => Self::KeyExhausted,
            _ => return None,
        })
    }
}

/// A device-initiated call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceCall<'a> {
    /// A frame for the VM: an MPDU without FCS; without CCMP header and MIC unless it is still protected.
    ReceivedPacket {
        /// What goes with it.
        descriptor: ReceiveDescriptor,
        /// MAC header and body.
        frame: &'a [u8],
    },
    /// Status feedback.
    Status {
        /// What happened.
        code: StatusCode,
        /// How much of it.
        value: u16,
    },
}

/// Octets of a [`ReceiveDescriptor`].
pub const RECEIVE_DESCRIPTOR_LENGTH: usize = 16;

impl<'a> DeviceCall<'a> {
    /// The call code.
    pub const fn opcode(&self) -> u16 {
        match self {
            Self::ReceivedPacket { .. } => opcode::RECEIVED_PACKET,
            Self::Status { .. } => opcode::STATUS,
        }
    }

    /// Appends the payload.
    pub fn emit(&self, out: &mut Vec<u8>) {
        match self {
            Self::ReceivedPacket { descriptor, frame } => {
                let class = match descriptor.class {
                    PacketClass::Data => 0,
                    PacketClass::Eapol => 1,
                    PacketClass::Management => 2,
                };
                let flags = u8::from(descriptor.decrypted) | u8::from(descriptor.still_protected) << 1;
                out.extend_from_slice(&[class, flags, descriptor.key_id.value(), descriptor.tid.value()]);
                out.push(descriptor.channel);
                out.extend_from_slice(&descriptor.signal_dbm.to_le_bytes());
                out.extend_from_slice(&descriptor.rate.to_le_bytes());
                out.extend_from_slice(&descriptor.timestamp_us.to_le_bytes());
                out.extend_from_slice(frame);
            }
            Self::Status { code, value } => {
                out.extend_from_slice(&[*code as u8, 0]);
                out.extend_from_slice(&value.to_le_bytes());
            }
        }
    }

    /// Reads the payload.
    pub fn parse(code: u16, payload: &'a [u8]) -> Result<Self, ParseError> {
        match code {
            opcode::RECEIVED_PACKET => {
                let Some((fixed, frame)) = payload.split_first_chunk::<RECEIVE_DESCRIPTOR_LENGTH>() else {
                    return Err(ParseError::Truncated {
                        what: "receive descriptor",
                        needed: RECEIVE_DESCRIPTOR_LENGTH,
                        had: payload.len(),
                        at: 0,
                    });
                };
                let [class, flags, key_id, tid, channel, signal, rate_low, rate_high, timestamp @ ..] = *fixed;
                let class = match class {
                    0 => PacketClass::Data,
                    1 => PacketClass::Eapol,
                    2 => PacketClass::Management,
                    _ => return Err(ParseError::Invalid { what: "packet class", value: u64::from(class), at: 0 }),
                };
                let descriptor = ReceiveDescriptor {
                    class,
                    decrypted: flags & 1 != 0,
                    still_protected: flags & 2 != 0,
                    key_id: KeyId::from_low_bits(key_id),
                    tid: Tid::from_low_bits(tid),
                    channel,
                    signal_dbm: i8::from_le_bytes([signal]),
                    rate: u16::from_le_bytes([rate_low, rate_high]),
                    timestamp_us: u64::from_le_bytes(timestamp),
                };
                Ok(Self::ReceivedPacket { descriptor, frame })
            }
            opcode::STATUS => {
                let Some(([status, _, low, high], _)) = payload.split_first_chunk::<4>() else {
                    return Err(ParseError::Truncated {
                        what: "status feedback",
                        needed: 4,
                        had: payload.len(),
                        at: 0,
                    });
                };
                let code = StatusCode::from_value(*status).ok_or(ParseError::Invalid {
                    what: "status code",
                    value: u64::from(*status),
                    at: 0,
                })?;
                Ok(Self::Status { code, value: u16::from_le_bytes([*low, *high]) })
            }
            _ => Err(ParseError::Invalid { what: "device-initiated call code", value: u64::from(code), at: 0 }),
        }
    }
}
