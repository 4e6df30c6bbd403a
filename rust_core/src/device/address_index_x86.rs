//! The comparison of an address with all slots of a bucket, for x86-64.
//!
//! JUSTIFICATION for `unsafe`: SSE2 is part of every x86-64, yet its intrinsics count as safe in functions that name it
//! alone, and calling such a function is not. Nothing here reads through a pointer. With the comparison
//! left to LLVM a look-up takes 1.1 times as long, and 2.5 times where AVX2 is allowed (AMD Zen 5).

#![expect(unsafe_code, reason = "a call of a function for SSE2; see the module's JUSTIFICATION")]

use core::arch::x86_64::{
    _mm_and_si128, _mm_cmpeq_epi16, _mm_cmpeq_epi32, _mm_cvtsi64_si128, _mm_movemask_epi8, _mm_packs_epi32,
    _mm_set_epi64x, _mm_shuffle_epi32, _mm_shufflelo_epi16,
};

/// Two bits for each slot, set where it holds the address.
#[inline]
pub(super) fn matches(tops: &[u64; 4], lows: &[u64; 2], key: u64) -> u32 {
    // SAFETY: every x86-64 has SSE2.
    unsafe { matches_sse2(tops, lows, key) }
}

#[inline]
#[target_feature(enable = "sse2")]
fn matches_sse2(tops: &[u64; 4], lows: &[u64; 2], key: u64) -> u32 {
    let pair = |low: u64, high: u64| _mm_set_epi64x(high.cast_signed(), low.cast_signed());
    let key = _mm_cvtsi64_si128(key.cast_signed());
    let top = _mm_shuffle_epi32::<0>(key);
    let low = _mm_shuffle_epi32::<0>(_mm_shufflelo_epi16::<0b10_10_10_10>(key));
    let [a, b, c, d] = *tops;
    let [e, f] = *lows;
    let tops = _mm_packs_epi32(_mm_cmpeq_epi32(pair(a, b), top), _mm_cmpeq_epi32(pair(c, d), top));
    _mm_movemask_epi8(_mm_and_si128(tops, _mm_cmpeq_epi16(pair(e, f), low))).cast_unsigned()
}
