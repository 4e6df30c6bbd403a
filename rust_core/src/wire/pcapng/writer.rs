//! Writing: one section, interfaces as they come, packets with comments.

use std::io::{Error, ErrorKind, Result as IoResult, Write};

use super::{BYTE_ORDER_MAGIC, ENHANCED_PACKET, INTERFACE_DESCRIPTION, SECTION_HEADER, option};

/// Writes a pcapng file: one section, nanoseconds, little-endian.
#[derive(Debug)]
pub struct PcapngWriter<W: Write> {
    out: W,
    interfaces: u32,
    body: Vec<u8>,
}

impl<W: Write> PcapngWriter<W> {
    /// Begins the file: who writes it, and what is to be said of the whole.
    pub fn new(out: W, application: &str, comment: Option<&str>) -> IoResult<Self> {
        let mut writer = Self { out, interfaces: 0, body: Vec::new() };
        writer.body.extend(BYTE_ORDER_MAGIC.to_le_bytes());
        writer.body.extend([1, 0, 0, 0]);
        writer.body.extend(u64::MAX.to_le_bytes());
        writer.text_option(option::COMMENT, comment);
        writer.text_option(option::SHB_USER_APPLICATION, Some(application));
        writer.end_options();
        writer.block(SECTION_HEADER)?;
        Ok(writer)
    }

    /// Describes an interface; its number is for [`Self::write_packet`].
    pub fn add_interface(&mut self, name: &str, link_type: u16, description: Option<&str>) -> IoResult<u32> {
        self.body.extend(link_type.to_le_bytes());
        self.body.extend([0; 6]);
        self.text_option(option::IF_NAME, Some(name));
        self.text_option(option::IF_DESCRIPTION, description);
        self.option(option::IF_TSRESOL, &[9]);
        self.end_options();
        self.block(INTERFACE_DESCRIPTION)?;
        let number = self.interfaces;
        self.interfaces = number.saturating_add(1);
        Ok(number)
    }

    /// Writes a packet; `original_length` where fewer octets were captured than there had been.
    ///
    /// `ErrorKind::InvalidInput`: no such interface, or more octets than the format can count.
    pub fn write_packet(
        &mut self,
        interface: u32,
        timestamp_ns: u64,
        packet: &[u8],
        original_length: Option<u32>,
        comment: Option<&str>,
    ) -> IoResult<()> {
        if interface >= self.interfaces {
            return Err(Error::new(ErrorKind::InvalidInput, format!("there is no interface {interface}")));
        }
        let length = u32::try_from(packet.len()).map_err(|_| too_long())?;
        let [low, high] = [timestamp_ns & 0xffff_ffff, timestamp_ns >> 32];
        for field in [interface.into(), high, low, length.into(), original_length.unwrap_or(length).into()] {
            self.body.extend(field.to_le_bytes().iter().take(4));
        }
        self.body.extend(packet);
        self.pad();
        if comment.is_some() {
            self.text_option(option::COMMENT, comment);
            self.end_options();
        }
        self.block(ENHANCED_PACKET)
    }

    /// Flushes, and hands back what was written to.
    pub fn finish(mut self) -> IoResult<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn block(&mut self, kind: u32) -> IoResult<()> {
        let length = u32::try_from(self.body.len() + 12).map_err(|_| too_long());
        let written = length.and_then(|length| {
            self.out.write_all(&kind.to_le_bytes())?;
            self.out.write_all(&length.to_le_bytes())?;
            self.out.write_all(&self.body)?;
            self.out.write_all(&length.to_le_bytes())
        });
        self.body.clear();
        written
    }

    /// A text, cut at a character's border where it is too long for an option.
    fn text_option(&mut self, code: u16, value: Option<&str>) {
        let Some(value) = value else { return };
        let mut end = value.len().min(u16::MAX.into());
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        self.option(code, value.get(..end).unwrap_or_default().as_bytes());
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.body.extend(code.to_le_bytes());
        self.body.extend(length.to_le_bytes());
        self.body.extend(value.iter().take(length.into()));
        self.pad();
    }

    fn end_options(&mut self) {
        self.option(option::END, &[]);
    }

    fn pad(&mut self) {
        self.body.resize(self.body.len().next_multiple_of(4), 0);
    }
}

fn too_long() -> Error {
    Error::new(ErrorKind::InvalidInput, "a packet of a pcapng file has fewer than 2^32 octets")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::capture::CaptureReader;

    fn file() -> Vec<u8> {
        let mut writer = PcapngWriter::new(Vec::new(), "polyradio", Some("two networks")).unwrap();
        assert_eq!(writer.add_interface("vm1", 127, Some("VM 1")).unwrap(), 0);
        assert_eq!(writer.add_interface("air", 105, None).unwrap(), 1);
        writer.write_packet(1, 1_700_000_000_123_456_789, b"hello", Some(50), Some("drop: no key")).unwrap();
        writer.write_packet(0, 1, b"", None, None).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn the_octets_are_those_of_the_format() {
        let mut writer = PcapngWriter::new(Vec::new(), "me", None).unwrap();
        writer.add_interface("a", 105, None).unwrap();
        writer.write_packet(0, 0x1_0000_0002, b"abc", None, Some("hi")).unwrap();
        let expected = [
            &[0x0a, 0x0d, 0x0d, 0x0a, 40, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0][..],
            &[0xff; 8],
            &[4, 0, 2, 0, b'm', b'e', 0, 0, 0, 0, 0, 0, 40, 0, 0, 0],
            &[1, 0, 0, 0, 40, 0, 0, 0, 105, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, b'a', 0, 0, 0],
            &[9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0],
            &[6, 0, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, b'a', b'b', b'c', 0],
            &[1, 0, 2, 0, b'h', b'i', 0, 0, 0, 0, 0, 0, 48, 0, 0, 0],
        ]
        .concat();
        assert_eq!(writer.finish().unwrap(), expected);
    }

    #[test]
    fn what_was_written_is_read_again() {
        let file = file();
        let mut reader = CaptureReader::new(&file).unwrap();
        let records: Vec<_> = reader.by_ref().collect();
        assert_eq!((reader.error(), reader.interfaces()), (None, vec![Some("vm1"), Some("air")]));
        assert_eq!(reader.packet(&records[0]), b"hello");
        assert_eq!((records[0].interface, records[0].link_type, records[0].original_length), (1, 105, 50));
        assert_eq!(records[0].timestamp_ns, 1_700_000_000_123_456_789);
        assert_eq!(records[0].comment.as_deref(), Some("drop: no key"));
        assert_eq!((records[1].interface, records[1].comment.as_deref(), records.len()), (0, None, 2));
    }

    #[test]
    fn the_same_calls_give_the_same_octets() {
        assert_eq!(file(), file());
    }

    #[test]
    fn a_packet_of_no_interface_is_refused_and_leaves_nothing_behind() {
        let mut writer = PcapngWriter::new(Vec::new(), "polyradio", None).unwrap();
        assert_eq!(writer.write_packet(0, 0, b"x", None, None).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(writer.out, PcapngWriter::new(Vec::new(), "polyradio", None).unwrap().out);
    }

    #[test]
    fn a_comment_that_is_too_long_is_cut_between_characters() {
        let mut writer = PcapngWriter::new(Vec::new(), "polyradio", None).unwrap();
        writer.add_interface("a", 105, None).unwrap();
        writer.write_packet(0, 0, b"x", None, Some(&"é".repeat(40_000))).unwrap();
        let file = writer.finish().unwrap();
        let record = CaptureReader::new(&file).unwrap().next().unwrap();
        assert_eq!(record.comment, Some("é".repeat(32_767)));
    }
}
