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
use super::{CcmpHeader, CcmpKey, HEADER_LENGTH};
use crate::ids::{KeyId, PacketNumber};

/// Octets of such a packet's MAC header.
pub(super) const MAC_HEADER: usize = 26;

/// A packet that was looked at: all that is read or written of it lies inside its buffers.
#[derive(Clone, Copy)]
pub(super) struct Plain {
    /// [`MAC_HEADER`] octets.
    pub(super) header: *const u8,
    /// Where the header goes, if it goes anywhere yet; behind it there is room for the CCMP header where `seals` says so.
    pub(super) new_header: *mut u8,
    pub(super) input: *const u8,
    pub(super) output: *mut u8,
    /// Octets of the body, at least one.
    pub(super) length: usize,
    pub(super) number: PacketNumber,
    /// The identifier of the key that seals.
    pub(super) seals: Option<KeyId>,
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

/// Is it QoS data of protocol version 0 with three addresses, without HT Control? `control` is its Frame Control field.
#[inline(always)]
pub(super) const fn is_plain(control: u16) -> bool {
    control & 0x808f == 0x0088 && control & 0x0300 != 0x0300
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
