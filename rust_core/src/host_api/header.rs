//! The message header.
//!
//! ```text
//! octet  0        1      2 3     4 5       6 7            8 ..
//!        version  kind   opcode  sequence  payload length identifier (0, 1 or 2 octets), payload
//! ```
//! All numbers little-endian. Bit 7 of `kind` set: no identifier field (calls to the device as a whole, and packets of a
//! legacy host, which the device attributes by source MAC address). The width of the identifier follows from the number
//! of VMs that the device says it supports ([`IdentifierWidth::for_vms`]).

use core::marker::PhantomData;

use crate::ids::Identifier;
use crate::wire::ParseError;

/// Version of the format; another one is refused.
pub const VERSION: u8 = 1;
/// Octets before the identifier field.
pub const FIXED_LENGTH: usize = 8;

const NO_IDENTIFIER: u8 = 0x80;

/// How many octets the identifier field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentifierWidth {
    /// Up to 256 VMs.
    One,
    /// Up to 65,536 VMs.
    Two,
}

impl IdentifierWidth {
    /// The narrowest field that tells `vms` VMs apart.
    pub const fn for_vms(vms: u32) -> Self {
        if vms <= 256 { Self::One } else { Self::Two }
    }

    /// 1 or 2.
    pub const fn octets(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Host to device.
    Call,
    /// Device to host, once for every call, with its sequence number.
    Completion,
    /// Device to host, by itself.
    DeviceCall,
}

impl Kind {
    const fn value(self) -> u8 {
        match self {
            Self::Call => 0,
            Self::Completion => 1,
            Self::DeviceCall => 2,
        }
    }
}

/// The header of one message; `I` says whose identifier it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<I> {
    /// Call, completion or device-initiated call.
    pub kind: Kind,
    /// The call code.
    pub opcode: u16,
    /// Chosen by the caller, repeated in the completion.
    pub sequence: u16,
    /// Whom the message concerns; `None` for the device as a whole or a legacy host's packet.
    pub identifier: Option<I>,
}

impl<I: Identifier> Header<I> {
    /// Octets of a message with a payload of `payload_length`.
    pub const fn message_length(&self, width: IdentifierWidth, payload_length: usize) -> usize {
        FIXED_LENGTH + if self.identifier.is_some() { width.octets() } else { 0 } + payload_length
    }

    /// Appends the message to `out`. The payload is what `write_payload` appends.
    ///
    /// Returns false, and leaves `out` as it was, where the identifier or the payload does not fit its field.
    pub fn emit(&self, width: IdentifierWidth, out: &mut Vec<u8>, write_payload: impl FnOnce(&mut Vec<u8>)) -> bool {
        let start = out.len();
        let kind = self.kind.value() | if self.identifier.is_none() { NO_IDENTIFIER } else { 0 };
        out.extend_from_slice(&[VERSION, kind]);
        out.extend_from_slice(&self.opcode.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&[0, 0]);
        if let Some(identifier) = self.identifier {
            let value = identifier.to_u16();
            match (width, u8::try_from(value)) {
                (IdentifierWidth::One, Ok(narrow)) => out.push(narrow),
                (IdentifierWidth::One, Err(_)) => {
                    out.truncate(start);
                    return false;
                }
                (IdentifierWidth::Two, _) => out.extend_from_slice(&value.to_le_bytes()),
            }
        }
        let payload_start = out.len();
        write_payload(out);
        let Ok(length) = u16::try_from(out.len() - payload_start) else {
            out.truncate(start);
            return false;
        };
        if let Some(field) = out.get_mut(start + 6..start + 8) {
            field.copy_from_slice(&length.to_le_bytes());
        }
        true
    }

    /// Reads one message: its header, its payload and what follows it.
    pub fn parse(octets: &[u8], width: IdentifierWidth) -> Result<(Self, &[u8], &[u8]), ParseError> {
        let truncated = |what, needed| ParseError::Truncated { what, needed, had: octets.len(), at: 0 };
        let Some((fixed, rest)) = octets.split_first_chunk::<FIXED_LENGTH>() else {
            return Err(truncated("message header", FIXED_LENGTH));
        };
        let [version, kind_octet, opcode_low, opcode_high, sequence_low, sequence_high, length_low, length_high] =
            *fixed;
        if version != VERSION {
            return Err(ParseError::Invalid { what: "message version", value: u64::from(version), at: 0 });
        }
        let kind = match kind_octet & !NO_IDENTIFIER {
            0 => Kind::Call,
            1 => Kind::Completion,
            2 => Kind::DeviceCall,
            _ => return Err(ParseError::Invalid { what: "message kind", value: u64::from(kind_octet), at: 1 }),
        };
        let length = usize::from(u16::from_le_bytes([length_low, length_high]));
        let (identifier, rest) = if kind_octet & NO_IDENTIFIER != 0 {
            (None, rest)
        } else {
            match (width, rest) {
                (IdentifierWidth::One, [value, rest @ ..]) => (Some(I::from_u16(u16::from(*value))), rest),
                (IdentifierWidth::Two, [low, high, rest @ ..]) => {
                    (Some(I::from_u16(u16::from_le_bytes([*low, *high]))), rest)
                }
                _ => return Err(truncated("message identifier", FIXED_LENGTH + width.octets())),
            }
        };
        let Some((payload, rest)) = rest.split_at_checked(length) else {
            return Err(truncated("message payload", octets.len() - rest.len() + length));
        };
        let opcode = u16::from_le_bytes([opcode_low, opcode_high]);
        let sequence = u16::from_le_bytes([sequence_low, sequence_high]);
        Ok((Self { kind, opcode, sequence, identifier }, payload, rest))
    }
}

/// The messages of a batch, one after the other. Ends after the first one that cannot be read.
#[derive(Clone, Debug)]
pub struct Messages<'a, I> {
    rest: &'a [u8],
    width: IdentifierWidth,
    identifier: PhantomData<I>,
}

impl<'a, I: Identifier> Messages<'a, I> {
    /// The messages in `octets`.
    pub const fn new(octets: &'a [u8], width: IdentifierWidth) -> Self {
        Self { rest: octets, width, identifier: PhantomData }
    }
}

impl<'a, I: Identifier> Iterator for Messages<'a, I> {
    type Item = Result<(Header<I>, &'a [u8]), ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match Header::parse(self.rest, self.width) {
            Ok((header, payload, rest)) => {
                self.rest = rest;
                Some(Ok((header, payload)))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{VmId, VrId};

    fn header(identifier: Option<VrId>) -> Header<VrId> {
        Header { kind: Kind::Call, opcode: 0x0030, sequence: 0x1234, identifier }
    }

    #[test]
    fn deconstruct() {
        let octets = [1, 0, 0x30, 0, 0x34, 0x12, 2, 0, 7, 0xaa, 0xbb, 0xcc];
        let (parsed, payload, rest) = Header::<VrId>::parse(&octets, IdentifierWidth::One).expect("whole");
        assert_eq!(parsed, header(Some(VrId::new(7))));
        assert_eq!((payload, rest), (&[0xaa, 0xbb][..], &[0xcc][..]));
    }

    #[test]
    fn construct() {
        let mut octets = Vec::new();
        assert!(header(Some(VrId::new(0x0201))).emit(IdentifierWidth::Two, &mut octets, |out| out.push(9)));
        assert_eq!(octets, [1, 0, 0x30, 0, 0x34, 0x12, 1, 0, 1, 2, 9]);
    }

    #[test]
    fn an_identifier_too_wide_for_the_field_is_not_sent() {
        let mut octets = vec![5];
        assert!(!header(Some(VrId::new(256))).emit(IdentifierWidth::One, &mut octets, |_| {}));
        assert_eq!(octets, [5]);
    }

    #[test]
    fn every_prefix_is_truncated() {
        let mut octets = Vec::new();
        header(Some(VrId::new(1))).emit(IdentifierWidth::Two, &mut octets, |out| out.extend([1, 2, 3]));
        for end in 0..octets.len() {
            let error = Header::<VmId>::parse(&octets[..end], IdentifierWidth::Two).expect_err("cut");
            assert!(matches!(error, ParseError::Truncated { had, .. } if had == end), "{error}");
        }
    }

    #[test]
    fn a_legacy_packet_has_no_identifier() {
        let mut octets = Vec::new();
        assert!(header(None).emit(IdentifierWidth::Two, &mut octets, |_| {}));
        assert_eq!(octets.len(), FIXED_LENGTH);
        assert_eq!(octets[1], 0x80);
    }
}
