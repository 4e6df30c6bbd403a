//! EAPOL-Key frames (IEEE 802.11-2020 12.7.2), from the EAPOL protocol version on.
//!
//! ```text
//! version 1 | type 1 | length 2 | descriptor 1 | information 2 | key length 2 | replay counter 8 | nonce 32 | IV 16 |
//! RSC 8 | reserved 8 | MIC 16 or 24 | data length 2 | data
//! ```

use super::ParseError;

/// EAPOL packet type of an EAPOL-Key frame (IEEE 802.1X-2010 11.3.2).
pub const PACKET_TYPE_KEY: u8 = 3;

/// Bits of Key Information (12.7.2).
#[expect(missing_docs, reason = "the names are the standard's")]
pub mod key_information {
    pub const DESCRIPTOR_VERSION: u16 = 0x0007;
    pub const PAIRWISE: u16 = 0x0008;
    pub const INSTALL: u16 = 0x0040;
    pub const ACK: u16 = 0x0080;
    pub const MIC: u16 = 0x0100;
    pub const SECURE: u16 = 0x0200;
    pub const ERROR: u16 = 0x0400;
    pub const REQUEST: u16 = 0x0800;
    pub const ENCRYPTED_KEY_DATA: u16 = 0x1000;
    pub const SMK_MESSAGE: u16 = 0x2000;
}

/// An EAPOL-Key frame.
#[derive(Clone, PartialEq, Eq)]
pub struct EapolKey {
    /// EAPOL protocol version.
    pub protocol_version: u8,
    /// 2 for RSN, 254 for WPA.
    pub descriptor_type: u8,
    /// Key Information.
    pub key_information: u16,
    /// Octets of the pairwise temporal key.
    pub key_length: u16,
    /// Key Replay Counter.
    pub replay_counter: u64,
    /// `ANonce`, `SNonce` or the authenticator's nonce.
    pub nonce: [u8; 32],
    /// EAPOL-Key IV.
    pub iv: [u8; 16],
    /// Key RSC: a little-endian packet number in the first six octets.
    pub rsc: [u8; 8],
    /// Key MIC.
    pub mic: Vec<u8>,
    /// Key Data, as sent.
    pub key_data: Vec<u8>,
}

impl core::fmt::Debug for EapolKey {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Key Data may hold keys in the clear.
        out.debug_struct("EapolKey")
            .field("key_information", &self.key_information)
            .field("replay_counter", &self.replay_counter)
            .field("key_data", &format_args!("{} octets", self.key_data.len()))
            .finish_non_exhaustive()
    }
}

struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], ParseError> {
        let mut taken = [0; N];
        taken.copy_from_slice(self.slice(N, what)?);
        Ok(taken)
    }

    fn slice(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], ParseError> {
        let rest = self.octets.get(self.at..).unwrap_or_default();
        let Some(taken) = rest.get(..length) else {
            return Err(ParseError::Truncated { what, needed: length, had: rest.len(), at: self.at });
        };
        self.at += length;
        Ok(taken)
    }
}

impl EapolKey {
    /// Reads an EAPOL PDU; `mic_length` is 16, or 24 for the AKMs with a longer one. Octets behind the PDU are padding.
    pub fn parse(pdu: &[u8], mic_length: usize) -> Result<Self, ParseError> {
        let mut reader = Reader { octets: pdu, at: 0 };
        let [protocol_version, packet_type] = reader.take("EAPOL header")?;
        if packet_type != PACKET_TYPE_KEY {
            return Err(ParseError::Invalid { what: "EAPOL packet type", value: u64::from(packet_type), at: 1 });
        }
        let body_length = usize::from(u16::from_be_bytes(reader.take("EAPOL body length")?));
        let Some(body) = pdu.get(..4 + body_length) else {
            return Err(ParseError::Truncated {
                what: "EAPOL body",
                needed: body_length,
                had: pdu.len().saturating_sub(4),
                at: 4,
            });
        };
        reader.octets = body;
        let [descriptor_type] = reader.take("descriptor type")?;
        let key_information = u16::from_be_bytes(reader.take("Key Information")?);
        let key_length = u16::from_be_bytes(reader.take("Key Length")?);
        let replay_counter = u64::from_be_bytes(reader.take("Key Replay Counter")?);
        let nonce = reader.take("Key Nonce")?;
        let iv = reader.take("EAPOL-Key IV")?;
        let rsc = reader.take("Key RSC")?;
        reader.slice(8, "reserved octets")?;
        let mic = reader.slice(mic_length, "Key MIC")?.to_vec();
        let data_length = usize::from(u16::from_be_bytes(reader.take("Key Data Length")?));
        let key_data = reader.slice(data_length, "Key Data")?.to_vec();
        Ok(Self {
            protocol_version,
            descriptor_type,
            key_information,
            key_length,
            replay_counter,
            nonce,
            iv,
            rsc,
            mic,
            key_data,
        })
    }

    /// Appends the EAPOL PDU; false, and nothing is done, where the key data is too long.
    pub fn emit(&self, out: &mut Vec<u8>) -> bool {
        let (Ok(data_length), Ok(body_length)) =
            (u16::try_from(self.key_data.len()), u16::try_from(79 + self.mic.len() + self.key_data.len()))
        else {
            return false;
        };
        out.extend_from_slice(&[self.protocol_version, PACKET_TYPE_KEY]);
        out.extend_from_slice(&body_length.to_be_bytes());
        out.push(self.descriptor_type);
        out.extend_from_slice(&self.key_information.to_be_bytes());
        out.extend_from_slice(&self.key_length.to_be_bytes());
        out.extend_from_slice(&self.replay_counter.to_be_bytes());
        out.extend_from_slice(&self.nonce);
        out.extend_from_slice(&self.iv);
        out.extend_from_slice(&self.rsc);
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&self.mic);
        out.extend_from_slice(&data_length.to_be_bytes());
        out.extend_from_slice(&self.key_data);
        true
    }

    /// True where Key Information has this bit.
    pub const fn has(&self, bit: u16) -> bool {
        self.key_information & bit != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message_1() -> EapolKey {
        EapolKey {
            protocol_version: 2,
            descriptor_type: 2,
            key_information: 0x008a,
            key_length: 16,
            replay_counter: 1,
            nonce: [5; 32],
            iv: [0; 16],
            rsc: [0; 8],
            mic: vec![0; 16],
            key_data: vec![0xdd, 0],
        }
    }

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let mut octets = Vec::new();
        assert!(message_1().emit(&mut octets));
        assert_eq!(octets.len(), 99 + 2);
        assert_eq!(EapolKey::parse(&octets, 16), Ok(message_1()));
        octets.extend([0, 0]); // padding of a short frame
        assert_eq!(EapolKey::parse(&octets, 16), Ok(message_1()));
        assert!(message_1().has(key_information::ACK) && !message_1().has(key_information::MIC));
    }

    #[test]
    fn every_prefix_is_truncated() {
        let mut octets = Vec::new();
        message_1().emit(&mut octets);
        for end in 0..octets.len() {
            assert!(matches!(EapolKey::parse(&octets[..end], 16), Err(ParseError::Truncated { .. })), "{end}");
        }
    }

    #[test]
    fn another_eapol_packet_is_none() {
        assert!(matches!(EapolKey::parse(&[1, 1, 0, 0], 16), Err(ParseError::Invalid { value: 1, .. })));
    }
}
