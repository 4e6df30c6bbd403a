//! pcap files (draft-ietf-opsawg-pcap): a file header, then records, in either byte order, micro- or nanoseconds.
//!
//! Reading works on the whole file's octets; [`PcapReader`] holds only the place reached, so that its owner may hold both.

use super::ParseError;
use super::capture::{ByteOrder, Record};

const FILE_HEADER_LENGTH: usize = 24;
const RECORD_HEADER_LENGTH: usize = 16;

/// The place reached in a pcap file.
#[derive(Clone, Debug)]
pub struct PcapReader {
    order: ByteOrder,
    nanoseconds_per_tick: u64,
    link_type: u16,
    fcs_length: Option<usize>,
    offset: usize,
}

impl PcapReader {
    /// Whether a file starts as a pcap file does.
    pub fn recognises(file: &[u8]) -> bool {
        magic(file).is_some()
    }

    /// From the file header.
    pub fn new(file: &[u8]) -> Result<Self, ParseError> {
        let (order, nanoseconds_per_tick) = magic(file).ok_or_else(|| match file.first_chunk() {
            Some(octets) => {
                ParseError::Invalid { what: "pcap magic number", value: u32::from_le_bytes(*octets).into(), at: 0 }
            }
            None => ParseError::Truncated { what: "pcap magic number", needed: 4, had: file.len(), at: 0 },
        })?;
        let Some(link_type) = order.u32_at(file, 20) else {
            let (needed, had) = (FILE_HEADER_LENGTH, file.len());
            return Err(ParseError::Truncated { what: "pcap file header", needed, had, at: 0 });
        };
        // Bits 28 to 31 count the FCS in 16-bit words where bit 26 says that they do.
        let fcs_length = (link_type & 0x0400_0000 != 0).then_some(2 * (link_type >> 28) as usize);
        let link_type = (link_type & 0xffff) as u16;
        Ok(Self { order, nanoseconds_per_tick, link_type, fcs_length, offset: FILE_HEADER_LENGTH })
    }

    /// Link type of all records.
    pub fn link_type(&self) -> u16 {
        self.link_type
    }

    /// The next record of the same file; `None` at its end.
    pub fn next_record(&mut self, file: &[u8]) -> Option<Result<Record, ParseError>> {
        let rest = file.get(self.offset..).filter(|rest| !rest.is_empty())?;
        Some(self.record(rest))
    }

    fn record(&mut self, rest: &[u8]) -> Result<Record, ParseError> {
        let at = self.offset;
        let (needed, had) = (RECORD_HEADER_LENGTH, rest.len());
        let truncated = ParseError::Truncated { what: "pcap record header", needed, had, at };
        let field = |offset| self.order.u32_at(rest, offset).ok_or(truncated);
        let [seconds, ticks, length, original_length] = [field(0)?, field(4)?, field(8)?, field(12)?];
        let start = at + RECORD_HEADER_LENGTH;
        let had = rest.len() - RECORD_HEADER_LENGTH;
        let needed = length as usize;
        if had < needed {
            return Err(ParseError::Truncated { what: "pcap record", needed, had, at: start });
        }
        self.offset = start + needed;
        Ok(Record {
            timestamp_ns: u64::from(seconds) * 1_000_000_000 + u64::from(ticks) * self.nanoseconds_per_tick,
            interface: 0,
            link_type: self.link_type,
            fcs_length: self.fcs_length,
            original_length,
            packet: start..self.offset,
            comment: None,
        })
    }
}

fn magic(file: &[u8]) -> Option<(ByteOrder, u64)> {
    match *file.first_chunk()? {
        [0xd4, 0xc3, 0xb2, 0xa1] => Some((ByteOrder::Little, 1000)),
        [0xa1, 0xb2, 0xc3, 0xd4] => Some((ByteOrder::Big, 1000)),
        [0x4d, 0x3c, 0xb2, 0xa1] => Some((ByteOrder::Little, 1)),
        [0xa1, 0xb2, 0x3c, 0x4d] => Some((ByteOrder::Big, 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(order: ByteOrder, magic: u32, link_type: u32) -> Vec<u8> {
        let mut file = order.octets(magic).to_vec();
        file.extend([0; 16]);
        file.extend(order.octets(link_type));
        for (seconds, ticks, packet) in [(1, 500, &b"abc"[..]), (2, 999_999, b"")] {
            for field in [seconds, ticks, u32::try_from(packet.len()).unwrap(), 60] {
                file.extend(order.octets(field));
            }
            file.extend(packet);
        }
        file
    }

    fn records(file: &[u8]) -> (Vec<Record>, Option<ParseError>) {
        let mut reader = PcapReader::new(file).unwrap();
        let mut records = Vec::new();
        loop {
            match reader.next_record(file) {
                None => return (records, None),
                Some(Ok(record)) => records.push(record),
                Some(Err(error)) => return (records, Some(error)),
            }
        }
    }

    #[test]
    fn both_byte_orders_and_both_resolutions_are_read() {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            for (magic, tick) in [(0xa1b2_c3d4, 1000), (0xa1b2_3c4d, 1)] {
                let file = file(order, magic, 105);
                let (records, error) = records(&file);
                assert_eq!(error, None);
                assert_eq!(records.len(), 2);
                assert_eq!(&file[records[0].packet.clone()], b"abc");
                assert_eq!((records[0].original_length, records[0].link_type), (60, 105));
                assert_eq!(records[0].timestamp_ns, 1_000_000_000 + 500 * tick);
                assert_eq!(records[1].timestamp_ns, 2_000_000_000 + 999_999 * tick);
            }
        }
    }

    #[test]
    fn the_link_type_may_carry_the_length_of_the_fcs() {
        let file = file(ByteOrder::Little, 0xa1b2_c3d4, 0x2400_0069);
        let (records, _) = records(&file);
        assert_eq!((records[0].link_type, records[0].fcs_length), (105, Some(4)));
    }

    #[test]
    fn every_prefix_gives_its_whole_records_and_says_where_it_is_cut_off() {
        let file = file(ByteOrder::Little, 0xa1b2_c3d4, 105);
        for end in FILE_HEADER_LENGTH..file.len() {
            let (records, error) = records(&file[..end]);
            assert_eq!(records.len(), usize::from(end >= 24 + 16 + 3), "{end}");
            match error {
                None => assert!([24, 24 + 16 + 3].contains(&end), "{end}"),
                Some(ParseError::Truncated { at, had, .. }) => assert_eq!(at + had, end, "{end}"),
                other => panic!("{end}: {other:?}"),
            }
        }
        for end in 0..FILE_HEADER_LENGTH {
            assert!(matches!(PcapReader::new(&file[..end]), Err(ParseError::Truncated { .. })), "{end}");
        }
    }
}
