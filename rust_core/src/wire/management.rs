//! Management frames (IEEE 802.11-2020 9.3.3): the fixed fields of each subtype, then elements.

use super::ParseError;
use super::element::{Elements, emit_element};
use super::frame_control::{FrameControl, FrameType, management_subtype as subtype};
use super::mac_header::{MacHeader, SequenceControl};
use crate::ids::MacAddr;

/// A management frame in the clear. Fixed fields that its subtype does not have are 0.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Management {
    /// Subtype, 0 to 15; [`super::frame_control::management_subtype`] names them.
    pub subtype: u8,
    /// Receiver.
    pub destination: MacAddr,
    /// Transmitter.
    pub source: MacAddr,
    /// BSSID.
    pub bssid: MacAddr,
    /// Sequence number, 0 to 4095.
    pub sequence_number: u16,
    /// Timestamp of a beacon or probe response, in microseconds.
    pub timestamp: u64,
    /// Beacon interval, in time units.
    pub beacon_interval: u16,
    /// Capability Information.
    pub capability: u16,
    /// Listen interval, in beacon intervals.
    pub listen_interval: u16,
    /// Current AP address of a reassociation request.
    pub current_ap: MacAddr,
    /// Status code.
    pub status: u16,
    /// Association identifier, 1 to 2007, without the two high bits that it has on the air.
    pub association_id: u16,
    /// Authentication algorithm.
    pub algorithm: u16,
    /// Authentication transaction sequence number.
    pub transaction: u16,
    /// Reason code.
    pub reason: u16,
    /// Elements: identifier and data.
    pub elements: Vec<(u8, Vec<u8>)>,
    /// What follows the last whole element, or the whole body of a subtype without elements.
    pub rest: Vec<u8>,
}

struct Body<'a> {
    octets: &'a [u8],
    at: usize,
}

impl Body<'_> {
    fn take<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], ParseError> {
        let rest = self.octets.get(self.at..).unwrap_or_default();
        let Some(taken) = rest.first_chunk::<N>() else {
            return Err(ParseError::Truncated { what, needed: N, had: rest.len(), at: self.at });
        };
        self.at += N;
        Ok(*taken)
    }

    fn number(&mut self, what: &'static str) -> Result<u16, ParseError> {
        self.take(what).map(u16::from_le_bytes)
    }
}

impl Management {
    /// Reads a management MPDU. Trailing octets that are no whole element are kept in `rest`, and so is the whole body of a
    /// protected frame and of a fragment behind the first.
    pub fn parse(octets: &[u8]) -> Result<Self, ParseError> {
        let header = MacHeader::parse(octets)?;
        let control = header.frame_control;
        let (FrameType::Management, Some(source), Some(bssid), Some(sequence)) =
            (control.frame_type(), header.addr2, header.addr3, header.sequence)
        else {
            return Err(ParseError::Invalid { what: "management frame type", value: u64::from(control.0), at: 0 });
        };
        let mut frame = Self {
            subtype: control.subtype(),
            destination: header.addr1,
            source,
            bssid,
            sequence_number: sequence.number,
            ..Self::default()
        };
        let mut body = Body { octets, at: header.length() };
        if control.protected() || sequence.fragment != 0 || !frame.parse_fixed_fields(&mut body)? {
            frame.rest = octets.get(body.at..).unwrap_or_default().to_vec();
            return Ok(frame);
        }
        let mut rest = octets.get(body.at..).unwrap_or_default();
        let mut elements = Elements::new(rest);
        while let Some(Ok(element)) = elements.next() {
            frame.elements.push((element.id, element.data.to_vec()));
            rest = elements.rest();
        }
        frame.rest = rest.to_vec();
        Ok(frame)
    }

    /// True where elements follow.
    fn parse_fixed_fields(&mut self, body: &mut Body<'_>) -> Result<bool, ParseError> {
        match self.subtype {
            subtype::ASSOCIATION_REQUEST | subtype::REASSOCIATION_REQUEST => {
                self.capability = body.number("Capability Information")?;
                self.listen_interval = body.number("Listen Interval")?;
                if self.subtype == subtype::REASSOCIATION_REQUEST {
                    self.current_ap = MacAddr(body.take("Current AP Address")?);
                }
            }
            subtype::ASSOCIATION_RESPONSE | subtype::REASSOCIATION_RESPONSE => {
                self.capability = body.number("Capability Information")?;
                self.status = body.number("Status Code")?;
                self.association_id = body.number("AID")? & 0x3fff;
            }
            subtype::PROBE_REQUEST => {}
            subtype::PROBE_RESPONSE | subtype::BEACON => {
                self.timestamp = u64::from_le_bytes(body.take("Timestamp")?);
                self.beacon_interval = body.number("Beacon Interval")?;
                self.capability = body.number("Capability Information")?;
            }
            subtype::DISASSOCIATION | subtype::DEAUTHENTICATION => self.reason = body.number("Reason Code")?,
            subtype::AUTHENTICATION => {
                self.algorithm = body.number("Authentication Algorithm Number")?;
                self.transaction = body.number("Authentication Transaction Sequence Number")?;
                self.status = body.number("Status Code")?;
                // SAE and FILS put fields that are no elements here (Table 9-43).
                return Ok(matches!(self.algorithm, 0..=2));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Appends the MPDU, without FCS.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let control = FrameControl::management(self.subtype);
        let mut header = MacHeader::three_address(control, self.destination, self.source, self.bssid);
        header.sequence = Some(SequenceControl { number: self.sequence_number, fragment: 0 });
        header.emit(out);
        let mut numbers = |list: &[u16]| out.extend(list.iter().flat_map(|number| number.to_le_bytes()));
        match self.subtype {
            subtype::ASSOCIATION_REQUEST => numbers(&[self.capability, self.listen_interval]),
            subtype::REASSOCIATION_REQUEST => {
                numbers(&[self.capability, self.listen_interval]);
                out.extend_from_slice(&self.current_ap.octets());
            }
            subtype::ASSOCIATION_RESPONSE | subtype::REASSOCIATION_RESPONSE => {
                numbers(&[self.capability, self.status, self.association_id | 0xc000]);
            }
            subtype::PROBE_RESPONSE | subtype::BEACON => {
                out.extend_from_slice(&self.timestamp.to_le_bytes());
                out.extend_from_slice(&self.beacon_interval.to_le_bytes());
                out.extend_from_slice(&self.capability.to_le_bytes());
            }
            subtype::DISASSOCIATION | subtype::DEAUTHENTICATION => numbers(&[self.reason]),
            subtype::AUTHENTICATION => numbers(&[self.algorithm, self.transaction, self.status]),
            _ => {}
        }
        for (id, data) in &self.elements {
            emit_element(*id, data.get(..255).unwrap_or(data), out);
        }
        out.extend_from_slice(&self.rest);
    }

    /// The data of the first element with this identifier.
    pub fn element(&self, id: u8) -> Option<&[u8]> {
        self.elements.iter().find(|(each, _)| *each == id).map(|(_, data)| data.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::element::element_id;

    fn frame(subtype: u8) -> Management {
        Management {
            subtype,
            destination: MacAddr([2, 0, 0, 0, 0, 1]),
            source: MacAddr([2, 0, 0, 0, 0, 2]),
            bssid: MacAddr([2, 0, 0, 0, 0, 1]),
            sequence_number: 77,
            elements: vec![(element_id::SSID, b"polyradio".to_vec()), (element_id::SUPPORTED_RATES, vec![0x8c])],
            ..Management::default()
        }
    }

    fn round_trip(frame: &Management) -> Management {
        let mut octets = Vec::new();
        frame.emit(&mut octets);
        Management::parse(&octets).expect("whole")
    }

    #[test]
    fn every_subtype_is_read_as_it_was_written() {
        let frames = [
            Management { capability: 0x431, listen_interval: 10, ..frame(0) },
            Management { capability: 0x431, status: 17, association_id: 5, ..frame(1) },
            Management { capability: 1, listen_interval: 1, current_ap: MacAddr([9; 6]), ..frame(2) },
            frame(4),
            Management { timestamp: 1 << 40, beacon_interval: 100, capability: 0x11, ..frame(5) },
            Management { timestamp: 3, beacon_interval: 100, capability: 0x11, ..frame(8) },
            Management { reason: 7, ..frame(10) },
            Management { algorithm: 0, transaction: 2, status: 1, ..frame(11) },
            Management { reason: 15, ..frame(12) },
            Management { elements: Vec::new(), rest: vec![127, 1, 2], ..frame(13) },
        ];
        for frame in frames {
            assert_eq!(round_trip(&frame), frame);
        }
    }

    #[test]
    fn an_element_that_is_cut_off_is_kept_as_rest() {
        let cut = Management { rest: vec![48, 20, 1, 0], ..frame(4) };
        assert_eq!(round_trip(&cut), cut);
    }

    #[test]
    fn the_body_of_a_protected_frame_and_of_a_later_fragment_is_opaque() {
        let mut octets = Vec::new();
        Management { reason: 7, ..frame(12) }.emit(&mut octets);
        for (octet, bit) in [(1, 0x40), (22, 0x01)] {
            let mut opaque = octets.clone();
            opaque[octet] |= bit;
            let read = Management::parse(&opaque).expect("whole");
            assert_eq!((read.reason, read.elements.len(), &read.rest[..]), (0, 0, &octets[24..]));
        }
    }

    #[test]
    fn a_data_frame_is_none() {
        let mut octets = Vec::new();
        frame(4).emit(&mut octets);
        octets[0] = 0x08;
        assert!(matches!(Management::parse(&octets), Err(ParseError::Invalid { .. })));
    }
}
