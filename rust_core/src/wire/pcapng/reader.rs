//! Reading: the place reached in the file's octets, and the interfaces met so far.

use super::{
    BYTE_ORDER_MAGIC, ENHANCED_PACKET, INTERFACE_DESCRIPTION, OBSOLETE_PACKET, SECTION_HEADER, SIMPLE_PACKET, option,
};
use crate::wire::ParseError;
use crate::wire::capture::{ByteOrder, Record};

/// What an interface description says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// `if_name`.
    pub name: Option<String>,
    link_type: u16,
    snap_length: u32,
    fcs_length: Option<usize>,
    resolution: u8,
    offset_seconds: i64,
}

/// The place reached in a pcapng file, and the interfaces met so far.
#[derive(Clone, Debug)]
pub struct PcapngReader {
    order: ByteOrder,
    offset: usize,
    first_interface: usize,
    interfaces: Vec<Interface>,
}

impl PcapngReader {
    /// Whether a file starts as a pcapng file does.
    pub fn recognises(file: &[u8]) -> bool {
        file.first_chunk() == Some(&SECTION_HEADER.to_be_bytes())
    }

    /// From the first section header.
    pub fn new(file: &[u8]) -> Result<Self, ParseError> {
        let mut reader = Self { order: ByteOrder::Little, offset: 0, first_interface: 0, interfaces: Vec::new() };
        let (kind, ..) = reader.block(file)?;
        if kind != SECTION_HEADER {
            return Err(ParseError::Invalid { what: "pcapng section header", value: kind.into(), at: 0 });
        }
        reader.offset = 0;
        Ok(reader)
    }

    /// Interfaces met so far.
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// The next packet of the same file; `None` at its end.
    pub fn next_record(&mut self, file: &[u8]) -> Option<Result<Record, ParseError>> {
        while self.offset < file.len() {
            let at = self.offset;
            let (kind, start, body) = match self.block(file) {
                Ok(block) => block,
                Err(error) => return Some(Err(error)),
            };
            let record = match kind {
                SECTION_HEADER => {
                    self.first_interface = self.interfaces.len();
                    continue;
                }
                INTERFACE_DESCRIPTION => match self.interface(body, start) {
                    Ok(interface) => {
                        self.interfaces.push(interface);
                        continue;
                    }
                    Err(error) => Err(error),
                },
                ENHANCED_PACKET => self.packet(body, start, false),
                OBSOLETE_PACKET => self.packet(body, start, true),
                SIMPLE_PACKET => self.simple_packet(body, start),
                _ => continue,
            };
            if record.is_err() {
                self.offset = at;
            }
            return Some(record);
        }
        None
    }

    /// Type, place and octets of the block's body; moves on behind the block.
    fn block<'a>(&mut self, file: &'a [u8]) -> Result<(u32, usize, &'a [u8]), ParseError> {
        let at = self.offset;
        let rest = file.get(at..).unwrap_or_default();
        let cut_off = |needed| ParseError::Truncated { what: "pcapng block", needed, had: rest.len(), at };
        let kind = self.order.u32_at(rest, 0).ok_or(cut_off(12))?;
        // A section header's type reads the same in both byte orders; its magic number tells which one it is.
        if kind == SECTION_HEADER {
            self.order = match ByteOrder::Little.u32_at(rest, 8).ok_or(cut_off(28))? {
                BYTE_ORDER_MAGIC => ByteOrder::Little,
                value if value == BYTE_ORDER_MAGIC.swap_bytes() => ByteOrder::Big,
                value => {
                    let what = "pcapng byte-order magic";
                    return Err(ParseError::Invalid { what, value: value.into(), at: at + 8 });
                }
            };
        }
        let declared = self.order.u32_at(rest, 4).ok_or(cut_off(12))?;
        let least = if kind == SECTION_HEADER { 28 } else { 12 };
        let length = declared as usize;
        if length < least || !length.is_multiple_of(4) {
            return Err(ParseError::Invalid { what: "pcapng block length", value: declared.into(), at: at + 4 });
        }
        let body = rest.get(8..length - 4).ok_or(cut_off(length))?;
        let trailer = self.order.u32_at(rest, length - 4).ok_or(cut_off(length))?;
        if trailer != declared {
            let what = "pcapng block length at the block's end";
            return Err(ParseError::Invalid { what, value: trailer.into(), at: at + length - 4 });
        }
        self.offset = at + length;
        Ok((kind, at + 8, body))
    }

    fn interface(&self, body: &[u8], at: usize) -> Result<Interface, ParseError> {
        let truncated = ParseError::Truncated { what: "interface description", needed: 8, had: body.len(), at };
        let link_type = self.order.u16_at(body, 0).ok_or(truncated)?;
        let snap_length = self.order.u32_at(body, 4).ok_or(truncated)?;
        let mut interface =
            Interface { name: None, link_type, snap_length, fcs_length: None, resolution: 6, offset_seconds: 0 };
        for (code, value) in self.options(body.get(8..).unwrap_or_default()) {
            match (code, value) {
                (option::IF_NAME, name) => interface.name = Some(text(name)),
                (option::IF_TSRESOL, &[resolution, ..]) => interface.resolution = resolution,
                (option::IF_FCSLEN, &[length, ..]) => interface.fcs_length = Some(length.into()),
                (option::IF_TSOFFSET, value) => {
                    interface.offset_seconds = value.first_chunk().map_or(0, |octets| match self.order {
                        ByteOrder::Little => i64::from_le_bytes(*octets),
                        ByteOrder::Big => i64::from_be_bytes(*octets),
                    });
                }
                _ => (),
            }
        }
        Ok(interface)
    }

    /// An enhanced packet block, or the obsolete one, whose interface shares its field with a count of drops.
    fn packet(&self, body: &[u8], at: usize, obsolete: bool) -> Result<Record, ParseError> {
        let truncated = ParseError::Truncated { what: "packet block", needed: 20, had: body.len(), at };
        let field = |offset| self.order.u32_at(body, offset).ok_or(truncated);
        let id = if obsolete { self.order.u16_at(body, 0).ok_or(truncated)?.into() } else { field(0)? };
        let ticks = u64::from(field(4)?) << 32 | u64::from(field(8)?);
        let (length, original_length) = (field(12)? as usize, field(16)?);
        let (interface, description) = self.described(id, at)?;
        let data = body.get(20..).unwrap_or_default();
        if data.len() < length {
            return Err(ParseError::Truncated { what: "packet", needed: length, had: data.len(), at: at + 20 });
        }
        let options = data.get(length.next_multiple_of(4)..).unwrap_or_default();
        let comments: Vec<_> =
            self.options(options).filter(|(code, _)| *code == option::COMMENT).map(|(_, value)| text(value)).collect();
        Ok(Record {
            timestamp_ns: nanoseconds(ticks, description.resolution, description.offset_seconds),
            interface,
            link_type: description.link_type,
            fcs_length: description.fcs_length,
            original_length,
            packet: at + 20..at + 20 + length,
            comment: (!comments.is_empty()).then(|| comments.join("\n")),
        })
    }

    /// A simple packet block: of the section's first interface, without a time; its captured length is not said.
    fn simple_packet(&self, body: &[u8], at: usize) -> Result<Record, ParseError> {
        let truncated = ParseError::Truncated { what: "simple packet block", needed: 4, had: body.len(), at };
        let original_length = self.order.u32_at(body, 0).ok_or(truncated)?;
        let (interface, description) = self.described(0, at)?;
        let snapped = match description.snap_length {
            0 => original_length,
            snap_length => original_length.min(snap_length),
        };
        let length = (snapped as usize).min(body.len() - 4);
        Ok(Record {
            timestamp_ns: 0,
            interface,
            link_type: description.link_type,
            fcs_length: description.fcs_length,
            original_length,
            packet: at + 4..at + 4 + length,
            comment: None,
        })
    }

    fn described(&self, id: u32, at: usize) -> Result<(usize, &Interface), ParseError> {
        let unknown = ParseError::Invalid { what: "interface of a packet", value: id.into(), at };
        let index = self.first_interface.checked_add(id as usize).ok_or(unknown)?;
        Ok((index, self.interfaces.get(index).ok_or(unknown)?))
    }

    /// The options up to their end, or up to the first that is cut off.
    fn options<'a>(&self, mut rest: &'a [u8]) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        let order = self.order;
        core::iter::from_fn(move || {
            let code = order.u16_at(rest, 0).filter(|code| *code != option::END)?;
            let length = usize::from(order.u16_at(rest, 2)?);
            let value = rest.get(4..4 + length)?;
            rest = rest.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
            Some((code, value))
        })
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).trim_end_matches('\0').to_owned()
}

/// Nanoseconds since 1970 from ticks of 10^-n or, where the top bit is set, 2^-n seconds; 0 before 1970.
fn nanoseconds(ticks: u64, resolution: u8, offset_seconds: i64) -> u64 {
    let (ticks, exponent) = (i128::from(ticks), u32::from(resolution & 0x7f));
    let since_offset = if resolution & 0x80 == 0 {
        match exponent {
            0..=9 => ticks * 10_i128.pow(9 - exponent),
            10..=47 => ticks / 10_i128.pow(exponent - 9),
            _ => 0,
        }
    } else {
        // 2^64 * 10^9 < 2^94: no overflow.
        (ticks * 1_000_000_000) >> exponent
    };
    let total = since_offset + i128::from(offset_seconds) * 1_000_000_000;
    u64::try_from(total.max(0)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block with these fields and octets as its body.
    fn block(order: ByteOrder, kind: u32, body: &[u8]) -> Vec<u8> {
        let length = order.octets(u32::try_from(body.len() + 12).unwrap());
        [&order.octets(kind)[..], &length, body, &length].concat()
    }

    fn section(order: ByteOrder) -> Vec<u8> {
        let version = if order == ByteOrder::Little { [1, 0, 0, 0] } else { [0, 1, 0, 0] };
        block(order, SECTION_HEADER, &[&order.octets(BYTE_ORDER_MAGIC)[..], &version, &[0xff; 8]].concat())
    }

    fn u16_octets(order: ByteOrder, value: u16) -> [u8; 2] {
        if order == ByteOrder::Little { value.to_le_bytes() } else { value.to_be_bytes() }
    }

    fn options(order: ByteOrder, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (code, value) in options {
            out.extend(u16_octets(order, *code));
            out.extend(u16_octets(order, u16::try_from(value.len()).unwrap()));
            out.extend(*value);
            out.resize(out.len().next_multiple_of(4), 0);
        }
        out
    }

    fn interface(order: ByteOrder, link_type: u16, chosen: &[(u16, &[u8])]) -> Vec<u8> {
        let head = [&u16_octets(order, link_type)[..], &[0, 0], &order.octets(64)].concat();
        block(order, INTERFACE_DESCRIPTION, &[head, options(order, chosen)].concat())
    }

    fn packet(order: ByteOrder, interface: u32, ticks: u64, data: &[u8], chosen: &[(u16, &[u8])]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap();
        let ticks = [(ticks >> 32) as u32, (ticks & 0xffff_ffff) as u32];
        let mut body: Vec<u8> =
            [interface, ticks[0], ticks[1], length, length + 1].iter().flat_map(|field| order.octets(*field)).collect();
        body.extend(data);
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend(options(order, chosen));
        block(order, ENHANCED_PACKET, &body)
    }

    fn records(file: &[u8]) -> (Vec<Record>, PcapngReader, Option<ParseError>) {
        let mut reader = PcapngReader::new(file).unwrap();
        let mut records = Vec::new();
        loop {
            match reader.next_record(file) {
                None => return (records, reader, None),
                Some(Ok(record)) => records.push(record),
                Some(Err(error)) => return (records, reader, Some(error)),
            }
        }
    }

    #[test]
    fn both_byte_orders_with_names_times_and_comments_are_read() {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            let comments: &[(u16, &[u8])] = &[(1, b"first"), (7, b"?"), (1, b"second"), (0, b"")];
            let file = [
                section(order),
                interface(order, 127, &[(2, b"wlan0"), (9, &[9]), (0, b"")]),
                block(order, 0xbad, b"what?!?!"),
                packet(order, 0, 1_234_567_890_123_456_789, b"hello", comments),
            ]
            .concat();
            let (records, reader, error) = records(&file);
            assert_eq!(error, None);
            assert_eq!(reader.interfaces()[0].name.as_deref(), Some("wlan0"));
            assert_eq!(&file[records[0].packet.clone()], b"hello");
            assert_eq!((records[0].timestamp_ns, records[0].original_length), (1_234_567_890_123_456_789, 6));
            assert_eq!((records[0].link_type, records[0].comment.as_deref()), (127, Some("first\nsecond")));
        }
    }

    #[test]
    fn interfaces_are_numbered_through_all_sections() {
        let (little, big) = (ByteOrder::Little, ByteOrder::Big);
        let file = [
            section(little),
            interface(little, 105, &[]),
            interface(little, 127, &[]),
            packet(little, 1, 7, b"", &[]),
            section(big),
            interface(big, 192, &[]),
            packet(big, 0, 7, b"", &[]),
        ]
        .concat();
        let (records, _, error) = records(&file);
        let found: Vec<_> = records.iter().map(|record| (record.interface, record.link_type)).collect();
        assert_eq!((found, error), (vec![(1, 127), (2, 192)], None));
        assert_eq!(records[0].timestamp_ns, 7000);
    }

    #[test]
    fn simple_and_obsolete_packets_are_read() {
        let order = ByteOrder::Little;
        let obsolete = [&[0, 0, 9, 9][..], &[0; 4], &[5, 0, 0, 0], &[2, 0, 0, 0], &[2, 0, 0, 0], b"ab\0\0"].concat();
        let file = [
            section(order),
            interface(order, 105, &[]),
            block(order, SIMPLE_PACKET, &[&[3, 0, 0, 0][..], b"abc\0"].concat()),
            block(order, OBSOLETE_PACKET, &obsolete),
        ]
        .concat();
        let (records, _, error) = records(&file);
        assert_eq!(error, None);
        assert_eq!((&file[records[0].packet.clone()], records[0].timestamp_ns), (&b"abc"[..], 0));
        assert_eq!((&file[records[1].packet.clone()], records[1].timestamp_ns), (&b"ab"[..], 5000));
    }

    #[test]
    fn every_prefix_gives_its_whole_packets_and_says_where_it_is_cut_off() {
        let order = ByteOrder::Little;
        let head = [section(order), interface(order, 105, &[(2, b"x")])].concat();
        let one = packet(order, 0, 1, b"abcde", &[(1, b"comment")]);
        let file = [&head[..], &one, &one].concat();
        for end in section(order).len()..file.len() {
            let (records, _, error) = records(&file[..end]);
            assert_eq!(records.len(), end.saturating_sub(head.len()) / one.len(), "{end}");
            match error {
                None => assert!(end == section(order).len() || end % one.len() == head.len() % one.len(), "{end}"),
                Some(ParseError::Truncated { at, had, .. }) => assert_eq!(at + had, end, "{end}"),
                other => panic!("{end}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_has_no_meaning_is_named_with_its_place() {
        let order = ByteOrder::Little;
        let head = [section(order), interface(order, 105, &[])].concat();
        let at = head.len();
        let mut bad_end = packet(order, 0, 1, b"abcd", &[]);
        *bad_end.last_mut().unwrap() = 1;
        let mut too_short = block(order, 0xbad, b"");
        too_short[4] = 8;
        let unknown_interface = packet(order, 3, 1, b"", &[]);
        let mut too_long = packet(order, 0, 1, b"abcd", &[]);
        too_long[20] = 5;
        for (bad, place) in [(bad_end, at + 32), (too_short, at + 4), (unknown_interface, at + 8)] {
            let (_, _, error) = records(&[&head[..], &bad].concat());
            assert!(matches!(error, Some(ParseError::Invalid { at, .. }) if at == place), "{error:?} {place}");
        }
        let (_, _, error) = records(&[&head[..], &too_long].concat());
        assert_eq!(error, Some(ParseError::Truncated { what: "packet", needed: 5, had: 4, at: at + 28 }));
    }

    #[test]
    fn times_come_in_any_resolution() {
        assert_eq!(nanoseconds(5, 6, 0), 5000);
        assert_eq!(nanoseconds(5, 9, 1), 1_000_000_005);
        assert_eq!(nanoseconds(5_000, 12, 0), 5);
        assert_eq!(nanoseconds(1 << 20, 0x94, 0), 1_000_000_000);
        assert_eq!(nanoseconds(u64::MAX, 0, i64::MAX), u64::MAX);
        assert_eq!(nanoseconds(u64::MAX, 0x7f, i64::MIN), 0);
        assert_eq!(nanoseconds(u64::MAX, 0xff, 0), 0);
    }
}
