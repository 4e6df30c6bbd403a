//! Where the parts of a protectable MPDU lie, and what of them is authenticated: B0 with the nonce, and the AAD.
//!
//! Once per frame and in front of every kernel, so it works on eight octets at a time: the blocks of CCM are made from
//! the header by masks and shifts, without going through its fields. [`crate::wire`] has the readable form.

#![expect(clippy::inline_always, reason = "see job: its parts stay in registers")]

use crate::ids::{PacketNumber, Tid};
use crate::security::replay::ReplayClass;

/// A block of AES: its octets as two little-endian words.
pub(super) type Block = [u64; 2];

/// What CCMP needs of a MAC header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// The first 24 octets, little-endian.
    words: [u64; 3],
    /// The bits of Frame Control that are authenticated.
    control_mask: u64,
    /// Priority, and whether it is a management frame: the first octet of the nonce.
    nonce_flags: u64,
    /// The first octet of QoS Control, 0 where there is none, and how far behind Address 3 it stands, in bits.
    qos: u64,
    qos_place: u32,
    /// The 48 bits of Address 4, little-endian, 0 where there is none.
    address4: u64,
    aad_length: u64,
    header_length: usize,
}

/// Why there is no layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LayoutError {
    /// Shorter than its MAC header.
    Truncated,
    /// Neither data nor management, or not of protocol version 0.
    Unsupported,
}

impl Layout {
    /// Reads the MAC header of a data or management frame (IEEE 802.11-2020 9.3.2.1 and 9.3.3.1).
    #[inline(always)]
    pub(super) fn of(mpdu: &[u8]) -> Result<Self, LayoutError> {
        let Some((fixed, rest)) = mpdu.split_first_chunk::<24>() else { return Err(Self::why_none(mpdu)) };
        let words = words(fixed);
        let control = words[0];
        // Type and protocol version in one: a PV1 frame means something else by these bits.
        if control & (TYPE_AND_VERSION & !TYPE_DATA) != 0 {
            return Err(LayoutError::Unsupported);
        }
        if control & ORDER != 0 || control & (TYPE_DATA | DS_BITS) == TYPE_DATA | DS_BITS {
            return Self::optional_fields(control, rest).map(|optional| Self::with_optional_fields(words, optional));
        }
        let plain = Self {
            words,
            control_mask: MANAGEMENT_MASK,
            nonce_flags: NONCE_MANAGEMENT,
            qos: 0,
            qos_place: 0,
            address4: 0,
            aad_length: 22,
            header_length: 24,
        };
        Ok(match control & (TYPE_DATA | QOS_SUBTYPE) {
            QOS_DATA => {
                let [qos, _, ..] = *rest else { return Err(LayoutError::Truncated) };
                let qos = u64::from(qos);
                let nonce_flags = qos & u64::from(TID);
                Self { control_mask: QOS_DATA_MASK, nonce_flags, qos, aad_length: 24, header_length: 26, ..plain }
            }
            TYPE_DATA => Self { control_mask: DATA_MASK, nonce_flags: 0, ..plain },
            _ => plain,
        })
    }

    #[inline(always)]
    fn with_optional_fields(words: [u64; 3], optional: u64) -> Self {
        let (is_data, has_qos) = (words[0] & TYPE_DATA != 0, words[0] & QOS_DATA == QOS_DATA);
        let has_address4 = is_data && words[0] & DS_BITS == DS_BITS;
        let qos = optional >> 48 & 0xff;
        Self {
            words,
            control_mask: match (is_data, has_qos) {
                (true, true) => QOS_DATA_MASK,
                (true, false) => DATA_MASK,
                (false, _) => MANAGEMENT_MASK,
            },
            nonce_flags: if is_data { qos & u64::from(TID) } else { NONCE_MANAGEMENT },
            qos,
            qos_place: if has_address4 { 48 } else { 0 },
            address4: optional & ADDRESS,
            aad_length: 22 + if has_address4 { 6 } else { 0 } + if has_qos { 2 } else { 0 },
            header_length: 24 + usize::from(optional.to_le_bytes()[7]),
        }
    }

    /// Address 4, the first octet of QoS Control, and how many octets they and HT Control have, in one word: returned by
    /// memory, the fields would cost every frame, not only those that have them.
    #[cold]
    #[inline(never)]
    fn optional_fields(control: u64, rest: &[u8]) -> Result<u64, LayoutError> {
        let is_data = control & TYPE_DATA != 0;
        let has_qos = control & QOS_DATA == QOS_DATA;
        let has_ht_control = control & ORDER != 0 && (has_qos || !is_data);
        let length = rest.len();
        let ([a, b, c, d, e, f], rest) = take::<6>(is_data && control & DS_BITS == DS_BITS, rest)?;
        let ([qos, _], rest) = take::<2>(has_qos, rest)?;
        let ([..], rest) = take::<4>(has_ht_control, rest)?;
        let length = u8::try_from(length - rest.len()).unwrap_or_default();
        Ok(u64::from_le_bytes([a, b, c, d, e, f, qos, length]))
    }

    #[cold]
    fn why_none(mpdu: &[u8]) -> LayoutError {
        match mpdu {
            [kind, _, ..] if u64::from(*kind) & (TYPE_AND_VERSION & !TYPE_DATA) != 0 => LayoutError::Unsupported,
            _ => LayoutError::Truncated,
        }
    }

    /// Octets, QoS Control and HT Control included.
    #[inline(always)]
    pub(super) fn length(&self) -> usize {
        self.header_length
    }

    /// The Protected Frame bit.
    #[inline(always)]
    pub(super) fn is_protected(&self) -> bool {
        self.words[0] & PROTECTED_BIT != 0
    }

    /// Copies the header of `mpdu` to the start of `out`, with that Protected Frame bit; nothing where there is no room.
    #[inline(always)]
    pub(super) fn emit(&self, is_protected: bool, mpdu: &[u8], out: &mut [u8]) {
        let (Some(from), Some(to)) = (mpdu.get(..self.header_length), out.get_mut(..self.header_length)) else {
            return;
        };
        to.copy_from_slice(from);
        if let [_, flags, ..] = to {
            *flags = if is_protected { *flags | PROTECTED } else { *flags & !PROTECTED };
        }
    }

    /// B1 and B2 (RFC 3610 2.2) of the additional authentication data (IEEE 802.11-2020 12.5.3.3.3): its length, the
    /// AAD, zeros. HT Control is no part of it, and of the first octet of QoS Control these bits.
    #[inline(always)]
    pub(super) fn aad(&self, qos_mask: u8) -> [Block; 2] {
        let [start, addresses, end] = self.words;
        let qos = self.qos & u64::from(qos_mask);
        [
            [first_of_aad(self.aad_length, start, self.control_mask), addresses],
            [end & ADDRESS3_AND_FRAGMENT, self.address4 | qos << self.qos_place],
        ]
    }

    /// B0 (RFC 3610 2.2) for a code of `mic_length` octets: flags, nonce, length of the body. The nonce (IEEE
    /// 802.11-2020 12.5.3.3.4) is its octets 1 to 13.
    #[inline(always)]
    pub(super) fn first_block(&self, number: PacketNumber, mic_length: usize, body_length: u16) -> Block {
        first_block(self.words[1], self.nonce_flags, number, mic_length, body_length)
    }

    /// Which replay counter the frame is measured by.
    pub(super) fn replay_class(&self) -> ReplayClass {
        match self.words[0] & TYPE_DATA {
            0 => ReplayClass::Management,
            _ => ReplayClass::Priority(Tid::from_low_bits(self.nonce_flags.to_le_bytes()[0])),
        }
    }
}

/// The first word of B1.
#[inline(always)]
const fn first_of_aad(length: u64, start: u64, control_mask: u64) -> u64 {
    let control = start & control_mask | PROTECTED_BIT;
    length << 8 | control << 16 | start & ADDRESS1_START
}

/// B0: `addresses` is the header's second word, with Address 2 at its end.
#[inline(always)]
fn first_block(addresses: u64, nonce_flags: u64, number: PacketNumber, mic_length: usize, body_length: u16) -> Block {
    let flags = if mic_length == 8 { FLAGS_M8 } else { FLAGS_M16 };
    [addresses & !0xffff | nonce_flags << 8 | flags, (number.value() << 16 | u64::from(body_length)).swap_bytes()]
}

fn words(octets: &[u8; 24]) -> [u64; 3] {
    let mut words = [0; 3];
    for (word, octets) in words.iter_mut().zip(octets.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*octets);
    }
    words
}

fn take<const N: usize>(present: bool, rest: &[u8]) -> Result<([u8; N], &[u8]), LayoutError> {
    if !present {
        return Ok(([0; N], rest));
    }
    rest.split_first_chunk().map(|(field, rest)| (*field, rest)).ok_or(LayoutError::Truncated)
}

/// The Protected Frame bit, in the second octet of Frame Control.
pub(super) const PROTECTED: u8 = 1 << 6;

// Frame Control as a little-endian number.
const TYPE_AND_VERSION: u64 = 0b1111;
const TYPE_DATA: u64 = 1 << 3;
const SUBTYPE_LOW_BITS: u64 = 0b0111 << 4;
const QOS_SUBTYPE: u64 = 1 << 7;
const QOS_DATA: u64 = TYPE_DATA | QOS_SUBTYPE;
const DS_BITS: u64 = 0b11 << 8;
const RETRY: u64 = 1 << 11;
const POWER_MANAGEMENT: u64 = 1 << 12;
const MORE_DATA: u64 = 1 << 13;
const PROTECTED_BIT: u64 = 1 << 14;
const ORDER: u64 = 1 << 15;
const MANAGEMENT_MASK: u64 = 0xffff & !(RETRY | POWER_MANAGEMENT | MORE_DATA);
const DATA_MASK: u64 = MANAGEMENT_MASK & !SUBTYPE_LOW_BITS;
const QOS_DATA_MASK: u64 = DATA_MASK & !ORDER;
/// Its first four octets, in the first word of the header.
const ADDRESS1_START: u64 = 0xffff_ffff_0000_0000;
/// In the third word of the header; the sequence number is not authenticated.
const ADDRESS3_AND_FRAGMENT: u64 = 0x000f_ffff_ffff_ffff;
/// An address as the low bits of a word.
const ADDRESS: u64 = 0x0000_ffff_ffff_ffff;
pub(super) const TID: u8 = 0x0f;
pub(super) const AMSDU_PRESENT: u8 = 1 << 7;
const NONCE_MANAGEMENT: u64 = 1 << 4;
/// There is AAD, the code has 8 or 16 octets, lengths have two.
const FLAGS_M8: u64 = 0x59;
const FLAGS_M16: u64 = 0x79;
