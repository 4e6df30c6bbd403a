//! Prepares packets as nearly all are, QoS data with three addresses and nothing else, for the kernels of x86-64.
//!
//! A packet of 64 octets leaves its preparation as much time as its AES takes. So the header is read as two vectors, and
//! B0 (RFC 3610 2.2) and the blocks of additional data are its octets in another order, under masks. What is said of the
//! fields in `layout` holds here too; any other frame goes by that way, and tests hold one against the other.
//!
//! JUSTIFICATION for `unsafe`: shuffles are reachable by intrinsics alone, and lengths are checked once for all places.

#![expect(unsafe_code, reason = "SIMD intrinsics; see the module's JUSTIFICATION")]
#![expect(clippy::inline_always, reason = "vectors stay in registers, and are those of the kernel's processor")]

use core::arch::x86_64::{
    __m128i, _mm_and_si128, _mm_andnot_si128, _mm_insert_epi64, _mm_loadu_si128, _mm_or_si128, _mm_shuffle_epi8,
    _mm_store_si128, _mm_storeu_si128,
};

use super::kernel::Lanes;
use super::layout::{AMSDU_PRESENT, PROTECTED, TID};
use super::{CcmpHeader, CcmpKey, HEADER_LENGTH, MAX_MPDU_LENGTH};
use crate::ids::{KeyId, PacketNumber};

/// Octets of such a packet's MAC header.
pub(super) const MAC_HEADER: usize = 26;

/// A packet that was looked at: all that is read or written of it lies inside its buffers.
#[derive(Clone, Copy)]
pub(super) struct Plain {
    /// [`MAC_HEADER`] octets.
    header: *const u8,
    /// Where the header goes, if it goes anywhere yet; behind it there is room for the CCMP header where `seals` says so.
    new_header: *mut u8,
    input: *const u8,
    output: *mut u8,
    /// Octets of the body, at least one.
    length: usize,
    number: PacketNumber,
    /// The identifier of the key that seals.
    seals: Option<KeyId>,
}

impl Plain {
    /// A packet that is to be sealed: out of place, or to where the header moves by the length of the CCMP header.
    #[inline(always)]
    pub(super) const fn to_seal(
        header: *const u8,
        new_header: *mut u8,
        length: usize,
        number: PacketNumber,
        key_id: KeyId,
    ) -> Self {
        let input = header.wrapping_add(MAC_HEADER);
        let output = new_header.wrapping_add(MAC_HEADER + HEADER_LENGTH);
        Self { header, new_header, input, output, length, number, seals: Some(key_id) }
    }

    /// A packet that is to be opened: out of place.
    #[inline(always)]
    pub(super) const fn to_open(header: *const u8, new_header: *mut u8, length: usize, number: PacketNumber) -> Self {
        let input = header.wrapping_add(MAC_HEADER + HEADER_LENGTH);
        let output = new_header.wrapping_add(MAC_HEADER);
        Self { header, new_header, input, output, length, number, seals: None }
    }

    /// A packet that is to be opened in its place: its header moves when that is done.
    #[inline(always)]
    pub(super) const fn to_open_in_place(header: *mut u8, length: usize, number: PacketNumber) -> Self {
        let output = header.wrapping_add(MAC_HEADER + HEADER_LENGTH);
        let new_header = core::ptr::null_mut();
        Self {
            header: header.cast_const(),
            new_header,
            input: output.cast_const(),
            output,
            length,
            number,
            seals: None,
        }
    }
}

#[repr(C, align(16))]
struct Octets([u8; 16]);

/// Zero, in a shuffle.
const NONE: u8 = 0x80;
// Shuffles of the header's first 16 octets, and of those from Address 2 on.
static FIRST_AAD: Octets = Octets([NONE, NONE, 0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
static SECOND_AAD: Octets = Octets([6, 7, 8, 9, 10, 11, 12, NONE, 14, NONE, NONE, NONE, NONE, NONE, NONE, NONE]);
static NONCE: Octets = Octets([NONE, 14, 0, 1, 2, 3, 4, 5, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE]);
/// The bits of Frame Control that are authenticated: not the subtype's low ones, Retry, Power Management, More Data and
/// Order (IEEE 802.11-2020 12.5.3.3.3).
static FIRST_AAD_MASK: Octets = Octets([0, 0, 0x8f, 0x47, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255]);
/// There are 24 octets, and Protected Frame is set.
static FIRST_AAD_FIXED: Octets = Octets([0, 24, 0, PROTECTED, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
/// Of the sequence control field the fragment number; of QoS Control what the key says, without and with the A-MSDU
/// Present bit.
static SECOND_AAD_MASK: [Octets; 2] = [second_aad_mask(TID), second_aad_mask(TID | AMSDU_PRESENT)];
static NONCE_MASK: Octets = Octets([0, TID, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0]);
/// The flags of B0 for codes of 8 and of 16 octets.
static FLAGS_M8: Octets = flags(0x59);
static FLAGS_M16: Octets = flags(0x79);
static PROTECTED_FRAME: Octets = Octets([0, PROTECTED, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

const fn second_aad_mask(qos: u8) -> Octets {
    Octets([255, 255, 255, 255, 255, 255, 0x0f, 0, qos, 0, 0, 0, 0, 0, 0, 0])
}

const fn flags(flags: u8) -> Octets {
    Octets([flags, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
}

/// Is it QoS data of protocol version 0 with three addresses, without HT Control, and with a body?
#[inline(always)]
pub(super) fn is_plain(mpdu: &[u8]) -> bool {
    match mpdu.first_chunk() {
        Some(control) => {
            let control = u16::from_le_bytes(*control);
            mpdu.len() > MAC_HEADER && control & 0x808f == 0x0088 && control & 0x0300 != 0x0300
        }
        None => false,
    }
}

/// The same, with a body besides the CCMP header and a code of `MIC` octets, and not too long.
#[inline(always)]
pub(super) fn is_plain_protected<const MIC: usize>(mpdu: &[u8]) -> bool {
    mpdu.len() > MAC_HEADER + HEADER_LENGTH + MIC && mpdu.len() <= MAX_MPDU_LENGTH && is_plain(mpdu)
}

/// The packet number of such a frame that is protected by CCMP.
#[inline(always)]
pub(super) fn protected_by(mpdu: &[u8]) -> Option<PacketNumber> {
    let ccmp = mpdu.get(MAC_HEADER..)?.first_chunk()?;
    if mpdu.get(1)? & PROTECTED == 0 {
        return None;
    }
    match CcmpHeader::parse(*ccmp) {
        Ok((number, _)) => Some(number),
        Err(_) => None,
    }
}

/// Puts a packet into a lane, if there is that lane, and writes its headers. On behalf of a kernel of this processor.
#[inline(always)]
pub(super) fn put<const N: usize, const MIC: usize>(
    lanes: &mut Lanes<N>,
    lane: usize,
    index: u32,
    key: &CcmpKey,
    plain: &Plain,
) {
    if lane >= N {
        return;
    }
    // SAFETY: every kernel's processor has AVX; there is that lane; the rest as `Plain` promises.
    unsafe {
        let load = |octets: &Octets| _mm_loadu_si128(octets.0.as_ptr().cast());
        let start: __m128i = _mm_loadu_si128(plain.header.cast());
        let rest = _mm_loadu_si128(plain.header.wrapping_add(MAC_HEADER - 16).cast());
        let [plain_mask, spp_mask] = &SECOND_AAD_MASK;
        let mask = if key.qos_mask() & AMSDU_PRESENT == 0 { plain_mask } else { spp_mask };
        let second = _mm_and_si128(_mm_shuffle_epi8(rest, load(&SECOND_AAD)), load(mask));
        let first = _mm_and_si128(_mm_shuffle_epi8(start, load(&FIRST_AAD)), load(&FIRST_AAD_MASK));
        let nonce = _mm_and_si128(_mm_shuffle_epi8(rest, load(&NONCE)), load(&NONCE_MASK));
        let nonce = _mm_or_si128(nonce, load(if MIC == 16 { &FLAGS_M16 } else { &FLAGS_M8 }));
        let end = (plain.number.value() << 16 | plain.length as u64).swap_bytes();
        let nonce = _mm_insert_epi64::<1>(nonce, end.cast_signed());
        _mm_store_si128((&raw mut lanes.first).cast::<__m128i>().wrapping_add(lane), nonce);
        _mm_store_si128(
            (&raw mut lanes.aad[0]).cast::<__m128i>().wrapping_add(lane),
            _mm_or_si128(first, load(&FIRST_AAD_FIXED)),
        );
        _mm_store_si128((&raw mut lanes.aad[1]).cast::<__m128i>().wrapping_add(lane), second);
        (&raw mut lanes.key).cast::<*const u8>().wrapping_add(lane).write(key.place());
        (&raw mut lanes.input).cast::<*const u8>().wrapping_add(lane).write(plain.input);
        (&raw mut lanes.output).cast::<*mut u8>().wrapping_add(lane).write(plain.output);
        (&raw mut lanes.length).cast::<usize>().wrapping_add(lane).write(plain.length);
        (&raw mut lanes.index).cast::<u32>().wrapping_add(lane).write(index);
        let Some(key_id) = plain.seals else {
            if !plain.new_header.is_null() {
                _mm_storeu_si128(plain.new_header.cast(), _mm_andnot_si128(load(&PROTECTED_FRAME), start));
                _mm_storeu_si128(plain.new_header.wrapping_add(MAC_HEADER - 16).cast(), rest);
            }
            return;
        };
        _mm_storeu_si128(plain.new_header.cast(), _mm_or_si128(load(&PROTECTED_FRAME), start));
        _mm_storeu_si128(plain.new_header.wrapping_add(MAC_HEADER - 16).cast(), rest);
        let ccmp: [u8; HEADER_LENGTH] = CcmpHeader::emit(plain.number, key_id);
        plain.new_header.wrapping_add(MAC_HEADER).cast::<[u8; HEADER_LENGTH]>().write_unaligned(ccmp);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::SealError;
    use super::super::job::{Job, SealJob};
    use super::super::kernel::Backend;
    use super::*;

    proptest! {
        #[test]
        fn a_plain_packet_is_prepared_as_by_its_layout(
            mut mpdu in prop::collection::vec(any::<u8>(), 20..200),
            control in any::<u16>(),
            key in any::<[u8; 16]>(),
            spp in any::<bool>(),
            number in 1..1_u64 << 48,
            key_id in 0..4_u8,
        ) {
            prop_assume!(Backend::AesNi.is_available());
            mpdu[..2].copy_from_slice(&(control & 0x7f70 | 0x0088).to_le_bytes());
            let key = CcmpKey::from(&key).with_spp_amsdu(spp);
            let (packet_number, key_id) = (PacketNumber::from_low_bits(number), KeyId::from_low_bits(key_id));
            let (mut out, mut other_out) = (vec![0; mpdu.len() + 16], vec![0; mpdu.len() + 16]);
            let result = Err(SealError::NoRoom);
            let mut lanes = Lanes::<8>::NEW;
            let mut job = SealJob { key: &key, packet_number, key_id, mpdu: &mpdu, out: &mut out, result };
            let is_plain = job.put_plain::<8, 8>(&mut lanes, 3, 9).is_some();
            prop_assert_eq!(is_plain, mpdu.len() > MAC_HEADER && control & 0x0300 != 0x0300);
            if is_plain {
                let length = job.result;
                let mut job = SealJob { key: &key, packet_number, key_id, mpdu: &mpdu, out: &mut other_out, result };
                let packet = job.prepare().expect("prepared");
                prop_assert_eq!((lanes.first[3], lanes.aad[0][3], lanes.aad[1][3]), (packet.first, packet.aad[0], packet.aad[1]));
                prop_assert_eq!((lanes.key[3], lanes.input[3], lanes.length[3]), (packet.key, packet.input, packet.length));
                prop_assert_eq!((length, lanes.index[3]), (job.result, 9));
                prop_assert_eq!(&out, &other_out);
            }
        }
    }
}
