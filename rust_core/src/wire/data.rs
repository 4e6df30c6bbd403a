//! Data frames: LLC/SNAP bodies and A-MSDUs (IEEE 802.11-2020 9.3.2), to and from Ethernet.
//!
//! A body starts with `aa aa 03 00 00 00` and an Ethertype (RFC 1042), or with `aa aa 03 00 00 f8` for the two protocols
//! of the bridge-tunnel table (IEEE 802.1H). Any other LLC PDU has a length in the place of the Ethertype on the Ethernet
//! (IEEE 802.3-2018 3.2.6): spanning tree, for one.

use core::fmt;

use super::ParseError;
use super::ethernet::{self, EthernetFrame};
use super::frame_control::{FrameControl, FrameType, data_subtype};
use super::mac_header::{MacHeader, QosControl, SequenceControl};
use crate::ids::{MacAddr, Tid};

const RFC_1042: [u8; 6] = [0xaa, 0xaa, 0x03, 0, 0, 0];
const BRIDGE_TUNNEL: [u8; 6] = [0xaa, 0xaa, 0x03, 0, 0, 0xf8];
/// Octets of an LLC/SNAP header with its Ethertype.
pub const SNAP_LENGTH: usize = 8;
const SUBFRAME_HEADER_LENGTH: usize = 14;
/// Smaller numbers in the place of an Ethertype are lengths (IEEE 802.3-2018 3.2.6).
const FIRST_ETHERTYPE: u16 = 0x0600;
/// The largest length that stands in the place of an Ethertype.
const LONGEST_LLC_PDU: u16 = 1500;

/// Why the MSDUs of a data frame could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MsduError {
    /// Cut off, or not a data frame with a body.
    Unreadable(ParseError),
    /// An A-MSDU whose first subframe is an LLC header (CVE-2020-24588), or that is group addressed.
    BadAmsdu,
}

impl From<ParseError> for MsduError {
    fn from(error: ParseError) -> Self {
        Self::Unreadable(error)
    }
}

impl fmt::Display for MsduError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(out),
            Self::BadAmsdu => {
                out.write_str("A-MSDU that cannot be one: group addressed, or its first subframe is an LLC header")
            }
        }
    }
}

impl core::error::Error for MsduError {}

/// The Ethertype of a body in the clear; `None` where no LLC/SNAP header stands for one.
#[inline]
pub fn body_ethertype(body: &[u8]) -> Option<u16> {
    // As one word: every data frame is asked.
    let snap = u64::from_be_bytes(*body.first_chunk::<SNAP_LENGTH>()?);
    let [.., high, low] = snap.to_be_bytes();
    let (prefix, ethertype) = (snap & !0xffff, u16::from_be_bytes([high, low]));
    let stands_for_it =
        prefix == snap_word(BRIDGE_TUNNEL) || (prefix == snap_word(RFC_1042) && !is_tunnelled(ethertype));
    (stands_for_it && ethertype >= FIRST_ETHERTYPE).then_some(ethertype)
}

/// An LLC/SNAP header without its Ethertype, as a big-endian word.
const fn snap_word([a, b, c, d, e, f]: [u8; 6]) -> u64 {
    u64::from_be_bytes([a, b, c, d, e, f, 0, 0])
}

/// `AppleTalk` ARP and IPX, whose RFC 1042 form is another frame than their Ethernet II form (IEEE 802.1H).
const fn is_tunnelled(ethertype: u16) -> bool {
    matches!(ethertype, 0x80f3 | 0x8137)
}

/// Appends a plaintext data MPDU made from an Ethernet frame: QoS Data where `tid` is given, sequence number 0.
///
/// `to_ds`: from a station to its access point; otherwise from the access point to a station. Fails only where the
/// Ethernet header is cut off, and appends nothing then.
pub fn emit_data_frame(
    ethernet: &[u8],
    bssid: MacAddr,
    to_ds: bool,
    tid: Option<Tid>,
    out: &mut Vec<u8>,
) -> Result<(), ParseError> {
    let frame = EthernetFrame::new(ethernet)?;
    let subtype = if tid.is_some() { data_subtype::QOS_DATA } else { data_subtype::DATA };
    let control = FrameControl::data(subtype).with_to_ds(to_ds).with_from_ds(!to_ds);
    let mut header = if to_ds {
        MacHeader::three_address(control, bssid, frame.source(), frame.destination())
    } else {
        MacHeader::three_address(control, frame.destination(), bssid, frame.source())
    };
    header.qos = tid.map(QosControl::from_tid);
    header.emit(out);
    let ethertype = frame.ethertype();
    if ethertype < FIRST_ETHERTYPE {
        // A length: the payload is an LLC PDU, and what is longer is padding.
        out.extend_from_slice(frame.payload().get(..usize::from(ethertype)).unwrap_or(frame.payload()));
        return Ok(());
    }
    out.extend_from_slice(if is_tunnelled(ethertype) { &BRIDGE_TUNNEL } else { &RFC_1042 });
    out.extend_from_slice(&ethertype.to_be_bytes());
    out.extend_from_slice(frame.payload());
    Ok(())
}

/// Hands each MSDU of a plaintext data MPDU to `deliver` as an Ethernet frame; `scratch` is overwritten.
///
/// A body without LLC/SNAP header becomes an IEEE 802.3 frame with a length field. A fragment is no whole MSDU, and a
/// protected body cannot be read: both are refused.
pub fn ethernet_frames(mpdu: &[u8], scratch: &mut Vec<u8>, mut deliver: impl FnMut(&[u8])) -> Result<(), MsduError> {
    let header = MacHeader::parse(mpdu)?;
    let control = header.frame_control;
    let is_whole = !control.protected() && !control.more_fragments();
    let (Some(destination), Some(source), FrameType::Data, false, true) =
        (header.destination(), header.source(), control.frame_type(), control.is_null(), is_whole)
    else {
        let what = "Frame Control of a whole data frame in the clear";
        return Err(ParseError::Invalid { what, value: u64::from(control.0), at: 0 }.into());
    };
    if let Some(SequenceControl { fragment: fragment @ 1.., .. }) = header.sequence {
        let what = "Fragment Number of a whole MSDU";
        return Err(ParseError::Invalid { what, value: u64::from(fragment), at: 22 }.into());
    }
    let body = mpdu.get(header.length()..).unwrap_or_default();
    if header.qos.is_some_and(QosControl::amsdu_present) {
        if header.addr1.is_group() || body.first_chunk() == Some(&RFC_1042) {
            return Err(MsduError::BadAmsdu);
        }
        return amsdu_frames(body, scratch, deliver).map_err(|error| error.within(header.length()).into());
    }
    let (type_or_length, payload) = ethernet_parts(body).map_err(|error| error.within(header.length()))?;
    emit_ethernet(destination, source, type_or_length, payload, scratch);
    deliver(scratch);
    Ok(())
}

fn amsdu_frames(body: &[u8], scratch: &mut Vec<u8>, mut deliver: impl FnMut(&[u8])) -> Result<(), ParseError> {
    // All subframes are checked before the first is delivered: an A-MSDU passes whole or not at all.
    for delivers in [false, true] {
        let mut rest = body;
        while !rest.is_empty() {
            let at = body.len() - rest.len();
            let truncated = |needed| ParseError::Truncated { what: "A-MSDU subframe", needed, had: rest.len(), at };
            let Some((header, data)) = rest.split_first_chunk::<SUBFRAME_HEADER_LENGTH>() else {
                return Err(truncated(SUBFRAME_HEADER_LENGTH));
            };
            let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, high, low] = *header;
            let length = usize::from(u16::from_be_bytes([high, low]));
            let Some(msdu) = data.get(..length) else {
                return Err(truncated(SUBFRAME_HEADER_LENGTH + length));
            };
            let (type_or_length, payload) =
                ethernet_parts(msdu).map_err(|error| error.within(at + SUBFRAME_HEADER_LENGTH))?;
            if delivers {
                let (destination, source) = (MacAddr([d0, d1, d2, d3, d4, d5]), MacAddr([s0, s1, s2, s3, s4, s5]));
                emit_ethernet(destination, source, type_or_length, payload, scratch);
                deliver(scratch);
            }
            let padded = (SUBFRAME_HEADER_LENGTH + length).next_multiple_of(4);
            rest = rest.get(padded..).unwrap_or_default();
        }
    }
    Ok(())
}

/// What stands in the Ethernet frame of an MSDU: Ethertype and payload, or the length of an LLC PDU and the PDU itself.
fn ethernet_parts(msdu: &[u8]) -> Result<(u16, &[u8]), ParseError> {
    if let (Some(ethertype), Some(payload)) = (body_ethertype(msdu), msdu.get(SNAP_LENGTH..)) {
        return Ok((ethertype, payload));
    }
    match u16::try_from(msdu.len()) {
        Ok(length @ ..=LONGEST_LLC_PDU) => Ok((length, msdu)),
        // A larger length would be read as an Ethertype.
        _ => Err(ParseError::Invalid { what: "length of an LLC PDU", value: msdu.len() as u64, at: 0 }),
    }
}

fn emit_ethernet(destination: MacAddr, source: MacAddr, type_or_length: u16, payload: &[u8], out: &mut Vec<u8>) {
    out.clear();
    ethernet::emit_header(destination, source, type_or_length, out);
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    const BSSID: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

    fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
        let mut octets = Vec::new();
        ethernet::emit_header(MacAddr([2, 0, 0, 0, 0, 9]), MacAddr([2, 0, 0, 0, 0, 8]), ethertype, &mut octets);
        octets.extend_from_slice(payload);
        octets
    }

    fn delivered(mpdu: &[u8]) -> Result<Vec<Vec<u8>>, MsduError> {
        let mut frames = Vec::new();
        ethernet_frames(mpdu, &mut Vec::new(), |frame| frames.push(frame.to_vec()))?;
        Ok(frames)
    }

    #[test]
    fn an_ethernet_frame_survives_the_way_over_the_air() {
        for (to_ds, tid, ethertype) in [(true, None, 0x0800), (false, Some(Tid::from_low_bits(5)), 0x8137)] {
            let frame = ethernet(ethertype, b"payload");
            let mut mpdu = Vec::new();
            emit_data_frame(&frame, BSSID, to_ds, tid, &mut mpdu).expect("whole");
            assert_eq!(delivered(&mpdu), Ok(vec![frame]));
            let header = MacHeader::parse(&mpdu).expect("whole");
            assert_eq!(header.bssid(), Some(BSSID));
            assert_eq!(header.qos.map(QosControl::tid), tid);
        }
    }

    fn amsdu(first_destination: [u8; 6], receiver: MacAddr) -> Vec<u8> {
        let control = FrameControl::data(data_subtype::QOS_DATA).with_from_ds(true);
        let mut header = MacHeader::three_address(control, receiver, BSSID, BSSID);
        header.qos = Some(QosControl(0x80));
        let mut mpdu = Vec::new();
        header.emit(&mut mpdu);
        for destination in [first_destination, [2, 0, 0, 0, 0, 9]] {
            mpdu.extend_from_slice(&destination);
            mpdu.extend_from_slice(&[2, 0, 0, 0, 0, 8, 0, 9]);
            mpdu.extend_from_slice(&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0, 0x45, 0]);
        }
        mpdu
    }

    #[test]
    fn each_subframe_of_an_amsdu_is_a_frame() {
        let frames = delivered(&amsdu([2, 0, 0, 0, 0, 9], MacAddr([2, 0, 0, 0, 0, 9]))).expect("whole");
        assert_eq!(frames, vec![ethernet(0x0800, &[0x45]); 2]);
    }

    #[test]
    fn an_amsdu_made_of_an_msdu_is_refused() {
        let spoofed = amsdu([0xaa, 0xaa, 3, 0, 0, 0], MacAddr([2, 0, 0, 0, 0, 9]));
        assert_eq!(delivered(&spoofed), Err(MsduError::BadAmsdu));
        assert_eq!(delivered(&amsdu([2, 0, 0, 0, 0, 9], MacAddr::BROADCAST)), Err(MsduError::BadAmsdu));
    }

    #[test]
    fn an_amsdu_that_is_cut_off_delivers_nothing() {
        let whole = amsdu([2, 0, 0, 0, 0, 9], MacAddr([2, 0, 0, 0, 0, 9]));
        let mut count = 0;
        let result = ethernet_frames(&whole[..whole.len() - 3], &mut Vec::new(), |_| count += 1);
        assert!(matches!(result, Err(MsduError::Unreadable(ParseError::Truncated { .. }))) && count == 0);
    }

    #[test]
    fn a_spanning_tree_frame_keeps_its_llc_header_and_loses_its_padding() {
        let pdu = [0x42, 0x42, 0x03, 0, 0, 0, 0, 0];
        let mut padded = ethernet(8, &pdu);
        let frame = padded.clone();
        padded.resize(60, 0);
        let mut mpdu = Vec::new();
        emit_data_frame(&padded, BSSID, true, None, &mut mpdu).expect("whole");
        assert_eq!(mpdu[24..], pdu);
        assert_eq!(delivered(&mpdu), Ok(vec![frame]));
    }

    fn data_mpdu(body: &[u8]) -> Vec<u8> {
        let mut mpdu = Vec::new();
        emit_data_frame(&ethernet(0, &[]), BSSID, true, None, &mut mpdu).expect("whole");
        mpdu.extend_from_slice(body);
        mpdu
    }

    #[test]
    fn a_snap_header_that_stands_for_no_ethertype_stays() {
        for type_field in [[0x05, 0xff], [0x81, 0x37]] {
            let body = [&[0xaa, 0xaa, 3, 0, 0, 0][..], &type_field, &[1, 2, 3]].concat();
            assert_eq!(delivered(&data_mpdu(&body)), Ok(vec![ethernet(11, &body)]));
        }
    }

    #[test]
    fn the_length_of_an_llc_pdu_is_never_an_ethertype() {
        let error = ParseError::Invalid { what: "length of an LLC PDU", value: 0x0800, at: 24 };
        assert_eq!(delivered(&data_mpdu(&[0x42; 0x0800])), Err(error.into()));
        assert!(delivered(&data_mpdu(&[0x42; 1500])).is_ok());
    }

    #[test]
    fn a_protected_frame_and_a_fragment_hold_no_msdu() {
        let whole = data_mpdu(&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0, 0x45]);
        assert!(delivered(&whole).is_ok());
        for (octet, bit) in [(1, 0x40), (1, 0x04), (22, 0x01)] {
            let mut frame = whole.clone();
            frame[octet] |= bit;
            assert!(matches!(delivered(&frame), Err(MsduError::Unreadable(ParseError::Invalid { .. }))), "{octet}");
        }
    }
}
