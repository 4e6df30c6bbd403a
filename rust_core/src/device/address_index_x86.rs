//! The comparison of an address with all slots of a bucket, for x86-64: by SSE2, which each has, and for addresses that lie
//! one behind the other by AVX-512, which makes numbers of eight at once and compares with a mask for an answer.
//!
//! JUSTIFICATION for `unsafe`: SSE2 is part of every x86-64, yet its intrinsics count as safe in functions that name it
//! alone, and calling such a function is not. With the comparison left to LLVM a look-up takes 1.1 times as long, and 2.5
//! times where AVX2 is allowed (AMD Zen 5). AVX-512 takes 0.76 to 0.87 of the time of SSE2 (AMD Zen 4); what it reads and
//! writes are arrays of the very sizes.

#![expect(unsafe_code, reason = "calls of functions for certain processors; see the module's JUSTIFICATION")]

use core::arch::x86_64::{
    _mm_and_si128, _mm_cmpeq_epi16, _mm_cmpeq_epi32, _mm_cvtsi32_si128, _mm_cvtsi64_si128, _mm_loadu_si128,
    _mm_mask_cmpeq_epi16_mask, _mm_movemask_epi8, _mm_packs_epi32, _mm_set_epi64x, _mm_set1_epi16, _mm_shuffle_epi32,
    _mm_shufflelo_epi16, _mm256_cmpeq_epi32_mask, _mm256_loadu_si256, _mm256_set1_epi32, _mm512_loadu_si512,
    _mm512_maskz_loadu_epi8, _mm512_maskz_permutexvar_epi8, _mm512_mullo_epi64, _mm512_set1_epi64, _mm512_srl_epi64,
    _mm512_store_si512,
};
use core::mem::MaybeUninit;

use super::address_bucket::{Bucket, Found};
use super::address_index::{BLOCK, Wide};
use crate::prefetch::prefetch;

/// Looks for up to [`BLOCK`] addresses in their own buckets, and writes the numbers of their rows, all ones where nobody
/// owns one. Returns a bit for each, the last one's lowest, set where its bucket does not have it; and whether the address
/// of zeros is among them. `None`, and nothing is done, where the processor does not have the instructions or there is not
/// a row for each address.
#[inline]
pub(super) fn find_block(index: Wide<'_>, addresses: &[[u8; 6]], rows: &mut [u16]) -> Option<(u64, bool)> {
    let is_able = is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("bmi1");
    if !is_able {
        return None;
    }
    let mut block = [const { MaybeUninit::uninit() }; BLOCK / LANES];
    let rows = rows.get_mut(..addresses.len().min(BLOCK))?;
    // SAFETY: the processor has the instructions; the first function writes for each address what the second one reads for
    // each row, and there are not more rows than addresses.
    unsafe {
        approach(index, &mut block, addresses);
        Some(find_all(index.buckets, &block, rows))
    }
}

/// Makes numbers of addresses, eight at once, and asks for their buckets.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vbmi")]
fn approach(index: Wide<'_>, block: &mut [MaybeUninit<Eight>], addresses: &[[u8; 6]]) {
    let multiplier = _mm512_set1_epi64(index.multiplier.cast_signed());
    let shift = _mm_cvtsi32_si128(index.shift.cast_signed());
    for (place, addresses) in block.iter_mut().zip(addresses.chunks(LANES)) {
        let octets = addresses.as_flattened();
        let there = u64::MAX >> (64 - octets.len());
        let place = place.as_mut_ptr();
        // SAFETY: reads the octets that are there, and a table; writes eight words each.
        let homes = unsafe {
            let octets = _mm512_maskz_loadu_epi8(there, octets.as_ptr().cast());
            let spread = _mm512_loadu_si512(SPREAD.as_ptr().cast());
            let keys = _mm512_maskz_permutexvar_epi8(0x3f3f_3f3f_3f3f_3f3f, spread, octets);
            let homes = _mm512_srl_epi64(_mm512_mullo_epi64(keys, multiplier), shift);
            _mm512_store_si512((&raw mut (*place).keys).cast(), keys);
            _mm512_store_si512((&raw mut (*place).homes).cast(), homes);
            &(*place).homes
        };
        if index.is_far {
            homes.iter().filter_map(|home| index.buckets.get(*home)).for_each(prefetch);
        }
    }
}

/// Compares each address with the eight slots of its bucket at once. By itself, not inlined: a branch on who is found,
/// which nobody can foretell, is what LLVM would make of it otherwise.
///
/// # Safety
/// As many places of the block as there are rows were written.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi1,avx2")]
unsafe fn find_all(buckets: &[Bucket], block: &[MaybeUninit<Eight>], rows: &mut [u16]) -> (u64, bool) {
    let (mut missed, mut has_zero) = (0_u64, false);
    for (place, rows) in block.iter().zip(rows.chunks_mut(LANES)) {
        // SAFETY: as promised.
        let Eight { keys, homes } = unsafe { place.assume_init_ref() };
        for ((key, home), row) in keys.iter().zip(homes).zip(rows) {
            let found = match buckets.get(*home) {
                Some(bucket) => bucket.find_by(|tops, lows| {
                    // SAFETY: 32 and 16 octets.
                    let (tops, lows) =
                        unsafe { (_mm256_loadu_si256(tops.as_ptr().cast()), _mm_loadu_si128(lows.as_ptr().cast())) };
                    let [a, b, c, d, e, f, ..] = key.to_le_bytes();
                    let same = _mm256_cmpeq_epi32_mask(tops, _mm256_set1_epi32(i32::from_le_bytes([a, b, c, d])));
                    _mm_mask_cmpeq_epi16_mask(same, lows, _mm_set1_epi16(i16::from_le_bytes([e, f])))
                }),
                None => Found::NONE,
            };
            *row = found.or_all_ones(found.raw());
            missed = missed << 1 | u64::from(found.is_none());
            has_zero |= *key == 0;
        }
    }
    (missed, has_zero)
}

/// The numbers of eight addresses, and of their buckets.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Eight {
    keys: [u64; LANES],
    homes: [usize; LANES],
}

/// Addresses that become numbers together.
const LANES: usize = 8;

/// Where the octets of eight addresses go; two octets of each number stay zero.
static SPREAD: [u8; 64] = {
    let mut spread = [0; 64];
    let mut place = 0;
    while place < 64 {
        #[expect(clippy::cast_possible_truncation, clippy::indexing_slicing, reason = "below 64, when compiled")]
        if place % 8 < 6 {
            spread[place] = (place / 8 * 6 + place % 8) as u8;
        }
        place += 1;
    }
    spread
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
