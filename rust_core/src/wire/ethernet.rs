//! Ethernet II frames (IEEE 802.3-2018 3.1.1), without FCS.

use super::ParseError;
use crate::ids::MacAddr;

/// Octets before the payload.
pub const HEADER_LENGTH: usize = 14;
/// EAPOL (IEEE 802.1X-2010).
pub const ETHERTYPE_EAPOL: u16 = 0x888e;

/// A view of an Ethernet II frame whose length was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EthernetFrame<'a> {
    header: &'a [u8; HEADER_LENGTH],
    payload: &'a [u8],
}

impl<'a> EthernetFrame<'a> {
    /// Checks the length once.
    pub fn new(octets: &'a [u8]) -> Result<Self, ParseError> {
        let Some((header, payload)) = octets.split_first_chunk() else {
            return Err(ParseError::Truncated {
                what: "Ethernet header",
                needed: HEADER_LENGTH,
                had: octets.len(),
                at: 0,
            });
        };
        Ok(Self { header, payload })
    }

    /// Whom it is for.
    pub fn destination(&self) -> MacAddr {
        let [a, b, c, d, e, f, ..] = *self.header;
        MacAddr([a, b, c, d, e, f])
    }

    /// Whom it is from.
    pub fn source(&self) -> MacAddr {
        let [_, _, _, _, _, _, a, b, c, d, e, f, ..] = *self.header;
        MacAddr([a, b, c, d, e, f])
    }

    /// What the payload is.
    pub fn ethertype(&self) -> u16 {
        let [.., high, low] = *self.header;
        u16::from_be_bytes([high, low])
    }

    /// What follows the header.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// Appends an Ethernet II header.
pub fn emit_header(destination: MacAddr, source: MacAddr, ethertype: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(&destination.octets());
    out.extend_from_slice(&source.octets());
    out.extend_from_slice(&ethertype.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deconstruct_and_construct() {
        let mut octets = Vec::new();
        emit_header(MacAddr::BROADCAST, MacAddr([2, 0, 0, 0, 0, 1]), 0x0806, &mut octets);
        octets.push(7);
        let frame = EthernetFrame::new(&octets).expect("whole");
        assert_eq!((frame.destination(), frame.source()), (MacAddr::BROADCAST, MacAddr([2, 0, 0, 0, 0, 1])));
        assert_eq!((frame.ethertype(), frame.payload()), (0x0806, &[7][..]));
        assert!(EthernetFrame::new(&octets[..13]).is_err());
    }
}
