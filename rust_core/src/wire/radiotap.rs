//! Radiotap headers (<https://www.radiotap.org>): what a receiver tells of a frame, before the frame.
//!
//! ```text
//! version 1 | pad 1 | length 2 | present words 4.. | fields, each aligned to its size from the header's start
//! ```
//! [`Fields`] goes over all fields of all namespaces; [`Radiotap`] is the part that is used here. A field of unknown size
//! ends the fields, never the frame: where the frame begins is said by the length alone.

use super::ParseError;

const FIXED_LENGTH: usize = 8;
const NAMESPACE_RADIOTAP: u32 = 1 << 29;
const NAMESPACE_VENDOR: u32 = 1 << 30;
const ANOTHER_WORD: u32 = 1 << 31;

/// The Flags field.
#[expect(missing_docs, reason = "the names are radiotap's")]
pub mod flags {
    pub const SHORT_PREAMBLE: u8 = 0x02;
    pub const FCS_AT_END: u8 = 0x10;
    pub const DATA_PAD: u8 = 0x20;
    pub const BAD_FCS: u8 = 0x40;
}

/// The Channel field's flags.
#[expect(missing_docs, reason = "the names are radiotap's")]
pub mod channel_flags {
    pub const CCK: u16 = 0x0020;
    pub const OFDM: u16 = 0x0040;
    pub const GHZ_2: u16 = 0x0080;
    pub const GHZ_5: u16 = 0x0100;
    pub const DYNAMIC: u16 = 0x0400;
}

/// A header's fields, as far as they are used here; the first of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Radiotap {
    /// TSFT: the receiver's microseconds when the frame's first bit came.
    pub tsft: Option<u64>,
    /// See [`flags`].
    pub flags: Option<u8>,
    /// Rate in 500 kb/s.
    pub rate: Option<u8>,
    /// Frequency in MHz, and [`channel_flags`].
    pub channel: Option<(u16, u16)>,
    /// Signal at the antenna in dBm.
    pub signal_dbm: Option<i8>,
    /// Which of its values are known, its flags, and the MCS index.
    pub mcs: Option<[u8; 3]>,
}

impl Radiotap {
    /// The fields, and the length of the header.
    pub fn parse(packet: &[u8]) -> Result<(Self, usize), ParseError> {
        let fields = Fields::new(packet)?;
        let length = fields.header.len();
        let mut radiotap = Self::default();
        for field in fields {
            let Ok(Field::Known { bit, data }) = field else { continue };
            let found = &mut radiotap;
            match (bit, data) {
                (0, data) => keep_first(&mut found.tsft, data.first_chunk().map(|tsft| u64::from_le_bytes(*tsft))),
                (1, &[flags]) => keep_first(&mut found.flags, Some(flags)),
                (2, &[rate]) => keep_first(&mut found.rate, Some(rate)),
                (3, &[a, b, c, d]) => {
                    let channel = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
                    keep_first(&mut found.channel, Some(channel));
                }
                (5, &[signal]) => keep_first(&mut found.signal_dbm, Some(signal.cast_signed())),
                (19, &[known, flags, index]) => keep_first(&mut found.mcs, Some([known, flags, index])),
                _ => (),
            }
        }
        Ok((radiotap, length))
    }

    /// Appends the header.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend([0; FIXED_LENGTH]);
        let mut present = 0_u32;
        let mut field = |bit: u32, alignment: usize, data: Option<&[u8]>| {
            let Some(data) = data else { return };
            present |= 1 << bit;
            out.resize(start + (out.len() - start).next_multiple_of(alignment), 0);
            out.extend(data);
        };
        field(0, 8, self.tsft.map(u64::to_le_bytes).as_ref().map(<[u8; 8]>::as_slice));
        field(1, 1, self.flags.map(|flags| [flags]).as_ref().map(<[u8; 1]>::as_slice));
        field(2, 1, self.rate.map(|rate| [rate]).as_ref().map(<[u8; 1]>::as_slice));
        let channel = self.channel.map(|(frequency, flags)| {
            let ([a, b], [c, d]) = (frequency.to_le_bytes(), flags.to_le_bytes());
            [a, b, c, d]
        });
        field(3, 2, channel.as_ref().map(<[u8; 4]>::as_slice));
        field(5, 1, self.signal_dbm.map(i8::to_le_bytes).as_ref().map(<[u8; 1]>::as_slice));
        field(19, 1, self.mcs.as_ref().map(<[u8; 3]>::as_slice));
        // At most 8 + 8 + 1 + 1 + 4 + 1 + 3 octets and their padding.
        let length = u16::try_from(out.len() - start).unwrap_or_default();
        let fixed = [&[0, 0], &length.to_le_bytes()[..], &present.to_le_bytes()].concat();
        if let Some(header) = out.get_mut(start..start + FIXED_LENGTH) {
            header.copy_from_slice(&fixed);
        }
    }
}

fn keep_first<T>(slot: &mut Option<T>, value: Option<T>) {
    if slot.is_none() {
        *slot = value;
    }
}

/// The frequency of a channel in MHz (IEEE 802.11-2020 15.4.4.3 and 17.3.8.4.2): 1 to 14 at 2.4 GHz, others at 5 GHz.
pub fn channel_frequency(channel: u8) -> u16 {
    match channel {
        14 => 2484,
        1..=13 => 2407 + 5 * u16::from(channel),
        _ => 5000 + 5 * u16::from(channel),
    }
}

/// A field of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// A field of radiotap itself.
    Known {
        /// Its bit in the present word.
        bit: u8,
        /// Its octets.
        data: &'a [u8],
    },
    /// All fields of a vendor's namespace.
    Vendor {
        /// Who defines them.
        oui: [u8; 3],
        /// Which of the vendor's namespaces.
        namespace: u8,
        /// Their octets.
        data: &'a [u8],
    },
}

/// Goes over a header's fields, in order.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    header: &'a [u8],
    next_word: usize,
    /// Bits of the present word that are still to come.
    word: u32,
    bit: u8,
    in_vendor: bool,
    /// The words ended, or a field is unknown or cut off.
    is_done: bool,
    offset: usize,
}

impl<'a> Fields<'a> {
    /// Checks version, length and present words.
    pub fn new(packet: &'a [u8]) -> Result<Self, ParseError> {
        let truncated = |needed| ParseError::Truncated { what: "radiotap header", needed, had: packet.len(), at: 0 };
        let [version, _, low, high, ..] = *packet else { return Err(truncated(FIXED_LENGTH)) };
        if version != 0 {
            return Err(ParseError::Invalid { what: "radiotap version", value: version.into(), at: 0 });
        }
        let length = usize::from(u16::from_le_bytes([low, high]));
        if length < FIXED_LENGTH {
            return Err(ParseError::Invalid { what: "radiotap length", value: length as u64, at: 2 });
        }
        let header = packet.get(..length).ok_or(truncated(length))?;
        let mut offset = 4;
        while word_at(header, offset).ok_or(ParseError::Truncated {
            what: "radiotap present words",
            needed: offset + 4,
            had: length,
            at: 0,
        })? & ANOTHER_WORD
            != 0
        {
            offset += 4;
        }
        let word = word_at(header, 4).unwrap_or_default();
        Ok(Self { header, next_word: 8, word, bit: 0, in_vendor: false, is_done: false, offset: offset + 4 })
    }

    fn take(&mut self, alignment: usize, length: usize) -> Option<&'a [u8]> {
        let start = self.offset.next_multiple_of(alignment);
        let data = self.header.get(start..start + length)?;
        self.offset = start + length;
        Some(data)
    }

    fn field(&mut self, bit: u8) -> Option<Result<Field<'a>, ParseError>> {
        let at = self.offset;
        let (alignment, length) = size_of_field(bit)?;
        let had = self.header.len() - at;
        let data = self.take(usize::from(alignment), usize::from(length));
        let truncated = ParseError::Truncated { what: "radiotap field", needed: length.into(), had, at };
        Some(data.map(|data| Field::Known { bit, data }).ok_or(truncated))
    }

    fn vendor(&mut self) -> Result<Field<'a>, ParseError> {
        let at = self.offset;
        let had = self.header.len() - at;
        let truncated = |needed| ParseError::Truncated { what: "radiotap vendor namespace", needed, had, at };
        let &[a, b, c, namespace, low, high] = self.take(2, 6).ok_or(truncated(6))? else {
            return Err(truncated(6));
        };
        let length = usize::from(u16::from_le_bytes([low, high]));
        let data = self.take(1, length).ok_or(truncated(6 + length))?;
        Ok(Field::Vendor { oui: [a, b, c], namespace, data })
    }

    /// Moves on to the next present word; false where there is none that can be understood.
    fn turn_to_next_word(&mut self) -> bool {
        let (ended, Some(next)) = (self.word, word_at(self.header, self.next_word)) else { return false };
        if ended & ANOTHER_WORD == 0 {
            return false;
        }
        if ended & NAMESPACE_RADIOTAP != 0 {
            self.in_vendor = false;
        } else if ended & NAMESPACE_VENDOR != 0 {
            self.in_vendor = true;
        } else if !self.in_vendor && next & !(NAMESPACE_RADIOTAP | NAMESPACE_VENDOR | ANOTHER_WORD) != 0 {
            // Bits above 31 of radiotap's own namespace: none is defined.
            return false;
        }
        self.next_word += 4;
        self.word = next;
        self.bit = 0;
        true
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_done {
            if self.bit > 30 {
                self.is_done = !self.turn_to_next_word();
                continue;
            }
            let bit = self.bit;
            self.bit += 1;
            if self.word & 1 << bit == 0 {
                continue;
            }
            let field = match bit {
                29 => continue,
                30 => Some(self.vendor()),
                // The octets of a vendor's fields came with its namespace.
                _ if self.in_vendor => continue,
                _ => self.field(bit),
            };
            self.is_done = !matches!(field, Some(Ok(_)));
            return field;
        }
        None
    }
}

/// Alignment and size; `None` for what has none that is known (28 turns all further fields into type-length-values).
fn size_of_field(bit: u8) -> Option<(u8, u8)> {
    Some(match bit {
        0 => (8, 8),
        1 | 2 | 5 | 6 | 10..=13 | 16 | 17 | 26 => (1, 1),
        3 | 27 => (2, 4),
        4 | 7..=9 | 14 | 15 => (2, 2),
        18 | 20 => (4, 8),
        19 => (1, 3),
        21 | 23 | 24 => (2, 12),
        22 => (8, 12),
        25 => (2, 6),
        _ => return None,
    })
}

fn word_at(header: &[u8], offset: usize) -> Option<u32> {
    header.get(offset..)?.first_chunk().map(|octets| u32::from_le_bytes(*octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMITTED: [u8; 29] = [
        0, 0, 29, 0, 0x2f, 0, 8, 0, // version, length, present words
        1, 2, 3, 4, 5, 6, 7, 8, // TSFT
        0x10, 12, // flags, rate
        0x85, 0x09, 0xc0, 0x00, // channel
        0xce, // signal
        0x07, 0x04, 0x07, // MCS
        0, 0, 0,
    ];

    fn radiotap() -> Radiotap {
        Radiotap {
            tsft: Some(0x0807_0605_0403_0201),
            flags: Some(flags::FCS_AT_END),
            rate: Some(12),
            channel: Some((channel_frequency(6), channel_flags::OFDM | channel_flags::GHZ_2)),
            signal_dbm: Some(-50),
            mcs: Some([7, 4, 7]),
        }
    }

    #[test]
    fn emit_writes_the_octets_of_the_format() {
        let mut out = vec![0xee];
        radiotap().emit(&mut out);
        let mut expected = EMITTED[..26].to_vec();
        expected[2] = 26;
        assert_eq!(out[1..], expected);
    }

    #[test]
    fn parse_finds_the_fields_and_the_length() {
        // Three octets that no present bit accounts for belong to the header all the same.
        assert_eq!(Radiotap::parse(&EMITTED), Ok((radiotap(), 29)));
    }

    #[test]
    fn every_subset_of_the_fields_comes_back() {
        let full = radiotap();
        for set in 0..64 {
            let has = |bit: u8| set & 1 << bit != 0;
            let some = Radiotap {
                tsft: full.tsft.filter(|_| has(0)),
                flags: full.flags.filter(|_| has(1)),
                rate: full.rate.filter(|_| has(2)),
                channel: full.channel.filter(|_| has(3)),
                signal_dbm: full.signal_dbm.filter(|_| has(4)),
                mcs: full.mcs.filter(|_| has(5)),
            };
            let mut out = Vec::new();
            some.emit(&mut out);
            assert_eq!(Radiotap::parse(&out), Ok((some, out.len())));
        }
    }

    #[test]
    fn every_prefix_is_truncated() {
        for end in 0..EMITTED.len() {
            assert!(matches!(Radiotap::parse(&EMITTED[..end]), Err(ParseError::Truncated { .. })), "{end}");
        }
    }

    #[test]
    fn another_version_and_a_length_below_the_fixed_part_are_refused() {
        assert!(matches!(Radiotap::parse(&[1, 0, 8, 0, 0, 0, 0, 0]), Err(ParseError::Invalid { .. })));
        assert!(matches!(Radiotap::parse(&[0, 0, 7, 0, 0, 0, 0, 0]), Err(ParseError::Invalid { .. })));
    }

    #[test]
    fn a_field_of_unknown_size_ends_the_fields_but_not_the_frame() {
        let header = [0, 0, 12, 0, 0x02, 0, 0, 0x10, 0x10, 0xaa, 0xbb, 0xcc];
        let (radiotap, length) = Radiotap::parse(&header).unwrap();
        assert_eq!((radiotap.flags, length), (Some(0x10), 12));
    }

    #[test]
    fn channels_have_their_frequencies() {
        let pairs = [(1, 2412), (13, 2472), (14, 2484), (36, 5180), (165, 5825)];
        assert!(pairs.iter().all(|(channel, frequency)| channel_frequency(*channel) == *frequency));
    }
}
