//! Captures of any kind: finds the format, then the 802.11 frame in each record.
//!
//! [`CaptureReader`] goes over pcap and pcapng files; [`frame_of`] strips what stands before the frame (radiotap, Prism,
//! AVS, PPI) and the frame check sequence behind it. Not here: compression, and what the frames mean.
//! Promise: a file that is cut off gives every whole record and then one error that says where.

use core::fmt;
use core::ops::Range;
use std::borrow::Cow;

use super::ParseError;
use super::mac_header::MacHeader;
use super::pcap::PcapReader;
use super::pcapng::PcapngReader;
use super::radiotap::{Radiotap, flags};

/// Link types of 802.11 frames (<https://www.tcpdump.org/linktypes.html>).
#[expect(missing_docs, reason = "the names are the registry's")]
pub mod link_type {
    pub const IEEE802_11: u16 = 105;
    pub const IEEE802_11_PRISM: u16 = 119;
    pub const IEEE802_11_RADIOTAP: u16 = 127;
    pub const IEEE802_11_AVS: u16 = 163;
    pub const PPI: u16 = 192;
}

/// Octets of a frame check sequence (IEEE 802.11-2020 9.2.4.8).
pub const FCS_LENGTH: usize = 4;

/// A record of a capture file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Nanoseconds since 1970; 0 where the file has no time for it.
    pub timestamp_ns: u64,
    /// The interface, numbered through the whole file.
    pub interface: usize,
    /// What the packet begins with.
    pub link_type: u16,
    /// Octets of frame check sequence behind each packet; `None` where the file does not say.
    pub fcs_length: Option<usize>,
    /// Octets that there had been before the packet was cut to the snapshot length.
    pub original_length: u32,
    /// Where the packet stands in the file.
    pub packet: Range<usize>,
    /// Its comments, a line each.
    pub comment: Option<String>,
}

/// An 802.11 frame found in a record.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Frame<'a> {
    /// Octets of the record before the frame.
    pub header_length: usize,
    /// The MPDU without frame check sequence; empty where none was found.
    pub mpdu: Cow<'a, [u8]>,
    /// The frame check sequence is there and wrong, or the receiver said so.
    pub has_bad_fcs: bool,
    /// Why there is no MPDU, or why it is cut off.
    pub error: Option<FrameError>,
}

/// Why a record holds no whole 802.11 frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The link type is none of those in [`link_type`].
    NotWifi {
        /// Its number.
        link_type: u32,
    },
    /// The frame or what stands before it is cut off or has no meaning; places count from the record's start.
    Unreadable(ParseError),
}

impl From<ParseError> for FrameError {
    fn from(error: ParseError) -> Self {
        Self::Unreadable(error)
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWifi { link_type } => write!(out, "records of link type {link_type} hold no 802.11 frames"),
            Self::Unreadable(error) => error.fmt(out),
        }
    }
}

impl core::error::Error for FrameError {}

/// Goes over the records of a capture file.
#[derive(Clone, Debug)]
pub struct CaptureReader<D> {
    file: D,
    format: Format,
    error: Option<ParseError>,
}

#[derive(Clone, Debug)]
enum Format {
    Pcap(PcapReader),
    Pcapng(PcapngReader),
}

impl<D: AsRef<[u8]>> CaptureReader<D> {
    /// From the whole file.
    pub fn new(file: D) -> Result<Self, ParseError> {
        let octets = file.as_ref();
        let format = if PcapngReader::recognises(octets) {
            Format::Pcapng(PcapngReader::new(octets)?)
        } else {
            Format::Pcap(PcapReader::new(octets)?)
        };
        Ok(Self { file, format, error: None })
    }

    /// `pcap` or `pcapng`.
    pub fn format(&self) -> &'static str {
        match self.format {
            Format::Pcap(_) => "pcap",
            Format::Pcapng(_) => "pcapng",
        }
    }

    /// Names of the interfaces met so far.
    pub fn interfaces(&self) -> Vec<Option<&str>> {
        match &self.format {
            Format::Pcap(_) => vec![None],
            Format::Pcapng(reader) => reader.interfaces().iter().map(|interface| interface.name.as_deref()).collect(),
        }
    }

    /// Why the records end before the file does.
    pub fn error(&self) -> Option<ParseError> {
        self.error
    }

    /// The octets of a record.
    pub fn packet(&self, record: &Record) -> &[u8] {
        self.file.as_ref().get(record.packet.clone()).unwrap_or_default()
    }
}

impl<D: AsRef<[u8]>> Iterator for CaptureReader<D> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        if self.error.is_some() {
            return None;
        }
        let file = self.file.as_ref();
        let record = match &mut self.format {
            Format::Pcap(reader) => reader.next_record(file),
            Format::Pcapng(reader) => reader.next_record(file),
        };
        record?.map_err(|error| self.error = Some(error)).ok()
    }
}

/// Finds the 802.11 frame in a record's octets.
pub fn frame_of<'a>(record: &Record, packet: &'a [u8]) -> Frame<'a> {
    find_frame(record, packet).unwrap_or_else(|error| Frame { error: Some(error), ..Frame::default() })
}

fn find_frame<'a>(record: &Record, packet: &'a [u8]) -> Result<Frame<'a>, FrameError> {
    let envelope = envelope(record, packet)?;
    let body = packet.get(envelope.length..).unwrap_or_default();
    let missing = (record.original_length as usize).saturating_sub(packet.len());
    let fcs_length = envelope.fcs_length.or(record.fcs_length);
    // Where nothing says whether there is a frame check sequence, a right one is one: chance makes one in 2^32.
    let claimed = fcs_length.unwrap_or(if missing == 0 && has_right_fcs(body) { FCS_LENGTH } else { 0 });
    let at = envelope.length;
    let Some(needed) = (body.len() + missing).checked_sub(claimed) else {
        return Err(ParseError::Truncated { what: "frame check sequence", needed: claimed, had: body.len(), at }.into());
    };
    let (mpdu, fcs) = body.split_at_checked(needed).unwrap_or((body, &[]));
    let error = ParseError::Truncated { what: "frame", needed, had: mpdu.len(), at };
    let error = (mpdu.len() < needed).then_some(error.into());
    // Where it is padded, the padding was not on the air.
    let mpdu = if envelope.has_padding { without_padding(mpdu) } else { Cow::Borrowed(mpdu) };
    let is_wrong = fcs.first_chunk().is_some_and(|fcs| crc32(&mpdu) != u32::from_le_bytes(*fcs));
    Ok(Frame { header_length: at, has_bad_fcs: envelope.has_bad_fcs || is_wrong, error, mpdu })
}

/// What stands before a frame.
#[derive(Default)]
struct Envelope {
    length: usize,
    fcs_length: Option<usize>,
    has_bad_fcs: bool,
    has_padding: bool,
}

impl Envelope {
    fn with_fcs(length: usize, has_fcs: bool) -> Self {
        Self { length, fcs_length: Some(if has_fcs { FCS_LENGTH } else { 0 }), ..Self::default() }
    }
}

fn envelope(record: &Record, packet: &[u8]) -> Result<Envelope, FrameError> {
    let envelope = match record.link_type {
        link_type::IEEE802_11 => Envelope::default(),
        link_type::IEEE802_11_RADIOTAP => {
            let (radiotap, length) = Radiotap::parse(packet)?;
            // The flags of an injector's own copy say nothing of what it adds: absent flags mean no FCS.
            let flags = radiotap.flags.unwrap_or_default();
            Envelope {
                has_bad_fcs: flags & flags::BAD_FCS != 0,
                has_padding: flags & flags::DATA_PAD != 0,
                ..Envelope::with_fcs(length, flags & flags::FCS_AT_END != 0)
            }
        }
        link_type::IEEE802_11_PRISM | link_type::IEEE802_11_AVS => {
            Envelope { length: prism_length(packet)?, ..Envelope::default() }
        }
        link_type::PPI => ppi(packet)?,
        other => return Err(FrameError::NotWifi { link_type: other.into() }),
    };
    match packet.len().checked_sub(envelope.length) {
        Some(_) => Ok(envelope),
        None => Err(header_cut_off(envelope.length, packet.len()).into()),
    }
}

/// Prism headers say their length in the capturing host's byte order; an AVS header begins with a magic number.
fn prism_length(packet: &[u8]) -> Result<usize, ParseError> {
    let field = |order: ByteOrder, offset| order.u32_at(packet, offset).ok_or(header_cut_off(8, packet.len()));
    if field(ByteOrder::Big, 0)? & 0xffff_f000 == 0x8021_1000 {
        return field(ByteOrder::Big, 4).map(|length| length as usize);
    }
    let [little, big] = [field(ByteOrder::Little, 4)?, field(ByteOrder::Big, 4)?];
    let length = little.min(big);
    if length < 8 {
        return Err(ParseError::Invalid { what: "length of a Prism header", value: length.into(), at: 4 });
    }
    Ok(length as usize)
}

/// Per-Packet Information: a row of fields, of which 802.11-Common (2) tells of the frame check sequence.
fn ppi(packet: &[u8]) -> Result<Envelope, FrameError> {
    let little = ByteOrder::Little;
    let truncated = header_cut_off(8, packet.len());
    let length = usize::from(little.u16_at(packet, 2).ok_or(truncated)?);
    let inner = little.u32_at(packet, 4).ok_or(truncated)?;
    if inner != u32::from(link_type::IEEE802_11) {
        return Err(FrameError::NotWifi { link_type: inner });
    }
    if length < 8 {
        return Err(ParseError::Invalid { what: "length of a PPI header", value: length as u64, at: 2 }.into());
    }
    let mut fields = packet.get(8..length).unwrap_or_default();
    while let (Some(kind), Some(size)) = (little.u16_at(fields, 0), little.u16_at(fields, 2)) {
        if let (2, Some(flags)) = (kind, little.u16_at(fields, 12)) {
            return Ok(Envelope { has_bad_fcs: flags & 4 != 0, ..Envelope::with_fcs(length, flags & 1 != 0) });
        }
        fields = fields.get(4 + usize::from(size)..).unwrap_or_default();
    }
    Ok(Envelope { length, ..Envelope::default() })
}

fn header_cut_off(needed: usize, had: usize) -> ParseError {
    ParseError::Truncated { what: "header before the frame", needed, had, at: 0 }
}

/// Some receivers pad the MAC header to a multiple of four octets.
fn without_padding(mpdu: &[u8]) -> Cow<'_, [u8]> {
    let header = MacHeader::parse(mpdu).map_or(0, |header| header.length());
    match (mpdu.get(..header), mpdu.get(header.next_multiple_of(4)..)) {
        (Some(header), Some(body)) if header.len() % 4 != 0 => Cow::Owned([header, body].concat()),
        _ => Cow::Borrowed(mpdu),
    }
}

fn has_right_fcs(octets: &[u8]) -> bool {
    octets.split_last_chunk().is_some_and(|(frame, fcs)| !frame.is_empty() && crc32(frame) == u32::from_le_bytes(*fcs))
}

/// The CRC-32 of IEEE 802.11-2020 9.2.4.8, least significant bit first.
fn crc32(octets: &[u8]) -> u32 {
    !octets.iter().fold(u32::MAX, |crc, octet| {
        let [low, ..] = crc.to_le_bytes();
        crc >> 8 ^ CRC_TABLE.get(usize::from(low ^ octet)).copied().unwrap_or_default()
    })
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0_u8;
    loop {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
            bit += 1;
        }
        table[index as usize] = crc;
        if index == u8::MAX {
            break table;
        }
        index += 1;
    }
};

/// The byte order of a file's or a header's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    pub(super) fn u16_at(self, octets: &[u8], offset: usize) -> Option<u16> {
        let octets = *octets.get(offset..)?.first_chunk()?;
        Some(match self {
            Self::Little => u16::from_le_bytes(octets),
            Self::Big => u16::from_be_bytes(octets),
        })
    }

    pub(super) fn u32_at(self, octets: &[u8], offset: usize) -> Option<u32> {
        let octets = *octets.get(offset..)?.first_chunk()?;
        Some(match self {
            Self::Little => u32::from_le_bytes(octets),
            Self::Big => u32::from_be_bytes(octets),
        })
    }

    #[cfg(test)]
    pub(super) fn octets(self, value: u32) -> [u8; 4] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: &[u8] = &[0xd4, 0, 0, 0, 2, 0, 0, 0, 0, 1];

    fn record(link_type: u16, packet: &[u8]) -> Record {
        Record {
            timestamp_ns: 0,
            interface: 0,
            link_type,
            fcs_length: None,
            original_length: u32::try_from(packet.len()).unwrap(),
            packet: 0..packet.len(),
            comment: None,
        }
    }

    fn with_fcs(frame: &[u8]) -> Vec<u8> {
        [frame, &crc32(frame).to_le_bytes()].concat()
    }

    #[test]
    fn the_crc_is_that_of_ieee_802() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_right_fcs_is_stripped_even_where_nothing_announces_it() {
        for packet in [FRAME.to_vec(), with_fcs(FRAME)] {
            let frame = frame_of(&record(link_type::IEEE802_11, &packet), &packet);
            assert_eq!(frame, Frame { mpdu: FRAME.into(), ..Frame::default() });
        }
    }

    #[test]
    fn radiotap_announces_the_fcs_and_a_wrong_one_is_noticed() {
        let radiotap = |flags: u8| [&[0, 0, 9, 0, 2, 0, 0, 0, flags][..], FRAME, &[1, 2, 3, 4]].concat();
        let packet = radiotap(flags::FCS_AT_END);
        let frame = frame_of(&record(link_type::IEEE802_11_RADIOTAP, &packet), &packet);
        assert_eq!(frame, Frame { header_length: 9, mpdu: FRAME.into(), has_bad_fcs: true, error: None });
        let packet = radiotap(0);
        let frame = frame_of(&record(link_type::IEEE802_11_RADIOTAP, &packet), &packet);
        assert_eq!((frame.mpdu.len(), frame.has_bad_fcs), (FRAME.len() + 4, false));
    }

    #[test]
    fn a_frame_cut_by_the_snapshot_length_says_what_is_missing() {
        let mut packet = [&[0, 0, 9, 0, 2, 0, 0, 0, flags::FCS_AT_END][..], FRAME].concat();
        let whole = Record { original_length: 23, ..record(link_type::IEEE802_11_RADIOTAP, &packet) };
        assert_eq!(frame_of(&whole, &packet), Frame { header_length: 9, mpdu: FRAME.into(), ..Frame::default() });
        packet.pop();
        let error = ParseError::Truncated { what: "frame", needed: 10, had: 9, at: 9 };
        assert_eq!(frame_of(&whole, &packet).error, Some(error.into()));
    }

    #[test]
    fn prism_avs_and_ppi_headers_are_stripped() {
        let mut prism = vec![0; 144];
        prism[..8].copy_from_slice(&[0x44, 0, 0, 0, 144, 0, 0, 0]);
        let mut big_endian_prism = vec![0; 64];
        big_endian_prism[..8].copy_from_slice(&[0, 0, 0, 0x44, 0, 0, 0, 64]);
        let mut avs = vec![0; 64];
        avs[..8].copy_from_slice(&[0x80, 0x21, 0x10, 1, 0, 0, 0, 64]);
        let mut ppi = vec![0; 32];
        ppi[..12].copy_from_slice(&[0, 0, 32, 0, 105, 0, 0, 0, 2, 0, 20, 0]);
        for (link_type, header) in [(119, prism), (119, big_endian_prism), (119, avs.clone()), (163, avs), (192, ppi)] {
            let packet = [&header[..], FRAME].concat();
            let frame = frame_of(&record(link_type, &packet), &packet);
            assert_eq!(
                frame,
                Frame { header_length: header.len(), mpdu: FRAME.into(), ..Frame::default() },
                "{link_type}"
            );
            for end in 0..header.len() {
                let frame = frame_of(&record(link_type, &packet[..end]), &packet[..end]);
                assert!(
                    matches!(frame.error, Some(FrameError::Unreadable(ParseError::Truncated { .. }))),
                    "{link_type} {end}"
                );
            }
        }
    }

    #[test]
    fn ppi_tells_of_the_fcs() {
        let mut packet = vec![0; 32];
        packet[..12].copy_from_slice(&[0, 0, 32, 0, 105, 0, 0, 0, 2, 0, 20, 0]);
        packet[20] = 1;
        packet.extend(with_fcs(FRAME));
        let frame = frame_of(&record(link_type::PPI, &packet), &packet);
        assert_eq!(frame, Frame { header_length: 32, mpdu: FRAME.into(), ..Frame::default() });
    }

    #[test]
    fn padding_behind_the_mac_header_is_taken_out() {
        let header = [&[0x88, 0x01][..], &[0; 24]].concat();
        let radiotap = [0, 0, 9, 0, 2, 0, 0, 0, flags::DATA_PAD | flags::FCS_AT_END];
        let fcs = crc32(&[&header[..], b"body"].concat()).to_le_bytes();
        let packet = [&radiotap[..], &header, &[0, 0], b"body", &fcs].concat();
        let frame = frame_of(&record(link_type::IEEE802_11_RADIOTAP, &packet), &packet);
        assert_eq!(frame.mpdu.as_ref(), [&header[..], b"body"].concat());
        assert_eq!((frame.header_length, frame.has_bad_fcs, frame.error), (9, false, None));
    }

    #[test]
    fn a_record_shorter_than_its_fcs_holds_no_frame() {
        let packet = [0, 0, 9, 0, 2, 0, 0, 0, flags::FCS_AT_END, 1, 2];
        let frame = frame_of(&record(link_type::IEEE802_11_RADIOTAP, &packet), &packet);
        let error = ParseError::Truncated { what: "frame check sequence", needed: 4, had: 2, at: 9 };
        assert_eq!((frame.mpdu.len(), frame.error), (0, Some(error.into())));
    }

    #[test]
    fn another_link_type_has_no_frame() {
        let frame = frame_of(&record(1, FRAME), FRAME);
        assert!(frame.mpdu.is_empty());
        assert_eq!(frame.error.unwrap().to_string(), "records of link type 1 hold no 802.11 frames");
    }
}
