//! Where the parts of a protectable MPDU lie, and what of them is authenticated: AAD and nonce.
//!
//! Works on raw octets, once per frame, for that is what the kernels want; [`crate::wire`] has the readable form.

use crate::ids::{PacketNumber, Tid};
use crate::security::replay::ReplayClass;

/// The fields of a MAC header that CCMP looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    frame_control: [u8; 2],
    addresses: [u8; 18],
    fragment: u8,
    address4: Option<[u8; 6]>,
    qos: Option<u8>,
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
    pub(super) fn of(mpdu: &[u8]) -> Result<Self, LayoutError> {
        let [kind, flags] = *mpdu.first_chunk().ok_or(LayoutError::Truncated)?;
        let is_data = match kind & 0b1111 {
            // Type and protocol version in one: a PV1 frame means something else by these bits.
            0b1000 => true,
            0b0000 => false,
            _ => return Err(LayoutError::Unsupported),
        };
        let (fixed, rest) = mpdu.split_first_chunk::<24>().ok_or(LayoutError::Truncated)?;
        let [_, _, _, _, addresses @ .., sequence_low, _] = *fixed;
        let has_address4 = is_data && flags & DS_BITS == DS_BITS;
        let has_qos = is_data && kind & QOS_SUBTYPE != 0;
        let has_ht_control = flags & ORDER != 0 && (has_qos || !is_data);

        let (address4, rest) = take::<6>(has_address4, rest)?;
        let (qos, rest) = take::<2>(has_qos, rest)?;
        let (_, rest) = take::<4>(has_ht_control, rest)?;
        Ok(Self {
            frame_control: [kind, flags],
            addresses,
            fragment: sequence_low & 0x0f,
            address4,
            qos: qos.map(|[low, _]| low),
            header_length: mpdu.len() - rest.len(),
        })
    }

    /// Octets of the MAC header, QoS Control and HT Control included.
    pub(super) const fn header_length(&self) -> usize {
        self.header_length
    }

    /// The Protected Frame bit.
    pub(super) const fn is_protected(&self) -> bool {
        self.frame_control[1] & PROTECTED != 0
    }

    /// Which replay counter the frame is measured by.
    pub(super) fn replay_class(&self) -> ReplayClass {
        if self.is_data() { ReplayClass::Priority(self.priority()) } else { ReplayClass::Management }
    }

    /// Additional authentication data (IEEE 802.11-2020 12.5.3.3.3). HT Control is no part of it.
    pub(super) fn aad(&self, spp_amsdu: bool) -> Aad {
        let [mut kind, mut flags] = self.frame_control;
        if self.is_data() {
            kind &= !SUBTYPE_LOW_BITS;
        }
        flags = flags & !(RETRY | POWER_MANAGEMENT | MORE_DATA) | PROTECTED;
        if self.qos.is_some() {
            flags &= !ORDER;
        }
        let mut aad = Aad { octets: [0; 30], length: 22 };
        let Aad { octets, length } = &mut aad;
        let (fixed, optional) = octets.split_at_mut(22);
        fixed.copy_from_slice(&concatenate([kind, flags], &self.addresses, [self.fragment, 0]));
        let qos = self.qos.map(|qos| [qos & if spp_amsdu { TID | AMSDU_PRESENT } else { TID }, 0]);
        if let Some((field, rest)) = optional.split_first_chunk_mut::<6>() {
            match (self.address4, qos, rest) {
                (None, None, _) => {}
                (None, Some([tid, _]), _) => {
                    *field = [tid, 0, 0, 0, 0, 0];
                    *length = 24;
                }
                (Some(address4), None, _) => {
                    *field = address4;
                    *length = 28;
                }
                (Some(address4), Some(qos), rest) => {
                    *field = address4;
                    rest.copy_from_slice(&qos);
                    *length = 30;
                }
            }
        }
        aad
    }

    /// Nonce flags, transmitter address, packet number (IEEE 802.11-2020 12.5.3.3.4).
    pub(super) fn nonce(&self, number: PacketNumber) -> [u8; 13] {
        let management = if self.is_data() { 0 } else { NONCE_MANAGEMENT };
        let [_, _, _, _, _, _, a, b, c, d, e, f, ..] = self.addresses;
        let [pn5, pn4, pn3, pn2, pn1, pn0] = number.to_be_octets();
        [self.priority().value() | management, a, b, c, d, e, f, pn5, pn4, pn3, pn2, pn1, pn0]
    }

    const fn is_data(&self) -> bool {
        self.frame_control[0] & TYPE_DATA != 0
    }

    fn priority(&self) -> Tid {
        Tid::from_low_bits(self.qos.unwrap_or_default())
    }
}

/// 22, 24, 28 or 30 octets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aad {
    octets: [u8; 30],
    length: usize,
}

impl Aad {
    /// The octets.
    pub(super) fn as_slice(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }

    /// B1 and B2 (RFC 3610 2.2): the length of the AAD, the AAD, zeros.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn blocks(&self) -> [[u8; 16]; 2] {
        let mut blocks = [[0; 16]; 2];
        let [first, second] = &mut blocks;
        let (one, two) = self.octets.split_at(14);
        let [.., high, low] = self.length.to_be_bytes();
        let (length, rest) = first.split_at_mut(2);
        length.copy_from_slice(&[high, low]);
        rest.copy_from_slice(one);
        second.copy_from_slice(two);
        blocks
    }
}

fn concatenate(control: [u8; 2], addresses: &[u8; 18], sequence: [u8; 2]) -> [u8; 22] {
    let mut octets = [0; 22];
    let (first, rest) = octets.split_at_mut(2);
    let (middle, last) = rest.split_at_mut(18);
    first.copy_from_slice(&control);
    middle.copy_from_slice(addresses);
    last.copy_from_slice(&sequence);
    octets
}

/// The Protected Frame bit, in the second octet of Frame Control.
pub(super) const PROTECTED: u8 = 1 << 6;

type Taken<'a, const N: usize> = (Option<[u8; N]>, &'a [u8]);

fn take<const N: usize>(present: bool, rest: &[u8]) -> Result<Taken<'_, N>, LayoutError> {
    if !present {
        return Ok((None, rest));
    }
    rest.split_first_chunk().map(|(field, rest)| (Some(*field), rest)).ok_or(LayoutError::Truncated)
}

const TYPE_DATA: u8 = 1 << 3;
const SUBTYPE_LOW_BITS: u8 = 0b0111 << 4;
const QOS_SUBTYPE: u8 = 1 << 7;
const DS_BITS: u8 = 0b11;
const RETRY: u8 = 1 << 3;
const POWER_MANAGEMENT: u8 = 1 << 4;
const MORE_DATA: u8 = 1 << 5;
const ORDER: u8 = 1 << 7;
const TID: u8 = 0x0f;
const AMSDU_PRESENT: u8 = 1 << 7;
const NONCE_MANAGEMENT: u8 = 1 << 4;
